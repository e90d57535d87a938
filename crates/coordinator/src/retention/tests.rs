#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::retention::{reasons as reasons_after, *};

/// The reasons where no other recovery points are later.
fn reasons(
    points: &[PointFacts],
    rules: &Retention,
    now: Timestamp,
) -> BTreeMap<RecoveryPointId, BTreeSet<Reason>> {
    reasons_after(points, &Represented::default(), rules, now)
}

fn point(second: i64, completeness: Completeness) -> PointFacts {
    let created_at = Timestamp::from_second(second).unwrap();
    PointFacts {
        point: RecoveryPointId::new(&created_at.strftime("%Y%m%dT%H%M%SZ").to_string(), [0, 0, 1]).unwrap(),
        order: u64::try_from(second).unwrap(),
        created_at,
        completeness,
        damaged: false,
        in_use: false,
    }
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

const NONE: Retention = Retention {
    last: 0,
    hourly: 0,
    daily: 0,
    weekly: 0,
    monthly: 0,
};

#[test]
fn each_point_says_why_it_is_kept() {
    let rules = Retention {
        last: 2,
        hourly: 2,
        daily: 3,
        weekly: 2,
        monthly: 2,
    };
    let points: Vec<PointFacts> = (0..100)
        .map(|n| point(at("2026-11-21T10:00:00Z") - n * 6 * 3600, Completeness::Complete))
        .collect();
    let mut shown = String::new();
    for (point, reasons) in reasons(
        &points,
        &rules,
        Timestamp::from_second(at("2026-11-21T10:30:00Z")).unwrap(),
    ) {
        let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        if !words.is_empty() {
            writeln!(shown, "{point} kept because: {}", words.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_complete_point_stands_for_its_day_before_a_newer_partial_one() {
    let (complete, partial) = (
        point(at("2026-11-10T10:00:00Z"), Completeness::Complete),
        point(at("2026-11-10T20:00:00Z"), Completeness::Partial),
    );
    let kept = reasons(
        &[complete.clone(), partial.clone()],
        &Retention { daily: 1, ..NONE },
        Timestamp::from_second(at("2026-11-20T00:00:00Z")).unwrap(),
    );
    assert!(kept[&complete.point].contains(&Reason::Daily("2026-11-10".to_owned())));
    assert!(kept[&partial.point].is_empty());
}

#[test]
fn a_damaged_point_is_never_the_last_good_one() {
    let (older, mut newer) = (
        point(at("2026-11-10T10:00:00Z"), Completeness::Partial),
        point(at("2026-11-11T10:00:00Z"), Completeness::Complete),
    );
    newer.damaged = true;
    let points = [older.clone(), newer];
    assert_eq!(last_good(&points), Some(&older));
}

fn points() -> impl Strategy<Value = Vec<PointFacts>> {
    let start = 1_790_000_000_i64;
    prop::collection::btree_map(0..40_000_000_i64, (any::<bool>(), 0..10_u8, 0..10_u8), 0..60).prop_map(
        move |all| {
            all.into_iter()
                .map(|(second, (complete, damaged, in_use))| PointFacts {
                    damaged: damaged == 0,
                    in_use: in_use == 0,
                    ..point(
                        start + second,
                        if complete {
                            Completeness::Complete
                        } else {
                            Completeness::Partial
                        },
                    )
                })
                .collect()
        },
    )
}

fn rules() -> impl Strategy<Value = Retention> {
    (0..5_u32, 0..30_u32, 0..10_u32, 0..6_u32, 0..6_u32).prop_map(|(last, hourly, daily, weekly, monthly)| {
        Retention {
            last,
            hourly,
            daily,
            weekly,
            monthly,
        }
    })
}

/// Returns the recovery points that have a reason to be kept.
fn survivors(points: &[PointFacts], rules: &Retention, now: Timestamp) -> Vec<PointFacts> {
    let kept = reasons(points, rules, now);
    points
        .iter()
        .filter(|point| !kept[&point.point].is_empty())
        .cloned()
        .collect()
}

proptest! {
    #[test]
    fn what_must_never_be_deleted_is_kept(points in points(), rules in rules(), later in 0..40_000_000_i64) {
        let now = Timestamp::from_second(1_790_000_000 + later).unwrap();
        let kept = reasons(&points, &rules, now);
        prop_assert_eq!(kept.len(), points.len());
        if let Some(good) = last_good(&points) {
            prop_assert!(!kept[&good.point].is_empty());
            let better = points.iter().any(|p| !p.damaged && p.completeness == Completeness::Complete);
            prop_assert!(good.completeness == Completeness::Complete || !better);
        }
        for point in &points {
            let must = point.in_use || now.duration_since(point.created_at) < SAFETY;
            prop_assert!(!must || !kept[&point.point].is_empty());
        }
    }

    /// A second run after deletion deletes nothing more: retention runs every minute and must not reduce the
    /// vault step by step.
    #[test]
    fn deleting_twice_is_deleting_once(points in points(), rules in rules(), later in 0..40_000_000_i64) {
        let now = Timestamp::from_second(1_790_000_000 + later).unwrap();
        let once = survivors(&points, &rules, now);
        prop_assert_eq!(&survivors(&once, &rules, now), &once);
    }

    #[test]
    fn no_period_has_more_points_than_it_may(points in points(), rules in rules()) {
        let kept = reasons(&points, &rules, Timestamp::MAX);
        let count = |of: fn(&Reason) -> bool| {
            let all: Vec<&Reason> = kept.values().flatten().filter(|r| of(r)).collect();
            let distinct: BTreeSet<&Reason> = all.iter().copied().collect();
            (all.len(), distinct.len())
        };
        for (limit, (all, distinct)) in [
            (rules.hourly, count(|r| matches!(r, Reason::Hourly(_)))),
            (rules.daily, count(|r| matches!(r, Reason::Daily(_)))),
            (rules.weekly, count(|r| matches!(r, Reason::Weekly(_)))),
            (rules.monthly, count(|r| matches!(r, Reason::Monthly(_)))),
        ] {
            prop_assert_eq!(all, distinct, "one point for each period");
            prop_assert!(all <= limit as usize);
        }
    }
}
