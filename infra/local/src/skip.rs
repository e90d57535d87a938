//! Skips a test that cannot run on this machine.

use std::io::Write as _;

/// Allows tests to be skipped if set to `1`.
const ALLOW: &str = "LIFEBOAT_ALLOW_SKIPS";
/// The path of the file that gets a line for each skip; `make test` counts them.
const RECORD: &str = "LIFEBOAT_SKIPS";

/// Fails a test that cannot run here, unless skips are allowed; then prints and records the skip.
///
/// # Panics
/// If skips are not allowed.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no argument parser that could read what the environment allows"
)]
pub fn skip(what: &str, why: &str) {
    let allowed = std::env::var(ALLOW).is_ok_and(|value| value == "1");
    assert!(
        allowed,
        "{what} cannot be tested here: {why}. Set {ALLOW}=1 to skip such tests"
    );
    let line = format!("skipped: {what}: {why}\n");
    // If standard error is closed, only this line is lost.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os(RECORD) {
        let file = std::fs::File::options().create(true).append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the file of the skips can be written");
    }
}
