//! SHA-256 digests.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, Context, SHA256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A SHA-256 digest. Its text is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Sha256(pub [u8; 32]);

/// The error for text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has 64 lower-case hexadecimal digits")]
pub struct InvalidDigest;

impl Sha256 {
    /// Returns the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&digest::digest(&SHA256, bytes))
    }

    fn from_digest(digest: &digest::Digest) -> Self {
        let mut value = [0; 32];
        value.copy_from_slice(digest.as_ref());
        Self(value)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut value = [0; 32];
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidDigest);
        }
        hex::decode_to_slice(text, &mut value).map_err(|_| InvalidDigest)?;
        Ok(Self(value))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = InvalidDigest;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

/// The digest of an object's line in the index: the first 16 bytes of its SHA-256.
///
/// Half of the digest is sufficient: it identifies content within an authenticated frame and compares two
/// captures of an object, and only the writer of the recovery point can choose it. The other half would take
/// up a fifth of the index, because digests do not compress.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineDigest(pub [u8; 16]);

impl LineDigest {
    /// Returns the digest of a line, given without its line end.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        Sha256::of(line).into()
    }
}

impl From<Sha256> for LineDigest {
    fn from(digest: Sha256) -> Self {
        let mut value = [0; 16];
        value.copy_from_slice(&digest.0[..16]);
        Self(value)
    }
}

impl fmt::Debug for LineDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A digest computed from bytes that arrive in chunks.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Hasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        Sha256::from_digest(&self.0.finish())
    }
}
