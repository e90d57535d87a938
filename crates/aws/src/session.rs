//! The AWS identity of a user of the command line: its account, Region and ARN, which are checked before anything is
//! changed.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use lifeboat_model::{AccountId, Code, Diagnostic as _, EnvironmentId, Problem, Region};

use crate::{AwsContext, AwsError, ContextError};

mod credentials;

pub use credentials::{AskMfaCode, CredentialSource};

use credentials::Profiles;

/// The maximum duration of a synchronous invocation: a function runs for at most 15 minutes
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>).
const LONGEST_FUNCTION: Duration = Duration::from_secs(15 * 60 + 30);

/// The number of attempts to invoke a function: throttling ends within seconds. A repeated request starts nothing
/// twice, because each request has a token.
const CALLS: u32 = 3;

/// Credentials in an account and a Region.
#[derive(Debug, Clone)]
pub struct Session {
    context: AwsContext,
    environment: EnvironmentId,
    arn: String,
    profile: Option<String>,
}

impl Session {
    /// Finds credentials and a Region as the AWS CLI does, and reads from STS whose they are. Calls `ask` for the code
    /// of an MFA device if the profile requires one.
    ///
    /// # Errors
    /// LB-1001 if something is missing or not valid, LB-1004 if STS does not answer.
    pub async fn open(
        profile: Option<&str>,
        region: Option<&Region>,
        ask: Arc<AskMfaCode>,
    ) -> Result<Self, Problem> {
        let doing = "identify the AWS credentials";
        let profiles = Profiles::load(profile).await.map_err(|error| {
            Problem::of(Code::NoCredentials, "failed to read the AWS configuration files")
                .caused_by(error.as_ref())
        })?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(aws_config::Region::new(region.to_string()));
        }
        let mut config = loader.load().await;
        if let Some(provider) = profiles.provider(&config, &ask) {
            config = config.into_builder().credentials_provider(provider).build();
        }
        let context = AwsContext::from_config(config).map_err(|error| {
            // The adapter does not know the options of commands.
            let guidance = match &error {
                ContextError::NoRegion | ContextError::WrongRegion(_) => {
                    "name the Region with --region, or set AWS_REGION or the Region of the profile"
                }
                ContextError::NoCredentials => Code::NoCredentials.explanation().remedy,
            };
            Problem {
                code: Code::NoCredentials,
                guidance: guidance.to_owned(),
                ..error.problem()
            }
        })?;
        let context = context.with_source(profiles.source());
        let sts = aws_sdk_sts::Client::new(context.sdk_config());
        let identity = (sts.get_caller_identity().send().await)
            .map_err(|error| context.problem(doing, &AwsError::new("sts:GetCallerIdentity", "STS", error)))?;
        let account = identity.account().unwrap_or_default();
        let account = AccountId::parse(account)
            .map_err(|error| Problem::of(Code::AwsFailed, format!("failed to {doing}")).caused_by(&error))?;
        Ok(Self {
            environment: EnvironmentId {
                account,
                region: context.region().clone(),
            },
            arn: identity.arn().unwrap_or_default().to_owned(),
            profile: profile.map(str::to_owned),
            context,
        })
    }

    /// Checks that the credentials belong to this account.
    ///
    /// # Errors
    /// LB-1002 if they do not.
    pub fn require(&self, account: &AccountId) -> Result<(), Problem> {
        if self.environment.account == *account {
            return Ok(());
        }
        Err(Problem::of(
            Code::WrongAccount,
            format!(
                "the credentials belong to account {} ({}), not to {account}",
                self.environment.account, self.arn
            ),
        ))
    }

    /// Returns the account and the Region.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    /// Returns the same identity in another Region.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Self {
        Self {
            context: self.context.in_region(region),
            environment: EnvironmentId {
                account: self.environment.account.clone(),
                region: region.clone(),
            },
            ..self.clone()
        }
    }

    /// Returns the context for the adapters.
    #[must_use]
    pub fn context(&self) -> &AwsContext {
        &self.context
    }

    /// Returns whose the credentials are, and the Region, for messages.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{} in {}", self.arn, self.environment.region)
    }

    /// Returns the ARN of the user or role, as access entries of EKS name it. The path of a role is not known: STS leaves
    /// it out of the ARN of a session.
    #[must_use]
    pub fn principal(&self) -> String {
        principal(&self.arn)
    }

    /// Returns the profile that the user named.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns the options with which another command uses the same account and Region.
    #[must_use]
    pub fn options(&self) -> String {
        match &self.profile {
            Some(profile) => format!("--profile {profile} --region {}", self.environment.region),
            None => format!("--region {}", self.environment.region),
        }
    }

    /// Returns the configuration for a synchronous invocation of a function.
    #[must_use]
    pub(crate) fn for_functions(&self) -> SdkConfig {
        self.context.with_limits(LONGEST_FUNCTION, CALLS)
    }
}
/// Returns the role of a session, `arn:aws:sts::<account>:assumed-role/<role>/<session>`; any other ARN as it is.
fn principal(arn: &str) -> String {
    let role = arn.split_once(":sts::").and_then(|(partition, rest)| {
        let (account, session) = rest.split_once(":assumed-role/")?;
        let (role, _) = session.split_once('/')?;
        Some(format!("{partition}:iam::{account}:role/{role}"))
    });
    role.unwrap_or_else(|| arn.to_owned())
}

#[cfg(test)]
mod tests {
    use super::principal;

    #[test]
    fn a_session_is_named_by_its_role() {
        for (arn, named) in [
            (
                "arn:aws:sts::222222222222:assumed-role/admin/alice",
                "arn:aws:iam::222222222222:role/admin",
            ),
            (
                "arn:aws-cn:sts::222222222222:assumed-role/admin/i-0123",
                "arn:aws-cn:iam::222222222222:role/admin",
            ),
            (
                "arn:aws:iam::222222222222:user/ops/alice",
                "arn:aws:iam::222222222222:user/ops/alice",
            ),
        ] {
            assert_eq!(principal(arn), named);
        }
    }
}
