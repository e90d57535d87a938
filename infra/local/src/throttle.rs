//! A server with almost no processor time, for tests of deadlines: operations of milliseconds take seconds.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the server runs in each period.
const RUNS: Duration = Duration::from_millis(10);

/// How long the server is stopped in each period.
const STANDS: Duration = Duration::from_millis(990);

/// A process that runs a hundredth of the time until this value is dropped.
pub struct Throttled {
    over: Arc<AtomicBool>,
    pacer: Option<JoinHandle<()>>,
}

impl Throttled {
    pub(crate) fn begin(process: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let pacer = std::thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                signal(process, "-STOP");
                std::thread::sleep(STANDS);
                signal(process, "-CONT");
                std::thread::sleep(RUNS);
            }
        });
        Self {
            over,
            pacer: Some(pacer),
        }
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // The thread sends SIGCONT before it ends.
        if let Some(pacer) = self.pacer.take() {
            let _ = pacer.join();
        }
    }
}

/// Sends a signal. A process that has ended is ignored.
fn signal(process: u32, signal: &str) {
    let _ = Command::new("kill")
        .args([signal, &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn state(process: u32) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }

    #[test]
    fn a_process_stands_and_runs_again() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let throttled = Throttled::begin(child.id());
        while state(child.id()) != 'T' {
            std::thread::sleep(RUNS);
        }
        drop(throttled);
        assert_eq!(state(child.id()), 'S');
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
