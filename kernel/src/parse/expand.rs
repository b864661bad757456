//! Parsing one JSON object per value into a field for each leaf: the key tells the way there.

use super::distinct::Distinct;
use super::json_text::{MAX_NESTING, Place, Skipper, Text};
use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::{Lanes, Narrow};
use crate::parse::unescape::unescape;
use crate::with_lanes;

/// Bytes that the keys of one value may have together: so many times the value's own, and so many more. Beyond that it fails, lest one
/// long key above many leaves cost a thousand times its size.
const KEYS_PER_BYTE: usize = 16;
const KEYS_AT_LEAST: usize = 65_536;

pub struct Shape<'a> {
    /// What every key begins with.
    pub root: &'a [u8],
    /// Between the key of an object and those of its members.
    pub connector: &'a [u8],
    /// Objects this deep are kept as text, the top-level members being at 1; 0: all are opened.
    pub depth: usize,
    /// Arrays are opened too: `key[0]`, `key[1]`.
    pub arrays: bool,
}

pub fn parse(batch: &mut Batch, policy: &Policy, shape: &Shape) -> Result<Failures, TooBig> {
    with_lanes!(
        L => Result<Failures, TooBig>,
        (batch: &mut Batch, policy: &Policy, shape: &Shape),
        batch.parse(policy, &mut ByLeaf::<L> {
            shape, path: Vec::new(), open: Vec::new(), objects: 0, distinct: Distinct::new(), skipper: Skipper::default(),
            lanes: std::marker::PhantomData
        })
    )
}

struct ByLeaf<'a, L> {
    shape: &'a Shape<'a>,
    /// The key of the value at work.
    path: Vec<u8>,
    open: Vec<Open>,
    /// How many of `open` are objects.
    objects: usize,
    distinct: Distinct,
    skipper: Skipper,
    lanes: std::marker::PhantomData<L>,
}

/// An object or array whose members are fields.
struct Open {
    /// Length of the path in front of its members.
    path: usize,
    /// The number of the element at work; None in an object.
    element: Option<usize>,
}

impl<L: Lanes> Parser for ByLeaf<'_, L> {
    #[inline(always)]
    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        self.distinct.begin();
        self.open.clear();
        self.path.clear();
        self.path.extend_from_slice(self.shape.root);
        let text = Text::of(value);
        let Some(at) = text.expect(text.blank(0), b'{') else { return Ok(false) };
        let at = text.blank(at);
        if text.byte(at) == Some(b'}') {
            return Ok(text.nothing_after(at + 1).is_some());
        }
        self.open.push(Open { path: self.path.len(), element: None });
        self.objects = 1;
        Ok(self.members(text, at, span, home, out)?.is_some())
    }

    fn distinct(&self) -> bool {
        true
    }
}

impl<L: Lanes> ByLeaf<'_, L> {
    /// From the first member of the top-level object on.
    #[inline(always)]
    fn members(&mut self, text: Text, mut at: usize, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<Place, TooBig> {
        let begin = out.len();
        let mut budget = text.bytes.len() * KEYS_PER_BYTE + KEYS_AT_LEAST;
        loop {
            let Some(value) = self.enter(text, at, home)? else { return Ok(None) };
            if let Some(inside) = self.opened(text, value) {
                at = inside;
                continue;
            }
            let Some((leaf, end)) = self.leaf(text, value, span, home)? else { return Ok(None) };
            let Some(left) = budget.checked_sub(self.path.len()) else { return Ok(None) };
            budget = left;
            let key = home.key(&self.path)?;
            self.distinct.put(begin, key, leaf, home, out);
            match self.closed(text, end) {
                Some(next) if self.open.is_empty() => return Ok(text.nothing_after(next)),
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
    }

    /// Adds the name or number of the member at `at` to the path; where its value begins.
    #[inline(always)]
    fn enter(&mut self, text: Text, at: usize, home: &mut Home) -> Result<Place, TooBig> {
        let Some(open) = self.open.last_mut() else { return Ok(None) };
        if let Some(element) = &mut open.element {
            self.path.extend_from_slice(format!("[{element}]").as_bytes());
            *element += 1;
            return Ok(Some(at));
        }
        let Some(begin) = text.expect(at, b'"') else { return Ok(None) };
        let Some((end, escaped)) = text.string::<Narrow>(begin) else { return Ok(None) };
        if escaped {
            let mark = home.arena.mark();
            if !unescape(&text.bytes[begin..end], home.arena)? {
                return Ok(None);
            }
            self.path.extend_from_slice(&home.arena.as_slice()[mark..]);
            home.arena.truncate(mark);
        } else {
            self.path.extend_from_slice(&text.bytes[begin..end]);
        }
        Ok(text.expect(text.blank(end + 1), b':').map(|at| text.blank(at)))
    }

    /// Where the first member of the value at `at` begins, if it is one whose members are fields.
    #[inline(always)]
    fn opened(&mut self, text: Text, at: usize) -> Place {
        let bracket = text.byte(at)?;
        let wanted = match bracket {
            b'{' => true,
            b'[' => self.shape.arrays && self.open.last().is_some_and(|open| open.element.is_none()),
            _ => false,
        };
        let deep = self.shape.depth != 0 && self.objects >= self.shape.depth;
        if !wanted || deep || self.open.len() >= MAX_NESTING {
            return None;
        }
        let inside = text.blank(at + 1);
        if matches!(text.byte(inside), Some(b'}' | b']')) {
            // An empty one has no members: it is a leaf, lest it vanish.
            return None;
        }
        let element = if bracket == b'[' { Some(0) } else { None };
        if element.is_none() {
            self.path.extend_from_slice(self.shape.connector);
            self.objects += 1;
        }
        self.open.push(Open { path: self.path.len(), element });
        Some(inside)
    }

    /// A value that is a field, and where it ends.
    #[inline(always)]
    fn leaf(&mut self, text: Text, at: usize, span: Span, home: &mut Home) -> Result<Option<(Span, usize)>, TooBig> {
        let end = match text.byte(at) {
            Some(b'"') => return string::<L>(text, at + 1, span, home),
            Some(b'{' | b'[') => self.skipper.nested::<L>(text, at, self.open.len()),
            _ => text.scalar(at),
        };
        Ok(end.map(|end| (span.part(at, end), end)))
    }

    /// Behind a value: out of what closes here, and to the next member.
    #[inline(always)]
    fn closed(&mut self, text: Text, mut at: usize) -> Place {
        while let Some(open) = self.open.last() {
            at = text.blank(at);
            match (text.byte(at)?, open.element) {
                (b',', _) => {
                    self.path.truncate(open.path);
                    return Some(text.blank(at + 1));
                }
                (b'}', None) => self.objects -= 1,
                (b']', Some(_)) => {}
                _ => return None,
            }
            self.open.pop();
            at += 1;
        }
        Some(at)
    }
}

/// The string whose inside begins at `at`, without its escapes, and where it ends.
#[inline(always)]
fn string<L: Lanes>(text: Text, at: usize, span: Span, home: &mut Home) -> Result<Option<(Span, usize)>, TooBig> {
    let Some((end, escaped)) = text.string::<L>(at) else { return Ok(None) };
    if !escaped {
        return Ok(Some((span.part(at, end), end + 1)));
    }
    let mark = home.arena.mark();
    if !unescape(&text.bytes[at..end], home.arena)? {
        return Ok(None);
    }
    Ok(Some((home.arena.since(mark), end + 1)))
}
