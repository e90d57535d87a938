//! The adapter for the local machine: a store in a folder, the lock of an application, and keys in PEM files.
//!
//! - [`store`]: [`FolderStore`], the store port for a folder.
//! - [`lock`]: [`FolderLock`], which allows one run at a time for each application and is released by the
//!   kernel.
//! - [`keys`]: generates and reads key files; the private halves implement the key ports.
//!
//! This crate does not know the contents of recovery points. It needs a Unix file system with hard links and
//! `flock`, and a tokio runtime, whose blocking threads do the work.
//!
//! Invariants: a file of the store is either visible and complete or not visible, and durable when a call
//! that wrote it returns. Files are readable only by their owner.

pub mod keys;
pub mod lock;
pub mod store;
#[cfg(test)]
mod tiny_disk;

pub use keys::{PemError, PemSigner, PemUnwrapper};
pub use lock::{FolderLock, LockError};
pub use store::FolderStore;
