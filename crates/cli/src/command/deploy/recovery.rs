//! `lifeboat deploy recovery`: deploys the coordinator, the vault and the recovery key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lifeboat_aws::{KmsSigner, KmsUnwrapper};
use lifeboat_model::{AccountId, Arn, Code, EnvironmentId};
use lifeboat_store::ports::Signer as _;

use super::package::PackageArguments;
use super::public_key::{PublicKeyFile, coordinator_keys, write};
use super::{BreakGlass, DeployDocument, DeployedStack, Deployer, output, quoted};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_deploy::template::{CONTROL, RECOVERY_ACCESS};

const AFTER: &str = "Example:
  lifeboat deploy recovery --profile recovery --region eu-central-1

  Deploys the stacks lifeboat-control and lifeboat-recovery-access, and writes the public
  recovery key and the public key of the coordinator to files for `lifeboat deploy primary`.
  Run it again to update the stacks; parameters and subscriptions that were set by hand are
  kept.

Exit codes: 0 deployed, 2 the packages are missing, 12 AWS refused the request, or a stack
failed";

/// Options of `lifeboat deploy recovery`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// Who deploys, and where.
    #[command(flatten)]
    pub aws: AwsArguments,
    /// What is deployed.
    #[command(flatten)]
    pub package: PackageArguments,
    /// Where the control stack is, if not in this account and Region: ACCOUNT-REGION
    #[arg(long, value_name = "ENVIRONMENT", help_heading = "Stacks")]
    pub control: Option<EnvironmentId>,
    /// A role of another account that reads this vault, from the output RoleArn of the stack of an application that
    /// recovers there; may be repeated
    #[arg(long = "with-role", value_name = "ARN", help_heading = "Stacks")]
    pub with_roles: Vec<Arn>,
    /// Days for which no version of a recovery point can be deleted (S3 Object Lock); 14 if never given, 0 for a new
    /// vault without a lock
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=3650), help_heading = "Stacks")]
    pub lock_days: Option<u16>,
    /// governance: break-glass principals can delete locked versions; compliance: nobody can
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "MODE",
        help_heading = "Stacks"
    )]
    pub lock_mode: Option<LockMode>,
    /// What the policies of the buckets deny does not apply to these principals.
    #[command(flatten)]
    pub break_glass: BreakGlass,
    /// Where to write the public recovery key; defaults to recovery-ACCOUNT-REGION.pub.pem
    #[arg(long, value_name = "FILE", help_heading = "Stacks")]
    pub public_key_out: Option<PathBuf>,
    /// The public key of the coordinator, if the control stack is elsewhere: a file, or one line of base64
    #[arg(
        long,
        env = "LIFEBOAT_COORDINATOR_PUBLIC_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Stacks"
    )]
    pub coordinator_public_key: Option<String>,
}

/// A mode of S3 Object Lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LockMode {
    /// A principal with the permission can bypass it.
    Governance,
    /// Nobody can bypass it.
    Compliance,
}

impl LockMode {
    fn parameter(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

pub(super) async fn make(arguments: &Arguments, context: &Context) -> Result<DeployDocument, Failure> {
    let session = arguments.aws.open().await?;
    let here = session.environment().clone();
    let control = arguments.control.clone().unwrap_or_else(|| here.clone());
    let deployer = Deployer::new(&session, context);
    let mut deployed = Vec::new();
    let stack = RECOVERY_ACCESS.stack();
    let existing = deployer.existing(&stack).await?;
    let mut parameters = BTreeMap::from([
        ("ControlAccount", control.account.to_string()),
        ("ControlRegion", control.region.to_string()),
    ]);
    arguments.break_glass.set(&mut parameters);
    let mut coordinator_key = None;
    // The name by which the next command refers to the key.
    let coordinator = match &arguments.coordinator_public_key {
        Some(given) => {
            parameters.insert("CoordinatorPublicKey", coordinator_keys(given)?);
            given.clone()
        }
        None if control == here => PathBuf::from(format!("coordinator-{here}.pub.pem"))
            .display()
            .to_string(),
        None => "FILE".to_owned(),
    };
    if control == here {
        let outputs = control_stack(arguments, &deployer, &mut deployed).await?;
        let key = key_of(&outputs, &CONTROL.stack(), "AssignmentKeyArn")?;
        let signer = KmsSigner::open(session.context(), &key).await?;
        let key = signer.verifying_key();
        if arguments.coordinator_public_key.is_none() {
            let written = write(&key.to_pem(), key.fingerprint(), Path::new(&coordinator))?;
            parameters.insert("CoordinatorPublicKey", written.public_key.clone());
            coordinator_key = Some(written);
        }
        let topic = output(&outputs, &CONTROL.stack(), "Issues")?.to_owned();
        let before = existing
            .as_ref()
            .and_then(|stack| stack.parameters.get("AlarmTopic"));
        if before.is_none_or(String::is_empty) {
            parameters.insert("AlarmTopic", topic);
        }
    }
    if existing.is_none() && !parameters.contains_key("CoordinatorPublicKey") {
        return Err(Failure::new(
            Code::Usage,
            format!("the control stack is in {control}, and the public key of its coordinator is not given"),
        )
        .remedy(
            "give --coordinator-public-key FILE, with the file that `lifeboat deploy recovery` wrote there",
        ));
    }
    if existing.is_none() && !deployer.makes(&here.scratch_bucket()).await? {
        parameters.insert("CreateScratchBucket", "false".to_owned());
    }
    let outputs = deployer
        .deploy(&stack, RECOVERY_ACCESS, parameters, &mut deployed)
        .await?;
    let key = key_of(&outputs, &stack, "RecoveryKeyArn")?;
    let unwrapper = KmsUnwrapper::open(session.context(), &key).await?;
    let file = arguments
        .public_key_out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("recovery-{here}.pub.pem")));
    let recipient = unwrapper.recipient();
    let recovery_key: PublicKeyFile = write(&recipient.to_pem(), recipient.fingerprint(), &file)?;
    let next = format!(
        "lifeboat deploy primary --control {control} --recovery-public-key {} --coordinator-public-key {} --profile PRIMARY_PROFILE --region PRIMARY_REGION",
        quoted(&recovery_key.file),
        quoted(&coordinator)
    );
    Ok(DeployDocument {
        recovery_key: Some(recovery_key),
        coordinator_key,
        ..DeployDocument::new(deployed, next)
    })
}

/// Returns the ARN of a key from the outputs of a stack.
fn key_of(outputs: &BTreeMap<String, String>, stack: &str, name: &str) -> Result<Arn, Failure> {
    Arn::parse(output(outputs, stack, name)?).map_err(|error| {
        Failure::of(
            Code::StackFailed,
            format!("failed to read the output {name} of the stack {stack}"),
            &error,
        )
    })
}

/// Deploys the stack `control`; returns its outputs.
async fn control_stack(
    arguments: &Arguments,
    deployer: &Deployer<'_>,
    deployed: &mut Vec<DeployedStack>,
) -> Result<BTreeMap<String, String>, Failure> {
    let here = deployer.session.environment();
    let zip = arguments.package.read("lifeboat-coordinator")?;
    let stack = CONTROL.stack();
    let existing = deployer.existing(&stack).await?;
    let mut parameters = BTreeMap::new();
    if let Some(days) = arguments.lock_days {
        let before = existing
            .as_ref()
            .and_then(|stack| stack.parameters.get("LockDays"));
        if before.is_some_and(|before| (before == "0") != (days == 0)) {
            return Err(Failure::new(
                Code::Usage,
                format!("the vault of {here} already exists; Object Lock is enabled or not when a vault is created"),
            )
            .remedy(format!(
                "omit --lock-days; to lock an existing vault, run `aws s3api put-object-lock-configuration --bucket {}` as a break-glass principal",
                here.vault_bucket()
            )));
        }
        parameters.insert("LockDays", days.to_string());
    }
    if let Some(mode) = arguments.lock_mode {
        parameters.insert("LockMode", mode.parameter().to_owned());
    }
    arguments.break_glass.set(&mut parameters);
    if existing.is_none() && !deployer.makes(&here.vault_bucket()).await? {
        parameters.insert("CreateBuckets", "false".to_owned());
    }
    if !arguments.with_roles.is_empty() {
        let before = existing.and_then(|stack| stack.parameters.get("RecoveryRoles").cloned());
        let (accounts, roles) = readers(before.as_deref(), &arguments.with_roles);
        parameters.extend([("RecoveryAccounts", accounts), ("RecoveryRoles", roles)]);
    }
    let (bucket, keys) = deployer.upload(&[&zip]).await?;
    parameters.extend([
        ("CodeBucket", bucket),
        ("CoordinatorKey", keys.concat()),
        ("Architecture", arguments.package.architecture.name().to_owned()),
    ]);
    deployer.deploy(&stack, CONTROL, parameters, deployed).await
}

/// Adds roles to those that read the vault before; none is removed. Returns the accounts of all roles, and the roles, as
/// the parameters of the stack.
fn readers(before: Option<&str>, further: &[Arn]) -> (String, String) {
    let before = before.unwrap_or_default().split(',');
    let roles: BTreeSet<Arn> = before
        .filter_map(|role| Arn::parse(role).ok())
        .chain(further.iter().cloned())
        .collect();
    let accounts: BTreeSet<AccountId> = roles.iter().filter_map(Arn::account).collect();
    let accounts: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
    let roles: Vec<&str> = roles.iter().map(Arn::as_str).collect();
    (accounts.join(","), roles.join(","))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn nobody_loses_access_when_somebody_is_added() {
        let role =
            |account: &str, name: &str| format!("arn:aws:iam::{account}:role/LifeboatRecoveryK8sDel-{name}");
        let (one, other) = (
            role("333333333333", "shop-eu-central-1"),
            role("333333333333", "stock-eu-central-1"),
        );
        let third = role("444444444444", "shop-eu-central-1");
        let added = |roles: &[&str]| {
            roles
                .iter()
                .map(|role| Arn::parse(*role).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            readers(None, &added(&[&one])),
            ("333333333333".to_owned(), one.clone())
        );
        assert_eq!(
            readers(Some(&format!("{one},{third}")), &added(&[&other])),
            (
                "333333333333,444444444444".to_owned(),
                format!("{one},{other},{third}")
            )
        );
    }
}
