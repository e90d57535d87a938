//! The recovery key of the recovery account.

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{EncryptionAlgorithmSpec, KeySpec, KeyUsageType};
use lifeboat_format::keys::{DataKey, Fingerprint, RecipientKey, WrappedKey};
use lifeboat_model::{Arn, KmsKeyId};
use lifeboat_store::ports::{KeyError, KeyUnwrapper};
use zeroize::Zeroizing;

use super::{KmsError, failure, public_half};
use crate::{AwsContext, AwsError};

/// A recovery key in KMS. The private half never leaves KMS.
pub struct KmsUnwrapper {
    client: Client,
    /// The ARN of the key.
    key: String,
    recipient: RecipientKey,
}

impl std::fmt::Debug for KmsUnwrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KmsUnwrapper({}, {})", self.key, self.recipient.fingerprint())
    }
}

impl KmsUnwrapper {
    /// Opens the key with this ARN and reads its public half, once.
    ///
    /// # Errors
    /// [`KmsError`] if it cannot be read or is not an RSA-4096 decryption key.
    pub async fn open(context: &AwsContext, key: &Arn) -> Result<Self, KmsError> {
        Self::open_id(context, key.as_str()).await
    }

    /// Opens the key that a user names, in the Region of its ARN, or for the name of an alias in that of the context.
    ///
    /// # Errors
    /// As [`KmsUnwrapper::open`].
    pub async fn open_named(context: &AwsContext, key: &KmsKeyId) -> Result<Self, KmsError> {
        match key.region() {
            Some(region) => Self::open_id(&context.in_region(&region), key.as_str()).await,
            None => Self::open_id(context, key.as_str()).await,
        }
    }

    async fn open_id(context: &AwsContext, key: &str) -> Result<Self, KmsError> {
        let client = Client::new(context.sdk_config());
        let public = public_half(
            &client,
            key,
            &KeySpec::Rsa4096,
            &KeyUsageType::EncryptDecrypt,
            "RSA_4096 for ENCRYPT_DECRYPT",
        )
        .await?;
        let recipient = RecipientKey::from_der(&public.der).map_err(|source| KmsError::Malformed {
            key: key.to_owned(),
            source,
        })?;
        Ok(Self {
            client,
            key: public.arn,
            recipient,
        })
    }

    /// Returns the public half, which data keys are wrapped for.
    #[must_use]
    pub fn recipient(&self) -> &RecipientKey {
        &self.recipient
    }
}

#[async_trait]
impl KeyUnwrapper for KmsUnwrapper {
    fn fingerprint(&self) -> Fingerprint {
        self.recipient.fingerprint().clone()
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let held = self.fingerprint();
        // KMS would refuse a data key that is wrapped for another key, and the refusal would look like a damaged key.
        if wrapped.recipient != held {
            return Err(KeyError::WrongKey {
                wanted: vec![wrapped.recipient.clone()],
                held,
            });
        }
        let answer = (self.client.decrypt())
            .key_id(self.key.as_str())
            .encryption_algorithm(EncryptionAlgorithmSpec::RsaesOaepSha256)
            .ciphertext_blob(Blob::new(wrapped.ciphertext.as_slice()))
            .send()
            .await;
        let answer = answer.map_err(|e| {
            let error = AwsError::new("kms:Decrypt", self.key.as_str(), e);
            match error.code() {
                Some("InvalidCiphertextException") => KeyError::Unwrap { held: held.clone() },
                _ => failure(held.clone(), error),
            }
        })?;
        // This buffer contains the data key in plaintext and is zeroed. The SDK's own copy of the answer cannot be
        // accessed and is freed without being zeroed.
        let plaintext = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        DataKey::from_bytes(&plaintext).map_err(|_| KeyError::Unwrap { held })
    }
}
