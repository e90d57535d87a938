//! A seeded simulation of two coordinators and the delegates of one or two applications, with buckets that throttle
//! and lose responses, processes that die at any call, events that arrive twice, late or never, and clocks
//! that differ. The coordinators and the delegates' protocol are the production code.
//!
//! `make simulate SEEDS=100000` runs more seeds; `LIFEBOAT_SIMULATE_SEED=17` replays one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adversary;
mod application;
mod bank;
mod capture;
mod delegate;
mod fixture;
mod model;
mod processes;
mod rng;
mod scenarios;
mod stores;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use fixture::Fixture;
use lifeboat_model::request::RestoreState;

/// The number of seeds for which `make test` has the time.
const SEEDS: u64 = 1000;

#[expect(
    clippy::disallowed_methods,
    reason = "this test is the home of its own settings"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a simulation for every seed, or for the one that `LIFEBOAT_SIMULATE_SEED` names.
fn for_every_seed(seeds: u64, run: impl Fn(u64) + Sync) {
    if let Some(seed) = setting("LIFEBOAT_SIMULATE_SEED") {
        return run(seed);
    }
    let seeds = setting("LIFEBOAT_SIMULATE_SEEDS").unwrap_or(seeds);
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                break;
            }
            if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                next.store(seeds, Ordering::Relaxed);
                panic!(
                    "seed {seed} fails; replay it with LIFEBOAT_SIMULATE_SEED={seed} cargo test -p lifeboat-coordinator --test simulation"
                );
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
}

#[test]
fn nothing_is_lost_and_nothing_done_twice() {
    for_every_seed(SEEDS, |seed| Fixture::new(seed).run());
}

/// The recovery points that were in the vault before stay there and can be restored, whatever is written to the
/// scratch bucket of the primary environment.
#[test]
fn a_hostile_primary_takes_no_recovery_point_away() {
    for_every_seed(SEEDS / 2, |seed| Fixture::hostile(seed).run_hostile());
}

/// Clusters lose and get their public endpoints, and stacks of private delegates are deployed at some time: each cluster
/// is the work of the delegate that reaches it, and restores wait for their data keys.
#[test]
fn private_clusters_are_the_work_of_their_delegates() {
    for_every_seed(SEEDS / 10, |seed| Fixture::private(seed).run_private());
}

/// Without faults, the figures of the design must hold.
#[test]
fn the_first_point_needs_two_ticks() {
    for seed in 0..20 {
        assert_eq!(Fixture::small(seed).ticks_to_first_point(), 2, "seed {seed}");
    }
}

/// A restore uses the vault and the recovery environment only.
#[test]
fn a_restore_ends_although_the_primary_region_does_not_answer() {
    for seed in 0..20 {
        let state = Fixture::small(seed).restore_without_primary();
        assert_eq!(state, RestoreState::Done, "seed {seed}");
    }
}

/// A backup uses the primary environment and the vault only.
#[test]
fn backups_go_on_although_the_recovery_region_does_not_answer() {
    for seed in 0..20 {
        let mut fixture = Fixture::small(seed);
        // After two days no delegate reads the jobs from before.
        let hours = if fixture.is_coarse() { 60 } else { 2 };
        fixture.backups_without_recovery(hours);
    }
}

/// An application shares the recovery environment, the vault and the state bucket with another one. Each has its own
/// invocations.
#[test]
fn a_hostile_primary_does_not_delay_another_application() {
    for seed in 0..20 {
        Fixture::hostile(seed).attack_without_faults();
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut fixture = Fixture::new(seed);
        fixture.run_chaos();
        // Signatures are not deterministic; no decision depends on them.
        fixture.keys()
    };
    assert!(
        run(5) == run(5),
        "a seed must give the same run, or it cannot be replayed"
    );
    assert!(run(5) != run(6), "seeds must differ");
}
