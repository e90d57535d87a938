//! Runs fakecloud as a child process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::supervise::Supervised;

/// fakecloud starts in under a second, and takes longer while the machine compiles.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// What the line begins with that fakecloud prints once it listens.
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
        let address = process
            .listening(&log, PORT_LINE, READY_DEADLINE)
            .map_err(|log| FakecloudError::NotReady { log })?;
        Ok(Self {
            process,
            address,
            log,
        })
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
