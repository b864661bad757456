//! Joining neighbouring steps of a program: literal bytes to words, fixed sequences of ranges to shapes, captures around a run to fields.

use super::program::{SHAPE, Shape, Step, Word};
use crate::bytes::Stop;

/// Longest literal that is compared as one number.
const WORD: usize = 8;

/// With `loops` captures stay steps of their own: going back must undo them one by one.
pub fn fuse(steps: Vec<Step>, loops: bool) -> Vec<Step> {
    let targets = targets(&steps);
    let mut fused: Vec<Step> = Vec::with_capacity(steps.len());
    let mut moved = Vec::with_capacity(steps.len());
    let mut barrier = 0;
    for (at, step) in steps.into_iter().enumerate() {
        if targets[at] {
            barrier = fused.len();
        }
        moved.push(fused.len());
        fused.push(step);
        while join(&mut fused, barrier, loops) {}
    }
    for step in &mut fused {
        match step {
            Step::Jump(to) => *to = moved[*to],
            Step::Split { first, second, .. } => (*first, *second) = (moved[*first], moved[*second]),
            _ => {}
        }
    }
    number_stops(&mut fused);
    fused
}

fn number_stops(steps: &mut [Step]) {
    let mut known: Vec<Stop> = Vec::new();
    for step in steps {
        if let Step::Field { stop, kind, .. } | Step::Signed { stop, kind, .. } = step {
            let at = known.iter().position(|k| k == stop).unwrap_or(known.len());
            if at == known.len() {
                known.push(stop.clone());
            }
            *kind = at as u32;
        }
    }
}

/// Which steps are jumped to, and therefore must stay separate from the one before.
fn targets(steps: &[Step]) -> Vec<bool> {
    let mut targets = vec![false; steps.len()];
    for step in steps {
        match step {
            Step::Jump(to) => targets[*to] = true,
            Step::Split { first, second, .. } => (targets[*first], targets[*second]) = (true, true),
            _ => {}
        }
    }
    targets
}

/// Joins the last steps behind `barrier`, if they go together.
fn join(steps: &mut Vec<Step>, barrier: usize, loops: bool) -> bool {
    let last = &steps[barrier..];
    let joined = match last {
        [.., Step::Save(begin), Step::Run { stop, min }, Step::Save(end)] if !loops && begin + 1 == *end => {
            Some((3, Step::Field { stop: stop.clone(), kind: 0, min: *min, slot: *begin, then: Word::NONE }))
        }
        [.., Step::Save(begin), Step::Maybe(sign), Step::Run { stop, min }, Step::Save(end)]
            if !loops && sign.len() == 1 && begin + 1 == *end =>
        {
            let sign = sign.iter().next().unwrap_or_default();
            Some((4, Step::Signed { sign, stop: stop.clone(), kind: 0, min: *min, slot: *begin, then: Word::NONE }))
        }
        [.., Step::Signed { sign, stop, min, slot, then, .. }, Step::Word(word)] => {
            let signed = |then| Step::Signed { sign: *sign, stop: stop.clone(), kind: 0, min: *min, slot: *slot, then };
            words(then, word).map(|then| (2, signed(then)))
        }
        [.., Step::Field { stop, min, slot, then, .. }, Step::Word(word)] => {
            let field = |then| Step::Field { stop: stop.clone(), kind: 0, min: *min, slot: *slot, then };
            words(then, word).map(|then| (2, field(then)))
        }
        [.., Step::Word(a), Step::Word(b)] => words(a, b).map(|word| (2, Step::Word(word))),
        [.., a, b] => shapes(a, b).map(|step| (2, step)),
        _ => None,
    };
    let Some((count, step)) = joined else { return false };
    steps.truncate(steps.len() - count);
    steps.push(step);
    true
}

fn words(a: &Word, b: &Word) -> Option<Word> {
    let shift = 8 * a.len as u32;
    (a.len + b.len <= WORD).then(|| Word { value: a.value | b.value << shift, mask: a.mask | b.mask << shift, len: a.len + b.len })
}

/// Words alone are cheaper than a shape of them.
fn shapes(a: &Step, b: &Step) -> Option<Step> {
    let ranges = ranges(a)?.into_iter().chain(ranges(b)?).collect::<Vec<_>>();
    if ranges.len() > SHAPE {
        return None;
    }
    let mut shape = Shape { low: [0; SHAPE], high: [255; SHAPE], len: ranges.len() };
    for (at, (low, high)) in ranges.into_iter().enumerate() {
        (shape.low[at], shape.high[at]) = (low, high);
    }
    Some(Step::Shape(Box::new(shape)))
}

/// The range at each place of a step of fixed length, if they are single ranges.
fn ranges(step: &Step) -> Option<Vec<(u8, u8)>> {
    match step {
        Step::Word(word) => Some(word.value.to_le_bytes()[..word.len].iter().map(|b| (*b, *b)).collect()),
        Step::Set(set) => one_range(&set.ranges()).map(|range| vec![range]),
        Step::Sets { set, count } if *count as usize <= SHAPE => one_range(&set.ranges()).map(|range| vec![range; *count as usize]),
        Step::Shape(shape) => Some((0..shape.len).map(|at| (shape.low[at], shape.high[at])).collect()),
        _ => None,
    }
}

fn one_range(ranges: &[(u8, u8)]) -> Option<(u8, u8)> {
    if let [range] = ranges { Some(*range) } else { None }
}
