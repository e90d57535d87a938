//! Sets `LIFEBOAT_COMMIT`, the commit that the program is built from, for `lifeboat --version`.
//!
//! The value is that of the environment variable `LIFEBOAT_COMMIT` if a packager sets it, else the commit that git
//! reports for this checkout, else `unknown` (for example in an archive of the sources). The same commit gives the same
//! program: neither the time nor the state of the work tree is read.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LIFEBOAT_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo gives a build script its arguments in the environment"
    )]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = variable("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let commit = variable("LIFEBOAT_COMMIT").or_else(|| commit_of_checkout(&folder?));
    println!(
        "cargo::rustc-env=LIFEBOAT_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
}

/// Returns the commit that is checked out, or `None` if the sources are not in a checkout or in one of another project.
fn commit_of_checkout(folder: &Path) -> Option<String> {
    let root = folder.join("../..").canonicalize().ok()?;
    if Path::new(&git(folder, &["rev-parse", "--show-toplevel"])?)
        .canonicalize()
        .ok()?
        != root
    {
        return None;
    }
    // Both change with every commit and checkout. Cargo reruns the build script on every build if such a file is
    // missing.
    for file in ["HEAD", "logs/HEAD"] {
        let path = folder.join(git(folder, &["rev-parse", "--git-path", file])?);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(folder, &["rev-parse", "--verify", "HEAD"])
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
