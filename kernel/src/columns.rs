//! Rows as one map column in Arrow's layout, for a store.

use crate::batch::{Batch, TooBig};

/// Little-endian arrays, ready to be handed over as they are.
pub struct MapColumns {
    pub times: Vec<u8>,
    pub offsets: Vec<u8>,
    pub key_index: Vec<u8>,
    pub keys: Vec<Vec<u8>>,
    pub value_offsets: Vec<u8>,
    pub value_data: Vec<u8>,
}

impl Batch {
    pub fn map_columns(&self, first: usize, end: usize) -> Result<MapColumns, TooBig> {
        let begin = self.starts[first];
        let fields = &self.fields[begin as usize..self.starts[end] as usize];
        let size: usize = fields.iter().map(|f| f.span.len as usize).sum();
        if size > i32::MAX as usize {
            return Err(TooBig);
        }
        let mut key_index = Vec::with_capacity(fields.len() * 4);
        let keys = self.distinct_keys(first, end, |key| key_index.extend_from_slice(&key.to_le_bytes()));
        let bytes = self.bytes();
        let mut value_data = Vec::with_capacity(size);
        let mut value_offsets = Vec::with_capacity((fields.len() + 1) * 4);
        value_offsets.extend_from_slice(&0u32.to_le_bytes());
        for field in fields {
            value_data.extend_from_slice(bytes.get(field.span));
            value_offsets.extend_from_slice(&(value_data.len() as u32).to_le_bytes());
        }
        Ok(MapColumns {
            times: self.times[first..end].iter().flat_map(|t| t.to_le_bytes()).collect(),
            offsets: self.starts[first..=end].iter().flat_map(|s| (s - begin).to_le_bytes()).collect(),
            key_index,
            keys: keys.into_iter().map(|key| self.name(key).to_vec()).collect(),
            value_offsets,
            value_data,
        })
    }
}
