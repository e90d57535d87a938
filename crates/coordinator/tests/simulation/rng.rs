//! Reproducible randomness, and simulated time that advances only when all processes wait.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_store::ports::{Clock, Randomness, Timer};

/// State shared by all processes of a simulation.
pub(crate) struct Shared {
    random: AtomicU64,
    /// Seconds since 1970.
    now: AtomicI64,
    /// Whether stores fail and processes die.
    pub(crate) chaos: AtomicBool,
    /// Whether the process that runs now is spared from that.
    spared: AtomicBool,
    /// Set by a process that waits for time to pass.
    asleep: AtomicBool,
    /// Set by each future that only lets others run: the process is not asleep then, whatever else it waits for.
    awake: AtomicBool,
    /// When the first timer of the process ends, in seconds since 1970.
    alarm: AtomicI64,
}

/// 2026-11-21T10:00:00Z, a full hour.
pub(crate) const START: i64 = 1_795_255_200;

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: AtomicU64::new(seed),
            now: AtomicI64::new(START),
            chaos: AtomicBool::new(true),
            spared: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            awake: AtomicBool::new(false),
            alarm: AtomicI64::new(i64::MAX),
        }
    }

    /// Returns a random number (splitmix64).
    pub(crate) fn draw(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        let mut z = self.random.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.draw() % limit.max(1)
    }

    /// Returns `true` once in `times` calls on average.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Like `once_in`, but `false` while faults are disabled.
    pub(crate) fn fault(&self, times: u64) -> bool {
        self.has_faults() && self.once_in(times)
    }

    /// Returns whether faults strike the process that runs now.
    pub(crate) fn has_faults(&self) -> bool {
        self.chaos.load(Ordering::Relaxed) && !self.spared.load(Ordering::Relaxed)
    }

    /// Sets whether what runs from now on is spared from faults.
    pub(crate) fn spare(&self, spared: bool) {
        self.spared.store(spared, Ordering::Relaxed);
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds()).unwrap()
    }

    /// Returns whether the process that was just polled waits for time to pass.
    pub(crate) fn take_asleep(&self) -> bool {
        let awake = self.awake.swap(false, Ordering::Relaxed);
        self.asleep.swap(false, Ordering::Relaxed) && !awake
    }

    /// Returns when the first timer ends that the process has waited for since the last call.
    pub(crate) fn take_alarm(&self) -> i64 {
        self.alarm.swap(i64::MAX, Ordering::Relaxed)
    }

    pub(crate) fn advance_to(&self, seconds: i64) {
        self.now.fetch_max(seconds, Ordering::Relaxed);
    }

    /// Yields to other processes.
    pub(crate) async fn step(&self) {
        let mut yielded = false;
        poll_fn(move |context| match std::mem::replace(&mut yielded, true) {
            true => Poll::Ready(()),
            false => {
                self.awake.store(true, Ordering::Relaxed);
                // If several calls are awaited together, this one is polled again only after a wake-up.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }

    /// Waits until this many seconds of simulated time have passed.
    pub(crate) async fn sleep(&self, seconds: i64) {
        let until = self.seconds() + seconds;
        poll_fn(|_| match self.seconds() >= until {
            true => Poll::Ready(()),
            false => {
                self.asleep.store(true, Ordering::Relaxed);
                Poll::Pending
            }
        })
        .await;
    }
}

/// The clock of a process, off by some seconds.
pub(crate) struct Skewed {
    pub(crate) shared: std::sync::Arc<Shared>,
    pub(crate) by: i64,
    /// The time at which it has stopped, if it has.
    pub(crate) stopped: Option<Timestamp>,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.stopped.unwrap_or_else(|| self.shared.now()) + SignedDuration::from_secs(self.by)
    }
}

#[async_trait]
impl Timer for Skewed {
    async fn sleep(&self, duration: std::time::Duration) {
        let seconds = duration.as_secs() as i64;
        let until = self.shared.seconds() + seconds;
        let mut sleep = std::pin::pin!(self.shared.sleep(seconds));
        poll_fn(|context| {
            // The limits of a coordinator are shorter than the steps of the time.
            self.shared.alarm.fetch_min(until, Ordering::Relaxed);
            sleep.as_mut().poll(context)
        })
        .await;
    }
}

impl Randomness for Skewed {
    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.shared.draw() as u8;
        }
    }
}
