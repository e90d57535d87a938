//! Deploys stacks. [`template`] contains the CloudFormation templates; [`stack`] deploys a stack by a change set and
//! follows it to its end, or deletes it, using a port for CloudFormation; [`cloudformation`] implements that port with AWS;
//! [`diagnosis`] says why a resource failed; [`artifacts`] uploads the code of the functions; [`private_delegate`] makes the stack
//! of a private delegate from that of its application; [`recovery`] builds and takes down the recovery stacks of an
//! application, which crate `infrastructure` generates; [`replication`] makes replicas of file systems writable.
//!
//! The command line uses this crate, and functions can too: nothing in it reads arguments, files or the terminal.

pub mod artifacts;
pub mod cloudformation;
pub mod diagnosis;
pub mod private_delegate;
pub mod recovery;
pub mod replication;
pub mod stack;
pub mod template;

pub use cloudformation::CloudFormation;
pub use stack::{
    Deployed, OnFailure, Outcome, ResourceChange, Stack, StackResource, StackSpec, Stacks, change_set_name,
    delete, deploy, preview,
};
pub use template::Template;
