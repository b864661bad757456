//! Byte classes: `[…]`, `\d` and its kin, POSIX names, single-byte escapes, folding of case.

use super::PatternError;
use super::syntax::Parser;
use crate::bytes::ByteSet;

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// The set behind `\d`, `\D`, `\w`, `\W`, `\s` or `\S`.
pub fn perl(letter: char) -> Option<ByteSet> {
    let set = match letter.to_ascii_lowercase() {
        'd' => ByteSet::of(|b| b.is_ascii_digit()),
        'w' => ByteSet::of(is_word),
        's' => ByteSet::of(is_space),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.not() } else { set })
}

fn posix(name: &str) -> Option<ByteSet> {
    Some(match name {
        "alnum" => ByteSet::of(|b| b.is_ascii_alphanumeric()),
        "alpha" => ByteSet::of(|b| b.is_ascii_alphabetic()),
        "ascii" => ByteSet::of(|b| b.is_ascii()),
        "blank" => ByteSet::of(|b| b == b' ' || b == b'\t'),
        "cntrl" => ByteSet::of(|b| b.is_ascii_control()),
        "digit" => ByteSet::of(|b| b.is_ascii_digit()),
        "graph" => ByteSet::of(|b| b.is_ascii_graphic()),
        "lower" => ByteSet::of(|b| b.is_ascii_lowercase()),
        "print" => ByteSet::of(|b| b.is_ascii_graphic() || b == b' '),
        "punct" => ByteSet::of(|b| b.is_ascii_punctuation()),
        "space" => ByteSet::of(is_space),
        "upper" => ByteSet::of(|b| b.is_ascii_uppercase()),
        "word" => ByteSet::of(is_word),
        "xdigit" => ByteSet::of(|b| b.is_ascii_hexdigit()),
        _ => return None,
    })
}

/// The set with the other case of every ASCII letter added.
pub fn folded(set: &ByteSet) -> ByteSet {
    ByteSet::of(|b| set.has(b.to_ascii_lowercase()) || set.has(b.to_ascii_uppercase()) || set.has(b))
}

/// What follows a backslash, when it stands for one byte.
pub fn escaped_byte(parser: &mut Parser, begin: usize) -> Result<u8, PatternError> {
    let Some(next) = parser.next() else { return Err(PatternError::new(begin, "a backslash at the end")) };
    match next {
        'n' => Ok(b'\n'),
        'r' => Ok(b'\r'),
        't' => Ok(b'\t'),
        'f' => Ok(0x0c),
        'v' => Ok(0x0b),
        'a' => Ok(0x07),
        'x' => {
            let digits = parser.rest().get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
            let byte = byte.ok_or_else(|| PatternError::new(begin, "`\\x` needs two hexadecimal digits"))?;
            parser.next();
            parser.next();
            Ok(byte)
        }
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other as u8),
        other => Err(PatternError::new(begin, format!("the escape `\\{other}` is outside the dialect"))),
    }
}

/// One member of a bracket: a single byte (which may begin a range) or a whole class.
enum Member {
    Byte(u8),
    Class(ByteSet),
}

/// `[…]`, after its opening bracket.
pub fn bracket(parser: &mut Parser, begin: usize) -> Result<ByteSet, PatternError> {
    let negated = parser.eat("^");
    let mut set = ByteSet::NONE;
    let mut first = true;
    loop {
        if parser.rest().is_empty() {
            return Err(PatternError::new(begin, "a `[` is not closed"));
        }
        if !first && parser.eat("]") {
            break;
        }
        first = false;
        let at = parser.error("").position;
        let low = member(parser, begin)?;
        let ranged = parser.rest().starts_with('-') && !parser.rest().starts_with("-]") && parser.rest().len() > 1;
        match (low, ranged) {
            (Member::Byte(low), true) => {
                parser.eat("-");
                match member(parser, begin)? {
                    Member::Byte(high) if low <= high => (low..=high).for_each(|b| set.insert(b)),
                    Member::Byte(_) => return Err(PatternError::new(at, "the ends of a range are the wrong way round")),
                    Member::Class(_) => return Err(PatternError::new(at, "a class cannot end a range")),
                }
            }
            (Member::Class(_), true) => return Err(PatternError::new(at, "a class cannot begin a range")),
            (Member::Byte(byte), false) => set.insert(byte),
            (Member::Class(class), false) => set = set.or(&class),
        }
    }
    let set = if parser.folds() { folded(&set) } else { set };
    Ok(if negated { set.not() } else { set })
}

fn member(parser: &mut Parser, begin: usize) -> Result<Member, PatternError> {
    if parser.rest().starts_with("[:")
        && let Some((name, _)) = parser.rest()[2..].split_once(":]")
        && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'^')
    {
        let name = name.to_owned();
        let set = posix(name.trim_start_matches('^')).ok_or_else(|| parser.error(format!("the class name `{name}` is not known")))?;
        parser.eat(&format!("[:{name}:]"));
        return Ok(Member::Class(if name.starts_with('^') { set.not() } else { set }));
    }
    let at = parser.error("").position;
    match parser.next() {
        None => Err(PatternError::new(begin, "a `[` is not closed")),
        Some('\\') => match parser.peek().and_then(perl) {
            Some(class) => {
                parser.next();
                Ok(Member::Class(class))
            }
            None => escaped_byte(parser, at).map(Member::Byte),
        },
        Some(other) if other.is_ascii() => Ok(Member::Byte(other as u8)),
        Some(other) => {
            Err(PatternError::new(at, format!("`{other}` is more than one byte and cannot stand in a byte class; use `(?:{other}|…)`")))
        }
    }
}
