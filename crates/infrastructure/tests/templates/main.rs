//! The templates of the sample application and of random ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adoption;
mod cost;
mod differences;
mod golden;
mod lookups;
mod properties;
mod random;
mod reviewed;
mod rows;
mod sample;
