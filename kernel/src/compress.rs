//! Compression of bodies, and decompression that never allocates more than it was allowed to.

use std::cell::RefCell;
use std::ffi::c_int;
use std::io::{Read, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use zstd_safe::{CCtx, DCtx};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Lz4,
    Zstd,
    Deflate,
}

/// Why bytes were refused; the names are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Malformed,
    TooLarge,
    TooMany,
    WrongSize,
}

#[derive(Debug)]
pub struct Refused {
    pub reason: Reason,
    pub text: String,
}

impl Refused {
    pub fn new(reason: Reason, text: impl Into<String>) -> Refused {
        Refused { reason, text: text.into() }
    }
}

/// Largest input of lz4 (LZ4_MAX_INPUT_SIZE).
const LZ4_MAX: usize = 0x7e00_0000;
/// lz4 cannot expand a block further than this; a size that claims more is a lie, and nothing is allocated for it.
const LZ4_MOST_EXPANSION: usize = 255;
const ZSTD_LEVEL: i32 = 1;

thread_local! {
    static ZSTD: RefCell<(CCtx<'static>, DCtx<'static>)> = RefCell::new((CCtx::create(), DCtx::create()));
}

/// Compresses into `out`, replacing what it holds. None: too large for the format.
pub fn compress(data: &[u8], how: Compression, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    match how {
        Compression::None => out.extend_from_slice(data),
        Compression::Lz4 => lz4(data, out)?,
        Compression::Zstd => {
            out.reserve(zstd_safe::compress_bound(data.len()));
            ZSTD.with_borrow_mut(|(context, _)| context.compress(out, data, ZSTD_LEVEL)).ok()?;
        }
        Compression::Deflate => {
            let mut encoder = ZlibEncoder::new(out, flate2::Compression::fast());
            encoder.write_all(data).ok()?;
            encoder.finish().ok()?;
        }
    }
    Some(())
}

fn lz4(data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if data.len() > LZ4_MAX {
        return None;
    }
    // SAFETY: the capacity is the bound of the result, and as many bytes as were written are taken.
    unsafe {
        let bound = lz4_sys::LZ4_compressBound(data.len() as c_int);
        out.reserve(bound as usize);
        let size = lz4_sys::LZ4_compress_default(data.as_ptr().cast(), out.as_mut_ptr().cast(), data.len() as c_int, bound);
        out.set_len(usize::try_from(size).ok()?);
    }
    Some(())
}

/// At most `max_size` bytes; exactly `raw_size` where it is given (lz4 blocks do not know their size: there it must be).
pub fn decompress(data: &[u8], how: Compression, max_size: usize, raw_size: Option<usize>) -> Result<Vec<u8>, Refused> {
    if let Some(size) = raw_size
        && size > max_size
    {
        return Err(Refused::new(Reason::TooLarge, format!("the body claims {size} bytes, more than the {max_size} allowed")));
    }
    let raw = match how {
        Compression::None => plain(data, max_size, raw_size)?,
        Compression::Lz4 => unlz4(data, raw_size)?,
        Compression::Zstd => unzstd(data, max_size, raw_size)?,
        Compression::Deflate => inflate(data, max_size, raw_size)?,
    };
    match raw_size {
        Some(size) if size != raw.len() => Err(wrong_size(size)),
        _ => Ok(raw),
    }
}

fn wrong_size(claimed: usize) -> Refused {
    Refused::new(Reason::WrongSize, format!("the body is not the {claimed} bytes that it claims"))
}

fn plain(data: &[u8], max_size: usize, raw_size: Option<usize>) -> Result<Vec<u8>, Refused> {
    check_plain(data, max_size, raw_size)?;
    Ok(data.to_vec())
}

/// The checks of `decompress` for a body that is not compressed.
pub fn check_plain(data: &[u8], max_size: usize, raw_size: Option<usize>) -> Result<(), Refused> {
    if data.len() > max_size {
        return Err(Refused::new(Reason::TooLarge, format!("the body has {} bytes, more than the {max_size} allowed", data.len())));
    }
    if raw_size.is_some_and(|size| size != data.len()) {
        return Err(wrong_size(raw_size.unwrap_or(0)));
    }
    Ok(())
}

fn unlz4(data: &[u8], raw_size: Option<usize>) -> Result<Vec<u8>, Refused> {
    let Some(size) = raw_size else { return Err(Refused::new(Reason::WrongSize, "an lz4 body needs its raw size")) };
    if size > LZ4_MAX || data.len() > LZ4_MAX {
        return Err(Refused::new(Reason::TooLarge, "the body is too large for lz4"));
    }
    if size / LZ4_MOST_EXPANSION > data.len() {
        return Err(not_this_size(data, size));
    }
    // One byte more than claimed, so that a body which holds more does not look right.
    let mut raw: Vec<u8> = Vec::with_capacity(size + 1);
    // SAFETY: the capacity is told, and as many bytes as were written are taken.
    let written =
        unsafe { lz4_sys::LZ4_decompress_safe(data.as_ptr().cast(), raw.as_mut_ptr().cast(), data.len() as c_int, size as c_int + 1) };
    let Ok(written) = usize::try_from(written) else {
        return Err(not_this_size(data, size));
    };
    // SAFETY: as above.
    unsafe { raw.set_len(written) };
    Ok(raw)
}

fn not_this_size(data: &[u8], size: usize) -> Refused {
    match lz4_size(data) {
        Some(other) if other != size => wrong_size(size),
        _ => Refused::new(Reason::Malformed, "the body is no lz4 block"),
    }
}

/// What an lz4 block would decompress to, from its lengths alone; None when they do not add up.
fn lz4_size(data: &[u8]) -> Option<usize> {
    let (mut at, mut size) = (0, 0usize);
    loop {
        let token = usize::from(*data.get(at)?);
        at += 1;
        let literals = lz4_length(data, &mut at, token >> 4)?;
        at += literals;
        size += literals;
        if at >= data.len() {
            return (at == data.len()).then_some(size);
        }
        at += 2;
        size += lz4_length(data, &mut at, token & 15)? + 4;
    }
}

fn lz4_length(data: &[u8], at: &mut usize, short: usize) -> Option<usize> {
    let mut length = short;
    if short == 15 {
        loop {
            let more = *data.get(*at)?;
            *at += 1;
            length += usize::from(more);
            if more < 255 {
                break;
            }
        }
    }
    Some(length)
}

fn unzstd(data: &[u8], max_size: usize, raw_size: Option<usize>) -> Result<Vec<u8>, Refused> {
    let malformed = || Refused::new(Reason::Malformed, "the body is not one zstd frame");
    if zstd_safe::find_frame_compressed_size(data).ok() != Some(data.len()) {
        return Err(malformed());
    }
    let declared =
        zstd_safe::get_frame_content_size(data).map_err(|_| malformed())?.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    match (declared, raw_size) {
        (Some(size), Some(raw)) if size != raw => return Err(wrong_size(raw)),
        (Some(size), _) if size > max_size => return Err(too_large(max_size)),
        _ => {}
    }
    let Some(size) = declared.or(raw_size) else { return stream_zstd(data, max_size) };
    let mut raw: Vec<u8> = Vec::with_capacity(size);
    match ZSTD.with_borrow_mut(|(_, context)| context.decompress(&mut raw, data)) {
        Ok(_) => Ok(raw),
        Err(code) if zstd_safe::get_error_name(code).contains("too small") => Err(wrong_size(size)),
        Err(_) => Err(malformed()),
    }
}

fn too_large(max_size: usize) -> Refused {
    Refused::new(Reason::TooLarge, format!("the body decompresses to more than the {max_size} bytes allowed"))
}

/// A frame that does not say its size: piece by piece.
fn stream_zstd(data: &[u8], max_size: usize) -> Result<Vec<u8>, Refused> {
    let mut context = DCtx::create();
    // 2^27 bytes: what zstd itself takes without being asked; a larger window is a bomb.
    let _ = context.set_parameter(zstd_safe::DParameter::WindowLogMax(27));
    let mut input = zstd_safe::InBuffer::around(data);
    let mut raw = Vec::new();
    let mut piece: Vec<u8> = Vec::with_capacity(DCtx::out_size());
    loop {
        piece.clear();
        let mut output = zstd_safe::OutBuffer::around(&mut piece);
        let left = context.decompress_stream(&mut output, &mut input);
        let left = left.map_err(|_| Refused::new(Reason::Malformed, "the body is not one zstd frame"))?;
        if raw.len() + piece.len() > max_size {
            return Err(too_large(max_size));
        }
        raw.extend_from_slice(&piece);
        if left == 0 {
            return Ok(raw);
        }
        if piece.is_empty() && input.pos() == data.len() {
            return Err(Refused::new(Reason::Malformed, "the zstd frame is cut off"));
        }
    }
}

fn inflate(data: &[u8], max_size: usize, raw_size: Option<usize>) -> Result<Vec<u8>, Refused> {
    let bound = raw_size.unwrap_or(max_size);
    let mut decoder = ZlibDecoder::new(data);
    let mut raw = Vec::new();
    let read = decoder.by_ref().take(bound as u64 + 1).read_to_end(&mut raw);
    if read.is_err() {
        return Err(Refused::new(Reason::Malformed, "the body is no zlib stream"));
    }
    if raw.len() > bound {
        return Err(raw_size.map_or_else(|| too_large(max_size), wrong_size));
    }
    if decoder.total_in() != data.len() as u64 {
        return Err(Refused::new(Reason::Malformed, "bytes follow the zlib stream"));
    }
    Ok(raw)
}
