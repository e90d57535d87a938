//! The guided tour on AWS: real functions, real templates, real API servers behind EKS, two accounts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};

use lifeboat_tests::aws::tell;

#[test]
fn the_tour_on_aws_comes_to_its_end() {
    let python = Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !python.is_ok_and(|status| status.success()) {
        eprintln!("skipped: the official client of AWS needs python3, which is not here");
        return;
    }
    // `make test` has built the functions.
    assert_eq!(tell("built").unwrap(), 0);
}
