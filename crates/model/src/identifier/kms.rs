//! How a user names a KMS key.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidIdentifier;
use super::aws::{Arn, Region};

identifier!(
    /// A KMS key, named as the parameter `KeyId` of KMS takes it: the ARN of a key, the ARN of an alias, or the name of
    /// an alias, which begins with `alias/`
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>). A bare key id is left out,
    /// because nothing distinguishes it from the name of a file.
    KmsKeyId,
    "KMS key",
    "the ARN of a KMS key or of an alias, or alias/<name>",
    is_kms_key
);

/// The beginning of the name of every alias.
const ALIAS: &str = "alias/";

fn is_kms_key(text: &str) -> bool {
    if text.starts_with(ALIAS) {
        return is_alias(text);
    }
    Arn::parse(text).is_ok_and(|arn| {
        arn.service() == "kms"
            && arn.environment().is_some()
            && match arn.resource().strip_prefix("key/") {
                Some(id) => is_name(id),
                None => is_alias(arn.resource()),
            }
    })
}

/// KMS allows 256 characters: letters, digits, `/`, `_` and `-` (`CreateAlias`, parameter `AliasName`).
fn is_alias(text: &str) -> bool {
    text.len() <= 256 && (text.strip_prefix(ALIAS)).is_some_and(|name| name.split('/').all(is_name))
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.bytes().all(allowed)
}

impl KmsKeyId {
    /// Reports whether a text is meant as a KMS key and not as a path: it begins like an ARN or like an alias.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with("arn:") || text.starts_with(ALIAS)
    }

    /// Returns the Region of the key; `None` for the name of an alias, which exists in each Region.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        Arn::parse(self.as_str()).ok()?.region()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_kms_key_is_named_by_arn_or_alias_and_an_arn_tells_the_region() {
        for (text, region) in [
            (
                "arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd",
                Some("eu-central-1"),
            ),
            (
                "arn:aws-cn:kms:cn-north-1:222222222222:alias/lifeboat-recovery",
                Some("cn-north-1"),
            ),
            ("alias/lifeboat-recovery", None),
        ] {
            let key = KmsKeyId::parse(text).unwrap();
            assert!(KmsKeyId::is_meant_by(text));
            assert_eq!(key.region().map(|region| region.to_string()).as_deref(), region);
        }
        for text in [
            "",
            "keys/recovery.key.pem",
            "1234abcd-12ab-34cd",
            "alias/",
            "alias/a//b",
            "alias/a b",
            "arn:aws:kms:eu-central-1:222222222222:key/",
            "arn:aws:kms:eu-central-1:222222222222:grant/x",
            "arn:aws:kms::222222222222:key/x",
            "arn:aws:s3:::bucket",
        ] {
            KmsKeyId::parse(text).unwrap_err();
        }
        assert!(!KmsKeyId::is_meant_by("keys/recovery.key.pem"));
    }
}
