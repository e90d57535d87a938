//! How long work on a recovery point tells how far it is.

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Every file is read and its digest compared with the signed one.
    VerifyDigests,
    /// Every object is decrypted and compared with the index.
    VerifyContents,
    /// The index is read.
    ReadIndex,
}

/// Watches work on a recovery point. Called between pieces of about a mebibyte, from the task that
/// works, in this order: one `begin`, for each file one `file` and any number of `advance`, one
/// `end`. Work that fails does not `end`. Implementations must return quickly.
pub trait Progress: Send + Sync {
    /// Work on `bytes` bytes in all begins.
    fn begin(&self, work: Work, bytes: u64) {
        let _ = (work, bytes);
    }

    /// The work comes to the file of this name (a pack name such as `shop-eu/p-0000.pack`).
    fn file(&self, name: &str) {
        let _ = name;
    }

    /// So many more bytes are done.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// All is done.
    fn end(&self, work: Work) {
        let _ = work;
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
