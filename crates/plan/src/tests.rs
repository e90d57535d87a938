//! Tests of whole plans.

mod definitions;
mod golden;
mod identities;
mod incomplete;
mod objects;
mod older;
mod options;
mod owners;
mod ownership;
mod proof;
mod properties;
mod rbac;
mod refused;
mod revisions;
mod runs;
mod schemas;
mod services;
mod target;
mod uids;
mod volume_snapshots;
