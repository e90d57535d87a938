//! Packs: files of encrypted frames. `FORMAT.md` specifies the layout.
//!
//! Frames follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online
//! Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015): the nonce contains the number of
//! the frame and whether it is the last one. Each pack has its own key, derived from the data key, the
//! application, the cluster, the recovery point and the name of the pack. A frame can be decrypted only at its own
//! position.

pub mod reader;
pub mod writer;

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use lifeboat_model::{ApplicationName, ClusterName, Code, Diagnostic, ErrorKind, PackName, RecoveryPointId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::compress::{CompressionError, MAX_PLAINTEXT};
use crate::digest::Sha256;
use crate::keys::DataKey;

/// The version of the pack format that this program writes, and the newest that it reads.
pub const PACK_VERSION: u8 = PackVersion::V2.byte();

/// The size of a pack's header in bytes.
pub const HEADER_LEN: usize = 8;

/// The size of the length field before each frame, in bytes.
pub const FRAME_HEAD_LEN: usize = 4;

/// The size of an AES-GCM tag in bytes.
pub const TAG_LEN: usize = 16;

/// The maximum size of a frame's ciphertext in bytes: the largest plaintext if zstd cannot shrink it
/// (`ZSTD_compressBound`: 1/256 more), rounded up, and the tag.
pub const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + (1 << 20) + TAG_LEN;

const MAGIC: &[u8; 6] = b"LBPACK";
const LAST: u32 = 1 << 31;

/// The version of a pack: the byte behind the magic of its header. Versions differ in what the key of a pack is derived
/// from; the layout of header and frames is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum PackVersion {
    /// Of formats 1 and 2: bound to the recovery point and the name of the pack.
    V1,
    /// Since format 3: bound to the application and the cluster too.
    V2,
}

impl PackVersion {
    /// Returns the byte in the header.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl From<PackVersion> for u8 {
    fn from(version: PackVersion) -> Self {
        version.byte()
    }
}

impl TryFrom<u8> for PackVersion {
    type Error = String;

    fn try_from(byte: u8) -> Result<Self, Self::Error> {
        [Self::V1, Self::V2]
            .into_iter()
            .find(|version| version.byte() == byte)
            .ok_or_else(|| format!("{byte} is not a version of packs"))
    }
}

/// Schemas show the number that is in the document.
impl JsonSchema for PackVersion {
    fn schema_name() -> Cow<'static, str> {
        "PackVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The version of a pack, as in its header.",
            "type": "integer",
            "minimum": 1,
            "maximum": PACK_VERSION,
        })
    }
}

/// What a pack is: the key of each frame in it is bound to all of this, so that a pack opens nowhere else, whichever
/// wrapped data key a manifest places beside it.
#[derive(Debug, Clone, Copy)]
pub struct PackIdentity<'a> {
    /// The application.
    pub application: &'a ApplicationName,
    /// The cluster whose objects the pack contains; none for descriptions, which belong to the whole application.
    pub cluster: Option<&'a ClusterName>,
    /// The recovery point that contains the file.
    pub point: &'a RecoveryPointId,
    /// The name of the pack.
    pub name: &'a PackName,
}

/// The content of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackKind {
    /// Batches of objects.
    Objects,
    /// Groups of index entries.
    Index,
    /// Descriptions of AWS resources.
    Descriptions,
}

impl PackKind {
    fn byte(self) -> u8 {
        match self {
            Self::Objects => 1,
            Self::Index => 2,
            Self::Descriptions => 3,
        }
    }

    /// Returns the header of a pack of this kind and version.
    #[must_use]
    pub fn header(self, version: PackVersion) -> [u8; HEADER_LEN] {
        let [a, b, c, d, e, f] = *MAGIC;
        [a, b, c, d, e, f, version.byte(), self.byte()]
    }
}

impl fmt::Display for PackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Objects => "objects",
            Self::Index => "an index",
            Self::Descriptions => "descriptions",
        })
    }
}

/// The location of a frame in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameLocation {
    /// The number of the frame, from 0.
    pub frame: u32,
    /// The offset of the frame's length field in the file, in bytes.
    pub offset: u64,
    /// The size of the frame in bytes, including the length field and the tag.
    pub length: u32,
}

/// The digest and size of a complete pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackSummary {
    /// The SHA-256 digest of the file.
    pub sha256: Sha256,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The number of frames, including the last one.
    pub frames: u32,
}

/// The error for a pack that cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The file does not begin with the header of a pack.
    #[error("the file is not a pack")]
    NotAPack,
    /// The pack was written by a newer version of Lifeboat.
    #[error("the pack has version {found}; this version of lifeboat reads up to {PACK_VERSION}")]
    Newer {
        /// The pack version that was found.
        found: u8,
    },
    /// The pack has another version than the manifest states. Packs of an older one are bound to less.
    #[error("the pack has version {found}, and the manifest states version {expected}")]
    OtherVersion {
        /// The pack version that was found.
        found: u8,
        /// The signed version.
        expected: u8,
    },
    /// The pack is an index where objects are expected, or the reverse.
    #[error("the pack does not contain {expected}")]
    WrongContent {
        /// What was expected.
        expected: PackKind,
    },
    /// The file ends inside a frame or before its last frame.
    #[error("the pack is truncated: it ends after {bytes} bytes, in or before frame {frame}")]
    Truncated {
        /// The size of the file in bytes.
        bytes: u64,
        /// The frame that is missing or incomplete.
        frame: u32,
    },
    /// There are bytes after the last frame.
    #[error("the pack has trailing data after its last frame, at byte {offset}")]
    Trailing {
        /// The offset of these bytes.
        offset: u64,
    },
    /// The length field of a frame contains an impossible size.
    #[error("frame {frame} at byte {offset} has an invalid size of {length} bytes")]
    FrameSize {
        /// The number of the frame.
        frame: u32,
        /// The offset of the frame.
        offset: u64,
        /// The size in the length field.
        length: u64,
    },
    /// The first frame cannot be decrypted: the pack belongs to another recovery point, name or key, or it
    /// was modified. These cases cannot be distinguished.
    #[error(
        "the pack does not authenticate as this pack of this recovery point with this key: it was modified, or belongs to another point"
    )]
    Foreign,
    /// A frame cannot be decrypted although the one before it could.
    #[error("frame {frame} at byte {offset} was modified")]
    Changed {
        /// The number of the frame.
        frame: u32,
        /// The offset of the frame.
        offset: u64,
    },
    /// A frame can be decrypted only at another position.
    #[error("found frame {found} in place of frame {frame}")]
    Reordered {
        /// The position at which the frame was found.
        frame: u32,
        /// The number of the frame that is at this position.
        found: u32,
    },
    /// The last-frame mark of a frame was added or removed.
    #[error("the end marker of the pack was moved to or from frame {frame}")]
    EndMoved {
        /// The number of the frame.
        frame: u32,
    },
    /// A frame was decrypted but its content cannot be decompressed.
    #[error("the content of frame {frame} cannot be decompressed")]
    Content {
        /// The number of the frame.
        frame: u32,
        /// The cause.
        #[source]
        source: CompressionError,
    },
    /// The pack has the maximum number of frames, or a frame is too large.
    #[error("the pack is full")]
    Full,
    /// The cryptographic library refused an operation that cannot fail.
    #[error("the cryptographic library failed")]
    Crypto,
    /// The reader was used after an error.
    #[error("the pack was read after an error")]
    Poisoned,
}

impl Diagnostic for PackError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Newer { .. } => ErrorKind::Invalid,
            Self::Full | Self::Crypto | Self::Poisoned => ErrorKind::Bug,
            _ => ErrorKind::Corrupt,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Newer { .. } => Code::NewerFormat,
            Self::Full | Self::Crypto | Self::Poisoned => Code::Bug,
            _ => Code::PackCorrupt,
        }
    }
}

/// The AES-GCM key of one pack, with the header that is authenticated with each frame.
pub(crate) struct PackKey {
    key: LessSafeKey,
    header: [u8; HEADER_LEN],
}

impl fmt::Debug for PackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackKey([redacted])")
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl PackKey {
    /// Derives the key of a pack (HKDF, RFC 5869). `FORMAT.md` shows the info of each version.
    pub(crate) fn derive(
        version: PackVersion,
        kind: PackKind,
        data_key: &DataKey,
        identity: PackIdentity<'_>,
    ) -> Result<Self, PackError> {
        let PackIdentity {
            application,
            cluster,
            point,
            name,
        } = identity;
        let all = [
            application.as_str(),
            cluster.map_or("", ClusterName::as_str),
            point.as_str(),
            name.as_str(),
        ];
        let (label, bound) = match version {
            PackVersion::V1 => (b"lifeboat pack v1".as_slice(), &all[2..]),
            PackVersion::V2 => (b"lifeboat pack v2".as_slice(), all.as_slice()),
        };
        let mut info = label.to_vec();
        for text in bound {
            let length = u16::try_from(text.len()).expect("identifiers are no longer than 256 bytes");
            info.extend_from_slice(&length.to_be_bytes());
            info.extend_from_slice(text.as_bytes());
        }
        let mut bytes = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, &[])
            .extract(data_key.expose())
            .expand(&[info.as_slice()], Length(32))
            .and_then(|okm| okm.fill(bytes.as_mut()))
            .map_err(|_| PackError::Crypto)?;
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_ref()).map_err(|_| PackError::Crypto)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            header: kind.header(version),
        })
    }

    fn nonce(frame: u32, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[7..11].copy_from_slice(&frame.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests;
