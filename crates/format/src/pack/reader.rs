//! Reading of packs, as a stream or as single frames by location.

use aws_lc_rs::aead::Aad;

use super::{
    FRAME_HEAD_LEN, FrameLocation, HEADER_LEN, LAST, MAGIC, MAX_CIPHERTEXT, PACK_VERSION, PackError,
    PackIdentity, PackKey, PackKind, PackSummary, PackVersion, TAG_LEN,
};
use crate::compress::Decompressor;
use crate::digest::Hasher;
use crate::keys::DataKey;

/// The number of other positions that are tried for a frame that cannot be decrypted at its own, to
/// distinguish a moved frame from a modified one. Each costs one decryption, and only after a failure.
const PLACES_TRIED: u32 = 64;

/// A decrypted frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The location of the frame.
    pub location: FrameLocation,
    /// The decompressed content; empty in the last frame of a pack that this program wrote.
    pub plaintext: &'a [u8],
    /// Whether it is the last frame.
    pub last: bool,
}

/// Reads one pack as its bytes arrive.
///
/// A frame is returned only after it was authenticated. Only [`PackReader::finish`] checks that the pack is
/// complete.
#[derive(Debug)]
pub struct PackReader {
    opener: FrameOpener,
    decompressor: Decompressor,
    hasher: Hasher,
    /// Bytes that do not yet form a complete header or frame.
    pending: Vec<u8>,
    plaintext: Vec<u8>,
    header_read: bool,
    /// The offset of `pending` in the file.
    offset: u64,
    frame: u32,
    last_seen: bool,
    failed: bool,
}

impl PackReader {
    /// Creates a reader for one pack of the version that the manifest states.
    ///
    /// # Errors
    /// [`PackError::Crypto`] if the cryptographic library fails.
    pub fn new(
        version: PackVersion,
        kind: PackKind,
        data_key: &DataKey,
        identity: PackIdentity<'_>,
    ) -> Result<Self, PackError> {
        Ok(Self {
            opener: FrameOpener::new(version, kind, data_key, identity)?,
            decompressor: Decompressor::new().map_err(|_| PackError::Crypto)?,
            hasher: Hasher::default(),
            pending: Vec::new(),
            plaintext: Vec::new(),
            header_read: false,
            offset: 0,
            frame: 0,
            last_seen: false,
            failed: false,
        })
    }

    /// Processes the next bytes of the file. `on_frame` is called for each frame that is complete.
    ///
    /// # Errors
    /// [`PackError`] if the bytes do not belong to this pack, and any error of `on_frame`. The reader cannot
    /// be used after an error.
    pub fn push<E, F>(&mut self, bytes: &[u8], mut on_frame: F) -> Result<(), E>
    where
        E: From<PackError>,
        F: FnMut(Frame<'_>) -> Result<(), E>,
    {
        if self.failed {
            return Err(PackError::Poisoned.into());
        }
        self.failed = true;
        self.hasher.update(bytes);
        let mut rest = bytes;
        loop {
            if self.last_seen {
                if !rest.is_empty() || !self.pending.is_empty() {
                    return Err(PackError::Trailing { offset: self.offset }.into());
                }
                break;
            }
            let wanted = self.wanted()?;
            // Memory is reserved only as bytes arrive, never for a claimed size alone.
            let take = wanted.saturating_sub(self.pending.len()).min(rest.len());
            self.pending.extend_from_slice(&rest[..take]);
            rest = &rest[take..];
            if self.pending.len() < wanted {
                break;
            }
            if !self.header_read {
                self.opener.check_header(&self.pending)?;
                self.header_read = true;
                self.advance();
            } else if wanted > FRAME_HEAD_LEN {
                self.open(&mut on_frame)?;
            }
        }
        self.failed = false;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`PackError::Truncated`] if the last frame is missing.
    pub fn finish(self) -> Result<PackSummary, PackError> {
        if self.failed {
            return Err(PackError::Poisoned);
        }
        if !self.last_seen {
            return Err(PackError::Truncated {
                bytes: self.offset + self.pending.len() as u64,
                frame: self.frame,
            });
        }
        Ok(PackSummary {
            sha256: self.hasher.finish(),
            bytes: self.offset,
            frames: self.frame,
        })
    }

    /// Returns the number of bytes that `pending` needs before it can be processed; always more than it has
    /// now.
    fn wanted(&self) -> Result<usize, PackError> {
        if !self.header_read {
            return Ok(HEADER_LEN);
        }
        match self.pending.first_chunk::<FRAME_HEAD_LEN>() {
            None => Ok(FRAME_HEAD_LEN),
            Some(head) => {
                let length = ciphertext_length(*head, self.frame, self.offset)?.0;
                Ok(FRAME_HEAD_LEN + length)
            }
        }
    }

    fn open<E, F>(&mut self, on_frame: &mut F) -> Result<(), E>
    where
        E: From<PackError>,
        F: FnMut(Frame<'_>) -> Result<(), E>,
    {
        let location = FrameLocation {
            frame: self.frame,
            offset: self.offset,
            length: u32::try_from(self.pending.len()).map_err(|_| PackError::Full)?,
        };
        let last = self.opener.open_into(
            location,
            &mut self.pending,
            &mut self.decompressor,
            &mut self.plaintext,
        )?;
        on_frame(Frame {
            location,
            plaintext: &self.plaintext,
            last,
        })?;
        self.last_seen = last;
        self.frame = self.frame.checked_add(1).ok_or(PackError::Full)?;
        self.advance();
        Ok(())
    }

    fn advance(&mut self) {
        self.offset += self.pending.len() as u64;
        self.pending.clear();
    }
}

/// Opens single frames of one pack, read by their location in the file.
#[derive(Debug)]
pub struct FrameOpener {
    key: PackKey,
    version: PackVersion,
    kind: PackKind,
}

impl FrameOpener {
    /// Creates an opener for one pack of the version that the manifest states.
    ///
    /// # Errors
    /// [`PackError::Crypto`] if the cryptographic library fails.
    pub fn new(
        version: PackVersion,
        kind: PackKind,
        data_key: &DataKey,
        identity: PackIdentity<'_>,
    ) -> Result<Self, PackError> {
        Ok(Self {
            key: PackKey::derive(version, kind, data_key, identity)?,
            version,
            kind,
        })
    }

    /// Opens the frame at a location from the index. `bytes` is the content of the file there, including the
    /// length field.
    ///
    /// # Errors
    /// [`PackError`] if the bytes are not that frame.
    pub fn open(&self, location: FrameLocation, bytes: &[u8]) -> Result<Vec<u8>, PackError> {
        if bytes.len() as u64 != u64::from(location.length) {
            return Err(PackError::Truncated {
                bytes: location.offset + bytes.len() as u64,
                frame: location.frame,
            });
        }
        let mut decompressor = Decompressor::new().map_err(|_| PackError::Crypto)?;
        let mut plaintext = Vec::new();
        self.open_into(location, &mut bytes.to_vec(), &mut decompressor, &mut plaintext)?;
        Ok(plaintext)
    }

    fn check_header(&self, header: &[u8]) -> Result<(), PackError> {
        let version = header
            .strip_prefix(MAGIC.as_slice())
            .and_then(|rest| rest.first())
            .ok_or(PackError::NotAPack)?;
        match *version {
            0 => Err(PackError::NotAPack),
            found if found > PACK_VERSION => Err(PackError::Newer { found }),
            found if found != self.version.byte() => Err(PackError::OtherVersion {
                found,
                expected: self.version.byte(),
            }),
            _ if header == self.key.header => Ok(()),
            _ => Err(PackError::WrongContent { expected: self.kind }),
        }
    }

    /// Decrypts a frame in place. Returns whether it is the last one.
    fn open_into(
        &self,
        location: FrameLocation,
        bytes: &mut [u8],
        decompressor: &mut Decompressor,
        plaintext: &mut Vec<u8>,
    ) -> Result<bool, PackError> {
        let FrameLocation { frame, offset, .. } = location;
        let (head, ciphertext) = bytes
            .split_first_chunk_mut::<FRAME_HEAD_LEN>()
            .ok_or(PackError::Truncated { bytes: offset, frame })?;
        let (length, last) = ciphertext_length(*head, frame, offset)?;
        if length != ciphertext.len() {
            return Err(PackError::FrameSize {
                frame,
                offset,
                length: length as u64,
            });
        }
        let opened = {
            let (content, tag) = ciphertext.split_at(length - TAG_LEN);
            plaintext.clear();
            plaintext.resize(content.len(), 0);
            self.key.key.open_separate_gather(
                PackKey::nonce(frame, last),
                Aad::from(self.key.header),
                content,
                tag,
                plaintext,
            )
        };
        if opened.is_err() {
            plaintext.clear();
            return Err(self.diagnose(location, last, ciphertext));
        }
        if plaintext.is_empty() && last {
            return Ok(true);
        }
        // The buffer of the ciphertext, which is no longer needed, is reused for the compressed content.
        let compressed = &mut ciphertext[..length - TAG_LEN];
        compressed.copy_from_slice(plaintext);
        decompressor
            .decompress(compressed, plaintext)
            .map_err(|source| PackError::Content { frame, source })?;
        Ok(last)
    }

    /// Determines why a frame cannot be decrypted.
    fn diagnose(&self, location: FrameLocation, last: bool, ciphertext: &[u8]) -> PackError {
        let opens = |frame: u32, last: bool| {
            let mut copy = ciphertext.to_vec();
            self.key
                .key
                .open_in_place(PackKey::nonce(frame, last), Aad::from(self.key.header), &mut copy)
                .is_ok()
        };
        let FrameLocation { frame, offset, .. } = location;
        if opens(frame, !last) {
            return PackError::EndMoved { frame };
        }
        let first = frame.saturating_sub(PLACES_TRIED / 2);
        let moved = (first..first.saturating_add(PLACES_TRIED))
            .filter(|other| *other != frame)
            .find(|other| opens(*other, last));
        match moved {
            Some(found) => PackError::Reordered { frame, found },
            None if frame == 0 => PackError::Foreign,
            None => PackError::Changed { frame, offset },
        }
    }
}

/// Returns the size of a frame's ciphertext, and whether it is the last frame.
fn ciphertext_length(
    head: [u8; FRAME_HEAD_LEN],
    frame: u32,
    offset: u64,
) -> Result<(usize, bool), PackError> {
    let head = u32::from_le_bytes(head);
    let length = (head & !LAST) as usize;
    if (TAG_LEN..=MAX_CIPHERTEXT).contains(&length) {
        Ok((length, head & LAST != 0))
    } else {
        Err(PackError::FrameSize {
            frame,
            offset,
            length: length as u64,
        })
    }
}
