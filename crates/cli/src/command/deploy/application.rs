//! `lifeboat deploy application`: deploys the delegates of an application on both sides, and puts its document.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lifeboat_model::request::{Answer, ApplicationRequest, Request};
use lifeboat_model::{AccountId, Application, ApplicationDocument, Arn, Code, EnvironmentId, Region, Side};
use lifeboat_store::ports::Signer as _;

use super::package::PackageArguments;
use super::public_key::write;
use super::{DeployDocument, DeployedStack, Deployer, output, quoted};
use crate::command::application::read_document;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_aws::KmsSigner;
use lifeboat_aws::coordinator::CoordinatorClient;
use lifeboat_aws::names::{private_prefix, short_name};
use lifeboat_aws::session::Session;
use lifeboat_deploy::Stack;
use lifeboat_deploy::artifacts::Artifact;
use lifeboat_deploy::template::{APPLICATION, PRIMARY_ACCESS, REBUILD, RECOVERY_ACCESS};
use lifeboat_format::VerifyingKey;

const AFTER: &str = "Example:
  lifeboat deploy application shop.yaml --primary-profile primary --recovery-profile recovery

  Accounts and Regions come from the document; the credentials are compared with them before
  any change. Deploys the stack lifeboat-application-NAME on each side, then stores the
  document with the fingerprint of the signing key: the access check and the first backup
  start automatically, and `lifeboat status` shows their progress. Without credentials for
  both accounts, deploy each side with --side.

  If the document has `rebuild` or `standby`, the stack lifeboat-rebuild-NAME of the recovery
  side grants the delegate what it needs for that. It is deleted once the document has neither.

  Writes the public signing key to a file. Keep the file outside of AWS: with it recovery
  points are verified when nothing else is left.

Exit codes: 0 deployed, 2 the document is not valid or the packages are missing, 9 the signing
key cannot be used, 12 AWS refused the request, or a stack failed";

/// Options of `lifeboat deploy application`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The application document, YAML or JSON (`lifeboat schema application`)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What is deployed.
    #[command(flatten)]
    pub package: PackageArguments,
    /// The profile of the primary account
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub primary_profile: Option<String>,
    /// The profile of the recovery account
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub recovery_profile: Option<String>,
    /// Where to write the public signing key; defaults to signing-NAME.pub.pem
    #[arg(long, value_name = "FILE", help_heading = "Stacks")]
    pub public_key_out: Option<PathBuf>,
    /// Whether the delegates deploy those of private clusters themselves, for which a service role of CloudFormation is
    /// created; what was set before is kept, and at first it is true
    #[arg(long, value_name = "true|false", help_heading = "Stacks")]
    pub private_delegates: Option<bool>,
    /// Only this side: primary or recovery
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "SIDE",
        help_heading = "Stacks"
    )]
    pub side: Option<SideSelection>,
}

/// A side of an application, for `--side`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SideSelection {
    /// Where the application runs.
    Primary,
    /// Where it is recovered; the document is put from there.
    Recovery,
}

pub(super) async fn make(arguments: &Arguments, context: &Context) -> Result<DeployDocument, Failure> {
    let (mut document, application) = read_document(&arguments.file)?;
    let zip = arguments.package.read("lifeboat-delegate")?;
    let primary = match arguments.side {
        Some(SideSelection::Recovery) => None,
        _ => Some(open(arguments.primary_profile.as_deref(), &application.primary).await?),
    };
    let recovery = match arguments.side {
        Some(SideSelection::Primary) => None,
        _ => Some(open(arguments.recovery_profile.as_deref(), &application.recovery).await?),
    };
    // Both sides are checked before one is changed.
    let sides = [
        (Side::Primary, primary.as_ref()),
        (Side::Recovery, recovery.as_ref()),
    ];
    let mut control = None;
    for (side, session) in sides {
        if let Some(session) = session {
            let access = access(side, session, &application, context).await?;
            if side == Side::Recovery {
                control = Some(control_of(&access)?);
            }
        }
    }
    let mut deployed = Vec::new();
    let (mut signing_key, mut signing_key_file) = (None, None);
    for (side, session) in sides {
        if let Some(session) = session {
            let deploying = Deployment {
                deployer: Deployer::new(session, context),
                application: &application,
                arguments,
            };
            let outputs = deploying.deploy(side, &zip, &mut deployed).await?;
            if side == Side::Primary {
                let key = verifying_key(session, &outputs).await?;
                let file = arguments
                    .public_key_out
                    .clone()
                    .unwrap_or_else(|| PathBuf::from(format!("signing-{}.pub.pem", application.name)));
                let written = write(&key.to_pem(), key.fingerprint(), &file)?;
                signing_key = Some(written.fingerprint);
                signing_key_file = Some(written.file);
            }
        }
    }
    let (Some(recovery), Some(control)) = (recovery, control) else {
        let next = format!(
            "lifeboat deploy application {} --side recovery --recovery-profile RECOVERY_PROFILE",
            quoted(&arguments.file.display().to_string())
        );
        return Ok(DeployDocument {
            signing_key,
            signing_key_file,
            ..DeployDocument::new(deployed, next)
        });
    };
    if control.account != recovery.environment().account {
        let next = format!(
            "lifeboat application put {} --profile CONTROL_PROFILE --region {} --account {}",
            quoted(&arguments.file.display().to_string()),
            control.region,
            control.account
        );
        return Ok(DeployDocument {
            signing_key,
            signing_key_file,
            ..DeployDocument::new(deployed, next)
        });
    }
    if let Some(key) = &signing_key {
        pin(&mut document, key)?;
    }
    let coordinator = CoordinatorClient::new(recovery.in_region(&control.region));
    let request = Request::Application(ApplicationRequest::Put(Box::new(document)));
    let answer = coordinator.ask(&request).await?;
    debug_assert!(
        matches!(answer, Answer::Application(_)),
        "a document is answered by it"
    );
    let next = format!(
        "lifeboat status {} {}",
        application.name,
        coordinator.session().options()
    );
    Ok(DeployDocument {
        application: Some(application.name),
        signing_key,
        signing_key_file,
        ..DeployDocument::new(deployed, next)
    })
}

/// Reads the public half of the signing key of a stack from AWS KMS, not from the bucket in which the delegate registers
/// it.
async fn verifying_key(
    session: &Session,
    outputs: &BTreeMap<String, String>,
) -> Result<VerifyingKey, Failure> {
    let key = output(outputs, "application", "SigningKeyArn")?;
    let key = Arn::parse(key).map_err(|error| {
        Failure::of(
            Code::StackFailed,
            "failed to read the output SigningKeyArn of the stack",
            &error,
        )
    })?;
    let signer = KmsSigner::open(session.context(), &key).await?;
    Ok(signer.verifying_key().clone())
}

/// Names the signing key in the document that is put, so that the coordinator accepts no other one.
fn pin(document: &mut ApplicationDocument, key: &str) -> Result<(), Failure> {
    let named = document.primary.signing_key.get_or_insert_with(|| key.to_owned());
    if named == key {
        return Ok(());
    }
    Err(Failure::new(
        Code::SigningKeyChanged,
        format!("the document names the signing key {named}, and the stack of the application has the key {key}"),
    )
    .remedy(format!(
        "deploy with the parameter SigningKey if the former key still exists; otherwise set primary.signingKey to {key}, and run the same command again"
    )))
}

/// Finds credentials, which must belong to the account of an environment.
async fn open(profile: Option<&str>, environment: &EnvironmentId) -> Result<Session, Failure> {
    let session = crate::aws::open(profile, Some(&environment.region)).await?;
    session.require(&environment.account)?;
    Ok(session)
}

/// Returns the access stack that the stack of a side requires.
async fn access(
    side: Side,
    session: &Session,
    application: &Application,
    context: &Context,
) -> Result<Stack, Failure> {
    let template = match side {
        Side::Primary => PRIMARY_ACCESS,
        Side::Recovery => RECOVERY_ACCESS,
    };
    let stack = template.stack();
    if let Some(found) = Deployer::new(session, context).existing(&stack).await? {
        return Ok(found);
    }
    let remedy = match side {
        Side::Primary => format!(
            "run `lifeboat deploy primary {} --control {} --recovery-public-key FILE --coordinator-public-key FILE` first, with the files that `lifeboat deploy recovery` wrote",
            session.options(),
            application.recovery
        ),
        Side::Recovery => format!("run `lifeboat deploy recovery {}` first", session.options()),
    };
    Err(Failure::new(
        Code::RequiredStackMissing,
        format!("the stack {stack} is not deployed in {}", session.environment()),
    )
    .remedy(remedy))
}

/// Returns the environment of the coordinator, from the outputs of the recovery side's access stack.
fn control_of(access: &Stack) -> Result<EnvironmentId, Failure> {
    let stack = RECOVERY_ACCESS.stack();
    let account = output(&access.outputs, &stack, "ControlAccount")?;
    let region = output(&access.outputs, &stack, "ControlRegion")?;
    let wrong = |error| {
        Failure::of(
            Code::StackFailed,
            format!("failed to read the outputs of the stack {stack}"),
            &error,
        )
    };
    Ok(EnvironmentId {
        account: AccountId::parse(account).map_err(wrong)?,
        region: Region::parse(region).map_err(wrong)?,
    })
}

struct Deployment<'a> {
    deployer: Deployer<'a>,
    application: &'a Application,
    arguments: &'a Arguments,
}

impl Deployment<'_> {
    /// Deploys the stacks of a side; returns the outputs of the stack `application`.
    async fn deploy(
        &self,
        side: Side,
        zip: &Artifact,
        deployed: &mut Vec<DeployedStack>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let (name, deployer) = (&self.application.name, &self.deployer);
        let (stack, rebuild) = (APPLICATION.stack_of(name), REBUILD.stack_of(name));
        if side == Side::Primary {
            let parameters = self.parameters(side, zip).await?;
            return deployer.deploy(&stack, APPLICATION, parameters, deployed).await;
        }
        let has_rebuild = self.has_rebuild(&rebuild).await?;
        let is_rebuilt = self.application.infrastructure.rebuild || self.application.infrastructure.standby;
        if is_rebuilt {
            let mut parameters = self.common();
            parameters.extend(self.boundaries());
            // It is part of the ARN of the boundary, and somebody may have set another one.
            let existing = deployer.existing(&stack).await?;
            if let Some(path) = existing.and_then(|mut stack| stack.parameters.remove("RolePath")) {
                parameters.insert("RolePath", path);
            }
            deployer.deploy(&rebuild, REBUILD, parameters, deployed).await?;
        }
        let mut parameters = self.parameters(side, zip).await?;
        parameters.extend(self.boundaries());
        parameters.insert("RebuildInfrastructure", is_rebuilt.to_string());
        let outputs = deployer.deploy(&stack, APPLICATION, parameters, deployed).await?;
        // Nothing imports it any more.
        if has_rebuild && !is_rebuilt {
            deployer.delete(&rebuild, deployed).await?;
        }
        Ok(outputs)
    }

    /// Reports whether the stack `rebuild` of the application exists.
    ///
    /// # Errors
    /// LB-1011 if a stack of this name was created from another template.
    async fn has_rebuild(&self, name: &str) -> Result<bool, Failure> {
        let Some(stack) = self.deployer.existing(name).await? else {
            return Ok(false);
        };
        let of = stack.parameters.get("Application").map(String::as_str);
        if of == Some(self.application.name.as_str()) {
            return Ok(true);
        }
        let environment = self.deployer.session.environment();
        Err(Failure::new(
            Code::StackForeign,
            format!(
                "the stack {name} in {environment} is not the one that lets {} be rebuilt",
                self.application.name
            ),
        )
        .remedy("give the application another name, or delete the stack if nobody needs it; nothing was changed in this environment"))
    }

    /// Returns the parameters that name the application.
    fn common(&self) -> BTreeMap<&'static str, String> {
        let name = &self.application.name;
        let short = short_name(name).map(|short| ("ShortName", short));
        let named = [("Application", name.to_string())].into_iter();
        named.chain(short).collect()
    }

    /// Returns the permissions boundaries of the document; without any it is that of the stack `application`.
    fn boundaries(&self) -> [(&'static str, String); 1] {
        let boundaries = &self.application.infrastructure.permissions_boundaries;
        [("BuiltRolesBoundaries", boundaries.join(","))]
    }

    /// Uploads the delegate; returns the parameters of its stack.
    async fn parameters(
        &self,
        side: Side,
        zip: &Artifact,
    ) -> Result<BTreeMap<&'static str, String>, Failure> {
        let (bucket, keys) = self.deployer.upload(&[zip]).await?;
        let mut parameters = self.common();
        parameters.extend([
            ("Side", side.to_string()),
            ("CodeBucket", bucket),
            ("DelegateKey", keys.concat()),
            (
                "Architecture",
                self.arguments.package.architecture.name().to_owned(),
            ),
        ]);
        if let Some(deploys) = self.arguments.private_delegates {
            parameters.insert("PrivateDelegates", deploys.to_string());
        }
        let prefix = private_prefix(&self.application.name);
        if prefix != self.application.name.as_str() {
            parameters.insert("PrivatePrefix", prefix.to_owned());
        }
        if side == Side::Primary {
            let describe = self.application.infrastructure.describe;
            parameters.insert("DescribeInfrastructure", describe.to_string());
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_key_of_the_stack_is_pinned_and_another_one_is_refused() {
        let text = r#"{"format":1,"name":"shop","primary":{"account":"111111111111","region":"eu-west-1"},
            "recovery":{"account":"222222222222","region":"eu-central-1"},"clusters":[]}"#;
        let mut document: ApplicationDocument = serde_json::from_str(text).unwrap();
        pin(&mut document, "sha256:0a").unwrap();
        assert_eq!(document.primary.signing_key.as_deref(), Some("sha256:0a"));
        pin(&mut document, "sha256:0a").unwrap();
        let failure = pin(&mut document, "sha256:0b").unwrap_err().to_string();
        assert!(
            failure.contains("sha256:0a") && failure.contains("sha256:0b"),
            "{failure}"
        );
    }
}
