//! What is to be described.

use std::collections::BTreeSet;

use lifeboat_infrastructure::Mentions;
use lifeboat_model::AccountId;

/// What is to be described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The account of the context. Roles, repositories and keys of other accounts are not described: a recovery does
    /// not build them.
    pub account: AccountId,
    /// The names of the EKS clusters.
    pub clusters: BTreeSet<String>,
    /// What the objects of the clusters mention.
    pub mentions: Mentions,
}

impl Wanted {
    /// Wants these clusters, and nothing that objects mention.
    #[must_use]
    pub fn new(account: AccountId, clusters: impl IntoIterator<Item = String>) -> Self {
        Self {
            account,
            clusters: clusters.into_iter().collect(),
            mentions: Mentions::new(),
        }
    }
}
