//! Figures for CloudWatch in the embedded metric format: lines of JSON on standard output that the log group turns
//! into metrics, without a call to any API and without a permission
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use jiff::Timestamp;
use lifeboat_jobs::{Claim, Done, Outcome};
use lifeboat_model::ApplicationName;
use serde_json::{Value, json};

/// The namespace, that of the coordinator's figures.
pub const NAMESPACE: &str = "Lifeboat";

/// The line that a job of `work` leaves behind at its end. One dimension, the application, because each further
/// one is a metric of its own that costs as much again; the function's log group tells the side.
#[must_use]
pub fn job_ended(
    application: &ApplicationName,
    work: &str,
    claim: &Claim,
    outcome: &Outcome,
    now: Timestamp,
) -> Value {
    let failed = u8::from(matches!(outcome, Outcome::Failed { .. }));
    let objects = match outcome {
        Outcome::Done(Done::Capture(capture)) => capture.sealed.as_ref().map(|sealed| sealed.objects),
        Outcome::Done(Done::Seal(sealed)) => Some(sealed.objects),
        Outcome::Done(Done::Restore(restore)) => Some(restore.restored),
        _ => None,
    };
    let mut metrics = vec![
        json!({"Name": "JobSeconds", "Unit": "Seconds"}),
        json!({"Name": "JobsFailed", "Unit": "Count"}),
    ];
    let mut line = json!({
        "Application": application,
        // Not dimensions: they are found in the log, and would make a metric for each job.
        "work": work,
        "job": claim.job,
        "epoch": claim.epoch,
        "JobSeconds": now.duration_since(claim.claimed_at).as_secs_f64().max(0.0),
        "JobsFailed": failed,
    });
    if let Some(objects) = objects {
        metrics.push(json!({"Name": "Objects", "Unit": "Count"}));
        line["Objects"] = json!(objects);
    }
    line["_aws"] = json!({
        "Timestamp": now.as_millisecond(),
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": [["Application"]],
            "Metrics": metrics,
        }],
    });
    line
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_jobs::{CaptureDone, FORMAT};
    use lifeboat_model::{Epoch, JobId};

    use super::*;

    #[test]
    fn each_metric_that_is_declared_has_its_value() {
        let application = ApplicationName::parse("shop").unwrap();
        let claim = Claim {
            format: FORMAT,
            job: JobId::new(&application, "20261121T112233Z-7f3a9c-capture-orders-00").unwrap(),
            epoch: Epoch::FIRST,
            invocation: "i".to_owned(),
            claimed_at: Timestamp::UNIX_EPOCH,
            deadline: Timestamp::MAX,
        };
        let captured = Outcome::Done(Done::Capture(CaptureDone {
            sealed: None,
            clusters: Vec::new(),
            counted: None,
        }));
        let failed = Outcome::Failed {
            problems: Vec::new(),
            retry: true,
        };
        for (outcome, failures) in [(captured, 0), (failed, 1), (Outcome::Cancelled {}, 0)] {
            let later = Timestamp::from_second(90).unwrap();
            let line = job_ended(&application, "capture", &claim, &outcome, later);
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                assert!(line[name].is_number(), "{name}");
            }
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(line[dimension.as_str().unwrap()].is_string());
            }
            assert_eq!(line["JobsFailed"], failures);
            assert_eq!(line["JobSeconds"], 90.0);
        }
    }
}
