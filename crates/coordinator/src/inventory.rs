//! The input of a decision besides the state: the contents of the buckets, and the users' requests.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::{Fingerprint, Sha256};
use lifeboat_jobs::{JobView, Refused, VaultPlace};
use lifeboat_model::environment::RegisteredKey;
use lifeboat_model::request::Request;
use lifeboat_model::{
    Application, ClusterName, DelegateRegistration, EnvironmentId, EnvironmentRegistration, JobId, Problem,
    RecoveryPointId, Side,
};

use lifeboat_recovery_point::SignedSummary;

use super::action::ActionOutcome;
use super::archive::OpenedSegment;

/// The contents of the buckets, as far as the state needs them.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// The application.
    pub application: Application,
    /// The digest of its document.
    pub document: Sha256,
    /// A random number, from which names are derived.
    pub random: u64,
    /// The location of the vault for delegates.
    pub vault_place: VaultPlace,
    /// The registrations in the primary environment.
    pub primary: Registered,
    /// The registrations in the recovery environment.
    pub recovery: Registered,
    /// The environments whose scratch bucket could not be read in time, with the reason. Nothing is known of them:
    /// decisions that need them wait.
    pub unavailable: BTreeMap<EnvironmentId, Problem>,
    /// The jobs in the state, with their documents.
    pub jobs: BTreeMap<JobId, JobView>,
    /// Captures in the primary environment's scratch bucket, not necessarily all.
    pub captures: BTreeSet<RecoveryPointId>,
    /// The recovery points' folders in the vault, or why it could not be read in time. Then decisions that need it
    /// wait.
    pub vault: Result<BTreeMap<RecoveryPointId, VaultView>, Problem>,
    /// The parts of the vault that were listed. Nothing is known of folders outside of them.
    pub listed: Vec<ListedRange>,
    /// The segments of the archive that were read.
    pub archive: Vec<OpenedSegment>,
    /// The results of actions since the last decision of this process.
    pub performed: Vec<ActionOutcome>,
    /// The users' requests.
    pub requests: Vec<Request>,
    /// Whether a user waits for the end of the tick. Then it neither copies nor verifies recovery points.
    pub user_waits: bool,
}

/// A range of IDs of recovery points.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListedRange {
    /// The ID after which the range begins; `None` for the first one.
    pub after: Option<RecoveryPointId>,
    /// The last ID of the range; `None` for an open end.
    pub upto: Option<RecoveryPointId>,
}

impl ListedRange {
    /// Whether an ID is in this range.
    #[must_use]
    pub fn contains(&self, point: &RecoveryPointId) -> bool {
        self.after.as_ref().is_none_or(|after| point > after)
            && self.upto.as_ref().is_none_or(|upto| point <= upto)
    }
}

/// The registrations in an environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Registered {
    /// The registration of the environment.
    pub environment: Option<EnvironmentRegistration>,
    /// The registration of the application's delegate.
    pub delegate: Option<DelegateRegistration>,
    /// The registrations of its private delegates, by the name of the cluster in EKS.
    pub private: BTreeMap<ClusterName, DelegateRegistration>,
    /// Invalid registrations.
    pub refused: Vec<Refused>,
}

impl Inventory {
    /// Whether the part of the vault with this recovery point was listed.
    #[must_use]
    pub fn is_listed(&self, point: &RecoveryPointId) -> bool {
        self.listed.iter().any(|range| range.contains(point))
    }

    /// Whether the scratch bucket of an environment was read.
    #[must_use]
    pub fn is_available(&self, environment: &EnvironmentId) -> bool {
        !self.unavailable.contains_key(environment)
    }
}

impl Registered {
    /// Returns the public signing key, PEM.
    #[must_use]
    pub fn signing_key(&self) -> Option<&str> {
        self.key(Side::Primary, |environment| environment.signing_key.as_ref())
    }

    /// Returns the public recovery key, PEM.
    #[must_use]
    pub fn recovery_key(&self) -> Option<&str> {
        self.key(Side::Recovery, |environment| environment.recovery_key.as_ref())
    }

    /// Returns the key that the delegate of this side registered; that of the environment if it registered none.
    fn key(
        &self,
        side: Side,
        former: impl Fn(&EnvironmentRegistration) -> Option<&RegisteredKey>,
    ) -> Option<&str> {
        let own = self.delegate.as_ref().filter(|delegate| delegate.side == side);
        let key = match own.and_then(|delegate| delegate.key.as_ref()) {
            Some(key) => key,
            None => former(self.environment.as_ref()?)?,
        };
        Some(&key.public_key)
    }
}

/// The state of a recovery point's folder in the vault.
#[derive(Debug, Clone, PartialEq)]
pub enum VaultView {
    /// The catalogue contains it, or it will be read by a later decision.
    Known,
    /// It has no manifest (yet).
    Unfinished,
    /// Its manifest is signed with a key that is or was pinned, and its files are there.
    Signed {
        /// What its manifest says.
        summary: Box<SignedSummary>,
        /// The fingerprint of the key that signed it.
        signer: Fingerprint,
    },
    /// It is invalid.
    Refused(Problem),
}
