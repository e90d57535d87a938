//! The external dependencies of the coordinator.

use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_jobs::VaultPlace;
use lifeboat_model::EnvironmentId;
use lifeboat_store::ports::{Clock, ObjectStore, Randomness, Timer};

use super::execute::Verification;
use super::sign::AssignmentKey;
use super::state::Notice;

/// A channel for notifications of issues.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Sends a notice; returns whether that succeeded. A failed notice is sent again by a later tick.
    async fn notify(&self, notice: &Notice) -> bool;
}

/// The scratch bucket of an environment.
pub type Scratch = dyn Fn(&EnvironmentId) -> Arc<dyn ObjectStore> + Send + Sync;

/// The external dependencies of the coordinator.
pub struct Ports {
    /// The state bucket.
    pub state: Arc<dyn ObjectStore>,
    /// The vault bucket.
    pub vault: Arc<dyn ObjectStore>,
    /// The scratch bucket of each environment.
    pub scratch: Box<Scratch>,
    /// The location of the vault for delegates.
    pub vault_place: VaultPlace,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The timer that limits how long an environment is waited for.
    pub timer: Arc<dyn Timer>,
    /// The source of randomness for names.
    pub ids: Arc<dyn Randomness>,
    /// Where the verification of a recovery point goes on.
    pub verification: Verification,
    /// The key that signs assignments and cancellations.
    pub assignment_key: Arc<AssignmentKey>,
    /// The channel for notices.
    pub notifier: Arc<dyn Notifier>,
}

impl Ports {
    /// Returns the scratch bucket of an environment.
    #[must_use]
    pub fn scratch(&self, environment: &EnvironmentId) -> Arc<dyn ObjectStore> {
        (self.scratch)(environment)
    }
}
