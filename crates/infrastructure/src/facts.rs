//! What generation must know of the recovery environment.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{AccountId, ApplicationName, Region, SharedStack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::counterpart::{Candidate, MatchRule};
#[cfg(doc)]
use crate::description::Descriptions;
use crate::description::storage::Image;

/// The outputs of stacks: by the name of the stack within the application ([`crate::Stack::symbol`]), then by the name
/// of the output.
pub type StackOutputs = BTreeMap<String, BTreeMap<String, String>>;

/// The recovery environment, and what the user has decided about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecoveryFacts {
    /// The account of the recovery environment.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// The application.
    pub application: ApplicationName,
    /// The Availability Zones that the account can use.
    pub zones: Vec<Zone>,
    /// The ARN of the role of the recovery delegate, which is let into each cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate_role: Option<String>,
    /// The ARNs of the policies that roles may have as permissions boundary; the first is that of roles that have none in
    /// the primary environment. If it is empty, roles keep theirs, and others have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions_boundaries: Vec<String>,
    /// The Kubernetes versions that EKS offers for new clusters. Versions are not checked if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_versions: Vec<String>,
    /// Whether a cluster may get the nearest version if EKS does not offer its own.
    #[serde(default)]
    pub allow_nearest_version: bool,
    /// Whether add-ons of EKS are made as add-ons (`addons: managed`). Else their objects are restored as captured.
    #[serde(default)]
    pub managed_addons: bool,
    /// Whether roles of service accounts are given by associations of EKS Pod Identity instead of IRSA, where the trust
    /// policy of the role names the service account.
    #[serde(default)]
    pub irsa_to_pod_identity: bool,
    /// Whether the stacks of clusters have no nodes yet. Without the network plugin nodes do not become ready, and EKS
    /// gives up on a node group: the objects of the add-ons come first.
    #[serde(default)]
    pub hold_nodes: bool,
    /// The names of clusters in the recovery environment, by their names in the primary. Others keep their name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_names: BTreeMap<String, String>,
    /// Resources of the recovery environment that the user has chosen instead of building one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoption>,
    /// The stacks that use what exists in the recovery environment before they build: for each resource of them a
    /// counterpart is looked for among `candidates`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopt_existing: BTreeSet<SharedStack>,
    /// The keys of the tags by which counterparts are found. If it is empty, all tags that the user gave to a resource of
    /// the primary.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopt_tags: BTreeSet<String>,
    /// What exists in the recovery environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// What the stacks of the application hold, if there are candidates. It is never adopted, because the stacks would delete it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub own: BTreeSet<OwnResource>,
    /// The counterparts of `adopted` that exist in the recovery environment or cannot be looked up, if they were looked
    /// up: each must be among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<BTreeSet<String>>,
    /// The images in use in the primary that the registry of the recovery environment has, if they were looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<BTreeSet<Image>>,
    /// The names of the SSH key pairs of nodes ([`Descriptions::key_pairs`], and what they are mapped to) that exist in the
    /// recovery Region, if they were looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_pairs: Option<BTreeSet<String>>,
    /// The OIDC issuers of clusters that exist, by the name of the cluster in the primary:
    /// `oidc.eks.eu-central-1.amazonaws.com/id/…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub issuers: BTreeMap<String, String>,
    /// The outputs of the stacks that exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: StackOutputs,
}

/// An Availability Zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Zone {
    /// Its name in this account, such as `eu-central-1a`.
    pub name: String,
    /// Its id, which is the same in every account, such as `euc1-az2`.
    pub id: String,
}

/// A resource of the primary and the one that takes its place: ids of EC2 and EFS, ARNs of roles, policies, OIDC
/// providers and keys, names of zones and of SSH key pairs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adoption {
    /// The identifier in the primary environment.
    pub from: String,
    /// The identifier in the recovery environment.
    pub to: String,
    /// The rule by which it was found.
    #[serde(default)]
    pub rule: MatchRule,
}

impl Adoption {
    /// Creates one that the user has written.
    #[must_use]
    pub fn mapped(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            rule: MatchRule::Mapping,
        }
    }
}

/// A resource that a stack of the application holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnResource {
    /// The type as CloudFormation names it, such as `AWS::IAM::ManagedPolicy`.
    pub r#type: String,
    /// The identifier that CloudFormation knows it by (`PhysicalResourceId`): of some types the ARN, of others the name.
    pub id: String,
}

impl RecoveryFacts {
    /// Creates the facts of an environment of which nothing else is known.
    #[must_use]
    pub fn new(account: AccountId, region: Region, application: ApplicationName) -> Self {
        Self {
            account,
            region,
            application,
            zones: Vec::new(),
            delegate_role: None,
            permissions_boundaries: Vec::new(),
            kubernetes_versions: Vec::new(),
            allow_nearest_version: false,
            managed_addons: false,
            irsa_to_pod_identity: false,
            hold_nodes: false,
            cluster_names: BTreeMap::new(),
            adopted: Vec::new(),
            adopt_existing: BTreeSet::new(),
            adopt_tags: BTreeSet::new(),
            candidates: Vec::new(),
            own: BTreeSet::new(),
            existing: None,
            images: None,
            key_pairs: None,
            issuers: BTreeMap::new(),
            outputs: StackOutputs::new(),
        }
    }
}
