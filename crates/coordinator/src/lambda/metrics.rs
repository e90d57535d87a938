//! Figures for CloudWatch in the embedded metric format: a line of JSON on standard output that the log
//! group turns into metrics, without a call to any API
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use jiff::Timestamp;
use serde_json::{Value, json};

/// The namespace; the alarm of the stack `control` looks for it.
pub const NAMESPACE: &str = "Lifeboat";

/// The line that says how many applications have no recovery point as recent as their schedule demands.
#[must_use]
pub fn late_applications(count: usize, applications: usize, now: Timestamp) -> Value {
    json!({
        "_aws": {
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [[]],
                "Metrics": [{"Name": "LateApplications", "Unit": "Count"}, {"Name": "Applications", "Unit": "Count"}],
            }],
        },
        "LateApplications": count,
        "Applications": applications,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_that_is_declared_has_its_value() {
        let line = late_applications(1, 3, Timestamp::UNIX_EPOCH);
        let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
        for metric in declared.into_iter().flatten() {
            let name = metric["Name"].as_str().unwrap_or_default();
            assert!(line[name].is_u64(), "{name}");
        }
    }
}
