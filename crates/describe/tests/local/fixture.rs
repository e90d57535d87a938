//! A local AWS, shared by these tests; each test has an account of its own.

use std::sync::OnceLock;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use lifeboat_aws::AwsContext;
use lifeboat_local::{LocalAws, LocalAwsOptions};

pub(crate) const REGION: &str = "eu-west-1";

/// Returns the local AWS of all tests. Statics are never dropped, so its processes end with this process.
fn aws() -> &'static LocalAws {
    static AWS: OnceLock<LocalAws> = OnceLock::new();
    AWS.get_or_init(|| {
        LocalAws::start(&LocalAwsOptions {
            controllers: false,
            ..LocalAwsOptions::default()
        })
        .unwrap()
    })
}

/// Returns the context of an administrator of an account.
pub(crate) fn administrator(account: &str) -> AwsContext {
    let keys = aws().create_account(account).unwrap();
    context(&keys.access_key_id, &keys.secret_access_key)
}

/// Returns a context with these keys.
pub(crate) fn context(access_key: &str, secret_key: &str) -> AwsContext {
    let keys = Credentials::new(access_key, secret_key, None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(aws().endpoint())
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    AwsContext::from_config(config).unwrap()
}

/// Runs a test in a runtime of its own.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}
