//! The system's clock, random numbers and timer. No other crate reads them or waits.

use std::time::Duration;

use async_trait::async_trait;
use lifeboat_store::ports::{Clock, Randomness, Timer};

pub mod retry;

/// The system clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter behind the clock port"
    )]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

#[async_trait]
impl Timer for SystemClock {
    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }
}

/// The random number generator of the cryptographic library, which is seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn random(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives randomness after it has started");
    }
}

/// Pauses for `duration`. All waiting uses this function.
pub async fn sleep(duration: Duration) {
    #[expect(clippy::disallowed_methods, reason = "this is the one home of waiting")]
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_differs_and_time_passes() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        SystemRandomness.random(&mut one);
        SystemRandomness.random(&mut two);
        assert_ne!(one, two);
        let before = SystemClock.now();
        assert!(SystemClock.now() >= before);
    }
}
