//! The metrics of a delegate, see [`lifeboat_aws::metrics`].

use jiff::Timestamp;
use lifeboat_aws::S3Requests;
use lifeboat_aws::metrics::{Metric, line};
use lifeboat_jobs::{Claim, Done, Outcome};
use lifeboat_model::ApplicationName;
use serde_json::{Value, json};

/// The duration of the last epoch of a job.
const JOB_DURATION: Metric = Metric::of_application("JobDuration", "Seconds");
/// 1 for a failed job, otherwise 0.
const FAILED_JOBS: Metric = Metric::of_application("FailedJobs", "Count");
/// The number of objects that a job captured, sealed or restored.
const JOB_OBJECTS: Metric = Metric::of_application("JobObjects", "Count");
/// See [`S3Requests::reads`].
const S3_READ_REQUESTS: Metric = Metric::of_application("DelegateS3ReadRequests", "Count");
/// See [`S3Requests::writes`].
const S3_WRITE_REQUESTS: Metric = Metric::of_application("DelegateS3WriteRequests", "Count");

/// Every metric of a delegate.
pub const METRICS: &[Metric] = &[
    JOB_DURATION,
    FAILED_JOBS,
    JOB_OBJECTS,
    S3_READ_REQUESTS,
    S3_WRITE_REQUESTS,
];

/// Returns the line that a job of `work` prints at its end.
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
    let took = now.duration_since(claim.claimed_at).as_secs_f64().max(0.0);
    let mut values = vec![(JOB_DURATION, Value::from(took)), (FAILED_JOBS, failed.into())];
    values.extend(objects.map(|objects| (JOB_OBJECTS, objects.into())));
    let mut line = line(now, Some(application.as_str()), &values);
    // Properties, not dimensions: they can be searched in the log, and as dimensions they would create a
    // metric for each job.
    line.insert("work".to_owned(), work.into());
    line.insert("job".to_owned(), json!(claim.job));
    line.insert("epoch".to_owned(), json!(claim.epoch));
    Value::Object(line)
}

/// Returns the line that an invocation prints at its end.
#[must_use]
pub fn invocation_ended(application: &ApplicationName, requests: S3Requests, now: Timestamp) -> Value {
    let values = [
        (S3_READ_REQUESTS, requests.reads.into()),
        (S3_WRITE_REQUESTS, requests.writes.into()),
    ];
    Value::Object(line(now, Some(application.as_str()), &values))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_format::Sha256;
    use lifeboat_format::manifest::Completeness;
    use lifeboat_jobs::{CaptureDone, FORMAT, Sealed};
    use lifeboat_model::{Epoch, JobId};

    use super::*;

    fn shop() -> ApplicationName {
        ApplicationName::parse("shop").unwrap()
    }

    fn claim() -> Claim {
        Claim {
            format: FORMAT,
            job: JobId::parse("shop/20261121T112233Z-7f3a9c-capture-orders-00").unwrap(),
            epoch: Epoch::FIRST,
            invocation: "i".to_owned(),
            claimed_at: Timestamp::UNIX_EPOCH,
            deadline: Timestamp::MAX,
            recipient: None,
        }
    }

    fn sealed() -> Outcome {
        Outcome::Done(Done::Seal(Sealed {
            manifest: Sha256::of(b""),
            completeness: Completeness::Complete,
            objects: 12,
            bytes: 3400,
        }))
    }

    #[test]
    fn a_job_leaves_its_duration_its_objects_and_whether_it_failed() {
        let captured = Outcome::Done(Done::Capture(CaptureDone {
            sealed: None,
            clusters: Vec::new(),
            counted: None,
        }));
        let failed = Outcome::Failed {
            failures: Vec::new(),
            retry: true,
        };
        for (outcome, failures, objects) in [
            (captured, 0, Value::Null),
            (failed, 1, Value::Null),
            (Outcome::Cancelled {}, 0, Value::Null),
            (sealed(), 0, json!(12)),
        ] {
            let later = Timestamp::from_second(90).unwrap();
            let line = job_ended(&shop(), "capture", &claim(), &outcome, later);
            assert_eq!(line["Application"], "shop");
            assert_eq!(line["work"], "capture");
            assert_eq!(line["FailedJobs"], failures);
            assert_eq!(line["JobDuration"], 90.0);
            assert_eq!(line["JobObjects"], objects);
        }
    }

    /// The dashboard is checked against the table.
    #[test]
    fn the_table_is_what_is_emitted() {
        let requests = S3Requests { reads: 3, writes: 4 };
        let lines = [
            job_ended(&shop(), "seal", &claim(), &sealed(), Timestamp::UNIX_EPOCH),
            invocation_ended(&shop(), requests, Timestamp::UNIX_EPOCH),
        ];
        assert_eq!(lines[1]["DelegateS3ReadRequests"], 3);
        assert_eq!(lines[1]["DelegateS3WriteRequests"], 4);
        let emitted: Vec<&str> = lines
            .iter()
            .flat_map(|line| {
                line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
                    .as_array()
                    .unwrap()
            })
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        assert_eq!(
            emitted,
            METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>()
        );
    }
}
