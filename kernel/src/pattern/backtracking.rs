//! PCRE2 in byte mode, for look-around and back-references. Match, depth and heap limits bound what one value may cost.

use std::ffi::c_int;
use std::fmt::Write;
use std::ptr;

use pcre2_sys::{
    PCRE2_DOTALL, PCRE2_ERROR_NOMATCH, PCRE2_JIT_COMPLETE, PCRE2_NEVER_UTF, PCRE2_UNSET, pcre2_code_8, pcre2_code_free_8, pcre2_compile_8,
    pcre2_get_ovector_pointer_8, pcre2_jit_compile_8, pcre2_jit_stack_8, pcre2_jit_stack_assign_8, pcre2_jit_stack_create_8,
    pcre2_jit_stack_free_8, pcre2_match_8, pcre2_match_context_8, pcre2_match_context_create_8, pcre2_match_context_free_8,
    pcre2_match_data_8, pcre2_match_data_create_from_pattern_8, pcre2_match_data_free_8, pcre2_set_depth_limit_8, pcre2_set_heap_limit_8,
    pcre2_set_match_limit_8,
};

use super::PatternError;
use super::tree::{Greed, Node};
use crate::bytes::ByteSet;

/// Steps that one match may take: some 10 ms, and a few more for every byte, so that long values are no failure in themselves.
const MATCH_LIMIT: u32 = 1_000_000;
const MATCH_LIMIT_PER_BYTE: u32 = 16;
const DEPTH_LIMIT: u32 = 100_000;
const HEAP_LIMIT_KIB: u32 = 32 << 10;
/// Stack of the compiled code, which grows as it is needed.
const STACK: (usize, usize) = (32 << 10, 32 << 20);

/// What a search ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Yes,
    No,
    /// A limit was hit: nothing is known.
    GaveUp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The match is the whole value.
    Full,
    /// It begins where the search begins.
    Prefix,
    Anywhere,
}

/// One program per extent: anchors given at match time would keep the compiled code from being used.
pub struct Backtracking {
    full: Code,
    prefix: Code,
    anywhere: Code,
}

impl Backtracking {
    pub fn compile(root: &Node) -> Result<Backtracking, PatternError> {
        let mut text = String::new();
        write_node(root, &mut text);
        Ok(Backtracking {
            full: Code::compile(&format!("\\A(?:{text})\\z"))?,
            prefix: Code::compile(&format!("\\A(?:{text})"))?,
            anywhere: Code::compile(&text)?,
        })
    }

    pub fn matcher(&self) -> Matcher<'_> {
        // SAFETY: all are freed by `drop`. PCRE2 takes null for "out of memory" badly, so that is a panic here.
        unsafe {
            let data = pcre2_match_data_create_from_pattern_8(self.full.0, ptr::null_mut());
            let limits = pcre2_match_context_create_8(ptr::null_mut());
            assert!(!data.is_null() && !limits.is_null(), "out of memory");
            pcre2_set_depth_limit_8(limits, DEPTH_LIMIT);
            pcre2_set_heap_limit_8(limits, HEAP_LIMIT_KIB);
            // Null where there is no JIT.
            let stack = pcre2_jit_stack_create_8(STACK.0, STACK.1, ptr::null_mut());
            pcre2_jit_stack_assign_8(limits, None, stack.cast());
            Matcher { pattern: self, data, limits, stack }
        }
    }
}

struct Code(*mut pcre2_code_8);

// SAFETY: a compiled pattern is only read by matching.
unsafe impl Send for Code {}
unsafe impl Sync for Code {}

impl Code {
    fn compile(text: &str) -> Result<Code, PatternError> {
        let (mut error, mut offset): (c_int, usize) = (0, 0);
        let options = PCRE2_DOTALL | PCRE2_NEVER_UTF;
        // SAFETY: text and outputs live through the call; the code is freed by `drop`.
        unsafe {
            let code = pcre2_compile_8(text.as_ptr(), text.len(), options, &raw mut error, &raw mut offset, ptr::null_mut());
            if code.is_null() {
                return Err(PatternError::new(0, format!("the backtracking engine refuses the pattern (PCRE2 error {error})")));
            }
            // Without executable memory there is no JIT, only a slower match.
            pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE);
            Ok(Code(code))
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: made by `compile`.
        unsafe { pcre2_code_free_8(self.0) }
    }
}

/// One thread's working memory.
pub struct Matcher<'p> {
    pattern: &'p Backtracking,
    data: *mut pcre2_match_data_8,
    limits: *mut pcre2_match_context_8,
    stack: *mut pcre2_jit_stack_8,
}

// SAFETY: the memory is only used by its owner.
unsafe impl Send for Matcher<'_> {}

impl Matcher<'_> {
    pub fn search(&mut self, data: &[u8], from: usize, extent: Extent) -> Found {
        let code = match extent {
            Extent::Full => &self.pattern.full,
            Extent::Prefix => &self.pattern.prefix,
            Extent::Anywhere => &self.pattern.anywhere,
        };
        let limit = u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_mul(MATCH_LIMIT_PER_BYTE).saturating_add(MATCH_LIMIT);
        // SAFETY: `data` lives through the call; an empty slice has a non-null pointer.
        let answer = unsafe {
            pcre2_set_match_limit_8(self.limits, limit);
            pcre2_match_8(code.0, data.as_ptr(), data.len(), from, 0, self.data, self.limits)
        };
        match answer {
            PCRE2_ERROR_NOMATCH => Found::No,
            0.. => Found::Yes,
            _ => Found::GaveUp,
        }
    }

    /// Bounds of a group after `Found::Yes`.
    pub fn group(&self, index: usize) -> Option<(usize, usize)> {
        // SAFETY: the vector has two numbers per group of the pattern, and unused groups are PCRE2_UNSET.
        let (start, end) = unsafe {
            let bounds = pcre2_get_ovector_pointer_8(self.data);
            (*bounds.add(2 * index), *bounds.add(2 * index + 1))
        };
        (start != PCRE2_UNSET).then_some((start, end))
    }
}

impl Drop for Matcher<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `matcher`.
        unsafe {
            pcre2_match_data_free_8(self.data);
            pcre2_match_context_free_8(self.limits);
            pcre2_jit_stack_free_8(self.stack);
        }
    }
}

/// The tree in PCRE2's syntax, every byte escaped, so that nothing depends on its flags.
fn write_node(node: &Node, out: &mut String) {
    match node {
        Node::Empty => out.push_str("(?:)"),
        Node::Set(set) => write_set(set, out),
        Node::Start => out.push_str("\\A"),
        Node::End => out.push_str("\\z"),
        Node::Edge { negated } => out.push_str(if *negated { "\\B" } else { "\\b" }),
        Node::Concat(nodes) => nodes.iter().for_each(|n| write_node(n, out)),
        Node::Either(nodes) => wrapped("(?:", out, |out| {
            for (i, branch) in nodes.iter().enumerate() {
                if i > 0 {
                    out.push('|');
                }
                write_node(branch, out);
            }
        }),
        Node::Repeat { body, min, max, how } => {
            wrapped("(?:", out, |out| write_node(body, out));
            let max = max.map_or(String::new(), |max| max.to_string());
            let how = match how {
                Greed::Greedy => "",
                Greed::Lazy => "?",
                Greed::Possessive => "+",
            };
            let _ = write!(out, "{{{min},{max}}}{how}");
        }
        Node::Group { body, .. } => wrapped("(", out, |out| write_node(body, out)),
        Node::Look { behind, negated, body } => {
            let (behind, sign) = (if *behind { "<" } else { "" }, if *negated { '!' } else { '=' });
            wrapped(&format!("(?{behind}{sign}"), out, |out| write_node(body, out));
        }
        Node::Back { group, folded } => {
            let _ = write!(out, "(?{}:\\g{{{group}}})", if *folded { "i" } else { "" });
        }
        Node::Atomic(body) => wrapped("(?>", out, |out| write_node(body, out)),
    }
}

fn wrapped(open: &str, out: &mut String, body: impl FnOnce(&mut String)) {
    out.push_str(open);
    body(out);
    out.push(')');
}

fn write_set(set: &ByteSet, out: &mut String) {
    if set.is_empty() {
        out.push_str("(?!)");
        return;
    }
    out.push('[');
    for (low, high) in set.ranges() {
        let _ = write!(out, "\\x{low:02x}-\\x{high:02x}");
    }
    out.push(']');
}
