//! Registrations: what an environment and its delegates say of themselves in their scratch bucket.
//!
//! Only delegates write them. A registration is a claim of the account that the bucket belongs to, and is
//! trusted as far as that account: a signing key is followed only once it is pinned.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApplicationName, Arn, EnvironmentId, InvalidIdentifier, ObjectKey};

/// The version of both documents.
pub const FORMAT: u32 = 1;

/// The key of the environment's registration in its scratch bucket.
pub const ENVIRONMENT_KEY: &str = "environment.json";

/// A side of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Where it runs.
    Primary,
    /// Where it is recovered.
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

/// A key of an environment, by its public half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisteredKey {
    /// The KMS key.
    pub arn: Arn,
    /// The public half, PEM (SubjectPublicKeyInfo).
    pub public_key: String,
}

/// `environment.json`: an environment in which an access stack was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentRegistration {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The environment.
    pub environment: EnvironmentId,
    /// The key that signs recovery points, where `primary-access` is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<RegisteredKey>,
    /// The key that recovery points are encrypted for, where `recovery-access` is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<RegisteredKey>,
    /// The version of Lifeboat that registered.
    pub version: String,
    /// When it registered, by its own clock.
    #[schemars(with = "String")]
    pub registered_at: Timestamp,
}

/// `delegates/<application>.json`: the delegate of an application in this environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegateRegistration {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The application.
    pub application: ApplicationName,
    /// The environment.
    pub environment: EnvironmentId,
    /// Which side of the application it serves.
    pub side: Side,
    /// The function.
    pub function: Arn,
    /// The role that the function runs with, which clusters must know.
    pub role: Arn,
    /// The version of Lifeboat.
    pub version: String,
    /// When it registered, by its own clock.
    #[schemars(with = "String")]
    pub registered_at: Timestamp,
}

/// The key of an environment's registration.
#[must_use]
pub fn environment_key() -> ObjectKey {
    ObjectKey::parse(ENVIRONMENT_KEY).expect("the constant is a key")
}

/// The key of a delegate's registration.
#[must_use]
pub fn delegate_key(application: &ApplicationName) -> ObjectKey {
    let key: Result<ObjectKey, InvalidIdentifier> = ObjectKey::parse(format!("delegates/{application}.json"));
    key.expect("an application name is a clean path segment")
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
    fn delegates_register_under_their_application() {
        let key = delegate_key(&ApplicationName::parse("shop").unwrap());
        assert_eq!(key.as_str(), "delegates/shop.json");
        assert_eq!(environment_key().as_str(), "environment.json");
    }
}
