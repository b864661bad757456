//! Replacing what a pattern finds in a field.

use std::mem;

use crate::batch::span::{Arena, Span};
use crate::batch::{Batch, TooBig};
use crate::parse::Failures;
use crate::pattern::{Found, Matcher, Pattern};

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

/// What becomes of what is found.
pub struct Order<'a> {
    pub replacement: &'a Replacement,
    /// Every match, not only the first.
    pub all: bool,
    /// The whole of a value in which it cannot be told what the pattern finds; without it such a value stays as it is.
    pub instead: Option<&'a [u8]>,
}

impl Batch {
    /// Replaces the first or all matches that are not empty, in the first field called `name` of each row. Returns the rows whose values
    /// hit a limit of the pattern's engine, without a sample: it would show what is to be hidden.
    /// The pattern has all the groups of the replacement.
    pub fn mask(&mut self, name: &[u8], pattern: &Pattern, order: &Order) -> Result<Failures, TooBig> {
        let key = self.keys.matcher(name);
        let mut arena = mem::take(&mut self.arena);
        let mut fields = mem::take(&mut self.fields);
        let mut mask = Mask { matcher: pattern.matcher(), order, value: Vec::new() };
        let mut failures = Ok(Failures::default());
        for (number, bounds) in self.starts.windows(2).enumerate() {
            let row = &mut fields[bounds[0] as usize..bounds[1] as usize];
            let source = crate::batch::span::Source { block: self.block.as_ref().as_ref(), arena: arena.as_slice() };
            let Some(field) = row.iter_mut().find(|f| key.is(f.key, &self.keys, source)) else { continue };
            mask.value.clear();
            mask.value.extend_from_slice(source.get(field.span));
            match mask.apply(&mut arena) {
                Ok(Masked { new, gave_up }) => {
                    field.span = new.unwrap_or(field.span);
                    if let (true, Ok(failures)) = (gave_up, &mut failures) {
                        failures.rows.push(number as u32);
                    }
                }
                Err(error) => {
                    failures = Err(error);
                    break;
                }
            }
        }
        (self.arena, self.fields) = (arena, fields);
        failures
    }
}

struct Masked {
    /// None where the value stays as it is.
    new: Option<Span>,
    gave_up: bool,
}

struct Mask<'p> {
    matcher: Matcher<'p>,
    order: &'p Order<'p>,
    /// The value at work.
    value: Vec<u8>,
}

impl Mask<'_> {
    fn apply(&mut self, arena: &mut Arena) -> Result<Masked, TooBig> {
        let mark = arena.mark();
        let (mut from, mut written, mut found) = (0, 0, false);
        while from <= self.value.len() {
            match self.matcher.find(&self.value, from) {
                Found::Yes => {}
                Found::No => break,
                Found::GaveUp => {
                    arena.truncate(mark);
                    let new = self.order.instead.map(|text| arena.put(text)).transpose()?;
                    return Ok(Masked { new, gave_up: true });
                }
            }
            let Some((start, end)) = self.matcher.group(0) else { break };
            if start == end {
                from = end + 1;
                continue;
            }
            found = true;
            arena.extend(&self.value[written..start])?;
            self.replace(arena)?;
            (from, written) = (end, end);
            if !self.order.all {
                break;
            }
        }
        if !found {
            return Ok(Masked { new: None, gave_up: false });
        }
        arena.extend(&self.value[written..])?;
        Ok(Masked { new: Some(arena.since(mark)), gave_up: false })
    }

    fn replace(&self, arena: &mut Arena) -> Result<(), TooBig> {
        for part in &self.order.replacement.parts {
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
