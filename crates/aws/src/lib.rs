//! The adapter for AWS: a store in S3, keys in KMS, EKS clusters and their authentication tokens; and [`reads`], with
//! which other adapters describe what AWS lets them read.
//!
//! It implements the ports of the pure crates and must not depend on another adapter. In particular it has no
//! Kubernetes client: it returns an address and a token, and the Kubernetes adapter connects. It must not depend on
//! `aws-sdk-ec2`, which takes minutes and gigabytes to compile.
//!
//! Invariants:
//! - There is one TLS and crypto provider, aws-lc-rs: every `aws-*` dependency is without default features.
//! - Only `aws-config` reads the environment, in [`AwsContext::load`] and `session`; with `AWS_ENDPOINT_URL` everything
//!   in this crate works with the local AWS of `infra/local`.
//! - Every call to S3 names the account that must own the bucket: names of buckets are global, and a bucket that
//!   another account has created must never receive a recovery point.
//! - Calls to AWS by a user are behind the feature `user`: [`session`] resolves credentials as the AWS CLI does, and
//!   [`coordinator`] sends requests to the coordinator's function. No function has this feature.
//! - Errors contain the answer of AWS and never a credential, a token or a key.

mod bucket;
mod context;
#[cfg(feature = "user")]
pub mod coordinator;
pub mod custom_resource;
pub mod eks;
mod failure;
#[cfg(feature = "invoke")]
mod function;
pub mod json;
pub mod kms;
pub mod metrics;
pub mod names;
pub mod reads;
pub mod s3;
#[cfg(feature = "user")]
pub mod session;
mod sns;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
pub mod variables;

pub use bucket::BucketFacts;
pub use context::{AwsContext, ContextError};
pub use eks::{ClusterAddress, EksClusters, EksError};
pub use failure::AwsError;
#[cfg(feature = "invoke")]
pub use function::{FunctionAnswer, LambdaFunction};
pub use kms::{KmsError, KmsSigner, KmsUnwrapper};
pub use s3::{S3Location, S3Requests, S3Store};
pub use sns::SnsTopic;
pub use token::EksTokenSource;
