//! The coordinator's key, which signs assignments and cancellations.
//!
//! The key is opened when something is signed for the first time, so that a coordinator whose key service does not
//! answer still answers requests, copies and alarms. A signature is waited for a few seconds; after a failure there is
//! no further request for a while, so that the assignments of one tick cost the wait once.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use lifeboat_jobs::signed::{Authenticated, sign};
use lifeboat_model::{Code, Diagnostic as _, Problem};
use lifeboat_store::ports::{Clock, Signer, Timer};

/// How long a signature is waited for. KMS answers within tens of milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The time without a request after a failure: less than a tick, so that each tick tries again.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Opens the key.
#[async_trait]
pub trait OpenKey: Send + Sync {
    /// Returns the key, ready to sign.
    ///
    /// # Errors
    /// The problem of the key.
    async fn open(&self) -> Result<Arc<dyn Signer>, Problem>;
}

/// The coordinator's key.
pub struct AssignmentKey {
    source: Box<dyn OpenKey>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    signer: Option<Arc<dyn Signer>>,
    /// When the key last failed, and why.
    failed: Option<(Timestamp, Problem)>,
}

struct Opened(Arc<dyn Signer>);

#[async_trait]
impl OpenKey for Opened {
    async fn open(&self) -> Result<Arc<dyn Signer>, Problem> {
        Ok(Arc::clone(&self.0))
    }
}

impl AssignmentKey {
    /// Returns a key that is opened on first use.
    #[must_use]
    pub fn new(source: Box<dyn OpenKey>) -> Self {
        Self {
            source,
            held: Mutex::default(),
        }
    }

    /// Returns a key that is open.
    #[must_use]
    pub fn opened(signer: Arc<dyn Signer>) -> Self {
        Self::new(Box::new(Opened(signer)))
    }

    /// Signs a document; returns the bytes of its file.
    ///
    /// # Errors
    /// If the key cannot be used, or does not answer in time.
    pub async fn sign<T: Authenticated + Sync>(
        &self,
        document: &T,
        clock: &dyn Clock,
        timer: &dyn Timer,
    ) -> Result<Vec<u8>, Problem> {
        if let Some(problem) = self.failed_recently(clock.now()) {
            return Err(problem);
        }
        let signing = async {
            let signer = self.signer().await?;
            let signed = sign(document, signer.as_ref()).await;
            signed.map_err(|error| error.problem())
        };
        let signed = match select(pin!(signing), timer.sleep(TIMEOUT)).await {
            Either::Left((signed, _)) => signed,
            Either::Right(_) => Err(Problem::of(
                Code::AssignmentNotWritten,
                format!(
                    "the key of the coordinator did not answer within {} seconds",
                    TIMEOUT.as_secs()
                ),
            )),
        };
        let failed = signed.as_ref().err().cloned();
        self.held().failed = failed.map(|problem| (clock.now(), problem));
        signed
    }

    async fn signer(&self) -> Result<Arc<dyn Signer>, Problem> {
        let held = self.held().signer.clone();
        if let Some(signer) = held {
            return Ok(signer);
        }
        let signer = self.source.open().await?;
        self.held().signer = Some(Arc::clone(&signer));
        Ok(signer)
    }

    fn failed_recently(&self, now: Timestamp) -> Option<Problem> {
        let held = self.held();
        let (at, problem) = held.failed.as_ref()?;
        (now.duration_since(*at).abs() < PAUSE).then(|| problem.clone())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
