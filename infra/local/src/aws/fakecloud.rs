//! Runs fakecloud as a child process.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::supervise::Supervised;

/// fakecloud starts in under a second, and takes longer while the machine compiles.
const READY_DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// The prefix of the line that fakecloud prints once it listens.
const PORT_LINE: &str = "FAKECLOUD_PORT=";

/// The error of starting fakecloud.
#[derive(Debug, thiserror::Error)]
pub enum FakecloudError {
    /// The process could not be started.
    #[error("failed to start fakecloud")]
    Spawn(#[source] std::io::Error),
    /// fakecloud exited, or did not respond before the deadline.
    #[error("fakecloud did not become ready; the end of its log:\n{log}")]
    NotReady {
        /// The end of fakecloud's log.
        log: String,
    },
}

/// A running fakecloud process, which ends when this value is dropped.
pub(crate) struct Fakecloud {
    process: Supervised,
    address: SocketAddr,
    log: PathBuf,
}

impl Fakecloud {
    /// Starts fakecloud with signature verification and IAM enforcement. fakecloud runs functions
    /// with `container_cli`, which must work already.
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        container_cli: &Path,
        path: &str,
    ) -> Result<Self, FakecloudError> {
        let folder = folder.join("fakecloud");
        std::fs::create_dir(&folder).map_err(FakecloudError::Spawn)?;
        let log = folder.join("log");
        let output = File::create(&log).map_err(FakecloudError::Spawn)?;
        let arguments = [
            "--addr=127.0.0.1:0",
            "--iam=strict",
            "--verify-sigv4",
            "--storage-mode=memory",
        ]
        .map(str::to_owned);
        let environment = [
            ("PATH", path.to_owned()),
            // fakecloud unpacks archives there; the folder is removed with all other data.
            ("TMPDIR", folder.display().to_string()),
            ("HOME", folder.display().to_string()),
            ("FAKECLOUD_CONTAINER_CLI", container_cli.display().to_string()),
            ("NO_COLOR", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let mut process = Supervised::start(program, &arguments, environment, &folder, &folder, &output)
            .map_err(FakecloudError::Spawn)?;
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(address) = address_in(&text)
                && TcpStream::connect(address).is_ok()
            {
                return Ok(Self {
                    process,
                    address,
                    log,
                });
            }
            if process.ended().is_some() || began.elapsed() > READY_DEADLINE {
                let lines: Vec<&str> = text.lines().rev().take(20).collect();
                return Err(FakecloudError::NotReady {
                    log: lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
                });
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Returns the process ids of fakecloud and its supervisor.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        let mut ids = vec![self.process.shell_id()];
        ids.extend(self.process.program_id());
        ids
    }
}

/// Reads the address from fakecloud's first output.
fn address_in(log: &str) -> Option<SocketAddr> {
    let port = log.lines().find_map(|line| line.strip_prefix(PORT_LINE))?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.trim().parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_its_own_line() {
        assert_eq!(address_in("FAKECLOUD_PORT=45"), Some(([127, 0, 0, 1], 45).into()));
        assert_eq!(address_in("starting\n"), None);
        assert_eq!(address_in("FAKECLOUD_PORT=\n"), None);
    }
}
