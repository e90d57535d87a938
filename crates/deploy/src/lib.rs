//! Deploys stacks: [`template`] holds the CloudFormation templates, [`stack`] changes a stack by a change set and
//! follows it to its end over a port for CloudFormation, [`cloudformation`] is that port on AWS, and [`artifacts`]
//! uploads the code of the functions.
//!
//! The command line deploys with it, and so can functions: nothing here reads arguments, files or the terminal.

pub mod artifacts;
pub mod cloudformation;
pub mod stack;
pub mod template;

pub use cloudformation::CloudFormation;
pub use stack::{Deployed, Outcome, Stack, StackSpec, Stacks, deploy};
pub use template::Template;
