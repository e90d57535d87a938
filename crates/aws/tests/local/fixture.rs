//! A local AWS with one account, shared by these tests, and buckets in it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
pub(crate) use lifeboat_aws::testing::run;
use lifeboat_aws::{AwsContext, S3Location, S3Store, testing};
use lifeboat_local::{Credentials as Keys, LocalAws, LocalAwsOptions};
use lifeboat_model::AccountId;
use lifeboat_system::SystemRandomness;

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const REGION: &str = "eu-west-1";

/// Returns the local AWS of all tests. Statics are never dropped, so its processes end with this process.
pub(crate) fn aws() -> &'static LocalAws {
    static AWS: OnceLock<LocalAws> = OnceLock::new();
    AWS.get_or_init(|| {
        LocalAws::start(&LocalAwsOptions {
            controllers: false,
            ..LocalAwsOptions::default()
        })
        .unwrap()
    })
}

pub(crate) fn endpoint() -> String {
    aws().endpoint()
}

/// Returns the keys of an administrator of an account.
fn keys(account: &str) -> Keys {
    static MADE: Mutex<BTreeMap<String, Keys>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let keys = made.entry(account.to_owned());
    keys.or_insert_with(|| aws().create_account(account).unwrap())
        .clone()
}

pub(crate) fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

/// Returns a context of the tests' account, with the API at `endpoint`.
pub(crate) fn context_at(endpoint: &str) -> AwsContext {
    context_with(endpoint, ACCOUNT)
}

/// Returns the context of an administrator of another account.
pub(crate) fn context_of(account: &str) -> AwsContext {
    context_with(&endpoint(), account)
}

fn context_with(endpoint: &str, account: &str) -> AwsContext {
    let keys = keys(account);
    testing::context(endpoint, REGION, &keys.access_key_id, &keys.secret_access_key)
}

pub(crate) fn context() -> AwsContext {
    context_at(&endpoint())
}

/// Creates a bucket for one test.
pub(crate) async fn bucket() -> S3Location {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("lifeboat-test-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(REGION))
        .build();
    (s3().create_bucket())
        .bucket(&name)
        .create_bucket_configuration(place)
        .send()
        .await
        .unwrap();
    S3Location::bucket(name, account())
}

pub(crate) fn s3() -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(context().sdk_config())
}

pub(crate) fn store(location: S3Location) -> S3Store {
    store_at(&context(), location)
}

pub(crate) fn store_at(context: &AwsContext, location: S3Location) -> S3Store {
    S3Store::new(context, location, Arc::new(SystemRandomness))
}
