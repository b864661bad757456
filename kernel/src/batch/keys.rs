//! Names of fields. The first 256 distinct ones are interned; beyond that every field carries a key of its own (a span),
//! so that a flood of unique keys costs no table and no copy.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::span::{Source, Span};

/// How many distinct keys are interned.
pub const INTERNED: usize = 256;

/// Keys come from outside: the seed keeps anyone from preparing collisions.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0u8));

pub fn hash(name: &[u8]) -> u64 {
    xxh3_64_with_seed(name, *SEED)
}

#[derive(Default)]
pub struct Keys {
    names: Vec<Box<[u8]>>,
    table: HashTable<u32>,
    own: Vec<Span>,
}

impl Keys {
    /// The id of an interned key.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        if self.names.len() <= 8 {
            return self.names.iter().position(|n| **n == *name).map(|i| i as u32);
        }
        self.table.find(hash(name), |&i| *self.names[i as usize] == *name).copied()
    }

    /// The id of `name`, interned if there is room.
    pub fn intern(&mut self, name: &[u8]) -> Option<u32> {
        if let Some(id) = self.find(name) {
            return Some(id);
        }
        if self.names.len() == INTERNED {
            return None;
        }
        let id = self.names.len() as u32;
        self.names.push(name.into());
        let names = &self.names;
        self.table.insert_unique(hash(name), id, |&i| hash(&names[i as usize]));
        Some(id)
    }

    /// An id of its own for a key that could not be interned.
    pub fn add_own(&mut self, name: Span) -> u32 {
        self.own.push(name);
        (INTERNED + self.own.len() - 1) as u32
    }

    pub fn interned(&self) -> usize {
        self.names.len()
    }

    #[inline]
    pub fn name<'a>(&'a self, id: u32, source: Source<'a>) -> &'a [u8] {
        match self.names.get(id as usize) {
            Some(name) => name,
            None => source.get(self.own[id as usize - INTERNED]),
        }
    }

    pub fn matcher<'n>(&self, name: &'n [u8]) -> Matcher<'n> {
        let id = self.find(name);
        Matcher { id, name, own: id.is_none() && !self.own.is_empty() }
    }

    pub fn memory(&self) -> usize {
        self.names.iter().map(|n| n.len() + size_of::<Box<[u8]>>()).sum::<usize>()
            + self.table.allocation_size()
            + self.own.capacity() * size_of::<Span>()
    }
}

/// Recognises the fields of one key.
#[derive(Clone, Copy)]
pub struct Matcher<'n> {
    id: Option<u32>,
    name: &'n [u8],
    own: bool,
}

impl Matcher<'_> {
    #[inline(always)]
    pub fn is(&self, key: u32, keys: &Keys, source: Source) -> bool {
        match self.id {
            Some(id) => id == key,
            None => self.own && key as usize >= INTERNED && keys.name(key, source) == self.name,
        }
    }
}
