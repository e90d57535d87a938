//! What a decision is made from besides the state: what the buckets hold, and what is asked.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::Sha256;
use lifeboat_jobs::{JobView, Refused, VaultPlace};
use lifeboat_model::request::Request;
use lifeboat_model::{
    Application, DelegateRegistration, EnvironmentRegistration, JobId, Problem, RecoveryPointId,
};

use lifeboat_recovery_point::SignedSummary;

use super::action::ActionOutcome;

/// What the buckets hold, as far as the state makes it matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// The application.
    pub application: Application,
    /// The digest of its document.
    pub document: Sha256,
    /// Randomness for names.
    pub random: u64,
    /// Where delegates find the vault.
    pub vault_place: VaultPlace,
    /// What registered in the primary environment.
    pub primary: Registered,
    /// What registered in the recovery environment.
    pub recovery: Registered,
    /// The jobs that the state waits for.
    pub jobs: BTreeMap<JobId, JobView>,
    /// The captures that lie in the primary environment's scratch bucket.
    pub captures: BTreeSet<RecoveryPointId>,
    /// The folders of points in the vault.
    pub vault: BTreeMap<RecoveryPointId, VaultView>,
    /// What became of actions since the last decision of this process.
    pub performed: Vec<ActionOutcome>,
    /// What users ask.
    pub requests: Vec<Request>,
}

/// What registered in an environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Registered {
    /// The environment.
    pub environment: Option<EnvironmentRegistration>,
    /// The delegate of the application.
    pub delegate: Option<DelegateRegistration>,
    /// Registrations that cannot be believed.
    pub refused: Vec<Refused>,
}

impl Registered {
    /// The public half of the signing key, PEM.
    #[must_use]
    pub fn signing_key(&self) -> Option<&str> {
        let key = self.environment.as_ref()?.signing_key.as_ref()?;
        Some(&key.public_key)
    }

    /// The public half of the recovery key, PEM.
    #[must_use]
    pub fn recovery_key(&self) -> Option<&str> {
        let key = self.environment.as_ref()?.recovery_key.as_ref()?;
        Some(&key.public_key)
    }
}

/// A folder of a point in the vault.
#[derive(Debug, Clone, PartialEq)]
pub enum VaultView {
    /// The catalogue knows it; it was not read.
    Known,
    /// It has no manifest (yet).
    Unfinished,
    /// Its manifest is signed with the pinned key, and its files are there.
    Signed(Box<SignedSummary>),
    /// It cannot be believed.
    Refused(Problem),
}
