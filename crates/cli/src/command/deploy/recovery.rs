//! `lifeboat deploy recovery`: deploys the coordinator, the vault and the recovery key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lifeboat_aws::KmsUnwrapper;
use lifeboat_format::{RecipientKey, pem};
use lifeboat_model::{AccountId, Arn, Code, EnvironmentId};

use super::package::PackageArguments;
use super::{BreakGlass, DeployDocument, DeployedStack, Deployer, RecoveryKey, output, quoted};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_deploy::template::{CONTROL, RECOVERY_ACCESS};

const AFTER: &str = "Example:
  lifeboat deploy recovery --profile recovery --region eu-central-1

  Deploys the stacks lifeboat-control and lifeboat-recovery-access, and writes the public
  recovery key to a file for `lifeboat deploy primary`. Run it again to update the stacks;
  parameters and subscriptions that were set by hand are kept.

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
    if control == here {
        let topic = control_stack(arguments, &deployer, &mut deployed).await?;
        let before = existing
            .as_ref()
            .and_then(|stack| stack.parameters.get("AlarmTopic"));
        if before.is_none_or(String::is_empty) {
            parameters.insert("AlarmTopic", topic);
        }
    }
    if existing.is_none() && !deployer.makes(&here.scratch_bucket()).await? {
        parameters.insert("CreateScratchBucket", "false".to_owned());
    }
    let outputs = deployer
        .deploy(&stack, RECOVERY_ACCESS, parameters, &mut deployed)
        .await?;
    let key = output(&outputs, &stack, "RecoveryKeyArn")?;
    let key = Arn::parse(key).map_err(|error| {
        Failure::of(
            Code::StackFailed,
            format!("failed to read the output RecoveryKeyArn of the stack {stack}"),
            &error,
        )
    })?;
    let unwrapper = KmsUnwrapper::open(session.context(), &key).await?;
    let file = arguments
        .public_key_out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("recovery-{here}.pub.pem")));
    let recovery_key = write(unwrapper.recipient(), &file)?;
    let next = format!(
        "lifeboat deploy primary --control {control} --recovery-public-key {} --profile PRIMARY_PROFILE --region PRIMARY_REGION",
        quoted(&recovery_key.file)
    );
    Ok(DeployDocument {
        recovery_key: Some(recovery_key),
        ..DeployDocument::new(deployed, next)
    })
}

/// Deploys the stack `control`; returns the ARN of its topic.
async fn control_stack(
    arguments: &Arguments,
    deployer: &Deployer<'_>,
    deployed: &mut Vec<DeployedStack>,
) -> Result<String, Failure> {
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
    let outputs = deployer.deploy(&stack, CONTROL, parameters, deployed).await?;
    Ok(output(&outputs, &stack, "Issues")?.to_owned())
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

fn write(key: &RecipientKey, file: &Path) -> Result<RecoveryKey, Failure> {
    let text = key.to_pem();
    write_key("recovery", &text, file)?;
    Ok(RecoveryKey {
        fingerprint: key.fingerprint().to_string(),
        public_key: one_line(&text),
        file: file.display().to_string(),
    })
}

/// Writes a public key to a file; `which` names the key in a message.
pub(super) fn write_key(which: &str, text: &str, file: &Path) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::of(
            Code::StoreFailed,
            format!("failed to write the public {which} key to {}", file.display()),
            &error,
        )
        .remedy("choose another file with --public-key-out, then run the same command again")
    })
}

/// Formats a key as the parameter of a stack: the base64 of its DER.
pub(super) fn one_line(text: &str) -> String {
    debug_assert!(pem::decode(text).is_some(), "it was encoded as PEM");
    text.lines().filter(|line| !line.starts_with("-----")).collect()
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
