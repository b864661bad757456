//! Parsing one JSON object per value (RFC 8259): its top-level members become fields. Nested values are checked and kept as
//! they are written. Control characters and invalid UTF-8 inside strings are taken as they are.

use super::{Failures, Home, Parser, Policy};
use crate::batch::keys::{self, INTERNED};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::{Lanes, Narrow, Reach, StringEnd};
use crate::parse::unescape::unescape;
use crate::with_lanes;
use hashbrown::HashTable;

/// Deepest nesting, the top-level object included.
const MAX_NESTING: usize = 512;

pub fn parse(batch: &mut Batch, policy: &Policy) -> Result<Failures, TooBig> {
    with_lanes!(
        L => Result<Failures, TooBig>,
        (batch: &mut Batch, policy: &Policy),
        batch.parse(policy, &mut ByJson::<L> {
            expected: Vec::new(), places: [0; INTERNED], own: HashTable::new(), nesting: Vec::new(), lanes: std::marker::PhantomData
        })
    )
}

struct ByJson<L> {
    /// Keys of the last value, in order: the next value mostly has the same.
    expected: Vec<Expected>,
    /// Where in `out` an interned key was written last.
    places: [u32; INTERNED],
    /// The same for the other keys of the value at work.
    own: HashTable<u32>,
    /// Open brackets inside a nested value.
    nesting: Vec<u8>,
    lanes: std::marker::PhantomData<L>,
}

/// A key, and how it stands in the text up to its colon.
struct Expected {
    key: u32,
    text: Box<[u8]>,
}

/// None where the text is not JSON.
type Place = Option<usize>;

impl<L: Lanes> Parser for ByJson<L> {
    #[inline(always)]
    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        let text = Text { bytes: value.bytes, reach: Reach::of(value.bytes, value.slack) };
        if !self.own.is_empty() {
            self.own.clear();
        }
        Ok(self.object(text, span, home, out)?.is_some())
    }

    fn distinct(&self) -> bool {
        true
    }
}

impl<L: Lanes> ByJson<L> {
    #[inline(always)]
    fn object(&mut self, text: Text, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<Place, TooBig> {
        let begin = out.len();
        let Some(mut at) = text.expect(text.blank(0), b'{') else { return Ok(None) };
        at = text.blank(at);
        if text.byte(at) == Some(b'}') {
            return Ok(text.nothing_after(at + 1));
        }
        let mut index = 0;
        loop {
            let Some(opened) = text.expect(at, b'"') else { return Ok(None) };
            let Some((key, colon)) = self.key(text, opened, span, index, home)? else { return Ok(None) };
            let Some((value, next)) = self.value(text, text.blank(colon), span, home)? else { return Ok(None) };
            self.put(begin, key, value, home, out);
            index += 1;
            at = text.blank(next);
            match text.byte(at) {
                Some(b',') => at = text.blank(at + 1),
                Some(b'}') => return Ok(text.nothing_after(at + 1)),
                _ => return Ok(None),
            }
        }
    }

    /// The id of the key whose text begins at `opened`, and where its value may begin. It is mostly the key that stood at this
    /// place in the last value.
    #[inline(always)]
    fn key(&mut self, text: Text, opened: usize, span: Span, index: usize, home: &mut Home) -> Result<Option<(u32, usize)>, TooBig> {
        if let Some(expected) = self.expected.get(index)
            && text.bytes[opened..].starts_with(&expected.text)
        {
            return Ok(Some((expected.key, opened + expected.text.len())));
        }
        self.other_key(text, opened, span, index, home)
    }

    #[inline(never)]
    fn other_key(&mut self, text: Text, opened: usize, span: Span, index: usize, home: &mut Home) -> Result<Option<(u32, usize)>, TooBig> {
        let Some((end, escaped)) = text.string::<Narrow>(opened) else { return Ok(None) };
        let Some(colon) = text.expect(text.blank(end + 1), b':') else { return Ok(None) };
        let name = &text.bytes[opened..end];
        if escaped {
            return Ok(self.escaped_key(name, home)?.map(|key| (key, colon)));
        }
        let key = home.keys.intern(name).unwrap_or_else(|| home.keys.add_own(span.part(opened, end)));
        if (key as usize) < INTERNED {
            self.expected.truncate(index);
            if self.expected.len() == index {
                self.expected.push(Expected { key, text: text.bytes[opened..colon].into() });
            }
        }
        Ok(Some((key, colon)))
    }

    fn escaped_key(&mut self, raw: &[u8], home: &mut Home) -> Result<Option<u32>, TooBig> {
        let mark = home.arena.mark();
        if !unescape(raw, home.arena)? {
            return Ok(None);
        }
        let name = home.arena.as_slice()[mark..].to_vec();
        Ok(Some(match home.keys.intern(&name) {
            Some(key) => {
                home.arena.truncate(mark);
                key
            }
            None => home.keys.add_own(home.arena.since(mark)),
        }))
    }

    #[inline(always)]
    fn value(&mut self, text: Text, at: usize, span: Span, home: &mut Home) -> Result<Option<(Span, usize)>, TooBig> {
        if text.byte(at) == Some(b'"') {
            let Some((end, escaped)) = text.string::<L>(at + 1) else { return Ok(None) };
            if !escaped {
                return Ok(Some((span.part(at + 1, end), end + 1)));
            }
            let mark = home.arena.mark();
            if !unescape(&text.bytes[at + 1..end], home.arena)? {
                return Ok(None);
            }
            return Ok(Some((home.arena.since(mark), end + 1)));
        }
        let end = match text.byte(at) {
            Some(b'{' | b'[') => self.nested(text, at),
            _ => text.scalar(at),
        };
        Ok(end.map(|end| (span.part(at, end), end)))
    }

    /// The last of equal keys wins, in the place of the first.
    #[inline(always)]
    fn put(&mut self, begin: usize, key: u32, value: Span, home: &Home, out: &mut Vec<Field>) {
        if let Some(place) = self.places.get_mut(key as usize) {
            let at = *place as usize;
            if at >= begin && out.get(at).is_some_and(|f| f.key == key) {
                out[at].span = value;
                return;
            }
            *place = out.len() as u32;
        } else if let Some(at) = self.own_place(key, home, out) {
            out[at].span = value;
            return;
        }
        out.push(Field { key, span: value });
    }

    #[cold]
    fn own_place(&mut self, key: u32, home: &Home, out: &[Field]) -> Option<usize> {
        let source = home.source();
        let name = home.keys.name(key, source);
        let hash = keys::hash(name);
        if let Some(&at) = self.own.find(hash, |&at| home.keys.name(out[at as usize].key, source) == name) {
            return Some(at as usize);
        }
        // The field is pushed next; its name must be hashed here, for rehashing may come before.
        let next = out.len() as u32;
        self.own.insert_unique(hash, next, |&at| {
            let key = if at == next { key } else { out[at as usize].key };
            keys::hash(home.keys.name(key, source))
        });
        None
    }

    /// The end of the array or object at `at`.
    #[inline(always)]
    fn nested(&mut self, text: Text, mut at: usize) -> Place {
        self.nesting.clear();
        loop {
            // A value begins at `at`.
            match text.byte(at)? {
                open @ (b'{' | b'[') => {
                    if self.nesting.len() + 2 > MAX_NESTING {
                        return None;
                    }
                    self.nesting.push(open);
                    at = text.blank(at + 1);
                    let close = if open == b'{' { b'}' } else { b']' };
                    if text.byte(at)? == close {
                        self.nesting.pop();
                        at += 1;
                    } else {
                        if open == b'{' {
                            at = self.member(text, at)?;
                        }
                        continue;
                    }
                }
                b'"' => at = text.checked_string::<L>(at + 1)?,
                _ => at = text.scalar(at)?,
            }
            // A value has ended: close what closes, then go to the next.
            loop {
                let Some(open) = self.nesting.last() else { return Some(at) };
                at = text.blank(at);
                match (text.byte(at)?, open) {
                    (b',', b'{') => {
                        at = self.member(text, text.blank(at + 1))?;
                        break;
                    }
                    (b',', _) => {
                        at = text.blank(at + 1);
                        break;
                    }
                    (b'}', b'{') | (b']', b'[') => {
                        self.nesting.pop();
                        at += 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    /// From a member's key to the beginning of its value.
    #[inline(always)]
    fn member(&self, text: Text, at: usize) -> Place {
        let end = text.checked_string::<L>(text.expect(at, b'"')?)?;
        Some(text.blank(text.expect(text.blank(end), b':')?))
    }
}

#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    reach: Reach,
}

impl Text<'_> {
    #[inline(always)]
    fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Behind `byte`, which must stand at `at`.
    #[inline(always)]
    fn expect(self, at: usize, byte: u8) -> Place {
        (self.byte(at) == Some(byte)).then_some(at + 1)
    }

    /// The first place from `at` on that is no white space.
    #[inline(always)]
    fn blank(self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte(at) {
            at += 1;
        }
        at
    }

    fn nothing_after(self, at: usize) -> Place {
        let end = self.blank(at);
        (end == self.bytes.len()).then_some(end)
    }

    /// The closing quote of the string that begins at `at`, and whether there are escapes before it.
    #[inline(always)]
    fn string<L: Lanes>(self, at: usize) -> Option<(usize, bool)> {
        let base = self.bytes.as_ptr();
        let mut escaped = false;
        let mut from = at;
        loop {
            if from > self.bytes.len() {
                return None;
            }
            // SAFETY: `from` is within the value.
            let found = unsafe { self.reach.first::<L>(base.add(from), StringEnd) } as usize - base as usize;
            match self.byte(found)? {
                b'"' => return Some((found, escaped)),
                _ => escaped = true,
            }
            from = found + 2;
        }
    }

    /// Behind the closing quote; escapes are checked.
    #[inline(always)]
    fn checked_string<L: Lanes>(self, at: usize) -> Place {
        let (end, escaped) = self.string::<L>(at)?;
        (!escaped || crate::parse::unescape::is_valid(&self.bytes[at..end])).then_some(end + 1)
    }

    /// The end of a number or a literal name.
    #[inline(always)]
    fn scalar(self, at: usize) -> Place {
        match self.byte(at)? {
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            b'n' => self.literal(at, b"null"),
            _ => self.number(at),
        }
    }

    #[inline(always)]
    fn literal(self, at: usize, name: &[u8]) -> Place {
        self.bytes[at..].starts_with(name).then_some(at + name.len())
    }

    #[inline(always)]
    fn number(self, at: usize) -> Place {
        let at = at + usize::from(self.byte(at) == Some(b'-'));
        let mut end = if self.byte(at) == Some(b'0') { at + 1 } else { self.digits(at)? };
        if self.byte(end) == Some(b'.') {
            end = self.digits(end + 1)?;
        }
        if let Some(b'e' | b'E') = self.byte(end) {
            let signed = matches!(self.byte(end + 1), Some(b'+' | b'-'));
            end = self.digits(end + 1 + usize::from(signed))?;
        }
        Some(end)
    }

    /// Behind one or more digits.
    #[inline(always)]
    fn digits(self, at: usize) -> Place {
        let mut end = at;
        while self.byte(end).is_some_and(|b| b.is_ascii_digit()) {
            end += 1;
        }
        (end > at).then_some(end)
    }
}
