//! A local AWS, shared by these tests; each test has an account of its own.

use std::sync::OnceLock;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
pub(crate) use lifeboat_aws::testing::run;
use lifeboat_aws::{AwsContext, testing};
use lifeboat_local::{LocalAws, LocalAwsOptions};

const REGION: &str = "eu-west-1";

/// Returns the local AWS of all tests. Statics are never dropped, so its processes end with this process.
fn aws() -> &'static LocalAws {
    static AWS: OnceLock<LocalAws> = OnceLock::new();
    AWS.get_or_init(|| LocalAws::start(&LocalAwsOptions::default()).unwrap())
}

/// Returns the context of an administrator of an account.
pub(crate) fn context(account: &str) -> AwsContext {
    let keys = aws().create_account(account).unwrap();
    testing::context(
        &aws().endpoint(),
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
