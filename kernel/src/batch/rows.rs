//! Writing the rows of a batch anew, field by field.

use hashbrown::HashTable;

use super::keys::{self, INTERNED, Keys};
use super::span::{Field, Source, Span};

/// Collects new rows. `set` overwrites in place, as the contract wants it, without searching the row.
pub struct Rewriter {
    pub fields: Vec<Field>,
    pub starts: Vec<u32>,
    row: usize,
    /// Per interned key the index in `fields` where it was written last; only indexes of the current row count.
    places: Vec<u32>,
    own: HashTable<u32>,
}

impl Rewriter {
    pub fn new(rows: usize, fields: usize) -> Rewriter {
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        Rewriter { fields: Vec::with_capacity(fields), starts, row: 0, places: vec![0; INTERNED], own: HashTable::new() }
    }

    #[inline(always)]
    pub fn end_row(&mut self) {
        self.starts.push(self.fields.len() as u32);
        self.begin_row();
    }

    #[inline(always)]
    pub fn begin_row(&mut self) {
        self.row = self.fields.len();
        if !self.own.is_empty() {
            self.own.clear();
        }
    }

    /// Number of fields of the row at work.
    pub fn row_len(&self) -> usize {
        self.fields.len() - self.row
    }

    /// Adds a field without looking for an older one of the same key.
    #[inline(always)]
    pub fn push(&mut self, key: u32, span: Span) {
        self.fields.push(Field { key, span });
    }

    /// Adds a field as it stood in the old row: repeated keys stay repeated, `set` will find the first.
    pub fn keep(&mut self, field: Field, keys: &Keys, source: Source) {
        if self.place(field.key, keys, source).is_none() {
            self.note(field.key, keys, source);
        }
        self.fields.push(field);
    }

    /// Sets a field: in place when the row has the key, else at its end.
    #[inline]
    pub fn set(&mut self, key: u32, span: Span, keys: &Keys, source: Source) {
        match self.place(key, keys, source) {
            Some(at) => self.fields[at].span = span,
            None => {
                self.note(key, keys, source);
                self.fields.push(Field { key, span });
            }
        }
    }

    /// Where in `fields` the row at work holds `key`.
    #[inline]
    pub fn place(&self, key: u32, keys: &Keys, source: Source) -> Option<usize> {
        if (key as usize) < INTERNED {
            let at = self.places[key as usize] as usize;
            return (at >= self.row && self.fields.get(at).is_some_and(|f| f.key == key)).then_some(at);
        }
        let name = keys.name(key, source);
        self.own.find(keys::hash(name), |&at| keys.name(self.fields[at as usize].key, source) == name).map(|&at| at as usize)
    }

    #[inline]
    fn note(&mut self, key: u32, keys: &Keys, source: Source) {
        let at = self.fields.len() as u32;
        if (key as usize) < INTERNED {
            self.places[key as usize] = at;
            return;
        }
        let fields = &self.fields;
        let name = keys.name(key, source);
        self.own.insert_unique(keys::hash(name), at, |&i| keys::hash(keys.name(fields[i as usize].key, source)));
    }
}
