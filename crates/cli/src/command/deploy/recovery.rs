//! `lifeboat deploy recovery`: deploys the coordinator, the vault and the recovery key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use lifeboat_aws::KmsUnwrapper;
use lifeboat_format::{RecipientKey, pem};
use lifeboat_model::{AccountId, Arn, Code, EnvironmentId};

use super::package::PackageArguments;
use super::{DeployDocument, DeployedStack, Deployer, RecoveryKey, output, quoted};
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
    /// Another account that recovers from this vault; may be repeated
    #[arg(long = "with-account", value_name = "ID", help_heading = "Stacks")]
    pub with_accounts: Vec<AccountId>,
    /// Days for which recovery points cannot be deleted (S3 Object Lock); only for a new vault
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650), help_heading = "Stacks")]
    pub lock_days: Option<u16>,
    /// Where to write the public recovery key; defaults to recovery-ACCOUNT-REGION.pub.pem
    #[arg(long, value_name = "FILE", help_heading = "Stacks")]
    pub public_key_out: Option<PathBuf>,
}

pub(super) async fn make(arguments: &Arguments, context: &Context) -> Result<DeployDocument, Failure> {
    let session = arguments.aws.open().await?;
    let here = session.environment().clone();
    let control = arguments.control.clone().unwrap_or_else(|| here.clone());
    let deployer = Deployer::new(&session, context);
    let mut deployed = Vec::new();
    if control == here {
        control_stack(arguments, &deployer, &mut deployed).await?;
    }

    let stack = RECOVERY_ACCESS.stack();
    let mut parameters = BTreeMap::from([
        ("ControlAccount", control.account.to_string()),
        ("ControlRegion", control.region.to_string()),
    ]);
    if deployer.existing(&stack).await?.is_none() && !deployer.makes(&here.scratch_bucket()).await? {
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

async fn control_stack(
    arguments: &Arguments,
    deployer: &Deployer<'_>,
    deployed: &mut Vec<DeployedStack>,
) -> Result<(), Failure> {
    let here = deployer.session.environment();
    let zip = arguments.package.read("lifeboat-coordinator")?;
    let stack = CONTROL.stack();
    let existing = deployer.existing(&stack).await?;
    let mut parameters = BTreeMap::new();
    match (&existing, arguments.lock_days) {
        (None, Some(days)) => {
            parameters.insert("LockDays", days.to_string());
        }
        (Some(existing), Some(days)) if existing.parameters.get("LockDays") != Some(&days.to_string()) => {
            return Err(Failure::new(
                Code::Usage,
                format!("the vault of {here} already exists; --lock-days applies only to a new vault"),
            )
            .remedy(format!(
                "omit --lock-days, and lock the existing vault with `aws s3api put-object-lock-configuration --bucket {}`",
                here.vault_bucket()
            )));
        }
        _ => {}
    }
    if existing.is_none() && !deployer.makes(&here.vault_bucket()).await? {
        parameters.insert("CreateBuckets", "false".to_owned());
    }
    let before = existing.and_then(|stack| stack.parameters.get("Accounts").cloned());
    let accounts = accounts(before.as_deref(), &here.account, &arguments.with_accounts);
    let (bucket, keys) = deployer.upload(&[&zip]).await?;
    parameters.extend([
        ("CodeBucket", bucket),
        ("CoordinatorKey", keys.concat()),
        ("Architecture", arguments.package.architecture.name().to_owned()),
        ("Accounts", accounts),
    ]);
    deployer.deploy(&stack, CONTROL, parameters, deployed).await?;
    Ok(())
}

/// Adds accounts to those that have access before; none is removed.
fn accounts(before: Option<&str>, own: &AccountId, further: &[AccountId]) -> String {
    let before = before.unwrap_or_default().split(',').map(str::trim);
    let all: BTreeSet<&str> = before
        .filter(|account| !account.is_empty())
        .chain([own.as_str()])
        .chain(further.iter().map(AccountId::as_str))
        .collect();
    all.into_iter().collect::<Vec<&str>>().join(",")
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
        let id = |text: &str| AccountId::parse(text).unwrap();
        let own = id("222222222222");
        assert_eq!(accounts(None, &own, &[]), "222222222222");
        assert_eq!(
            accounts(Some("333333333333, 222222222222"), &own, &[id("111111111111")]),
            "111111111111,222222222222,333333333333"
        );
    }
}
