//! `lifeboat deploy primary`: deploys the scratch bucket of a primary account.

use std::collections::BTreeMap;

use clap::Args;
use lifeboat_aws::kms::recipient_keys;
use lifeboat_format::RecipientKey;
use lifeboat_model::{Code, Diagnostic as _, EnvironmentId};

use super::recovery::one_line;
use super::{BreakGlass, DeployDocument, Deployer};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_deploy::template::PRIMARY_ACCESS;

const AFTER: &str = "Example:
  lifeboat deploy primary --profile primary --region eu-west-1 \\
      --control 222222222222-eu-central-1 \\
      --recovery-public-key recovery-222222222222-eu-central-1.pub.pem

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
    /// What the policy of the bucket denies does not apply to these principals.
    #[command(flatten)]
    pub break_glass: BreakGlass,
}

pub(super) async fn make(arguments: &Arguments, context: &Context) -> Result<DeployDocument, Failure> {
    let recipients = read(&arguments.recovery_public_key)?;
    let recipients: Vec<String> = recipients.iter().map(|key| one_line(&key.to_pem())).collect();
    let session = arguments.aws.open().await?;
    let here = session.environment().clone();
    let deployer = Deployer::new(&session, context);
    let stack = PRIMARY_ACCESS.stack();
    let mut parameters = BTreeMap::from([
        ("ControlAccount", arguments.control.account.to_string()),
        ("ControlRegion", arguments.control.region.to_string()),
        ("RecoveryPublicKey", recipients.join(",")),
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

/// Reads keys that are given as a file, or as the keys themselves.
fn read(given: &str) -> Result<Vec<RecipientKey>, Failure> {
    let is_itself = given.starts_with("MII") || given.contains("-----BEGIN ");
    let text = if is_itself {
        given.to_owned()
    } else {
        std::fs::read_to_string(given).map_err(|error| {
            Failure::of(
                Code::KeyUnreadable,
                format!("failed to read the public recovery key from {given}"),
                &error,
            )
            .remedy("use the file that `lifeboat deploy recovery` wrote, or the key itself in base64")
        })?
    };
    recipient_keys(&text).map_err(|error| {
        Failure::of(error.code(), "failed to parse the public recovery key", &error)
            .remedy("use the file that `lifeboat deploy recovery` wrote, or the key itself in base64")
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

    #[test]
    fn what_is_no_key_is_refused_before_aws_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(
            &file,
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        )
        .unwrap();
        for given in [
            file.to_str().unwrap(),
            "nothing.pem",
            "MIICAAAA",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(
                read(given).unwrap_err().exit(),
                lifeboat_model::Exit::Keys,
                "{given}"
            );
        }
    }
}
