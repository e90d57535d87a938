//! Retention: which recovery points are kept, and why (grandfather-father-son scheme).
//!
//! The newest good recovery point of each period (hour, day, week, month, all in UTC) is kept, for as many
//! periods with recovery points as the application specifies. A recovery point is deleted only if no rule
//! keeps it.
//!
//! Independent of the rules, these are kept: the last good recovery point, everything younger than
//! [`SAFETY`], every recovery point that a restore needs, and every damaged one until it is acknowledged.
//!
//! Within a day, retention reduces the number of recovery points by at most [`DAILY_SHARE`] percent, unless
//! somebody allows more: a wrong rule or clock deletes a part of them at most before it is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use lifeboat_format::manifest::Completeness;
use lifeboat_model::{RecoveryPointId, Retention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Recovery points younger than this are never deleted, so that a wrong rule can be corrected within a day
/// before it loses data.
pub const SAFETY: SignedDuration = SignedDuration::from_hours(24);

/// The share of the recovery points, in percent, by which retention reduces their number within a day.
pub const DAILY_SHARE: u64 = 20;

/// The number of recovery points by which retention may reduce any number of them within a day.
pub const DAILY_MINIMUM: u64 = 5;

/// The length of the period to which [`DAILY_SHARE`] applies.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The facts of a recovery point that retention needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointFacts {
    /// The recovery point.
    pub point: RecoveryPointId,
    /// Its position among the recovery points; the greatest is the latest.
    pub order: u64,
    /// When its backup began, by the coordinator's clock. The time in the manifest does not count, because the
    /// primary environment writes it.
    pub created_at: Timestamp,
    /// Whether it contains everything that was requested.
    pub completeness: Completeness,
    /// Whether its last verification in the vault failed. Such a recovery point is never good, and no rule deletes
    /// it.
    pub damaged: bool,
    /// Whether a restore needs it.
    pub in_use: bool,
}

/// A reason to keep a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Reason {
    /// It is the last good one: the newest complete one, or the newest if none is complete.
    LatestGood,
    /// It is among the newest ones.
    Last,
    /// It represents an hour: `2026-11-20 10:00`.
    Hourly(String),
    /// It represents a day: `2026-11-20`.
    Daily(String),
    /// It represents a week: `2026-W47`.
    Weekly(String),
    /// It represents a month: `2026-11`.
    Monthly(String),
    /// A restore needs it.
    InUse,
    /// It is younger than [`SAFETY`].
    Young,
    /// It is damaged or missing, and nobody has acknowledged that.
    Damaged,
    /// No rule keeps it, but more deletions than usual are due today.
    Held,
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
            Self::Damaged => f.write_str("damaged, not acknowledged"),
            Self::Held => f.write_str("deletions held back"),
        }
    }
}

/// Returns the rank of a recovery point; higher is better.
fn rank(point: &PointFacts) -> u8 {
    match (point.damaged, point.completeness) {
        (true, _) => 0,
        (false, Completeness::Partial) => 1,
        (false, Completeness::Complete) => 2,
    }
}

/// Returns the last good recovery point: the newest complete one that is not damaged, otherwise the newest
/// partial one.
#[must_use]
pub fn last_good(points: &[PointFacts]) -> Option<&PointFacts> {
    points
        .iter()
        .filter(|point| rank(point) > 0)
        .max_by_key(|point| (rank(point), point.order, &point.point))
}

/// What recovery points represent: how many of them can be used, and how many periods have one of them. Where exact
/// numbers are not known, smaller ones are given, so that more is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Represented {
    /// The number of recovery points that are not damaged.
    pub usable: u32,
    /// The number of those that are complete.
    pub complete: u32,
    /// The number of hours.
    pub hours: u32,
    /// The number of days.
    pub days: u32,
    /// The number of weeks.
    pub weeks: u32,
    /// The number of months.
    pub months: u32,
}

impl Represented {
    /// Returns what these recovery points represent.
    #[must_use]
    pub fn by(points: &[PointFacts]) -> Self {
        let usable = || points.iter().filter(|point| rank(point) > 0);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let distinct = |name: fn(&Zoned) -> String| {
            let names: BTreeSet<String> = usable()
                .map(|point| name(&point.created_at.to_zoned(TimeZone::UTC)))
                .collect();
            count(names.len())
        };
        Self {
            usable: count(usable().count()),
            complete: count(usable().filter(|point| rank(point) > 1).count()),
            hours: distinct(hour),
            days: distinct(day),
            weeks: distinct(week),
            months: distinct(month),
        }
    }

    /// Returns what these and the recovery points right before them represent together. A period that both have counts
    /// once; whether they have one in common is not known.
    #[must_use]
    pub fn and(&self, before: &Self) -> Self {
        let both = |a: u32, b: u32| match (a, b) {
            (0, one) | (one, 0) => one,
            (a, b) => a.saturating_add(b) - 1,
        };
        Self {
            usable: self.usable.saturating_add(before.usable),
            complete: self.complete.saturating_add(before.complete),
            hours: both(self.hours, before.hours),
            days: both(self.days, before.days),
            weeks: both(self.weeks, before.weeks),
            months: both(self.months, before.months),
        }
    }
}

fn hour(time: &Zoned) -> String {
    time.strftime("%Y-%m-%d %H:00").to_string()
}

fn day(time: &Zoned) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn week(time: &Zoned) -> String {
    time.strftime("%G-W%V").to_string()
}

fn month(time: &Zoned) -> String {
    time.strftime("%Y-%m").to_string()
}

/// Returns the reasons to keep each recovery point. One without a reason may be deleted. `later` is what the recovery
/// points represent that are later than all of these.
#[must_use]
pub fn reasons(
    points: &[PointFacts],
    later: &Represented,
    rules: &Retention,
    now: Timestamp,
) -> BTreeMap<RecoveryPointId, BTreeSet<Reason>> {
    let mut newest_first: Vec<&PointFacts> = points.iter().collect();
    newest_first.sort_by(|a, b| (b.order, &b.point).cmp(&(a.order, &a.point)));
    let mut kept: BTreeMap<RecoveryPointId, BTreeSet<Reason>> = points
        .iter()
        .map(|point| (point.point.clone(), BTreeSet::new()))
        .collect();
    let mut keep = |point: &PointFacts, reason| {
        kept.entry(point.point.clone()).or_default().insert(reason);
    };
    if let Some(good) = last_good(points)
        && match rank(good) {
            2 => later.complete == 0,
            _ => later.usable == 0,
        }
    {
        keep(good, Reason::LatestGood);
    }
    let usable = newest_first.iter().filter(|point| rank(point) > 0);
    for point in usable.take(rules.last.saturating_sub(later.usable) as usize) {
        keep(point, Reason::Last);
    }
    for point in &newest_first {
        if point.damaged {
            keep(point, Reason::Damaged);
        }
        if point.in_use {
            keep(point, Reason::InUse);
        }
        // A creation time in the future, due to a wrong clock, counts as young.
        if now.duration_since(point.created_at) < SAFETY {
            keep(point, Reason::Young);
        }
    }
    type Period = (u32, u32, fn(&Zoned) -> String, fn(String) -> Reason);
    let periods: [Period; 4] = [
        (rules.hourly, later.hours, hour, Reason::Hourly),
        (rules.daily, later.days, day, Reason::Daily),
        (rules.weekly, later.weeks, week, Reason::Weekly),
        (rules.monthly, later.months, month, Reason::Monthly),
    ];
    for (count, later, name, reason) in periods {
        // The latest period may be one that a later recovery point represents already.
        let left = match later {
            0 => count,
            later => count.saturating_add(1).saturating_sub(later).min(count),
        };
        for (period, point) in representatives(&newest_first, left as usize, name) {
            keep(point, reason(period));
        }
    }
    kept
}

/// Returns how many of `due` deletions are allowed now: as many as leave the share of the `began` recovery points
/// that the day began with, or by [`DAILY_MINIMUM`] fewer. There are `now` of them.
#[must_use]
pub fn allowed_deletions(due: u64, began: u64, now: u64) -> u64 {
    let floor = began - (began * DAILY_SHARE / 100).max(DAILY_MINIMUM).min(began);
    due.min(now.saturating_sub(floor))
}

/// Returns the newest of the best recovery points of each of the newest periods.
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
