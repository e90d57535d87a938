//! Locates fakecloud, the AWS client and moto, and builds or installs them if they are missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/build-aws");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/aws-client");
const MOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/moto");

/// The error of building or installing a program of the local AWS.
#[derive(Debug, thiserror::Error)]
pub enum AwsProgramsError {
    /// The script could not be started.
    #[error("failed to run the script {script}")]
    Script {
        /// The path of the script.
        script: &'static str,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The script failed; its output contains the reason.
    #[error("{script} failed (see its output above)")]
    Build {
        /// The path of the script.
        script: &'static str,
    },
}

/// Returns the path of fakecloud, and builds it first if needed. A build takes minutes and shows
/// its progress on standard error.
///
/// # Errors
/// If the build fails.
pub fn ensure_fakecloud() -> Result<PathBuf, AwsProgramsError> {
    run(SCRIPT)
}

/// Returns the path of the official AWS command line client, and installs it first if needed.
///
/// # Errors
/// If it cannot be installed, for example without a network.
pub fn ensure_aws_client() -> Result<PathBuf, AwsProgramsError> {
    run(CLIENT)
}

/// Returns the path of the Python that has moto, and installs moto first if needed.
///
/// # Errors
/// If it cannot be installed, for example without a network.
pub(crate) fn ensure_moto() -> Result<PathBuf, AwsProgramsError> {
    run(MOTO)
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
