//! The keys of the format: the data key of a capture, the public half of the recovery key that wraps it, and
//! the public half of the signing key that signs a recovery point.
//!
//! Private keys never occur in this crate. They are behind the ports of the `jobs` crate, as files or in a
//! key service.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::Sha256;
use crate::pem;

/// The error for a key, a signature or a fingerprint that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text contains no PEM block, or the block contains no key.
    #[error("not a public key in PEM (BEGIN PUBLIC KEY)")]
    Unreadable,
    /// A private key was given where a public key is required.
    #[error("this is a private key ({label}); a public key is required")]
    PrivateHalf {
        /// The PEM label that was found.
        label: String,
    },
    /// The key has an unsupported type or size.
    #[error("the key is not {expected}")]
    WrongKind {
        /// What is required.
        expected: &'static str,
    },
    /// The length of a data key is wrong.
    #[error("the data key has {found} bytes, not 32")]
    DataKeyLength {
        /// The length in bytes that was found.
        found: usize,
    },
    /// A data key is to be wrapped for no recovery key at all.
    #[error("the data key is wrapped for no recovery key")]
    NoRecipient,
    /// The cryptographic library refused an operation that cannot fail with a valid key.
    #[error("the data key could not be wrapped")]
    Wrap,
    /// The signature does not match the message and the key.
    #[error("the signature does not match")]
    Signature,
    /// The text is not a fingerprint.
    #[error("{given:?} is not a fingerprint (sha256: and 64 hexadecimal digits)")]
    Fingerprint {
        /// The text that was given.
        given: String,
    },
}

impl Diagnostic for KeyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Wrap | Self::NoRecipient => ErrorKind::Bug,
            Self::Signature => ErrorKind::Corrupt,
            _ => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Unreadable | Self::Fingerprint { .. } => Code::KeyUnreadable,
            Self::PrivateHalf { .. } => Code::PublicPrivateKeyMismatch,
            Self::WrongKind { .. } => Code::UnsupportedKeyType,
            Self::DataKeyLength { .. } => Code::RecoveryKeyMismatch,
            Self::Signature => Code::SignatureInvalid,
            Self::Wrap | Self::NoRecipient => Code::Bug,
        }
    }
}

/// The name of a public key: `sha256:` and the digest of its DER SubjectPublicKeyInfo in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Returns the fingerprint of the key with this SubjectPublicKeyInfo.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(format!("sha256:{}", Sha256::of(der)))
    }

    /// Returns the fingerprint as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("sha256:").map(str::parse::<Sha256>) {
            Some(Ok(_)) => Ok(Self(text.to_owned())),
            _ => Err(KeyError::Fingerprint {
                given: text.chars().take(100).collect(),
            }),
        }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

/// The data key of one capture, from which the key of each pack is derived. It is zeroized when dropped and
/// never formatted.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// Creates a key from 32 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Creates a key from the result of unwrapping.
    ///
    /// # Errors
    /// [`KeyError::DataKeyLength`] unless there are exactly 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = bytes
            .try_into()
            .map_err(|_| KeyError::DataKeyLength { found: bytes.len() })?;
        Ok(Self::from_random(key))
    }

    /// Returns the key of the digests that replace values in plans, differences and reports (HKDF, RFC 5869,
    /// with the info `lifeboat redaction v1`). Only holders of the data key can check a guess of a value.
    #[must_use]
    pub fn redaction_key(&self) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, &[])
            .extract(self.expose())
            .expand(&[b"lifeboat redaction v1".as_slice()], HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("HKDF-SHA-256 gives as many bytes as one digest has");
        key
    }

    /// Returns the key. This is the only accessor, so every use can be found by this name.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// How a data key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WrapAlgorithm {
    /// RSA-OAEP (RFC 8017) with SHA-256 and MGF1 with SHA-256: `RSAES_OAEP_SHA_256` of AWS KMS.
    #[serde(rename = "RSA-OAEP-SHA-256")]
    RsaOaepSha256,
}

/// A data key that only the holder of the recovery key can unwrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// How the data key is wrapped.
    pub algorithm: WrapAlgorithm,
    /// The fingerprint of the recovery key that unwraps it.
    pub recipient: Fingerprint,
    /// The RSA ciphertext, 512 bytes.
    pub ciphertext: Vec<u8>,
}

/// The public half of the recovery key: RSA with 4096 bits.
#[derive(Debug)]
pub struct RecipientKey {
    key: OaepPublicEncryptingKey,
    fingerprint: Fingerprint,
    spki: Vec<u8>,
}

impl RecipientKey {
    /// The size of the modulus in bits. KMS offers 2048 to 4096; a recovery point may have to stay secret for
    /// longer than 2048 bits are recommended for (NIST SP 800-57 part 1, table 2).
    pub const BITS: usize = 4096;

    /// Parses the PEM text of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError`], with separate variants for a private key, a key of another type, and text that is not a
    /// key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_der(&public_block(text)?)
    }

    /// Parses the PEM text of one or more SubjectPublicKeyInfos, one after another: recovery points are encrypted for
    /// each of these keys.
    ///
    /// # Errors
    /// [`KeyError`] of the first that is not a key; [`KeyError::Unreadable`] if there is none.
    pub fn list_from_pem(text: &str) -> Result<Vec<Self>, KeyError> {
        let keys: Vec<Self> = pem::blocks(text).map(Self::from_pem).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::Unreadable);
        }
        Ok(keys)
    }

    /// Parses a DER SubjectPublicKeyInfo, as returned by `kms:GetPublicKey`.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] unless it is an RSA key of [`RecipientKey::BITS`].
    pub fn from_der(spki: &[u8]) -> Result<Self, KeyError> {
        let wrong = KeyError::WrongKind {
            expected: "an RSA key with 4096 bits",
        };
        let key = PublicEncryptingKey::from_der(spki).map_err(|_| wrong.clone())?;
        if key.key_size_bits() != Self::BITS {
            return Err(wrong);
        }
        Ok(Self {
            key: OaepPublicEncryptingKey::new(key).map_err(|_| wrong)?,
            fingerprint: Fingerprint::of_spki(spki),
            spki: spki.to_vec(),
        })
    }

    /// Wraps a data key. The result differs each time because OAEP uses random bytes from the cryptographic
    /// library.
    ///
    /// # Errors
    /// [`KeyError::Wrap`] if the library refuses, which does not happen with a key of the right size.
    pub fn wrap(&self, data_key: &DataKey) -> Result<WrappedKey, KeyError> {
        let mut ciphertext = vec![0; self.key.ciphertext_size()];
        let length = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, data_key.expose(), &mut ciphertext, None)
            .map_err(|_| KeyError::Wrap)?
            .len();
        ciphertext.truncate(length);
        Ok(WrappedKey {
            algorithm: WrapAlgorithm::RsaOaepSha256,
            recipient: self.fingerprint.clone(),
            ciphertext,
        })
    }

    /// Returns the fingerprint of the key.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Returns the key as PEM text.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }
}

/// The public half of a signing key: ECDSA on P-256 with SHA-256.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    key: ParsedPublicKey,
    fingerprint: Fingerprint,
    spki: Vec<u8>,
}

/// The bytes before the uncompressed point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480):
/// id-ecPublicKey with the named curve secp256r1, and the head of the bit string.
const P256_SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl VerifyingKey {
    /// Parses the PEM text of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError`], with separate variants for a private key, a key of another type, and text that is not a
    /// key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_der(&public_block(text)?)
    }

    /// Parses a DER SubjectPublicKeyInfo with an uncompressed point, as returned by `kms:GetPublicKey`.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] unless it is a key on P-256.
    pub fn from_der(spki: &[u8]) -> Result<Self, KeyError> {
        let wrong = KeyError::WrongKind {
            expected: "an ECDSA key on the curve P-256",
        };
        let point = spki
            .strip_prefix(P256_SPKI_HEAD.as_slice())
            .filter(|point| point.len() == 65)
            .ok_or(wrong.clone())?;
        Ok(Self {
            key: ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| wrong)?,
            fingerprint: Fingerprint::of_spki(spki),
            spki: spki.to_vec(),
        })
    }

    /// Returns the key with this uncompressed point (65 bytes, as returned by the key pairs of cryptographic
    /// libraries).
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] unless the point is on P-256.
    pub fn from_point(point: &[u8]) -> Result<Self, KeyError> {
        Self::from_der(&[P256_SPKI_HEAD.as_slice(), point].concat())
    }

    /// Verifies a signature (ASN.1 DER) of a message.
    ///
    /// # Errors
    /// [`KeyError::Signature`] if the signature does not match.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        self.key
            .verify_sig(message, signature)
            .map_err(|_| KeyError::Signature)
    }

    /// Returns the fingerprint of the key.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Returns the DER of the key's SubjectPublicKeyInfo.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the key as PEM text.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }
}

fn public_block(text: &str) -> Result<Vec<u8>, KeyError> {
    match pem::decode(text) {
        Some(("PUBLIC KEY", der)) => Ok(der),
        Some((label, _)) if label.contains("PRIVATE KEY") => Err(KeyError::PrivateHalf {
            label: label.to_owned(),
        }),
        _ => Err(KeyError::Unreadable),
    }
}

#[cfg(test)]
mod tests;
