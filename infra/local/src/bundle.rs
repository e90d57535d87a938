//! Installs manifests regardless of their order.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::cluster::{Cluster, KubectlError};

/// More passes than any chain of definitions, namespaces and webhooks needs.
const MOST_PASSES: u32 = 10;
/// The API server serves a new type a moment after it accepts the definition.
const PAUSE: Duration = Duration::from_secs(2);

/// The error of installing manifests.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file or folder does not exist.
    #[error("{path} does not exist")]
    Missing {
        /// The given path.
        path: PathBuf,
    },
    /// kubectl could not be run.
    #[error("failed to apply the manifests")]
    Kubectl(#[from] KubectlError),
}

/// The result of installing manifests.
#[derive(Clone, Debug, Default)]
pub struct BundleOutcome {
    /// The objects that were applied, as `configmaps shop/settings` or `namespaces shop`.
    pub applied: BTreeSet<String>,
    /// What could not be applied in the last pass, in kubectl's words. It does not contain an
    /// object that was applied in one pass and rejected in a later one because an admission rule of
    /// the same manifests was created in between.
    pub refused: BTreeSet<String>,
    /// The number of passes until there was no more progress.
    pub passes: u32,
}

impl fmt::Display for BundleOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} applied in {} passes, {} rejected",
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

/// Applies the manifests of a file or a folder with server-side apply, repeatedly, until every
/// object is applied or a pass makes no progress: definitions must be served before their objects,
/// and third-party files come in any order.
///
/// # Errors
/// If the path does not exist or kubectl cannot be run. What the API server rejects is part of the result.
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
        let mut command = cluster.kubectl(&["apply", "--server-side", "--force-conflicts", VERBOSE]);
        if kustomized {
            command.arg("--kustomize");
        } else {
            command.args(["--recursive", "--filename"]);
        }
        let output = command
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(KubectlError::Run)?;
        let pass = Pass::read(&String::from_utf8_lossy(&output.stderr));
        outcome.applied.extend(pass.applied);
        if output.status.success() {
            return Ok(outcome);
        }
        outcome.refused = pass.complaints;
        let news = pass.refused.into_iter();
        let news = news.filter(|(object, _)| !outcome.applied.contains(object));
        outcome.refused.extend(news.map(|(_, complaint)| complaint));
        let stuck = outcome.passes > 1 && before == (outcome.applied.len(), outcome.refused.clone());
        if stuck || outcome.passes == MOST_PASSES {
            return Ok(outcome);
        }
        // kubectl's discovery cache would still lack the new types.
        let _ = std::fs::remove_dir_all(cluster.dir().join("kubectl-cache"));
        std::thread::sleep(PAUSE);
    }
}

/// Makes kubectl log the URL and the status of each request: its normal output names neither the
/// namespace of an object nor the object that was rejected.
const VERBOSE: &str = "-v=6";

/// The standard error of one pass of kubectl, parsed.
#[derive(Debug, Default, PartialEq)]
struct Pass {
    applied: BTreeSet<String>,
    /// Objects that the server rejected, each with the message.
    refused: Vec<(String, String)>,
    /// Messages about anything else, such as types that are not served.
    complaints: BTreeSet<String>,
}

impl Pass {
    fn read(stderr: &str) -> Self {
        let mut pass = Self::default();
        let mut failed = Vec::new();
        // One message each; further lines belong to it.
        let mut answers: Vec<String> = Vec::new();
        let mut lines = stderr.lines();
        while let Some(line) = lines.next() {
            if is_log(line) {
                if line.contains("server response object:") {
                    // The response itself, over several lines; the message repeats it.
                    lines.by_ref().find(|line| *line == "}]");
                } else if let Some((object, accepted)) = request(line) {
                    if accepted {
                        pass.applied.insert(object);
                    } else {
                        failed.push(object);
                    }
                }
                continue;
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with("Warning:") {
                continue;
            }
            if line.starts_with("Error from server") || is_invalid(line) {
                answers.push(line.to_owned());
            } else if let Some(answer) = answers.last_mut() {
                answer.push(' ');
                answer.push_str(line);
            } else {
                pass.complaints.insert(line.to_owned());
            }
        }
        // kubectl prints messages in the order of its requests. If the counts differ, all of them are kept.
        if failed.len() == answers.len() {
            pass.refused = failed.into_iter().zip(answers).collect();
        } else {
            pass.complaints.extend(answers);
        }
        pass
    }
}

/// Returns whether a line is a log line: `I1121 15:11:10.066347     668 round_trippers.go:632] …`.
fn is_log(line: &str) -> bool {
    let mut letters = line.bytes();
    letters.next().is_some_and(|severity| b"IWE".contains(&severity))
        && letters.by_ref().take(4).all(|digit| digit.is_ascii_digit())
        && letters.next() == Some(b' ')
}

/// Returns whether a line reports an object that the server found invalid: `The Service "cart" is invalid: …`.
fn is_invalid(line: &str) -> bool {
    line.starts_with("The ") && line.contains(" is invalid")
}

/// Returns the object that a logged request applied, and whether the server accepted it.
fn request(line: &str) -> Option<(String, bool)> {
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0)
    };
    if field("verb")? != "PATCH" {
        return None;
    }
    let (_, path) = field("url")?.split_once("://")?.1.split_once('/')?;
    let path = path.split('?').next()?;
    let mut parts = path.split('/');
    let group = match parts.next()? {
        "api" => None,
        _ => parts.next(),
    };
    let _version = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let (resource, name) = match rest.as_slice() {
        ["namespaces", namespace, resource, name] => (resource, format!("{namespace}/{name}")),
        [resource, name] => (resource, (*name).to_owned()),
        _ => return None,
    };
    let group = group.map_or_else(String::new, |group| format!(".{group}"));
    Some((
        format!("{resource}{group} {name}"),
        field("status")?.starts_with('2'),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
        texts.map(str::to_owned).into()
    }

    fn patched(path: &str, status: &str) -> String {
        format!(
            "I1121 15:11:10.066347     668 round_trippers.go:632] \"Response\" verb=\"PATCH\" \
             url=\"https://127.0.0.1:33623{path}?fieldManager=kubectl&force=true\" status=\"{status}\" milliseconds=5\n"
        )
    }

    #[test]
    fn warnings_are_no_complaints() {
        let stderr = "Warning: old\n\nerror: no matches for kind \"A\"\nWarning: older\n";
        assert_eq!(
            Pass::read(stderr).complaints,
            set(["error: no matches for kind \"A\""])
        );
    }

    #[test]
    fn requests_tell_which_object_was_applied_and_which_complaint_is_whose() {
        let stderr = [
            patched("/api/v1/namespaces/a", "201 Created"),
            patched("/api/v1/namespaces/a/configmaps/one", "200 OK"),
            patched("/api/v1/namespaces/b/configmaps/one", "404 Not Found"),
            patched(
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x",
                "201 Created",
            ),
            patched("/apis/apps/v1/namespaces/a/deployments/cart", "422 Unprocessable Entity"),
            "I1121 15:11:10.133173     668 helpers.go:246] server response object: %s[{\n  \"kind\": \"Status\"\n}]\n".to_owned(),
            "[unable to decode \"b.yaml\", no matches for kind \"Ghost\"\n".to_owned(),
            "Error from server (NotFound): namespaces \"b\" not found\n".to_owned(),
            "The Deployment \"cart\" is invalid: \n* spec.selector: Required value\n* spec: wrong\n".to_owned(),
        ]
        .concat();
        let pass = Pass::read(&stderr);
        assert_eq!(
            pass.applied,
            set([
                "clusterroles.rbac.authorization.k8s.io system:x",
                "configmaps a/one",
                "namespaces a"
            ])
        );
        let refused: Vec<_> = pass
            .refused
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            refused,
            [
                (
                    "configmaps b/one",
                    "Error from server (NotFound): namespaces \"b\" not found"
                ),
                (
                    "deployments.apps a/cart",
                    "The Deployment \"cart\" is invalid: * spec.selector: Required value * spec: wrong"
                ),
            ]
        );
        assert_eq!(
            pass.complaints,
            set(["[unable to decode \"b.yaml\", no matches for kind \"Ghost\""])
        );
    }

    #[test]
    fn a_complaint_that_fits_no_request_is_kept() {
        let stderr = "Error from server (Forbidden): one\nError from server (Forbidden): two\n";
        let pass = Pass::read(stderr);
        assert_eq!((pass.refused.len(), pass.complaints.len()), (0, 2));
    }
}
