//! Registrations: the documents in which an environment and its delegates describe themselves, stored in the
//! scratch bucket of the environment.
//!
//! Only delegates write them. A registration is trusted no further than the account that owns the bucket: a
//! registered signing key is accepted only after it is pinned.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApplicationName, Arn, ClusterName, DelegateId, EnvironmentId, ObjectKey};

/// The format version of both documents.
pub const FORMAT: u32 = 1;

/// The key of the environment's registration in its scratch bucket.
pub const ENVIRONMENT_KEY: &str = "environment.json";

/// One of the two sides of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// The environment that the application runs in.
    Primary,
    /// The environment that the application is recovered in.
    Recovery,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Recovery => "recovery",
        })
    }
}

/// The public half of a KMS key of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisteredKey {
    /// The ARN of the KMS key.
    pub arn: Arn,
    /// The public key as PEM (SubjectPublicKeyInfo).
    pub public_key: String,
}

/// `environment.json`: the registration of an environment by a former version. It is read for delegates whose own
/// registration has no key, and no longer written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentRegistration {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The environment that is registered.
    pub environment: EnvironmentId,
    /// The key that signs recovery points; present if `primary-access` is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<RegisteredKey>,
    /// The key that recovery points are encrypted for; present if `recovery-access` is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<RegisteredKey>,
    /// The version of Lifeboat that wrote the registration.
    pub version: String,
    /// When the registration was written, by the clock of the delegate.
    #[schemars(with = "String")]
    pub registered_at: Timestamp,
}

/// `delegates/<delegate>.json`: the registration of a delegate in this environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegateRegistration {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The application that the delegate works for.
    pub application: ApplicationName,
    /// The environment that the delegate runs in.
    pub environment: EnvironmentId,
    /// The side of the application that the delegate serves.
    pub side: Side,
    /// The name in EKS of the cluster that the delegate works on, if it is a private delegate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The ARN of the delegate's Lambda function.
    pub function: Arn,
    /// The ARN of the function's role, for which clusters need an access entry.
    pub role: Arn,
    /// The key of the application on this side: the one that signs its recovery points on the primary side, the one
    /// that they are encrypted for on the recovery side. Private delegates use no key, and registrations of former versions
    /// do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RegisteredKey>,
    /// Whether the delegate deploys the private delegates of its environment itself. Registrations of former versions do not
    /// have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deploys_private_delegates: bool,
    /// The version of Lifeboat that wrote the registration.
    pub version: String,
    /// When the registration was written, by the clock of the delegate.
    #[schemars(with = "String")]
    pub registered_at: Timestamp,
}

impl DelegateRegistration {
    /// Returns the id of the delegate.
    #[must_use]
    pub fn id(&self) -> DelegateId {
        DelegateId::of(&self.application, self.cluster.as_ref())
    }
}

/// Returns the key of an environment's registration.
#[must_use]
pub fn environment_key() -> ObjectKey {
    ObjectKey::parse(ENVIRONMENT_KEY).expect("the constant is a key")
}

/// Returns the key of a delegate's registration.
#[must_use]
pub fn delegate_key(delegate: &DelegateId) -> ObjectKey {
    ObjectKey::parse(format!("delegates/{delegate}.json")).expect("a delegate id is a clean path segment")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn registrations_refuse_what_they_do_not_know() {
        let text = r#"{"format":1,"environment":"111111111111-eu-west-1","signingKey":{"arn":
            "arn:aws:kms:eu-west-1:111111111111:key/1","publicKey":"PEM"},"version":"0.1.0",
            "registeredAt":"2026-11-21T10:00:00Z"}"#;
        let registration: EnvironmentRegistration = serde_json::from_str(text).unwrap();
        assert!(registration.recovery_key.is_none());
        let again = serde_json::to_string(&registration).unwrap();
        assert_eq!(
            serde_json::from_str::<EnvironmentRegistration>(&again).unwrap(),
            registration
        );
        let more = text.replace("\"version\"", "\"admin\":true,\"version\"");
        assert!(serde_json::from_str::<EnvironmentRegistration>(&more).is_err());
    }

    #[test]
    fn a_delegate_of_a_former_version_deploys_no_private_delegates() {
        let text = r#"{"format":1,"application":"shop","environment":"111111111111-eu-west-1","side":"primary",
            "function":"arn:aws:lambda:eu-west-1:111111111111:function:f","role":"arn:aws:iam::111111111111:role/r",
            "version":"0.1.0","registeredAt":"2026-11-21T10:00:00Z"}"#;
        let mut registration: DelegateRegistration = serde_json::from_str(text).unwrap();
        assert!(!registration.deploys_private_delegates);
        registration.deploys_private_delegates = true;
        let again = serde_json::to_string(&registration).unwrap();
        assert_eq!(
            serde_json::from_str::<DelegateRegistration>(&again).unwrap(),
            registration
        );
    }

    #[test]
    fn delegates_register_under_their_id() {
        for (id, key) in [
            ("shop", "delegates/shop.json"),
            ("shop.orders", "delegates/shop.orders.json"),
        ] {
            assert_eq!(delegate_key(&DelegateId::parse(id).unwrap()).as_str(), key);
        }
        assert_eq!(environment_key().as_str(), "environment.json");
    }
}
