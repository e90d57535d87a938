//! Exit codes, for scripts that do not parse output.

use std::process::ExitCode;

/// The documented exit codes. A number is never reused for another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// The command succeeded.
    Success = 0,
    /// `diff` found a difference.
    Different = 1,
    /// The command line, or a document it names, is not valid, or refers to something that does not exist.
    Usage = 2,
    /// The recovery point was written but is Partial.
    Partial = 3,
    /// The restore ended, but the cluster does not match the plan.
    DiffersFromPlan = 4,
    /// The recovery point was refused: corrupt, not signed by the pinned key, or of a newer format.
    PointRefused = 5,
    /// The cluster cannot be used: it is unreachable, not trusted, or denies access.
    ClusterUnusable = 6,
    /// Another run holds the application or the target.
    Busy = 7,
    /// The store failed: it is missing or full, or denies access.
    Storage = 8,
    /// A key cannot be used.
    Keys = 9,
    /// The plan was refused, before anything was written.
    PlanRefused = 10,
    /// `status`: a recovery point is overdue, or an issue of severity error is open.
    Attention = 11,
    /// AWS or the coordinator refused the request or failed, or a stack failed.
    Aws = 12,
    /// A bug in Lifeboat (`EX_SOFTWARE` of sysexits.h).
    Bug = 70,
    /// Interrupted by a signal (128 + SIGINT, as shells report it); the same command continues.
    Interrupted = 130,
}

impl Exit {
    /// Returns the exit status of the process.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
