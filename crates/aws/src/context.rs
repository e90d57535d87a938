//! The AWS configuration: credentials, Region, endpoints, timeouts.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::ServiceConfigKey;
use lifeboat_model::{Code, Diagnostic, ErrorKind, InvalidIdentifier, Problem, Region};

use crate::failure::AwsError;
use crate::s3::{RequestCounter, S3Requests};

/// Attempts per call. The SDK pauses up to 1, 2, 4 and 8 seconds between five attempts. That is longer than the seconds
/// for which S3 answers `503 SlowDown` while it splits a busy prefix
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>), and short compared to the 15
/// minutes of a function.
const ATTEMPTS: u32 = 5;
/// A TCP and TLS connection to a Regional endpoint takes milliseconds, to another continent well under a second; five
/// seconds leave time for lost packets to be sent again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time to the first byte of an answer. S3 has to assemble an object of many parts before it answers
/// CompleteMultipartUpload, but a pack has only eight.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// The time of one attempt, including the body: a part of 8 MiB at 200 KiB/s takes about 40 seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// The time of one attempt of a call that may take minutes: the upload of a zip over a slow connection.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why an [`AwsContext`] cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// No Region is configured.
    #[error("find the AWS Region: neither AWS_REGION nor the profile sets one")]
    NoRegion,
    /// The configured Region is not a valid name of a Region.
    #[error("use the AWS Region")]
    WrongRegion(#[source] InvalidIdentifier),
    /// No credentials are configured.
    #[error("find AWS credentials: no provider returned any")]
    NoCredentials,
}

impl Diagnostic for ContextError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn code(&self) -> Code {
        Code::Usage
    }

    fn guidance(&self) -> String {
        match self {
            Self::NoRegion | Self::WrongRegion(_) => {
                "set AWS_REGION, or set AWS_PROFILE to a profile with a Region"
            }
            Self::NoCredentials => "configure credentials with `aws configure`, or set AWS_PROFILE",
        }
        .to_owned()
    }
}

/// Credentials, Region and client configuration of AWS. Clones are cheap and share credentials, connections and the
/// count of requests.
#[derive(Debug, Clone)]
pub struct AwsContext {
    config: SdkConfig,
    region: Region,
    s3_requests: RequestCounter,
    #[cfg(feature = "user")]
    source: Option<crate::session::CredentialSource>,
}

/// Returns a configuration with these timeouts and this number of attempts.
fn limited(config: SdkConfig, read: Duration, attempt: Duration, attempts: u32) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(read)
        .operation_attempt_timeout(attempt)
        .build();
    (config.into_builder())
        // Standard, not adaptive: the adaptive mode would slow every caller in the process because of one busy prefix.
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .timeout_config(timeouts)
        .build()
}

impl AwsContext {
    /// Reads the environment, as every AWS tool does: `AWS_REGION`, `AWS_PROFILE`, keys or a role, `AWS_ENDPOINT_URL`,
    /// `AWS_ENDPOINT_URL_<SERVICE>` (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>). In a
    /// function the Lambda service sets them. Sends no request to AWS.
    ///
    /// # Errors
    /// [`ContextError`] if something is missing.
    pub async fn load() -> Result<Self, ContextError> {
        Self::from_config(aws_config::defaults(BehaviorVersion::latest()).load().await)
    }

    /// Creates a context from an existing configuration, whose retries and timeouts are replaced.
    ///
    /// # Errors
    /// [`ContextError`] if the configuration lacks something.
    pub fn from_config(config: SdkConfig) -> Result<Self, ContextError> {
        let region = config.region().map(|region| region.as_ref().to_owned());
        let region = region.filter(|name| !name.is_empty());
        let region = region.ok_or(ContextError::NoRegion)?;
        let region = Region::parse(region).map_err(ContextError::WrongRegion)?;
        if config.credentials_provider().is_none() {
            return Err(ContextError::NoCredentials);
        }
        Ok(Self {
            config: limited(config, READ_TIMEOUT, ATTEMPT_TIMEOUT, ATTEMPTS),
            region,
            s3_requests: RequestCounter::default(),
            #[cfg(feature = "user")]
            source: None,
        })
    }

    /// Adds where the credentials come from, for error messages.
    #[cfg(feature = "user")]
    pub(crate) fn with_source(mut self, source: crate::session::CredentialSource) -> Self {
        self.source = Some(source);
        self
    }

    /// Returns the configuration for CloudFormation and for uploads of code: answers take seconds, a zip over a slow
    /// connection minutes.
    #[must_use]
    pub fn patient(&self) -> SdkConfig {
        self.with_limits(PATIENCE, ATTEMPTS)
    }

    /// Returns the configuration with another limit for each attempt and another number of attempts.
    pub(crate) fn with_limits(&self, patience: Duration, attempts: u32) -> SdkConfig {
        limited(self.config.clone(), patience, patience, attempts)
    }

    /// Returns a failed call as a problem to show to the user. `doing` must read well after "failed to".
    #[must_use]
    pub fn problem(&self, doing: &str, error: &AwsError) -> Problem {
        if error.is_about_credentials() {
            #[cfg(feature = "user")]
            if let Some(source) = &self.source {
                let message = format!("failed to {doing} with {source}");
                return Problem::new(Code::NoCredentials, message, source.remedy()).caused_by(error);
            }
            return Problem::of(Code::NoCredentials, format!("failed to {doing}")).caused_by(error);
        }
        if error.is_region_not_enabled() {
            let message = format!("failed to {doing}: {} is not enabled", self.region);
            return Problem::of(Code::RegionNotEnabled, message).caused_by(error);
        }
        if error.is_throttling() {
            return Problem::of(Code::AwsThrottled, format!("failed to {doing}")).caused_by(error);
        }
        if error.kind() == ErrorKind::Denied {
            let guidance = format!(
                "allow these credentials {}, or use others with --profile, then run the same command again",
                error.action()
            );
            return Problem::new(Code::AwsDenied, format!("failed to {doing}"), guidance).caused_by(error);
        }
        Problem::of(Code::AwsFailed, format!("failed to {doing}")).caused_by(error)
    }

    /// Returns the same identity in another Region.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Self {
        let builder = self.config.clone().into_builder();
        Self {
            config: builder
                .region(aws_config::Region::new(region.to_string()))
                .build(),
            region: region.clone(),
            s3_requests: self.s3_requests.clone(),
            #[cfg(feature = "user")]
            source: self.source.clone(),
        }
    }

    /// Returns the number of requests that the stores of this context, its clones and its copies in other Regions have
    /// sent to S3 since the last call.
    #[must_use]
    pub fn take_s3_requests(&self) -> S3Requests {
        self.s3_requests.take()
    }

    pub(crate) fn s3_requests(&self) -> &RequestCounter {
        &self.s3_requests
    }

    /// Returns the Region.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Returns the configuration, for clients of services that have no adapter in this crate.
    #[must_use]
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.config
    }

    pub(crate) fn credentials(&self) -> SharedCredentialsProvider {
        (self.config.credentials_provider()).expect("a context without credentials is not made")
    }

    /// Returns the URL of the endpoint of S3 whose name clients resolve, without the name of a bucket
    /// (<https://docs.aws.amazon.com/general/latest/gr/s3.html>).
    #[must_use]
    pub fn s3_endpoint(&self) -> String {
        let part = |is_used: Option<bool>, part: &'static str| if is_used == Some(true) { part } else { "" };
        let fips = part(self.config.use_fips(), "-fips");
        let dual_stack = part(self.config.use_dual_stack(), ".dualstack");
        let suffix = self.region.partition().dns_suffix();
        (self.endpoint_override("S3"))
            .unwrap_or_else(|| format!("https://s3{fips}{dual_stack}.{}.{suffix}", self.region))
    }

    /// Returns the endpoint that the environment or the profile sets instead of a service's own. The clients of the SDK
    /// read it themselves; only requests that are signed by this crate need it.
    pub(crate) fn endpoint_override(&self, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .expect("all three parts are given");
        let own = self
            .config
            .service_config()
            .and_then(|found| found.load_config(key));
        own.or_else(|| self.config.endpoint_url().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_credential_types::Credentials;

    use super::*;

    fn config(region: Option<&str>, with_keys: bool) -> SdkConfig {
        let keys = Credentials::new("AKID", "hunter2", None, None, "test");
        let mut builder = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        builder.set_region(region.map(|name| aws_config::Region::new(name.to_owned())));
        builder.set_credentials_provider(with_keys.then(|| SharedCredentialsProvider::new(keys)));
        builder.build()
    }

    #[test]
    fn what_is_missing_is_named() {
        for (region, with_keys, named) in [
            (None, true, "AWS_REGION"),
            (Some(""), true, "AWS_REGION"),
            (Some("moon"), true, "moon"),
            (Some("eu-west-1"), false, "credentials"),
        ] {
            let error = AwsContext::from_config(config(region, with_keys)).unwrap_err();
            assert!(error.problem().to_string().contains(named), "{error}");
        }
        let context = AwsContext::from_config(config(Some("eu-west-1"), true)).unwrap();
        assert_eq!(context.region().as_str(), "eu-west-1");
        let other = Region::parse("us-east-1").unwrap();
        assert_eq!(context.in_region(&other).region(), &other);
        assert!(!format!("{context:?}").contains("hunter2"));
        let retries = context.sdk_config().retry_config().unwrap();
        assert_eq!(retries.max_attempts(), ATTEMPTS);
    }

    #[test]
    fn an_endpoint_for_everything_is_an_endpoint_for_sts() {
        let usual = config(Some("eu-west-1"), true);
        let context = AwsContext::from_config(usual.clone()).unwrap();
        assert_eq!(context.endpoint_override("STS"), None);
        assert_eq!(context.s3_endpoint(), "https://s3.eu-west-1.amazonaws.com");
        let local = usual.into_builder().endpoint_url("http://127.0.0.1:4566").build();
        let context = AwsContext::from_config(local).unwrap();
        let endpoint = context.endpoint_override("STS");
        assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(context.s3_endpoint(), "http://127.0.0.1:4566");
    }
}
