//! fakecloud as a process of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::supervise::Supervised;

/// It starts in under a second; a machine that compiles at the same time needs longer.
const READY_DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// What it prints once it listens.
const PORT_LINE: &str = "FAKECLOUD_PORT=";

/// Why fakecloud does not answer.
#[derive(Debug, thiserror::Error)]
pub enum FakecloudError {
    /// It could not be started at all.
    #[error("failed to start fakecloud")]
    Spawn(#[source] std::io::Error),
    /// It ended, or did not answer in time.
    #[error("fakecloud did not become ready; the end of its log:\n{log}")]
    NotReady {
        /// The end of its log.
        log: String,
    },
}

/// A running fakecloud; it ends with this value.
pub(crate) struct Fakecloud {
    process: Supervised,
    address: SocketAddr,
    log: PathBuf,
}

impl Fakecloud {
    /// Starts it with signatures verified and IAM enforced, and functions handed to
    /// `container_cli`, which must answer already.
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
            // It writes what it unpacks there; the folder goes with everything else.
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

    /// The process ids of it and its supervisor.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        let mut ids = vec![self.process.shell_id()];
        ids.extend(self.process.program_id());
        ids
    }
}

/// The address in what it prints first.
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
