//! Reads the AWS resources that clusters stand on, as the descriptions that the recovery stacks are made from.
//!
//! [`describe`] begins with the names of clusters and with what their objects mention ([`Wanted`]), and follows what
//! each resource names: cluster, node groups and their launch templates, Fargate profiles, add-ons, access; subnets and
//! VPCs with all that belongs to them; roles with their policies, instance profiles and OIDC providers; ECR
//! repositories, EFS file systems, EBS volumes, certificates, target groups, and the KMS keys of all these. [`unbuilt`]
//! looks up what takes the place of those that no stack builds, in the recovery environment.
//!
//! [`look_up`] reads what the stacks of a recovery are generated from in the recovery environment; [`candidates`] is the
//! part of it that exists there and may take the place of what a recovery point describes. [`PrivateFunction::look`] looks at
//! the network of a private delegate.
//!
//! This crate must not depend on a Kubernetes client: objects come in as [`lifeboat_infrastructure::Mentions`].
//!
//! Invariants:
//! - nothing here changes anything in AWS; [`ACTIONS`] is every action that descriptions need, and [`NETWORKS`] with
//!   `lambda:InvokeFunction` those of a look at a network;
//! - what may not be read, or does not exist, is in `missing` of the descriptions and never fails the rest; a look-up of
//!   candidates fails instead, because what is not seen would be built;
//! - the same account gives the same bytes: lists are sorted, and nothing depends on the time;
//! - nothing is logged; user data, policies and configurations are hidden in the result.

mod acm;
mod actions;
mod candidates;
mod ecr;
mod efs;
mod eks;
mod elb;
mod environment;
mod error;
mod iam;
mod kms;
mod parallel;
mod place;
mod private;
mod s3;
#[cfg(test)]
mod testing;
pub mod unbuilt;
mod waf;
mod walk;
mod wanted;

pub use actions::{ACTIONS, CANDIDATES, EXISTING_IMAGES, NETWORKS};
pub use candidates::candidates;
pub use environment::look_up;
pub use error::DescribeError;
pub use private::{NetworkLook, PrivateFunction};
pub use walk::describe;
pub use wanted::Wanted;
