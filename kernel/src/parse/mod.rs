//! Parsing a field of every row into new fields: the policy that regex, JSON and delimiter parsing share.

pub mod apsara;
pub mod delimiter;
mod distinct;
pub mod expand;
pub mod json;
mod json_text;
pub mod key_value;
pub mod regex;
pub mod time;
pub mod time_format;
mod unescape;

use std::mem;

use crate::batch::keys::{INTERNED, Keys, Matcher};
use crate::batch::span::{Arena, Field, Hay, Source, Span};
use crate::batch::{Batch, Rewriter, TooBig};

/// Which rows a step could not handle.
#[derive(Default)]
pub struct Failures {
    /// Rows as they were numbered before any was removed.
    pub rows: Vec<u32>,
    pub removed: usize,
    /// The first failing value, cut.
    pub sample: Vec<u8>,
    /// Rows that were parsed with something missing, and the first such value, cut.
    pub partial: usize,
    pub partial_sample: Vec<u8>,
}

impl Failures {
    const SAMPLE: usize = 1024;

    pub fn note(&mut self, row: usize, value: &[u8]) {
        if self.rows.is_empty() {
            self.sample = value[..value.len().min(Self::SAMPLE)].to_vec();
        }
        self.rows.push(row as u32);
    }

    #[cold]
    fn note_partial(&mut self, value: &[u8]) {
        if self.partial == 0 {
            self.partial_sample = value[..value.len().min(Self::SAMPLE)].to_vec();
        }
        self.partial += 1;
    }
}

/// What becomes of the source field.
pub struct Policy<'a> {
    pub source: &'a [u8],
    pub keep_on_success: bool,
    pub keep_on_fail: bool,
    pub renamed: Option<&'a [u8]>,
    pub copy_raw: bool,
}

/// Where new keys and rewritten bytes go while a value is parsed.
pub struct Home<'a> {
    pub block: &'a [u8],
    pub arena: &'a mut Arena,
    pub keys: &'a mut Keys,
}

impl Home<'_> {
    #[inline(always)]
    pub fn source(&self) -> Source<'_> {
        Source { block: self.block, arena: self.arena.as_slice() }
    }

    /// The id of a key that stands nowhere in the value.
    pub fn key(&mut self, name: &[u8]) -> Result<u32, TooBig> {
        match self.keys.intern(name) {
            Some(key) => Ok(key),
            None => {
                let name = self.arena.put(name)?;
                Ok(self.keys.add_own(name))
            }
        }
    }
}

pub trait Parser {
    /// Called before the value of each row that has the source.
    #[inline(always)]
    fn begin(&mut self, _row: usize) {}

    /// Appends the fields of one value, which lies at `span`, to `out`; false when it does not parse (`out` may then hold leftovers).
    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig>;

    /// Whether no two fields of one value ever have the same key.
    fn distinct(&self) -> bool;

    /// Whether the last value, which parsed, lacked something.
    #[inline(always)]
    fn is_partial(&self) -> bool {
        false
    }

    /// Called when all rows are parsed and none is removed yet, with the rows' times.
    fn finish(&mut self, _times: &mut [i64]) {}
}

impl Batch {
    /// Inlined, so that the parser's wide loops are compiled for the machine they were chosen for.
    #[inline(always)]
    pub fn parse(&mut self, policy: &Policy, parser: &mut impl Parser) -> Result<Failures, TooBig> {
        let raw_key = if policy.copy_raw { Some(self.key_id(b"__raw_log__")?) } else { None };
        let kept_key = match policy.renamed {
            Some(name) if policy.keep_on_success || policy.keep_on_fail => Some(self.key_id(name)?),
            _ => None,
        };
        let mut arena = mem::take(&mut self.arena);
        let mut keys = mem::take(&mut self.keys);
        let home = Home { block: self.block.as_ref().as_ref(), arena: &mut arena, keys: &mut keys };
        let done = Run::new(self, policy, raw_key, kept_key, home).all(parser);
        (self.arena, self.keys) = (arena, keys);
        let (rows, failures, removed) = done?;
        (self.fields, self.starts) = (rows.fields, rows.starts);
        parser.finish(&mut self.times);
        if failures.removed > 0 {
            let mut gone = removed.iter().peekable();
            let kept: Vec<bool> = (0..self.times.len()).map(|row| gone.next_if(|r| **r as usize == row).is_none()).collect();
            self.retain_columns(|row| kept[row]);
        }
        Ok(failures)
    }
}

struct Run<'a> {
    batch: &'a Batch,
    policy: &'a Policy<'a>,
    raw_key: Option<u32>,
    kept_key: Option<u32>,
    home: Home<'a>,
    source: Matcher<'a>,
    rows: Rewriter,
    failures: Failures,
    removed: Vec<u32>,
    /// Copy of a value that lies in the arena, which may move while it is parsed.
    copy: Vec<u8>,
}

impl<'a> Run<'a> {
    fn new(batch: &'a Batch, policy: &'a Policy<'a>, raw_key: Option<u32>, kept_key: Option<u32>, home: Home<'a>) -> Run<'a> {
        let source = home.keys.matcher(policy.source);
        // A guess that fits access logs, and is no more than the block for a flood of empty lines.
        let expected = (batch.len() * 8).min(home.block.len() / 8);
        let rows = Rewriter::new(batch.len(), batch.fields.len() + expected);
        Run { batch, policy, raw_key, kept_key, home, source, rows, failures: Failures::default(), removed: Vec::new(), copy: Vec::new() }
    }

    #[inline(always)]
    fn all(mut self, parser: &mut impl Parser) -> Result<(Rewriter, Failures, Vec<u32>), TooBig> {
        let direct = parser.distinct() && !self.policy.keep_on_success;
        let mut found = Vec::new();
        for row in 0..self.batch.len() {
            let fields = self.batch.row(row);
            let Some(at) = fields.iter().position(|f| self.source.is(f.key, self.home.keys, self.home.source())) else {
                self.rows.fields.extend_from_slice(fields);
                self.rows.end_row();
                continue;
            };
            let span = fields[at].span;
            parser.begin(row);
            if direct && fields.len() == 1 && (fields[0].key as usize) < INTERNED {
                // The common case: nothing but the source, so what is found is the new row.
                let begin = self.rows.fields.len();
                let mut out = mem::take(&mut self.rows.fields);
                let parsed = self.value(span, parser, &mut out);
                self.rows.fields = out;
                if parsed? {
                    // A parsed field with the source's name stands where the source stood.
                    if let Some(own) = self.rows.fields[begin..].iter().position(|f| f.key == fields[0].key) {
                        self.rows.fields[begin..=begin + own].rotate_right(1);
                    }
                    self.rows.end_row();
                    continue;
                }
                self.rows.fields.truncate(begin);
                self.fail(row, fields, at);
                continue;
            }
            found.clear();
            if self.value(span, parser, &mut found)? {
                self.merge(fields, at, &found);
            } else {
                self.fail(row, fields, at);
            }
        }
        if u32::try_from(self.rows.fields.len()).is_err() {
            return Err(TooBig);
        }
        Ok((self.rows, self.failures, self.removed))
    }

    #[inline(always)]
    fn value(&mut self, span: Span, parser: &mut impl Parser, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        if span.in_arena() {
            self.copy.clear();
            self.copy.extend_from_slice(self.home.source().get(span));
            let parsed = parser.parse(Hay::alone(&self.copy), span, &mut self.home, out)?;
            if parsed && parser.is_partial() {
                self.failures.note_partial(&self.copy);
            }
            return Ok(parsed);
        }
        let value = Source { block: self.home.block, arena: &[] }.with_slack(span);
        let parsed = parser.parse(value, span, &mut self.home, out)?;
        if parsed && parser.is_partial() {
            self.failures.note_partial(value.bytes);
        }
        Ok(parsed)
    }

    fn merge(&mut self, old: &[Field], at: usize, found: &[Field]) {
        let bytes = self.home.source();
        let begin = self.rows.fields.len();
        for field in old {
            self.rows.keep(*field, self.home.keys, bytes);
        }
        for field in found {
            self.rows.set(field.key, field.span, self.home.keys, bytes);
        }
        let replaced = found.iter().any(|f| self.source.is(f.key, self.home.keys, bytes));
        let kept = self.policy.keep_on_success;
        match (replaced, kept, self.kept_key) {
            (false, false, _) => drop(self.rows.fields.remove(begin + at)),
            (false, true, Some(key)) => self.rename_at(begin, begin + at, key),
            (true, true, Some(key)) if !self.source.is(key, self.home.keys, bytes) => {
                self.rows.set(key, old[at].span, self.home.keys, bytes);
            }
            _ => {}
        }
        self.rows.end_row();
    }

    fn fail(&mut self, row: usize, old: &[Field], at: usize) {
        let bytes = self.home.source();
        self.failures.note(row, bytes.get(old[at].span));
        let begin = self.rows.fields.len();
        for field in old {
            self.rows.keep(*field, self.home.keys, bytes);
        }
        if !self.policy.keep_on_fail {
            self.rows.fields.remove(begin + at);
        } else if let Some(key) = self.kept_key {
            self.rename_at(begin, begin + at, key);
        }
        if let Some(key) = self.raw_key {
            let bytes = self.home.source();
            let raw = self.home.keys.matcher(b"__raw_log__");
            let place = self.rows.fields[begin..].iter().position(|f| raw.is(f.key, self.home.keys, bytes));
            match place {
                Some(place) => self.rows.fields[begin + place].span = old[at].span,
                None => self.rows.push(key, old[at].span),
            }
        }
        if self.rows.row_len() == 0 {
            self.failures.removed += 1;
            self.removed.push(row as u32);
            self.rows.begin_row();
        } else {
            self.rows.end_row();
        }
    }

    /// The field at `at` of the row that begins at `begin` gets another key; other fields of that key go.
    fn rename_at(&mut self, begin: usize, at: usize, key: u32) {
        let bytes = self.home.source();
        let name = self.home.keys.name(key, bytes);
        let mut to = begin;
        for from in begin..self.rows.fields.len() {
            let mut field = self.rows.fields[from];
            if from == at {
                field.key = key;
            } else if self.home.keys.name(field.key, bytes) == name {
                continue;
            }
            self.rows.fields[to] = field;
            to += 1;
        }
        self.rows.fields.truncate(to);
    }
}
