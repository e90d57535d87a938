//! Keys in KMS as implementations of the ports for keys.
//!
//! The signing key is `ECC_NIST_P256` for `SIGN_VERIFY`, the recovery key `RSA_4096` for `ENCRYPT_DECRYPT`
//! (<https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>). Their public halves are
//! the DER of a SubjectPublicKeyInfo (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html>), so
//! that a key in KMS and a PEM file of the same key have the same fingerprint. KMS uses RSA-OAEP with SHA-256 for both
//! the hash and MGF1 (`RSAES_OAEP_SHA_256`), which data keys are also wrapped with outside of KMS.

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use lifeboat_format::keys as format_keys;
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use lifeboat_store::ports::KeyError;

use crate::AwsError;

mod public_key;
mod signer;
mod unwrapper;

pub use public_key::{recipient_keys, verifying_key, verifying_keys};
pub use signer::KmsSigner;
pub use unwrapper::KmsUnwrapper;

/// Why a key in KMS cannot be opened. Reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// KMS does not return its public half.
    #[error("read the public key of the KMS key {key}")]
    PublicKey {
        /// The key as the user named it.
        key: String,
        /// What KMS answered.
        #[source]
        source: AwsError,
    },
    /// The key has another spec or usage.
    #[error("use the KMS key {key}: it is {found}, but {wanted} is required")]
    WrongKind {
        /// The key as the user named it.
        key: String,
        /// Its spec and usage.
        found: String,
        /// The spec and usage that are required.
        wanted: &'static str,
    },
    /// KMS returned a public key that cannot be parsed.
    #[error("parse the public key of the KMS key {key}")]
    Malformed {
        /// The key as the user named it.
        key: String,
        /// The error of the parser.
        #[source]
        source: format_keys::KeyError,
    },
}

impl Diagnostic for KmsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::PublicKey { source, .. } => source.kind(),
            Self::WrongKind { .. } => ErrorKind::Invalid,
            Self::Malformed { source, .. } => source.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::PublicKey { .. } => Code::KeyUnreadable,
            Self::WrongKind { .. } | Self::Malformed { .. } => Code::UnsupportedKeyType,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::PublicKey { source, .. } => match source.kind() {
                ErrorKind::Denied => "allow the role kms:GetPublicKey on the key",
                ErrorKind::Gone => "use the ARN of a key that exists in this account and Region",
                _ => "run the command again in a few minutes",
            },
            Self::WrongKind { .. } | Self::Malformed { .. } => {
                "use the key of the access stack of this account"
            }
        }
        .to_owned()
    }
}

/// The public half of a key.
struct PublicHalf {
    /// The DER of its SubjectPublicKeyInfo.
    der: Vec<u8>,
    /// The ARN of the key. An alias may point to another key by the next request.
    arn: String,
}

/// Reads the public half of a key that must have this spec and usage. `key` is an ARN or the name of an alias.
async fn public_half(
    client: &Client,
    key: &str,
    spec: &KeySpec,
    usage: &KeyUsageType,
    wanted: &'static str,
) -> Result<PublicHalf, KmsError> {
    let answer = (client.get_public_key().key_id(key).send().await).map_err(|e| KmsError::PublicKey {
        key: key.to_owned(),
        source: AwsError::new("kms:GetPublicKey", key, e),
    })?;
    if answer.key_spec() != Some(spec) || answer.key_usage() != Some(usage) {
        return Err(KmsError::WrongKind {
            key: key.to_owned(),
            found: describe(&answer),
            wanted,
        });
    }
    let Some(der) = answer.public_key else {
        let source = AwsError::unexpected("kms:GetPublicKey", key, "the response contains no public key");
        let key = key.to_owned();
        return Err(KmsError::PublicKey { key, source });
    };
    Ok(PublicHalf {
        der: der.into_inner(),
        arn: answer.key_id.unwrap_or_else(|| key.to_owned()),
    })
}

fn describe(answer: &GetPublicKeyOutput) -> String {
    let spec = answer.key_spec().map_or("without a spec", KeySpec::as_str);
    let usage = answer.key_usage().map_or("nothing", KeyUsageType::as_str);
    format!("{spec} for {usage}")
}

/// Converts an error of the use of an opened key, for both ports.
fn failure(key: format_keys::Fingerprint, error: AwsError) -> KeyError {
    match error.kind() {
        // The key is disabled, scheduled for deletion or deleted: retries fail until a user changes that.
        ErrorKind::Denied | ErrorKind::Gone => KeyError::Denied {
            key,
            source: error.into(),
        },
        _ => KeyError::Unavailable {
            key,
            source: error.into(),
        },
    }
}
