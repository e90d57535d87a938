//! Stopping a capture early, in such a way that another run can go on.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops a capture early. Clones stop the same capture.
#[derive(Debug, Clone)]
pub struct Brake(Arc<watch::Sender<bool>>);

impl Brake {
    /// A brake that nobody has pulled.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Stops the capture between two objects. What was read is still written.
    pub fn pull(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn watch(&self) -> Pulled {
        Pulled(self.0.subscribe())
    }
}

impl Default for Brake {
    fn default() -> Self {
        Self::new()
    }
}

/// Waits for the brake.
#[derive(Debug, Clone)]
pub(super) struct Pulled(watch::Receiver<bool>);

impl Pulled {
    /// Returns once the brake is pulled; never, where nobody can pull it any more.
    pub(super) async fn wait(&self) {
        let mut own = self.0.clone();
        if own.wait_for(|pulled| *pulled).await.is_err() {
            std::future::pending().await
        }
    }
}
