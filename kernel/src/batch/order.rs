//! Putting the rows into another order.

use super::Batch;

impl Batch {
    /// Row `i` becomes what row `order[i]` was. False, and nothing happens, when `order` does not name every row once.
    pub fn reorder(&mut self, order: &[usize]) -> bool {
        let mut named = vec![false; self.len()];
        if order.len() != self.len() || !order.iter().all(|&row| row < named.len() && !std::mem::replace(&mut named[row], true)) {
            return false;
        }
        let (mut fields, mut starts) = (Vec::with_capacity(self.fields.len()), Vec::with_capacity(self.starts.len()));
        starts.push(0);
        for &row in order {
            fields.extend_from_slice(self.row(row));
            starts.push(fields.len() as u32);
        }
        (self.fields, self.starts) = (fields, starts);
        self.times = taken(&self.times, order);
        self.raw_offsets = taken(&self.raw_offsets, order);
        self.raw_lengths = taken(&self.raw_lengths, order);
        true
    }
}

fn taken<T: Copy>(column: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&row| column[row]).collect()
}
