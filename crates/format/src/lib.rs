//! The recovery point format: splitting lists into objects, batches, packs, the index, the manifest, and the
//! checks that a reader makes. `FORMAT.md` in this crate specifies the bytes, so that independent readers can
//! be written.
//!
//! This crate is sans-IO: it consumes and produces bytes and values. It must not depend on an async runtime,
//! a clock, the environment, a store or the types of Kubernetes; objects are bytes.
//!
//! Invariants:
//! - No input causes a panic, or more memory use than the documented limits.
//! - The content of a frame is returned only after it was authenticated for its position, and a statement
//!   only after its signature was verified.
//! - The same content produces the same bytes, except where encryption requires variation.

pub mod batch;
pub mod compress;
pub mod digest;
pub mod index;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod metadata;
pub mod pack;
pub mod pem;
mod scan;
pub mod splitter;
pub mod verify;

pub use batch::{Batch, BatchBuilder, BatchError};
pub use compress::{CompressionError, Compressor, Decompressor};
pub use digest::{Hasher, LineDigest, Sha256};
pub use index::{FrameRef, IndexBuilder, IndexEntry, IndexError, read_index};
pub use keys::{DataKey, Fingerprint, KeyError, RecipientKey, VerifyingKey, WrapAlgorithm, WrappedKey};
pub use manifest::{Envelope, ManifestError, Statement, open_envelope};
pub use metadata::{MetadataError, ObjectMetadata, peek_metadata};
pub use pack::reader::{Frame, FrameOpener, PackReader};
pub use pack::writer::PackWriter;
pub use pack::{FrameLocation, PackError, PackIdentity, PackKind, PackSummary, PackVersion};
pub use splitter::{ListMeta, SplitError, Splitter};
pub use verify::VerifyError;

#[cfg(test)]
mod tests {
    fn can_move_between_threads<T: Send>() {}

    #[test]
    fn a_capture_may_move_between_threads() {
        can_move_between_threads::<super::Splitter>();
        can_move_between_threads::<super::BatchBuilder>();
        can_move_between_threads::<super::Compressor>();
        can_move_between_threads::<super::PackWriter>();
        can_move_between_threads::<super::PackReader>();
        can_move_between_threads::<super::DataKey>();
    }
}
