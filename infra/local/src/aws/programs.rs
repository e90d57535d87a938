//! Where fakecloud is, and how it gets there.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/build-aws");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/aws-client");

/// Why a program of the local AWS is not there.
#[derive(Debug, thiserror::Error)]
pub enum AwsProgramsError {
    /// The script could not be started.
    #[error("failed to run the script {script}")]
    Script {
        /// Which one.
        script: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The script failed; its own output says why.
    #[error("{script} failed (see its output above)")]
    Build {
        /// Which one.
        script: &'static str,
    },
}

/// fakecloud, built now if it was not built before. A build takes minutes and
/// shows its progress on standard error.
///
/// # Errors
/// If the build fails.
pub fn ensure_fakecloud() -> Result<PathBuf, AwsProgramsError> {
    run(SCRIPT)
}

/// The official AWS command line client, installed now if it was not before.
///
/// # Errors
/// If it cannot be installed, for example without a network.
pub fn ensure_aws_client() -> Result<PathBuf, AwsProgramsError> {
    run(CLIENT)
}

fn run(script: &'static str) -> Result<PathBuf, AwsProgramsError> {
    let output = Command::new(script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| AwsProgramsError::Script { script, source })?;
    let path = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || path.trim().is_empty() {
        return Err(AwsProgramsError::Build { script });
    }
    Ok(PathBuf::from(path.trim()))
}
