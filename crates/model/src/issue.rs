//! Issues: problems of an application that stay open until they are fixed, each with the command that fixes
//! it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApplicationName, ClusterName, Code, InvalidIdentifier, Problem};

identifier! {
    /// The id of an issue of an application while it is open: the code and its subject, such as
    /// `LB-0805:orders`. The same problem always gets the same id.
    IssueId,
    "issue id",
    "of the form LB-0805 or LB-0805:<what it is about>",
    |text| text.len() <= 256
        && text.starts_with("LB-")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}

/// The severity of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The application is not protected as its document requires.
    Error,
    /// A failure that does not reduce the protection, or one that is about to occur.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// An alternative command that fixes an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alternative {
    /// How it differs from the first command. It is shown after "or,".
    pub what: String,
    /// The command, with the actual names filled in.
    pub command: String,
}

/// An open problem of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issue {
    /// The id, the same each time the problem is found.
    pub id: IssueId,
    /// The stable code, such as `LB-0805`.
    pub code: Code,
    /// The severity.
    pub severity: Severity,
    /// The application that the issue belongs to.
    pub application: ApplicationName,
    /// The cluster, if the issue is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do.
    pub guidance: String,
    /// The command that fixes the issue, with the actual names filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Alternative commands that fix the issue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// When the issue was opened.
    #[schemars(with = "String")]
    pub since: Timestamp,
}

impl Issue {
    /// Creates the issue for a problem. Its id consists of the code and `about`: a cluster, a recovery point,
    /// or empty.
    #[must_use]
    pub fn new(application: &ApplicationName, about: &str, problem: &Problem, since: Timestamp) -> Self {
        let mut message = problem.message.clone();
        for cause in &problem.causes {
            message.push_str(": ");
            message.push_str(cause);
        }
        Self {
            id: IssueId::of(problem.code, about),
            code: problem.code,
            severity: Severity::Error,
            application: application.clone(),
            cluster: None,
            message,
            guidance: problem.guidance.clone(),
            command: None,
            alternatives: Vec::new(),
            since,
        }
    }

    /// Sets the cluster that the issue is about.
    #[must_use]
    pub fn about_cluster(mut self, cluster: &ClusterName) -> Self {
        self.cluster = Some(cluster.clone());
        self
    }

    /// Sets the command that fixes the issue.
    #[must_use]
    pub fn with_command(mut self, command: Option<String>) -> Self {
        self.command = command;
        self
    }

    /// Sets the alternative commands that fix the issue.
    #[must_use]
    pub fn with_alternatives(mut self, alternatives: Vec<Alternative>) -> Self {
        self.alternatives = alternatives;
        self
    }

    /// Lowers the severity to a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

impl IssueId {
    /// Returns the id of the issue with this code and subject. Characters that an id does not allow are
    /// dropped.
    #[must_use]
    pub fn of(code: Code, about: &str) -> Self {
        let about: String = about
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(*c))
            .take(240)
            .collect();
        let text = if about.is_empty() {
            code.to_string()
        } else {
            format!("{code}:{about}")
        };
        Self::parse(text).expect("a code and clean characters make an id")
    }
}

/// The format of `lifeboat status` and of notifications.
impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.code, self.application)?;
        if let Some(cluster) = &self.cluster {
            write!(f, "/{cluster}")?;
        }
        write!(f, ": {}\n  fix: {}", self.message, self.guidance)?;
        if let Some(command) = &self.command {
            write!(f, "\n  {command}")?;
        }
        for alternative in &self.alternatives {
            write!(f, "\n  or, {}:\n  {}", alternative.what, alternative.command)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn issue_shows_problem_and_fix() {
        let problem = Problem::new(
            Code::NoAccessEntry,
            "the cluster has no access entry for the role of the delegate",
            "give it access",
        );
        let issue = Issue::new(
            &ApplicationName::parse("shop").unwrap(),
            "orders",
            &problem,
            "2026-11-21T10:00:00Z".parse().unwrap(),
        )
        .about_cluster(&ClusterName::parse("orders").unwrap())
        .with_command(Some(
            "aws eks create-access-entry --cluster-name orders".to_owned(),
        ))
        .with_alternatives(vec![Alternative {
            what: "without an access policy".to_owned(),
            command: "kubectl create clusterrole lifeboat-read".to_owned(),
        }]);
        insta::assert_snapshot!(issue.to_string());
        insta::assert_json_snapshot!(issue);
    }

    #[test]
    fn ids_are_stable_and_clean() {
        assert_eq!(IssueId::of(Code::BackupFailed, "").as_str(), "LB-0902");
        assert_eq!(
            IssueId::of(Code::NoAccessEntry, "a b\n/c").as_str(),
            "LB-0805:ab/c"
        );
        assert!(IssueId::parse("LB-0805:a b").is_err());
    }
}
