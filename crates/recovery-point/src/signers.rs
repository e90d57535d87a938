//! The signers that the recovery points of a store name, for readers that do not hold the public signing key.

use lifeboat_format::manifest::named_signers;
use lifeboat_format::{Fingerprint, VerifyingKey};
use lifeboat_model::RecoveryPointId;

use crate::point::{PointError, manifest_bytes};
use crate::repository::PointRepository;

/// The signers that a recovery point states. Nothing of it was verified: whoever can write to the store can state any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSigners {
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The fingerprints of its signers.
    pub signers: Vec<Fingerprint>,
}

impl PointRepository {
    /// Returns the signers that the newest recovery point states; `None` if no recovery point states any. They must be
    /// shown to a user as a claim, and never be trusted because of it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn claimed_signers(&self) -> Result<Option<ClaimedSigners>, PointError> {
        for point in self.folders().await?.into_iter().rev() {
            let signers = self.signers(&point).await?;
            let signers: Vec<Fingerprint> = signers.into_iter().map(|(name, _)| name).collect();
            if !signers.is_empty() {
                return Ok(Some(ClaimedSigners { point, signers }));
            }
        }
        Ok(None)
    }

    /// Returns the public key with this fingerprint, which the user trusts, if a recovery point contains it. The
    /// fingerprint is the SHA-256 of the key, so that no other key can be passed off as this one. Reads the newest
    /// recovery points first, and all of them before it gives up.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn verifying_key(&self, trusted: &Fingerprint) -> Result<Option<VerifyingKey>, PointError> {
        for point in self.folders().await?.into_iter().rev() {
            let signers = self.signers(&point).await?;
            let mut keys = signers.into_iter().filter_map(|(_, key)| key);
            if let Some(key) = keys.find(|key| key.fingerprint() == trusted) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Returns the signers of one recovery point; none if it has no manifest, or one that is not an envelope.
    async fn signers(
        &self,
        point: &RecoveryPointId,
    ) -> Result<Vec<(Fingerprint, Option<VerifyingKey>)>, PointError> {
        let bytes = match manifest_bytes(self.store().as_ref(), self.application(), point).await {
            Ok(bytes) => bytes,
            Err(error @ PointError::Store { .. }) => return Err(error),
            Err(_) => return Ok(Vec::new()),
        };
        let named = named_signers(&bytes).unwrap_or_default();
        Ok(named
            .into_iter()
            .map(|signer| (signer.fingerprint, signer.key))
            .collect())
    }
}
