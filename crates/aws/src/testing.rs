//! What tests against a local AWS share.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::AwsContext;

/// Returns a context in a Region with these keys, whose services all answer at one endpoint.
#[must_use]
pub fn context(endpoint: &str, region: &'static str, access_key: &str, secret_key: &str) -> AwsContext {
    let keys = Credentials::new(access_key, secret_key, None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    AwsContext::from_config(config).unwrap()
}

/// Runs a test in a runtime of its own.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}
