//! When recovery points are made: every so often, or by a cron expression in UTC.

use std::fmt;
use std::str::FromStr;

use jiff::{Span, SpanRelativeTo, Timestamp};

mod cron;

pub use cron::Cron;

/// The shortest interval: the coordinator looks once a minute.
pub const SHORTEST_SECONDS: i64 = 60;

/// The longest interval. A recovery point that is older than a month is an archive.
pub const LONGEST_SECONDS: i64 = 31 * 86_400;

/// A schedule that cannot be read, or never comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Not a duration.
    #[error("{given:?} is not a duration such as 15m, 1h, 1h30m or 1d")]
    Duration {
        /// The text that was given.
        given: String,
    },
    /// A duration beyond what can be promised.
    #[error("{given:?} is not between one minute and 31 days")]
    Range {
        /// The text that was given.
        given: String,
    },
    /// Not a cron expression.
    #[error("cron field {field} is not valid: {part:?} is not {expected}")]
    Cron {
        /// The field's name.
        field: &'static str,
        /// The part that is wrong.
        part: String,
        /// What would be right.
        expected: String,
    },
    /// A cron expression with more or fewer fields.
    #[error("a cron expression has five fields (minute hour day month weekday); this has {found}")]
    Fields {
        /// How many were found.
        found: usize,
    },
    /// A date that no year has.
    #[error("{given:?} never matches a time")]
    Never {
        /// The text that was given.
        given: String,
    },
}

/// When recovery points are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At every multiple of so many seconds since 1970, so that `1h` means the full hour and nobody has
    /// to remember when the clock was started.
    Every {
        /// The interval in seconds, between [`SHORTEST_SECONDS`] and [`LONGEST_SECONDS`].
        seconds: i64,
    },
    /// By a cron expression in UTC.
    Cron(Cron),
}

impl Schedule {
    /// Every hour: what most recovery objectives ask for, and cheap enough to be the default.
    pub const DEFAULT: Self = Self::Every { seconds: 3600 };

    /// Reads an interval: `15m`, `1h30m`, `1d`.
    ///
    /// # Errors
    /// [`InvalidSchedule`].
    pub fn every(text: &str) -> Result<Self, InvalidSchedule> {
        let seconds = seconds(text).ok_or_else(|| InvalidSchedule::Duration {
            given: text.to_owned(),
        })?;
        if !(SHORTEST_SECONDS..=LONGEST_SECONDS).contains(&seconds) {
            return Err(InvalidSchedule::Range {
                given: text.to_owned(),
            });
        }
        Ok(Self::Every { seconds })
    }

    /// Reads a cron expression of five fields.
    ///
    /// # Errors
    /// [`InvalidSchedule`].
    pub fn cron(text: &str) -> Result<Self, InvalidSchedule> {
        let cron = Cron::from_str(text)?;
        // 1970 is as good as any year: expressions repeat after the 8 years that are searched.
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(Self::Cron(cron)),
            None => Err(InvalidSchedule::Never {
                given: text.to_owned(),
            }),
        }
    }

    /// The first time of the schedule that is later than `after`; none beyond the end of the calendar.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every { seconds } => {
                let slot = after.as_duration().as_secs().div_euclid(*seconds);
                // Before 1970 a fraction rounds towards it; the slot is then one too late at most.
                let next = slot.checked_add(1)?.checked_mul(*seconds)?;
                Timestamp::from_second(next).ok()
            }
            Self::Cron(cron) => cron.next_after(after),
        }
    }

    /// Whether a time of the schedule has come since `since`. However many were missed, they count as one.
    #[must_use]
    pub fn is_due(&self, since: Timestamp, now: Timestamp) -> bool {
        self.next_after(since).is_some_and(|next| next <= now)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every { seconds } => {
                f.write_str("every ")?;
                let mut rest = *seconds;
                for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
                    if rest >= unit {
                        write!(f, "{}{name}", rest / unit)?;
                        rest %= unit;
                    }
                }
                Ok(())
            }
            Self::Cron(cron) => write!(f, "cron {cron}"),
        }
    }
}

/// The whole seconds of a duration in jiff's friendly format, such as `15m`, `1h30m` or `1d`. A day has 24 hours: the
/// schedule is in UTC.
fn seconds(text: &str) -> Option<i64> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (duration.is_positive() && duration.subsec_nanos() == 0).then_some(duration.as_secs())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn intervals_fall_on_round_times() {
        for (every, after, next) in [
            ("1h", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"),
            ("1h", "2026-11-21T10:59:59.999Z", "2026-11-21T11:00:00Z"),
            ("15m", "2026-11-21T10:16:00Z", "2026-11-21T10:30:00Z"),
            ("1d", "2026-11-21T10:16:00Z", "2026-11-22T00:00:00Z"),
        ] {
            let schedule = Schedule::every(every).unwrap();
            assert_eq!(
                schedule.next_after(time(after)).unwrap(),
                time(next),
                "{every} {after}"
            );
        }
    }

    #[test]
    fn missed_times_count_as_one() {
        let hourly = Schedule::DEFAULT;
        let (since, now) = (time("2026-11-21T10:00:01Z"), time("2026-11-21T17:30:00Z"));
        assert!(hourly.is_due(since, now));
        assert!(
            !hourly.is_due(now, now),
            "once started, all that were missed are done"
        );
        assert!(!hourly.is_due(since, time("2026-11-21T10:59:59Z")));
    }

    #[test]
    fn durations_are_exact() {
        for (text, shown) in [
            ("90s", "every 1m30s"),
            ("1h30m", "every 1h30m"),
            ("60m", "every 1h"),
            ("1.5h", "every 1h30m"),
            ("1d", "every 1d"),
        ] {
            assert_eq!(Schedule::every(text).unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            "1",
            "h",
            "1x",
            "1m1h",
            "1h1h",
            "-1h",
            "1.5s",
            "59s",
            "32d",
            "9999999999999999999s",
        ] {
            assert!(Schedule::every(wrong).is_err(), "{wrong}");
        }
        assert!(Schedule::cron("0 0 31 2 *").is_err(), "a date that never comes");
    }
}
