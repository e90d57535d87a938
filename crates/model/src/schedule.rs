//! Schedules of recovery points: an interval, or a cron expression in UTC.

use std::fmt;
use std::str::FromStr;

use jiff::{Span, SpanRelativeTo, Timestamp};

mod cron;

pub use cron::Cron;

/// The shortest interval in seconds: the coordinator runs once a minute.
pub const SHORTEST_SECONDS: i64 = 60;

/// The longest interval in seconds (31 days). A recovery point that is older than a month is an archive.
pub const LONGEST_SECONDS: i64 = 31 * 86_400;

/// The error for a schedule that cannot be parsed, or that has no times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// The text is not a duration.
    #[error("{given:?} is not a duration such as 15m, 1h, 1h30m or 1d")]
    Duration {
        /// The text that was given.
        given: String,
    },
    /// The duration is not between [`SHORTEST_SECONDS`] and [`LONGEST_SECONDS`].
    #[error("{given:?} is not between one minute and 31 days")]
    Range {
        /// The text that was given.
        given: String,
    },
    /// A field of a cron expression is not valid.
    #[error("cron field {field} is not valid: {part:?} is not {expected}")]
    Cron {
        /// The name of the field.
        field: &'static str,
        /// The part that is not valid.
        part: String,
        /// What is valid there.
        expected: String,
    },
    /// A cron expression does not have five fields.
    #[error("a cron expression has five fields (minute hour day month weekday); this has {found}")]
    Fields {
        /// The number of fields that were found.
        found: usize,
    },
    /// A cron expression matches no date of any year.
    #[error("{given:?} never matches a time")]
    Never {
        /// The text that was given.
        given: String,
    },
}

/// When recovery points are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At every multiple of the interval since the Unix epoch, so that `1h` means every full hour,
    /// independent of when the application was registered.
    Every {
        /// The interval in seconds, between [`SHORTEST_SECONDS`] and [`LONGEST_SECONDS`].
        seconds: i64,
    },
    /// By a cron expression in UTC.
    Cron(Cron),
}

impl Schedule {
    /// Every hour, which meets most recovery point objectives at a low cost.
    pub const DEFAULT: Self = Self::Every { seconds: 3600 };

    /// Parses an interval, such as `15m`, `1h30m` or `1d`.
    ///
    /// # Errors
    /// [`InvalidSchedule`] if the text is not a duration, or out of range.
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

    /// Parses a cron expression of five fields.
    ///
    /// # Errors
    /// [`InvalidSchedule`] if the expression is not valid, or matches no date.
    pub fn cron(text: &str) -> Result<Self, InvalidSchedule> {
        let cron = Cron::from_str(text)?;
        // Any start works: expressions repeat within the 8 years that are searched.
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(Self::Cron(cron)),
            None => Err(InvalidSchedule::Never {
                given: text.to_owned(),
            }),
        }
    }

    /// Returns the first time of the schedule after `after`; `None` beyond the end of the calendar.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every { seconds } => {
                let slot = after.as_duration().as_secs().div_euclid(*seconds);
                // Before 1970, `as_secs` truncates a fraction toward the epoch, so the slot is at most one
                // too late.
                let next = slot.checked_add(1)?.checked_mul(*seconds)?;
                Timestamp::from_second(next).ok()
            }
            Self::Cron(cron) => cron.next_after(after),
        }
    }

    /// Whether the schedule has a time after `since` and not after `now`. Several missed times count as one.
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

/// Returns the whole seconds of a duration in jiff's friendly format, such as `15m`, `1h30m` or `1d`. A day
/// has 24 hours because the schedule is in UTC.
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
