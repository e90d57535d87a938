//! The format of the functions' logs: lines of JSON with application, job, epoch and cluster, and metrics.

use anyhow::{Context, Result, ensure};
use lifeboat_local::FunctionLog;
use serde_json::Value;

use crate::accounts::{list, text};

/// Lines that Lambda writes, not the function.
const OF_LAMBDA: &[&str] = &[
    "START RequestId: ",
    "END RequestId: ",
    "REPORT RequestId: ",
    "INIT_REPORT ",
];

/// The log lines of one function.
pub(crate) struct Lines {
    function: String,
    lines: Vec<Value>,
}

impl Lines {
    /// Parses the log lines. A line that is not a JSON object was not written by Lifeboat's logger.
    pub(crate) fn of(logs: &[FunctionLog], function: &str) -> Result<Self> {
        let mut lines = Vec::new();
        for log in logs.iter().filter(|log| log.function == function) {
            for line in log.text.lines().filter(|line| !is_of_lambda(line)) {
                let read: Value =
                    serde_json::from_str(line).with_context(|| format!("{function} has written {line:?}"))?;
                ensure!(read.is_object(), "{function} has written {line:?}");
                lines.push(read);
            }
        }
        ensure!(!lines.is_empty(), "{function} has written nothing");
        Ok(Self {
            function: function.to_owned(),
            lines,
        })
    }

    /// Iterates over the lines with metrics.
    fn metrics(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| !line["_aws"].is_null())
    }

    /// Checks that every line is a complete message or a complete metric.
    pub(crate) fn are_well_formed(&self) -> Result<()> {
        for line in &self.lines {
            if line["_aws"].is_null() {
                for name in ["timestamp", "level", "target", "message"] {
                    ensure!(line[name].is_string(), "{} lacks {name}: {line}", self.function);
                }
                continue;
            }
            ensure!(
                line["_aws"]["Timestamp"].is_u64(),
                "{} lacks a time: {line}",
                self.function
            );
            for directive in list(&line["_aws"]["CloudWatchMetrics"]) {
                ensure!(directive["Namespace"] == "Lifeboat", "{line}");
                for metric in list(&directive["Metrics"]) {
                    let name = text(&metric["Name"]);
                    ensure!(line[name].is_number(), "{} lacks {name}: {line}", self.function);
                }
                for dimension in list(&directive["Dimensions"]).iter().flat_map(list) {
                    let name = text(dimension);
                    ensure!(line[name].is_string(), "{} lacks {name}: {line}", self.function);
                }
            }
        }
        Ok(())
    }

    /// Checks that at least one line has the message and all of these fields, its own or of an enclosing span.
    pub(crate) fn assert_logged(&self, message: &str, fields: &[&str]) -> Result<()> {
        let has = |line: &&Value| {
            line["message"] == message
                && fields.iter().all(|name| {
                    let spans = list(&line["spans"]).iter();
                    spans.chain([*line]).any(|part| !part[*name].is_null())
                })
        };
        ensure!(
            self.lines.iter().any(|line| has(&line)),
            "no line of {} says {message:?} with {fields:?}",
            self.function
        );
        Ok(())
    }

    /// Checks that at least one metric has this name.
    pub(crate) fn measure(&self, metric: &str) -> Result<()> {
        ensure!(
            self.metrics().any(|line| line[metric].is_number()),
            "{} has no metric {metric}",
            self.function
        );
        Ok(())
    }
}

fn is_of_lambda(line: &str) -> bool {
    OF_LAMBDA.iter().any(|begin| line.starts_with(begin)) || line.contains(" Task timed out after ")
}

/// Checks the format of the logs of a whole tour.
pub(crate) fn are_structured(logs: &[FunctionLog]) -> Result<()> {
    let coordinator = Lines::of(logs, "lifeboat-coordinator")?;
    let primary = Lines::of(logs, "lifeboat-shop-primary")?;
    let recovery = Lines::of(logs, "lifeboat-shop-recovery")?;
    for lines in [&coordinator, &primary, &recovery] {
        lines.are_well_formed()?;
    }
    coordinator.assert_logged("done", &["application", "action", "job"])?;
    coordinator.assert_logged("an issue changed", &["application", "issue", "code"])?;
    coordinator.measure("OverdueApplications")?;
    coordinator.measure("RecoveryPointAge")?;
    coordinator.measure("CoordinatorS3ReadRequests")?;
    primary.assert_logged("claimed", &["application", "job", "epoch", "work"])?;
    primary.assert_logged("captured", &["application", "job", "epoch", "cluster", "objects"])?;
    recovery.assert_logged("claimed", &["application", "job", "epoch", "work"])?;
    for lines in [&primary, &recovery] {
        lines.assert_logged("done", &["application", "job", "epoch"])?;
        lines.measure("JobDuration")?;
        lines.measure("DelegateS3ReadRequests")?;
    }
    primary.measure("JobObjects")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn lines(text: &str) -> Result<Lines> {
        let log = FunctionLog {
            function: "f".to_owned(),
            text: text.to_owned(),
        };
        Lines::of(&[log], "f")
    }

    #[test]
    fn what_is_no_json_is_found() {
        assert!(lines("START RequestId: 1 Version: 1\n{\"a\": 1}\n").is_ok());
        assert!(lines("{\"a\": 1}\nthread 'main' panicked\n").is_err());
        assert!(lines("END RequestId: 1\n").is_err());
    }

    #[test]
    fn fields_are_those_of_the_line_and_its_spans() {
        let one = r#"{"timestamp":"t","level":"INFO","target":"x","message":"m","objects":1,"spans":[{"job":"j"}]}"#;
        let lines = lines(one).unwrap();
        assert!(lines.are_well_formed().is_ok());
        assert!(lines.assert_logged("m", &["objects", "job"]).is_ok());
        assert!(lines.assert_logged("m", &["epoch"]).is_err());
        assert!(lines.assert_logged("n", &[]).is_err());
    }

    #[test]
    fn a_metric_without_its_value_is_found() {
        let metric = |value: &str| {
            format!(
                r#"{{"_aws":{{"Timestamp":1,"CloudWatchMetrics":[{{"Namespace":"Lifeboat","Dimensions":[[]],"Metrics":[{{"Name":"N"}}]}}]}}{value}}}"#
            )
        };
        assert!(lines(&metric(r#","N":1"#)).unwrap().are_well_formed().is_ok());
        assert!(lines(&metric("")).unwrap().are_well_formed().is_err());
    }
}
