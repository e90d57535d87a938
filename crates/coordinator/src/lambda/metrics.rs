//! The metrics of the coordinator, see [`lifeboat_aws::metrics`].

use jiff::Timestamp;
use lifeboat_aws::S3Requests;
use lifeboat_aws::metrics::{Metric, line};
use lifeboat_model::request::ApplicationStatus;
use serde_json::Value;

use crate::lambda::coordinator::TickSummary;

/// The number of applications, from the invocation that lists them.
const APPLICATIONS: Metric = Metric::total("Applications", "Count");
/// The number of applications without a recovery point as recent as their schedule requires; the alarm of the
/// stack `control` watches it.
const OVERDUE_APPLICATIONS: Metric = Metric::total("OverdueApplications", "Count");
/// See [`S3Requests::reads`].
const S3_READ_REQUESTS: Metric = Metric::total("CoordinatorS3ReadRequests", "Count");
/// See [`S3Requests::writes`].
const S3_WRITE_REQUESTS: Metric = Metric::total("CoordinatorS3WriteRequests", "Count");

/// The age of the newest good recovery point.
const RECOVERY_POINT_AGE: Metric = Metric::of_application("RecoveryPointAge", "Seconds");
/// The age in percent of the age at which a newer recovery point is overdue by the schedule.
const RECOVERY_POINT_AGE_PERCENT: Metric = Metric::of_application("RecoveryPointAgePercent", "Percent");
/// The number of objects in the newest good recovery point.
const RECOVERY_POINT_OBJECTS: Metric = Metric::of_application("RecoveryPointObjects", "Count");
/// The total size of its files.
const RECOVERY_POINT_BYTES: Metric = Metric::of_application("RecoveryPointBytes", "Bytes");
/// The time from its start until it was in the vault.
const BACKUP_DURATION: Metric = Metric::of_application("BackupDuration", "Seconds");
/// The number of open issues.
const OPEN_ISSUES: Metric = Metric::of_application("OpenIssues", "Count");

/// Every metric of the coordinator.
pub const METRICS: &[Metric] = &[
    APPLICATIONS,
    OVERDUE_APPLICATIONS,
    S3_READ_REQUESTS,
    S3_WRITE_REQUESTS,
    RECOVERY_POINT_AGE,
    RECOVERY_POINT_AGE_PERCENT,
    RECOVERY_POINT_OBJECTS,
    RECOVERY_POINT_BYTES,
    BACKUP_DURATION,
    OPEN_ISSUES,
];

/// Returns the lines of one tick: one for all its applications together, and one for each whose state could be
/// read. `applications` is the number of all applications, where the invocation has listed them.
#[must_use]
pub fn of_tick(
    summary: &TickSummary,
    applications: Option<usize>,
    requests: S3Requests,
    now: Timestamp,
) -> Vec<Value> {
    let mut totals = vec![
        (S3_READ_REQUESTS, Value::from(requests.reads)),
        (S3_WRITE_REQUESTS, requests.writes.into()),
    ];
    if let Some(applications) = applications {
        totals.push((APPLICATIONS, applications.into()));
    }
    // An invocation that only starts others knows nothing about recovery points.
    if summary.applications > 0 || applications == Some(0) {
        totals.push((OVERDUE_APPLICATIONS, summary.overdue.into()));
    }
    let mut lines = vec![Value::Object(line(now, None, &totals))];
    lines.extend(summary.statuses.iter().map(|status| of_application(status, now)));
    lines
}

fn of_application(status: &ApplicationStatus, now: Timestamp) -> Value {
    let mut values = vec![(OPEN_ISSUES, Value::from(status.issues.len()))];
    if let Some(good) = &status.last_good {
        let age = now.duration_since(good.created_at).as_secs_f64().max(0.0);
        values.extend([
            (RECOVERY_POINT_AGE, age.into()),
            (RECOVERY_POINT_OBJECTS, good.objects.into()),
            (RECOVERY_POINT_BYTES, good.bytes.into()),
        ]);
        let allowed = (status.overdue_at).map(|at| at.duration_since(good.created_at).as_secs_f64());
        if let Some(allowed) = allowed.filter(|allowed| *allowed > 0.0) {
            values.push((RECOVERY_POINT_AGE_PERCENT, (100.0 * age / allowed).into()));
        }
        if let Some(started) = good.point.started_at() {
            let took = good.vaulted_at.duration_since(started).as_secs_f64().max(0.0);
            values.push((BACKUP_DURATION, took.into()));
        }
    }
    Value::Object(line(now, Some(status.application.as_str()), &values))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    fn summary() -> TickSummary {
        let status = |application: &str| {
            json!({
                "application": application, "primary": "111111111111-eu-west-1",
                "recovery": "222222222222-eu-central-1", "clusters": [], "schedule": "every 1h",
                "restores": [], "issues": [],
            })
        };
        let mut shop = status("shop");
        shop["overdueAt"] = json!("2026-11-21T13:15:00Z");
        shop["lastGood"] = json!({"point": "20261121T110000Z-7f3a9c", "createdAt": "2026-11-21T11:00:15Z",
            "complete": true, "objects": 12, "bytes": 3400, "vaultedAt": "2026-11-21T11:01:30Z",
            "verifiedAt": "2026-11-21T11:01:30Z", "keptBy": []});
        TickSummary {
            applications: 2,
            overdue: 1,
            statuses: vec![
                serde_json::from_value(shop).unwrap(),
                serde_json::from_value(status("new")).unwrap(),
            ],
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_tick_emits_totals_and_figures_per_application() {
        let now = "2026-11-21T12:00:15Z".parse().unwrap();
        let lines = of_tick(&summary(), Some(2), S3Requests { reads: 3, writes: 4 }, now);
        let [totals, shop, new] = lines.as_slice() else {
            panic!("one line of totals and one for each application: {lines:?}");
        };
        assert_eq!(totals["Applications"], 2);
        assert_eq!(totals["OverdueApplications"], 1);
        assert_eq!(totals["CoordinatorS3ReadRequests"], 3);
        assert_eq!(totals["CoordinatorS3WriteRequests"], 4);
        assert_eq!(shop["Application"], "shop");
        assert_eq!(shop["RecoveryPointAge"], 3600.0);
        // One hour, in percent of the 8,085 seconds from 11:00:15 to 13:15:00.
        assert_eq!(shop["RecoveryPointAgePercent"], 100.0 * 3600.0 / 8085.0);
        assert_eq!(shop["RecoveryPointObjects"], 12);
        assert_eq!(shop["RecoveryPointBytes"], 3400);
        assert_eq!(shop["BackupDuration"], 90.0);
        assert_eq!(shop["OpenIssues"], 0);
        assert_eq!(new["OpenIssues"], 0);
        assert!(new["RecoveryPointAge"].is_null(), "{new}");
    }

    /// The dashboard and the alarms are checked against the table.
    #[test]
    fn the_table_is_what_is_emitted() {
        let lines = of_tick(&summary(), Some(2), S3Requests::default(), Timestamp::UNIX_EPOCH);
        let emitted: Vec<&str> = lines
            .iter()
            .flat_map(|line| {
                line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
                    .as_array()
                    .unwrap()
            })
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        for metric in METRICS {
            assert!(emitted.contains(&metric.name), "{} is never emitted", metric.name);
        }
        for name in emitted {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{name}");
        }
    }
}
