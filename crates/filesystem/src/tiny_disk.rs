//! A file system that is soon full, for tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system of a few pages, unmounted when dropped.
pub(crate) struct TinyDisk(TempDir);

impl TinyDisk {
    /// Mounts a tmpfs with these options. Returns `None` and reports a skipped test if mounting is not
    /// allowed.
    pub(crate) fn mount(options: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            skipped("mounting a tiny file system is not allowed here");
        }
        mounted.then_some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        // A second panic would hide the first.
        if !std::thread::panicking() {
            assert!(
                unmounted.is_ok_and(|status| status.success()),
                "the tiny disk stays mounted"
            );
        }
    }
}

/// Fails a test that cannot run here, unless `LIFEBOAT_ALLOW_SKIPS` is 1: then the skip is printed, and
/// appended as a line to the file that `LIFEBOAT_SKIPS` names.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no argument parser that could read what the environment allows"
)]
pub(crate) fn skipped(why: &str) {
    let allowed = std::env::var("LIFEBOAT_ALLOW_SKIPS").is_ok_and(|value| value == "1");
    assert!(
        allowed,
        "this cannot be tested here: {why}. Set LIFEBOAT_ALLOW_SKIPS=1 to skip such tests"
    );
    writeln!(std::io::stderr(), "skipped: {why}").unwrap();
    if let Some(path) = std::env::var_os("LIFEBOAT_SKIPS") {
        let mut record = File::options().create(true).append(true).open(path).unwrap();
        writeln!(record, "skipped: {why}").unwrap();
    }
}
