//! Cutting a block into rows: one per line. Records of several lines stand in `records`.

use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, Block, TooBig};
use crate::bytes::Lanes;
use crate::with_lanes;

/// What every row of a new batch gets.
pub struct Origin<'a> {
    /// Position of the block in its stream.
    pub offset: u64,
    pub time: i64,
    pub key: &'a [u8],
}

pub fn lines(block: Block, origin: &Origin) -> Result<Batch, TooBig> {
    let mut batch = Batch::empty(block, true)?;
    let key = batch.key_id(origin.key)?;
    let data = batch.block.as_ref().as_ref();
    let mut rows = Rows::new(key, origin.offset, data.len() / 128 + 1);
    cut_lines(data, &mut rows);
    rows.finish(&mut batch, origin.time, 0);
    Ok(batch)
}

fn cut_lines(data: &[u8], rows: &mut Rows) {
    with_lanes!(L => (), (data: &[u8], rows: &mut Rows), {
        let mut begin = 0;
        newlines::<L>(data, |at| {
            rows.push(data, begin, at, at + 1);
            begin = at + 1;
        });
        if begin < data.len() {
            rows.push(data, begin, data.len(), data.len());
        }
    })
}

/// The line `[begin, end)` as patterns see it.
#[inline(always)]
pub(crate) fn without_carriage(data: &[u8], begin: usize, end: usize) -> Hay<'_> {
    let end = if end > begin && data[end - 1] == b'\r' { end - 1 } else { end };
    Hay { bytes: &data[begin..end], slack: data.len() - end }
}

/// Calls `visit` with the place of every newline.
#[inline(always)]
pub(crate) fn newlines<L: Lanes>(data: &[u8], mut visit: impl FnMut(usize)) {
    let mut at = 0;
    while L::WIDTH > 0 && at + L::WIDTH <= data.len() {
        // SAFETY: a full width is left; the lanes were chosen by `with_lanes`.
        let mut mask = unsafe { L::equal(data.as_ptr().add(at), b'\n') };
        while mask != 0 {
            visit(at + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
        at += L::WIDTH;
    }
    memchr::memchr_iter(b'\n', &data[at..]).for_each(|i| visit(at + i));
}

pub(crate) struct Rows {
    key: u32,
    offset: u64,
    fields: Vec<Field>,
    starts: Vec<u32>,
    raw_offsets: Vec<u64>,
    raw_lengths: Vec<u32>,
}

impl Rows {
    pub(crate) fn new(key: u32, offset: u64, expected: usize) -> Rows {
        let mut starts = Vec::with_capacity(expected + 1);
        starts.push(0);
        let (fields, raw_offsets, raw_lengths) = (Vec::with_capacity(expected), Vec::with_capacity(expected), Vec::with_capacity(expected));
        Rows { key, offset, fields, starts, raw_offsets, raw_lengths }
    }

    /// A row of the bytes `[begin, next)`, whose value ends at `end` or before the `\r` there.
    #[inline(always)]
    pub(crate) fn push(&mut self, data: &[u8], begin: usize, end: usize, next: usize) {
        let carriage = next > end && end > begin && data[end - 1] == b'\r';
        self.fields.push(Field { key: self.key, span: Span::block(begin, end - begin - usize::from(carriage)) });
        self.starts.push(self.fields.len() as u32);
        self.raw_offsets.push(self.offset + begin as u64);
        self.raw_lengths.push((next - begin) as u32);
    }

    pub(crate) fn finish(self, batch: &mut Batch, time: i64, discarded: u64) {
        let Rows { fields, starts, raw_offsets, raw_lengths, .. } = self;
        batch.times = vec![time; fields.len()];
        (batch.fields, batch.starts, batch.raw_offsets, batch.raw_lengths) = (fields, starts, raw_offsets, raw_lengths);
        batch.discarded = discarded;
    }
}

/// Bytes of `data` that are whole lines.
pub fn line_end(data: &[u8]) -> usize {
    memchr::memrchr(b'\n', data).map_or(0, |at| at + 1)
}
