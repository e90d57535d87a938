//! Tests of whole plans.

mod definitions;
mod golden;
mod incomplete;
mod objects;
mod options;
mod owners;
mod proof;
mod properties;
mod services;
mod target;
mod volume_snapshots;
