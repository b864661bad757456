//! Runs a [`Program`]: leftmost-first like any backtracking matcher, but runs of bytes are found by wide search, choices that
//! the next byte decides leave nothing to come back to, and the work is bounded; beyond the bound the linear engine decides.

use super::program::{Next, Program, SHAPE, Shape, Step, Word};
use crate::batch::span::Hay;
use crate::bytes::{ByteSet, Lanes, Reach, Stop};

/// A place that a group never reached.
pub const UNSET: u32 = u32::MAX;
/// Where a step ends that does not match.
const NOWHERE: usize = usize::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Match,
    NoMatch,
    /// Too much work: ask the linear engine.
    Unknown,
}

/// Something to come back to.
enum Frame {
    /// The second way of a split.
    Other { step: u32, at: u32 },
    /// A greedy run may give back bytes: it ended at `at`, and may end as early as `least`.
    Shorter { step: u32, at: u32, least: u32 },
    /// A lazy run that ended at `at` may go on, up to `most`.
    Longer { step: u32, at: u32, most: u32 },
    /// A slot's former value; only in programs with loops.
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
        if !program.total || self.slots.len() != slots {
            self.slots.clear();
            self.slots.resize(slots, UNSET);
        }
        self.frames.clear();
        let value = Value { base: bytes.as_ptr(), len: bytes.len(), reach: Reach::of(bytes, hay.slack) };
        let mut left = 1024 + 32 * bytes.len() as i64;
        let mut window = Window { kind: u32::MAX, base: 0, mask: 0 };
        let (mut pc, mut at) = (0, 0);
        loop {
            let step = &program.steps[pc];
            // SAFETY: `wide()` chose the lanes, and `at ≤ len` at every turn.
            let next = match step {
                Step::Done => return Verdict::Match,
                Step::Jump(to) => {
                    pc = *to;
                    continue;
                }
                Step::Split { first, second, can } => match self.choose(value, pc, at, can) {
                    (true, _) => {
                        pc = *first;
                        continue;
                    }
                    (false, true) => {
                        pc = *second;
                        continue;
                    }
                    (false, false) => NOWHERE,
                },
                _ => unsafe { self.step::<L>(program, value, &mut window, pc, at, &mut left) },
            };
            if next != NOWHERE {
                (pc, at) = (pc + 1, next);
                continue;
            }
            if self.frames.is_empty() {
                return Verdict::NoMatch;
            }
            // SAFETY: as above.
            (pc, at) = match unsafe { self.back::<L>(program, value, at, &mut left) } {
                Ok(place) => place,
                Err(verdict) => return verdict,
            };
        }
    }

    /// Where a step ends that goes on with the next one. What could be walked in vain is taken off `left`.
    #[inline(always)]
    unsafe fn step<L: Lanes>(
        &mut self,
        program: &Program,
        value: Value,
        window: &mut Window,
        pc: usize,
        at: usize,
        left: &mut i64,
    ) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            match &program.steps[pc] {
                Step::Field { stop, kind, min, slot, then } => {
                    let end = value.stop_in::<L>(window, at, stop, *kind);
                    self.save_both(*slot, at, end);
                    if end - at < *min as usize { NOWHERE } else { value.word(end, then) }
                }
                Step::Signed { sign, stop, kind, min, slot, then } => {
                    let from = at + usize::from(at < value.len && value.at(at) == *sign);
                    let end = value.stop_in::<L>(window, from, stop, *kind);
                    self.save_both(*slot, at, end);
                    if end - from < *min as usize { NOWHERE } else { value.word(end, then) }
                }
                Step::Word(word) => value.word(at, word),
                Step::Maybe(set) => at + usize::from(at < value.len && set.has(value.at(at))),
                Step::Set(set) => {
                    if at < value.len && set.has(value.at(at)) {
                        at + 1
                    } else {
                        NOWHERE
                    }
                }
                Step::Sets { set, count } => value.sets::<L>(at, set, *count as usize),
                Step::Shape(shape) => value.shape::<L>(at, shape),
                Step::Run { stop, min } => {
                    let end = value.stop::<L>(at, stop);
                    if end - at < *min as usize { NOWHERE } else { end }
                }
                Step::Bounded { stop, min, max } => {
                    let end = value.stop::<L>(at, stop).min(at + *max as usize);
                    if end - at < *min as usize { NOWHERE } else { end }
                }
                Step::Greedy { stop, min, max, next } => {
                    let end = value.stop::<L>(at, stop).min(at.saturating_add(*max as usize));
                    *left -= (end - at) as i64;
                    self.shorten(value, pc, end, at + *min as usize, next)
                }
                Step::Lazy { body, stop, min, max, next } => {
                    let (least, most) = (at + *min as usize, value.len.min(at.saturating_add(*max as usize)));
                    if least > most || !(at..least).all(|i| body.has(value.at(i))) {
                        return NOWHERE;
                    }
                    let end = value.stop::<L>(least, stop);
                    *left -= (end - at) as i64;
                    self.lengthen(value, pc, end, most, body, next)
                }
                Step::Save(slot) => {
                    self.save(program, *slot, at);
                    at
                }
                Step::Start => {
                    if at == 0 {
                        at
                    } else {
                        NOWHERE
                    }
                }
                Step::End => {
                    if at == value.len {
                        at
                    } else {
                        NOWHERE
                    }
                }
                Step::Edge { negated } => {
                    if value.edge(at) == *negated {
                        NOWHERE
                    } else {
                        at
                    }
                }
                Step::Split { .. } | Step::Jump(_) | Step::Done => NOWHERE,
            }
        }
    }

    #[inline(always)]
    fn save(&mut self, program: &Program, slot: u32, at: usize) {
        debug_assert!((slot as usize) < self.slots.len());
        // SAFETY: the compiler numbers slots by the pattern's groups, and there are as many.
        let place = unsafe { self.slots.get_unchecked_mut(slot as usize) };
        if program.loops && !self.frames.is_empty() {
            self.frames.push(Frame::Slot { slot, was: *place });
        }
        *place = at as u32;
    }

    /// The slots of a field; only programs without loops have fields.
    #[inline(always)]
    fn save_both(&mut self, slot: u32, begin: usize, end: usize) {
        debug_assert!((slot as usize) + 1 < self.slots.len());
        // SAFETY: as in `save`.
        unsafe {
            *self.slots.get_unchecked_mut(slot as usize) = begin as u32;
            *self.slots.get_unchecked_mut(slot as usize + 1) = end as u32;
        }
    }

    /// Which ways of a split the next byte leaves; the second is noted when there is a first.
    #[inline(always)]
    fn choose(&mut self, value: Value, pc: usize, at: usize, can: &(Next, Next)) -> (bool, bool) {
        let byte = (at < value.len).then(|| value.at(at));
        let ways = (can.0.allows(byte), can.1.allows(byte));
        if ways == (true, true) {
            self.frames.push(Frame::Other { step: pc as u32, at: at as u32 });
        }
        ways
    }

    /// Ends a greedy run at the last place in `[least, end]` that `next` can follow.
    #[inline]
    fn shorten(&mut self, value: Value, pc: usize, end: usize, least: usize, next: &Next) -> usize {
        let Some(at) = value.last_before(end, least, next) else { return NOWHERE };
        if at > least {
            self.frames.push(Frame::Shorter { step: pc as u32, at: at as u32, least: least as u32 });
        }
        at
    }

    /// Ends a lazy run at `end`, the first place where it must end or `next` may follow.
    #[inline]
    fn lengthen(&mut self, value: Value, pc: usize, end: usize, most: usize, body: &ByteSet, next: &Next) -> usize {
        let byte = (end < value.len).then(|| value.at(end));
        if end > most || !next.allows(byte) {
            return NOWHERE;
        }
        if end < most && byte.is_some_and(|b| body.has(b)) {
            self.frames.push(Frame::Longer { step: pc as u32, at: end as u32, most: most as u32 });
        }
        end
    }

    /// Goes back to the last choice that was left open; `failed` is where the present way ended. What was walked since, and what
    /// is searched here, is taken off `left`.
    #[inline(never)]
    unsafe fn back<L: Lanes>(&mut self, program: &Program, value: Value, failed: usize, left: &mut i64) -> Result<(usize, usize), Verdict> {
        while let Some(frame) = self.frames.pop() {
            let (step, from) = match frame {
                Frame::Slot { slot, was } => {
                    self.slots[slot as usize] = was;
                    continue;
                }
                Frame::Other { step, at } | Frame::Shorter { step, at, .. } | Frame::Longer { step, at, .. } => {
                    (step as usize, at as usize)
                }
            };
            *left -= 16 + failed.saturating_sub(from) as i64;
            if *left <= 0 {
                return Err(Verdict::Unknown);
            }
            if !program.loops {
                self.forget(program, step);
            }
            let (pc, at) = match (frame, &program.steps[step]) {
                (Frame::Shorter { least, .. }, Step::Greedy { next, .. }) => {
                    let at = self.shorten(value, step, from - 1, least as usize, next);
                    *left -= (from - if at == NOWHERE { least as usize } else { at }) as i64;
                    (step + 1, at)
                }
                (Frame::Longer { most, .. }, Step::Lazy { body, stop, next, .. }) => {
                    // SAFETY: from < most ≤ len.
                    let end = unsafe { value.stop::<L>(from + 1, stop) };
                    *left -= (end - from) as i64;
                    (step + 1, self.lengthen(value, step, end, most as usize, body, next))
                }
                (_, Step::Split { second, .. }) => (*second, from),
                _ => (step, NOWHERE),
            };
            if at != NOWHERE {
                return Ok((pc, at));
            }
        }
        Err(Verdict::NoMatch)
    }

    /// Without loops every slot is set by one step: those behind `step` are not set yet.
    fn forget(&mut self, program: &Program, step: usize) {
        for (_, slot) in program.saves.iter().rev().take_while(|(at, _)| *at >= step) {
            self.slots[*slot] = UNSET;
        }
    }
}

/// What the last wide look at the value found: one bit per byte from `base` on where a stop of that kind is. Fields that end in
/// the same way and follow each other closely are found without looking again.
struct Window {
    kind: u32,
    base: usize,
    mask: u64,
}

/// The value at hand.
#[derive(Clone, Copy)]
struct Value {
    base: *const u8,
    len: usize,
    reach: Reach,
}

impl Value {
    #[inline(always)]
    fn at(self, at: usize) -> u8 {
        debug_assert!(at < self.len);
        // SAFETY: callers have compared with `len`.
        unsafe { *self.base.add(at) }
    }

    /// Where a run from `at` ends. Safety: `at ≤ len`, lanes as chosen.
    #[inline(always)]
    unsafe fn stop<L: Lanes>(self, at: usize, stop: &Stop) -> usize {
        // SAFETY: passed on.
        unsafe { self.reach.stop::<L>(self.base.add(at), stop) as usize - self.base as usize }
    }

    /// As `stop`, looking into the window first and leaving there what was seen.
    #[inline(always)]
    unsafe fn stop_in<L: Lanes>(self, window: &mut Window, at: usize, stop: &Stop, kind: u32) -> usize {
        let passed = at.wrapping_sub(window.base);
        if window.kind == kind && passed < L::WIDTH {
            let mask = window.mask >> passed;
            if mask != 0 {
                return self.len.min(at + mask.trailing_zeros() as usize);
            }
        }
        if L::WIDTH == 0 || self.readable(at) < L::WIDTH {
            // SAFETY: passed on.
            return unsafe { self.stop::<L>(at, stop) };
        }
        // SAFETY: a full width is readable.
        let mask = unsafe {
            match stop {
                Stop::Never => return self.len,
                Stop::Byte(byte) => L::equal(self.base.add(at), *byte),
                Stop::Set(set) => L::member(self.base.add(at), set),
            }
        };
        *window = Window { kind, base: at, mask };
        if mask != 0 {
            return self.len.min(at + mask.trailing_zeros() as usize);
        }
        if at + L::WIDTH >= self.len {
            return self.len;
        }
        // SAFETY: passed on; the place is within the value.
        unsafe { self.stop::<L>(at + L::WIDTH, stop) }
    }

    /// Bytes that may be read from `at` on, those behind the value included.
    #[inline(always)]
    fn readable(self, at: usize) -> usize {
        self.reach.limit as usize - self.base as usize - at
    }

    #[inline(always)]
    fn word(self, at: usize, word: &Word) -> usize {
        if self.len - at < word.len {
            return NOWHERE;
        }
        let found = if self.readable(at) >= 8 {
            // SAFETY: eight bytes are readable.
            u64::from_le(unsafe { self.base.add(at).cast::<u64>().read_unaligned() }) & word.mask
        } else {
            (0..word.len).fold(0, |found, i| found | u64::from(self.at(at + i)) << (8 * i))
        };
        if found == word.value { at + word.len } else { NOWHERE }
    }

    /// Safety: lanes as chosen.
    #[inline(always)]
    unsafe fn sets<L: Lanes>(self, at: usize, set: &ByteSet, count: usize) -> usize {
        if self.len - at < count {
            return NOWHERE;
        }
        let all = if count <= L::WIDTH && self.readable(at) >= L::WIDTH {
            let wanted = u64::MAX >> (64 - count);
            // SAFETY: a full width is readable.
            unsafe { L::member(self.base.add(at), set) & wanted == wanted }
        } else {
            (at..at + count).all(|i| set.has(self.at(i)))
        };
        if all { at + count } else { NOWHERE }
    }

    /// Safety: lanes as chosen.
    #[inline(always)]
    unsafe fn shape<L: Lanes>(self, at: usize, shape: &Shape) -> usize {
        if self.len - at < shape.len {
            return NOWHERE;
        }
        let fits = if L::WIDTH == SHAPE && self.readable(at) >= SHAPE {
            // SAFETY: a full width is readable.
            unsafe { L::between(self.base.add(at), &shape.low, &shape.high) }
        } else {
            (0..shape.len).all(|i| (shape.low[i]..=shape.high[i]).contains(&self.at(at + i)))
        };
        if fits { at + shape.len } else { NOWHERE }
    }

    fn edge(self, at: usize) -> bool {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        (at > 0 && word(self.at(at - 1))) != (at < self.len && word(self.at(at)))
    }

    /// The last place in `[least, end]` that `next` can follow.
    #[inline]
    fn last_before(self, end: usize, least: usize, next: &Next) -> Option<usize> {
        if end == self.len && next.end {
            return (end >= least).then_some(end);
        }
        // SAFETY: the value is `len` bytes at `base`.
        let bytes = unsafe { std::slice::from_raw_parts(self.base, self.len) };
        let window = bytes.get(least..self.len.min(end + 1))?;
        let found = match next.only {
            Some(byte) => memchr::memrchr(byte, window),
            None => window.iter().rposition(|b| next.bytes.has(*b)),
        };
        found.map(|i| least + i)
    }
}
