//! Metrics for CloudWatch in the embedded metric format: lines of JSON on standard output that CloudWatch Logs converts
//! to metrics, without an API call and without a permission
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of every metric of Lifeboat.
pub const NAMESPACE: &str = "Lifeboat";

/// The dimension whose value is the name of an application. Another dimension would create, and bill, a metric for each
/// of its values.
pub const APPLICATION: &str = "Application";

/// A metric that a function emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// Its unit, one of those of `MetricDatum`
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>).
    pub unit: &'static str,
    /// Whether it has the dimension [`APPLICATION`], which is the only dimension.
    pub per_application: bool,
}

impl Metric {
    /// Creates a metric without dimensions.
    #[must_use]
    pub const fn total(name: &'static str, unit: &'static str) -> Self {
        Self {
            name,
            unit,
            per_application: false,
        }
    }

    /// Creates a metric with the dimension [`APPLICATION`].
    #[must_use]
    pub const fn of_application(name: &'static str, unit: &'static str) -> Self {
        Self {
            name,
            unit,
            per_application: true,
        }
    }
}

/// Returns the log line that emits `values`: those of one application if `application` is given, else totals. Fields
/// that the caller adds to it appear in the log and are not metrics.
///
/// # Panics
/// If a metric has a dimension and no application is given, or has none and one is given.
#[must_use]
pub fn line(now: Timestamp, application: Option<&str>, values: &[(Metric, Value)]) -> Map<String, Value> {
    let dimensions: &[&str] = match application {
        Some(_) => &[APPLICATION],
        None => &[],
    };
    let mut fields = Map::new();
    fields.extend(application.map(|name| (APPLICATION.to_owned(), Value::from(name))));
    let mut declared = Vec::new();
    for (metric, value) in values {
        assert_eq!(
            metric.per_application,
            application.is_some(),
            "{} is emitted with other dimensions than it has",
            metric.name
        );
        declared.push(json!({"Name": metric.name, "Unit": metric.unit}));
        fields.insert(metric.name.to_owned(), value.clone());
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": declared});
    let metadata = json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]});
    fields.insert("_aws".to_owned(), metadata);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: Metric = Metric::total("Things", "Count");
    const AGE: Metric = Metric::of_application("Age", "Seconds");

    #[test]
    fn each_declared_metric_and_dimension_has_its_value() {
        let now = Timestamp::UNIX_EPOCH;
        let total = Value::Object(line(now, None, &[(COUNT, 3.into())]));
        assert_eq!(
            total,
            json!({"Things": 3, "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                "Namespace": "Lifeboat", "Dimensions": [[]], "Metrics": [{"Name": "Things", "Unit": "Count"}],
            }]}})
        );
        let one = Value::Object(line(now, Some("shop"), &[(AGE, 1.5.into())]));
        assert_eq!(
            one,
            json!({"Application": "shop", "Age": 1.5, "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                "Namespace": "Lifeboat", "Dimensions": [["Application"]],
                "Metrics": [{"Name": "Age", "Unit": "Seconds"}],
            }]}})
        );
    }

    #[test]
    #[should_panic(expected = "Age is emitted with other dimensions")]
    fn a_metric_of_an_application_needs_one() {
        let _ = line(Timestamp::UNIX_EPOCH, None, &[(AGE, 1.into())]);
    }
}
