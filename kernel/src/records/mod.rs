//! Records of several lines: what one is, and where it ends.

mod objects;
mod patterns;

pub use patterns::Patterns;

use crate::batch::{Batch, Block, TooBig};
use crate::split::{Origin, Rows};

/// How records are told apart.
pub enum Rule {
    /// By patterns that their lines begin with.
    Patterns(Patterns),
    /// One JSON object each.
    Objects,
}

/// What has to be known to go on behind a stretch of bytes that ends anywhere.
pub type State = u64;

/// A record may begin here.
const BETWEEN: State = 0;
/// Within a record, at the beginning of a line.
const OPEN: State = 1;
/// Within a line that belongs to no record.
const OUTSIDE: State = 2;
/// Within a record, and within one of its lines.
const MID_LINE: State = 3;
/// From here on: within a JSON object.
const OBJECT: State = 4;

/// Collects rows, and counts what belongs to no record where that is unwanted.
struct Sink<'a> {
    data: &'a [u8],
    rows: &'a mut Rows,
    discard: bool,
    discarded: u64,
}

impl Sink<'_> {
    #[inline(always)]
    fn record(&mut self, begin: usize, end: usize, next: usize) {
        self.rows.push(self.data, begin, end, next);
    }

    #[inline(always)]
    fn unmatched(&mut self, begin: usize, end: usize, next: usize) {
        if self.discard {
            self.discarded += 1;
        } else {
            self.rows.push(self.data, begin, end, next);
        }
    }
}

impl Rule {
    /// The records of a block that begins where a record may; lines without one are rows of their own, or are discarded.
    pub fn split(&self, block: Block, origin: &Origin, discard: bool) -> Result<Batch, TooBig> {
        let mut batch = Batch::empty(block, true)?;
        let key = batch.key_id(origin.key)?;
        let data = batch.block.as_ref().as_ref();
        let mut rows = Rows::new(key, origin.offset, data.len() / 512 + 1);
        let sink = Sink { data, rows: &mut rows, discard, discarded: 0 };
        let discarded = match self {
            Rule::Patterns(patterns) => patterns.split(sink),
            Rule::Objects => objects::split(sink),
        };
        rows.finish(&mut batch, origin.time, discarded);
        Ok(batch)
    }

    /// Whether so many bytes are done with soon, whatever is in them.
    pub fn is_quick_on(&self, bytes: usize) -> bool {
        match self {
            Rule::Patterns(patterns) => patterns.is_quick_on(bytes),
            Rule::Objects => true,
        }
    }

    /// Bytes at the front of `data` that are whole records, which more bytes cannot change.
    pub fn end(&self, data: &[u8]) -> usize {
        match self {
            Rule::Patterns(patterns) => patterns.end(data),
            Rule::Objects => objects::end(data),
        }
    }

    /// Where the record ends within which `data` begins; `None` when that does not show. `begun` is what came of its first line before.
    /// `last`: nothing follows, a last line without newline counts too.
    pub fn rest(&self, data: &[u8], state: State, begun: &[u8], last: bool) -> Option<usize> {
        match (self, state) {
            (_, BETWEEN) => Some(0),
            (Rule::Patterns(patterns), _) => patterns.rest(data, state, begun, last),
            (Rule::Objects, _) => objects::rest(data, state),
        }
    }

    /// The state behind `data`, which began with `state`.
    pub fn state(&self, data: &[u8], state: State, begun: &[u8]) -> State {
        match self {
            _ if data.is_empty() => state,
            Rule::Patterns(patterns) => patterns.state(data, state, begun),
            Rule::Objects => objects::state(data, state),
        }
    }
}
