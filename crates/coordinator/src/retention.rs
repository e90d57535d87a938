//! Which recovery points are kept, and why: grandfather, father, son.
//!
//! Of each period (hour, day, week, month, all in UTC) the newest good point is kept, for as many
//! periods that hold points as the application says. A point is deleted only where nothing keeps it.
//!
//! Whatever the rules say, these are kept: the last good point, everything younger than [`SAFETY`], and
//! every point that a restore needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use lifeboat_format::manifest::Completeness;
use lifeboat_model::{RecoveryPointId, Retention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No point that is younger is ever deleted, so that a wrong rule can be corrected within a day before it
/// costs anything.
pub const SAFETY: SignedDuration = SignedDuration::from_hours(24);

/// What retention has to know of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointFacts {
    /// The point.
    pub point: RecoveryPointId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// Whether its last check in the vault failed. Such a point is never good.
    pub damaged: bool,
    /// Whether a restore needs it.
    pub in_use: bool,
}

/// Why a point is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Reason {
    /// It is the last good one: the newest complete one, or the newest where none is complete.
    LatestGood,
    /// It is among the newest.
    Last,
    /// It stands for an hour: `2026-11-20 10:00`.
    Hourly(String),
    /// It stands for a day: `2026-11-20`.
    Daily(String),
    /// It stands for a week: `2026-W47`.
    Weekly(String),
    /// It stands for a month: `2026-11`.
    Monthly(String),
    /// A restore needs it.
    InUse,
    /// It is younger than [`SAFETY`].
    Young,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LatestGood => f.write_str("latest good"),
            Self::Last => f.write_str("last"),
            Self::Hourly(hour) => write!(f, "hourly {hour}"),
            Self::Daily(day) => write!(f, "daily {day}"),
            Self::Weekly(week) => write!(f, "weekly {week}"),
            Self::Monthly(month) => write!(f, "monthly {month}"),
            Self::InUse => f.write_str("needed by a restore"),
            Self::Young => f.write_str("younger than a day"),
        }
    }
}

/// How good a point is; more is better.
fn rank(point: &PointFacts) -> u8 {
    match (point.damaged, point.completeness) {
        (true, _) => 0,
        (false, Completeness::Partial) => 1,
        (false, Completeness::Complete) => 2,
    }
}

/// The last good point: the newest complete one that is not damaged, else the newest partial one.
#[must_use]
pub fn last_good(points: &[PointFacts]) -> Option<&PointFacts> {
    points
        .iter()
        .filter(|point| rank(point) > 0)
        .max_by_key(|point| (rank(point), &point.point))
}

/// Why each point is kept. A point without a reason may be deleted.
#[must_use]
pub fn reasons(
    points: &[PointFacts],
    rules: &Retention,
    now: Timestamp,
) -> BTreeMap<RecoveryPointId, BTreeSet<Reason>> {
    let mut newest_first: Vec<&PointFacts> = points.iter().collect();
    newest_first.sort_by(|a, b| b.point.cmp(&a.point));
    let mut kept: BTreeMap<RecoveryPointId, BTreeSet<Reason>> = points
        .iter()
        .map(|point| (point.point.clone(), BTreeSet::new()))
        .collect();
    let mut keep = |point: &PointFacts, reason| {
        kept.entry(point.point.clone()).or_default().insert(reason);
    };
    if let Some(good) = last_good(points) {
        keep(good, Reason::LatestGood);
    }
    for point in newest_first.iter().take(rules.last as usize) {
        keep(point, Reason::Last);
    }
    for point in &newest_first {
        if point.in_use {
            keep(point, Reason::InUse);
        }
        // A point from the future is young too: some clock is wrong.
        if now.duration_since(point.created_at) < SAFETY {
            keep(point, Reason::Young);
        }
    }
    type Period = (fn(&Zoned) -> String, fn(String) -> Reason);
    let periods: [(u32, Period); 4] = [
        (
            rules.hourly,
            (|t| t.strftime("%Y-%m-%d %H:00").to_string(), Reason::Hourly),
        ),
        (
            rules.daily,
            (|t| t.strftime("%Y-%m-%d").to_string(), Reason::Daily),
        ),
        (
            rules.weekly,
            (|t| t.strftime("%G-W%V").to_string(), Reason::Weekly),
        ),
        (
            rules.monthly,
            (|t| t.strftime("%Y-%m").to_string(), Reason::Monthly),
        ),
    ];
    for (count, (name, reason)) in periods {
        for (period, point) in representatives(&newest_first, count as usize, name) {
            keep(point, reason(period));
        }
    }
    kept
}

/// The newest of the best points of each of the newest periods.
fn representatives<'a>(
    newest_first: &[&'a PointFacts],
    count: usize,
    name: fn(&Zoned) -> String,
) -> Vec<(String, &'a PointFacts)> {
    let mut periods: Vec<(String, &PointFacts)> = Vec::new();
    for point in newest_first.iter().filter(|point| rank(point) > 0) {
        let period = name(&point.created_at.to_zoned(TimeZone::UTC));
        match periods.iter().position(|(held, _)| *held == period) {
            Some(at) if rank(periods[at].1) < rank(point) => periods[at].1 = point,
            None if periods.len() < count => periods.push((period, point)),
            Some(_) | None => {}
        }
    }
    periods
}

#[cfg(test)]
mod tests;
