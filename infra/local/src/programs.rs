//! Locates the programs of the control planes, and builds them if they are missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Overrides the path of the multi-call binary that `build` makes.
const OVERRIDE: &str = "LIFEBOAT_CONTROL_PLANE";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/build");
const PROGRAM: &str = "lifeboat-control-plane";

/// The error of locating or building the control plane programs.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// The override is set to a path that is not a file.
    #[error("{OVERRIDE} is set to {path}, which is not a file")]
    Override {
        /// The value of the variable.
        path: PathBuf,
    },
    /// The build script could not be started.
    #[error("failed to run the build script {SCRIPT}")]
    Script(#[source] std::io::Error),
    /// The build failed; its output contains the reason.
    #[error("failed to build the control plane (see the output of {SCRIPT} above)")]
    Build,
}

/// Returns the path of the multi-call binary, and builds it first if needed. A build takes minutes
/// and shows its progress on standard error.
///
/// # Errors
/// If the override is wrong or the build fails.
pub fn ensure_programs() -> Result<PathBuf, ProgramsError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads where the control plane is"
    )]
    if let Some(path) = std::env::var_os(OVERRIDE) {
        let mut path = PathBuf::from(path);
        if path.is_dir() {
            path.push(PROGRAM);
        }
        return if path.is_file() {
            Ok(path)
        } else {
            Err(ProgramsError::Override { path })
        };
    }
    let output = Command::new(SCRIPT)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(ProgramsError::Script)?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || folder.trim().is_empty() {
        return Err(ProgramsError::Build);
    }
    Ok(Path::new(folder.trim()).join(PROGRAM))
}
