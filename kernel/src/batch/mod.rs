//! An event batch: rows of fields as spans over one read-only block and one arena.
//!
//! The layout is that of one map column in Arrow: `starts` delimits the fields of each row, a field is (key id, span). It keeps
//! field order and repeated keys as they are, reads and writes in one direction, and is what a store takes.

pub mod build;
mod edit;
pub mod keys;
mod order;
mod repeat;
mod rows;
pub mod span;

pub use rows::Rewriter;

use keys::Keys;
use span::{Arena, CAPACITY, Field, Source, Span};

/// Bytes that others own and nobody changes.
pub type Block = Box<dyn AsRef<[u8]> + Send + Sync>;

/// The batch would pass 2 GiB in one of its parts.
#[derive(Debug)]
pub struct TooBig;

impl std::fmt::Display for TooBig {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the batch would grow beyond 2 GiB")
    }
}

pub type Pair = (Vec<u8>, Vec<u8>);

pub struct Batch {
    pub(crate) block: Block,
    /// Whether the block is the caller's input (and spans in it mean something to him).
    pub(crate) of_input: bool,
    pub(crate) arena: Arena,
    pub(crate) keys: Keys,
    pub(crate) fields: Vec<Field>,
    /// `starts[row]..starts[row + 1]` are the row's fields.
    pub(crate) starts: Vec<u32>,
    pub(crate) times: Vec<i64>,
    pub(crate) raw_offsets: Vec<u64>,
    pub(crate) raw_lengths: Vec<u32>,
    pub topic: Vec<u8>,
    pub source: Vec<u8>,
    pub tags: Vec<Pair>,
    pub(crate) discarded: u64,
}

impl Batch {
    pub fn empty(block: Block, of_input: bool) -> Result<Batch, TooBig> {
        if block.as_ref().as_ref().len() > CAPACITY {
            return Err(TooBig);
        }
        Ok(Batch {
            block,
            of_input,
            arena: Arena::default(),
            keys: Keys::default(),
            fields: Vec::new(),
            starts: vec![0],
            times: Vec::new(),
            raw_offsets: Vec::new(),
            raw_lengths: Vec::new(),
            topic: Vec::new(),
            source: Vec::new(),
            tags: Vec::new(),
            discarded: 0,
        })
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn bytes(&self) -> Source<'_> {
        Source { block: self.block.as_ref().as_ref(), arena: self.arena.as_slice() }
    }

    #[inline(always)]
    pub fn row(&self, row: usize) -> &[Field] {
        &self.fields[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    pub fn name(&self, key: u32) -> &[u8] {
        self.keys.name(key, self.bytes())
    }

    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// `times` has one entry per row.
    pub fn set_times(&mut self, times: Vec<i64>) {
        debug_assert_eq!(times.len(), self.len());
        self.times = times;
    }

    /// `offsets` and `lengths` have one entry per row.
    pub fn set_raw(&mut self, offsets: Vec<u64>, lengths: Vec<u32>) {
        debug_assert_eq!((offsets.len(), lengths.len()), (self.len(), self.len()));
        (self.raw_offsets, self.raw_lengths) = (offsets, lengths);
    }

    pub fn raw_offsets(&self) -> &[u64] {
        &self.raw_offsets
    }

    pub fn raw_lengths(&self) -> &[u32] {
        &self.raw_lengths
    }

    pub fn of_input(&self) -> bool {
        self.of_input
    }

    /// The first field of that name in each row.
    pub fn column(&self, name: &[u8]) -> Vec<Option<Span>> {
        let matcher = self.keys.matcher(name);
        let bytes = self.bytes();
        (0..self.len()).map(|row| self.row(row).iter().find(|f| matcher.is(f.key, &self.keys, bytes)).map(|f| f.span)).collect()
    }

    /// Bytes that a walk over all of it reads.
    pub fn size(&self) -> usize {
        self.block.as_ref().as_ref().len() + self.arena.as_slice().len() + self.fields.len() * size_of::<Field>() + self.starts.len()
    }

    pub fn memory(&self) -> usize {
        self.block.as_ref().as_ref().len()
            + self.arena.capacity()
            + self.fields.capacity() * size_of::<Field>()
            + self.starts.capacity() * size_of::<u32>()
            + self.times.capacity() * size_of::<i64>()
            + self.raw_offsets.capacity() * size_of::<u64>()
            + self.raw_lengths.capacity() * size_of::<u32>()
            + self.keys.memory()
    }

    /// The id under which new fields called `name` are written.
    pub fn key_id(&mut self, name: &[u8]) -> Result<u32, TooBig> {
        if let Some(id) = self.keys.intern(name) {
            return Ok(id);
        }
        let span = self.arena.put(name)?;
        Ok(self.keys.add_own(span))
    }
}
