//! Replacing what a pattern finds in a field.

use std::mem;

use crate::batch::span::{Arena, Span};
use crate::batch::{Batch, TooBig};
use crate::pattern::{Matcher, Pattern};

/// What matches are replaced by: `\1`…`\9` are groups, `\\` is a backslash, all else is literal.
pub struct Replacement {
    parts: Vec<Part>,
}

enum Part {
    Text(Vec<u8>),
    Group(usize),
}

impl Replacement {
    pub fn compile(text: &[u8]) -> Replacement {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut bytes = text.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.peek()) {
                (b'\\', Some(b'\\')) => {
                    bytes.next();
                    plain.push(b'\\');
                }
                (b'\\', Some(digit @ b'1'..=b'9')) => {
                    parts.push(Part::Text(mem::take(&mut plain)));
                    parts.push(Part::Group(usize::from(digit - b'0')));
                    bytes.next();
                }
                _ => plain.push(byte),
            }
        }
        parts.push(Part::Text(plain));
        Replacement { parts }
    }

    /// 0 when there is none.
    pub fn largest_group(&self) -> usize {
        self.parts.iter().map(|part| if let Part::Group(index) = part { *index } else { 0 }).max().unwrap_or(0)
    }
}

impl Batch {
    /// Replaces the first or all matches that are not empty, in the first field called `name` of each row. Returns the rows changed.
    /// The pattern has all the groups of the replacement.
    pub fn mask(&mut self, name: &[u8], pattern: &Pattern, replacement: &Replacement, all: bool) -> Result<usize, TooBig> {
        let key = self.keys.matcher(name);
        let mut arena = mem::take(&mut self.arena);
        let mut fields = mem::take(&mut self.fields);
        let mut mask = Mask { matcher: pattern.matcher(), parts: &replacement.parts, all, value: Vec::new() };
        let mut changed = Ok(0);
        for bounds in self.starts.windows(2) {
            let row = &mut fields[bounds[0] as usize..bounds[1] as usize];
            let source = crate::batch::span::Source { block: self.block.as_ref().as_ref(), arena: arena.as_slice() };
            let Some(field) = row.iter_mut().find(|f| key.is(f.key, &self.keys, source)) else { continue };
            mask.value.clear();
            mask.value.extend_from_slice(source.get(field.span));
            match mask.apply(&mut arena) {
                Ok(None) => {}
                Ok(Some(span)) => {
                    field.span = span;
                    changed = changed.map(|n| n + 1);
                }
                Err(error) => {
                    changed = Err(error);
                    break;
                }
            }
        }
        (self.arena, self.fields) = (arena, fields);
        changed
    }
}

struct Mask<'p> {
    matcher: Matcher<'p>,
    parts: &'p [Part],
    all: bool,
    /// The value at work.
    value: Vec<u8>,
}

impl Mask<'_> {
    /// The new value, if anything was found.
    fn apply(&mut self, arena: &mut Arena) -> Result<Option<Span>, TooBig> {
        let mark = arena.mark();
        let (mut from, mut written, mut found) = (0, 0, false);
        while from <= self.value.len() && self.matcher.search(&self.value, from) {
            let Some((start, end)) = self.matcher.group(0) else { break };
            if start == end {
                from = end + 1;
                continue;
            }
            found = true;
            arena.extend(&self.value[written..start])?;
            self.replace(arena)?;
            (from, written) = (end, end);
            if !self.all {
                break;
            }
        }
        if !found {
            return Ok(None);
        }
        arena.extend(&self.value[written..])?;
        Ok(Some(arena.since(mark)))
    }

    fn replace(&self, arena: &mut Arena) -> Result<(), TooBig> {
        for part in self.parts {
            match part {
                Part::Text(text) => arena.extend(text)?,
                Part::Group(index) => {
                    if let Some((start, end)) = self.matcher.group(*index) {
                        arena.extend(&self.value[start..end])?;
                    }
                }
            }
        }
        Ok(())
    }
}
