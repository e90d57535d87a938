//! Installing any manifests, in whatever order they come.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::cluster::{Cluster, KubectlError};

/// More passes than any chain of definitions, namespaces and webhooks needs.
const MOST_PASSES: u32 = 10;
/// New types are served a moment after their definition was accepted.
const PAUSE: Duration = Duration::from_secs(2);

/// Why manifests could not be tried at all.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such file or folder.
    #[error("there is no file or folder {path}")]
    Missing {
        /// What was named.
        path: PathBuf,
    },
    /// kubectl could not be run.
    #[error("the manifests could not be applied")]
    Kubectl(#[from] KubectlError),
}

/// What became of the manifests.
#[derive(Clone, Debug, Default)]
pub struct BundleOutcome {
    /// The objects that were applied, as `type/name`, each name once.
    pub applied: BTreeSet<String>,
    /// What could not be applied in the end, in kubectl's words.
    pub refused: BTreeSet<String>,
    /// How often the manifests were applied until that brought no progress.
    pub passes: u32,
}

impl fmt::Display for BundleOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} applied in {} passes, {} refused",
            self.applied.len(),
            self.passes,
            self.refused.len()
        )?;
        for refused in &self.refused {
            write!(formatter, "\n  {refused}")?;
        }
        Ok(())
    }
}

/// Applies the manifests of a file or a folder by server-side apply, again and
/// again until everything is in or a pass brings nothing new: definitions must be
/// served before their objects, and files of other people come in any order.
///
/// # Errors
/// If there is nothing at the path or kubectl cannot be run. What the API server
/// refuses is part of the outcome.
pub fn install_bundle(cluster: &Cluster, path: &Path) -> Result<BundleOutcome, BundleError> {
    let kustomized = path.join("kustomization.yaml").is_file();
    // kubectl runs in another folder.
    let path = path.canonicalize().map_err(|_| BundleError::Missing {
        path: path.to_owned(),
    })?;
    let mut outcome = BundleOutcome::default();
    loop {
        outcome.passes += 1;
        let before = (outcome.applied.len(), std::mem::take(&mut outcome.refused));
        let mut command = cluster.kubectl(&["apply", "--server-side", "--force-conflicts"]);
        if kustomized {
            command.arg("--kustomize");
        } else {
            command.args(["--recursive", "--filename"]);
        }
        let output = command
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(KubectlError::Run)?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some(name) = line.strip_suffix(" serverside-applied") {
                outcome.applied.insert(name.to_owned());
            }
        }
        if output.status.success() {
            return Ok(outcome);
        }
        outcome.refused = complaints(&String::from_utf8_lossy(&output.stderr));
        let stuck = outcome.passes > 1 && before == (outcome.applied.len(), outcome.refused.clone());
        if stuck || outcome.passes == MOST_PASSES {
            return Ok(outcome);
        }
        // kubectl would go on believing that the new types do not exist.
        let _ = std::fs::remove_dir_all(cluster.dir().join("kubectl-cache"));
        std::thread::sleep(PAUSE);
    }
}

/// The complaints of kubectl without its warnings.
fn complaints(stderr: &str) -> BTreeSet<String> {
    stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Warning:"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_no_complaints() {
        let stderr = "Warning: old\n\nerror: no matches for kind \"A\"\nWarning: older\n";
        assert_eq!(
            complaints(stderr),
            BTreeSet::from(["error: no matches for kind \"A\"".to_owned()])
        );
    }
}
