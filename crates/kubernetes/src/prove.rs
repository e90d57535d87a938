//! .

pub mod owners;
