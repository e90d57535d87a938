//! The registration of a private delegate, which writes it itself: CloudFormation waits for the answer of a custom resource
//! in a bucket that an endpoint policy of the VPC need not allow
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-custom-resources-sns.html>).

use std::sync::Arc;

use jiff::Timestamp;
use lifeboat_model::environment::{DelegateRegistration, delegate_key};
use lifeboat_store::ports::{ObjectStore, StoreError};

use super::put;

/// Keeps the registration of a private delegate current.
pub struct PrivateRegistrar {
    /// What the delegate registers, apart from the time.
    pub registration: DelegateRegistration,
    /// The scratch bucket.
    pub scratch: Arc<dyn ObjectStore>,
}

impl PrivateRegistrar {
    /// Writes the registration, unless the one in the bucket has the same content.
    ///
    /// # Errors
    /// If a request to the bucket fails.
    pub async fn renew(&self, now: Timestamp) -> Result<(), StoreError> {
        let key = delegate_key(&self.registration.id());
        let held = match self.scratch.get(&key).await {
            Ok((bytes, _)) => serde_json::from_slice::<DelegateRegistration>(&bytes).ok(),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let current = |held: DelegateRegistration| {
            DelegateRegistration {
                registered_at: held.registered_at,
                ..self.registration.clone()
            } == held
        };
        if held.is_some_and(current) {
            return Ok(());
        }
        let registration = DelegateRegistration {
            registered_at: now,
            ..self.registration.clone()
        };
        let bytes =
            serde_json::to_vec(&registration).expect("a registration has no map with other keys than texts");
        put(self.scratch.as_ref(), &key, &bytes).await
    }
}

#[cfg(test)]
mod tests;
