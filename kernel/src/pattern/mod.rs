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

pub use matcher::Matcher;

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
}

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
        Ok(Pattern { text: text.to_owned(), names: parsed.names, engine })
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

    pub fn matcher(&self) -> Matcher<'_> {
        Matcher::new(self)
    }
}
