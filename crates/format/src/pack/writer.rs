//! Writing of packs.

use aws_lc_rs::aead::Aad;

use super::{
    FRAME_HEAD_LEN, FrameLocation, LAST, MAX_CIPHERTEXT, PackError, PackIdentity, PackKey, PackKind,
    PackSummary, PackVersion, TAG_LEN,
};
use crate::digest::Hasher;
use crate::keys::DataKey;

/// Writes one pack. It does no I/O: the bytes of the file are appended to `out`, and the caller writes them.
///
/// A pack must be written only once for each identity and data key, because the frame numbers are
/// the nonces.
#[derive(Debug)]
pub struct PackWriter {
    key: PackKey,
    hasher: Hasher,
    bytes: u64,
    frames: u32,
}

impl PackWriter {
    /// Begins a pack.
    ///
    /// # Errors
    /// [`PackError::Crypto`] if the cryptographic library fails.
    pub fn new(kind: PackKind, data_key: &DataKey, identity: PackIdentity<'_>) -> Result<Self, PackError> {
        Self::of_version(PackVersion::V2, kind, data_key, identity)
    }

    /// Begins a pack of any version, for tests of reading older ones.
    pub(crate) fn of_version(
        version: PackVersion,
        kind: PackKind,
        data_key: &DataKey,
        identity: PackIdentity<'_>,
    ) -> Result<Self, PackError> {
        Ok(Self {
            key: PackKey::derive(version, kind, data_key, identity)?,
            hasher: Hasher::default(),
            bytes: 0,
            frames: 0,
        })
    }

    /// Appends a frame with compressed content.
    ///
    /// # Errors
    /// [`PackError::Full`] if the content is too large or all frame numbers are used; nothing is written
    /// then.
    pub fn append(&mut self, compressed: &[u8], out: &mut Vec<u8>) -> Result<FrameLocation, PackError> {
        // The last number is reserved for the last frame.
        if self.frames == u32::MAX - 1 {
            return Err(PackError::Full);
        }
        self.frame(compressed, false, out)
    }

    /// Ends the pack with an empty last frame.
    ///
    /// # Errors
    /// [`PackError::Crypto`] if the cryptographic library fails.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<PackSummary, PackError> {
        self.frame(&[], true, out)?;
        Ok(PackSummary {
            sha256: self.hasher.finish(),
            bytes: self.bytes,
            frames: self.frames,
        })
    }

    /// Returns the size of the file so far, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of frames so far.
    #[must_use]
    pub fn frames(&self) -> u32 {
        self.frames
    }

    fn frame(&mut self, content: &[u8], last: bool, out: &mut Vec<u8>) -> Result<FrameLocation, PackError> {
        let length = content.len() + TAG_LEN;
        if length > MAX_CIPHERTEXT {
            return Err(PackError::Full);
        }
        let before = out.len();
        if self.bytes == 0 {
            out.extend_from_slice(&self.key.header);
        }
        let begin = out.len();
        let head = u32::try_from(length).map_err(|_| PackError::Full)? | if last { LAST } else { 0 };
        out.reserve(FRAME_HEAD_LEN + length);
        out.extend_from_slice(&head.to_le_bytes());
        out.extend_from_slice(content);
        let sealed = self.key.key.seal_in_place_separate_tag(
            PackKey::nonce(self.frames, last),
            Aad::from(self.key.header),
            &mut out[begin + FRAME_HEAD_LEN..],
        );
        let Ok(tag) = sealed else {
            out.truncate(before);
            return Err(PackError::Crypto);
        };
        out.extend_from_slice(tag.as_ref());
        self.hasher.update(&out[before..]);
        let location = FrameLocation {
            frame: self.frames,
            offset: self.bytes + (begin - before) as u64,
            length: u32::try_from(out.len() - begin).map_err(|_| PackError::Full)?,
        };
        self.bytes += (out.len() - before) as u64;
        self.frames += 1;
        Ok(location)
    }
}
