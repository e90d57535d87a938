//! The official AWS command line client, with the credentials of one caller and a Region.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use lifeboat_local::{Credentials, LocalAws, ensure_aws_client};
use serde_json::Value;

/// The timeout of a response, in seconds: to create an RSA-4096 key, or to read a whole cluster in
/// a delegate, takes long while the machine compiles.
const READ_TIMEOUT: &str = "--cli-read-timeout=300";

/// The AWS command line client with credentials, a Region, and a folder for the files that it writes.
#[derive(Clone, Debug)]
pub struct Client {
    program: PathBuf,
    endpoint: String,
    credentials: Credentials,
    region: String,
    folder: PathBuf,
}

impl Client {
    /// Returns the client of an administrator.
    ///
    /// # Errors
    /// If the client cannot be installed.
    pub fn new(aws: &LocalAws, credentials: Credentials, region: &str, folder: PathBuf) -> Result<Self> {
        Ok(Self {
            program: ensure_aws_client()?,
            endpoint: aws.endpoint(),
            credentials,
            region: region.to_owned(),
            folder,
        })
    }

    /// Returns the Region of the requests.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the environment variables that make a program use the local AWS with this client's
    /// keys: endpoint and credentials.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let endpoint = [("AWS_ENDPOINT_URL", self.endpoint.as_str())];
        endpoint.into_iter().chain(self.credentials.variables())
    }

    /// Runs `aws …` and returns its standard output.
    ///
    /// # Errors
    /// If the command fails; the message is its standard error.
    pub fn text(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg(READ_TIMEOUT);
        self.output(command)
            .with_context(|| format!("aws {}", arguments.join(" ")))
    }

    /// Runs a command that prints a JSON document or nothing, and returns the document.
    ///
    /// # Errors
    /// If the command fails, or prints anything else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.text(arguments)?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("aws {} printed {text}", arguments.join(" ")))
    }

    /// Runs a line in a shell, as a user who pastes it would.
    ///
    /// # Errors
    /// If the line fails; the message is its standard error.
    pub fn shell(&self, line: &str) -> Result<String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]);
        self.output(command).with_context(|| line.to_owned())
    }

    /// Invokes a function and returns its response.
    ///
    /// # Errors
    /// If the function or the call fails.
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Value> {
        let answer = self.folder.join("answer.json");
        let path = answer.to_str().context("a folder with a name in UTF-8")?;
        let payload = payload.to_string();
        let arguments = [
            "lambda",
            "invoke",
            "--function-name",
            function,
            "--payload",
            &payload,
            path,
        ];
        let reporter = self.json(&arguments)?;
        let body = std::fs::read_to_string(&answer).context("read the answer of a function")?;
        ensure!(
            reporter["FunctionError"].is_null(),
            "{function} failed on {payload}: {body}"
        );
        serde_json::from_str(&body).with_context(|| format!("{function} answered {body}"))
    }

    fn output(&self, mut command: Command) -> Result<String> {
        let programs = self.program.parent().context("a program lies in a folder")?;
        let output = command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("HOME", &self.folder)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_DEFAULT_REGION", &self.region)
            .env("AWS_DEFAULT_OUTPUT", "json")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // A failing call returns at once, without retries.
            .env("AWS_MAX_ATTEMPTS", "1")
            .envs(self.credentials.variables())
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "{} {}",
                String::from_utf8_lossy(&output.stdout).trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
