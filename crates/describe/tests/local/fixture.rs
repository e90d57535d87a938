//! Contexts in an implementation of AWS; each test has accounts of its own.

use lifeboat_aws::{AwsContext, testing};
use lifeboat_local::conformance::Conformance;

pub(crate) const REGION: &str = "eu-west-1";

/// Returns the context of an administrator of an account, and its endpoint.
pub(crate) fn administrator(aws: &Conformance, account: &str) -> AwsContext {
    let account = aws.account(account);
    let keys = &account.keys;
    context(&account.endpoint, &keys.access_key_id, &keys.secret_access_key)
}

/// Returns a context with these keys.
pub(crate) fn context(endpoint: &str, access_key: &str, secret_key: &str) -> AwsContext {
    testing::context(endpoint, REGION, access_key, secret_key)
}
