//! Sets of bytes, and finding the first byte of a set: the innermost loops of splitting and parsing.
//!
//! Wide code is chosen once per batch operation ([`wide`]), not per call: the loops are generic over [`Lanes`] and inlined into
//! one copy compiled for AVX2 and one for every machine.

/// A set of bytes, with the tables that let 32 bytes be tested at once.
#[derive(Clone, PartialEq, Eq)]
pub struct ByteSet {
    bits: [u64; 4],
    /// By low nibble, one bit per high nibble 0–7, and 8–15.
    low: [u8; 16],
    high: [u8; 16],
}

impl ByteSet {
    pub const NONE: ByteSet = ByteSet { bits: [0; 4], low: [0; 16], high: [0; 16] };

    pub fn all() -> ByteSet {
        ByteSet::of(|_| true)
    }

    pub fn of(member: impl Fn(u8) -> bool) -> ByteSet {
        let mut set = ByteSet::NONE;
        (0..=255).filter(|b| member(*b)).for_each(|b| set.insert(b));
        set
    }

    pub fn one(byte: u8) -> ByteSet {
        ByteSet::of(|b| b == byte)
    }

    pub fn insert(&mut self, byte: u8) {
        self.bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
        let table = if byte < 128 { &mut self.low } else { &mut self.high };
        table[usize::from(byte & 15)] |= 1 << (byte >> 4 & 7);
    }

    #[inline(always)]
    pub fn has(&self, byte: u8) -> bool {
        self.bits[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    pub fn len(&self) -> usize {
        self.bits.iter().map(|b| b.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.bits == [0; 4]
    }

    pub fn not(&self) -> ByteSet {
        ByteSet::of(|b| !self.has(b))
    }

    pub fn or(&self, other: &ByteSet) -> ByteSet {
        ByteSet::of(|b| self.has(b) || other.has(b))
    }

    pub fn meets(&self, other: &ByteSet) -> bool {
        (0..4).any(|i| self.bits[i] & other.bits[i] != 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=255).filter(|b| self.has(*b))
    }

    /// Inclusive ranges, ascending.
    pub fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some(last) if last.1 + 1 == byte => last.1 = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}

/// What ends a run.
#[derive(Clone, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// Nothing but the end of the value.
    Never,
    Byte(u8),
    Set(Box<ByteSet>),
}

impl Stop {
    pub fn at(set: &ByteSet) -> Stop {
        match set.len() {
            0 => Stop::Never,
            1 => Stop::Byte(set.iter().next().unwrap_or_default()),
            _ => Stop::Set(Box::new(set.clone())),
        }
    }
}

/// One way of looking at many bytes at once.
pub trait Lanes: Copy {
    /// Bytes that one step looks at, at most 64; 0: no wide steps.
    const WIDTH: usize;

    /// One bit per byte that equals `byte`.
    ///
    /// # Safety
    /// `WIDTH` bytes are readable at `at`, and the machine has these lanes.
    unsafe fn equal(at: *const u8, byte: u8) -> u64;

    /// One bit per byte that ends a plain stretch of a JSON string: quote or backslash. Safety: as `equal`.
    unsafe fn string_end(at: *const u8) -> u64;

    /// One bit per byte in the set. Safety: as `equal`.
    unsafe fn member(at: *const u8, set: &ByteSet) -> u64;

    /// Whether every byte lies between those of `low` and `high` at its place. Safety: as `equal`.
    unsafe fn between(at: *const u8, low: &[u8; 32], high: &[u8; 32]) -> bool;
}

/// Byte by byte: any machine.
#[derive(Clone, Copy)]
pub struct Narrow;

impl Lanes for Narrow {
    const WIDTH: usize = 0;

    unsafe fn equal(_: *const u8, _: u8) -> u64 {
        0
    }

    unsafe fn string_end(_: *const u8) -> u64 {
        0
    }

    unsafe fn member(_: *const u8, _: &ByteSet) -> u64 {
        0
    }

    unsafe fn between(_: *const u8, _: &[u8; 32], _: &[u8; 32]) -> bool {
        false
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    const WIDTH: usize = 32;

    #[inline(always)]
    unsafe fn equal(at: *const u8, byte: u8) -> u64 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe {
            let chunk = _mm256_loadu_si256(at.cast());
            u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(chunk, _mm256_set1_epi8(byte as i8))) as u32)
        }
    }

    #[inline(always)]
    unsafe fn string_end(at: *const u8) -> u64 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe {
            let chunk = _mm256_loadu_si256(at.cast());
            let quote = _mm256_cmpeq_epi8(chunk, _mm256_set1_epi8(b'"' as i8));
            let backslash = _mm256_cmpeq_epi8(chunk, _mm256_set1_epi8(b'\\' as i8));
            u64::from(_mm256_movemask_epi8(_mm256_or_si256(quote, backslash)) as u32)
        }
    }

    #[inline(always)]
    unsafe fn member(at: *const u8, set: &ByteSet) -> u64 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise; the tables are 16 bytes each. A shuffle index with its top bit set gives 0, so the low
        // table answers for bytes below 128 and, after flipping that bit, the high table for the others.
        unsafe {
            let chunk = _mm256_loadu_si256(at.cast());
            let low = _mm256_broadcastsi128_si256(_mm_loadu_si128(set.low.as_ptr().cast()));
            let high = _mm256_broadcastsi128_si256(_mm_loadu_si128(set.high.as_ptr().cast()));
            let bit = _mm256_setr_epi8(
                1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128, //
                1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128,
            );
            let row = _mm256_or_si256(
                _mm256_shuffle_epi8(low, chunk),
                _mm256_shuffle_epi8(high, _mm256_xor_si256(chunk, _mm256_set1_epi8(-128))),
            );
            let nibble = _mm256_and_si256(_mm256_srli_epi16::<4>(chunk), _mm256_set1_epi8(15));
            let hit = _mm256_and_si256(row, _mm256_shuffle_epi8(bit, nibble));
            u64::from(!_mm256_movemask_epi8(_mm256_cmpeq_epi8(hit, _mm256_setzero_si256())) as u32)
        }
    }

    #[inline(always)]
    unsafe fn between(at: *const u8, low: &[u8; 32], high: &[u8; 32]) -> bool {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe {
            let chunk = _mm256_loadu_si256(at.cast());
            let above = _mm256_cmpeq_epi8(_mm256_max_epu8(chunk, _mm256_loadu_si256(low.as_ptr().cast())), chunk);
            let below = _mm256_cmpeq_epi8(_mm256_min_epu8(chunk, _mm256_loadu_si256(high.as_ptr().cast())), chunk);
            _mm256_movemask_epi8(_mm256_and_si256(above, below)) == -1
        }
    }
}

/// Whether [`Avx2`] may be used.
#[inline]
pub fn wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Runs `$body` with `$lanes` standing for the widest lanes of this machine, compiled for them.
///
/// The body must be a call of a generic function marked `#[inline(always)]`.
#[macro_export]
macro_rules! with_lanes {
    ($lanes:ident => $output:ty, ($($arg:ident: $type:ty),* $(,)?), $body:expr) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn compiled_wide($($arg: $type),*) -> $output {
                type $lanes = $crate::bytes::Avx2;
                $body
            }
            if $crate::bytes::wide() {
                // SAFETY: the features were detected.
                return unsafe { compiled_wide($($arg),*) };
            }
        }
        {
            type $lanes = $crate::bytes::Narrow;
            $body
        }
    }};
}

/// A stretch of bytes to search: `[at, end)`, with readable bytes up to `limit`.
#[derive(Clone, Copy)]
pub struct Reach {
    pub end: *const u8,
    pub limit: *const u8,
}

impl Reach {
    #[inline(always)]
    pub fn of(bytes: &[u8], slack: usize) -> Reach {
        let end = bytes.as_ptr_range().end;
        // SAFETY: `slack` bytes behind the value belong to the same allocation.
        Reach { end, limit: unsafe { end.add(slack) } }
    }

    #[inline(always)]
    fn left(self, at: *const u8) -> usize {
        self.limit as usize - at as usize
    }

    /// The first place at or after `at` that the test wants, or `end`.
    ///
    /// # Safety
    /// `at ≤ end ≤ limit` lie in one allocation; the machine has lanes `L`.
    #[inline(always)]
    pub unsafe fn first<L: Lanes>(self, mut at: *const u8, test: impl Test) -> *const u8 {
        // SAFETY: every read stays below `limit`.
        unsafe {
            while L::WIDTH > 0 && self.left(at) >= L::WIDTH {
                let mask = test.wide::<L>(at);
                if mask != 0 {
                    return self.end.min(at.add(mask.trailing_zeros() as usize));
                }
                at = at.add(L::WIDTH);
                if at >= self.end {
                    return self.end;
                }
            }
            while at < self.end && !test.narrow(*at) {
                at = at.add(1);
            }
            at.min(self.end)
        }
    }

    /// # Safety
    /// As [`Reach::first`].
    #[inline(always)]
    pub unsafe fn stop<L: Lanes>(self, at: *const u8, stop: &Stop) -> *const u8 {
        // SAFETY: passed on.
        unsafe {
            match stop {
                Stop::Never => self.end,
                Stop::Byte(byte) => self.first::<L>(at, Equal(*byte)),
                Stop::Set(set) => self.first::<L>(at, Member(set)),
            }
        }
    }
}

/// What a search looks for. Types instead of closures: these are inlined into the code compiled for the lanes.
pub trait Test: Copy {
    /// # Safety
    /// As [`Lanes::equal`].
    unsafe fn wide<L: Lanes>(self, at: *const u8) -> u64;
    fn narrow(self, byte: u8) -> bool;
}

#[derive(Clone, Copy)]
pub struct Equal(pub u8);

impl Test for Equal {
    #[inline(always)]
    unsafe fn wide<L: Lanes>(self, at: *const u8) -> u64 {
        // SAFETY: passed on.
        unsafe { L::equal(at, self.0) }
    }

    #[inline(always)]
    fn narrow(self, byte: u8) -> bool {
        byte == self.0
    }
}

#[derive(Clone, Copy)]
pub struct Member<'s>(pub &'s ByteSet);

impl Test for Member<'_> {
    #[inline(always)]
    unsafe fn wide<L: Lanes>(self, at: *const u8) -> u64 {
        // SAFETY: passed on.
        unsafe { L::member(at, self.0) }
    }

    #[inline(always)]
    fn narrow(self, byte: u8) -> bool {
        self.0.has(byte)
    }
}

/// A quote or a backslash: what ends a plain stretch of a JSON string.
#[derive(Clone, Copy)]
pub struct StringEnd;

impl Test for StringEnd {
    #[inline(always)]
    unsafe fn wide<L: Lanes>(self, at: *const u8) -> u64 {
        // SAFETY: passed on.
        unsafe { L::string_end(at) }
    }

    #[inline(always)]
    fn narrow(self, byte: u8) -> bool {
        byte == b'"' || byte == b'\\'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every machine must find the same places: the wide code against the byte-by-byte code, at every offset and end.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn wide_and_narrow_searches_agree() {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn wide_place(data: &[u8], at: usize, end: usize, stop: &Stop) -> usize {
            place::<Avx2>(data, at, end, stop)
        }
        if !wide() {
            return;
        }
        let data: Vec<u8> = (0..200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let sets = [
            ByteSet::one(b'x'),
            ByteSet::of(|b| b > 200),
            ByteSet::of(|b| b.is_ascii_digit()),
            ByteSet::of(|b| b % 17 == 3),
            ByteSet::NONE,
        ];
        for stop in sets.iter().map(Stop::at) {
            for at in 0..data.len() {
                for end in (at..=data.len()).step_by(7) {
                    // SAFETY: the features were detected.
                    let found = unsafe { wide_place(&data, at, end, &stop) };
                    assert_eq!(found, place::<Narrow>(&data, at, end, &stop), "from {at} to {end}");
                }
            }
        }
    }

    #[inline(always)]
    fn place<L: Lanes>(data: &[u8], at: usize, end: usize, stop: &Stop) -> usize {
        let reach = Reach::of(&data[..end], data.len() - end);
        // SAFETY: within the data; the caller has chosen the lanes.
        unsafe { reach.stop::<L>(data.as_ptr().add(at), stop) as usize - data.as_ptr() as usize }
    }

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let set = ByteSet::of(|b| b.is_ascii_punctuation() || b >= 250);
        assert_eq!(set.iter().collect::<Vec<_>>(), (0..=255).filter(|b: &u8| b.is_ascii_punctuation() || *b >= 250).collect::<Vec<_>>());
        assert_eq!(set.not().not().ranges(), set.ranges());
    }
}
