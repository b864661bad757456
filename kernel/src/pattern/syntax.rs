//! The dialect of user patterns: text to [`Node`]. Whatever is outside it is refused with its place and a reason.

use super::tree::{Greed, Node};
use super::{PatternError, class};
use crate::bytes::ByteSet;

const MAX_GROUPS: usize = 200;
const MAX_NESTING: usize = 100;
const MAX_REPEAT: u32 = 1000;
const MAX_STEPS: usize = 100_000;

pub struct Parsed {
    pub root: Node,
    /// One per capture group.
    pub names: Vec<Option<String>>,
}

pub fn parse(pattern: &str, dotall: bool) -> Result<Parsed, PatternError> {
    let mut parser =
        Parser { text: pattern, at: 0, flags: Flags { fold: false, dotall }, names: Vec::new(), open: Vec::new(), depth: 0, behind: 0 };
    parser.leading_flags()?;
    let root = parser.alternatives()?;
    if parser.at < pattern.len() {
        return Err(parser.error("unbalanced `)`"));
    }
    if root.steps() > MAX_STEPS {
        return Err(PatternError::new(0, "the pattern is too large: its counted repetitions multiply out to more than 100000 steps"));
    }
    Ok(Parsed { root, names: parser.names })
}

#[derive(Clone, Copy)]
struct Flags {
    fold: bool,
    dotall: bool,
}

pub(super) struct Parser<'p> {
    text: &'p str,
    at: usize,
    flags: Flags,
    names: Vec<Option<String>>,
    /// Indexes of the groups that are not closed yet.
    open: Vec<usize>,
    depth: usize,
    behind: usize,
}

impl Parser<'_> {
    pub(super) fn error(&self, reason: impl Into<String>) -> PatternError {
        PatternError::new(self.at, reason)
    }

    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn folds(&self) -> bool {
        self.flags.fold
    }

    fn leading_flags(&mut self) -> Result<(), PatternError> {
        let begin = self.at;
        if !self.eat("(?") {
            return Ok(());
        }
        let letters: String = self.rest().chars().take_while(char::is_ascii_lowercase).collect();
        if letters.is_empty() || !self.rest()[letters.len()..].starts_with(')') {
            self.at = begin;
            return Ok(());
        }
        for letter in letters.chars() {
            self.set_flag(letter, true)?;
        }
        self.at += letters.len() + 1;
        Ok(())
    }

    fn set_flag(&mut self, letter: char, on: bool) -> Result<(), PatternError> {
        match letter {
            'i' => self.flags.fold = on,
            's' => self.flags.dotall = on,
            _ => return Err(self.error(format!("the flag `{letter}` is not supported, only `i` and `s` are"))),
        }
        Ok(())
    }

    fn alternatives(&mut self) -> Result<Node, PatternError> {
        let mut branches = vec![self.sequence()?];
        while self.eat("|") {
            branches.push(self.sequence()?);
        }
        Ok(Node::either(branches))
    }

    fn sequence(&mut self) -> Result<Node, PatternError> {
        let mut nodes = Vec::new();
        while let Some(next) = self.peek() {
            if next == '|' || next == ')' {
                break;
            }
            let begin = self.at;
            let atom = self.atom()?;
            nodes.push(self.repeated(atom, begin)?);
        }
        Ok(Node::concat(nodes))
    }

    fn repeated(&mut self, atom: Node, begin: usize) -> Result<Node, PatternError> {
        let Some((min, max)) = self.bounds()? else { return Ok(atom) };
        if matches!(atom, Node::Start | Node::End | Node::Edge { .. } | Node::Look { .. }) {
            return Err(PatternError::new(begin, "an assertion cannot be repeated"));
        }
        let how = if self.eat("?") {
            Greed::Lazy
        } else if self.eat("+") {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        let at = self.at;
        if self.bounds()?.is_some() {
            return Err(PatternError::new(at, "a quantifier follows another quantifier"));
        }
        Ok(Node::Repeat { body: Box::new(atom), min, max, how })
    }

    /// A quantifier, if one stands here.
    fn bounds(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let found = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(),
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(found))
    }

    fn counted(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let Some((inside, _)) = self.rest()[1..].split_once('}') else { return Ok(None) };
        let (low, high) = inside.split_once(',').map_or((inside, None), |(low, high)| (low, Some(high)));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(low) || !digits(high.unwrap_or("")) || (low.is_empty() && high.is_none_or(str::is_empty)) {
            return Ok(None);
        }
        let number = |text: &str, missing: Option<u32>| match text {
            "" => Ok(missing),
            _ => text.parse().ok().filter(|n| *n <= MAX_REPEAT).map(Some).ok_or_else(|| self.error("a repetition of more than 1000 times")),
        };
        let min = number(low, Some(0))?.unwrap_or(0);
        let max = high.map_or(Ok(Some(min)), |high| number(high, None))?;
        if max.is_some_and(|max| max < min) {
            return Err(self.error("the bounds of a repetition are the wrong way round"));
        }
        self.at += inside.len() + 2;
        Ok(Some((min, max)))
    }

    fn atom(&mut self) -> Result<Node, PatternError> {
        let begin = self.at;
        match self.next().unwrap_or_default() {
            '(' => self.group(begin),
            '[' => class::bracket(self, begin).map(Node::Set),
            '\\' => self.escape(begin),
            '.' if self.flags.dotall => Ok(Node::Set(ByteSet::all())),
            '.' => Ok(Node::Set(ByteSet::one(b'\n').not())),
            '^' => Ok(Node::Start),
            '$' => Ok(Node::End),
            '*' | '+' | '?' => Err(PatternError::new(begin, "a quantifier with nothing before it to repeat")),
            '{' => {
                self.at = begin;
                if self.counted()?.is_some() {
                    return Err(PatternError::new(begin, "a quantifier with nothing before it to repeat"));
                }
                self.at = begin + 1;
                Ok(self.literal('{'))
            }
            other => Ok(self.literal(other)),
        }
    }

    fn literal(&self, character: char) -> Node {
        if !character.is_ascii() {
            let mut bytes = [0; 4];
            return Node::concat(character.encode_utf8(&mut bytes).bytes().map(|b| Node::Set(ByteSet::one(b))).collect());
        }
        self.byte(character as u8)
    }

    fn byte(&self, byte: u8) -> Node {
        let set = ByteSet::one(byte);
        Node::Set(if self.flags.fold { class::folded(&set) } else { set })
    }

    fn escape(&mut self, begin: usize) -> Result<Node, PatternError> {
        let Some(next) = self.peek() else { return Err(PatternError::new(begin, "a backslash at the end")) };
        if let Some(set) = class::perl(next) {
            self.at += 1;
            return Ok(Node::Set(set));
        }
        let node = match next {
            'b' => Node::Edge { negated: false },
            'B' => Node::Edge { negated: true },
            'A' => Node::Start,
            'z' | 'Z' => Node::End,
            '1'..='9' => return self.numbered_back(begin),
            _ => return class::escaped_byte(self, begin).map(|b| self.byte(b)),
        };
        self.at += 1;
        Ok(node)
    }

    fn numbered_back(&mut self, begin: usize) -> Result<Node, PatternError> {
        let digits: String = self.rest().chars().take_while(char::is_ascii_digit).take(3).collect();
        self.at += digits.len();
        if digits.len() > 2 {
            return Err(PatternError::new(begin, "a back-reference goes up to `\\99`; write a byte as `\\xHH`"));
        }
        self.back(begin, digits.parse().unwrap_or_default())
    }

    fn back(&self, begin: usize, group: usize) -> Result<Node, PatternError> {
        if group > self.names.len() || self.open.contains(&group) {
            return Err(PatternError::new(begin, format!("a back-reference to group {group}, which is not closed before it")));
        }
        if self.behind > 0 {
            return Err(PatternError::new(begin, "a look-behind needs one fixed width"));
        }
        Ok(Node::Back { group, folded: self.flags.fold })
    }

    fn group(&mut self, begin: usize) -> Result<Node, PatternError> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(PatternError::new(begin, "groups are nested deeper than 100"));
        }
        let outer = self.flags;
        let node = self.group_kind(begin)?;
        self.flags = outer;
        self.depth -= 1;
        Ok(node)
    }

    fn group_kind(&mut self, begin: usize) -> Result<Node, PatternError> {
        if !self.eat("?") {
            return self.capture(begin, None);
        }
        for (mark, behind, negated) in [("=", false, false), ("!", false, true), ("<=", true, false), ("<!", true, true)] {
            if self.eat(mark) {
                return self.look(begin, behind, negated);
            }
        }
        if self.eat(":") {
            return self.closed(begin);
        }
        if self.eat(">") {
            return Ok(Node::Atomic(Box::new(self.closed(begin)?)));
        }
        if self.eat("P=") {
            let name = self.name(begin, ')')?;
            let group = self.names.iter().position(|n| n.as_deref() == Some(&name));
            let group = group.ok_or_else(|| PatternError::new(begin, format!("a back-reference to the unknown group `{name}`")))?;
            return self.back(begin, group + 1);
        }
        if self.eat("P<") || self.eat("<") {
            let name = self.name(begin, '>')?;
            if self.names.iter().flatten().any(|n| *n == name) {
                return Err(PatternError::new(begin, format!("the group name `{name}` is used twice")));
            }
            return self.capture(begin, Some(name));
        }
        self.scoped_flags(begin)
    }

    fn scoped_flags(&mut self, begin: usize) -> Result<Node, PatternError> {
        let mut on = true;
        let mut any = false;
        while let Some(next) = self.next() {
            match next {
                '-' if on => on = false,
                ':' if any => return self.closed(begin),
                ')' if any => return Err(PatternError::new(begin, "flags for the whole pattern stand at its very start")),
                'a'..='z' => {
                    any = true;
                    self.set_flag(next, on)?;
                }
                _ => break,
            }
        }
        Err(PatternError::new(begin, "a group form outside the dialect"))
    }

    fn capture(&mut self, begin: usize, name: Option<String>) -> Result<Node, PatternError> {
        if self.names.len() == MAX_GROUPS {
            return Err(PatternError::new(begin, "more than 200 capture groups"));
        }
        self.names.push(name);
        let index = self.names.len();
        self.open.push(index);
        let body = Box::new(self.closed(begin)?);
        self.open.pop();
        Ok(Node::Group { index, body })
    }

    fn look(&mut self, begin: usize, behind: bool, negated: bool) -> Result<Node, PatternError> {
        self.behind += usize::from(behind);
        let body = self.closed(begin)?;
        self.behind -= usize::from(behind);
        if behind && body.fixed_width().is_none() {
            return Err(PatternError::new(begin, "a look-behind needs one fixed width"));
        }
        Ok(Node::Look { behind, negated, body: Box::new(body) })
    }

    fn closed(&mut self, begin: usize) -> Result<Node, PatternError> {
        let body = self.alternatives()?;
        if !self.eat(")") {
            return Err(PatternError::new(begin, "a group is not closed"));
        }
        Ok(body)
    }

    fn name(&mut self, begin: usize, close: char) -> Result<String, PatternError> {
        let name: String = self.rest().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        self.at += name.len();
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || self.next() != Some(close) {
            return Err(PatternError::new(begin, "a group name consists of ASCII letters, digits and `_`, and begins with no digit"));
        }
        Ok(name)
    }
}
