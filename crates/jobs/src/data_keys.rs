//! How a private delegate gets the data keys of a recovery point. It cannot ask KMS, so it makes a key pair for each epoch
//! and puts the public half into its claim. The coordinator assigns a job to the public delegate, which unwraps the data
//! keys and wraps them for that half. The private half never leaves the process that made it.

use lifeboat_format::{Fingerprint, Sha256};
use lifeboat_model::{Epoch, JobId, RecoveryPointId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::work::VaultPlace;

/// The maximum number of data keys of a recovery point: one for each capture job, of which a cluster has a few.
pub const DATA_KEYS: usize = 1000;

/// The payload of a job that wraps the data keys of a recovery point for another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataKeysWork {
    /// The recovery point.
    pub point: RecoveryPointId,
    /// Where the recovery point is stored.
    pub vault: VaultPlace,
    /// The pinned public key that must have signed the recovery point, PEM.
    pub signer: String,
    /// The public key of the private delegate, PEM.
    pub recipient: String,
}

/// The data keys of a recovery point, wrapped for the key of a private delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataKeysDone {
    /// The fingerprint of the recovery key that has unwrapped them.
    pub unwrapped_by: Fingerprint,
    /// The data keys.
    pub keys: Vec<WrappedDataKey>,
}

/// A data key, wrapped for the key of a private delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrappedDataKey {
    /// The digest of the key as the recovery point holds it, wrapped for the recovery key.
    pub of: Sha256,
    /// The same key wrapped for the private delegate, in base64.
    pub ciphertext: String,
}

/// Returns the ID of the job that wraps data keys for an epoch of a private delegate's restore.
#[must_use]
pub fn data_keys_job(restore: &JobId, epoch: Epoch) -> JobId {
    let public = lifeboat_model::DelegateId::public(&restore.application());
    JobId::new(&public, &format!("{}-keys-{epoch}", restore.name()))
        .expect("a name of a restore is short, and an epoch has four digits")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_job_belongs_to_the_public_delegate_and_to_one_epoch() {
        let restore = JobId::parse("shop.orders-dr/20261121T112233Z-7f3a9c-restore-orders").unwrap();
        let job = data_keys_job(&restore, Epoch::FIRST);
        assert_eq!(
            job.as_str(),
            "shop/20261121T112233Z-7f3a9c-restore-orders-keys-0001"
        );
    }
}
