//! What an envelope says about its signers, before anything is verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::envelope::{EnvelopeSignature, ManifestError, first_signatures};
use crate::keys::{Fingerprint, VerifyingKey};
use crate::limits::check_manifest_size;

/// A signer as an envelope names it. Whoever can write the manifest can write this too, so it proves nothing: it tells
/// a user which key to look for, and it finds the key of a fingerprint that the user trusts.
#[derive(Debug, Clone)]
pub struct NamedSigner {
    /// The fingerprint that the envelope states.
    pub fingerprint: Fingerprint,
    /// The public key, if the envelope contains it and it has this fingerprint.
    pub key: Option<VerifyingKey>,
}

/// The part of an envelope that names signers. The payload is skipped.
#[derive(Deserialize)]
struct Signatures {
    #[serde(deserialize_with = "first_signatures")]
    signatures: Vec<EnvelopeSignature>,
}

/// Returns the signers that a manifest names. Signatures without a well-formed fingerprint are left out.
///
/// # Errors
/// [`ManifestError::NotAnEnvelope`], [`ManifestError::OverLimit`].
pub fn named_signers(bytes: &[u8]) -> Result<Vec<NamedSigner>, ManifestError> {
    check_manifest_size(bytes.len() as u64)?;
    let envelope: Signatures =
        serde_json::from_slice(bytes).map_err(|error| ManifestError::NotAnEnvelope {
            what: error.to_string(),
        })?;
    Ok(envelope.signatures.into_iter().filter_map(named).collect())
}

fn named(signature: EnvelopeSignature) -> Option<NamedSigner> {
    let fingerprint: Fingerprint = signature.keyid.parse().ok()?;
    let der = signature.public_key.and_then(|text| STANDARD.decode(text).ok());
    let key = der.and_then(|der| VerifyingKey::from_der(&der).ok());
    Some(NamedSigner {
        // The fingerprint of a key is computed from it. A key beside another fingerprint is not the one that was named.
        key: key.filter(|key| *key.fingerprint() == fingerprint),
        fingerprint,
    })
}
