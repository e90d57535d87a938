//! What a function observes in its VPC.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ADDRESSES, is_host};

/// The maximum length in bytes of a text that a delegate quotes: the longest messages of S3 about denied access have some
/// hundred characters.
const LONGEST_SAID: usize = 2048;

/// What a private delegate observed of all that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkObservations {
    /// Amazon S3, with the bucket of the delegate.
    pub s3: TargetObservation,
    /// The API server; absent if its endpoint was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_server: Option<TargetObservation>,
    /// The name of the environment variable with a proxy that the client of S3 uses. Its value may contain a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// What was observed of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetObservation {
    /// The name of the host, or its address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The addresses that the name has, not more than [`ADDRESSES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpAddr>,
    /// How the first step that failed did; absent if the server answers as it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<NetworkFailure>,
}

/// How a step failed, in the order of the steps: name, connection, TLS, answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum NetworkFailure {
    /// The resolver answers that there is no such name.
    NameNotFound {},
    /// The resolver does not answer.
    ResolverSilent {},
    /// No answer to the packets that open a connection: this is how route tables, security groups and network ACLs of a VPC
    /// drop them.
    TimedOut {},
    /// The host refuses the connection.
    Refused {},
    /// The network reports that there is no way.
    Unreachable {},
    /// The certificate is not signed by an authority that the client trusts.
    UnknownIssuer {},
    /// The certificate is for another name.
    OtherName {},
    /// The connection was open, and ended or fell silent before there was an answer.
    Interrupted {
        /// What it ended with.
        said: String,
    },
    /// Access is denied by S3.
    Denied {
        /// The policy that denies it.
        by: DeniedBy,
        /// Whether a statement denies it, instead of none that allows it; absent if S3 does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explicit: Option<bool>,
        /// The answer of S3.
        said: String,
    },
    /// Another answer than that of the server.
    OtherAnswer {
        /// The HTTP status, if it is HTTP.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The answer.
        said: String,
    },
}

/// The kind of a policy that denies access (Amazon S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeniedBy {
    /// The policy of a VPC endpoint.
    EndpointPolicy,
    /// The policy of the bucket.
    BucketPolicy,
    /// The policies of the role.
    RolePolicy,
    /// The permissions boundary of the role.
    PermissionsBoundary,
    /// A service control policy of the organization.
    ServiceControlPolicy,
    /// A resource control policy of the organization.
    ResourceControlPolicy,
    /// S3 does not tell.
    Unknown,
}

impl DeniedBy {
    /// Reads from a message of AWS which kind of policy denies access, and whether a statement of it does. The messages are
    /// those of the IAM User Guide, "Troubleshoot access denied error messages".
    #[must_use]
    pub fn of_message(message: &str) -> (Self, Option<bool>) {
        let message = message.to_ascii_lowercase();
        let kinds = [
            ("vpc endpoint policy", Self::EndpointPolicy),
            ("resource control policy", Self::ResourceControlPolicy),
            ("service control policy", Self::ServiceControlPolicy),
            ("permissions boundary", Self::PermissionsBoundary),
            ("resource-based policy", Self::BucketPolicy),
            ("identity-based policy", Self::RolePolicy),
            ("session policy", Self::RolePolicy),
        ];
        let explicit = match (message.contains("explicit deny"), message.contains("because no ")) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        let found = kinds.into_iter().find(|(text, _)| message.contains(text));
        match found {
            Some((_, kind)) => (kind, explicit),
            None => (Self::Unknown, None),
        }
    }
}

impl NetworkObservations {
    /// Whether this can be an answer of a delegate, within limits.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let is_variable = |name: &String| {
            (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
        };
        self.s3.is_valid()
            && self.api_server.as_ref().is_none_or(TargetObservation::is_valid)
            && self.proxy.as_ref().is_none_or(is_variable)
    }
}

impl TargetObservation {
    fn is_valid(&self) -> bool {
        let said = match &self.failure {
            Some(
                NetworkFailure::Interrupted { said }
                | NetworkFailure::Denied { said, .. }
                | NetworkFailure::OtherAnswer { said, .. },
            ) => said.len(),
            _ => 0,
        };
        is_host(&self.host) && self.addresses.len() <= ADDRESSES && said <= LONGEST_SAID
    }
}
