//! Clients of an implementation of AWS; each test has accounts of its own.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use lifeboat_aws::{AwsContext, testing};
use lifeboat_local::conformance::Conformance;

const REGION: &str = "eu-west-1";

/// Returns the context of an administrator of an account.
pub(crate) fn context(aws: &Conformance, account: &str) -> AwsContext {
    let account = aws.account(account);
    let keys = &account.keys;
    testing::context(
        &account.endpoint,
        REGION,
        &keys.access_key_id,
        &keys.secret_access_key,
    )
}

pub(crate) fn client(context: &AwsContext) -> Client {
    Client::new(context.sdk_config())
}

/// Returns the tag `Name` for what is created.
pub(crate) fn named(kind: ResourceType, name: &str) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .tags(Tag::builder().key("Name").value(name).build())
        .build()
}
