//! Rows that become several, or none; and how many rows have a field.

use super::{Batch, TooBig};

impl Batch {
    /// Every row as often as `counts` says, which has one entry per row; rows that become none count as discarded.
    ///
    /// `starts` says for each new row where in the raw bytes of its old row it begins: the first of an old row begins with it, the others
    /// divide it among them. Without `starts` all copies cover all of the old row.
    pub fn repeat(&mut self, counts: &[u32], starts: Option<&[u32]>) -> Result<(), TooBig> {
        let fields: u64 = counts.iter().enumerate().map(|(row, count)| u64::from(*count) * self.row(row).len() as u64).sum();
        if u32::try_from(fields).is_err() {
            return Err(TooBig);
        }
        let rows: usize = counts.iter().map(|count| *count as usize).sum();
        let (mut fields, mut bounds) = (Vec::with_capacity(fields as usize), Vec::with_capacity(rows + 1));
        let (mut times, mut offsets, mut lengths) = (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
        bounds.push(0);
        for (row, count) in counts.iter().enumerate() {
            let first = times.len();
            let length = self.raw_lengths[row];
            let start = |copy: usize| match starts {
                Some(starts) if copy > 0 => starts[first + copy].min(length),
                _ => 0,
            };
            let mut begin = 0;
            for copy in 0..*count as usize {
                fields.extend_from_slice(self.row(row));
                bounds.push(fields.len() as u32);
                times.push(self.times[row]);
                begin = start(copy).max(begin);
                let is_last = starts.is_none() || copy + 1 == *count as usize;
                let end = if is_last { length } else { start(copy + 1).max(begin) };
                offsets.push(self.raw_offsets[row] + u64::from(begin));
                lengths.push(end - begin);
            }
        }
        self.discarded += counts.iter().filter(|count| **count == 0).count() as u64;
        (self.fields, self.starts, self.times) = (fields, bounds, times);
        (self.raw_offsets, self.raw_lengths) = (offsets, lengths);
        Ok(())
    }

    /// How many rows lack the field.
    pub fn absent(&self, name: &[u8]) -> usize {
        let matcher = self.keys.matcher(name);
        let bytes = self.bytes();
        (0..self.len()).filter(|row| !self.row(*row).iter().any(|f| matcher.is(f.key, &self.keys, bytes))).count()
    }
}
