//! Parsing by separator: fields in order, quoted or not.

use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::Lanes;
use crate::with_lanes;

/// Fields beyond the keys that get a column of their own; the last one holds all the rest. It keeps a line of nothing but
/// separators from costing many times its size.
const MAX_EXTRA: usize = 256;

/// What becomes of fields beyond the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    Extend,
    Keep,
    Discard,
}

pub struct Shape<'a> {
    /// Not empty.
    pub separator: &'a [u8],
    /// Only with a separator of one byte.
    pub quote: Option<u8>,
    /// Only with a quote: blanks before a field do not count.
    pub trim: bool,
    pub keys: &'a [&'a [u8]],
    pub allow_short: bool,
    pub overflow: Overflow,
    /// What surplus fields are called: the beginning of a name that a number from 1 completes, or with `Keep` the name.
    pub surplus: Option<&'a [u8]>,
}

impl Shape<'_> {
    /// The name of surplus field number `extra`.
    fn name(&self, extra: usize) -> Vec<u8> {
        match self.surplus {
            None => format!("__column{extra}__").into_bytes(),
            Some(name) if self.overflow == Overflow::Keep => name.to_vec(),
            Some(prefix) => [prefix, (extra + 1).to_string().as_bytes()].concat(),
        }
    }
}

pub fn parse(batch: &mut Batch, policy: &Policy, shape: &Shape) -> Result<Failures, TooBig> {
    let keys = shape.keys;
    let surplus = shape.surplus.unwrap_or(b"__column");
    let distinct = (0..keys.len()).all(|i| !keys[..i].contains(&keys[i]) && !keys[i].starts_with(surplus));
    let keys = keys.iter().map(|key| batch.key_id(key)).collect::<Result<Vec<u32>, TooBig>>()?;
    run(batch, policy, shape, keys, distinct)
}

fn run(batch: &mut Batch, policy: &Policy, shape: &Shape, keys: Vec<u32>, distinct: bool) -> Result<Failures, TooBig> {
    with_lanes!(
        L => Result<Failures, TooBig>,
        (batch: &mut Batch, policy: &Policy, shape: &Shape, keys: Vec<u32>, distinct: bool),
        batch.parse(policy, &mut ByDelimiter::<L> {
            shape, keys, extra: Vec::new(), distinct, partial: false, lanes: std::marker::PhantomData
        })
    )
}

struct ByDelimiter<'a, L> {
    shape: &'a Shape<'a>,
    keys: Vec<u32>,
    /// Keys of `__column0__`, … as far as they were needed.
    extra: Vec<u32>,
    distinct: bool,
    /// The value at work has fewer fields than keys, or more and they were discarded.
    partial: bool,
    lanes: std::marker::PhantomData<L>,
}

impl<L: Lanes> Parser for ByDelimiter<'_, L> {
    #[inline(always)]
    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        self.partial = false;
        match (self.shape.quote, self.shape.separator) {
            (Some(quote), [separator, ..]) => self.quoted(value.bytes, span, *separator, quote, home, out),
            (None, [separator]) => self.plain(value, span, *separator, home, out),
            _ => self.by_text(value.bytes, span, home, out),
        }
    }

    fn distinct(&self) -> bool {
        self.distinct
    }

    #[inline(always)]
    fn is_partial(&self) -> bool {
        self.partial
    }
}

impl<L: Lanes> ByDelimiter<'_, L> {
    /// One byte, no quotes: every separator of 32 bytes at once.
    #[inline(always)]
    fn plain(&mut self, value: Hay, span: Span, separator: u8, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        let data = value.bytes;
        let (mut at, mut begin, mut index) = (0, 0, 0);
        let readable = data.len() + value.slack;
        out.reserve(self.keys.len() + 1);
        while L::WIDTH > 0 && at < data.len() && at + L::WIDTH <= readable {
            // SAFETY: a full width is readable there.
            let mut mask = unsafe { L::equal(data.as_ptr().add(at), separator) };
            while mask != 0 {
                let end = at + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                if end >= data.len() {
                    break;
                }
                if index == self.keys.len() {
                    return self.rest(data, span, begin, index, home, out);
                }
                out.push(Field { key: self.keys[index], span: span.part(begin, end) });
                index += 1;
                begin = end + 1;
            }
            at += L::WIDTH;
        }
        while at < data.len() {
            if data[at] == separator {
                if index == self.keys.len() {
                    return self.rest(data, span, begin, index, home, out);
                }
                out.push(Field { key: self.keys[index], span: span.part(begin, at) });
                index += 1;
                begin = at + 1;
            }
            at += 1;
        }
        self.last(span, begin, data.len(), index, home, out)
    }

    /// The field that ends the value.
    #[inline(always)]
    fn last(&mut self, span: Span, begin: usize, end: usize, index: usize, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        if index < self.keys.len() {
            out.push(Field { key: self.keys[index], span: span.part(begin, end) });
            return Ok(self.is_long_enough(index + 1));
        }
        self.surplus(span.part(begin, end), 0, home, out)?;
        Ok(true)
    }

    /// Whether a value of `count` fields, which ends here, will do.
    #[inline(always)]
    fn is_long_enough(&mut self, count: usize) -> bool {
        self.partial = count < self.keys.len();
        !self.partial || self.shape.allow_short
    }

    /// The field number `extra` beyond the keys.
    fn surplus(&mut self, span: Span, extra: usize, home: &mut Home, out: &mut Vec<Field>) -> Result<(), TooBig> {
        if self.shape.overflow == Overflow::Discard {
            self.partial = true;
            return Ok(());
        }
        while self.extra.len() <= extra {
            let key = home.key(&self.shape.name(self.extra.len()))?;
            self.extra.push(key);
        }
        out.push(Field { key: self.extra[extra], span });
        Ok(())
    }

    /// More fields than keys, from `begin` on, not quoted.
    #[cold]
    fn rest(
        &mut self,
        data: &[u8],
        span: Span,
        mut begin: usize,
        index: usize,
        home: &mut Home,
        out: &mut Vec<Field>,
    ) -> Result<bool, TooBig> {
        debug_assert_eq!(index, self.keys.len());
        let separator = self.shape.separator;
        let mut extra = 0;
        if self.shape.overflow == Overflow::Extend {
            while extra + 1 < MAX_EXTRA {
                let Some(end) = memchr::memmem::find(&data[begin..], separator) else { break };
                self.surplus(span.part(begin, begin + end), extra, home, out)?;
                begin += end + separator.len();
                extra += 1;
            }
        }
        self.surplus(span.part(begin, data.len()), extra, home, out)?;
        Ok(true)
    }

    /// A separator of several bytes.
    fn by_text(&mut self, data: &[u8], span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        let separator = self.shape.separator;
        let (mut begin, mut index) = (0, 0);
        while let Some(end) = memchr::memmem::find(&data[begin..], separator) {
            if index == self.keys.len() {
                return self.rest(data, span, begin, index, home, out);
            }
            out.push(Field { key: self.keys[index], span: span.part(begin, begin + end) });
            index += 1;
            begin += end + separator.len();
        }
        self.last(span, begin, data.len(), index, home, out)
    }

    fn quoted(&mut self, data: &[u8], span: Span, separator: u8, quote: u8, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        let count = self.keys.len();
        let (mut begin, mut index) = (0, 0);
        loop {
            let extra = index - count.min(index);
            let closing = extra > 0 || index == count;
            if closing && (self.shape.overflow != Overflow::Extend || extra + 1 == MAX_EXTRA) {
                self.surplus(span.part(begin, data.len()), extra, home, out)?;
                return Ok(true);
            }
            if self.shape.trim {
                begin += data[begin..].iter().take_while(|b| matches!(b, b' ' | b'\t') && **b != separator).count();
            }
            let Some((value, end)) = quoted_field(data, begin, span, separator, quote, home)? else { return Ok(false) };
            if index < count {
                out.push(Field { key: self.keys[index], span: value });
            } else {
                self.surplus(value, extra, home, out)?;
            }
            index += 1;
            if end == data.len() {
                return Ok(index >= count || self.is_long_enough(index));
            }
            begin = end + 1;
        }
    }
}

/// The field at `begin`, and where the separator behind it stands (or the value ends). None: badly quoted.
fn quoted_field(data: &[u8], begin: usize, span: Span, separator: u8, quote: u8, home: &mut Home) -> Result<Option<(Span, usize)>, TooBig> {
    if data.get(begin) != Some(&quote) {
        let end = memchr::memchr(separator, &data[begin..]).map_or(data.len(), |i| begin + i);
        return Ok(Some((span.part(begin, end), end)));
    }
    let mark = home.arena.mark();
    let (mut from, mut doubled) = (begin + 1, false);
    loop {
        let Some(close) = memchr::memchr(quote, &data[from..]).map(|i| from + i) else {
            home.arena.truncate(mark);
            return Ok(None);
        };
        match data.get(close + 1) {
            Some(next) if *next == quote => {
                home.arena.extend(&data[from..=close])?;
                doubled = true;
                from = close + 2;
            }
            next if next.is_none_or(|b| *b == separator) => {
                if !doubled {
                    return Ok(Some((span.part(begin + 1, close), close + 1)));
                }
                home.arena.extend(&data[from..close])?;
                return Ok(Some((home.arena.since(mark), close + 1)));
            }
            _ => {
                home.arena.truncate(mark);
                return Ok(None);
            }
        }
    }
}
