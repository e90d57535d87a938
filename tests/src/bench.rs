//! The benchmark: ratios to a baseline that is measured in the same run on the same machine.
//!
//! An absolute value means little on a shared machine. So each claim is the ratio of two
//! measurements that alternate, and the median of the repetitions counts.

pub mod archive;
pub mod aws;
pub mod catalogue;
pub mod floor;
pub mod objects;
pub mod report;
pub mod scenario;
