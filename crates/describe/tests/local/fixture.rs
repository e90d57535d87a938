//! A local AWS, shared by these tests; each test has an account of its own.

use std::sync::OnceLock;

pub(crate) use lifeboat_aws::testing::run;
use lifeboat_aws::{AwsContext, testing};
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
    testing::context(&aws().endpoint(), REGION, access_key, secret_key)
}
