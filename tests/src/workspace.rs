//! A folder with keys and a store, and the `lifeboat` binary that uses them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::child::{self, Finished};

/// Keys and a store in a folder that is removed when this value is dropped.
pub struct Workspace {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

impl Workspace {
    /// Creates a folder with new keys and an empty store.
    ///
    /// # Errors
    /// If the `lifeboat` binary is not next to the running one, or the keys cannot be created.
    pub fn create() -> Result<Self> {
        let workspace = Self {
            binary: binary()?,
            folder: tempfile::Builder::new().prefix("lifeboat-").tempdir()?,
        };
        std::fs::create_dir(workspace.store())?;
        let made = workspace.run(&["keys", "generate", "--out", &workspace.keys().to_string_lossy()])?;
        ensure!(made.code == Some(0), "lifeboat keys generate: {}", made.stderr);
        Ok(workspace)
    }

    /// Returns the folder of the recovery points.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Returns the folder of the keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// Returns a folder for other files of the caller.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the `lifeboat` command with the paths of the store and the keys in its environment.
    #[must_use]
    pub fn lifeboat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env("LIFEBOAT_STORE", self.store())
            .env("LIFEBOAT_APPLICATION", "shop")
            .env("LIFEBOAT_VERIFY_KEY", self.keys().join("signing.pub.pem"));
        match arguments.first() {
            // The backup side has only the public half of the recovery key.
            Some(&"backup") => command
                .env(
                    "LIFEBOAT_RECOVERY_PUBLIC_KEY",
                    self.keys().join("recovery.pub.pem"),
                )
                .env("LIFEBOAT_SIGNING_KEY", self.keys().join("signing.key.pem")),
            _ => command.env("LIFEBOAT_RECOVERY_KEY", self.keys().join("recovery.key.pem")),
        };
        command
    }

    /// Runs `lifeboat` to its end.
    ///
    /// # Errors
    /// If it cannot be started. The caller checks the exit status.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        child::run(&mut self.lifeboat(arguments))
    }

    /// Runs `lifeboat … --output json` and parses its output.
    ///
    /// # Errors
    /// If it cannot be started, its exit status is not in `codes`, or its output is not JSON.
    pub fn json(&self, arguments: &[&str], codes: &[i32]) -> Result<(serde_json::Value, Finished)> {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        let finished = self.run(&all)?;
        ensure!(
            finished.code.is_some_and(|code| codes.contains(&code)),
            "lifeboat {all:?} ended with {:?}\n{}\n{}",
            finished.code,
            finished.stdout,
            finished.stderr
        );
        let value = serde_json::from_str(&finished.stdout)
            .with_context(|| format!("lifeboat {all:?} printed no JSON: {}", finished.stdout))?;
        Ok((value, finished))
    }
}

/// Returns the path of the `lifeboat` binary of the same build: next to this program, or one folder up for a test.
pub(crate) fn binary() -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("lifeboat"))
        .find(|path| path.is_file())
        .context("the lifeboat binary is not built: run `cargo build -p lifeboat-cli` with the same profile")
}
