//! Protobuf's variable-length integers, and the wire types of its fields.

pub const VARINT: u8 = 0;
pub const FIXED64: u8 = 1;
pub const LENGTH: u8 = 2;
pub const FIXED32: u8 = 5;

/// Bytes that `value` takes.
#[inline(always)]
pub fn size(value: usize) -> usize {
    if value < 128 {
        return 1;
    }
    // Seven bits a byte: ⌈bits / 7⌉.
    (70 - (value as u64).leading_zeros() as usize) / 7
}

/// Reads one; None when it is cut off or longer than ten bytes.
#[inline(always)]
pub fn read(data: &[u8], at: &mut usize) -> Option<u64> {
    let first = *data.get(*at)?;
    *at += 1;
    if first < 128 {
        return Some(u64::from(first));
    }
    read_more(data, at, u64::from(first & 127))
}

fn read_more(data: &[u8], at: &mut usize, mut value: u64) -> Option<u64> {
    for shift in (7..70).step_by(7) {
        let byte = *data.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 127).checked_shl(shift).unwrap_or(0);
        if byte < 128 {
            return Some(value);
        }
    }
    None
}
