//! Digests of bodies (as headers want them) and fingerprints of ranges.

use md5::Md5;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_128;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    None,
    Md5,
    Sha256,
}

impl Digest {
    /// Lower hex for SHA-256, upper hex for MD5, empty for none.
    pub fn of(self, data: &[u8]) -> String {
        match self {
            Digest::None => String::new(),
            Digest::Md5 => hex(&Md5::digest(data), b"0123456789ABCDEF"),
            Digest::Sha256 => hex(&Sha256::digest(data), b"0123456789abcdef"),
        }
    }
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    bytes.iter().flat_map(|b| [digits[usize::from(b >> 4)], digits[usize::from(b & 15)]]).map(char::from).collect()
}

pub fn fingerprint(data: &[u8]) -> [u8; 16] {
    xxh3_128(data).to_be_bytes()
}
