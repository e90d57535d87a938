//! The stacks that the clusters of an application share.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::InvalidIdentifier;

/// A recovery stack that the clusters of an application share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SharedStack {
    /// VPCs, subnets, security groups.
    Network,
    /// Roles, policies, instance profiles.
    Identity,
    /// Repositories, file systems, keys.
    Storage,
}

impl SharedStack {
    /// All of them, in the order in which they are built.
    pub const ALL: [Self; 3] = [Self::Network, Self::Identity, Self::Storage];

    /// Returns the name, as it stands in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Identity => "identity",
            Self::Storage => "storage",
        }
    }
}

impl fmt::Display for SharedStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SharedStack {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|stack| stack.as_str() == text);
        found.ok_or_else(|| InvalidIdentifier {
            what: "stack",
            given: text.to_owned(),
            rule: "network, identity or storage",
        })
    }
}
