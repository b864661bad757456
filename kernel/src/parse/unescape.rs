//! The escapes of JSON strings.

use crate::batch::TooBig;
use crate::batch::span::Arena;

/// Writes `raw` (what stands between the quotes) without its escapes; false when one of them is no escape of JSON. A surrogate
/// that is not part of a pair becomes U+FFFD.
pub fn unescape(raw: &[u8], out: &mut Arena) -> Result<bool, TooBig> {
    let mark = out.mark();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend(&rest[..at])?;
        let Some((character, used)) = escape(&rest[at + 1..]) else {
            out.truncate(mark);
            return Ok(false);
        };
        out.extend(character.encode_utf8(&mut [0; 4]).as_bytes())?;
        rest = &rest[at + 1 + used..];
    }
    out.extend(rest)?;
    Ok(true)
}

/// Whether `unescape` would succeed.
pub fn is_valid(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let Some((_, used)) = escape(&rest[at + 1..]) else { return false };
        rest = &rest[at + 1 + used..];
    }
    true
}

/// The character behind a backslash, and how many bytes it takes there.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let simple = match text.first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(&text[1..]),
        _ => return None,
    };
    Some((simple, 1))
}

fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = hex(text)?;
    if (0xd800..0xdc00).contains(&unit)
        && text.get(4..6) == Some(br"\u")
        && let Some(low @ 0xdc00..0xe000) = hex(&text[6..])
    {
        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return Some((char::from_u32(code)?, 11));
    }
    Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
}

fn hex(text: &[u8]) -> Option<u32> {
    text.get(..4)?.iter().try_fold(0, |unit, b| Some(unit << 4 | char::from(*b).to_digit(16)?))
}
