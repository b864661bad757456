//! A LogGroup as a batch: spans over the group's own bytes. Every bound holds before anything is allocated for what it bounds.

use crate::batch::span::{Field, Span};
use crate::batch::{Batch, Block, Pair};
use crate::compress::{self, Compression, Reason, Refused};
use crate::varint::{self, FIXED32, FIXED64, LENGTH, VARINT};

pub struct Bounds {
    pub raw_size: usize,
    pub events: usize,
    pub fields: usize,
    pub key: usize,
    pub value: usize,
    pub tags: usize,
}

/// First bytes of the fields of a Log and of a Content that are nearly all there is.
const CONTENT: u8 = 2 << 3 | LENGTH;
const KEY: u8 = 1 << 3 | LENGTH;
const VALUE: u8 = 2 << 3 | LENGTH;

#[cold]
fn malformed() -> Refused {
    Refused::new(Reason::Malformed, "the body is no LogGroup")
}

fn too_many(what: &str, most: usize) -> Refused {
    Refused::new(Reason::TooMany, format!("the LogGroup has more than {most} {what}"))
}

fn bounded<'d>(what: &str, bytes: &'d [u8], most: usize) -> Result<&'d [u8], Refused> {
    if bytes.len() > most {
        return Err(Refused::new(Reason::TooLarge, format!("a {what} has {} bytes, more than the {most} allowed", bytes.len())));
    }
    Ok(bytes)
}

/// `body` is kept as the batch's block where it is not compressed.
pub fn decode(body: Block, compression: Compression, raw_size: Option<usize>, bounds: &Bounds) -> Result<Batch, Refused> {
    let block: Block = match compression {
        Compression::None => {
            compress::check_plain(body.as_ref().as_ref(), bounds.raw_size, raw_size)?;
            body
        }
        _ => Box::new(compress::decompress(body.as_ref().as_ref(), compression, bounds.raw_size, raw_size)?),
    };
    let batch = Batch::empty(block, false).map_err(|too_big| Refused::new(Reason::TooLarge, too_big.to_string()))?;
    Decoder { batch, bounds, expected: Vec::new() }.group()
}

struct Decoder<'b> {
    batch: Batch,
    bounds: &'b Bounds,
    /// Keys of the last log, in order: the next mostly has the same.
    expected: Vec<u32>,
}

/// One field of a message: its number and what it holds.
enum Item<'d> {
    Number(u64),
    Fixed(u32),
    Bytes(&'d [u8]),
    Other,
}

impl Decoder<'_> {
    fn group(mut self) -> Result<Batch, Refused> {
        let block = std::mem::replace(&mut self.batch.block, Box::new([]));
        let data = block.as_ref().as_ref();
        let mut at = 0;
        while at < data.len() {
            match item(data, &mut at)? {
                (1, Item::Bytes(log)) => self.log(data, log)?,
                (3, Item::Bytes(topic)) => self.batch.topic = topic.to_vec(),
                (4, Item::Bytes(source)) => self.batch.source = source.to_vec(),
                (6, Item::Bytes(tag)) => self.tag(tag)?,
                _ => {}
            }
        }
        let rows = self.batch.len();
        self.batch.raw_offsets = vec![0; rows];
        self.batch.raw_lengths = vec![0; rows];
        self.batch.block = block;
        Ok(self.batch)
    }

    /// Key and value of a Content or a LogTag; what is missing is empty, of what is repeated the last counts.
    fn pair<'d>(&self, data: &'d [u8]) -> Result<(&'d [u8], &'d [u8]), Refused> {
        let (mut key, mut value): (&[u8], &[u8]) = (&data[..0], &data[..0]);
        let mut at = 0;
        while at < data.len() {
            match item(data, &mut at)? {
                (1, Item::Bytes(bytes)) => key = bounded("key", bytes, self.bounds.key)?,
                (2, Item::Bytes(bytes)) => value = bounded("value", bytes, self.bounds.value)?,
                _ => {}
            }
        }
        Ok((key, value))
    }

    fn tag(&mut self, data: &[u8]) -> Result<(), Refused> {
        if self.batch.tags.len() == self.bounds.tags {
            return Err(too_many("tags", self.bounds.tags));
        }
        let (key, value) = self.pair(data)?;
        let tag: Pair = (key.to_vec(), value.to_vec());
        self.batch.tags.push(tag);
        Ok(())
    }

    #[inline]
    fn log(&mut self, block: &[u8], data: &[u8]) -> Result<(), Refused> {
        if self.batch.times.len() == self.bounds.events {
            return Err(too_many("events", self.bounds.events));
        }
        let (mut seconds, mut nanos) = (0u32, 0u32);
        let mut at = 0;
        let mut index = 0;
        while at < data.len() {
            if data[at] == CONTENT {
                at += 1;
                let content = sized(data, &mut at)?;
                self.content(block, content, index)?;
                index += 1;
                continue;
            }
            match item(data, &mut at)? {
                (1, Item::Number(value)) => seconds = value as u32,
                (2, Item::Bytes(content)) => {
                    self.content(block, content, index)?;
                    index += 1;
                }
                (4, Item::Fixed(value)) => nanos = value,
                _ => {}
            }
        }
        self.batch.times.push(i64::from(seconds) * 1_000_000_000 + i64::from(nanos));
        self.batch.starts.push(self.batch.fields.len() as u32);
        Ok(())
    }

    #[inline(always)]
    fn content(&mut self, block: &[u8], data: &[u8], index: usize) -> Result<(), Refused> {
        if self.batch.fields.len() == self.bounds.fields {
            return Err(too_many("fields", self.bounds.fields));
        }
        let (key, value) = match plain_pair(data) {
            Some((key, value)) => (bounded("key", key, self.bounds.key)?, bounded("value", value, self.bounds.value)?),
            None => self.pair(data)?,
        };
        let key = self.key(block, key, index);
        self.batch.fields.push(Field { key, span: place(block, value) });
        Ok(())
    }

    /// The id of a key; its guess is the key that stood at this place in the last log.
    #[inline]
    fn key(&mut self, block: &[u8], name: &[u8], index: usize) -> u32 {
        let source = crate::batch::span::Source { block, arena: &[] };
        if let Some(&guess) = self.expected.get(index)
            && self.batch.keys.name(guess, source) == name
        {
            return guess;
        }
        let Some(key) = self.batch.keys.intern(name) else { return self.batch.keys.add_own(place(block, name)) };
        self.expected.truncate(index);
        if self.expected.len() == index {
            self.expected.push(key);
        }
        key
    }
}

/// A pair as nearly everybody writes it: the key, then the value, nothing else, in the shortest form.
#[inline(always)]
fn plain_pair(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[KEY, key_len @ 0..128], rest) = data.split_first_chunk()? else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
    let (&VALUE, rest) = rest.split_first()? else { return None };
    let mut at = 0;
    let len = varint::read(rest, &mut at)?;
    let value = &rest[at..];
    (value.len() as u64 == len).then_some((key, value))
}

/// What follows: a length, and as many bytes.
#[inline(always)]
fn sized<'d>(data: &'d [u8], at: &mut usize) -> Result<&'d [u8], Refused> {
    let len = varint::read(data, at).and_then(|len| usize::try_from(len).ok()).ok_or_else(malformed)?;
    let end = at.checked_add(len).filter(|end| *end <= data.len()).ok_or_else(malformed)?;
    let bytes = &data[*at..end];
    *at = end;
    Ok(bytes)
}

/// Where a part of the block lies in it.
fn place(block: &[u8], part: &[u8]) -> Span {
    Span::block(part.as_ptr() as usize - block.as_ptr() as usize, part.len())
}

/// The next field of a message.
#[inline]
fn item<'d>(data: &'d [u8], at: &mut usize) -> Result<(u64, Item<'d>), Refused> {
    let tag = varint::read(data, at).ok_or_else(malformed)?;
    let (number, wire) = (tag >> 3, tag as u8 & 7);
    if number == 0 || number >= 1 << 29 {
        return Err(malformed());
    }
    let item = match wire {
        VARINT => Item::Number(varint::read(data, at).ok_or_else(malformed)?),
        LENGTH => Item::Bytes(sized(data, at)?),
        FIXED32 => {
            let bytes = data.get(*at..*at + 4).ok_or_else(malformed)?;
            *at += 4;
            Item::Fixed(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        }
        FIXED64 => {
            *at = at.checked_add(8).filter(|end| *end <= data.len()).ok_or_else(malformed)?;
            Item::Other
        }
        // Groups, which nobody writes any more, and what does not exist.
        _ => return Err(malformed()),
    };
    Ok((number, item))
}
