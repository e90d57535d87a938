//! zstd frames (RFC 8878), with a limit on their decompressed size.

use lifeboat_model::{Code, Diagnostic, ErrorKind};
use zstd::bulk;
use zstd::zstd_safe;

/// The maximum size of a frame's decompressed content, in bytes. Writers stay far below it. Readers refuse
/// larger frames, so that a small file cannot exhaust the memory.
pub const MAX_PLAINTEXT: usize = 64 << 20;

/// The zstd compression level. A capture waits for the API server, which delivers some tens of megabytes per
/// second, and a recovery point is stored and copied for weeks. Measured with 20,000 objects of a mixed
/// cluster (80 MB) on one core; sizes are relative to the gzip tar of the same objects in Velero's layout:
///
/// | level | 1 | 3 | 6 | 9 | 12 |
/// |---|---|---|---|---|---|
/// | size of the objects | 0.766 | 0.755 | 0.727 | 0.703 | 0.68 |
/// | MB/s | | | 156 | 98 | 66 |
///
/// Above 6, each further percent costs a third of the speed. The level is not part of the format: a reader
/// does not need to know it. (`cargo bench -p lifeboat-format` prints such a table.)
pub const LEVEL: i32 = 6;

/// The buffer capacity that a compressor keeps between frames, in bytes: twice what a batch of the usual size
/// needs.
const ROOM_KEPT: usize = 2 << 20;

/// The error for bytes that cannot be compressed or decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The content to compress is larger than [`MAX_PLAINTEXT`], or a frame claims to be.
    #[error("{bytes} bytes exceed the frame limit of {MAX_PLAINTEXT}")]
    TooLarge {
        /// The size in bytes that was given or claimed.
        bytes: u64,
    },
    /// zstd could not compress; not expected in practice.
    #[error("zstd could not compress: {message}")]
    Compress {
        /// The error message of zstd.
        message: String,
    },
    /// The bytes are not a single zstd frame that states its content size.
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

/// A compression context, reused for successive frames: creating one costs more than compressing a small
/// batch.
pub struct Compressor {
    context: bulk::Compressor<'static>,
    /// The output buffer, large enough for the worst case. It is reused because the operating system would
    /// have to map and clear fresh memory of this size for each frame.
    room: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

impl Compressor {
    /// Creates a compressor at [`LEVEL`].
    ///
    /// # Errors
    /// [`CompressionError::Compress`] if zstd cannot allocate its context.
    pub fn new() -> Result<Self, CompressionError> {
        Self::with_level(LEVEL)
    }

    /// Creates a compressor at another level, for measurements.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] if zstd does not support the level.
    pub fn with_level(level: i32) -> Result<Self, CompressionError> {
        let mut inner = bulk::Compressor::new(level).map_err(refused)?;
        // Readers refuse frames that do not state their content size.
        inner
            .set_parameter(zstd_safe::CParameter::ContentSizeFlag(true))
            .map_err(refused)?;
        // The AEAD tag already protects the content, better than zstd's checksum would.
        inner
            .set_parameter(zstd_safe::CParameter::ChecksumFlag(false))
            .map_err(refused)?;
        Ok(Self {
            context: inner,
            room: Vec::new(),
        })
    }

    /// Compresses bytes into one frame.
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
        // Release the memory of a very large object instead of keeping it until the end of the capture.
        self.room.shrink_to(ROOM_KEPT);
        Ok(frame)
    }
}

fn refused(error: std::io::Error) -> CompressionError {
    CompressionError::Compress {
        message: error.to_string(),
    }
}

/// A decompression context, reused for successive frames.
pub struct Decompressor(bulk::Decompressor<'static>);

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decompressor")
    }
}

impl Decompressor {
    /// Creates a decompressor.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] if zstd cannot allocate its context.
    pub fn new() -> Result<Self, CompressionError> {
        bulk::Decompressor::new().map(Self).map_err(refused)
    }

    /// Decompresses exactly one frame into `plaintext`, which is cleared first.
    ///
    /// # Errors
    /// [`CompressionError`] unless the bytes are exactly one complete frame with a stated size within the
    /// limit.
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
