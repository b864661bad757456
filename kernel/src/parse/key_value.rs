//! Parsing pairs of key and value: `a:1<TAB>b:2`.

use memchr::memmem::Finder;

use super::distinct::Distinct;
use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};

/// Keys of one kind that a number completes. The last of them holds all the rest, lest a line of delimiters cost many times its size.
pub const MAX_NUMBERED: usize = 256;

pub struct Shape<'a> {
    /// Between pairs; not empty.
    pub delimiter: &'a [u8],
    /// Between a key and its value; not empty.
    pub separator: &'a [u8],
    /// Encloses a value that holds the delimiter.
    pub quote: Option<&'a [u8]>,
    /// A number completes it to the key of a pair whose key is empty.
    pub empty_key: &'a [u8],
    /// The same for text without a separator; None drops such text.
    pub no_separator_key: Option<&'a [u8]>,
    /// Whether a value with an empty key, or with text without a separator, is partial.
    pub note_empty: bool,
    pub note_loose: bool,
}

pub fn parse(batch: &mut Batch, policy: &Policy, shape: &Shape) -> Result<Failures, TooBig> {
    let (delimiter, separator) = (Mark::new(shape.delimiter), Mark::new(shape.separator));
    batch.parse(policy, &mut ByPair { shape, delimiter, separator, expected: Vec::new(), distinct: Distinct::new(), partial: false })
}

/// A text to look for. One byte is found faster without the machinery for several.
enum Mark<'a> {
    Byte(u8),
    Text(Box<Finder<'a>>),
}

impl<'a> Mark<'a> {
    fn new(text: &'a [u8]) -> Mark<'a> {
        match text {
            [byte] => Mark::Byte(*byte),
            _ => Mark::Text(Box::new(Finder::new(text))),
        }
    }

    fn find(&self, data: &[u8]) -> Option<usize> {
        match self {
            Mark::Byte(byte) => memchr::memchr(*byte, data),
            Mark::Text(finder) => finder.find(data),
        }
    }
}

struct ByPair<'a> {
    shape: &'a Shape<'a>,
    delimiter: Mark<'a>,
    separator: Mark<'a>,
    /// Keys of the last value, in order: the next value mostly has the same.
    expected: Vec<(Box<[u8]>, u32)>,
    distinct: Distinct,
    partial: bool,
}

/// What stands between two delimiters, as places in the value.
struct Pair {
    /// None without a separator.
    key: Option<(usize, usize)>,
    value: (usize, usize),
    end: usize,
}

impl Parser for ByPair<'_> {
    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        self.partial = false;
        self.distinct.begin();
        let data = value.bytes;
        let (begin, mut at, mut index, mut empty, mut loose) = (out.len(), 0, 0, 0, 0);
        while at < data.len() {
            let Pair { key, mut value, end } = self.pair(data, at);
            let is_nothing = end == at;
            at = end + self.shape.delimiter.len();
            if is_nothing {
                continue;
            }
            let key = match key {
                Some((from, to)) if from < to => self.key(data, from, to, index, span, home)?,
                Some(_) => {
                    self.partial |= self.shape.note_empty;
                    empty += 1;
                    numbered(self.shape.empty_key, empty, home)?
                }
                None => {
                    self.partial |= self.shape.note_loose;
                    let Some(prefix) = self.shape.no_separator_key else { continue };
                    loose += 1;
                    numbered(prefix, loose, home)?
                }
            };
            if empty == MAX_NUMBERED || loose == MAX_NUMBERED {
                (value.1, at) = (data.len(), data.len());
            }
            index += 1;
            self.distinct.put(begin, key, span.part(value.0, value.1), home, out);
        }
        Ok(out.len() > begin)
    }

    fn distinct(&self) -> bool {
        true
    }

    fn is_partial(&self) -> bool {
        self.partial
    }
}

impl ByPair<'_> {
    /// The pair that begins at `at`.
    fn pair(&self, data: &[u8], at: usize) -> Pair {
        if let Some((value, end)) = self.quoted(data, at) {
            return Pair { key: None, value, end };
        }
        let end = self.delimiter.find(&data[at..]).map_or(data.len(), |i| at + i);
        let Some(middle) = self.separator.find(&data[at..end]).map(|i| at + i) else {
            return Pair { key: None, value: (at, end), end };
        };
        let begin = middle + self.shape.separator.len();
        let (value, end) = self.quoted(data, begin).unwrap_or(((begin, end), end));
        Pair { key: Some((at, middle)), value, end }
    }

    /// The inside of the quotes at `at`, and where they end: before a delimiter, or with the value. A quote behind a backslash closes nothing.
    fn quoted(&self, data: &[u8], at: usize) -> Option<((usize, usize), usize)> {
        let quote = self.shape.quote?;
        let begin = at + quote.len();
        if !data[at..].starts_with(quote) {
            return None;
        }
        let mut from = begin;
        loop {
            let close = from + memchr::memmem::find(&data[from..], quote)?;
            let slashes = data[begin..close].iter().rev().take_while(|b| **b == b'\\').count();
            if slashes % 2 == 0 {
                let end = close + quote.len();
                let closes = end == data.len() || data[end..].starts_with(self.shape.delimiter);
                return closes.then_some(((begin, close), end));
            }
            from = close + 1;
        }
    }

    fn key(&mut self, data: &[u8], from: usize, to: usize, index: usize, span: Span, home: &mut Home) -> Result<u32, TooBig> {
        let name = &data[from..to];
        if let Some((expected, key)) = self.expected.get(index)
            && **expected == *name
        {
            return Ok(*key);
        }
        let Some(key) = home.keys.intern(name) else { return Ok(home.keys.add_own(span.part(from, to))) };
        self.expected.truncate(index);
        if self.expected.len() == index {
            self.expected.push((name.into(), key));
        }
        Ok(key)
    }
}

/// The id of a key for the `count`th of a kind, which a number from 0 completes.
pub fn numbered(prefix: &[u8], count: usize, home: &mut Home) -> Result<u32, TooBig> {
    home.key(&[prefix, (count - 1).to_string().as_bytes()].concat())
}
