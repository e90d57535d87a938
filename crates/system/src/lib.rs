//! The system's clock and random numbers: the one place where they are read.

use lifeboat_store::ports::{Clock, Randomness};

/// The clock of this machine.
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

/// The random numbers of the crypto library, which seeds itself from the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn random(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives randomness after it has started");
    }
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
