//! The guided tour on AWS: real functions, real templates, real API servers behind EKS, two
//! accounts. The tests after it use the remaining features of Lifeboat and check its permissions,
//! its secrecy and its verification of documents.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lifeboat_local::skip;
use lifeboat_tests::aws::{run_rebuild, run_with};

mod access;
mod accounts;
mod forgeries;
mod grants;
mod interruptions;
mod logs;
mod policies;
mod secrets;
mod trust;
mod vault;

/// Serializes the tests: two at once would wait too long for their control planes.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The variable with the build profile of the tour's functions (see `infra/package`). If unset, it is `built`: the
/// functions that the build of the tests left behind, unoptimized and with overflow checks.
const FUNCTIONS: &str = "LIFEBOAT_FUNCTIONS";

/// Returns whether the official AWS client can be run here.
fn has_client() -> bool {
    let python = Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let there = python.is_ok_and(|status| status.success());
    if !there {
        skip(
            "the tour on AWS",
            "the official client of AWS needs python3, which is not here",
        );
    }
    there
}

fn functions() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test has no argument parser")]
    std::env::var(FUNCTIONS).unwrap_or_else(|_| "built".to_owned())
}

/// Two clusters with a node group, a Fargate profile, roles for service accounts and for Pod Identity, a repository, a
/// file system and subnets, of which the recovery account has nothing.
#[test]
fn an_application_is_rebuilt_in_an_account_that_has_nothing_of_it() {
    let _alone = alone();
    if !has_client() {
        return;
    }
    assert_eq!(run_rebuild(&functions()).unwrap(), 0);
}

#[test]
fn the_tour_on_aws_comes_to_its_end_and_nothing_was_trusted_with_too_much() {
    let _alone = alone();
    if !has_client() {
        return;
    }
    let functions = functions();
    let ended = run_with(&functions, |scenario, reporter, _| {
        trust::go_on(scenario, reporter)
    });
    assert_eq!(ended.unwrap(), 0);
}
