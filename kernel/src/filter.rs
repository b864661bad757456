//! Keeping or dropping whole rows by what their fields match, by their time or by choice; and what decides it, row by row.

use std::mem;

use crate::batch::Batch;
use crate::batch::keys::Matcher as KeyMatcher;
use crate::batch::span::Field;
use crate::bytes::Lanes;
use crate::pattern::{Matcher, Pattern};
use crate::with_lanes;

impl Batch {
    /// Keeps rows of which every named field is there and matches in full; with `exclude` drops rows of which any does.
    /// Returns how many were dropped.
    pub fn filter(&mut self, conditions: &[(&[u8], &Pattern)], exclude: bool) -> usize {
        let conditions = conditions.iter().map(|(name, pattern)| (self.keys.matcher(name), pattern.matcher())).collect();
        let kept = decide(self, conditions, exclude);
        self.keep_rows(&kept)
    }

    /// Keeps rows whose time is in `[lower, upper]`. Returns how many were dropped.
    pub fn keep_times(&mut self, lower: i64, upper: i64) -> usize {
        let kept: Vec<bool> = self.times.iter().map(|time| (lower..=upper).contains(time)).collect();
        self.keep_rows(&kept)
    }

    /// Keeps the rows that `kept`, one entry per row, does not deny. Returns how many were dropped; they count as discarded.
    pub fn keep_rows(&mut self, kept: &[bool]) -> usize {
        let dropped = kept.iter().filter(|keep| !**keep).count();
        if dropped > 0 {
            self.retain(kept);
            self.discarded += dropped as u64;
        }
        dropped
    }

    /// Per row whether the field called `name` is there and matches, in full or anywhere.
    pub fn matching(&self, name: &[u8], pattern: &Pattern, anywhere: bool) -> Vec<bool> {
        let mut condition = (self.keys.matcher(name), pattern.matcher());
        if anywhere {
            let bytes = self.bytes();
            let (key, pattern) = &mut condition;
            let field = |row| self.row(row).iter().find(|f| key.is(f.key, &self.keys, bytes));
            return (0..self.len()).map(|row| field(row).is_some_and(|f| pattern.search(bytes.get(f.span), 0))).collect();
        }
        decide(self, vec![condition], false)
    }

    /// Per row whether all its keys and values are UTF-8.
    pub fn utf8_rows(&self) -> Vec<bool> {
        let bytes = self.bytes();
        let is_text = |f: &Field| std::str::from_utf8(self.name(f.key)).is_ok() && std::str::from_utf8(bytes.get(f.span)).is_ok();
        (0..self.len()).map(|row| self.row(row).iter().all(is_text)).collect()
    }

    fn retain(&mut self, kept: &[bool]) {
        let fields = mem::take(&mut self.fields);
        let starts = mem::take(&mut self.starts);
        let (mut new_fields, mut new_starts) = (Vec::<Field>::with_capacity(fields.len()), vec![0]);
        for (row, keep) in starts.windows(2).zip(kept) {
            if *keep {
                new_fields.extend_from_slice(&fields[row[0] as usize..row[1] as usize]);
                new_starts.push(new_fields.len() as u32);
            }
        }
        (self.fields, self.starts) = (new_fields, new_starts);
        self.retain_columns(|row| kept[row]);
    }
}

type Condition<'a> = (KeyMatcher<'a>, Matcher<'a>);

fn decide(batch: &Batch, conditions: Vec<Condition>, exclude: bool) -> Vec<bool> {
    with_lanes!(L => Vec<bool>, (batch: &Batch, conditions: Vec<Condition>, exclude: bool), {
        let mut conditions = conditions;
        (0..batch.len())
            .map(|row| {
                let mut holds = conditions.iter_mut().map(|condition| holds::<L>(batch, row, condition));
                if exclude { !holds.any(|h| h) } else { holds.all(|h| h) }
            })
            .collect()
    })
}

#[inline(always)]
fn holds<L: Lanes>(batch: &Batch, row: usize, (key, pattern): &mut Condition) -> bool {
    let bytes = batch.bytes();
    let field = batch.row(row).iter().find(|f| key.is(f.key, &batch.keys, bytes));
    field.is_some_and(|f| pattern.full::<L>(bytes.with_slack(f.span)))
}
