//! The code of the functions in a bucket of their account and Region, from which Lambda reads it, and templates that
//! are too long to be part of a request.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_format::Sha256;
use lifeboat_model::{EnvironmentId, ErrorKind, Problem};
use serde_json::json;

/// The Region whose buckets are created without a location constraint
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>).
const WITHOUT_CONSTRAINT: &str = "us-east-1";

/// A zip or a template in memory, and its key in the bucket.
#[derive(Debug, Clone)]
pub struct Artifact {
    key: String,
    bytes: Vec<u8>,
}

impl Artifact {
    /// Creates a zip. The key contains the digest: a changed zip has another key, so that CloudFormation detects the
    /// change and a rollback finds the former zip. `architecture` is that of the functions, as Lambda names it.
    #[must_use]
    pub fn new(program: &str, architecture: &str, bytes: Vec<u8>) -> Self {
        let digest = Sha256::of(&bytes);
        Self {
            key: format!("{program}/{architecture}/{digest}.zip"),
            bytes,
        }
    }

    /// Creates a template in JSON. The same template has the same key.
    #[must_use]
    pub fn template(bytes: Vec<u8>) -> Self {
        let digest = Sha256::of(&bytes);
        Self {
            key: format!("templates/{digest}.json"),
            bytes,
        }
    }
}

/// Returns the name of the bucket.
#[must_use]
pub fn bucket(environment: &EnvironmentId) -> String {
    format!("lifeboat-artifacts-{environment}")
}

/// A step of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload<'a> {
    /// The bucket was created because it was missing.
    BucketCreated {
        /// The name of the bucket.
        bucket: &'a str,
    },
    /// An artifact is in the bucket.
    Artifact {
        /// The bucket.
        bucket: &'a str,
        /// Its key.
        key: &'a str,
        /// Its size in bytes.
        bytes: u64,
        /// Whether this upload wrote it.
        is_new: bool,
    },
}

/// Uploads a template into the bucket that a deployment of Lifeboat has made, unless it is there. Returns the bucket and
/// the key. Needs `s3:GetObject` and `s3:PutObject` on `templates/*`.
///
/// # Errors
/// If S3 refuses a request.
pub async fn upload_template(
    context: &AwsContext,
    environment: &EnvironmentId,
    template: &Artifact,
) -> Result<(String, String), Problem> {
    let uploading = Uploading {
        client: Client::new(&context.patient()),
        context,
        environment,
        bucket: bucket(environment),
    };
    if !uploading.has(&template.key).await? {
        uploading.put(template).await?;
    }
    Ok((uploading.bucket, template.key.clone()))
}

/// Uploads the artifacts that are not in the bucket; creates the bucket if it does not exist. Returns the bucket and the
/// keys.
///
/// # Errors
/// If S3 refuses a request.
pub async fn upload(
    context: &AwsContext,
    environment: &EnvironmentId,
    wanted: &[&Artifact],
    tell: &(dyn Fn(&Upload<'_>) + Send + Sync),
) -> Result<(String, Vec<String>), Problem> {
    let uploading = Uploading {
        client: Client::new(&context.patient()),
        context,
        environment,
        bucket: bucket(environment),
    };
    if uploading.make().await? {
        tell(&Upload::BucketCreated {
            bucket: &uploading.bucket,
        });
    }
    uploading.protect().await?;
    let mut keys = Vec::new();
    for artifact in wanted {
        let is_new = !uploading.has(&artifact.key).await?;
        if is_new {
            uploading.put(artifact).await?;
        }
        tell(&Upload::Artifact {
            bucket: &uploading.bucket,
            key: &artifact.key,
            bytes: artifact.bytes.len() as u64,
            is_new,
        });
        keys.push(artifact.key.clone());
    }
    Ok((uploading.bucket, keys))
}

/// Reports whether a bucket of this account exists.
///
/// # Errors
/// If another account owns it, or S3 does not answer.
pub async fn exists(
    context: &AwsContext,
    environment: &EnvironmentId,
    bucket: &str,
) -> Result<bool, Problem> {
    let uploading = Uploading {
        client: Client::new(&context.patient()),
        context,
        environment,
        bucket: bucket.to_owned(),
    };
    uploading.exists().await
}

struct Uploading<'a> {
    client: Client,
    context: &'a AwsContext,
    environment: &'a EnvironmentId,
    bucket: String,
}

impl Uploading<'_> {
    fn owner(&self) -> &str {
        self.environment.account.as_str()
    }

    fn failure(&self, doing: &str, error: &AwsError) -> Problem {
        (self.context).problem(&format!("{doing} the bucket {}", self.bucket), error)
    }

    async fn exists(&self) -> Result<bool, Problem> {
        let asked = (self.client.head_bucket())
            .bucket(&self.bucket)
            .expected_bucket_owner(self.owner())
            .send()
            .await;
        match asked.map_err(|e| AwsError::new("s3:ListBucket", &self.bucket, e)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Gone => Ok(false),
            Err(error) => Err(self.failure("look at", &error)),
        }
    }

    /// Creates the bucket if it is missing; returns whether it was.
    async fn make(&self) -> Result<bool, Problem> {
        if self.exists().await? {
            return Ok(false);
        }
        let region = self.environment.region.as_str();
        let configuration = (region != WITHOUT_CONSTRAINT).then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        let made = (self.client.create_bucket())
            .bucket(&self.bucket)
            .set_create_bucket_configuration(configuration)
            .send()
            .await;
        match made.map_err(|e| AwsError::new("s3:CreateBucket", &self.bucket, e)) {
            Ok(_) => Ok(true),
            // Another run created it in the meantime.
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(false),
            Err(error) => Err(self.failure("make", &error)),
        }
    }

    /// Blocks public access, enables versioning, and requires connections with TLS 1.2 or newer. Applied every time, because an
    /// earlier run may have ended between creating the bucket and this.
    async fn protect(&self) -> Result<(), Problem> {
        let private = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true)
            .build();
        (self.client.put_public_access_block())
            .bucket(&self.bucket)
            .expected_bucket_owner(self.owner())
            .public_access_block_configuration(private)
            .send()
            .await
            .map_err(|e| AwsError::new("s3:PutBucketPublicAccessBlock", &self.bucket, e))
            .map_err(|error| self.failure("protect", &error))?;
        let versioned = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        (self.client.put_bucket_versioning())
            .bucket(&self.bucket)
            .expected_bucket_owner(self.owner())
            .versioning_configuration(versioned)
            .send()
            .await
            .map_err(|e| AwsError::new("s3:PutBucketVersioning", &self.bucket, e))
            .map_err(|error| self.failure("protect", &error))?;
        (self.client.put_bucket_policy())
            .bucket(&self.bucket)
            .expected_bucket_owner(self.owner())
            .policy(self.policy())
            .send()
            .await
            .map_err(|e| AwsError::new("s3:PutBucketPolicy", &self.bucket, e))
            .map_err(|error| self.failure("protect", &error))?;
        Ok(())
    }

    fn policy(&self) -> String {
        let arn = format!("arn:{}:s3:::{}", self.environment.region.partition(), self.bucket);
        json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "DenyInsecureTransport",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn.clone(), format!("{arn}/*")],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                {
                    "Sid": "DenyOldTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn.clone(), format!("{arn}/*")],
                    "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
                },
            ],
        })
        .to_string()
    }

    async fn has(&self, key: &str) -> Result<bool, Problem> {
        let asked = (self.client.head_object())
            .bucket(&self.bucket)
            .key(key)
            .expected_bucket_owner(self.owner())
            .send()
            .await;
        match asked.map_err(|e| AwsError::new("s3:GetObject", key, e)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Gone => Ok(false),
            Err(error) => Err(self.failure(&format!("find {key} in"), &error)),
        }
    }

    async fn put(&self, artifact: &Artifact) -> Result<(), Problem> {
        let key = &artifact.key;
        let content_type = if key.ends_with(".zip") {
            "application/zip"
        } else {
            "application/json"
        };
        let sent = (self.client.put_object())
            .bucket(&self.bucket)
            .key(key)
            .expected_bucket_owner(self.owner())
            .content_type(content_type)
            .body(ByteStream::from(artifact.bytes.clone()))
            .send()
            .await;
        (sent.map(drop))
            .map_err(|e| AwsError::new("s3:PutObject", key, e))
            .map_err(|error| self.failure(&format!("upload {key} to"), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_is_named_by_what_it_holds() {
        let zip = |bytes: &[u8]| Artifact::new("lifeboat-delegate", "x86_64", bytes.to_vec());
        let one = zip(b"one").key;
        assert!(one.starts_with("lifeboat-delegate/x86_64/7692c3ad"), "{one}");
        assert_ne!(one, zip(b"two").key);
    }
}
