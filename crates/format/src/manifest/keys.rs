//! Data keys in the manifest, each wrapped for one or more recovery keys.

use std::collections::BTreeMap;

use lifeboat_model::{ApplicationName, ClusterName};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::base64_bytes;
use crate::keys::{DataKey, Fingerprint, KeyError, RecipientKey, WrapAlgorithm, WrappedKey};

/// A data key in the manifest.
///
/// Since version 3 it names the application and the cluster whose packs it encrypts, and it may be wrapped for several
/// recovery keys. The records of versions 1 and 2 are read too: they name neither, and have exactly one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WrappedKeyRecord {
    /// The name by which packs refer to it: `k-0`.
    pub id: String,
    /// The application whose packs it encrypts, which is that of the recovery point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationName>,
    /// The cluster whose packs it encrypts; absent for the descriptions of AWS resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The same key wrapped for each recovery key, sorted by fingerprint.
    pub recipients: Vec<WrappedFor>,
}

/// A data key wrapped for one recovery key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WrappedFor {
    /// The recovery key that unwraps it.
    pub recipient: Fingerprint,
    /// The wrapping algorithm.
    pub algorithm: WrapAlgorithm,
    /// The ciphertext, base64.
    #[serde(with = "base64_bytes")]
    #[schemars(with = "String")]
    pub wrapped: Vec<u8>,
}

impl From<WrappedKey> for WrappedFor {
    fn from(key: WrappedKey) -> Self {
        Self {
            recipient: key.recipient,
            algorithm: key.algorithm,
            wrapped: key.ciphertext,
        }
    }
}

impl WrappedKeyRecord {
    /// Wraps a data key for every recovery key that may decrypt the packs of a cluster, or of the whole application.
    ///
    /// # Errors
    /// [`KeyError::NoRecipient`] if there is no recovery key, [`KeyError::Wrap`] if the library refuses.
    pub fn wrap(
        id: impl Into<String>,
        application: &ApplicationName,
        cluster: Option<&ClusterName>,
        data_key: &DataKey,
        recipients: &[RecipientKey],
    ) -> Result<Self, KeyError> {
        if recipients.is_empty() {
            return Err(KeyError::NoRecipient);
        }
        // By fingerprint: sorted, and a key that was named twice counts once.
        let named: BTreeMap<&Fingerprint, &RecipientKey> =
            recipients.iter().map(|key| (key.fingerprint(), key)).collect();
        let wrapped = named.into_values().map(|key| Ok(key.wrap(data_key)?.into()));
        Ok(Self {
            id: id.into(),
            application: Some(application.clone()),
            cluster: cluster.cloned(),
            recipients: wrapped.collect::<Result<_, KeyError>>()?,
        })
    }

    /// Returns the key as it was wrapped for a recovery key; `None` if it was not wrapped for that one.
    #[must_use]
    pub fn for_recipient(&self, fingerprint: &Fingerprint) -> Option<WrappedKey> {
        let found = self
            .recipients
            .iter()
            .find(|each| each.recipient == *fingerprint)?;
        Some(WrappedKey {
            algorithm: found.algorithm,
            recipient: found.recipient.clone(),
            ciphertext: found.wrapped.clone(),
        })
    }

    /// Returns the fingerprints of the recovery keys that unwrap the key.
    pub fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.recipients.iter().map(|each| &each.recipient)
    }
}

/// A record of any version. Version 3 has `recipients`; versions 1 and 2 have the three fields of one recipient instead.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredRecord {
    id: String,
    #[serde(default)]
    application: Option<ApplicationName>,
    #[serde(default)]
    cluster: Option<ClusterName>,
    #[serde(default)]
    recipients: Option<Vec<WrappedFor>>,
    #[serde(default)]
    algorithm: Option<WrapAlgorithm>,
    #[serde(default)]
    recipient: Option<Fingerprint>,
    #[serde(default)]
    wrapped: Option<Ciphertext>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Ciphertext(#[serde(with = "base64_bytes")] Vec<u8>);

impl<'de> Deserialize<'de> for WrappedKeyRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredRecord::deserialize(deserializer)?;
        let recipients = match (
            stored.recipients,
            stored.recipient,
            stored.algorithm,
            stored.wrapped,
        ) {
            (Some(recipients), ..) => recipients,
            (None, Some(recipient), Some(algorithm), Some(Ciphertext(wrapped))) => vec![WrappedFor {
                recipient,
                algorithm,
                wrapped,
            }],
            _ => return Err(D::Error::missing_field("recipients")),
        };
        Ok(Self {
            id: stored.id,
            application: stored.application,
            cluster: stored.cluster,
            recipients,
        })
    }
}
