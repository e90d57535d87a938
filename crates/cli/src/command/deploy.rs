//! `lifeboat deploy`: deploys the stacks of both accounts with CloudFormation.
//!
//! Three commands lead to the first recovery point: `recovery`, `primary`, `application`. Each prints the next command,
//! filled in, and can be repeated: what is up to date is not changed. `private-delegate` adds a cluster without a public
//! endpoint.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use lifeboat_model::{ApplicationName, Arn, Code, EnvironmentId, Exit, Problem};
use lifeboat_store::ports::{Clock, Randomness};
use lifeboat_system::{SystemClock, SystemRandomness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::public_key::PublicKeyFile;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Document, human};
use lifeboat_aws::session::Session;
use lifeboat_deploy::artifacts::{self, Upload};
use lifeboat_deploy::template::Template;
use lifeboat_deploy::{
    CloudFormation, Deployed, OnFailure, Outcome, Stack, StackSpec, Stacks, change_set_name,
};

pub mod application;
pub mod package;
pub mod primary;
pub mod private_delegate;
pub mod public_key;
pub mod recovery;

/// The subcommands of `lifeboat deploy`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// First: the recovery account, with the coordinator, the vault and the key that decrypts
    Recovery(Box<recovery::Arguments>),
    /// Second: the primary account, with the bucket for captures
    Primary(Box<primary::Arguments>),
    /// Third: an application, on both sides, with the key that signs its recovery points
    Application(Box<application::Arguments>),
    /// For each cluster without a public endpoint: a delegate in its VPC
    PrivateDelegate(Box<private_delegate::Arguments>),
}

/// The principals to which the denials of the buckets' policies do not apply.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Stacks")]
pub struct BreakGlass {
    /// A role or user that may do in an emergency what the policies of the buckets deny to all others; may be repeated,
    /// and replaces those of former deployments
    #[arg(long = "break-glass", value_name = "ARN")]
    pub principals: Vec<Arn>,
}

impl BreakGlass {
    /// Sets the parameter of a stack, if any principal is given.
    fn set(&self, parameters: &mut BTreeMap<&'static str, String>) {
        if !self.principals.is_empty() {
            let arns: Vec<&str> = self.principals.iter().map(Arn::as_str).collect();
            parameters.insert("BreakGlassPrincipals", arns.join(","));
        }
    }
}

/// What was deployed, and what comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployDocument {
    /// Always `lifeboat.dev/deploy/v1`.
    pub format: String,
    /// The stacks, in the order in which they were deployed.
    pub stacks: Vec<DeployedStack>,
    /// The key that recovery points are encrypted to, after `deploy recovery`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<PublicKeyFile>,
    /// The key that signs the coordinator's assignments, after `deploy recovery` of the control stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinator_key: Option<PublicKeyFile>,
    /// The fingerprint of the key that signs the application's recovery points, after `deploy application`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// The file that its public half was written to. Keep a copy outside of AWS: a restore without the coordinator
    /// verifies with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key_file: Option<String>,
    /// The application whose document was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationName>,
    /// A document to begin with, in YAML, after `deploy primary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// What keeps the function of a private delegate from working, after `deploy private-delegate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// The command that comes next. Values that only the user knows are in capitals.
    pub next: String,
}

/// A stack that was deployed, or deleted because it is not needed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployedStack {
    /// Its account and Region.
    pub environment: EnvironmentId,
    /// Its name.
    pub stack: String,
    /// What the deployment changed.
    pub outcome: Outcome,
}

impl Document for DeployDocument {
    fn table(&self) -> String {
        let mut text = String::new();
        for stack in &self.stacks {
            let outcome = stack.outcome.to_string();
            text.push_str(&format!("{outcome:9} {} in {}\n", stack.stack, stack.environment));
        }
        if let Some(key) = &self.recovery_key {
            text.push_str(&format!(
                "recovery key {}; public key written to {}\n",
                key.fingerprint, key.file
            ));
        }
        if let Some(key) = &self.coordinator_key {
            text.push_str(&format!(
                "coordinator key {}; public key written to {}\n",
                key.fingerprint, key.file
            ));
        }
        if let Some(key) = &self.signing_key {
            match &self.signing_key_file {
                Some(file) => text.push_str(&format!("signing key {key}; public key written to {file}\n")),
                None => text.push_str(&format!("signing key {key}\n")),
            }
        }
        if let Some(name) = &self.application {
            text.push_str(&format!(
                "the application {name} is stored; its first backup starts automatically\n"
            ));
        }
        for warning in &self.warnings {
            text.push_str(&format!(
                "warning {}: {}\n  fix: {}\n",
                warning.code, warning.message, warning.guidance
            ));
        }
        text.push_str("\nnext");
        if let Some(example) = &self.example {
            text.push_str(", with a file shop.yaml such as\n\n");
            for line in example.lines() {
                text.push_str(&format!("  {line}\n"));
            }
            text.push('\n');
        } else {
            text.push_str(":\n");
        }
        text.push_str(&format!("  {}\n", self.next));
        text
    }
}

impl DeployDocument {
    fn new(stacks: Vec<DeployedStack>, next: String) -> Self {
        Self {
            format: "lifeboat.dev/deploy/v1".to_owned(),
            stacks,
            recovery_key: None,
            coordinator_key: None,
            signing_key: None,
            signing_key_file: None,
            application: None,
            example: None,
            warnings: Vec::new(),
            next,
        }
    }
}

/// Deploys stacks, and prints the result.
///
/// # Errors
/// If a stack cannot be deployed. If the credentials belong to another account, nothing is changed.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    let document = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        match command {
            Command::Recovery(arguments) => Box::pin(recovery::make(arguments, context)).await,
            Command::Primary(arguments) => Box::pin(primary::make(arguments, context)).await,
            Command::Application(arguments) => Box::pin(application::make(arguments, context)).await,
            Command::PrivateDelegate(arguments) => Box::pin(private_delegate::make(arguments, context)).await,
        }
    })?;
    context.print(&document)?;
    Ok(Exit::Success)
}

/// Deploys stacks in one account and Region.
struct Deployer<'a> {
    session: &'a Session,
    stacks: CloudFormation,
    context: &'a Context,
}

impl<'a> Deployer<'a> {
    fn new(session: &'a Session, context: &'a Context) -> Self {
        Self {
            session,
            stacks: CloudFormation::new(session.context(), session.environment()),
            context,
        }
    }

    /// Uploads zips; returns their bucket and keys.
    async fn upload(&self, zips: &[&artifacts::Artifact]) -> Result<(String, Vec<String>), Failure> {
        let tell = |upload: &Upload<'_>| self.context.progress.note(line(upload));
        Ok(artifacts::upload(self.session.context(), self.session.environment(), zips, &tell).await?)
    }

    /// Returns the stack, or `None` if it does not exist or was never created (`REVIEW_IN_PROGRESS`).
    async fn existing(&self, stack: &str) -> Result<Option<Stack>, Failure> {
        let found = self.stacks.describe(stack).await?;
        Ok(found.filter(|stack| stack.status != "REVIEW_IN_PROGRESS"))
    }

    /// Reports whether a new stack has to create a bucket: not if the bucket remains from an earlier stack.
    async fn makes(&self, bucket: &str) -> Result<bool, Failure> {
        let is_left = artifacts::exists(self.session.context(), self.session.environment(), bucket).await?;
        if is_left {
            self.context
                .progress
                .note(format!("{bucket}: exists from an earlier stack and is reused"));
        }
        Ok(!is_left)
    }

    async fn deploy(
        &self,
        stack: &str,
        template: Template,
        parameters: BTreeMap<&'static str, String>,
        deployed: &mut Vec<DeployedStack>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let parameters = parameters.into_iter();
        let wanted = StackSpec {
            stack: stack.to_owned(),
            template: template.body.into(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).collect(),
            tags: BTreeMap::new(),
            change_set: change_set(),
            on_failure: OnFailure::RollBack,
        };
        self.deploy_stack(&wanted, deployed).await
    }

    async fn deploy_stack(
        &self,
        wanted: &StackSpec,
        deployed: &mut Vec<DeployedStack>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let tell = |line: &str| self.context.progress.note(line);
        let Deployed { outcome, outputs } = lifeboat_deploy::deploy(&self.stacks, wanted, &tell).await?;
        self.done(&wanted.stack, outcome, deployed);
        Ok(outputs)
    }

    /// Deletes a stack.
    async fn delete(&self, stack: &str, deployed: &mut Vec<DeployedStack>) -> Result<(), Failure> {
        let tell = |line: &str| self.context.progress.note(line);
        if lifeboat_deploy::delete(&self.stacks, stack, &BTreeMap::new(), &tell).await? {
            self.done(stack, Outcome::Deleted, deployed);
        }
        Ok(())
    }

    fn done(&self, stack: &str, outcome: Outcome, deployed: &mut Vec<DeployedStack>) {
        deployed.push(DeployedStack {
            environment: self.session.environment().clone(),
            stack: stack.to_owned(),
            outcome,
        });
    }
}

fn line(upload: &Upload<'_>) -> String {
    match upload {
        Upload::BucketCreated { bucket } => format!("{bucket}: created"),
        Upload::Artifact {
            bucket,
            key,
            bytes,
            is_new,
        } => {
            let done = if *is_new { "uploaded" } else { "already uploaded" };
            format!("{bucket}: {key} ({}) {done}", human::bytes(*bytes))
        }
    }
}

/// Returns a name that no other change set of the stack has.
pub(crate) fn change_set() -> String {
    let mut random = [0; 3];
    SystemRandomness.random(&mut random);
    change_set_name(SystemClock.now(), random)
}

/// Returns an output that a stack must have.
fn output<'a>(outputs: &'a BTreeMap<String, String>, stack: &str, name: &str) -> Result<&'a str, Failure> {
    outputs.get(name).map(String::as_str).ok_or_else(|| {
        Failure::new(
            Code::StackFailed,
            format!("the stack {stack} has no output {name}"),
        )
        .remedy("it was not created from the template of this version; deploy it again")
    })
}

/// Quotes a word of a command line for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        for (word, shown) in [
            ("keys/a.pem", "keys/a.pem"),
            ("my keys", "'my keys'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn change_sets_have_names_that_cloudformation_takes() {
        let name = change_set();
        assert!(name.starts_with("lifeboat-20") && name.len() < 128, "{name}");
        assert!(
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            "{name}"
        );
        assert_ne!(name, change_set());
    }
}
