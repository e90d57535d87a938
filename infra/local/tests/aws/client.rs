//! The official AWS command line client, with the credentials of one caller.

use std::path::PathBuf;
use std::process::{Command, Output};

use lifeboat_local::{Credentials, LocalAws, ensure_aws_client};
use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Client {
    program: PathBuf,
    endpoint: String,
    credentials: Credentials,
    region: String,
}

impl Client {
    pub(crate) fn new(aws: &LocalAws, credentials: Credentials, region: &str) -> Self {
        Self {
            program: ensure_aws_client().unwrap(),
            endpoint: aws.endpoint(),
            credentials,
            region: region.to_owned(),
        }
    }

    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self.clone()
        }
    }

    /// Returns a client with a session of a new role without permissions.
    pub(crate) fn role(&self, name: &str, session: &str) -> Self {
        let account = self.ok("sts get-caller-identity")["Account"].clone();
        let principal = format!(r#"{{"AWS":"arn:aws:iam::{}:root"}}"#, account.as_str().unwrap());
        let role = self.create_role(name, &principal);
        let assumed = self.ok(&format!(
            "sts assume-role --role-arn {role} --role-session-name {session}"
        ));
        let text = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
        Self {
            credentials: Credentials {
                access_key_id: text("AccessKeyId"),
                secret_access_key: text("SecretAccessKey"),
                session_token: Some(text("SessionToken")),
            },
            ..self.clone()
        }
    }

    /// Creates a role without permissions that a service may assume.
    pub(crate) fn role_for(&self, name: &str, service: &str) {
        self.create_role(name, &format!(r#"{{"Service":"{service}"}}"#));
    }

    fn create_role(&self, name: &str, principal: &str) -> String {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        );
        let command = format!("iam create-role --role-name {name} --assume-role-policy-document");
        let created = self.ok_with(&command, &[&trust]);
        created["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    /// Runs a command that must succeed, and returns its response.
    pub(crate) fn ok(&self, command: &str) -> Value {
        self.ok_with(command, &[])
    }

    /// Runs a command that must succeed and prints no document.
    pub(crate) fn done(&self, command: &str) {
        let output = self.run(command, &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {error}");
    }

    /// Runs a command that must succeed, with further arguments that may contain spaces.
    pub(crate) fn ok_with(&self, command: &str, more: &[&str]) -> Value {
        let output = self.run(command, more);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {error}");
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail, and returns its error message.
    pub(crate) fn fails(&self, command: &str) -> String {
        let output = self.run(command, &[]);
        assert!(!output.status.success(), "{command} did not fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        Command::new(&self.program)
            .args(command.split_ascii_whitespace())
            .args(more)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_DEFAULT_REGION", &self.region)
            .env("AWS_DEFAULT_OUTPUT", "json")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // A failing call returns at once, without retries.
            .env("AWS_MAX_ATTEMPTS", "1")
            .envs(self.credentials.variables())
            .output()
            .unwrap()
    }
}
