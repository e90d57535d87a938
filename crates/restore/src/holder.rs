//! The process that holds a target, distinguishable from a later process with the same process ID.

use std::fmt;
use std::str::FromStr;

/// A process that holds the lease of a target, written `host/pid/start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// The host name.
    pub host: String,
    /// The process ID on that host.
    pub pid: u32,
    /// The start time of the process, in a unit of the host; only compared for equality.
    pub start: u64,
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.pid, self.start)
    }
}

impl FromStr for LeaseHolder {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.rsplitn(3, '/');
        let mut part = || parts.next().ok_or(());
        let start = part()?.parse().map_err(|_| ())?;
        let pid = part()?.parse().map_err(|_| ())?;
        let host = part()?.to_owned();
        Ok(Self { host, pid, start })
    }
}

impl LeaseHolder {
    /// Returns the holder for the current process. If the system does not report the start time of a process
    /// (any system but Linux), the start is 0, and a dead holder is only recognized when its Lease expires.
    #[must_use]
    pub fn this_process() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        let pid = std::process::id();
        Self {
            host: if host.is_empty() { "unknown" } else { host }.to_owned(),
            pid,
            start: started(pid).unwrap_or(0),
        }
    }

    /// Returns whether `other` is known to have ended: it ran on this host, and no process with its ID and
    /// start time exists any more.
    #[must_use]
    pub fn knows_ended(&self, other: &LeaseHolder) -> bool {
        // Containers on different hosts may have equal host names and would then consider each other dead.
        // Adding the boot ID to the start would avoid this, but the Lease's expiry covers the case as well.
        self.host == other.host && self.start != 0 && started(other.pid) != Some(other.start)
    }
}

/// Returns the start time of a process in clock ticks since boot: field 22 of `/proc/PID/stat` (proc(5)).
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses; it may contain spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_holder_survives_being_written() {
        let holder = LeaseHolder {
            host: "build/7".into(),
            pid: 42,
            start: 99,
        };
        assert_eq!(holder.to_string().parse::<LeaseHolder>().unwrap(), holder);
        assert!("somebody".parse::<LeaseHolder>().is_err());
    }

    #[test]
    fn an_ended_process_of_this_host_is_known_and_a_living_or_foreign_one_is_not() {
        let own = LeaseHolder::this_process();
        assert!(!own.knows_ended(&own));
        let reused = LeaseHolder {
            start: own.start + 1,
            ..own.clone()
        };
        assert!(own.knows_ended(&reused));
        let elsewhere = LeaseHolder {
            host: "elsewhere".into(),
            ..reused
        };
        assert!(!own.knows_ended(&elsewhere));
    }
}
