//! Parsing lines of Apsara: `[time]<TAB>[LEVEL]<TAB>[thread]<TAB>[file:line]<TAB>key:value<TAB>…`. They give the event its time too.

use super::key_value::{MAX_NUMBERED, numbered};
use super::time::Clock;
use super::time_format::{self, Read, Token};
use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};

/// Brackets that are looked at, that of the time included.
const MAX_BRACKETS: usize = 10;
/// What is called by a number: text that is neither a pair nor one of the known brackets.
const NO_SEPARATOR: &[u8] = b"no_separator_key_";

/// `offset`: of times without a zone, in seconds east of UTC.
pub fn parse(batch: &mut Batch, policy: &Policy, offset: i32) -> Result<Failures, TooBig> {
    let keys = ["__LEVEL__", "__THREAD__", "__FILE__", "__LINE__", "microtime"];
    let [level, thread, file, line, microtime] = keys.map(|key| batch.key_id(key.as_bytes()));
    let keys = Keys { level: level?, thread: thread?, file: file?, line: line?, microtime: microtime? };
    let formats = [time_format::compile("%s"), time_format::compile("%Y-%m-%d %H:%M:%S")].map(Result::unwrap_or_default);
    let clock = Clock { offset, year: None, now: 0 };
    batch.parse(policy, &mut ByApsara { keys, formats, clock, row: 0, times: Vec::new() })
}

struct Keys {
    level: u32,
    thread: u32,
    file: u32,
    line: u32,
    microtime: u32,
}

struct ByApsara {
    keys: Keys,
    /// For times that are a number, and for all others.
    formats: [Vec<Token>; 2],
    clock: Clock,
    row: usize,
    /// What has been read, by row.
    times: Vec<(usize, i64)>,
}

impl Parser for ByApsara {
    fn begin(&mut self, row: usize) {
        self.row = row;
    }

    fn parse(&mut self, value: Hay, span: Span, home: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        let data = value.bytes;
        let Some((from, to, end)) = bracket(data, 0) else { return Ok(false) };
        let Some(time) = self.time(&data[from..to]) else { return Ok(false) };
        self.times.push((self.row, time));
        let mut loose = 0;
        let at = self.brackets(data, end, span, &mut loose, home, out)?;
        self.pairs(data, at, span, &mut loose, home, out)?;
        let micros = home.arena.put((time / 1000).to_string().as_bytes())?;
        out.push(Field { key: self.keys.microtime, span: micros });
        Ok(true)
    }

    fn distinct(&self) -> bool {
        false
    }

    fn finish(&mut self, times: &mut [i64]) {
        for (row, time) in &self.times {
            times[*row] = *time;
        }
    }
}

impl ByApsara {
    fn time(&self, text: &[u8]) -> Option<i64> {
        let is_number = text.iter().all(u8::is_ascii_digit);
        let tokens = &self.formats[usize::from(!is_number)];
        self.clock.instant(&Read::from_value(tokens, text)?)
    }

    /// Level, thread and place, in any order; where the pairs begin.
    fn brackets(
        &self,
        data: &[u8],
        mut at: usize,
        span: Span,
        loose: &mut usize,
        home: &mut Home,
        out: &mut Vec<Field>,
    ) -> Result<usize, TooBig> {
        let (mut level, mut thread, mut place) = (false, false, false);
        for _ in 1..MAX_BRACKETS {
            let Some((from, to, end)) = bracket(data, at) else { break };
            let text = &data[from..to];
            let mut put = |key, from, to| out.push(Field { key, span: span.part(from, to) });
            if !level && !text.is_empty() && text.iter().all(u8::is_ascii_uppercase) {
                level = true;
                put(self.keys.level, from, to);
            } else if !thread && !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
                thread = true;
                put(self.keys.thread, from, to);
            } else if !place && text.iter().any(|b| matches!(b, b'/' | b'.')) {
                place = true;
                let colon = memchr::memchr(b':', text).map(|i| from + i);
                put(self.keys.file, from, colon.unwrap_or(to));
                if let Some(colon) = colon {
                    put(self.keys.line, colon + 1, to);
                }
            } else {
                *loose += 1;
                put(numbered(NO_SEPARATOR, *loose, home)?, from, to);
            }
            at = end;
        }
        Ok(at)
    }

    fn pairs(&self, data: &[u8], at: usize, span: Span, loose: &mut usize, home: &mut Home, out: &mut Vec<Field>) -> Result<(), TooBig> {
        let mut at = blank(data, at);
        while at < data.len() {
            let mut end = memchr::memchr(b'\t', &data[at..]).map_or(data.len(), |i| at + i);
            match memchr::memchr(b':', &data[at..end]).map(|i| at + i) {
                Some(colon) => {
                    let name = &data[at..colon];
                    let key = home.keys.intern(name).unwrap_or_else(|| home.keys.add_own(span.part(at, colon)));
                    out.push(Field { key, span: span.part(colon + 1, end) });
                }
                None if end > at => {
                    *loose += 1;
                    if *loose == MAX_NUMBERED {
                        end = data.len();
                    }
                    out.push(Field { key: numbered(NO_SEPARATOR, *loose, home)?, span: span.part(at, end) });
                }
                None => {}
            }
            at = end + 1;
        }
        Ok(())
    }
}

fn blank(data: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = data.get(at) {
        at += 1;
    }
    at
}

/// The inside of the bracket at `at` (blanks before it do not count), and where it ends. It closes before a blank, another bracket or the end.
fn bracket(data: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let at = blank(data, at);
    if data.get(at) != Some(&b'[') {
        return None;
    }
    let begin = at + 1;
    let closes = |end: usize| matches!(data.get(end + 1), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b'['));
    memchr::memchr_iter(b']', &data[begin..]).map(|i| begin + i).find(|end| closes(*end)).map(|end| (begin, end, end + 1))
}
