//! Real Kubernetes control planes on this machine, for tests, demonstrations and measurements:
//! etcd, kube-apiserver and, on request, the controllers, the scheduler and kwok's nodes. Each
//! cluster has its own certificate authority and uses free loopback ports. Also a local AWS, whose
//! EKS clusters are such control planes, and a second implementation of AWS with the tool that tests
//! adapters against both ([`mod@conformance`]).
//!
//! This crate must not depend on any other crate of the workspace: code that tests Lifeboat must
//! not share code with it. It starts processes and reads the environment, so it is never a
//! dependency of the product, only of tests and tools.
//!
//! Invariant: however the process that started a cluster ends, neither a process nor a file of that
//! cluster remains. Every server exits when its standard input closes, whose other end the launcher
//! holds, and a sweeper then removes the folder.

mod aws;
mod bundle;
mod certificates;
mod cluster;
pub mod conformance;
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
    LocalAws, LocalAwsError, LocalAwsOptions, MotoError, MotoServer, UpstreamError, ensure_aws_client,
    ensure_fakecloud, has_network_namespaces,
};
pub use bundle::{BundleError, BundleOutcome, install_bundle};
pub use cluster::pool::with_pool;
pub use cluster::{Cluster, ClusterOptions, KubectlError, StartError};
pub use programs::{ProgramsError, ensure_programs};
pub use sample::{CANARY, Sample, SampleError};
pub use settle::{SettleError, Settled, wait_until_quiet, wait_until_still};
pub use skip::skip;
pub use throttle::Throttled;
pub use webhook::{Webhook, WebhookError};
