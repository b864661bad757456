//! User patterns: compiled once, matched by whichever engine fits.

mod backtracking;
mod class;
mod fuse;
mod linear;
mod matcher;
mod negation;
mod program;
mod regular;
mod scanner;
mod syntax;
mod tree;

pub use backtracking::Found;
pub use matcher::Matcher;
pub use scanner::UNSET;

use backtracking::Backtracking;
use linear::Linear;
use regular::Regular;

/// Why a pattern is refused.
#[derive(Debug)]
pub struct PatternError {
    /// Byte offset in the pattern.
    pub position: usize,
    pub reason: String,
}

impl PatternError {
    fn new(position: usize, reason: impl Into<String>) -> PatternError {
        PatternError { position, reason: reason.into() }
    }
}

pub struct Pattern {
    pub text: String,
    /// One per capture group.
    pub names: Vec<Option<String>>,
    engine: Engine,
    /// That a byte may take in the linear engine; all that there are where another one may be asked.
    steps: usize,
}

/// So many steps are done within a millisecond or two, by the slowest of the linear engines.
const QUICK_STEPS: usize = 1 << 18;

enum Engine {
    Regular(Regular),
    Negation(Negation),
    Backtracking(Backtracking),
}

struct Negation {
    /// What must not match, and whether anywhere or as a prefix.
    refusals: Vec<(Linear, bool)>,
    rest: Regular,
    tempered: bool,
    /// For what the rewriting does not cover: searching, and prefixes of the tempered form.
    whole: Backtracking,
}

impl Negation {
    fn refuses(&self, data: &[u8]) -> bool {
        self.refusals.iter().any(|(what, anywhere)| what.is_match(data, !anywhere))
    }
}

impl Pattern {
    /// Compiles a pattern of the dialect (see the contract in `tailrace_kernel.pyi`).
    pub fn compile(text: &str, dotall: bool) -> Result<Pattern, PatternError> {
        let parsed = syntax::parse(text, dotall)?;
        let root = &parsed.root;
        let engine = if root.is_regular() {
            Engine::Regular(Regular::compile(root)?)
        } else if let Some(split) = negation::split(root) {
            let refusals = split.refusals.iter().map(|r| Ok((Linear::compile(&r.what)?, r.anywhere)));
            Engine::Negation(Negation {
                refusals: refusals.collect::<Result<_, PatternError>>()?,
                rest: Regular::compile(&split.rest)?,
                tempered: split.tempered,
                whole: Backtracking::compile(root)?,
            })
        } else {
            Engine::Backtracking(Backtracking::compile(root)?)
        };
        let steps = if matches!(engine, Engine::Regular(_)) { root.steps().max(1) } else { usize::MAX };
        Ok(Pattern { text: text.to_owned(), names: parsed.names, engine, steps })
    }

    pub fn groups(&self) -> usize {
        self.names.len()
    }

    pub fn engine(&self) -> &'static str {
        match &self.engine {
            Engine::Regular(regular) if regular.full.is_some() => "scanner",
            Engine::Regular(_) => "linear",
            Engine::Negation(_) => "negation",
            Engine::Backtracking(_) => "backtracking",
        }
    }

    /// Whether values of so many bytes in all are done with soon, whatever is in them.
    pub fn is_quick_on(&self, bytes: usize) -> bool {
        self.steps.saturating_mul(bytes) <= QUICK_STEPS
    }

    pub fn matcher(&self) -> Matcher<'_> {
        Matcher::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use crate::batch::span::Hay;
    use crate::bytes::Lanes;
    use crate::with_lanes;

    fn full(pattern: &Pattern, data: &[u8]) -> Option<Vec<Option<(usize, usize)>>> {
        with_lanes!(L => Option<Vec<Option<(usize, usize)>>>, (pattern: &Pattern, data: &[u8]), lanes::<L>(pattern, data))
    }

    #[inline(always)]
    fn lanes<L: Lanes>(pattern: &Pattern, data: &[u8]) -> Option<Vec<Option<(usize, usize)>>> {
        let mut matcher = pattern.matcher();
        let found = matcher.full::<L>(Hay::alone(data));
        found.then(|| (1..=pattern.groups()).map(|index| matcher.group(index)).collect())
    }

    /// A pattern that would take a backtracking matcher forever: the scanner gives up and the linear engine decides.
    #[test]
    fn hostile_values_take_linear_time() {
        let pattern = Pattern::compile(r"(.*)a(.*)a(.*)a(.*)a(.*)b", true).expect("a pattern");
        assert_eq!(pattern.engine(), "scanner");
        let mut data = vec![b'a'; 100_000];
        assert_eq!(full(&pattern, &data), None);
        data.push(b'b');
        assert_eq!(full(&pattern, &data).map(|groups| groups[0]), Some(Some((0, 99_996))));
    }

    /// Long values alone are no reason for PCRE2 to give up.
    #[test]
    fn the_backtracking_engine_takes_long_values() {
        let pattern = Pattern::compile(r"(?=a)(?:ab|d)*(c)", true).expect("a pattern");
        assert_eq!(pattern.engine(), "backtracking");
        let data: Vec<u8> = b"ab".repeat(256_000).into_iter().chain([b'c']).collect();
        assert_eq!(full(&pattern, &data), Some(vec![Some((512_000, 512_001))]));
    }
}
