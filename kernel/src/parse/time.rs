//! The event time from a field: what a format has read, as nanoseconds since the epoch.

use std::mem;

use super::Failures;
use super::time_format::{Read, Token};
use crate::batch::Batch;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
/// Leap years are at most this far apart; so far back a 29 February looks for one.
const LEAP_SEARCH: i64 = 8;

/// What a value may leave open.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Seconds east of UTC.
    pub offset: i32,
    pub year: Option<i32>,
    pub now: i64,
}

impl Batch {
    /// Sets the time of every row that has the field. A failed row keeps its time and its field.
    pub fn parse_time(&mut self, source: &[u8], tokens: &[Token], clock: Clock, keep_source: bool) -> Failures {
        let key = self.keys.matcher(source);
        let mut times = mem::take(&mut self.times);
        let mut failures = Failures::default();
        let mut spent = Vec::new();
        for (row, time) in times.iter_mut().enumerate() {
            let bytes = Batch::bytes(self);
            let Some(at) = self.row(row).iter().position(|f| key.is(f.key, &self.keys, bytes)) else { continue };
            let index = self.starts[row] as usize + at;
            let value = bytes.get(self.fields[index].span);
            match Read::from_value(tokens, value).and_then(|read| clock.instant(&read)) {
                Some(instant) => {
                    *time = instant;
                    spent.push(index);
                }
                None => failures.note(row, value),
            }
        }
        self.times = times;
        if !keep_source {
            self.remove_fields(&spent);
        }
        failures
    }

    /// `indexes` into all fields, ascending.
    fn remove_fields(&mut self, indexes: &[usize]) {
        let mut gone = indexes.iter().peekable();
        let (mut from, mut to) = (0, 0);
        for row in 1..self.starts.len() {
            let end = self.starts[row] as usize;
            while from < end {
                if gone.next_if(|index| **index == from).is_none() {
                    self.fields[to] = self.fields[from];
                    to += 1;
                }
                from += 1;
            }
            self.starts[row] = to as u32;
        }
        self.fields.truncate(to);
    }
}

impl Clock {
    /// None when the parts make no time between 1970 and 2262.
    pub(super) fn instant(&self, read: &Read) -> Option<i64> {
        if let Some((unix, whole)) = read.unix {
            let fraction = if whole { i128::from(read.fraction) } else { 0 };
            return i64::try_from(unix + fraction).ok();
        }
        let seconds = self.seconds(read)?;
        let time = i128::from(seconds) * i128::from(SECOND) + i128::from(read.fraction);
        i64::try_from(time).ok().filter(|time| *time >= 0)
    }

    fn seconds(&self, read: &Read) -> Option<i64> {
        let hour = if read.half { read.hour % 12 + if read.afternoon { 12 } else { 0 } } else { read.hour };
        let offset = read.zone.unwrap_or(self.offset);
        let in_day = i64::from(hour * 3600 + read.minute * 60 + read.second) - i64::from(offset);
        if let Some(year) = written_year(read).or(self.year.map(i64::from)) {
            return Some(day(year, read)? * DAY + in_day);
        }
        // The latest year that does not put the time beyond one day after now; a zone may be a year ahead.
        let limit = self.now.div_euclid(SECOND) + DAY;
        let newest = year_of(limit.div_euclid(DAY)) + 1;
        let years = (newest - LEAP_SEARCH - 1..=newest).rev();
        years.filter_map(|year| Some(day(year, read)? * DAY + in_day)).find(|seconds| *seconds <= limit)
    }
}

fn written_year(read: &Read) -> Option<i64> {
    let short = read.short_year.map(i64::from);
    match (read.year, read.century) {
        (Some(year), _) => Some(i64::from(year)),
        (None, Some(century)) => Some(i64::from(century) * 100 + short.unwrap_or(0)),
        (None, None) => short.map(|short| short + if short >= 69 { 1900 } else { 2000 }),
    }
}

/// Days since the epoch; None for a day that the year does not have.
fn day(year: i64, read: &Read) -> Option<i64> {
    if !(1..=9999).contains(&year) {
        return None;
    }
    let month = read.named_month.or(read.month);
    if month.is_some() || read.day.is_some() {
        let (month, day) = (month.unwrap_or(1), read.day.unwrap_or(1));
        return (day <= days_in_month(year, month)).then(|| days_from_civil(year, month, day));
    }
    let january = days_from_civil(year, 1, 1);
    if let Some(number) = read.day_of_year {
        return (number <= 365 + u32::from(is_leap(year))).then(|| january + i64::from(number) - 1);
    }
    let week = read.sunday_week.map(|week| (week, 6)).or(read.monday_week.map(|week| (week, 0)));
    if let (Some(weekday), Some((week, first))) = (read.weekday, week) {
        // Week 1 begins with the first Sunday, or Monday, of the year. 1970-01-01 was a Thursday (3).
        let to_first = (first - (january + 3)).rem_euclid(7);
        let days_in = (i64::from(weekday) - first).rem_euclid(7);
        return Some(january + to_first + (i64::from(week) - 1) * 7 + days_in);
    }
    Some(january)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin on 1 March.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year of a day since the epoch.
fn year_of(days: i64) -> i64 {
    let guess = 1970 + days.div_euclid(366);
    (guess..).take_while(|year| days_from_civil(*year, 1, 1) <= days).last().unwrap_or(guess)
}
