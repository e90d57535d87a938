//! The signing key of the primary account.

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use lifeboat_format::keys::VerifyingKey;
use lifeboat_model::{Arn, ErrorKind};
use lifeboat_store::ports::{KeyError, Signer};

use super::{KmsError, failure, public_half};
use crate::{AwsContext, AwsError};

/// A signing key in KMS. The private half never leaves KMS.
pub struct KmsSigner {
    client: Client,
    key: Arn,
    verifying: VerifyingKey,
}

impl std::fmt::Debug for KmsSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KmsSigner({}, {})", self.key, self.verifying.fingerprint())
    }
}

impl KmsSigner {
    /// Opens the key with this ARN and reads its public half, once.
    ///
    /// # Errors
    /// [`KmsError`] if it cannot be read or is not a P-256 signing key.
    pub async fn open(context: &AwsContext, key: &Arn) -> Result<Self, KmsError> {
        let client = Client::new(context.sdk_config());
        let public = public_half(
            &client,
            key.as_str(),
            &KeySpec::EccNistP256,
            &KeyUsageType::SignVerify,
            "ECC_NIST_P256 for SIGN_VERIFY",
        )
        .await?;
        let verifying = VerifyingKey::from_der(&public.der).map_err(|source| KmsError::Malformed {
            key: key.to_string(),
            source,
        })?;
        Ok(Self {
            client,
            key: key.clone(),
            verifying,
        })
    }
}

#[async_trait]
impl Signer for KmsSigner {
    fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        // KMS accepts messages of at most 4096 bytes, so it receives the digest.
        let answer = (self.client.sign())
            .key_id(self.key.as_str())
            .message(Blob::new(digest(&SHA256, message).as_ref()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await;
        let wrong = |error: AwsError| KeyError::Sign {
            signer: self.fingerprint(),
            source: error.into(),
        };
        let answer = answer.map_err(|e| {
            let error = AwsError::new("kms:Sign", self.key.as_str(), e);
            match error.kind() {
                ErrorKind::Invalid | ErrorKind::Bug => wrong(error),
                _ => failure(self.fingerprint(), error),
            }
        })?;
        let what = "the response contains no signature";
        (answer.signature.map(Blob::into_inner))
            .ok_or_else(|| wrong(AwsError::unexpected("kms:Sign", self.key.as_str(), what)))
    }
}
