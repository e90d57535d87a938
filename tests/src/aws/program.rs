//! The `lifeboat` program, with an AWS profile of each account.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use lifeboat_local::{Credentials, LocalAws};
use serde_json::Value;

use crate::workspace::binary;

/// The program with the profiles of both accounts, in a folder of its own.
#[derive(Clone, Debug)]
pub struct Program {
    program: PathBuf,
    endpoint: String,
    folder: PathBuf,
}

/// An AWS profile: its name, its Region and its credentials.
pub type Profile<'a> = (&'a str, &'a str, &'a Credentials);

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Program {
    /// Writes the profiles in the format of `aws configure`.
    ///
    /// # Errors
    /// If the program is not built, or the folder cannot be written.
    pub fn new(aws: &LocalAws, folder: PathBuf, profiles: &[Profile<'_>]) -> Result<Self> {
        let (mut config, mut keys) = (String::new(), String::new());
        for (name, region, credentials) in profiles {
            config.push_str(&format!("[profile {name}]\nregion = {region}\n"));
            keys.push_str(&format!(
                "[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                credentials.access_key_id, credentials.secret_access_key
            ));
        }
        let home = folder.join(".aws");
        std::fs::create_dir_all(&home)?;
        std::fs::write(home.join("config"), config)?;
        std::fs::write(home.join("credentials"), keys)?;
        Ok(Self {
            program: binary()?,
            endpoint: aws.endpoint(),
            folder,
        })
    }

    /// Returns the working directory of the program.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Runs `lifeboat …`; the arguments are separated by spaces.
    ///
    /// # Errors
    /// If it cannot be started, or is terminated by a signal.
    pub fn run(&self, line: &str) -> Result<Output> {
        let output = Command::new(&self.program)
            .args(line.split_whitespace())
            .env_clear()
            .env("HOME", &self.folder)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Output {
            code: output
                .status
                .code()
                .with_context(|| format!("lifeboat {line} was terminated by a signal"))?,
            out: text(output.stdout),
            err: text(output.stderr),
        })
    }

    /// Runs the program and returns the JSON document that it printed.
    ///
    /// # Errors
    /// If the exit code is not one of `codes`, or the output is not JSON.
    pub fn json(&self, line: &str, codes: &[i32]) -> Result<Value> {
        let said = self.run(&format!("{line} --output json --progress never"))?;
        if !codes.contains(&said.code) {
            bail!(
                "lifeboat {line} ended with {}: {}{}",
                said.code,
                said.out,
                said.err
            );
        }
        serde_json::from_str(&said.out).with_context(|| format!("lifeboat {line} printed {}", said.out))
    }
}
