//! One thread's way of running a pattern, with the memory that it reuses from value to value.

use regex_automata::util::primitives::NonMaxUsize;

use super::backtracking::{self, Extent, Found};
use super::linear::Linear;
use super::regular::Regular;
use super::scanner::{Scanner, UNSET, Verdict};
use super::{Engine, Negation, Pattern};
use crate::batch::span::Hay;
use crate::bytes::Lanes;

pub struct Matcher<'p> {
    pattern: &'p Pattern,
    scanner: Scanner,
    linear: Vec<Option<NonMaxUsize>>,
    back: Option<backtracking::Matcher<'p>>,
}

impl<'p> Matcher<'p> {
    pub(super) fn new(pattern: &'p Pattern) -> Matcher<'p> {
        Matcher { pattern, scanner: Scanner::default(), linear: Vec::new(), back: None }
    }

    fn slot_count(&self) -> usize {
        2 * (self.pattern.groups() + 1)
    }

    /// Where group `index` (from 1) lies after a match.
    #[inline(always)]
    pub fn group(&self, index: usize) -> Option<(usize, usize)> {
        let (start, end) = (self.scanner.slots[2 * index], self.scanner.slots[2 * index + 1]);
        (start != UNSET && end != UNSET).then_some((start as usize, end as usize))
    }

    /// Begin and end of each group after a match, from group 0 (which only `search` sets); UNSET where a group took no part.
    #[inline(always)]
    pub fn slots(&self) -> &[u32] {
        &self.scanner.slots
    }

    /// Whether all of the value matches; then `group` answers.
    #[inline(always)]
    pub fn full<L: Lanes>(&mut self, hay: Hay) -> bool {
        let count = self.slot_count();
        if let Engine::Regular(Regular { full: Some(program), .. }) = &self.pattern.engine {
            match self.scanner.run::<L>(program, hay, count) {
                Verdict::Match => return true,
                Verdict::NoMatch => return false,
                Verdict::Unknown => {}
            }
        }
        self.full_without_scanner(hay.bytes)
    }

    #[inline(never)]
    fn full_without_scanner(&mut self, data: &[u8]) -> bool {
        match &self.pattern.engine {
            Engine::Regular(regular) => self.linear(regular.linear_full(), data, 0, true),
            Engine::Negation(negation) => {
                let rest = self.full_regular(&negation.rest, data);
                rest && !negation.refuses(data)
            }
            Engine::Backtracking(_) => self.backtracking(data, 0, Extent::Full) == Found::Yes,
        }
    }

    fn full_regular(&mut self, regular: &Regular, data: &[u8]) -> bool {
        let count = self.slot_count();
        if let Some(program) = &regular.full {
            match self.scanner.run::<crate::bytes::Narrow>(program, Hay::alone(data), count) {
                Verdict::Match => return true,
                Verdict::NoMatch => return false,
                Verdict::Unknown => {}
            }
        }
        self.linear(regular.linear_full(), data, 0, true)
    }

    /// Whether the value begins with a match. Groups are not set.
    #[inline(always)]
    pub fn prefix<L: Lanes>(&mut self, hay: Hay) -> bool {
        let count = self.slot_count();
        if let Engine::Regular(Regular { prefix: Some(program), .. }) = &self.pattern.engine {
            match self.scanner.run::<L>(program, hay, count) {
                Verdict::Match => return true,
                Verdict::NoMatch => return false,
                Verdict::Unknown => {}
            }
        }
        self.prefix_without_scanner(hay.bytes)
    }

    #[inline(never)]
    fn prefix_without_scanner(&mut self, data: &[u8]) -> bool {
        match &self.pattern.engine {
            Engine::Regular(regular) => regular.linear_part().is_match(data, true),
            Engine::Negation(negation @ Negation { tempered: false, .. }) => {
                negation.rest.linear_part().is_match(data, true) && !negation.refuses(data)
            }
            Engine::Negation(_) | Engine::Backtracking(_) => self.backtracking(data, 0, Extent::Prefix) == Found::Yes,
        }
    }

    /// The leftmost match at or after `from`; then `group` answers, and index 0 is the whole of it.
    pub fn search(&mut self, data: &[u8], from: usize) -> bool {
        self.find(data, from) == Found::Yes
    }

    /// The same, which also says when a limit was hit.
    pub fn find(&mut self, data: &[u8], from: usize) -> Found {
        match &self.pattern.engine {
            Engine::Regular(regular) if self.linear(regular.linear_part(), data, from, false) => Found::Yes,
            Engine::Regular(_) => Found::No,
            Engine::Negation(_) | Engine::Backtracking(_) => self.backtracking(data, from, Extent::Anywhere),
        }
    }

    fn linear(&mut self, engine: &Linear, data: &[u8], from: usize, anchored: bool) -> bool {
        self.linear.clear();
        self.linear.resize(engine.slots(), None);
        let found = engine.search(data, from, anchored, &mut self.linear);
        if found {
            let count = self.slot_count();
            self.scanner.slots.clear();
            self.scanner.slots.extend(self.linear.iter().take(count).map(|slot| slot.map_or(UNSET, |s| s.get() as u32)));
            self.scanner.slots.resize(count, UNSET);
        }
        found
    }

    fn backtracking(&mut self, data: &[u8], from: usize, extent: Extent) -> Found {
        let engine = match &self.pattern.engine {
            Engine::Backtracking(engine) | Engine::Negation(Negation { whole: engine, .. }) => engine,
            Engine::Regular(_) => return Found::No,
        };
        let count = self.pattern.groups();
        let matcher = self.back.get_or_insert_with(|| engine.matcher());
        let found = matcher.search(data, from, extent);
        if found != Found::Yes {
            return found;
        }
        self.scanner.slots.clear();
        for index in 0..=count {
            let (start, end) = matcher.group(index).map_or((UNSET, UNSET), |(s, e)| (s as u32, e as u32));
            self.scanner.slots.extend([start, end]);
        }
        found
    }
}
