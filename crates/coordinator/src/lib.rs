//! The coordinator: a pure function from its state and the contents of the buckets to its next state and the
//! actions to execute.
//!
//! [`decide`] performs no I/O. [`observe()`] reads the [`Inventory`], [`execute()`] executes an [`Action`],
//! and [`tick()`] combines them: read, decide, replace the state by compare-and-swap, act.
//!
//! Invariants:
//! - Actions depend on state and inventory alone and are idempotent: if a coordinator dies between the swap
//!   and the actions, the next tick recovers. No decision is made on a partial inventory.
//! - The loser of a compare-and-swap drops its decision, actions included.
//! - Issues are computed in each decision from the current facts; an issue closes when it is no longer found.
//! - One backup at a time; missed scheduled times count as one.

use jiff::SignedDuration;
use lifeboat_model::ApplicationName;

mod access;
pub mod action;
pub mod archive;
mod backup;
mod catalogue;
mod clusters;
pub mod decision;
mod deployments;
pub mod execute;
mod follow;
pub mod inventory;
mod issues;
pub mod lambda;
pub mod observe;
mod plans;
pub mod ports;
mod private;
mod rebuild;
mod requests;
mod restore;
pub mod retention;
pub mod sign;
mod standby;
pub mod state;
pub mod status;
pub mod tick;

pub use action::{Action, ActionOutcome};
pub use decision::{Decision, decide};
pub use execute::execute;
pub use inventory::{Inventory, Registered, VaultView};
pub use observe::observe;
pub use state::State;
pub use tick::{TickError, TickReport, tick};

/// The interval of ticks without events.
pub const TICK: SignedDuration = SignedDuration::from_secs(60);

/// The maximum number of attempts of a backup or restore.
pub const TRIES: u32 = 3;

/// The maximum number of attempts of a copy into the vault: a copy does not load the clusters, and the
/// recovery point already exists.
pub const VAULT_TRIES: u32 = 5;

/// The time that one coordinator copies into the vault before another one may continue the copy: a coordinator that
/// died during a copy delays it by one tick.
pub const VAULT_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How often the lease of a copy doubles, once for each time that it was not long enough. The longest one is eight
/// minutes: a file of 64 MiB is copied whole at 140 KB/s. It ends before Lambda's limit of 15 minutes.
pub const VAULT_LEASE_DOUBLINGS: u32 = 3;

/// The interval between verifications of each recovery point. A week finds silent damage while other recovery
/// points still exist.
pub const VERIFY_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The interval between verifications of a recovery point that was found damaged: its previous object versions may
/// be restored.
pub const VERIFY_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// The interval of access checks while access is missing.
pub const CHECK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// The interval of checks of the recovery key.
pub const CHECK_KEY_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The time a job may stay unclaimed before this is an issue: three ticks of a delegate.
pub const UNCLAIMED_TIMEOUT: SignedDuration = SignedDuration::from_mins(3);

/// Returns the key of the application's document in the state bucket.
#[must_use]
pub fn document_key(application: &ApplicationName) -> lifeboat_model::ObjectKey {
    lifeboat_model::ObjectKey::parse(format!("applications/{application}.json"))
        .expect("a name is a clean segment")
}

/// Returns the key of the application's state in the state bucket.
#[must_use]
pub fn state_key(application: &ApplicationName) -> lifeboat_model::ObjectKey {
    lifeboat_model::ObjectKey::parse(format!("state/{application}.json")).expect("a name is a clean segment")
}

#[cfg(test)]
mod tests;
