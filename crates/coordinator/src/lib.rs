//! The coordinator: a pure function from what is remembered and what the buckets hold to what is
//! remembered next and what is to be done.
//!
//! [`decide`] never waits, asks or writes. [`observe()`] reads the [`Inventory`], [`execute()`] does an
//! [`Action`], and [`tick()`] puts them together: read, decide, replace the state by compare-and-swap, act.
//!
//! Invariants:
//! - Actions follow from state and world alone and may be done twice: a coordinator that dies between the
//!   swap and the actions is healed by the next tick. Nothing is decided on a partial view.
//! - The loser of a swap drops its decision, actions included.
//! - Issues are computed anew each time from what is so now; they close because they are no longer found.
//! - One backup at a time; times of the schedule that were missed count as one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::Sha256;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::request::{Answer, Request};
use lifeboat_model::{
    Application, ApplicationName, ClusterName, DelegateRegistration, EnvironmentId, EnvironmentRegistration,
    JobId, Problem, RecoveryPointId,
};

use lifeboat_jobs::{Assignment, Cancel, ClusterTarget, JobView, Refused, VaultPlace};

mod access;
mod backup;
mod catalogue;
mod decision;
pub mod execute;
mod follow;
mod issues;
pub mod lambda;
pub mod observe;
mod requests;
mod restore;
pub mod retention;
pub mod state;
pub mod status;
pub mod tick;

pub use execute::execute;
pub use observe::observe;
pub use state::State;
pub use tick::{TickError, TickReport, tick};

use decision::DecisionBuilder;
use state::Notice;

/// How often the coordinator looks when no event comes.
pub const TICK: SignedDuration = SignedDuration::from_secs(60);

/// How often a backup or restore is tried before it is given up.
pub const TRIES: u32 = 3;

/// How often a copy into the vault is tried: it costs the clusters nothing, and the point is made.
pub const VAULT_TRIES: u32 = 5;

/// How long one coordinator copies into the vault before another may go on in its place.
pub const VAULT_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// After how long each point is checked again. A week finds silent damage while others still exist.
pub const VERIFY_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How often access is checked again while something is missing.
pub const CHECK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// How long a job may lie unclaimed before that is an issue: three ticks of a delegate.
pub const UNCLAIMED_TIMEOUT: SignedDuration = SignedDuration::from_mins(3);

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

/// A folder of a point in the vault.
#[derive(Debug, Clone, PartialEq)]
pub enum VaultView {
    /// The catalogue knows it; it was not read.
    Known,
    /// It has no manifest (yet).
    Unfinished,
    /// Its manifest is signed with the pinned key, and its files are there.
    Signed(Box<SignedPoint>),
    /// It cannot be believed.
    Refused(Problem),
}

/// What a signed manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPoint {
    /// When the point was made.
    pub created_at: Timestamp,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// How many objects it holds.
    pub objects: u64,
    /// The size of its files.
    pub bytes: u64,
    /// Its clusters.
    pub clusters: Vec<ClusterName>,
    /// The digest of its `manifest.json`.
    pub manifest: Sha256,
}

/// Something to be done. Doing it twice does nothing more.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write an assignment into the scratch bucket of its environment.
    PutAssignment(Box<Assignment>),
    /// Tell a delegate to end a job early.
    PutCancel {
        /// Where.
        environment: EnvironmentId,
        /// What.
        cancel: Cancel,
    },
    /// Verify a sealed point and copy it into the vault.
    VaultPoint {
        /// The environment in whose scratch bucket it lies.
        environment: EnvironmentId,
        /// The point.
        point: RecoveryPointId,
        /// The digest of the manifest that the delegate has told of.
        manifest: Sha256,
        /// The pinned signing key, PEM.
        signer: String,
    },
    /// Check a point in the vault again.
    VerifyVault {
        /// The point.
        point: RecoveryPointId,
        /// The pinned signing key, PEM.
        signer: String,
    },
    /// Remove a capture from a scratch bucket.
    DeleteCapture {
        /// The environment.
        environment: EnvironmentId,
        /// The point.
        point: RecoveryPointId,
    },
    /// Remove a point from the vault, its manifest first.
    ExpirePoint {
        /// The point.
        point: RecoveryPointId,
    },
    /// Tell somebody.
    Notify(Box<Notice>),
}

/// What became of an action that the buckets do not show.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionOutcome {
    /// A copy into the vault did not come to its end, though nothing failed.
    VaultUnfinished {
        /// The point.
        point: RecoveryPointId,
    },
    /// A copy into the vault failed.
    VaultFailed {
        /// The point.
        point: RecoveryPointId,
        /// Why.
        problem: Problem,
        /// Whether the same copy may succeed later.
        retry: bool,
    },
    /// A point in the vault was checked.
    Verified {
        /// The point.
        point: RecoveryPointId,
        /// Why it is damaged, if it is.
        damaged: Option<Problem>,
    },
    /// Somebody was told.
    Notified(Box<Notice>),
    /// Something else lies where an assignment or a cancel belongs.
    Forged {
        /// The job.
        job: JobId,
    },
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is remembered; the same as before where nothing changed.
    pub state: State,
    /// What is to be done once that is written.
    pub actions: Vec<Action>,
    /// The answers to the requests, in their order.
    pub answers: Vec<Answer>,
}

/// Decides.
#[must_use]
pub fn decide(inventory: &Inventory, state: &State, now: Timestamp) -> Decision {
    let mut draft = DecisionBuilder::new(inventory, state.clone(), now);
    draft.pin_keys();
    draft.take_performed();
    draft.sync_catalogue();
    draft.answer_requests();
    draft.advance_checks();
    draft.advance_backup();
    draft.advance_restores();
    draft.start_backup();
    draft.start_checks();
    draft.start_restores();
    draft.apply_retention();
    draft.clean_up();
    draft.find_issues();
    draft.finish(state)
}

/// The clusters of the application in the primary environment.
fn sources(application: &Application, found: &[ClusterTarget]) -> Vec<ClusterTarget> {
    let named = application.clusters.iter().filter_map(|spec| {
        let arn = lifeboat_model::Arn::cluster(&application.primary, spec.cluster.as_str()).ok()?;
        Some(ClusterTarget {
            name: spec.name.clone(),
            arn,
        })
    });
    if application.cluster_tags.is_empty() {
        named.collect()
    } else {
        found.to_vec()
    }
}

/// The clusters of the application that restores write into.
fn targets(application: &Application, found: &[ClusterTarget]) -> Vec<ClusterTarget> {
    sources(application, found)
        .into_iter()
        .filter_map(|source| {
            let name = target_of(application, &source.name)?;
            Some(ClusterTarget {
                arn: lifeboat_model::Arn::cluster(&application.recovery, name.as_str()).ok()?,
                name: source.name,
            })
        })
        .collect()
}

/// What the application says that a cluster of it is restored into. A cluster that was found by tag once, and is
/// not any more, is still in recovery points.
fn target_of(application: &Application, cluster: &ClusterName) -> Option<ClusterName> {
    if let Some(pattern) = &application.restore_into {
        return pattern.target(cluster);
    }
    let mut named = application.clusters.iter();
    named.find(|spec| spec.name == *cluster)?.restore_into.clone()
}

/// The key of the application's document in the state bucket.
#[must_use]
pub fn document_key(application: &ApplicationName) -> lifeboat_model::ObjectKey {
    lifeboat_model::ObjectKey::parse(format!("applications/{application}.json"))
        .expect("a name is a clean segment")
}

/// The key of the application's state in the state bucket.
#[must_use]
pub fn state_key(application: &ApplicationName) -> lifeboat_model::ObjectKey {
    lifeboat_model::ObjectKey::parse(format!("state/{application}.json")).expect("a name is a clean segment")
}

#[cfg(test)]
mod tests;
