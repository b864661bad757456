//! Records that are one JSON object each, over any number of lines: from a `{` that nothing but blanks precedes on its line, or that
//! follows an object, to the brace that closes it. Only strings and nesting are looked at.

use super::{BETWEEN, OBJECT, OUTSIDE, Sink, State};

/// Where within an object a stretch of bytes ends.
#[derive(Clone, Copy)]
struct Inside {
    /// Open braces and brackets, at least one.
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Inside {
    const BEGIN: Inside = Inside { depth: 1, in_string: false, escaped: false };

    fn of(state: State) -> Inside {
        let bits = state - OBJECT;
        Inside { depth: (bits >> 2) + 1, in_string: bits & 2 != 0, escaped: bits & 1 != 0 }
    }

    fn state(self) -> State {
        OBJECT + ((self.depth - 1) << 2 | u64::from(self.in_string) << 1 | u64::from(self.escaped))
    }

    /// Goes on at `at`; the place behind the object, or where it stands when the data ends.
    fn close(mut self, data: &[u8], mut at: usize) -> Result<usize, Inside> {
        while at < data.len() {
            if self.in_string {
                if std::mem::take(&mut self.escaped) {
                    at += 1;
                    continue;
                }
                let Some(found) = memchr::memchr2(b'"', b'\\', &data[at..]) else { break };
                at += found;
                (self.in_string, self.escaped) = (data[at] != b'"', data[at] == b'\\');
            } else {
                match data[at] {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' if self.depth == 1 => return Ok(at + 1),
                    b'}' | b']' => self.depth -= 1,
                    _ => {}
                }
            }
            at += 1;
        }
        Err(self)
    }
}

enum Part {
    Object { begin: usize, end: usize },
    Text { begin: usize, newline: usize },
    OpenObject { begin: usize, inside: Inside },
    OpenText { begin: usize },
}

/// Visits the parts of `data`, which begins between records. Returns how much of it is whole, blanks included.
fn walk(data: &[u8], mut visit: impl FnMut(Part)) -> usize {
    let (mut at, mut whole) = (0, 0);
    while at < data.len() {
        match data[at] {
            b'\n' => whole = at + 1,
            b' ' | b'\t' | b'\r' => {}
            b'{' => match Inside::BEGIN.close(data, at + 1) {
                Ok(end) => {
                    visit(Part::Object { begin: at, end });
                    (at, whole) = (end, end);
                    continue;
                }
                Err(inside) => {
                    visit(Part::OpenObject { begin: at, inside });
                    break;
                }
            },
            _ => match memchr::memchr(b'\n', &data[at..]).map(|found| at + found) {
                Some(newline) => {
                    visit(Part::Text { begin: whole, newline });
                    (at, whole) = (newline, newline + 1);
                }
                None => {
                    visit(Part::OpenText { begin: whole });
                    break;
                }
            },
        }
        at += 1;
    }
    whole
}

pub(super) fn split(mut sink: Sink) -> u64 {
    let data = sink.data;
    let last = data.len() - usize::from(data.ends_with(b"\n"));
    walk(data, |part| match part {
        Part::Object { begin, end } => sink.record(begin, end, end),
        Part::Text { begin, newline } => sink.unmatched(begin, newline, newline + 1),
        Part::OpenObject { begin, .. } => sink.record(begin, last, data.len()),
        Part::OpenText { begin } => sink.unmatched(begin, data.len(), data.len()),
    });
    sink.discarded
}

pub(super) fn end(data: &[u8]) -> usize {
    walk(data, |_| {})
}

pub(super) fn rest(data: &[u8], state: State) -> Option<usize> {
    if state < OBJECT {
        return memchr::memchr(b'\n', data).map(|newline| newline + 1);
    }
    Inside::of(state).close(data, 0).ok()
}

pub(super) fn state(data: &[u8], state: State) -> State {
    let begin = match state {
        BETWEEN => 0,
        _ if state < OBJECT => match memchr::memchr(b'\n', data) {
            Some(newline) => newline + 1,
            None => return OUTSIDE,
        },
        _ => match Inside::of(state).close(data, 0) {
            Ok(end) => end,
            Err(inside) => return inside.state(),
        },
    };
    let mut behind = BETWEEN;
    walk(&data[begin..], |part| match part {
        Part::OpenObject { inside, .. } => behind = inside.state(),
        Part::OpenText { .. } => behind = OUTSIDE,
        Part::Object { .. } | Part::Text { .. } => {}
    });
    behind
}
