//! The identity map: the identifiers of the primary environment and those that take their place in the recovery
//! environment.
//!
//! [`IdentityMap`] is the document, [`Identities`] is the same compiled for a restore. Rules, in the order in which
//! they are tried, are [`crate::Rule`].
//!
//! In a text, ARNs, URLs and host names are taken apart and translated as a whole or not at all. Elsewhere an id, an
//! ARN, the account or the Region counts only as a whole token: neither of its neighbours is a letter, a digit, `-` or
//! `_`. So `served-from-eu-west-1` and a bucket with an account number in its name stay, and the scan for leftovers
//! lists them.

use std::collections::BTreeMap;

use lifeboat_model::{AccountId, Arn, Region, TypeSelector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::patch::Condition;

mod arn;
mod check;
mod compiled;
mod eks_registry;
mod host;
mod kind;
mod leftover;
mod needles;
mod object;
mod permission_set;
mod span;
mod symbol;
mod text;
mod url;

pub use check::IdentityFault;
pub use compiled::Identities;
pub use kind::Kind;
pub use leftover::{Leftover, LeftoverKind};
pub use object::Outcome;
pub use permission_set::permission_set;
pub use symbol::{is_symbol, symbol, symbols_in};

/// The identifiers of the primary environment and their counterparts in the recovery environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityMap {
    /// Always `lifeboat.dev/identities/v1`.
    pub format: String,
    /// The environment that the recovery point was captured in.
    pub primary: AccountAndRegion,
    /// The environment that is restored into.
    pub recovery: AccountAndRegion,
    /// Single resources, zones and host names with their counterparts. The order has no meaning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// Resources that have the same name in both environments, as `service` or `service:type` of their ARNs, such as
    /// `iam:role` or `sqs`. Without it, those of [`SAME_NAMES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_names: Option<Vec<String>>,
    /// Service accounts whose Pods get their role by an association of EKS Pod Identity, which exists in the recovery
    /// environment, instead of the annotation `eks.amazonaws.com/role-arn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod_identities: Vec<PodIdentity>,
    /// Further fields that hold the name of a resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<KnownField>,
    /// What may stay although it names the primary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<KnownLeftover>,
}

/// An AWS account and a Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountAndRegion {
    /// The AWS account, 12 digits in quotes.
    pub account: AccountId,
    /// The AWS Region.
    pub region: Region,
}

/// One identifier with its counterpart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// What it identifies.
    pub kind: Kind,
    /// The identifier in the primary environment.
    pub from: String,
    /// The identifier in the recovery environment, or the symbol of one that does not exist yet
    /// (`${network.PrivateA}`). The same text says that it is valid in both.
    pub to: String,
}

/// A service account that no longer needs the annotation with its role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodIdentity {
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
    /// The ARN of the role in the primary environment. An annotation with another role stays.
    pub role: Arn,
}

/// A field that holds the name of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownField {
    /// The types, named as in kubectl; `*` stands for every type.
    pub types: Vec<TypeSelector>,
    /// The path: a JSON pointer in which `*` stands for any element or key.
    pub path: String,
    /// What the field names.
    pub kind: Kind,
}

/// A leftover that is known and may stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownLeftover {
    /// The identifier as the plan lists it; `*` and `?` are wildcards.
    pub token: String,
    /// Why it may stay, a sentence for the reader of the plan.
    pub reason: String,
    /// In which objects; without it in all.
    #[serde(default)]
    pub when: Condition,
}

/// Resources whose name is chosen by their owner and is unique in their account and Region (or in their account), so
/// that the recovery environment can have one of the same name. Resources with a generated part in their ARN
/// (certificates, keys, target groups, secrets) and buckets, whose names are unique worldwide, are not among them; nor are
/// the roles of IAM Identity Center ([`permission_set`]), although other roles are.
pub const SAME_NAMES: &[&str] = &[
    "cloudwatch:alarm",
    "dynamodb:table",
    "ecr:repository",
    "eks:cluster",
    "es:domain",
    "events:event-bus",
    "events:rule",
    "firehose:deliverystream",
    "iam:group",
    "iam:instance-profile",
    "iam:policy",
    "iam:role",
    "iam:user",
    "kinesis:stream",
    "kms:alias",
    "lambda:function",
    "logs:log-group",
    "scheduler:schedule",
    "sns",
    "sqs",
    "ssm:parameter",
    "states:stateMachine",
    "sts:assumed-role",
];

impl IdentityMap {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/identities/v1";

    /// Creates a map that knows two environments and no single resource.
    #[must_use]
    pub fn new(primary: AccountAndRegion, recovery: AccountAndRegion) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            primary,
            recovery,
            identities: Vec::new(),
            same_names: None,
            pod_identities: Vec::new(),
            fields: Vec::new(),
            leftovers: Vec::new(),
        }
    }

    /// Adds an identifier with its counterpart.
    #[must_use]
    pub fn with(mut self, kind: Kind, from: impl Into<String>, to: impl Into<String>) -> Self {
        let (from, to) = (from.into(), to.into());
        self.identities.push(Identity { kind, from, to });
        self
    }

    /// Whether a counterpart is a symbol, because it does not exist yet.
    #[must_use]
    pub fn is_symbolic(&self) -> bool {
        self.identities.iter().any(|identity| is_symbol(&identity.to))
    }

    /// Returns the map of the way back: from the recovery environment to the primary.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let reversed = self.identities.iter().map(|identity| Identity {
            kind: identity.kind,
            from: identity.to.clone(),
            to: identity.from.clone(),
        });
        Self {
            primary: self.recovery.clone(),
            recovery: self.primary.clone(),
            identities: reversed.collect(),
            ..self.clone()
        }
    }

    /// Returns everything that is wrong with the map; a map with faults translates nothing.
    #[must_use]
    pub fn faults(&self) -> Vec<IdentityFault> {
        check::compile(self).err().unwrap_or_default()
    }

    /// Returns the number of identifiers of each kind.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        for identity in &self.identities {
            *counts.entry(identity.kind).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests;
