//! Who somebody is on AWS and where, asked before anything is changed.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use clap::Args;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_model::{AccountId, Code, EnvironmentId, Region};

use super::failure;
use crate::failure::Failure;
use crate::guidance::guidance;

/// A call to CloudFormation or S3: its answer takes seconds, but the upload of a zip over a slow line minutes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A synchronous call of a function lasts as long as the function, which is 15 minutes at most
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>).
const LONGEST_FUNCTION: Duration = Duration::from_secs(15 * 60 + 30);

/// Another continent is well under a second away; five let lost packets be sent again.
const CONNECT: Duration = Duration::from_secs(5);

/// How often a call is tried where that can help.
const ATTEMPTS: u32 = 5;

/// How often a function is called: throttles pass within seconds. Whatever is begun by a request is begun once,
/// because each request has a name.
const CALLS: u32 = 3;

/// Who asks AWS, and where: as the AWS CLI takes it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArguments {
    /// The profile of ~/.aws/config; defaults to AWS_PROFILE, keys of the environment, or the default profile
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The Region; defaults to AWS_REGION, then to that of the profile
    #[arg(long, value_name = "REGION")]
    pub region: Option<Region>,
    /// The account that the credentials must belong to; defaults to any
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
}

impl AwsArguments {
    /// Finds credentials and asks whose they are.
    ///
    /// # Errors
    /// LB-1001 where there are none, LB-1002 where they belong to another account.
    pub async fn open(&self) -> Result<Session, Failure> {
        let session = Session::open(self.profile.as_deref(), self.region.as_ref()).await?;
        if let Some(account) = &self.account {
            session.require(account)?;
        }
        Ok(session)
    }
}

/// Somebody in an account and a Region.
#[derive(Debug, Clone)]
pub struct Session {
    context: AwsContext,
    environment: EnvironmentId,
    arn: String,
    profile: Option<String>,
}

impl Session {
    /// Finds credentials and a Region, and asks STS whose they are.
    ///
    /// # Errors
    /// LB-1001 where something is missing or not valid, LB-1004 where STS does not answer.
    pub async fn open(profile: Option<&str>, region: Option<&Region>) -> Result<Self, Failure> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(aws_config::Region::new(region.to_string()));
        }
        let context = AwsContext::from_config(loader.load().await).map_err(|error| {
            let mut problem = error.problem();
            problem.code = Code::NoCredentials;
            // The adapter knows nothing of options.
            problem.guidance = guidance(Code::NoCredentials).remedy.to_owned();
            Failure::from(problem)
        })?;
        let sts = aws_sdk_sts::Client::new(context.sdk_config());
        let doing = "identify the AWS credentials";
        let identity = (sts.get_caller_identity().send().await)
            .map_err(|error| failure(doing, &AwsError::new("sts:GetCallerIdentity", "STS", error)))?;
        let account = identity.account().unwrap_or_default();
        let account = AccountId::parse(account)
            .map_err(|error| Failure::of(Code::AwsFailed, format!("failed to {doing}"), &error))?;
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

    /// Whether the credentials belong to this account.
    ///
    /// # Errors
    /// LB-1002 where they do not.
    pub fn require(&self, account: &AccountId) -> Result<(), Failure> {
        if self.environment.account == *account {
            return Ok(());
        }
        Err(Failure::new(
            Code::WrongAccount,
            format!(
                "the credentials belong to account {} ({}), not to {account}",
                self.environment.account, self.arn
            ),
        ))
    }

    /// The account and the Region.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    /// The same identity in another Region.
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

    /// For the adapters of KMS and EKS.
    #[must_use]
    pub fn context(&self) -> &AwsContext {
        &self.context
    }

    /// The profile that was named.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The options that bring another command to the same account and Region.
    #[must_use]
    pub fn options(&self) -> String {
        match &self.profile {
            Some(profile) => format!("--profile {profile} --region {}", self.environment.region),
            None => format!("--region {}", self.environment.region),
        }
    }

    /// For CloudFormation and S3.
    #[must_use]
    pub fn patient(&self) -> SdkConfig {
        self.with(PATIENCE, ATTEMPTS)
    }

    /// For a synchronous call of a function.
    #[must_use]
    pub fn for_functions(&self) -> SdkConfig {
        self.with(LONGEST_FUNCTION, CALLS)
    }

    fn with(&self, patience: Duration, attempts: u32) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(patience)
            .operation_attempt_timeout(patience)
            .build();
        (self.context.sdk_config().clone().into_builder())
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(timeouts)
            .build()
    }
}
