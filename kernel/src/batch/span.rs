//! Where a value lies: in the input block, or in the arena of bytes that had to be rewritten.

use super::TooBig;

/// Top bit of `Span::start`: the bytes lie in the arena. Block and arena are therefore at most 2 GiB each.
const ARENA: u32 = 1 << 31;
/// Most bytes a block or an arena can hold.
pub const CAPACITY: usize = (ARENA - 1) as usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    pub len: u32,
}

impl Span {
    pub const EMPTY: Span = Span { start: 0, len: 0 };

    #[inline(always)]
    pub fn block(start: usize, len: usize) -> Span {
        debug_assert!(start + len <= CAPACITY);
        Span { start: start as u32, len: len as u32 }
    }

    #[inline(always)]
    pub fn arena(start: usize, len: usize) -> Span {
        Span { start: start as u32 | ARENA, len: len as u32 }
    }

    /// The part `[from, to)` of this span, wherever it lies.
    #[inline(always)]
    pub fn part(self, from: usize, to: usize) -> Span {
        debug_assert!(from <= to && to <= self.len as usize);
        Span { start: self.start + from as u32, len: (to - from) as u32 }
    }

    #[inline(always)]
    pub fn in_arena(self) -> bool {
        self.start & ARENA != 0
    }

    #[inline(always)]
    pub fn offset(self) -> usize {
        (self.start & !ARENA) as usize
    }
}

/// One field of one row. Fields of a row stand next to each other, in the order in which the row got them.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub key: u32,
    pub span: Span,
}

/// The bytes that spans point into.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub block: &'a [u8],
    pub arena: &'a [u8],
}

impl<'a> Source<'a> {
    #[inline(always)]
    pub fn get(self, span: Span) -> &'a [u8] {
        let home = if span.in_arena() { self.arena } else { self.block };
        &home[span.offset()..span.offset() + span.len as usize]
    }

    /// The value, and how many bytes of its home may be read behind it (wide loads may look at them, never use them).
    #[inline(always)]
    pub fn with_slack(self, span: Span) -> Hay<'a> {
        let home = if span.in_arena() { self.arena } else { self.block };
        let end = span.offset() + span.len as usize;
        Hay { bytes: &home[span.offset()..end], slack: home.len() - end }
    }
}

/// A value to be searched, with `slack` readable bytes behind it.
#[derive(Clone, Copy)]
pub struct Hay<'a> {
    pub bytes: &'a [u8],
    pub slack: usize,
}

impl<'a> Hay<'a> {
    pub fn alone(bytes: &'a [u8]) -> Hay<'a> {
        Hay { bytes, slack: 0 }
    }
}

/// Bytes that had to be rewritten; only ever grows.
#[derive(Default)]
pub struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub fn put(&mut self, bytes: &[u8]) -> Result<Span, TooBig> {
        let mark = self.mark();
        self.extend(bytes)?;
        Ok(self.since(mark))
    }

    /// Writing piece by piece: `since(mark())` is the span of what was written in between.
    #[inline]
    pub fn mark(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), TooBig> {
        if self.bytes.len() + bytes.len() > CAPACITY {
            return Err(TooBig);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    pub fn since(&self, mark: usize) -> Span {
        Span::arena(mark, self.bytes.len() - mark)
    }

    /// Takes back what was written since `mark`.
    pub fn truncate(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }
}
