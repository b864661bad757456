//! The linear-time engine: regex-automata over the pattern's tree. It takes what the scanner cannot decide quickly.

use regex_automata::meta::{Config, Regex};
use regex_automata::util::captures::GroupInfo;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::PatternError;
use super::tree::{Greed, Node};

/// Bytes that one compiled automaton may take.
const SIZE_LIMIT: usize = 64 << 20;

pub struct Linear {
    regex: Regex,
}

impl Linear {
    pub fn compile(root: &Node) -> Result<Linear, PatternError> {
        let config = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(SIZE_LIMIT))
            .onepass_size_limit(Some(4 << 20))
            .hybrid_cache_capacity(4 << 20);
        let regex = Regex::builder().configure(config).build_from_hir(&hir(root));
        regex.map(|regex| Linear { regex }).map_err(|_| PatternError::new(0, "the pattern is too large"))
    }

    /// Slots of the whole match and the groups: where each begins and ends.
    pub fn slots(&self) -> usize {
        let info: &GroupInfo = self.regex.group_info();
        info.slot_len()
    }

    /// Leftmost match at or after `from`; with `anchored` only at it.
    pub fn search(&self, data: &[u8], from: usize, anchored: bool, slots: &mut [Option<NonMaxUsize>]) -> bool {
        self.regex.search_slots(&input(data, from, anchored), slots).is_some()
    }

    pub fn is_match(&self, data: &[u8], anchored: bool) -> bool {
        self.regex.is_match(input(data, 0, anchored).earliest(true))
    }
}

fn input(data: &[u8], from: usize, anchored: bool) -> Input<'_> {
    Input::new(data).range(from..).anchored(if anchored { Anchored::Yes } else { Anchored::No })
}

/// A regular tree as regex-syntax has it.
fn hir(node: &Node) -> Hir {
    match node {
        Node::Empty => Hir::empty(),
        Node::Set(set) => {
            let ranges = set.ranges().into_iter().map(|(low, high)| ClassBytesRange::new(low, high));
            Hir::class(Class::Bytes(ClassBytes::new(ranges)))
        }
        Node::Start => Hir::look(Look::Start),
        Node::End => Hir::look(Look::End),
        Node::Edge { negated: false } => Hir::look(Look::WordAscii),
        Node::Edge { negated: true } => Hir::look(Look::WordAsciiNegate),
        Node::Concat(nodes) => Hir::concat(nodes.iter().map(hir).collect()),
        Node::Either(nodes) => Hir::alternation(nodes.iter().map(hir).collect()),
        Node::Repeat { body, min, max, how } => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: *how == Greed::Greedy, sub: Box::new(hir(body)) })
        }
        Node::Group { index, body } => Hir::capture(Capture { index: *index as u32, name: None, sub: Box::new(hir(body)) }),
        Node::Look { .. } | Node::Back { .. } | Node::Atomic(_) => unreachable!("only regular trees come here"),
    }
}
