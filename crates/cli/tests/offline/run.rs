//! Runs the real program and renders what a user sees, with what changes from run to run replaced.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder to work in, and an environment that holds nothing but it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command line, given as words separated by blanks.
    pub(crate) fn run(&self, line: &str) -> Output {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.command(&words).output().unwrap()
    }

    /// Runs a command line and renders what a user sees.
    pub(crate) fn transcript(&self, line: &str) -> String {
        let output = self.run(line);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.stable(&format!(
            "$ lifeboat {line}\nexit code: {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        ))
    }

    /// Replaces what differs from run to run.
    pub(crate) fn stable(&self, text: &str) -> String {
        let text = text.replace(&self.path().display().to_string(), "[DIR]");
        let mut stable = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("sha256:") {
            let (before, after) = rest.split_at(at + "sha256:".len());
            stable.push_str(before);
            let digits = after.chars().take_while(char::is_ascii_hexdigit).count();
            stable.push_str(if digits == 0 { "" } else { "[DIGEST]" });
            rest = &after[digits..];
        }
        stable.push_str(rest);
        stable
    }
}
