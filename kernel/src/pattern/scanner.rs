//! Runs a [`Program`]: leftmost-first like any backtracking matcher, but runs of bytes are found by wide search, choices that
//! the next byte decides leave nothing to come back to, and the work is bounded; beyond the bound the linear engine decides.

use super::program::{Next, Program, Step};
use crate::batch::span::Hay;
use crate::bytes::{ByteSet, Lanes, Reach};

/// A place that a group never reached.
pub const UNSET: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Match,
    NoMatch,
    /// Too much work: ask the linear engine.
    Unknown,
}

/// Something to come back to.
enum Frame {
    /// Try the step with the cursor there.
    Other { step: u32, at: u32 },
    /// A greedy run may give back bytes: it ended at `at`, and may end as early as `least`.
    Shorter { step: u32, at: u32, least: u32 },
    /// A lazy run that ended at `at` may go on, up to `most`.
    Longer { step: u32, at: u32, most: u32 },
    /// A slot's former value.
    Slot { slot: u32, was: u32 },
}

/// Working memory of one thread.
#[derive(Default)]
pub struct Scanner {
    /// Begin and end of each group; 0 and 1 are unused.
    pub slots: Vec<u32>,
    frames: Vec<Frame>,
}

impl Scanner {
    /// `slots` is twice the number of groups with group 0.
    #[inline(always)]
    pub fn run<L: Lanes>(&mut self, program: &Program, hay: Hay, slots: usize) -> Verdict {
        let bytes = hay.bytes;
        if !program.first.allows(bytes.first().copied()) {
            return Verdict::NoMatch;
        }
        self.slots.clear();
        self.slots.resize(slots, UNSET);
        self.frames.clear();
        let mut work =
            Work { base: bytes.as_ptr(), len: bytes.len(), reach: Reach::of(bytes, hay.slack), left: 1024 + 32 * bytes.len() as i64 };
        // SAFETY: `wide()` chose the lanes; cursors stay within the value.
        unsafe { self.steps::<L>(program, &mut work) }
    }

    #[inline(always)]
    unsafe fn steps<L: Lanes>(&mut self, program: &Program, work: &mut Work) -> Verdict {
        let (mut pc, mut at) = (0, 0);
        loop {
            // SAFETY: at ≤ len at every turn.
            let next = unsafe { self.step::<L>(&program.steps, work, pc, at) };
            match next {
                Turn::Go { step, to } => (pc, at) = (step, to),
                Turn::Done => return Verdict::Match,
                Turn::Back => {
                    if self.frames.is_empty() {
                        return Verdict::NoMatch;
                    }
                    // SAFETY: as above.
                    match unsafe { self.back::<L>(&program.steps, work) } {
                        Some((step, to)) => (pc, at) = (step, to),
                        None if work.left <= 0 => return Verdict::Unknown,
                        None => return Verdict::NoMatch,
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn step<L: Lanes>(&mut self, steps: &[Step], work: &mut Work, pc: usize, at: usize) -> Turn {
        let go = |to: usize| Turn::Go { step: pc + 1, to };
        // SAFETY (all): `at ≤ len`, and every read is checked against `len` or made by `Reach`.
        unsafe {
            match &steps[pc] {
                Step::Field { stop, min, slot } => {
                    let end = work.offset(work.reach.stop::<L>(work.base.add(at), stop));
                    work.spend(end - at);
                    if end - at < *min as usize {
                        return Turn::Back;
                    }
                    self.save(*slot, at);
                    self.save(*slot + 1, end);
                    go(end)
                }
                Step::Byte(byte) if at < work.len && *work.base.add(at) == *byte => go(at + 1),
                Step::Bytes(bytes) if work.starts_with(at, bytes) => go(at + bytes.len()),
                Step::Set(set) if at < work.len && set.has(*work.base.add(at)) => go(at + 1),
                Step::Byte(_) | Step::Bytes(_) | Step::Set(_) => Turn::Back,
                Step::Sets { set, count } => {
                    let count = *count as usize;
                    if work.len - at >= count && (0..count).all(|i| set.has(*work.base.add(at + i))) { go(at + count) } else { Turn::Back }
                }
                Step::Run { stop, min } => {
                    let end = work.offset(work.reach.stop::<L>(work.base.add(at), stop));
                    work.spend(end - at);
                    if end - at < *min as usize { Turn::Back } else { go(end) }
                }
                Step::Bounded { stop, min, max } => {
                    let end = work.offset(work.reach.stop::<L>(work.base.add(at), stop)).min(at + *max as usize);
                    work.spend(end - at);
                    if end - at < *min as usize { Turn::Back } else { go(end) }
                }
                Step::Greedy { stop, min, max, next } => {
                    let end = work.offset(work.reach.stop::<L>(work.base.add(at), stop)).min(at.saturating_add(*max as usize));
                    work.spend(end - at);
                    let least = at + *min as usize;
                    if end < least { Turn::Back } else { self.shorten(work, pc, end, least, next) }
                }
                Step::Lazy { body, stop, min, max, next } => {
                    let (least, most) = (at + *min as usize, work.len.min(at.saturating_add(*max as usize)));
                    if least > most || !(at..least).all(|i| body.has(*work.base.add(i))) {
                        return Turn::Back;
                    }
                    let end = work.offset(work.reach.stop::<L>(work.base.add(least), stop));
                    self.lengthen(work, pc, end, most, body, next)
                }
                Step::Save(slot) => {
                    self.save(*slot, at);
                    go(at)
                }
                Step::Split { first, second, can } => {
                    let byte = (at < work.len).then(|| *work.base.add(at));
                    match (can.0.allows(byte), can.1.allows(byte)) {
                        (true, true) => {
                            self.frames.push(Frame::Other { step: *second as u32, at: at as u32 });
                            Turn::Go { step: *first, to: at }
                        }
                        (true, false) => Turn::Go { step: *first, to: at },
                        (false, true) => Turn::Go { step: *second, to: at },
                        (false, false) => Turn::Back,
                    }
                }
                Step::Jump(to) => {
                    work.spend(8);
                    Turn::Go { step: *to, to: at }
                }
                Step::Start if at == 0 => go(at),
                Step::End if at == work.len => go(at),
                Step::Start | Step::End => Turn::Back,
                Step::Edge { negated } => {
                    if work.edge(at) == *negated {
                        Turn::Back
                    } else {
                        go(at)
                    }
                }
                Step::Done => Turn::Done,
            }
        }
    }

    #[inline(always)]
    fn save(&mut self, slot: u32, at: usize) {
        if !self.frames.is_empty() {
            self.frames.push(Frame::Slot { slot, was: self.slots[slot as usize] });
        }
        self.slots[slot as usize] = at as u32;
    }

    /// Ends a greedy run at the last place in `[least, end]` that `next` can follow.
    #[inline]
    fn shorten(&mut self, work: &mut Work, pc: usize, end: usize, least: usize, next: &Next) -> Turn {
        let Some(at) = work.last_before(end, least, next) else { return Turn::Back };
        if at > least {
            self.frames.push(Frame::Shorter { step: pc as u32, at: at as u32, least: least as u32 });
        }
        Turn::Go { step: pc + 1, to: at }
    }

    /// Ends a lazy run at `end`, the first place where it must end or `next` may follow.
    #[inline]
    fn lengthen(&mut self, work: &mut Work, pc: usize, end: usize, most: usize, body: &ByteSet, next: &Next) -> Turn {
        work.spend(16);
        let byte = (end < work.len).then(|| work.at(end));
        if end > most || !next.allows(byte) {
            return Turn::Back;
        }
        if end < most && byte.is_some_and(|b| body.has(b)) {
            self.frames.push(Frame::Longer { step: pc as u32, at: end as u32, most: most as u32 });
        }
        Turn::Go { step: pc + 1, to: end }
    }

    #[inline(never)]
    unsafe fn back<L: Lanes>(&mut self, steps: &[Step], work: &mut Work) -> Option<(usize, usize)> {
        while let Some(frame) = self.frames.pop() {
            work.spend(16);
            if work.left <= 0 {
                return None;
            }
            let turn = match frame {
                Frame::Slot { slot, was } => {
                    self.slots[slot as usize] = was;
                    continue;
                }
                Frame::Other { step, at } => Turn::Go { step: step as usize, to: at as usize },
                Frame::Shorter { step, at, least } => match &steps[step as usize] {
                    Step::Greedy { next, .. } => self.shorten(work, step as usize, at as usize - 1, least as usize, next),
                    _ => Turn::Back,
                },
                Frame::Longer { step, at, most } => match &steps[step as usize] {
                    Step::Lazy { body, stop, next, .. } => {
                        // SAFETY: at < most ≤ len.
                        let end = work.offset(unsafe { work.reach.stop::<L>(work.base.add(at as usize + 1), stop) });
                        work.spend(end - at as usize);
                        self.lengthen(work, step as usize, end, most as usize, body, next)
                    }
                    _ => Turn::Back,
                },
            };
            if let Turn::Go { step, to } = turn {
                return Some((step, to));
            }
        }
        None
    }
}

enum Turn {
    Go { step: usize, to: usize },
    Back,
    Done,
}

/// The value at hand.
struct Work {
    base: *const u8,
    len: usize,
    reach: Reach,
    /// What may still be spent on second thoughts.
    left: i64,
}

impl Work {
    #[inline(always)]
    fn offset(&self, at: *const u8) -> usize {
        at as usize - self.base as usize
    }

    #[inline(always)]
    fn at(&self, at: usize) -> u8 {
        debug_assert!(at < self.len);
        // SAFETY: callers have compared with `len`.
        unsafe { *self.base.add(at) }
    }

    #[inline(always)]
    fn spend(&mut self, work: usize) {
        self.left -= work as i64;
    }

    #[inline(always)]
    fn starts_with(&self, at: usize, bytes: &[u8]) -> bool {
        // Literals are short: a loop beats a call.
        self.len - at >= bytes.len() && bytes.iter().enumerate().all(|(i, b)| self.at(at + i) == *b)
    }

    fn edge(&self, at: usize) -> bool {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        (at > 0 && word(self.at(at - 1))) != (at < self.len && word(self.at(at)))
    }

    /// The last place in `[least, end]` that `next` can follow.
    fn last_before(&mut self, end: usize, least: usize, next: &Next) -> Option<usize> {
        if end == self.len && next.end {
            return Some(end);
        }
        // SAFETY: the value is `len` bytes at `base`.
        let bytes = unsafe { std::slice::from_raw_parts(self.base, self.len) };
        let upto = self.len.min(end + 1);
        let window = bytes.get(least..upto)?;
        let found = match next.bytes.len() {
            1 => memchr::memrchr(next.bytes.iter().next()?, window),
            _ => window.iter().rposition(|b| next.bytes.has(*b)),
        };
        self.spend(window.len() - found.unwrap_or(0));
        found.map(|i| least + i)
    }
}
