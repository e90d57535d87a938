//! Deploys the stacks: runs the package script, and `aws cloudformation deploy` as a user without
//! another tool would.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::client::Client;

/// Returns the folder of the checkout.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the architecture of this machine in Lambda's terms.
pub(super) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    }
}

/// Both functions as zip files.
#[derive(Clone, Debug)]
pub struct Package {
    /// The folder of the zip files.
    pub folder: PathBuf,
    /// The output of the script: each zip file with its size.
    pub output: String,
}

/// Packages both functions for this machine. The profiles `release` and `dev` compile them; `built`
/// packages the existing binaries of an earlier build.
///
/// # Errors
/// If the script fails; its own output contains the reason.
pub(super) fn package(profile: &str) -> Result<Package> {
    let script = checkout().join("infra/package");
    let output = Command::new(&script)
        .args(
            [profile]
                .into_iter()
                .chain((profile == "release").then_some(architecture())),
        )
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("run {}", script.display()))?;
    ensure!(
        output.status.success(),
        "{} {profile} failed, see above",
        script.display()
    );
    let lines = String::from_utf8(output.stdout)?;
    let zip = lines
        .lines()
        .last()
        .and_then(|line| line.split_whitespace().last());
    let zip = checkout().join(zip.context("no packages were built")?);
    let folder = zip.parent().context("a zip lies in a folder")?;
    Ok(Package {
        folder: folder.canonicalize()?,
        output: lines.trim_end().to_owned(),
    })
}

/// Deploys a template with these parameters, and waits for the stack.
///
/// # Errors
/// If the deployment of the stack fails; the message contains its failed events.
pub(super) fn deploy(client: &Client, stack: &str, template: &str, parameters: &[String]) -> Result<()> {
    let file = checkout().join(format!("cloudformation/{template}.yaml"));
    let mut arguments = vec![
        "cloudformation",
        "deploy",
        "--no-fail-on-empty-changeset",
        "--capabilities",
        "CAPABILITY_NAMED_IAM",
        "--stack-name",
        stack,
        "--template-file",
        file.to_str().context("a path in UTF-8")?,
    ];
    arguments.push("--parameter-overrides");
    arguments.extend(parameters.iter().map(String::as_str));
    let Err(error) = client.text(&arguments) else {
        return Ok(());
    };
    let failed = "StackEvents[?contains(ResourceStatus,'FAILED')].[LogicalResourceId,ResourceStatusReason]";
    let events = client.text(&[
        "cloudformation",
        "describe-stack-events",
        "--stack-name",
        stack,
        "--query",
        failed,
    ]);
    Err(error.context(format!("the stack {stack}: {}", events.unwrap_or_default())))
}
