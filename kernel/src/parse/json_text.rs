//! JSON as text (RFC 8259): where its pieces end. Control characters and invalid UTF-8 inside strings are taken as they are.

use crate::batch::span::Hay;
use crate::bytes::{Lanes, Reach, StringEnd};

/// Deepest nesting, the top-level object included.
pub const MAX_NESTING: usize = 512;

/// None where the text is not JSON.
pub type Place = Option<usize>;

#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub bytes: &'a [u8],
    reach: Reach,
}

impl<'a> Text<'a> {
    #[inline(always)]
    pub fn of(value: Hay<'a>) -> Text<'a> {
        Text { bytes: value.bytes, reach: Reach::of(value.bytes, value.slack) }
    }

    #[inline(always)]
    pub fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Behind `byte`, which must stand at `at`.
    #[inline(always)]
    pub fn expect(self, at: usize, byte: u8) -> Place {
        (self.byte(at) == Some(byte)).then_some(at + 1)
    }

    /// The first place from `at` on that is no white space.
    #[inline(always)]
    pub fn blank(self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte(at) {
            at += 1;
        }
        at
    }

    pub fn nothing_after(self, at: usize) -> Place {
        let end = self.blank(at);
        (end == self.bytes.len()).then_some(end)
    }

    /// The closing quote of the string that begins at `at`, and whether there are escapes before it.
    #[inline(always)]
    pub fn string<L: Lanes>(self, at: usize) -> Option<(usize, bool)> {
        let base = self.bytes.as_ptr();
        let mut escaped = false;
        let mut from = at;
        loop {
            if from > self.bytes.len() {
                return None;
            }
            // SAFETY: `from` is within the value.
            let found = unsafe { self.reach.first::<L>(base.add(from), StringEnd) } as usize - base as usize;
            match self.byte(found)? {
                b'"' => return Some((found, escaped)),
                _ => escaped = true,
            }
            from = found + 2;
        }
    }

    /// Behind the closing quote; escapes are checked.
    #[inline(always)]
    pub fn checked_string<L: Lanes>(self, at: usize) -> Place {
        let (end, escaped) = self.string::<L>(at)?;
        (!escaped || crate::parse::unescape::is_valid(&self.bytes[at..end])).then_some(end + 1)
    }

    /// The end of a number or a literal name.
    #[inline(always)]
    pub fn scalar(self, at: usize) -> Place {
        match self.byte(at)? {
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            b'n' => self.literal(at, b"null"),
            _ => self.number(at),
        }
    }

    #[inline(always)]
    fn literal(self, at: usize, name: &[u8]) -> Place {
        self.bytes[at..].starts_with(name).then_some(at + name.len())
    }

    #[inline(always)]
    fn number(self, at: usize) -> Place {
        let at = at + usize::from(self.byte(at) == Some(b'-'));
        let mut end = if self.byte(at) == Some(b'0') { at + 1 } else { self.digits(at)? };
        if self.byte(end) == Some(b'.') {
            end = self.digits(end + 1)?;
        }
        if let Some(b'e' | b'E') = self.byte(end) {
            let signed = matches!(self.byte(end + 1), Some(b'+' | b'-'));
            end = self.digits(end + 1 + usize::from(signed))?;
        }
        Some(end)
    }

    /// Behind one or more digits.
    #[inline(always)]
    fn digits(self, at: usize) -> Place {
        let mut end = at;
        while self.byte(end).is_some_and(|b| b.is_ascii_digit()) {
            end += 1;
        }
        (end > at).then_some(end)
    }
}

/// Goes over whole values and checks them.
#[derive(Default)]
pub struct Skipper {
    /// Open brackets inside a nested value.
    open: Vec<u8>,
}

impl Skipper {
    /// The end of the array or object at `at`, around which `around` others are open.
    #[inline(always)]
    pub fn nested<L: Lanes>(&mut self, text: Text, mut at: usize, around: usize) -> Place {
        self.open.clear();
        loop {
            // A value begins at `at`.
            match text.byte(at)? {
                open @ (b'{' | b'[') => {
                    if self.open.len() + around + 1 > MAX_NESTING {
                        return None;
                    }
                    self.open.push(open);
                    at = text.blank(at + 1);
                    let close = if open == b'{' { b'}' } else { b']' };
                    if text.byte(at)? == close {
                        self.open.pop();
                        at += 1;
                    } else {
                        if open == b'{' {
                            at = member::<L>(text, at)?;
                        }
                        continue;
                    }
                }
                b'"' => at = text.checked_string::<L>(at + 1)?,
                _ => at = text.scalar(at)?,
            }
            // A value has ended: close what closes, then go to the next.
            loop {
                let Some(open) = self.open.last() else { return Some(at) };
                at = text.blank(at);
                match (text.byte(at)?, open) {
                    (b',', b'{') => {
                        at = member::<L>(text, text.blank(at + 1))?;
                        break;
                    }
                    (b',', _) => {
                        at = text.blank(at + 1);
                        break;
                    }
                    (b'}', b'{') | (b']', b'[') => {
                        self.open.pop();
                        at += 1;
                    }
                    _ => return None,
                }
            }
        }
    }
}

/// From a member's key to the beginning of its value.
#[inline(always)]
fn member<L: Lanes>(text: Text, at: usize) -> Place {
    let end = text.checked_string::<L>(text.expect(at, b'"')?)?;
    Some(text.blank(text.expect(text.blank(end), b':')?))
}
