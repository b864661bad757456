//! The scanner's program: a pattern's tree as a short list of steps over bytes, with every choice that the next byte can
//! decide marked as decided.

use std::ops::Range;

use super::fuse;
use super::tree::{Greed, Node};
use crate::bytes::{ByteSet, Stop};

/// More steps than this: the linear engine is the better choice.
const MAX_STEPS: usize = 2000;

/// What a match may go on with: a byte of the set, or the end of the value. It may say too much, never too little.
#[derive(Clone)]
pub struct Next {
    pub bytes: ByteSet,
    pub end: bool,
    /// The byte, when there is only one.
    pub only: Option<u8>,
}

impl Next {
    fn new(bytes: ByteSet, end: bool) -> Next {
        let only = if bytes.len() == 1 { bytes.iter().next() } else { None };
        Next { bytes, end, only }
    }

    fn or(&self, other: &Next) -> Next {
        Next::new(self.bytes.or(&other.bytes), self.end || other.end)
    }

    #[inline(always)]
    pub fn allows(&self, byte: Option<u8>) -> bool {
        byte.map_or(self.end, |b| self.bytes.has(b))
    }
}

/// Up to eight literal bytes, compared as one number. With `len` 0 it is always there.
#[derive(Clone, Copy)]
pub struct Word {
    pub value: u64,
    pub mask: u64,
    pub len: usize,
}

impl Word {
    pub const NONE: Word = Word { value: 0, mask: 0, len: 0 };
}

#[repr(u8)]
pub enum Step {
    Word(Word),
    Set(Box<ByteSet>),
    /// A byte each out of a row of ranges, such as the digits and marks of a time.
    Shape(Box<Shape>),
    /// `count` bytes of a set.
    Sets {
        set: Box<ByteSet>,
        count: u32,
    },
    /// As many bytes as there are before `stop`: giving some back could never help.
    Run {
        stop: Stop,
        min: u32,
    },
    /// The same as a capture, with a literal behind it: begins at `slot`, ends at `slot + 1`. Equal stops have the same `kind`.
    Field {
        stop: Stop,
        kind: u32,
        min: u32,
        slot: u32,
        then: Word,
    },
    /// As `Field`, with a byte of a sign before the run that may be missing.
    Signed {
        sign: u8,
        stop: Stop,
        kind: u32,
        min: u32,
        slot: u32,
        then: Word,
    },
    /// One byte of a set, if it is there.
    Maybe(Box<ByteSet>),
    /// As `Run`, but at most `max`.
    Bounded {
        stop: Stop,
        min: u32,
        max: u32,
    },
    /// Longest first, then shorter ones that `next` could follow.
    Greedy {
        stop: Stop,
        min: u32,
        max: u32,
        next: Box<Next>,
    },
    /// Shortest first: `stop` is what ends the run or may follow it.
    Lazy {
        body: Box<ByteSet>,
        stop: Stop,
        min: u32,
        max: u32,
        next: Box<Next>,
    },
    Save(u32),
    /// Goes to `first` or `second`, whichever can follow; when both can, `first` is tried first.
    Split {
        first: usize,
        second: usize,
        can: Box<(Next, Next)>,
    },
    Jump(usize),
    Start,
    End,
    Edge {
        negated: bool,
    },
    Done,
}

/// The lowest and the highest byte at each of `len` places; beyond it every byte is in range.
pub struct Shape {
    pub low: [u8; SHAPE],
    pub high: [u8; SHAPE],
    pub len: usize,
}

/// Longest shape: what is compared at once.
pub const SHAPE: usize = 32;

pub struct Program {
    pub steps: Vec<Step>,
    /// Every step that sets a slot, in order.
    pub saves: Vec<(usize, usize)>,
    /// Whether a step can be reached twice: then slots must be remembered one by one to go back.
    pub loops: bool,
    /// Whether a match sets every slot.
    pub total: bool,
    /// What a match can begin with.
    pub first: Next,
}

impl Program {
    /// The whole of a value (`full`), or a prefix of it. None: not a shape for the scanner.
    pub fn compile(root: &Node, full: bool) -> Option<Program> {
        let root = if full { root.clone() } else { without_tail(root) };
        let after = if full { Next::new(ByteSet::NONE, true) } else { anything() };
        let mut compiler = Compiler { steps: Vec::new() };
        let first = compiler.node(&root, &after)?;
        if full {
            compiler.steps.push(Step::End);
        }
        compiler.steps.push(Step::Done);
        let loops = compiler.steps.iter().enumerate().any(|(at, step)| matches!(step, Step::Jump(to) if *to <= at));
        let steps = fuse::fuse(compiler.steps, loops);
        let saves = steps.iter().enumerate().flat_map(|(at, step)| saved(step).map(move |slot| (at, slot))).collect();
        let total = !steps.iter().any(|step| matches!(step, Step::Split { .. }));
        Some(Program { steps, saves, loops, total, first })
    }
}

fn anything() -> Next {
    Next::new(ByteSet::all(), true)
}

/// Whether a prefix matches does not depend on a tail that may be empty: `\d+ .*` begins like `\d `.
fn without_tail(root: &Node) -> Node {
    match root {
        Node::Concat(nodes) => {
            let Some((last, rest)) = nodes.split_last() else { return Node::Empty };
            match without_tail(last) {
                Node::Empty => without_tail(&Node::concat(rest.to_vec())),
                shorter => Node::Concat(rest.iter().cloned().chain([shorter]).collect()),
            }
        }
        Node::Repeat { min: 0, .. } => Node::Empty,
        Node::Repeat { body, min, .. } if matches!(**body, Node::Set(_)) => {
            Node::Repeat { body: body.clone(), min: *min, max: Some(*min), how: Greed::Greedy }
        }
        Node::Group { body, .. } => without_tail(body),
        other => other.clone(),
    }
}

struct Compiler {
    steps: Vec<Step>,
}

impl Compiler {
    /// Appends the steps of `node`; `after` is what may follow them. Returns what the node, with what follows, may begin with.
    fn node(&mut self, node: &Node, after: &Next) -> Option<Next> {
        if self.steps.len() > MAX_STEPS {
            return None;
        }
        match node {
            Node::Empty => {}
            Node::Set(set) => self.steps.push(match set.len() {
                1 => Step::Word(Word { value: u64::from(set.iter().next()?), mask: 0xff, len: 1 }),
                _ => Step::Set(Box::new(set.clone())),
            }),
            Node::Start => self.steps.push(Step::Start),
            Node::End => self.steps.push(Step::End),
            Node::Edge { negated } => self.steps.push(Step::Edge { negated: *negated }),
            Node::Concat(nodes) => self.concat(nodes, after)?,
            Node::Either(branches) => self.either(branches, after)?,
            Node::Group { index, body } => {
                self.steps.push(Step::Save(2 * *index as u32));
                self.node(body, after)?;
                self.steps.push(Step::Save(2 * *index as u32 + 1));
            }
            Node::Repeat { body, min, max, how } => self.repeat(body, *min, *max, *how, after)?,
            Node::Look { .. } | Node::Back { .. } | Node::Atomic(_) => return None,
        }
        Some(first(node, after))
    }

    fn concat(&mut self, nodes: &[Node], after: &Next) -> Option<()> {
        let mut follows = vec![after.clone()];
        for node in nodes.iter().skip(1).rev() {
            follows.push(first(node, &follows[follows.len() - 1]));
        }
        for node in nodes {
            self.node(node, &follows.pop()?)?;
        }
        Some(())
    }

    fn either(&mut self, branches: &[Node], after: &Next) -> Option<()> {
        let mut jumps = Vec::new();
        for (i, branch) in branches.iter().enumerate() {
            let rest = &branches[i + 1..];
            if rest.is_empty() {
                self.node(branch, after)?;
                break;
            }
            let others = rest.iter().map(|b| first(b, after)).reduce(|a, b| a.or(&b))?;
            let split = self.split(first(branch, after), others);
            self.node(branch, after)?;
            jumps.push(self.steps.len());
            self.steps.push(Step::Jump(0));
            self.point(split, None);
        }
        let end = self.steps.len();
        for jump in jumps {
            self.steps[jump] = Step::Jump(end);
        }
        Some(())
    }

    fn split(&mut self, first: Next, second: Next) -> usize {
        let at = self.steps.len();
        self.steps.push(Step::Split { first: at + 1, second: 0, can: Box::new((first, second)) });
        at
    }

    /// Sets the open end of a split: its second way, or with `swapped` its first, leads here.
    fn point(&mut self, split: usize, swapped: Option<usize>) {
        let here = self.steps.len();
        if let Step::Split { first, second, .. } = &mut self.steps[split] {
            match swapped {
                None => *second = here,
                Some(body) => (*first, *second) = (here, body),
            }
        }
    }

    fn repeat(&mut self, body: &Node, min: u32, max: Option<u32>, how: Greed, after: &Next) -> Option<()> {
        if how == Greed::Possessive {
            return None;
        }
        if let Node::Set(set) = body {
            self.run(set, min, max, how, after);
            return Some(());
        }
        if max != Some(1) && body.nullable() {
            return None;
        }
        let again = first(body, &first_of_loop(body, after));
        for i in 0..min {
            let follows = if i + 1 == min { if max == Some(min) { after.clone() } else { again.or(after) } } else { again.clone() };
            self.node(body, &follows)?;
        }
        match max {
            None => {
                let split = self.option(body, &again.or(after), how, after)?;
                self.steps.push(Step::Jump(split));
                self.close(split, how);
            }
            Some(max) => {
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.option(body, &again.or(after), how, after)?);
                }
                splits.into_iter().for_each(|split| self.close(split, how));
            }
        }
        Some(())
    }

    /// A split into `body` or past it; the way past it is set by `close`.
    fn option(&mut self, body: &Node, follows: &Next, how: Greed, after: &Next) -> Option<usize> {
        let into = first(body, follows);
        let split = match how {
            Greed::Lazy => self.split(after.clone(), into),
            _ => self.split(into, after.clone()),
        };
        self.node(body, follows)?;
        Some(split)
    }

    fn close(&mut self, split: usize, how: Greed) {
        self.point(split, (how == Greed::Lazy).then_some(split + 1));
    }

    fn run(&mut self, set: &ByteSet, min: u32, max: Option<u32>, how: Greed, after: &Next) {
        let decided = !set.meets(&after.bytes);
        let outside = set.not();
        let step = match (max, how) {
            (Some(max), _) if max == min => match min {
                0 => return,
                1 => Step::Set(Box::new(set.clone())),
                count => Step::Sets { set: Box::new(set.clone()), count },
            },
            (None, _) if decided => Step::Run { stop: Stop::at(&outside), min },
            (Some(1), _) if decided => Step::Maybe(Box::new(set.clone())),
            (Some(max), _) if decided => Step::Bounded { stop: Stop::at(&outside), min, max },
            (_, Greed::Lazy) => Step::Lazy {
                body: Box::new(set.clone()),
                stop: Stop::at(&outside.or(&after.bytes)),
                min,
                max: max.unwrap_or(u32::MAX),
                next: Box::new(after.clone()),
            },
            _ => Step::Greedy { stop: Stop::at(&outside), min, max: max.unwrap_or(u32::MAX), next: Box::new(after.clone()) },
        };
        self.steps.push(step);
    }
}

/// What `node` followed by `after` may begin with.
fn first(node: &Node, after: &Next) -> Next {
    match node {
        Node::Set(set) => Next::new(set.clone(), false),
        Node::Concat(nodes) => nodes.iter().rev().fold(after.clone(), |after, node| first(node, &after)),
        Node::Either(branches) => {
            let none = Next::new(ByteSet::NONE, false);
            branches.iter().fold(none, |all, branch| all.or(&first(branch, after)))
        }
        Node::Group { body, .. } | Node::Atomic(body) => first(body, after),
        Node::Repeat { body, min, max, .. } => match (min, max) {
            (_, Some(0)) => after.clone(),
            (0, _) => first(body, &first_of_loop(body, after)).or(after),
            _ => first(body, &first_of_loop(body, after)),
        },
        Node::End => Next::new(ByteSet::NONE, true),
        Node::Empty | Node::Start | Node::Edge { .. } => after.clone(),
        Node::Look { .. } | Node::Back { .. } => anything(),
    }
}

/// What may follow one turn of a repeated body.
fn first_of_loop(body: &Node, after: &Next) -> Next {
    first(body, after).or(after)
}

/// The slots that a step sets.
fn saved(step: &Step) -> Range<usize> {
    let (first, count) = match step {
        Step::Field { slot, .. } | Step::Signed { slot, .. } => (*slot as usize, 2),
        Step::Save(slot) => (*slot as usize, 1),
        _ => (0, 0),
    };
    first..first + count
}
