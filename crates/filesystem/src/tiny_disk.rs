//! A disk that is soon full, for tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system of a few pages, unmounted when dropped.
pub(crate) struct TinyDisk(TempDir);

impl TinyDisk {
    /// Mounts one with these options of tmpfs; none where mounting is not allowed, which is said.
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

/// Says that a test does not run, and why, past the capturing of output by the test harness: a test
/// that did nothing must not look like one that passed.
pub(crate) fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").unwrap();
}
