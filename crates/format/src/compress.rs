//! zstd frames (RFC 8878), with limits that a reader can rely on.

use lifeboat_model::{Code, Diagnostic, ErrorKind};
use zstd::bulk;
use zstd::zstd_safe;

/// What a frame of a pack may hold at most when it is unpacked. A writer stays far below; a reader
/// refuses more, so that a small file cannot fill the memory.
pub const MAX_PLAINTEXT: usize = 64 << 20;

/// zstd's level when writing. A capture waits for the API server, which gives some tens of megabytes a
/// second, and a point is stored and copied for weeks. Of 20,000 objects of a mixed cluster (80 MB), one
/// core made, relative to the gzip tar of the same objects in Velero's layout:
///
/// | level | 1 | 3 | 6 | 9 | 12 |
/// |---|---|---|---|---|---|
/// | size of the objects | 0.766 | 0.755 | 0.727 | 0.703 | 0.68 |
/// | MB/s | | | 156 | 98 | 66 |
///
/// Above 6 each further per cent costs a third of the speed. The level is no part of the format: a
/// reader does not know it. (`cargo bench -p lifeboat-format` prints such a table.)
pub const LEVEL: i32 = 6;

/// How much room a compressor keeps between frames: twice what a batch of the usual size needs.
const ROOM_KEPT: usize = 2 << 20;

/// Why bytes could not be packed or unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// There is more than [`MAX_PLAINTEXT`] to pack, or a frame claims so.
    #[error("{bytes} bytes exceed the frame limit of {MAX_PLAINTEXT}")]
    TooLarge {
        /// The size that was given or claimed.
        bytes: u64,
    },
    /// zstd refused to pack; it has no reason to.
    #[error("zstd could not compress: {message}")]
    Compress {
        /// What zstd says.
        message: String,
    },
    /// The bytes are no zstd frame that names its content size, or more than one.
    #[error("the content is not a single zstd frame with its size in the header")]
    NotOneFrame,
    /// The frame is damaged.
    #[error("the zstd frame is damaged")]
    Damaged,
}

impl Diagnostic for CompressionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::Compress { .. } => ErrorKind::Bug,
            Self::NotOneFrame | Self::Damaged => ErrorKind::Corrupt,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Compress { .. } => Code::Bug,
            _ => Code::PackCorrupt,
        }
    }
}

/// A compression context that is used for one frame after another: setting it up costs more than
/// compressing a small batch.
pub struct Compressor {
    context: bulk::Compressor<'static>,
    /// Room for the worst case, used again: fresh memory of this size would be mapped and cleared by
    /// the system for each frame.
    room: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

impl Compressor {
    /// A compressor at [`LEVEL`].
    ///
    /// # Errors
    /// [`CompressionError::Compress`] where zstd has no memory for its context.
    pub fn new() -> Result<Self, CompressionError> {
        Self::with_level(LEVEL)
    }

    /// A compressor at another level, for measuring.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] where zstd does not know the level.
    pub fn with_level(level: i32) -> Result<Self, CompressionError> {
        let mut inner = bulk::Compressor::new(level).map_err(refused)?;
        // A reader takes no frame that does not name its size.
        inner
            .set_parameter(zstd_safe::CParameter::ContentSizeFlag(true))
            .map_err(refused)?;
        // The AEAD tag guards the content better than zstd's own checksum would.
        inner
            .set_parameter(zstd_safe::CParameter::ChecksumFlag(false))
            .map_err(refused)?;
        Ok(Self {
            context: inner,
            room: Vec::new(),
        })
    }

    /// Packs bytes into one frame.
    ///
    /// # Errors
    /// [`CompressionError::TooLarge`] above [`MAX_PLAINTEXT`].
    pub fn compress(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, CompressionError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(CompressionError::TooLarge {
                bytes: plaintext.len() as u64,
            });
        }
        self.room.clear();
        self.room.reserve(zstd::compress_bound(plaintext.len()));
        self.context
            .compress_to_buffer(plaintext, &mut self.room)
            .map_err(refused)?;
        let frame = self.room.clone();
        // One huge object should not hold its memory for the rest of the capture.
        self.room.shrink_to(ROOM_KEPT);
        Ok(frame)
    }
}

fn refused(error: std::io::Error) -> CompressionError {
    CompressionError::Compress {
        message: error.to_string(),
    }
}

/// A decompression context that is used for one frame after another.
pub struct Decompressor(bulk::Decompressor<'static>);

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decompressor")
    }
}

impl Decompressor {
    /// A new context.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] where zstd has no memory for it.
    pub fn new() -> Result<Self, CompressionError> {
        bulk::Decompressor::new().map(Self).map_err(refused)
    }

    /// Unpacks exactly one frame into `plaintext`, which is cleared first.
    ///
    /// # Errors
    /// [`CompressionError`] where the bytes are anything but one whole frame of a known, allowed size.
    pub fn decompress(&mut self, frame: &[u8], plaintext: &mut Vec<u8>) -> Result<(), CompressionError> {
        plaintext.clear();
        let size = match zstd_safe::get_frame_content_size(frame) {
            Ok(Some(size)) => size,
            _ => return Err(CompressionError::NotOneFrame),
        };
        let capacity = usize::try_from(size)
            .ok()
            .filter(|size| *size <= MAX_PLAINTEXT)
            .ok_or(CompressionError::TooLarge { bytes: size })?;
        if zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(CompressionError::NotOneFrame);
        }
        plaintext.reserve(capacity);
        self.0
            .decompress_to_buffer(frame, plaintext)
            .map_err(|_| CompressionError::Damaged)?;
        if plaintext.len() != capacity {
            return Err(CompressionError::Damaged);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
