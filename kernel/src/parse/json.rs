//! Parsing one JSON object per value (RFC 8259): its top-level members become fields. Nested values are checked and kept as
//! they are written. Control characters and invalid UTF-8 inside strings are taken as they are.

use super::distinct::Distinct;
use super::json_text::{Place, Skipper, Text};
use super::{Failures, Home, Parser, Policy};
use crate::batch::keys::INTERNED;
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::{Lanes, Narrow};
use crate::parse::unescape::unescape;
use crate::with_lanes;

pub fn parse(batch: &mut Batch, policy: &Policy) -> Result<Failures, TooBig> {
    with_lanes!(
        L => Result<Failures, TooBig>,
        (batch: &mut Batch, policy: &Policy),
        batch.parse(policy, &mut ByJson::<L> {
            expected: Vec::new(), distinct: Distinct::new(), skipper: Skipper::default(), lanes: std::marker::PhantomData
        })
    )
}

struct ByJson<L> {
    /// Keys of the last value, in order: the next value mostly has the same.
    expected: Vec<Expected>,
    distinct: Distinct,
    skipper: Skipper,
    lanes: std::marker::PhantomData<L>,
}

/// A key, and how it stands in the text up to its colon.
struct Expected {
    key: u32,
    text: Box<[u8]>,
}

impl<L: Lanes> Parser for ByJson<L> {
    #[inline(always)]
    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        let text = Text::of(value);
        self.distinct.begin();
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
            self.distinct.put(begin, key, value, home, out);
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
            Some(b'{' | b'[') => self.skipper.nested::<L>(text, at, 1),
            _ => text.scalar(at),
        };
        Ok(end.map(|end| (span.part(at, end), end)))
    }
}
