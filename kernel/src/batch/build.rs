//! Making a batch from events that already are keys and values, and putting changed events back.

use super::{Batch, Pair, TooBig};
use crate::batch::span::Field;

/// One event as whoever calls us sees it.
pub struct Event {
    pub time: i64,
    pub fields: Vec<Pair>,
}

impl Batch {
    pub fn from_events(events: &[Event]) -> Result<Batch, TooBig> {
        let mut batch = Batch::empty(Box::new([]), false)?;
        for event in events {
            batch.push_event(event)?;
        }
        batch.raw_offsets.resize(events.len(), 0);
        batch.raw_lengths.resize(events.len(), 0);
        Ok(batch)
    }

    /// Replaces the rows one by one; `None` removes the row and counts it as discarded.
    ///
    /// `events` has one entry per row.
    pub fn replace(&mut self, events: &[Option<Event>]) -> Result<(), TooBig> {
        let (old_fields, old_starts, old_times) =
            (std::mem::take(&mut self.fields), std::mem::replace(&mut self.starts, vec![0]), std::mem::take(&mut self.times));
        for event in events.iter().flatten() {
            if let Err(error) = self.push_event(event) {
                (self.fields, self.starts, self.times) = (old_fields, old_starts, old_times);
                return Err(error);
            }
        }
        let kept = |row: usize| events[row].is_some();
        self.discarded += events.iter().filter(|e| e.is_none()).count() as u64;
        retain_rows(&mut self.raw_offsets, kept);
        retain_rows(&mut self.raw_lengths, kept);
        Ok(())
    }

    fn push_event(&mut self, event: &Event) -> Result<(), TooBig> {
        for (key, value) in &event.fields {
            let key = self.key_id(key)?;
            let span = self.arena.put(value)?;
            self.fields.push(Field { key, span });
        }
        self.starts.push(u32::try_from(self.fields.len()).map_err(|_| TooBig)?);
        self.times.push(event.time);
        Ok(())
    }

    /// Keeps the given rows, in order, in every column but the fields (which a [`super::Rewriter`] has made already).
    pub(crate) fn retain_columns(&mut self, kept: impl Fn(usize) -> bool + Copy) {
        retain_rows(&mut self.times, kept);
        retain_rows(&mut self.raw_offsets, kept);
        retain_rows(&mut self.raw_lengths, kept);
    }
}

fn retain_rows<T: Copy>(column: &mut Vec<T>, kept: impl Fn(usize) -> bool) {
    let mut to = 0;
    for from in 0..column.len() {
        if kept(from) {
            column[to] = column[from];
            to += 1;
        }
    }
    column.truncate(to);
}
