//! Time formats (docs/reference/time-formats.md): what a format reads from a value.

/// One step of a format.
#[derive(Clone, Debug)]
pub enum Token {
    Byte(u8),
    /// Any amount of white space, also none.
    Blank,
    /// A number of up to `digits` digits within a range.
    Number {
        what: What,
        digits: usize,
        least: u32,
        most: u32,
    },
    Weekday,
    Month,
    HalfDay,
    /// `%S`; then a fraction behind one of the marks.
    Seconds {
        marks: &'static [u8],
    },
    Fraction,
    Unix,
    Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Year,
    ShortYear,
    Century,
    Month,
    Day,
    DayOfYear,
    /// Monday is 1; 0 and 7 are Sunday.
    Weekday,
    SundayWeek,
    MondayWeek,
    IsoWeek,
    Hour,
    HalfHour,
    Minute,
}

/// Raises the directive that does not exist.
pub fn compile(format: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    append(format, &mut tokens)?;
    for at in 0..tokens.len() {
        // A fraction is left alone where the format itself goes on with its mark.
        let marks: &[u8] = match tokens.get(at + 1) {
            Some(Token::Byte(b'.')) => b",",
            Some(Token::Byte(b',')) => b".",
            _ => b".,",
        };
        if let Token::Seconds { marks: old } = &mut tokens[at] {
            *old = marks;
        }
    }
    Ok(tokens)
}

fn append(format: &str, tokens: &mut Vec<Token>) -> Result<(), String> {
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => directive(characters.next(), tokens)?,
            ' ' | '\t'..='\r' => tokens.push(Token::Blank),
            other => tokens.extend(other.encode_utf8(&mut [0; 4]).bytes().map(Token::Byte)),
        }
    }
    Ok(())
}

fn directive(letter: Option<char>, tokens: &mut Vec<Token>) -> Result<(), String> {
    let letter = letter.ok_or_else(|| "a `%` at its end".to_owned())?;
    let number = |what, digits, least, most| Token::Number { what, digits, least, most };
    tokens.push(match letter {
        'Y' => number(What::Year, 4, 0, 9999),
        'y' => number(What::ShortYear, 2, 0, 99),
        'C' => number(What::Century, 2, 0, 99),
        'm' => number(What::Month, 2, 1, 12),
        'd' | 'e' => number(What::Day, 2, 1, 31),
        'j' => number(What::DayOfYear, 3, 1, 366),
        'u' => number(What::Weekday, 1, 1, 7),
        'w' => number(What::Weekday, 1, 0, 6),
        'U' => number(What::SundayWeek, 2, 0, 53),
        'W' => number(What::MondayWeek, 2, 0, 53),
        'V' => number(What::IsoWeek, 2, 1, 53),
        'H' => number(What::Hour, 2, 0, 23),
        'I' => number(What::HalfHour, 2, 1, 12),
        'M' => number(What::Minute, 2, 0, 59),
        'S' => Token::Seconds { marks: b"" },
        'a' | 'A' => Token::Weekday,
        'b' | 'B' | 'h' => Token::Month,
        'p' => Token::HalfDay,
        'f' => Token::Fraction,
        's' => Token::Unix,
        'z' => Token::Zone,
        'n' | 't' => Token::Blank,
        '%' => Token::Byte(b'%'),
        'R' => return append("%H:%M", tokens),
        'T' | 'X' => return append("%H:%M:%S", tokens),
        'r' => return append("%I:%M:%S %p", tokens),
        'D' | 'x' => return append("%m/%d/%y", tokens),
        'F' => return append("%Y-%m-%d", tokens),
        'c' => return append("%a %b %e %H:%M:%S %Y", tokens),
        other => return Err(format!("the unknown directive `%{other}`")),
    });
    Ok(())
}

/// What was read; the last of what stands twice.
#[derive(Clone, Debug, Default)]
pub struct Read {
    pub year: Option<u32>,
    pub short_year: Option<u32>,
    pub century: Option<u32>,
    pub month: Option<u32>,
    pub named_month: Option<u32>,
    pub day: Option<u32>,
    pub day_of_year: Option<u32>,
    /// Monday is 0.
    pub weekday: Option<u32>,
    pub sunday_week: Option<u32>,
    pub monday_week: Option<u32>,
    pub hour: u32,
    /// Whether `hour` is one of the half day.
    pub half: bool,
    pub afternoon: bool,
    pub minute: u32,
    pub second: u32,
    pub fraction: u32,
    /// Seconds east of UTC.
    pub zone: Option<i32>,
    /// A Unix time in nanoseconds, and whether it was one of whole seconds.
    pub unix: Option<(i128, bool)>,
}

impl Read {
    /// From the beginning of `value`; None where it does not fit.
    pub fn from_value(tokens: &[Token], value: &[u8]) -> Option<Read> {
        let mut read = Read::default();
        let mut rest = value;
        for token in tokens {
            rest = read.token(token, rest)?;
        }
        Some(read)
    }

    fn token<'v>(&mut self, token: &Token, value: &'v [u8]) -> Option<&'v [u8]> {
        match token {
            Token::Byte(byte) => (value.first() == Some(byte)).then(|| &value[1..]),
            Token::Blank => Some(skip(value, |b| matches!(b, b' ' | b'\t'..=b'\r'))),
            Token::Number { what, digits, least, most } => {
                let (number, rest) = number(value, *digits)?;
                (*least..=*most).contains(&number).then_some(())?;
                self.put(*what, number);
                Some(rest)
            }
            Token::Weekday => {
                let (index, rest) = name(&WEEKDAYS, value)?;
                self.weekday = Some(index);
                Some(rest)
            }
            Token::Month => {
                let (index, rest) = name(&MONTHS, value)?;
                self.named_month = Some(index + 1);
                Some(rest)
            }
            Token::HalfDay => {
                let text = value.get(..2)?;
                self.afternoon = text.eq_ignore_ascii_case(b"pm");
                (self.afternoon || text.eq_ignore_ascii_case(b"am")).then(|| &value[2..])
            }
            Token::Seconds { marks } => {
                let (number, rest) = number(value, 2)?;
                self.second = (number <= 60).then_some(number)?;
                Some(match rest {
                    [mark, first, ..] if marks.contains(mark) && first.is_ascii_digit() => self.fraction(&rest[1..], usize::MAX),
                    _ => rest,
                })
            }
            Token::Fraction => value.first()?.is_ascii_digit().then(|| self.fraction(value, 9)),
            Token::Unix => self.unix(skip(value, |b| b == b' ')),
            Token::Zone => self.zone(skip(value, |b| b == b' ')),
        }
    }

    fn put(&mut self, what: What, number: u32) {
        match what {
            What::Year => self.year = Some(number),
            What::ShortYear => self.short_year = Some(number),
            What::Century => self.century = Some(number),
            What::Month => self.month = Some(number),
            What::Day => self.day = Some(number),
            What::DayOfYear => self.day_of_year = Some(number),
            What::Weekday => self.weekday = Some((number + 6) % 7),
            What::SundayWeek => self.sunday_week = Some(number),
            What::MondayWeek => self.monday_week = Some(number),
            What::IsoWeek => {}
            What::Hour => (self.hour, self.half) = (number, false),
            What::HalfHour => (self.hour, self.half) = (number, true),
            What::Minute => self.minute = number,
        }
    }

    /// Reads up to `most` digits, of which nine count.
    fn fraction<'v>(&mut self, value: &'v [u8], most: usize) -> &'v [u8] {
        let rest = skip(value, |b| b.is_ascii_digit());
        let digits = (value.len() - rest.len()).min(most);
        let counted = value[..digits.min(9)].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
        self.fraction = counted * 10u32.pow(9 - digits.min(9) as u32);
        &value[digits..]
    }

    fn unix<'v>(&mut self, value: &'v [u8]) -> Option<&'v [u8]> {
        let rest = skip(value, |b| b.is_ascii_digit());
        let digits = &value[..value.len() - rest.len()];
        let unit = match digits.len() {
            10 => 1_000_000_000,
            13 => 1_000_000,
            16 => 1_000,
            19 => 1,
            _ => return None,
        };
        let number = digits.iter().fold(0i128, |n, b| n * 10 + i128::from(b - b'0'));
        self.unix = Some((number * unit, digits.len() == 10));
        Some(rest)
    }

    fn zone<'v>(&mut self, value: &'v [u8]) -> Option<&'v [u8]> {
        if let [b'Z' | b'z', rest @ ..] = value {
            self.zone = Some(0);
            return Some(rest);
        }
        let (sign, rest) = match value {
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        let hours = two_digits(rest)?;
        let rest = &rest[2..];
        let after_colon = rest.strip_prefix(b":").unwrap_or(rest);
        let (minutes, rest) = two_digits(after_colon).map_or((0, rest), |minutes| (minutes, &after_colon[2..]));
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.zone = Some(sign * (hours * 3600 + minutes * 60));
        Some(rest)
    }
}

const WEEKDAYS: [&[u8]; 7] = [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];
const MONTHS: [&[u8]; 12] =
    [b"january", b"february", b"march", b"april", b"may", b"june", b"july", b"august", b"september", b"october", b"november", b"december"];

fn skip(value: &[u8], passed: impl Fn(u8) -> bool) -> &[u8] {
    &value[value.iter().position(|b| !passed(*b)).unwrap_or(value.len())..]
}

/// As many digits as there may be, after spaces.
#[inline]
fn number(value: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let value = if value.first() == Some(&b' ') { skip(value, |b| b == b' ') } else { value };
    let count = value.iter().take(digits).take_while(|b| b.is_ascii_digit()).count();
    let (text, rest) = value.split_at(count);
    (count > 0).then(|| (text.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')), rest))
}

fn two_digits(value: &[u8]) -> Option<i32> {
    let text = value.get(..2)?;
    text.iter().all(u8::is_ascii_digit).then(|| i32::from(text[0] - b'0') * 10 + i32::from(text[1] - b'0'))
}

/// A full name or its first three letters, in any case.
fn name<'v>(names: &[&[u8]], value: &'v [u8]) -> Option<(u32, &'v [u8])> {
    let short = value.get(..3)?;
    let index = names.iter().position(|name| name[..3].eq_ignore_ascii_case(short))?;
    let full = names[index];
    let len = if value.get(..full.len()).is_some_and(|text| text.eq_ignore_ascii_case(full)) { full.len() } else { 3 };
    Some((index as u32, &value[len..]))
}
