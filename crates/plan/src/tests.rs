//! Tests of whole plans.

mod golden;
mod objects;
mod options;
mod owners;
mod proof;
mod properties;
mod services;
mod target;
