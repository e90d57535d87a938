//! Retries: how long to pause before a call is repeated, and when to give up.
//!
//! Policy reads the prescriptive [`ErrorKind`] of an error and the server's own `Retry-After`, never a
//! message. Time is tokio's monotonic [`Instant`], so a wall clock that jumps changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lifeboat_model::{Diagnostic, ErrorKind};
use tokio::time::Instant;

use crate::sleep;

/// When a call is repeated and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a call is made at most, the first time included.
    pub attempts: u32,
    /// The upper bound of the first pause; each further bound is twice the one before.
    pub base: Duration,
    /// No pause that we choose is longer. A server's `Retry-After` may be.
    pub cap: Duration,
    /// How long all attempts and pauses of one call may take together. A `Retry-After` beyond it ends
    /// the call at once, because waiting could not help any more.
    pub deadline: Duration,
}

impl RetryPolicy {
    /// Bridges the restart or the failover of an API server: about ten seconds of pauses on average.
    pub const PATIENT: Self = Self {
        attempts: 8,
        base: Duration::from_millis(200),
        cap: Duration::from_secs(5),
        deadline: Duration::from_secs(120),
    };

    /// For the first contact: a wrong address should be reported while the user still looks.
    pub const HASTY: Self = Self {
        attempts: 3,
        base: Duration::from_millis(100),
        cap: Duration::from_millis(400),
        deadline: Duration::from_secs(15),
    };

    /// One attempt and no pause.
    pub const ONCE: Self = Self {
        attempts: 1,
        base: Duration::ZERO,
        cap: Duration::ZERO,
        deadline: Duration::from_secs(120),
    };

    /// Begins the attempts of one call.
    #[must_use]
    pub fn begin(&self, jitter: &Jitter) -> Backoff {
        Backoff {
            policy: *self,
            jitter: jitter.clone(),
            begun: Instant::now(),
            made: 1,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::PATIENT
    }
}

/// A source of jitter that is seeded from outside, so that a run can be repeated exactly. Clones share
/// their state: two tasks that back off at the same moment do not pause equally long.
#[derive(Debug, Clone)]
pub struct Jitter(Arc<AtomicU64>);

impl Jitter {
    /// Jitter that follows from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// A duration between zero and `bound`, both included.
    #[must_use]
    pub fn up_to(&self, bound: Duration) -> Duration {
        // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
        // Nothing secret depends on it; it only spreads callers out.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(mixed % (nanos + 1))
    }
}

/// The attempts of one call so far.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: RetryPolicy,
    jitter: Jitter,
    begun: Instant,
    made: u32,
}

impl Backoff {
    /// How many attempts have been made or are under way.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.made
    }

    /// How long to pause after an error before the next attempt, or nothing where the call is over.
    #[must_use]
    pub fn next_pause(&self, kind: ErrorKind, retry_after: Option<Duration>) -> Option<Duration> {
        if kind != ErrorKind::Retry || self.made >= self.policy.attempts {
            return None;
        }
        let doubled = self.policy.base.saturating_mul(1 << (self.made - 1).min(20));
        let mut pause = self.jitter.up_to(doubled.min(self.policy.cap));
        if let Some(asked) = retry_after {
            // Never earlier than the server asks; the jitter on top keeps callers from coming back
            // all in the same moment.
            pause = asked.saturating_add(pause);
        }
        (self.begun.elapsed() + pause <= self.policy.deadline).then_some(pause)
    }

    /// Pauses before the next attempt.
    ///
    /// # Errors
    /// The same `error`, where the call must not be made again.
    pub async fn pause_after<E: Diagnostic>(
        &mut self,
        error: E,
        retry_after: Option<Duration>,
    ) -> Result<(), E> {
        tracing::debug!(attempt = self.made, %error, "an attempt failed");
        if self.pause(error.kind(), retry_after).await {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Pauses before the next attempt; says `false` at once where the call must not be made again.
    pub async fn pause(&mut self, kind: ErrorKind, retry_after: Option<Duration>) -> bool {
        let Some(pause) = self.next_pause(kind, retry_after) else {
            return false;
        };
        self.made += 1;
        sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests;
