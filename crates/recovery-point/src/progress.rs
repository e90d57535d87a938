//! Progress of work on a recovery point.

/// The kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Reads every file and compares its digest with the signed one.
    VerifyDigests,
    /// Decrypts every object and compares it with the index.
    VerifyContents,
    /// Reads the index.
    ReadIndex,
}

/// Receives the progress of work on a recovery point. It is called between pieces of about 1 MiB, from the
/// task that does the work, in this order: `begin` once, `file` once and `advance` any number of times for
/// each file, `end` once. Work that fails does not call `end`. Implementations must return quickly.
pub trait Progress: Send + Sync {
    /// Work on `bytes` bytes in total begins.
    fn begin(&self, work: Work, bytes: u64) {
        let _ = (work, bytes);
    }

    /// Work on the file of this name (a pack name such as `shop-eu/p-0000.pack`) begins.
    fn file(&self, name: &str) {
        let _ = name;
    }

    /// `bytes` more bytes are done.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// The work is complete.
    fn end(&self, work: Work) {
        let _ = work;
    }
}

/// Ignores progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
