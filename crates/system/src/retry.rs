//! Retries with backoff: how long to pause before a call is repeated, and when to stop.
//!
//! The policy depends on the [`ErrorKind`] of an error and on the server's `Retry-After`, never on a message.
//! It uses tokio's monotonic [`Instant`], so jumps of the wall clock have no effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lifeboat_model::ErrorKind;
use tokio::time::Instant;

use crate::sleep;

/// How often and for how long a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The maximum number of attempts, including the first.
    pub attempts: u32,
    /// The upper bound of the first pause. Each further bound is twice the previous one.
    pub base: Duration,
    /// The upper bound of every pause, except for a `Retry-After` of the server.
    pub cap: Duration,
    /// The maximum duration of all attempts and pauses of one call. A `Retry-After` beyond it ends the call
    /// at once, because waiting could not help.
    pub deadline: Duration,
}

impl RetryPolicy {
    /// Long enough for the restart or failover of an API server: about ten seconds of pauses on average.
    pub const PATIENT: Self = Self {
        attempts: 8,
        base: Duration::from_millis(200),
        cap: Duration::from_secs(5),
        deadline: Duration::from_secs(120),
    };

    /// For the first request to a server: a wrong address should be reported while the user is waiting.
    pub const HASTY: Self = Self {
        attempts: 3,
        base: Duration::from_millis(100),
        cap: Duration::from_millis(400),
        deadline: Duration::from_secs(15),
    };

    /// One attempt without retries.
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

/// A source of jitter with an external seed, so that a run is reproducible. Clones share their state, so two
/// tasks that back off at the same moment pause for different durations.
#[derive(Debug, Clone)]
pub struct Jitter(Arc<AtomicU64>);

impl Jitter {
    /// Creates a source of jitter from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// Returns a duration between zero and `bound`, inclusive.
    #[must_use]
    pub fn up_to(&self, bound: Duration) -> Duration {
        // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). It does
        // not need to be secure; it only spreads callers over time.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(mixed % (nanos + 1))
    }
}

/// The state of the attempts of one call.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: RetryPolicy,
    jitter: Jitter,
    begun: Instant,
    made: u32,
}

impl Backoff {
    /// Returns the number of attempts made, including the current one.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.made
    }

    /// Returns the pause after an error before the next attempt; `None` if the call must not be repeated.
    #[must_use]
    pub fn next_pause(&self, kind: ErrorKind, retry_after: Option<Duration>) -> Option<Duration> {
        if kind != ErrorKind::Retry || self.made >= self.policy.attempts {
            return None;
        }
        let doubled = self.policy.base.saturating_mul(1 << (self.made - 1).min(20));
        let mut pause = self.jitter.up_to(doubled.min(self.policy.cap));
        if let Some(asked) = retry_after {
            // Never earlier than the server requests. The jitter is added so that callers do not all return
            // at the same moment.
            pause = asked.saturating_add(pause);
        }
        (self.begun.elapsed() + pause <= self.policy.deadline).then_some(pause)
    }

    /// Pauses before the next attempt. Returns `false` immediately if the call must not be repeated.
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
