//! A pattern as a tree, after the dialect's syntax is gone: every engine is compiled from it.

use crate::bytes::ByteSet;

#[derive(Clone)]
pub enum Node {
    Empty,
    /// One byte out of a set; a single literal byte is a set of one.
    Set(ByteSet),
    Start,
    End,
    /// `\b`, or `\B` when negated.
    Edge {
        negated: bool,
    },
    Concat(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        body: Box<Node>,
        min: u32,
        max: Option<u32>,
        how: Greed,
    },
    /// Capture group, from 1.
    Group {
        index: usize,
        body: Box<Node>,
    },
    Look {
        behind: bool,
        negated: bool,
        body: Box<Node>,
    },
    Back {
        group: usize,
        folded: bool,
    },
    Atomic(Box<Node>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

impl Node {
    pub fn concat(mut nodes: Vec<Node>) -> Node {
        match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Concat(nodes),
        }
    }

    /// Alternatives; single bytes among nothing else are one set.
    pub fn either(mut branches: Vec<Node>) -> Node {
        if branches.len() == 1 {
            return branches.remove(0);
        }
        let sets: Option<Vec<&ByteSet>> =
            branches.iter().map(|branch| if let Node::Set(set) = branch { Some(set) } else { None }).collect();
        match sets {
            Some(sets) => Node::Set(ByteSet::of(|b| sets.iter().any(|set| set.has(b)))),
            None => Node::Either(branches),
        }
    }

    /// Whether this can match without consuming a byte (assertions can).
    pub fn nullable(&self) -> bool {
        match self {
            Node::Set(_) => false,
            Node::Concat(nodes) => nodes.iter().all(Node::nullable),
            Node::Either(nodes) => nodes.iter().any(Node::nullable),
            Node::Repeat { body, min, .. } => *min == 0 || body.nullable(),
            Node::Group { body, .. } | Node::Atomic(body) => body.nullable(),
            Node::Empty | Node::Start | Node::End | Node::Edge { .. } | Node::Look { .. } | Node::Back { .. } => true,
        }
    }

    /// Bytes that every match has, when that is one number.
    pub fn fixed_width(&self) -> Option<usize> {
        match self {
            Node::Set(_) => Some(1),
            Node::Empty | Node::Start | Node::End | Node::Edge { .. } | Node::Look { .. } => Some(0),
            Node::Concat(nodes) => nodes.iter().map(Node::fixed_width).sum(),
            Node::Either(nodes) => {
                let first = nodes[0].fixed_width()?;
                nodes.iter().all(|n| n.fixed_width() == Some(first)).then_some(first)
            }
            Node::Repeat { body, min, max, .. } => (*max == Some(*min)).then(|| body.fixed_width().map(|w| w * *min as usize))?,
            Node::Group { body, .. } | Node::Atomic(body) => body.fixed_width(),
            Node::Back { .. } => None,
        }
    }

    /// Single-byte steps when counted repetitions are multiplied out.
    pub fn steps(&self) -> usize {
        match self {
            Node::Concat(nodes) | Node::Either(nodes) => nodes.iter().map(Node::steps).fold(0, usize::saturating_add),
            Node::Repeat { body, min, max, .. } => body.steps().saturating_mul(max.unwrap_or(*min).max(1) as usize),
            Node::Group { body, .. } | Node::Atomic(body) | Node::Look { body, .. } => body.steps(),
            _ => 1,
        }
    }

    /// Whether a linear-time engine can run it.
    pub fn is_regular(&self) -> bool {
        match self {
            Node::Look { .. } | Node::Back { .. } | Node::Atomic(_) | Node::Repeat { how: Greed::Possessive, .. } => false,
            Node::Concat(nodes) | Node::Either(nodes) => nodes.iter().all(Node::is_regular),
            Node::Repeat { body, .. } | Node::Group { body, .. } => body.is_regular(),
            _ => true,
        }
    }
}
