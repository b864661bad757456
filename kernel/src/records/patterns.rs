//! Records by patterns on their lines. What each combination means is in the contract (`RecordRule`).

use std::sync::Arc;

use super::{BETWEEN, MID_LINE, OPEN, OUTSIDE, Sink, State};
use crate::batch::span::Hay;
use crate::bytes::{Lanes, Narrow};
use crate::pattern::{Matcher, Pattern};
use crate::split::{newlines, without_carriage};
use crate::with_lanes;

pub struct Patterns {
    kind: Kind,
    start: Option<Arc<Pattern>>,
    more: Option<Arc<Pattern>>,
    end: Option<Arc<Pattern>>,
    /// Lines at work that are longer than this are a record, whatever follows.
    limit: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Start,
    StartMore,
    StartEnd,
    MoreEnd,
    End,
}

/// What a line does to the record at work.
#[derive(Clone, Copy)]
enum Step {
    Extends,
    /// It begins a record; one at work ended before it.
    Begins,
    /// The record at work ends with it.
    Ends,
    /// It is a record of its own; one at work ended before it.
    Alone,
    /// It belongs to none; one at work ended before it.
    Unmatched,
    /// It shows that neither it nor the lines at work are a record.
    Aborts,
}

impl Patterns {
    /// `None` for a combination that tells no records apart, or says one thing twice.
    pub fn new(start: Option<Arc<Pattern>>, more: Option<Arc<Pattern>>, end: Option<Arc<Pattern>>, limit: usize) -> Option<Patterns> {
        let kind = match (&start, &more, &end) {
            (Some(_), None, None) => Kind::Start,
            (Some(_), Some(_), None) => Kind::StartMore,
            (Some(_), None, Some(_)) => Kind::StartEnd,
            (None, Some(_), Some(_)) => Kind::MoreEnd,
            (None, None, Some(_)) => Kind::End,
            _ => return None,
        };
        Some(Patterns { kind, start, more, end, limit })
    }

    pub fn is_quick_on(&self, bytes: usize) -> bool {
        [&self.start, &self.more, &self.end].into_iter().flatten().all(|pattern| pattern.is_quick_on(bytes))
    }

    fn machine(&self) -> Machine<'_> {
        let same = matches!((&self.start, &self.end), (Some(start), Some(end)) if start.text == end.text);
        Machine {
            kind: self.kind,
            start: self.start.as_deref().map(Pattern::matcher),
            more: self.more.as_deref().map(Pattern::matcher),
            end: self.end.as_deref().map(Pattern::matcher),
            may_end_at_once: !same,
            limit: self.limit,
        }
    }

    pub(super) fn split(&self, sink: Sink) -> u64 {
        cut_records(sink, self.machine())
    }

    pub(super) fn end(&self, data: &[u8]) -> usize {
        if self.kind == Kind::Start { self.last_start(data) } else { whole_records(data, self.machine()) }
    }

    /// Backwards over the whole lines: one that is still being written may yet turn out to begin no record.
    fn last_start(&self, data: &[u8]) -> usize {
        let mut machine = self.machine();
        let last = memchr::memrchr(b'\n', data);
        let mut end = last;
        while let Some(newline) = end {
            end = memchr::memrchr(b'\n', &data[..newline]);
            let begin = end.map_or(0, |at| at + 1);
            if matches::<Narrow>(&mut machine.start, without_carriage(data, begin, newline)) {
                return begin;
            }
        }
        last.map_or(0, |at| at + 1)
    }

    pub(super) fn rest(&self, data: &[u8], state: State, begun: &[u8], last: bool) -> Option<usize> {
        let mut machine = self.machine();
        let mut next = 0;
        if state != OPEN {
            next = memchr::memchr(b'\n', data)? + 1;
            if !machine.goes_on_after(state, begun, &data[..next - 1]) {
                return Some(next);
            }
        }
        while next < data.len() {
            let begin = next;
            let newline = memchr::memchr(b'\n', &data[begin..]).map(|at| begin + at);
            if newline.is_none() && !last {
                return None;
            }
            let end = newline.unwrap_or(data.len());
            next = newline.map_or(end, |at| at + 1);
            match machine.step::<Narrow>(without_carriage(data, begin, end), true) {
                Step::Extends => {}
                Step::Begins | Step::Alone | Step::Unmatched | Step::Aborts => return Some(begin),
                Step::Ends => return Some(next),
            }
        }
        None
    }

    pub(super) fn state(&self, data: &[u8], state: State, begun: &[u8]) -> State {
        let mut machine = self.machine();
        let mut open = state == OPEN || state == MID_LINE;
        let mut next = 0;
        if state == OUTSIDE || state == MID_LINE {
            let Some(newline) = memchr::memchr(b'\n', data) else {
                return if machine.goes_on_after(state, begun, data) || open { MID_LINE } else { OUTSIDE };
            };
            open = machine.goes_on_after(state, begun, &data[..newline]);
            next = newline + 1;
        }
        while next < data.len() {
            let newline = memchr::memchr(b'\n', &data[next..]).map(|at| next + at);
            let step = machine.step::<Narrow>(without_carriage(data, next, newline.unwrap_or(data.len())), open);
            let Some(newline) = newline else {
                // The rest of this line is looked at once it is known where the line ends.
                return if matches!(step, Step::Unmatched | Step::Aborts) { OUTSIDE } else { MID_LINE };
            };
            open = matches!(step, Step::Begins | Step::Extends);
            next = newline + 1;
        }
        if open { OPEN } else { BETWEEN }
    }
}

struct Machine<'p> {
    kind: Kind,
    start: Option<Matcher<'p>>,
    more: Option<Matcher<'p>>,
    end: Option<Matcher<'p>>,
    /// Whether the line on which a record begins may be its last; not when both patterns are one.
    may_end_at_once: bool,
    limit: usize,
}

impl Machine<'_> {
    #[inline(always)]
    fn step<L: Lanes>(&mut self, line: Hay, open: bool) -> Step {
        if open { self.within::<L>(line) } else { self.between::<L>(line) }
    }

    /// A line behind the first of a record at work.
    #[inline(always)]
    fn within<L: Lanes>(&mut self, line: Hay) -> Step {
        match self.kind {
            Kind::Start if matches::<L>(&mut self.start, line) => Step::Begins,
            Kind::Start => Step::Extends,
            Kind::StartMore | Kind::MoreEnd if matches::<L>(&mut self.more, line) => Step::Extends,
            Kind::StartMore if matches::<L>(&mut self.start, line) => Step::Begins,
            Kind::StartMore => Step::Unmatched,
            Kind::StartEnd | Kind::MoreEnd | Kind::End if matches::<L>(&mut self.end, line) => Step::Ends,
            Kind::StartEnd | Kind::End => Step::Extends,
            Kind::MoreEnd => Step::Aborts,
        }
    }

    /// A line with which a record may begin.
    #[inline(always)]
    fn between<L: Lanes>(&mut self, line: Hay) -> Step {
        match self.kind {
            Kind::Start | Kind::StartMore | Kind::StartEnd if !matches::<L>(&mut self.start, line) => Step::Unmatched,
            Kind::StartEnd if self.may_end_at_once && matches::<L>(&mut self.end, line) => Step::Alone,
            Kind::Start | Kind::StartMore | Kind::StartEnd => Step::Begins,
            Kind::MoreEnd if matches::<L>(&mut self.more, line) => Step::Begins,
            Kind::MoreEnd | Kind::End if matches::<L>(&mut self.end, line) => Step::Alone,
            Kind::MoreEnd => Step::Unmatched,
            Kind::End => Step::Begins,
        }
    }

    /// Whether a record is at work behind a line of which `begun` came before: one that was open, or that begins with this line.
    fn goes_on_after(&mut self, state: State, begun: &[u8], rest: &[u8]) -> bool {
        let whole = [begun, rest].concat();
        let line = without_carriage(&whole, 0, whole.len());
        if state == MID_LINE { !matches::<Narrow>(&mut self.end, line) } else { matches!(self.between::<Narrow>(line), Step::Begins) }
    }
}

#[inline(always)]
fn matches<L: Lanes>(matcher: &mut Option<Matcher>, line: Hay) -> bool {
    matcher.as_mut().is_some_and(|matcher| matcher.prefix::<L>(line))
}

fn cut_records(sink: Sink, machine: Machine) -> u64 {
    with_lanes!(L => u64, (sink: Sink, machine: Machine), {
        let mut splitter = Splitter { data: sink.data, sink, machine, open: None, end: 0, next: 0 };
        newlines::<L>(splitter.data, |at| splitter.line::<L>(at, at + 1));
        if splitter.next < splitter.data.len() {
            splitter.line::<L>(splitter.data.len(), splitter.data.len());
        }
        splitter.close();
        splitter.sink.discarded
    })
}

struct Splitter<'a, 'p> {
    data: &'a [u8],
    sink: Sink<'a>,
    machine: Machine<'p>,
    /// Where the record at work begins.
    open: Option<usize>,
    /// Where the last line ended, and where the next begins.
    end: usize,
    next: usize,
}

impl Splitter<'_, '_> {
    #[inline(always)]
    fn line<L: Lanes>(&mut self, end: usize, next: usize) {
        let begin = self.next;
        match self.machine.step::<L>(without_carriage(self.data, begin, end), self.open.is_some()) {
            Step::Extends => {}
            Step::Begins => {
                self.close();
                self.open = Some(begin);
            }
            Step::Ends => self.sink.record(self.open.take().unwrap_or(begin), end, next),
            Step::Alone => self.sink.record(begin, end, next),
            Step::Unmatched => {
                self.close();
                self.sink.unmatched(begin, end, next);
            }
            Step::Aborts => self.abort(end, next),
        }
        (self.end, self.next) = (end, next);
    }

    #[inline(always)]
    fn close(&mut self) {
        if let Some(begin) = self.open.take() {
            self.sink.record(begin, self.end, self.next);
        }
    }

    /// The lines at work and the one that ends at `end` are no record: each is unmatched by itself. If they are too long already, as
    /// whoever reads on in steps cannot go back that far, they are one, and only the last is unmatched.
    #[inline(never)]
    fn abort(&mut self, end: usize, next: usize) {
        let begin = self.open.unwrap_or(self.next);
        if without_carriage(self.data, begin, self.end.max(begin)).bytes.len() > self.machine.limit {
            self.close();
            return self.sink.unmatched(self.next, end, next);
        }
        let mut begin = self.open.take().unwrap_or(self.next);
        while let Some(newline) = memchr::memchr(b'\n', &self.data[begin..end]).map(|at| begin + at) {
            self.sink.unmatched(begin, newline, newline + 1);
            begin = newline + 1;
        }
        self.sink.unmatched(begin, end, next);
    }
}

fn whole_records(data: &[u8], machine: Machine) -> usize {
    with_lanes!(L => usize, (data: &[u8], machine: Machine), {
        let mut machine = machine;
        let (mut open, mut whole, mut next) = (false, 0, 0);
        newlines::<L>(data, |at| {
            match machine.step::<L>(without_carriage(data, next, at), open) {
                Step::Extends => {}
                Step::Begins => (open, whole) = (true, next),
                Step::Ends | Step::Alone | Step::Unmatched | Step::Aborts => (open, whole) = (false, at + 1),
            }
            next = at + 1;
        });
        whole
    })
}
