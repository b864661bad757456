//! Rows as columns in the storage engine's own layout (ClickHouse's `Native`), so that it copies instead of converting.

use crate::batch::Batch;
use crate::batch::keys::INTERNED;
use crate::batch::span::Source;

/// Little-endian arrays, ready to be handed over as they are.
pub struct StoreColumns {
    /// i64 per row: nanoseconds.
    pub times: Vec<u8>,
    /// u64 per row: how many entries end with it.
    pub ends: Vec<u8>,
    /// Per entry the place of its key in `keys`, as wide as `index_width` says.
    pub key_index: Vec<u8>,
    pub keys: Vec<Vec<u8>>,
    /// Per entry its value.
    pub values: Vec<u8>,
    /// Per asked name and row the first value of that name, empty where there is none.
    pub fields: Vec<Vec<u8>>,
}

impl Batch {
    pub fn store_columns(&self, first: usize, end: usize, names: &[&[u8]]) -> StoreColumns {
        let begin = self.starts[first];
        let entries = &self.fields[begin as usize..self.starts[end] as usize];
        let mut key_index = Vec::with_capacity(entries.len());
        let keys = self.distinct_keys(first, end, |key| key_index.push(key));
        let bytes = self.bytes();
        let mut values = Vec::with_capacity(entries.iter().map(|f| f.span.len as usize + 1).sum());
        for field in entries {
            put(&mut values, bytes.get(field.span));
        }
        StoreColumns {
            times: self.times[first..end].iter().flat_map(|t| t.to_le_bytes()).collect(),
            ends: self.starts[first + 1..=end].iter().flat_map(|s| u64::from(s - begin).to_le_bytes()).collect(),
            key_index: narrowed(key_index, keys.len()),
            keys: keys.into_iter().map(|key| self.name(key).to_vec()).collect(),
            values,
            fields: self.first_values(first, end, names),
        }
    }

    fn first_values(&self, first: usize, end: usize, names: &[&[u8]]) -> Vec<Vec<u8>> {
        let bytes = self.bytes();
        let wanted = Wanted::new(self, names);
        let mut columns: Vec<Column> = names.iter().map(|_| Column::default()).collect();
        for row in first..end {
            for field in self.row(row) {
                if let Some(at) = wanted.place(self, field.key, bytes) {
                    columns[at].put(row - first, bytes.get(field.span));
                }
            }
        }
        columns.into_iter().map(|column| column.filled(end - first)).collect()
    }
}

/// Which key ids stand for an asked name.
struct Wanted<'n> {
    interned: Vec<Option<usize>>,
    /// Names that no interned key has: only keys of their own can be them.
    others: Vec<(usize, &'n [u8])>,
}

impl<'n> Wanted<'n> {
    fn new(batch: &Batch, names: &[&'n [u8]]) -> Wanted<'n> {
        let mut wanted = Wanted { interned: vec![None; batch.keys.interned()], others: Vec::new() };
        for (place, name) in names.iter().enumerate() {
            match batch.keys.find(name) {
                Some(id) => wanted.interned[id as usize] = Some(place),
                None => wanted.others.push((place, name)),
            }
        }
        wanted
    }

    #[inline(always)]
    fn place(&self, batch: &Batch, key: u32, bytes: Source) -> Option<usize> {
        if (key as usize) < INTERNED {
            return self.interned[key as usize];
        }
        let name = batch.keys.name(key, bytes);
        self.others.iter().find(|(_, other)| *other == name).map(|(place, _)| *place)
    }
}

/// One value per row; rows are put in rising order.
#[derive(Default)]
struct Column {
    data: Vec<u8>,
    rows: usize,
}

impl Column {
    #[inline(always)]
    fn put(&mut self, row: usize, value: &[u8]) {
        if row < self.rows {
            return;
        }
        // An empty value is a length of 0.
        self.data.resize(self.data.len() + row - self.rows, 0);
        put(&mut self.data, value);
        self.rows = row + 1;
    }

    fn filled(mut self, rows: usize) -> Vec<u8> {
        self.data.resize(self.data.len() + rows - self.rows, 0);
        self.data
    }
}

/// A string: its length in base 128, its bytes.
#[inline(always)]
fn put(data: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value.len();
    while rest >= 128 {
        data.push(rest as u8 | 128);
        rest >>= 7;
    }
    data.push(rest as u8);
    data.extend_from_slice(value);
}

/// Bytes of a place among so many keys.
fn index_width(keys: usize) -> usize {
    match keys {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

fn narrowed(index: Vec<u32>, keys: usize) -> Vec<u8> {
    let width = index_width(keys);
    if width == 1 {
        return index.into_iter().map(|place| place as u8).collect();
    }
    index.iter().flat_map(|place| place.to_le_bytes().into_iter().take(width)).collect()
}
