//! Changing fields of all rows by name: rename, drop, add, set; and the list of names in use.

use std::mem;

use hashbrown::HashTable;

use super::keys::{self, INTERNED};
use super::{Batch, TooBig};
use crate::batch::span::Field;

impl Batch {
    /// Renames a field where a row has it; another field called `new` goes. Returns the rows changed.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<usize, TooBig> {
        if old == new {
            return Ok(0);
        }
        let target = self.key_id(new)?;
        let old = self.keys.matcher(old);
        let new = self.keys.matcher(new);
        let mut changed = 0;
        let bytes = Batch::bytes(self);
        let (mut fields, mut starts) = (Vec::with_capacity(self.fields.len()), Vec::with_capacity(self.starts.len()));
        starts.push(0);
        for row in 0..self.len() {
            let row = self.row(row);
            let renames = row.iter().any(|f| old.is(f.key, &self.keys, bytes));
            changed += usize::from(renames);
            for field in row {
                if renames && old.is(field.key, &self.keys, bytes) {
                    fields.push(Field { key: target, span: field.span });
                } else if !(renames && new.is(field.key, &self.keys, bytes)) {
                    fields.push(*field);
                }
            }
            starts.push(fields.len() as u32);
        }
        (self.fields, self.starts) = (fields, starts);
        Ok(changed)
    }

    pub fn drop(&mut self, names: &[&[u8]]) {
        let matchers: Vec<_> = names.iter().map(|name| self.keys.matcher(name)).collect();
        let fields = mem::take(&mut self.fields);
        let bytes = Batch::bytes(self);
        let mut kept = Vec::with_capacity(fields.len());
        let mut starts = Vec::with_capacity(self.starts.len());
        starts.push(0);
        for bounds in self.starts.windows(2) {
            let row = &fields[bounds[0] as usize..bounds[1] as usize];
            kept.extend(row.iter().filter(|f| !matchers.iter().any(|m| m.is(f.key, &self.keys, bytes))));
            starts.push(kept.len() as u32);
        }
        (self.fields, self.starts) = (kept, starts);
    }

    /// Gives every row a field; a row that has one of that name keeps it unless `overwrite`.
    pub fn add(&mut self, name: &[u8], value: &[u8], overwrite: bool) -> Result<(), TooBig> {
        let key = self.key_id(name)?;
        let span = self.arena.put(value)?;
        let matcher = self.keys.matcher(name);
        let bytes = Batch::bytes(self);
        let mut fields = Vec::with_capacity(self.fields.len() + self.len());
        let mut starts = Vec::with_capacity(self.starts.len());
        starts.push(0);
        for row in 0..self.len() {
            let begin = fields.len();
            fields.extend_from_slice(self.row(row));
            match fields[begin..].iter().position(|f: &Field| matcher.is(f.key, &self.keys, bytes)) {
                Some(at) if overwrite => fields[begin + at].span = span,
                Some(_) => {}
                None => fields.push(Field { key, span }),
            }
            starts.push(u32::try_from(fields.len()).map_err(|_| TooBig)?);
        }
        (self.fields, self.starts) = (fields, starts);
        Ok(())
    }

    /// Makes `values`, one per row, the column `name`: `None` removes all fields of that name from the row. A row without the field gets
    /// it at its end; of a repeated key the first is set. A value that does not change stays where it lies.
    pub fn set_column(&mut self, name: &[u8], values: &[Option<&[u8]>]) -> Result<(), TooBig> {
        let key = self.key_id(name)?;
        let mark = self.arena.mark();
        let made = self.with_column(key, name, values);
        if made.is_err() {
            self.arena.truncate(mark);
        }
        (self.fields, self.starts) = made?;
        Ok(())
    }

    fn with_column(&mut self, key: u32, name: &[u8], values: &[Option<&[u8]>]) -> Result<(Vec<Field>, Vec<u32>), TooBig> {
        let mut fields = Vec::with_capacity(self.fields.len() + self.len());
        let mut starts = Vec::with_capacity(self.starts.len());
        starts.push(0);
        for (row, value) in values.iter().enumerate() {
            let matcher = self.keys.matcher(name);
            let bytes = self.bytes();
            let is_it = |field: &Field| matcher.is(field.key, &self.keys, bytes);
            let begin = fields.len();
            let Some(value) = value else {
                fields.extend(self.row(row).iter().filter(|field| !is_it(field)));
                starts.push(fields.len() as u32);
                continue;
            };
            fields.extend_from_slice(self.row(row));
            let at = fields[begin..].iter().position(is_it).map(|at| begin + at);
            if at.is_none_or(|at: usize| bytes.get(fields[at].span) != *value) {
                let span = self.arena.put(value)?;
                match at {
                    Some(at) => fields[at].span = span,
                    None => fields.push(Field { key, span }),
                }
            }
            starts.push(u32::try_from(fields.len()).map_err(|_| TooBig)?);
        }
        Ok((fields, starts))
    }

    /// Ids of the distinct keys of rows `[first, end)` in order of first appearance. Keys that are not interned are told apart by
    /// their bytes; `visit` gets, field by field, the position of the field's key in that list.
    pub fn distinct_keys(&self, first: usize, end: usize, mut visit: impl FnMut(u32)) -> Vec<u32> {
        const UNSEEN: u32 = u32::MAX;
        let bytes = self.bytes();
        let mut seen = [UNSEEN; INTERNED];
        let mut own: HashTable<(u32, u32)> = HashTable::new();
        let mut order = Vec::new();
        for field in &self.fields[self.starts[first] as usize..self.starts[end] as usize] {
            let next = order.len() as u32;
            let at = if (field.key as usize) < INTERNED {
                let at = &mut seen[field.key as usize];
                if *at == UNSEEN {
                    *at = next;
                }
                *at
            } else {
                let name = self.name(field.key);
                let same = |&(key, _): &(u32, u32)| self.keys.name(key, bytes) == name;
                own.entry(keys::hash(name), same, |&(key, _)| keys::hash(self.name(key))).or_insert((field.key, next)).get().1
            };
            if at == next {
                order.push(field.key);
            }
            visit(at);
        }
        order
    }
}
