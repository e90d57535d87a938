//! The documents of the coordinator, signed with its key.
//!
//! Who may write into a scratch bucket could otherwise let the delegate do anything that it may do: an
//! assignment names the cluster, the signer that is trusted, and the patches of a restore. Each file is a DSSE
//! envelope (<https://github.com/secure-systems-lab/dsse>) with a payload type for each kind of document, so
//! that the signature of one is not valid for another, nor for the manifest of a recovery point. What is
//! signed names the job, and with it the application, the environment and, in an assignment, the epoch.
//!
//! ECDSA signatures differ each time, and a coordinator that died between its decision and the write signs
//! again: two files of the same document are equal if their payloads are.

use lifeboat_format::VerifyingKey;
use lifeboat_format::manifest::{Envelope, EnvelopeSignature, pae_of};
use lifeboat_model::ObjectKey;
use lifeboat_store::ports::{KeyError, Signer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FORMAT;
use super::document::{Assignment, Cancel};
use super::read::{Document, DocumentError, SIGNED, parse_format, read};

/// A document that has an effect only if the coordinator has signed it.
pub trait Authenticated: Document {
    /// The payload type of its envelope.
    const PAYLOAD_TYPE: &'static str;
}

impl Authenticated for Assignment {
    const PAYLOAD_TYPE: &'static str = "application/vnd.lifeboat.assignment+json";
}

impl Authenticated for Cancel {
    const PAYLOAD_TYPE: &'static str = "application/vnd.lifeboat.cancel+json";
}

/// Whom a reader believes that a document comes from the coordinator.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// These keys of the coordinator; several while its key is changed. For delegates.
    Keys(&'a [VerifyingKey]),
    /// No signature: the coordinator itself compares the content with what it has decided.
    Content,
}

/// A signed file: a DSSE envelope, and the format version, by which other versions recognize it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedFile {
    /// Always [`FORMAT`]. Not signed; the payload has its own.
    pub format: u32,
    /// The payload type.
    pub payload_type: String,
    /// The document, base64.
    pub payload: String,
    /// The signatures.
    pub signatures: Vec<FileSignature>,
}

/// A signature of a signed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileSignature {
    /// The fingerprint of the coordinator's key. An unsigned hint.
    #[serde(default)]
    pub keyid: String,
    /// The signature, base64.
    pub sig: String,
}

impl From<Envelope> for SignedFile {
    fn from(envelope: Envelope) -> Self {
        let signature = |EnvelopeSignature { keyid, sig, .. }| FileSignature { keyid, sig };
        Self {
            format: FORMAT,
            payload_type: envelope.payload_type,
            payload: envelope.payload,
            signatures: envelope.signatures.into_iter().map(signature).collect(),
        }
    }
}

impl From<SignedFile> for Envelope {
    fn from(file: SignedFile) -> Self {
        let signature = |FileSignature { keyid, sig }| EnvelopeSignature {
            keyid,
            sig,
            public_key: None,
        };
        Self {
            payload_type: file.payload_type,
            payload: file.payload,
            signatures: file.signatures.into_iter().map(signature).collect(),
        }
    }
}

/// Signs a document; returns the bytes of its file.
///
/// # Errors
/// If the key cannot be used.
pub async fn sign<T: Authenticated>(document: &T, signer: &dyn Signer) -> Result<Vec<u8>, KeyError> {
    let payload = document.to_bytes();
    let signature = signer.sign(&pae_of(T::PAYLOAD_TYPE, &payload)).await?;
    let envelope = Envelope::of_type(T::PAYLOAD_TYPE, &payload, signer.verifying_key(), &signature);
    Ok(serde_json::to_vec(&SignedFile::from(envelope)).expect("text can always be written as JSON"))
}

/// Reads a document of the coordinator. No byte of the payload is parsed before its signature is verified.
///
/// # Errors
/// [`DocumentError`].
pub fn read_signed<T: Authenticated>(
    key: &ObjectKey,
    bytes: &[u8],
    trust: Trust<'_>,
) -> Result<T, DocumentError> {
    let envelope: Envelope = parse_format::<SignedFile>(key, bytes, SIGNED, FORMAT)?.into();
    let payload = match trust {
        Trust::Keys(keys) => envelope.verified_payload(T::PAYLOAD_TYPE, keys),
        Trust::Content => envelope.unverified_payload(T::PAYLOAD_TYPE),
    };
    let payload = payload.ok_or_else(|| DocumentError::Unsigned { key: key.to_string() })?;
    read(key, &payload)
}

#[cfg(test)]
mod tests;
