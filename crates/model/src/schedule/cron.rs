//! Cron expressions of five fields, as POSIX specifies them for `crontab`, with the usual steps and names.
//! Implemented here because it is small, and because a dependency that skips a time would cause missed
//! recovery points that are hard to notice.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::InvalidSchedule;

/// The number of days to search ahead: there are at most 8 years between two 29 February (1896 and 1904, 2096
/// and 2104).
const DAYS: i64 = 8 * 366 + 1;

/// A cron expression: `minute hour day-of-month month day-of-week`, in UTC.
///
/// If both day fields are restricted, a date has to match only one of them, as in POSIX. A field is
/// unrestricted if it begins with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

struct Field {
    name: &'static str,
    range: RangeInclusive<u32>,
    names: &'static [&'static str],
}

const MINUTE: Field = Field {
    name: "minute",
    range: 0..=59,
    names: &[],
};
const HOUR: Field = Field {
    name: "hour",
    range: 0..=23,
    names: &[],
};
const DAY: Field = Field {
    name: "day of month",
    range: 1..=31,
    names: &[],
};
const MONTH: Field = Field {
    name: "month",
    range: 1..=12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
const WEEKDAY: Field = Field {
    name: "day of week",
    // 0 and 7 are both Sunday.
    range: 0..=7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

impl Field {
    fn wrong(&self, part: &str) -> InvalidSchedule {
        InvalidSchedule::Cron {
            field: self.name,
            part: part.to_owned(),
            expected: format!(
                "a number from {} to {}, a range a-b, *, or one of these with a step /n",
                self.range.start(),
                self.range.end()
            ),
        }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        if let Some(position) = named {
            return u32::try_from(position).ok().map(|p| p + self.range.start());
        }
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits)?;
        self.range.contains(&number).then_some(number)
    }

    /// Parses a field into a bit set of its numbers.
    fn parse(&self, text: &str) -> Result<u64, InvalidSchedule> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= self.part(part).ok_or_else(|| self.wrong(part))?;
        }
        Ok(bits)
    }

    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|s| *s > 0)?)),
            None => (part, None),
        };
        let (first, last) = if range == "*" {
            (*self.range.start(), *self.range.end())
        } else if let Some((first, last)) = range.split_once('-') {
            (self.number(first)?, self.number(last)?)
        } else {
            let first = self.number(range)?;
            // `5/15` means from 5 to the end of the range in steps of 15, as in other cron implementations
            // that accept it.
            (first, if step.is_some() { *self.range.end() } else { first })
        };
        if first > last {
            return None;
        }
        let numbers = (first..=last).step_by(step.unwrap_or(1) as usize);
        Some(numbers.fold(0, |bits, number| bits | 1 << number))
    }
}

impl FromStr for Cron {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(InvalidSchedule::Fields { found: fields.len() });
        };
        let weekdays = WEEKDAY.parse(weekday)?;
        Ok(Self {
            text: fields.join(" "),
            minutes: MINUTE.parse(minute)?,
            hours: HOUR.parse(hour)?,
            days: DAY.parse(day)?,
            months: MONTH.parse(month)?,
            weekdays: weekdays | (weekdays >> 7 & 1),
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        })
    }
}

impl Cron {
    /// Returns the first matching minute that begins after `after`, in UTC; `None` if there is none within 8
    /// years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after
            .checked_add(SignedDuration::from_secs(60))
            .ok()?
            .to_zoned(TimeZone::UTC)
            .datetime();
        // Seconds are dropped: the search starts at the minute after the one that contains `after`.
        let mut date = start.date();
        let mut from = (start.hour(), start.minute());
        for _ in 0..DAYS {
            if self.takes(date)
                && let Some((hour, minute)) = self.time(from)
            {
                let time = Time::new(hour, minute, 0, 0).ok()?;
                return Some(date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp());
            }
            date = date.checked_add(1.day()).ok()?;
            from = (0, 0);
        }
        None
    }

    fn takes(&self, date: Date) -> bool {
        let has = |bits: u64, number: i8| bits >> number & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let days = match (self.any_day, self.any_weekday) {
            (false, false) => day || weekday,
            _ => day && weekday,
        };
        days && has(self.months, date.month())
    }

    /// Returns the first matching time of the day at or after `from`.
    fn time(&self, from: (i8, i8)) -> Option<(i8, i8)> {
        let has = |bits: u64, number: i8| bits >> number & 1 == 1;
        (from.0..24)
            .filter(|hour| has(self.hours, *hour))
            .find_map(|hour| {
                let first = if hour == from.0 { from.1 } else { 0 };
                let minute = (first..60).find(|minute| has(self.minutes, *minute))?;
                Some((hour, minute))
            })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn next(cron: &str, after: &str) -> String {
        let cron: Cron = cron.parse().unwrap();
        cron.next_after(after.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn expressions_mean_what_crontab_means() {
        for (cron, after, expected) in [
            ("0 * * * *", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"),
            ("0 * * * *", "2026-11-21T09:59:59.5Z", "2026-11-21T10:00:00Z"),
            ("*/15 * * * *", "2026-11-21T10:15:00Z", "2026-11-21T10:30:00Z"),
            ("5/20 * * * *", "2026-11-21T10:26:00Z", "2026-11-21T10:45:00Z"),
            ("30 2 * * *", "2026-11-21T10:00:00Z", "2026-11-22T02:30:00Z"),
            // 21 November 2026 is a Saturday.
            ("0 0 * * MON", "2026-11-21T10:00:00Z", "2026-11-23T00:00:00Z"),
            ("0 0 * * 7", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z"),
            ("0 0 * * 0", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z"),
            (
                "0 8-17/3 * * mon-fri",
                "2026-11-23T11:00:00Z",
                "2026-11-23T14:00:00Z",
            ),
            // If both day fields are restricted, either one is enough.
            ("0 0 24 * MON", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
            ("0 0 1 JAN *", "2026-11-21T10:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
            ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron} after {after}");
        }
    }

    #[test]
    fn wrong_expressions_name_the_field() {
        for (wrong, says) in [
            ("", "this has 0"),
            ("* * * *", "this has 4"),
            ("60 * * * *", "cron field minute"),
            ("* 24 * * *", "cron field hour"),
            ("* * 0 * *", "cron field day of month"),
            ("* * * 13 *", "cron field month"),
            ("* * * * 8", "cron field day of week"),
            ("5-1 * * * *", "\"5-1\""),
            ("*/0 * * * *", "\"*/0\""),
            ("1,,2 * * * *", "\"\""),
            ("+5 * * * *", "\"+5\""),
            ("@hourly", "this has 1"),
        ] {
            let error = wrong.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
        let never: Cron = "0 0 30 2 *".parse().unwrap();
        assert_eq!(never.next_after(Timestamp::UNIX_EPOCH), None);
    }

    proptest! {
        /// The next time is the first matching minute, compared with a search minute by minute.
        #[test]
        fn nothing_is_skipped(
            minute in 0_u32..60, hour in 0_u32..24, weekday in 0_u32..7, step in 1_u32..30,
            second in 0_i64..4_000_000_000,
        ) {
            let after = Timestamp::from_second(second).unwrap();
            let text = format!("{minute}/{step} {hour},{} * * {weekday},{}", hour / 2, weekday / 2);
            let cron: Cron = text.parse().unwrap();
            let found = cron.next_after(after).unwrap();
            let mut at = Timestamp::from_second(second / 60 * 60 + 60).unwrap();
            loop {
                let time = at.to_zoned(TimeZone::UTC);
                let (m, h) = (time.minute() as u32, time.hour() as u32);
                let day = time.weekday().to_sunday_zero_offset() as u32;
                if m >= minute && (m - minute) % step == 0
                    && (h == hour || h == hour / 2) && (day == weekday || day == weekday / 2) {
                    break;
                }
                at += SignedDuration::from_secs(60);
            }
            prop_assert_eq!(found, at);
        }
    }
}
