//! The guided tour on AWS: real functions, real templates, real API servers behind EKS, two accounts. What follows it
//! does the rest of what Lifeboat does, and holds it to what it was trusted with.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lifeboat_tests::aws::tell_and;

mod access;
mod accounts;
mod forgeries;
mod grants;
mod interruptions;
mod logs;
mod policies;
mod secrets;
mod trust;

/// Two of these at once would wait for each other's control planes longer than a test should.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the official client of AWS can be run here. Says so where it cannot.
fn has_client() -> bool {
    let python = Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let there = python.is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped: the official client of AWS needs python3, which is not here");
    }
    there
}

#[test]
fn the_tour_on_aws_comes_to_its_end_and_nothing_was_trusted_with_too_much() {
    let _alone = alone();
    if !has_client() {
        return;
    }
    // What `make package` makes for this machine; `make test` has done it already.
    assert_eq!(tell_and("release", trust::go_on).unwrap(), 0);
}
