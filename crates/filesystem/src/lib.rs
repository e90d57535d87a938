//! The adapter for the local machine: a store in a folder, the lock of an application, keys in PEM
//! files.
//!
//! - [`store`]: [`FolderStore`], the store port over a folder.
//! - [`lock`]: [`FolderLock`], one run at a time per application, released by the kernel.
//! - [`keys`]: key files made and read; the private halves behind the key ports.
//!
//! Nothing here knows what a recovery point is beyond the names of its ports. It needs a Unix file
//! system with hard links and `flock`, and a tokio runtime, on whose blocking threads it works.
//!
//! Invariants: a file of the store is visible complete or not at all, and durable once reported;
//! files are readable by their owner alone.

pub mod keys;
pub mod lock;
pub mod store;
#[cfg(test)]
mod tiny_disk;

pub use keys::{PemError, PemSigner, PemUnwrapper};
pub use lock::{FolderLock, LockError};
pub use store::FolderStore;
