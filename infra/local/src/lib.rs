//! Real Kubernetes control planes on this machine, for tests, demonstrations and
//! measurements: etcd, kube-apiserver and, where asked for, the controllers, the
//! scheduler and kwok's nodes, each cluster with its own certificate authority on
//! free loopback ports. And a local AWS, in which EKS is made of such control planes.
//!
//! It must not depend on any other crate of the workspace: what tests Lifeboat
//! must not be made of it. It starts processes and reads the environment, so it
//! is never a dependency of the product, only of tests and tools.
//!
//! Invariant: whatever ends the process that started a cluster, nothing of that
//! cluster stays, neither a process nor a file. Every server ends with its
//! standard input, whose other side the launcher holds, and a sweeper then
//! removes the folder.

mod aws;
mod bundle;
mod certificates;
mod cluster;
mod http;
mod process;
mod programs;
mod sample;
mod settle;
mod skip;
mod throttle;
mod webhook;

pub use aws::{
    AuditEntry, AwsProgramsError, Credentials, CustomResourceAnswer, Decision, FakecloudError, FunctionLog,
    LocalAws, LocalAwsError, LocalAwsOptions, UpstreamError, ensure_aws_client, ensure_fakecloud,
};
pub use bundle::{BundleError, BundleOutcome, install_bundle};
pub use cluster::pool::with_pool;
pub use cluster::{Cluster, ClusterOptions, KubectlError, StartError};
pub use programs::{ProgramsError, ensure_programs};
pub use sample::{CANARY, Sample, SampleError};
pub use settle::{Quiet, QuietError, wait_until_quiet};
pub use skip::skip;
pub use throttle::Throttled;
pub use webhook::{Webhook, WebhookError};
