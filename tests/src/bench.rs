//! The benchmark: ratios against a baseline measured in the same run on the same machine.
//!
//! A figure alone says little on a shared machine; each claim is therefore a quotient of two
//! measurements that alternate, and of the repetitions the median counts.

pub mod archive;
pub mod aws;
pub mod floor;
pub mod objects;
pub mod report;
pub mod scenario;
