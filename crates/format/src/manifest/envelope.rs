//! The DSSE envelope: signing, and verification before anything else is read.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{FORMAT_VERSION, PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, Statement, check_structure};
use crate::keys::{Fingerprint, VerifyingKey};
use crate::limits::{MAX_SIGNATURES, OverLimit, check_limits, check_manifest_size, check_values};

/// A DSSE envelope. Unknown fields are ignored, as the DSSE protocol requires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The media type of the payload, which is signed together with it.
    pub payload_type: String,
    /// The payload, base64.
    pub payload: String,
    /// The signatures.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvelopeSignature {
    /// The fingerprint of the signing key. It is an unsigned hint and is used only for error messages.
    #[serde(default)]
    pub keyid: String,
    /// The signature, base64.
    pub sig: String,
    /// The public half of the signing key: the DER of its SubjectPublicKeyInfo, base64. It is not signed either: it
    /// serves readers that pinned only the fingerprint, and is used only if it has that fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl Envelope {
    /// Creates an envelope from a payload and its signature.
    #[must_use]
    pub fn new(payload: &[u8], signer: &VerifyingKey, signature: &[u8]) -> Self {
        Self::of_type(PAYLOAD_TYPE, payload, signer, signature)
    }

    /// Creates an envelope of a payload of another type than a manifest. The signature is over
    /// [`pae_of`] of both.
    #[must_use]
    pub fn of_type(payload_type: &str, payload: &[u8], signer: &VerifyingKey, signature: &[u8]) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![EnvelopeSignature {
                keyid: signer.fingerprint().as_str().to_owned(),
                sig: STANDARD.encode(signature),
                public_key: Some(STANDARD.encode(signer.to_der())),
            }],
        }
    }

    /// Returns the payload if it has this type, without checking any signature.
    #[must_use]
    pub fn unverified_payload(&self, payload_type: &str) -> Option<Vec<u8>> {
        (self.payload_type == payload_type).then(|| decode(&self.payload))?
    }

    /// Returns the payload if it has this type and one of the keys has signed it.
    #[must_use]
    pub fn verified_payload(&self, payload_type: &str, keys: &[VerifyingKey]) -> Option<Vec<u8>> {
        let payload = self.unverified_payload(payload_type)?;
        let message = pae_of(payload_type, &payload);
        let is_signed = keys
            .iter()
            .any(|key| check_signature(&self.signatures, &message, key).is_ok());
        is_signed.then_some(payload)
    }

    /// Returns the bytes of `manifest.json`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("text can always be written as JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// The error for a manifest that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not a DSSE envelope.
    #[error("the manifest is not a DSSE envelope: {what}")]
    NotAnEnvelope {
        /// What is wrong with the bytes.
        what: String,
    },
    /// The payload of the envelope is not an in-toto statement.
    #[error("the manifest contains {found:?}, not an in-toto statement")]
    PayloadType {
        /// The payload type of the envelope.
        found: String,
    },
    /// The envelope names other signers than the pinned key, and no signature matches that key.
    #[error("the manifest is signed by {}, not by the pinned key {expected}", .found.join(", "))]
    OtherSigner {
        /// The pinned key.
        expected: Fingerprint,
        /// The key ids of the signatures.
        found: Vec<String>,
    },
    /// The envelope names the pinned key, but the signature does not match: the manifest was modified.
    #[error(
        "the signature of the manifest does not match the pinned key {expected}: the manifest was modified"
    )]
    BadSignature {
        /// The pinned key.
        expected: Fingerprint,
    },
    /// The manifest is signed, but has a type or version that this program does not support.
    #[error(
        "the recovery point has format {found}; this version of lifeboat reads up to version {FORMAT_VERSION}"
    )]
    NewerFormat {
        /// The type or version that was found.
        found: String,
    },
    /// The manifest exceeds a limit of the format. It may not be signed: its size is checked first.
    #[error("the manifest is too large")]
    OverLimit(#[from] OverLimit),
    /// The manifest is signed, but does not conform to the format.
    #[error("the manifest is signed but malformed: {what}")]
    Malformed {
        /// Which rule it violates.
        what: String,
    },
}

impl Diagnostic for ManifestError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnEnvelope { .. } | Self::BadSignature { .. } | Self::OverLimit(_) => ErrorKind::Corrupt,
            Self::OtherSigner { .. } => ErrorKind::Denied,
            Self::PayloadType { .. } | Self::NewerFormat { .. } | Self::Malformed { .. } => {
                ErrorKind::Invalid
            }
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::OtherSigner { .. } | Self::BadSignature { .. } => Code::SignatureInvalid,
            Self::NewerFormat { .. } => Code::NewerFormat,
            Self::OverLimit(source) => source.code(),
            Self::NotAnEnvelope { .. } | Self::PayloadType { .. } | Self::Malformed { .. } => {
                Code::ManifestMalformed
            }
        }
    }
}

/// Returns the payload of a statement. The same statement always produces the same bytes.
#[must_use]
pub fn payload(statement: &Statement) -> Vec<u8> {
    serde_json::to_vec(statement).expect("a statement can always be written as JSON")
}

/// Returns the bytes that are signed: DSSE's pre-authentication encoding of a payload.
#[must_use]
pub fn pae(payload: &[u8]) -> Vec<u8> {
    pae_of(PAYLOAD_TYPE, payload)
}

/// Returns DSSE's pre-authentication encoding of a payload of this type.
#[must_use]
pub fn pae_of(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    [pae_head(payload_type, payload.len()).as_bytes(), payload].concat()
}

fn pae_head(payload_type: &str, length: usize) -> String {
    format!("DSSEv1 {} {payload_type} {length} ", payload_type.len())
}

#[derive(Deserialize)]
struct Versions {
    #[serde(rename = "_type")]
    r#type: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(default)]
    predicate: Option<PredicateVersion>,
}

#[derive(Deserialize)]
struct PredicateVersion {
    #[serde(rename = "formatVersion")]
    format_version: u64,
}

/// Opens a manifest: verifies the signature before any byte of the payload is parsed, then checks the
/// version, then the structure.
///
/// # Errors
/// [`ManifestError`].
pub fn open_envelope(bytes: &[u8], key: &VerifyingKey) -> Result<Statement, ManifestError> {
    let not_an_envelope = |what: &str| ManifestError::NotAnEnvelope {
        what: what.to_owned(),
    };
    check_manifest_size(bytes.len() as u64)?;
    let envelope: Received<'_> =
        serde_json::from_slice(bytes).map_err(|error| not_an_envelope(&error.to_string()))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(ManifestError::PayloadType {
            found: envelope.payload_type.chars().take(100).collect(),
        });
    }
    let message =
        signed_message(&envelope.payload).ok_or_else(|| not_an_envelope("its payload is not base64"))?;
    check_signature(&envelope.signatures, &message.bytes, key)?;
    let payload = message.payload();
    check_values(payload)?;

    let malformed = |error: serde_json::Error| ManifestError::Malformed {
        what: error.to_string(),
    };
    let versions: Versions = serde_json::from_slice(payload).map_err(malformed)?;
    if versions.r#type != STATEMENT_TYPE {
        return Err(ManifestError::NewerFormat {
            found: versions.r#type,
        });
    }
    if versions.predicate_type != PREDICATE_TYPE {
        return Err(ManifestError::NewerFormat {
            found: versions.predicate_type,
        });
    }
    if let Some(predicate) = versions.predicate
        && predicate.format_version > u64::from(FORMAT_VERSION)
    {
        return Err(ManifestError::NewerFormat {
            found: format!("version {}", predicate.format_version),
        });
    }
    let statement: Statement = serde_json::from_slice(payload).map_err(malformed)?;
    check_limits(&statement)?;
    check_structure(&statement).map_err(|what| ManifestError::Malformed { what })?;
    Ok(statement)
}

fn check_signature(
    signatures: &[EnvelopeSignature],
    message: &[u8],
    key: &VerifyingKey,
) -> Result<(), ManifestError> {
    let fits = signatures
        .iter()
        .filter_map(|signature| decode(&signature.sig))
        .any(|signature| key.verify(message, &signature).is_ok());
    if fits {
        return Ok(());
    }
    // The hints are untrusted text: only well-formed ones are included in a message.
    let named: Vec<String> = signatures
        .iter()
        .map(|signature| match signature.keyid.parse::<Fingerprint>() {
            Ok(fingerprint) => fingerprint.into(),
            Err(_) => "an unknown key".to_owned(),
        })
        .collect();
    let expected = key.fingerprint().clone();
    if named.is_empty() || named.iter().any(|id| id == expected.as_str()) {
        Err(ManifestError::BadSignature { expected })
    } else {
        Err(ManifestError::OtherSigner {
            expected,
            found: named,
        })
    }
}

/// An envelope as it was read. The payload, which is most of it, is not copied.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received<'a> {
    #[serde(borrow)]
    payload_type: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(deserialize_with = "first_signatures")]
    signatures: Vec<EnvelopeSignature>,
}

/// Reads the first [`MAX_SIGNATURES`] elements of a list, and skips the others without memory for them.
pub(super) fn first_signatures<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<EnvelopeSignature>, D::Error> {
    struct First;

    impl<'de> Visitor<'de> for First {
        type Value = Vec<EnvelopeSignature>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of signatures")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut signatures = Vec::new();
            while signatures.len() < MAX_SIGNATURES {
                match list.next_element()? {
                    Some(signature) => signatures.push(signature),
                    None => return Ok(signatures),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(signatures)
        }
    }

    deserializer.deserialize_seq(First)
}

/// The message that was signed, with the payload at its end.
struct SignedMessage {
    bytes: Vec<u8>,
    /// Where the payload begins.
    head: usize,
}

impl SignedMessage {
    fn payload(&self) -> &[u8] {
        &self.bytes[self.head..]
    }
}

/// Decodes a payload behind the head of the message, so that there is one copy of it in memory; `None` if it is not
/// base64. DSSE allows both alphabets.
fn signed_message(payload: &str) -> Option<SignedMessage> {
    // Both alphabets are read with padding only, which makes the length of the content known.
    let padding = payload.bytes().rev().take_while(|byte| *byte == b'=').count();
    let length = (payload.len() / 4 * 3).checked_sub(padding)?;
    let head = pae_head(PAYLOAD_TYPE, length);
    [STANDARD, URL_SAFE].into_iter().find_map(|alphabet| {
        let mut bytes = Vec::with_capacity(head.len() + length);
        bytes.extend_from_slice(head.as_bytes());
        alphabet.decode_vec(payload, &mut bytes).ok()?;
        (bytes.len() == head.len() + length).then_some(SignedMessage {
            bytes,
            head: head.len(),
        })
    })
}

/// Decodes base64 with either alphabet; DSSE allows both.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}
