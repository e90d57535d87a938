//! Where recovery points and keys are, as command lines name it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lifeboat_format::{Fingerprint, KeyError};
use lifeboat_model::{InvalidIdentifier, KmsKeyId, ObjectKey};

/// A store of recovery points: a folder, or a bucket of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder.
    Folder(PathBuf),
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// The folder in the bucket; `None` for the whole bucket.
        prefix: Option<ObjectKey>,
    },
}

/// The scheme of a bucket's URL.
const S3: &str = "s3://";

/// Why a text is not the location of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// The URL has a scheme that Lifeboat does not read.
    #[error("expected a folder or s3://BUCKET[/PREFIX]")]
    Scheme,
    /// No bucket can have this name.
    #[error("{0:?} is not the name of a bucket: expected 3 to 63 lower-case letters, digits, '.' and '-'")]
    Bucket(String),
    /// No key of a store can begin with this prefix.
    #[error("the prefix is not valid: {0}")]
    Prefix(InvalidIdentifier),
}

impl FromStr for StoreLocation {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(rest) = text.strip_prefix(S3) else {
            return match text.contains("://") {
                true => Err(InvalidLocation::Scheme),
                false => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(InvalidLocation::Bucket(bucket.to_owned()));
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = match prefix {
            "" => None,
            prefix => Some(ObjectKey::parse(prefix).map_err(InvalidLocation::Prefix)?),
        };
        Ok(Self::S3 {
            bucket: bucket.to_owned(),
            prefix,
        })
    }
}

/// The rules for names of general purpose buckets, as far as they protect the URL of a request
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>). S3 checks the rest.
fn is_bucket(name: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    (3..=63).contains(&name.len())
        && (name.bytes()).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && end(name.as_bytes().first())
        && end(name.as_bytes().last())
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix: None } => write!(f, "{S3}{bucket}"),
            Self::S3 {
                bucket,
                prefix: Some(prefix),
            } => write!(f, "{S3}{bucket}/{prefix}"),
        }
    }
}

/// What decrypts: a PEM file, or a key in KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A PEM file.
    File(PathBuf),
    /// A key in KMS, which decrypts without being read.
    Kms(KmsKeyId),
}

impl FromStr for KeySource {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if KmsKeyId::is_meant_by(text) {
            return KmsKeyId::parse(text).map(Self::Kms);
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

/// What a user trusts to have signed recovery points: a public key in a PEM file, or the fingerprint of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedSigner {
    /// A PEM file.
    File(PathBuf),
    /// A fingerprint; the recovery points contain the key itself.
    Fingerprint(Fingerprint),
}

impl FromStr for TrustedSigner {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("sha256:") {
            return text.parse().map(Self::Fingerprint);
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_store_is_a_folder_or_a_bucket_with_a_prefix() {
        for (given, shown, bucket) in [
            ("points", "points", None),
            ("/mnt/vault/s3", "/mnt/vault/s3", None),
            (
                "s3://lifeboat-vault-222222222222-eu-central-1",
                "s3://lifeboat-vault-222222222222-eu-central-1",
                Some(None),
            ),
            ("s3://vault/", "s3://vault", Some(None)),
            ("s3://vault/a/b/", "s3://vault/a/b", Some(Some("a/b"))),
        ] {
            let location: StoreLocation = given.parse().unwrap();
            assert_eq!(location.to_string(), shown);
            let found = match &location {
                StoreLocation::Folder(_) => None,
                StoreLocation::S3 { prefix, .. } => Some(prefix.as_ref().map(ObjectKey::as_str)),
            };
            assert_eq!(found, bucket, "{given}");
        }
        for wrong in [
            "gs://vault",
            "https://vault.s3.amazonaws.com",
            "s3://",
            "s3://Vault",
            "s3://a",
            "s3://-vault",
            "s3://vault//a",
            "s3://vault/../a",
        ] {
            StoreLocation::from_str(wrong).unwrap_err();
        }
    }

    #[test]
    fn keys_are_files_unless_they_are_named_otherwise() {
        let file = |path: &str| PathBuf::from(path);
        let kms = KmsKeyId::parse("alias/lifeboat-recovery").unwrap();
        assert_eq!("alias/lifeboat-recovery".parse(), Ok(KeySource::Kms(kms)));
        assert_eq!("./alias/x".parse(), Ok(KeySource::File(file("./alias/x"))));
        KeySource::from_str("arn:aws:s3:::bucket").unwrap_err();
        assert_eq!(
            "keys/signing.pub.pem".parse(),
            Ok(TrustedSigner::File(file("keys/signing.pub.pem")))
        );
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert!(matches!(digest.parse(), Ok(TrustedSigner::Fingerprint(_))));
        TrustedSigner::from_str("sha256:0a").unwrap_err();
    }
}
