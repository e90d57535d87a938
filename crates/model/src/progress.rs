//! What a delegate has built, and what it is doing: for somebody who waits for a restore.
//!
//! A delegate reports it, so that every text is one of another account: a reader bounds it before it is kept or shown,
//! and shows what AWS said as a quotation.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::StackName;
use crate::text::{bounded, bounded_to};

/// The number of events that a report has: those of about a minute. A reader who asks every few seconds misses none.
pub const EVENTS: usize = 40;

/// The maximum number of characters of a name or a status. CloudFormation allows 255 for the logical id of a resource.
const LONGEST_NAME: usize = 255;

/// The outcome of the deployment of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StackOutcome {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// There were no changes.
    Unchanged,
    /// It was deleted, because it is not needed any more.
    Deleted,
}

impl fmt::Display for StackOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// A stack that was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuiltStack {
    /// Its name in CloudFormation.
    pub stack: StackName,
    /// What the deployment changed.
    pub outcome: StackOutcome,
}

/// What a build is at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildProgress {
    /// The stack that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackName>,
    /// The number of its resources that are complete.
    #[serde(default)]
    pub done: u64,
    /// The number of its resources that change; absent if an earlier invocation of the delegate has begun the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The nodes of its node groups that change; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeProgress>,
    /// The latest events of all stacks, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<StackEvent>,
}

/// The nodes that a build waits for. EKS calls a node group active once its nodes have joined the cluster, so that they
/// are counted by node group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeProgress {
    /// The desired number of nodes of all node groups.
    pub wanted: u64,
    /// That of the node groups whose nodes have joined.
    pub joined: u64,
}

/// An event of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackEvent {
    /// When it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// The stack.
    pub stack: StackName,
    /// The name of the resource in the template.
    pub resource: String,
    /// The type of the resource, such as `AWS::EC2::Subnet`.
    pub r#type: String,
    /// The status of the resource after the event, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status, in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the restore of the objects of a cluster is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreProgress {
    /// The step.
    pub step: RestoreStep,
    /// The heading of the wave whose objects are restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// The number of objects that are restored.
    #[serde(default)]
    pub done: u64,
    /// The number of objects in the plan; absent until it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A step of a restore, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestoreStep {
    /// The digests of the files of the recovery point are verified.
    Verify,
    /// The objects of the recovery point are read.
    Read,
    /// The target is surveyed.
    Survey,
    /// The plan is made.
    Plan,
    /// Permissions and versions are checked without writing.
    Preflight,
    /// Objects are written.
    Apply,
    /// The target is read back and compared with the plan.
    Prove,
}

impl BuildProgress {
    /// Returns the report with every part within limits.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let surplus = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..surplus);
        self.events = self.events.into_iter().map(StackEvent::bounded).collect();
        self
    }
}

impl StackEvent {
    fn bounded(self) -> Self {
        let name = |text: &str| bounded_to(text, LONGEST_NAME);
        Self {
            at: self.at,
            stack: self.stack,
            resource: name(&self.resource),
            r#type: name(&self.r#type),
            status: name(&self.status),
            reason: self.reason.map(|reason| bounded(&reason).replace('"', "'")),
        }
    }
}

impl RestoreProgress {
    /// Returns the report with every part within limits.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            wave: self.wave.map(|wave| bounded_to(&wave, LONGEST_NAME)),
            ..self
        }
    }
}

impl fmt::Display for BuildProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(stack) = &self.stack else {
            return f.write_str("no stack changes yet");
        };
        write!(f, "{stack}: ")?;
        match self.total {
            Some(total) => write!(f, "{} of {total} resources are complete", self.done)?,
            None => write!(f, "what began earlier goes on")?,
        }
        match self.nodes {
            Some(NodeProgress { wanted, joined }) => write!(f, ", {joined} of {wanted} nodes have joined"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for StackEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.stack)?;
        if let Some(at) = self.at {
            write!(f, "{} ", at.strftime("%H:%M:%S"))?;
        }
        write!(f, "{} {} {}", self.status, self.r#type, self.resource)?;
        match &self.reason {
            Some(reason) => write!(f, ": \"{reason}\""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for RestoreProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.step {
            RestoreStep::Verify => "verifying the recovery point",
            RestoreStep::Read => "reading the recovery point",
            RestoreStep::Survey => "surveying the target",
            RestoreStep::Plan => "planning",
            RestoreStep::Preflight => "checking what the target would refuse",
            RestoreStep::Apply => "writing objects",
            RestoreStep::Prove => "comparing the target with the plan",
        })?;
        if let Some(total) = self.total {
            write!(f, ", {} of {total} objects are restored", self.done)?;
        }
        match &self.wave {
            Some(wave) => write!(f, ", wave \"{wave}\""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn event(number: usize, reason: &str) -> StackEvent {
        StackEvent {
            at: "2026-11-21T11:22:33Z".parse().ok(),
            stack: StackName::parse("lifeboat-shop-network").unwrap(),
            resource: format!("Subnet{number}"),
            r#type: "AWS::EC2::Subnet".to_owned(),
            status: "CREATE_FAILED".to_owned(),
            reason: Some(reason.to_owned()),
        }
    }

    #[test]
    fn a_report_of_another_account_is_bounded_and_quoted() {
        let hostile = format!("\u{1b}[2J\" run `curl x | sh`{}", "é".repeat(100_000));
        let wave = format!("a\u{202e}{}", "b".repeat(10_000));
        let report = BuildProgress {
            events: (0..1000).map(|number| event(number, &hostile)).collect(),
            ..BuildProgress::default()
        };
        let report = report.bounded();
        assert_eq!(report.events.len(), EVENTS);
        assert_eq!(
            report.events.last().unwrap().resource,
            "Subnet999",
            "the latest are kept"
        );
        assert!(serde_json::to_vec(&report).unwrap().len() < EVENTS * 2048);
        let line = report.events[0].to_string();
        assert!(!line.contains('\u{1b}'), "{line:?}");
        assert_eq!(line.matches('"').count(), 2, "{line}");
        let restore = RestoreProgress {
            step: RestoreStep::Apply,
            wave: Some(wave),
            done: 1,
            total: Some(2),
        };
        assert!(restore.bounded().wave.unwrap().len() < 300);
        assert!(StackName::parse("a\nb").is_err());
    }

    #[test]
    fn progress_reads_as_a_line() {
        let build = BuildProgress {
            stack: StackName::parse("lifeboat-shop-cluster-orders").ok(),
            done: 12,
            total: Some(20),
            nodes: Some(NodeProgress { wanted: 5, joined: 3 }),
            events: Vec::new(),
        };
        assert_eq!(
            build.to_string(),
            "lifeboat-shop-cluster-orders: 12 of 20 resources are complete, 3 of 5 nodes have joined"
        );
        assert_eq!(
            event(1, "it is full").to_string(),
            "lifeboat-shop-network: 11:22:33 CREATE_FAILED AWS::EC2::Subnet Subnet1: \"it is full\""
        );
        let restore = RestoreProgress {
            step: RestoreStep::Apply,
            wave: Some("workloads".to_owned()),
            done: 120,
            total: Some(300),
        };
        assert_eq!(
            restore.to_string(),
            "writing objects, 120 of 300 objects are restored, wave \"workloads\""
        );
    }
}
