//! `lifeboat deploy primary`: deploys the scratch bucket of a primary account.

use std::collections::BTreeMap;

use clap::Args;
use lifeboat_model::EnvironmentId;

use super::public_key::{coordinator_keys, one_line, recovery_keys};
use super::{BreakGlass, DeployDocument, Deployer};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_deploy::template::PRIMARY_ACCESS;

const AFTER: &str = "Example:
  lifeboat deploy primary --profile primary --region eu-west-1 \\
      --control 222222222222-eu-central-1 \\
      --recovery-public-key recovery-222222222222-eu-central-1.pub.pem \\
      --coordinator-public-key coordinator-222222222222-eu-central-1.pub.pem

  `lifeboat deploy recovery` prints this command, filled in. Deploys the stack
  lifeboat-primary-access, and prints an application document to start with.

Exit codes: 0 deployed, 9 the public key cannot be used, 12 AWS refused the request, or the
stack failed";

/// Options of `lifeboat deploy primary`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// Who deploys, and where.
    #[command(flatten)]
    pub aws: AwsArguments,
    /// Where the control stack is: ACCOUNT-REGION
    #[arg(long, value_name = "ENVIRONMENT", help_heading = "Stacks")]
    pub control: EnvironmentId,
    /// The public recovery key: a file, which may hold several keys, or base64 with commas between keys
    #[arg(
        long,
        env = "LIFEBOAT_RECOVERY_PUBLIC_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Stacks"
    )]
    pub recovery_public_key: String,
    /// The public key of the coordinator: a file, or one line of base64
    #[arg(
        long,
        env = "LIFEBOAT_COORDINATOR_PUBLIC_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Stacks"
    )]
    pub coordinator_public_key: String,
    /// What the policy of the bucket denies does not apply to these principals.
    #[command(flatten)]
    pub break_glass: BreakGlass,
}

pub(super) async fn make(arguments: &Arguments, context: &Context) -> Result<DeployDocument, Failure> {
    let recipients = recovery_keys(&arguments.recovery_public_key)?;
    let recipients: Vec<String> = recipients.iter().map(|key| one_line(&key.to_pem())).collect();
    let coordinator = coordinator_keys(&arguments.coordinator_public_key)?;
    let session = arguments.aws.open().await?;
    let here = session.environment().clone();
    let deployer = Deployer::new(&session, context);
    let stack = PRIMARY_ACCESS.stack();
    let mut parameters = BTreeMap::from([
        ("ControlAccount", arguments.control.account.to_string()),
        ("ControlRegion", arguments.control.region.to_string()),
        ("RecoveryPublicKey", recipients.join(",")),
        ("CoordinatorPublicKey", coordinator),
    ]);
    arguments.break_glass.set(&mut parameters);
    if deployer.existing(&stack).await?.is_none() && !deployer.makes(&here.scratch_bucket()).await? {
        parameters.insert("CreateScratchBucket", "false".to_owned());
    }
    let mut deployed = Vec::new();
    deployer
        .deploy(&stack, PRIMARY_ACCESS, parameters, &mut deployed)
        .await?;
    let next = format!(
        "lifeboat deploy application shop.yaml --primary-profile {} --recovery-profile RECOVERY_PROFILE",
        session.profile().unwrap_or("PRIMARY_PROFILE")
    );
    Ok(DeployDocument {
        example: Some(example(&here, &arguments.control)),
        ..DeployDocument::new(deployed, next)
    })
}

/// Returns an application document with all the values filled in that are known here.
fn example(primary: &EnvironmentId, recovery: &EnvironmentId) -> String {
    format!(
        "format: 1
name: shop
primary:
  account: \"{}\"
  region: {}
recovery:
  account: \"{}\"
  region: {}
clusters:
- name: orders
  cluster: CLUSTER
  restoreInto: RECOVERY_CLUSTER
schedule:
  every: 1h
",
        primary.account, primary.region, recovery.account, recovery.region
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_model::ApplicationDocument;

    use super::*;

    #[test]
    fn the_example_is_an_application() {
        let environment = |text| EnvironmentId::parse(text).unwrap();
        let text = example(
            &environment("111111111111-eu-west-1"),
            &environment("222222222222-eu-central-1"),
        );
        let document: ApplicationDocument = serde_yaml_ng::from_str(&text).unwrap();
        let application = document.parse().unwrap();
        assert_eq!(application.primary.to_string(), "111111111111-eu-west-1");
        assert_eq!(application.recovery.to_string(), "222222222222-eu-central-1");
    }
}
