//! Identifiers. Each is constructed by `parse` (also through `FromStr` and serde), so every value is safe as
//! a path segment, an object key and a word in a log line.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The error for text that is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct InvalidIdentifier {
    /// The sort of identifier that was expected, in user-facing terms.
    pub what: &'static str,
    /// The text that was given.
    pub given: String,
    /// The rule that the text violates.
    pub rule: &'static str,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the identifier.
            ///
            /// # Errors
            /// [`InvalidIdentifier`] with the rule that the text violates.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidIdentifier> {
                let given = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&given) {
                    Ok(Self(given))
                } else {
                    Err(InvalidIdentifier { what: $what, given, rule: $rule })
                }
            }

            /// Returns the identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentifier;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidIdentifier;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

pub mod aws;
pub mod delegate;
pub mod job;
pub mod kms;

identifier!(
    /// The name of an application: a set of clusters that are recovered together.
    ApplicationName,
    "application name",
    "1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
    is_dns_label
);

identifier!(
    /// The name of a cluster inside its application. EKS allows 100 characters
    /// (`CreateCluster`, parameter `name`: `^[0-9A-Za-z][A-Za-z0-9\-_]*`).
    ClusterName,
    "cluster name",
    "1 to 100 letters, digits, '-' and '_', beginning with a letter or digit",
    |text| (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && text.as_bytes()[0].is_ascii_alphanumeric()
);

identifier!(
    /// A recovery point: the UTC second of its creation and six random hexadecimal digits, so that
    /// ids sort by time: `20261121T112233Z-7f3a9c`.
    RecoveryPointId,
    "recovery point id",
    "of the form 20261121T112233Z-7f3a9c",
    is_point_id
);

identifier!(
    /// The name of a file of a recovery point, relative to the point: `<cluster>/p-0000.pack`.
    PackName,
    "pack name",
    "of the form <cluster>/<file>.pack",
    |text| text.len() <= 256
        && text.ends_with(".pack")
        && text.split('/').count() == 2
        && is_clean_path(text)
);

identifier!(
    /// The key of an object in a store: segments of letters, digits, `.`, `-` and `_`, separated by `/`. No
    /// segment begins with a dot, so a key is safe as a path on a file system.
    ObjectKey,
    "object key",
    "1 to 1024 characters: segments of letters, digits, '.', '-', '_' separated by '/', none beginning with '.'",
    |text| (1..=1024).contains(&text.len()) && is_clean_path(text)
);

/// Whether `text` is a DNS label as defined in RFC 1123, the rule of Kubernetes for names of namespaces.
fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

fn is_clean_path(text: &str) -> bool {
    text.split('/').all(|segment| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    })
}

fn is_point_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    bytes.len() == 23
        && digits(0..8)
        && bytes[8] == b'T'
        && digits(9..15)
        && bytes[15] == b'Z'
        && bytes[16] == b'-'
        && bytes[17..]
            .iter()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
}

impl RecoveryPointId {
    /// Creates an id from a time rendered as `YYYYMMDDTHHMMSSZ` and three random bytes.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] if `second` does not have that form.
    pub fn new(second: &str, random: [u8; 3]) -> Result<Self, InvalidIdentifier> {
        Self::parse(format!(
            "{second}-{:02x}{:02x}{:02x}",
            random[0], random[1], random[2]
        ))
    }

    /// Returns the second in which the recovery point was started, from its id; `None` if the digits are not
    /// a valid time.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        let (second, _) = self.0.split_once('-')?;
        let time = DateTime::strptime("%Y%m%dT%H%M%SZ", second).ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
    }
}

impl ObjectKey {
    /// Returns this key with `/` and `part` appended.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] if the result is not a valid key.
    pub fn join(&self, part: &str) -> Result<Self, InvalidIdentifier> {
        Self::parse(format!("{}/{part}", self.0))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn point_ids_sort_by_time_and_refuse_what_is_not_one() {
        let older = RecoveryPointId::new("20261121T112233Z", [0xff, 0xff, 0xff]).unwrap();
        let newer = RecoveryPointId::new("20261121T112234Z", [0, 0, 0]).unwrap();
        assert!(older < newer);
        assert_eq!(older.as_str(), "20261121T112233Z-ffffff");
        assert_eq!(older.started_at(), "2026-11-21T11:22:33Z".parse().ok());
        let no_time = RecoveryPointId::parse("20261399T112233Z-ffffff").unwrap();
        assert_eq!(no_time.started_at(), None);
        for wrong in [
            "",
            "latest",
            "20261121T112233Z-FFFFFF",
            "20261121T112233Z-fffff",
            "../../etc/passwd",
        ] {
            assert!(RecoveryPointId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_cannot_leave_their_store() {
        for wrong in [
            "",
            "/",
            "a//b",
            "../a",
            "a/../b",
            "a/.hidden",
            "a b",
            "a\\b",
            "a\0b",
        ] {
            assert!(ObjectKey::parse(wrong).is_err(), "{wrong:?}");
        }
        let key = ObjectKey::parse("shop/points")
            .unwrap()
            .join("p-0000.pack")
            .unwrap();
        assert_eq!(key.as_str(), "shop/points/p-0000.pack");
    }

    #[test]
    fn names_say_which_rule_is_broken() {
        let error = ApplicationName::parse("Shop!").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("application name \"Shop!\" is not valid: 1 to 63")
        );
        assert!(ClusterName::parse("_x").is_err());
        assert!(PackName::parse("primary/p-0000.pack").is_ok());
        assert!(PackName::parse("p-0000.pack").is_err());
    }

    #[test]
    fn serde_goes_through_parse() {
        assert!(serde_json::from_str::<ApplicationName>("\"a_b\"").is_err());
        let name: ApplicationName = serde_json::from_str("\"shop\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"shop\"");
    }
}
