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

use jiff::SignedDuration;
use lifeboat_model::ApplicationName;

mod access;
pub mod action;
mod backup;
mod catalogue;
mod clusters;
pub mod decision;
pub mod execute;
mod follow;
pub mod inventory;
mod issues;
pub mod lambda;
pub mod observe;
pub mod ports;
mod requests;
mod restore;
pub mod retention;
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
