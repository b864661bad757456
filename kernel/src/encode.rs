//! Rows as one LogGroup (protobuf), compressed and hashed, in one go: lengths first, then every byte once.

use std::cell::Cell;

use crate::batch::span::{Field, Hay, Source};
use crate::batch::{Batch, Pair, TooBig};
use crate::compress::{self, Compression};
use crate::digest::Digest;
use crate::varint;
use crate::with_lanes;

/// Bytes that may be written behind the end: short copies are done in whole blocks of this size.
const SLACK: usize = 32;
/// Longest LogGroup: protobuf's own limit.
const MAX_SIZE: usize = i32::MAX as usize;

const LOGS: u8 = 0x0a;
const TOPIC: u8 = 0x1a;
const SOURCE: u8 = 0x22;
const LOG_TAGS: u8 = 0x32;
const TIME: u8 = 0x08;
const CONTENTS: u8 = 0x12;
const TIME_NS: u8 = 0x25;
/// Key and Value of a Content and of a LogTag.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// What to encode, and how.
pub struct Order<'a> {
    pub compression: Compression,
    pub digest: Digest,
    pub first: usize,
    pub end: usize,
    /// After the batch's own.
    pub tags: &'a [Pair],
    pub time_ns_part: bool,
}

/// Memory for the raw group and its compressed form.
#[derive(Default)]
struct Scratch {
    raw: Vec<u8>,
    packed: Vec<u8>,
}

/// A thread keeps no more of each than this for its next call: four batches of the usual size.
const KEPT_SCRATCH: usize = 4 << 20;

thread_local! {
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch { raw: Vec::new(), packed: Vec::new() }) };
}

impl Scratch {
    fn give_back(mut self) {
        for part in [&mut self.raw, &mut self.packed] {
            part.clear();
            part.shrink_to(KEPT_SCRATCH);
        }
        SCRATCH.set(self);
    }
}

impl Batch {
    /// Calls `take` with the body of the group, its raw size and its digest; the body lies in memory that is used again.
    pub fn encode<R>(&self, order: &Order, take: impl FnOnce(&[u8], usize, String) -> R) -> Result<R, TooBig> {
        let mut scratch = SCRATCH.take();
        let taken = encode_into(self, order, &mut scratch).map(|()| {
            let body = if order.compression == Compression::None { &scratch.raw } else { &scratch.packed };
            take(body, scratch.raw.len(), order.digest.of(body))
        });
        scratch.give_back();
        taken
    }
}

fn encode_into(batch: &Batch, order: &Order, scratch: &mut Scratch) -> Result<(), TooBig> {
    write_group(batch, order, &mut scratch.raw)?;
    if order.compression != Compression::None {
        compress::compress(&scratch.raw, order.compression, &mut scratch.packed).ok_or(TooBig)?;
    }
    Ok(())
}

fn write_group(batch: &Batch, order: &Order, out: &mut Vec<u8>) -> Result<(), TooBig> {
    write_logs(batch, order, out)?;
    for (tag, text) in [(TOPIC, &batch.topic), (SOURCE, &batch.source)] {
        if !text.is_empty() {
            out.push(tag);
            write_bytes(out, text);
        }
    }
    for (key, value) in batch.tags.iter().chain(order.tags) {
        out.push(LOG_TAGS);
        write_varint(out, 2 + varint::size(key.len()) + key.len() + varint::size(value.len()) + value.len());
        out.push(KEY);
        write_bytes(out, key);
        out.push(VALUE);
        write_bytes(out, value);
    }
    if out.len() > MAX_SIZE { Err(TooBig) } else { Ok(()) }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn write_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_logs(batch: &Batch, order: &Order, out: &mut Vec<u8>) -> Result<(), TooBig> {
    with_lanes!(L => Result<(), TooBig>, (batch: &Batch, order: &Order, out: &mut Vec<u8>), {
        let _ = <L as crate::bytes::Lanes>::WIDTH;
        Logs::new(batch, order).write(out)
    })
}

/// What stands before a value in a Content of less than 128 bytes, to be copied in one piece; the two lengths in it are filled in.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Prefix {
    bytes: [u8; SLACK],
    /// Where the length of the value stands; 0: the key is too long for one piece.
    value_size_at: u32,
    /// Bytes of the key with its tag and length, and of the value's tag.
    size: u32,
}

/// Where the length of the Content stands.
const CONTENT_SIZE_AT: usize = 1;

struct Logs<'a> {
    batch: &'a Batch,
    order: &'a Order<'a>,
    source: Source<'a>,
    /// By id of interned keys.
    prefixes: Vec<Prefix>,
    /// The last time, as it is written.
    time: Time,
}

struct Time {
    seconds: i64,
    bytes: [u8; 8],
    len: usize,
}

impl<'a> Logs<'a> {
    fn new(batch: &'a Batch, order: &'a Order<'a>) -> Logs<'a> {
        let source = batch.bytes();
        let names = (0..batch.keys.interned() as u32).map(|key| batch.keys.name(key, source));
        Logs { batch, order, source, prefixes: names.map(Prefix::of).collect(), time: Time::of(0) }
    }

    #[inline(always)]
    fn write(mut self, out: &mut Vec<u8>) -> Result<(), TooBig> {
        let mut at = out.len();
        for row in self.order.first..self.order.end {
            let fields = self.batch.row(row);
            let time = self.batch.times[row];
            let seconds = time.div_euclid(1_000_000_000);
            if seconds != self.time.seconds {
                self.time = Time::of(seconds);
            }
            let mut size = 1 + self.time.len + if self.order.time_ns_part { 5 } else { 0 };
            for field in fields {
                let content = self.content_size(field);
                size += 1 + varint::size(content) + content;
            }
            let total = 1 + varint::size(size) + size;
            if at + total > MAX_SIZE {
                return Err(TooBig);
            }
            // SAFETY: capacity for the row and the slack is there, and exactly `total` bytes are written before the length is set.
            unsafe {
                out.reserve(total + SLACK + 16);
                let begin = out.as_mut_ptr().add(at);
                let mut cursor = Cursor { at: begin };
                cursor.byte(LOGS);
                cursor.varint(size);
                cursor.byte(TIME);
                cursor.eight(&self.time.bytes, self.time.len);
                for field in fields {
                    self.content(field, &mut cursor);
                }
                if self.order.time_ns_part {
                    cursor.byte(TIME_NS);
                    let part = if time < 0 { 0 } else { (time % 1_000_000_000) as u32 };
                    cursor.exactly(&part.to_le_bytes());
                }
                debug_assert_eq!(cursor.at as usize - begin as usize, total);
                at += total;
                out.set_len(at);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn content_size(&self, field: &Field) -> usize {
        let len = field.span.len as usize;
        let prefix = match self.prefixes.get(field.key as usize) {
            Some(prefix) => prefix.size as usize,
            None => Prefix::size_of(self.batch.keys.name(field.key, self.source)),
        };
        prefix + varint::size(len) + len
    }

    /// Safety: the caller has made room.
    #[inline(always)]
    unsafe fn content(&self, field: &Field, cursor: &mut Cursor) {
        let size = self.content_size(field);
        let value = self.source.with_slack(field.span);
        match self.prefixes.get(field.key as usize) {
            Some(prefix) if size < 128 && prefix.value_size_at > 0 => unsafe {
                // SAFETY: the prefix lies within the block that is copied, and so do both lengths.
                let at = cursor.at;
                std::ptr::copy_nonoverlapping(prefix.bytes.as_ptr(), at, SLACK);
                *at.add(CONTENT_SIZE_AT) = size as u8;
                *at.add(prefix.value_size_at as usize) = value.bytes.len() as u8;
                cursor.at = at.add(prefix.value_size_at as usize + 1);
                cursor.value(value.bytes, value.slack);
            },
            _ => unsafe { self.long_content(field, size, value, cursor) },
        }
    }

    /// Safety: the caller has made room.
    #[inline(never)]
    unsafe fn long_content(&self, field: &Field, size: usize, value: Hay, cursor: &mut Cursor) {
        let name = self.batch.keys.name(field.key, self.source);
        // SAFETY: see above.
        unsafe {
            cursor.byte(CONTENTS);
            cursor.varint(size);
            cursor.byte(KEY);
            cursor.varint(name.len());
            cursor.exactly(name);
            cursor.byte(VALUE);
            cursor.varint(value.bytes.len());
            cursor.exactly(value.bytes);
        }
    }
}

impl Prefix {
    fn size_of(name: &[u8]) -> usize {
        2 + varint::size(name.len()) + name.len()
    }

    fn of(name: &[u8]) -> Prefix {
        let size = Prefix::size_of(name) as u32;
        let mut prefix = Prefix { bytes: [0; SLACK], value_size_at: 0, size };
        // Tag and length of the Content before, length of the value behind.
        let value_size_at = 2 + size as usize;
        if value_size_at < SLACK {
            let bytes = &mut prefix.bytes;
            (bytes[0], bytes[2], bytes[3]) = (CONTENTS, KEY, name.len() as u8);
            bytes[4..4 + name.len()].copy_from_slice(name);
            bytes[4 + name.len()] = VALUE;
            prefix.value_size_at = value_size_at as u32;
        }
        prefix
    }
}

impl Time {
    /// Times outside of what the field can hold are written as its nearest end.
    fn of(seconds: i64) -> Time {
        let mut value = seconds.clamp(0, i64::from(u32::MAX)) as u64;
        let (mut bytes, mut len) = ([0; 8], 0);
        while value >= 128 {
            bytes[len] = value as u8 | 128;
            value >>= 7;
            len += 1;
        }
        bytes[len] = value as u8;
        Time { seconds, bytes, len: len + 1 }
    }
}

/// Where the next byte goes. All of it is unsafe in the same way: there must be room, with `SLACK` bytes to spare.
struct Cursor {
    at: *mut u8,
}

impl Cursor {
    #[inline(always)]
    unsafe fn byte(&mut self, byte: u8) {
        // SAFETY: see the type.
        unsafe {
            *self.at = byte;
            self.at = self.at.add(1);
        }
    }

    #[inline(always)]
    unsafe fn varint(&mut self, mut value: usize) {
        // SAFETY: see the type.
        unsafe {
            while value >= 128 {
                self.byte(value as u8 | 128);
                value >>= 7;
            }
            self.byte(value as u8);
        }
    }

    /// Copies a block of eight readable bytes, of which `len` count.
    #[inline(always)]
    unsafe fn eight(&mut self, from: &[u8; 8], len: usize) {
        // SAFETY: see the type.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr(), self.at, 8);
            self.at = self.at.add(len);
        }
    }

    #[inline(always)]
    unsafe fn exactly(&mut self, bytes: &[u8]) {
        // SAFETY: see the type.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at, bytes.len());
            self.at = self.at.add(bytes.len());
        }
    }

    /// Copies a value; where enough is readable behind it, in whole blocks.
    #[inline(always)]
    unsafe fn value(&mut self, value: &[u8], slack: usize) {
        // SAFETY: see the type; whole blocks read at most `SLACK` bytes behind the value.
        unsafe {
            let len = value.len();
            if len <= 4 * SLACK && slack >= SLACK {
                let mut done = 0;
                loop {
                    std::ptr::copy_nonoverlapping(value.as_ptr().add(done), self.at.add(done), SLACK);
                    done += SLACK;
                    if done >= len {
                        break;
                    }
                }
            } else {
                std::ptr::copy_nonoverlapping(value.as_ptr(), self.at, len);
            }
            self.at = self.at.add(len);
        }
    }
}
