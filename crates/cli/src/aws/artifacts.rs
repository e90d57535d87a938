//! The code of the functions in a bucket of their account and Region, where Lambda takes it from.

use std::path::PathBuf;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use clap::{Args, ValueEnum};
use lifeboat_aws::AwsError;
use lifeboat_format::Sha256;
use lifeboat_model::{EnvironmentId, ErrorKind};
use serde_json::json;

use super::failure;
use super::session::Session;
use crate::failure::Failure;
use crate::output::human;

mod package;

/// Buckets of this Region are made without naming it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>).
const WITHOUT_CONSTRAINT: &str = "us-east-1";

/// Which zips are deployed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Functions")]
pub struct PackageArguments {
    /// The folder of the zips; else functions/ARCHITECTURE beside this program, else target/package/release/ARCHITECTURE
    #[arg(long, value_name = "DIR")]
    pub package: Option<PathBuf>,
    /// The architecture of the functions: arm64 or x86_64
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "ARCHITECTURE"
    )]
    pub architecture: Architecture,
}

/// A processor, in the words of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Architecture {
    /// Graviton, a fifth cheaper than the other.
    #[default]
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86,
}

impl Architecture {
    /// As templates and the folders of `make package` name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Arm64 => Self::X86,
            Self::X86 => Self::Arm64,
        }
    }
}

/// A zip that was read.
#[derive(Debug, Clone)]
pub struct Zip {
    key: String,
    bytes: Vec<u8>,
}

impl Zip {
    /// Its digest is in its name: another zip is another key, so that CloudFormation sees that there is a new one,
    /// and a rollback finds the former.
    fn new(program: &str, architecture: Architecture, bytes: Vec<u8>) -> Self {
        let digest = Sha256::of(&bytes);
        Self {
            key: format!("{program}/{}/{digest}.zip", architecture.name()),
            bytes,
        }
    }
}

impl PackageArguments {
    /// Reads the zip of a program, such as `lifeboat-delegate`.
    ///
    /// # Errors
    /// LB-1007 where it is not there, or holds another version than that of this program.
    pub fn read(&self, program: &str) -> Result<Zip, Failure> {
        // A link in the PATH leads to the folder of the archive.
        let executable = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
        let installed = executable.as_deref().and_then(|path| path.parent());
        let bytes = package::read(self, program, installed)?;
        Ok(Zip::new(program, self.architecture, bytes))
    }
}

/// The name of the bucket.
#[must_use]
pub fn bucket(environment: &EnvironmentId) -> String {
    format!("lifeboat-artifacts-{environment}")
}

/// Uploads what is not there yet; the bucket is made if need be. Gives the bucket and the keys.
///
/// # Errors
/// What S3 refuses.
pub async fn upload(
    session: &Session,
    zips: &[&Zip],
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<(String, Vec<String>), Failure> {
    let uploading = Uploading {
        client: Client::new(&session.patient()),
        environment: session.environment(),
        bucket: bucket(session.environment()),
    };
    if uploading.make().await? {
        tell(&format!("{}: created", uploading.bucket));
    }
    uploading.protect().await?;
    let mut keys = Vec::new();
    for zip in zips {
        let done = if uploading.has(&zip.key).await? {
            "already uploaded"
        } else {
            uploading.put(zip).await?;
            "uploaded"
        };
        let size = human::bytes(zip.bytes.len() as u64);
        tell(&format!("{}: {} ({size}) {done}", uploading.bucket, zip.key));
        keys.push(zip.key.clone());
    }
    Ok((uploading.bucket, keys))
}

/// Whether a bucket of this account exists.
///
/// # Errors
/// Where somebody else has it, or S3 does not say.
pub async fn exists(session: &Session, bucket: &str) -> Result<bool, Failure> {
    let uploading = Uploading {
        client: Client::new(&session.patient()),
        environment: session.environment(),
        bucket: bucket.to_owned(),
    };
    uploading.exists().await
}

struct Uploading<'a> {
    client: Client,
    environment: &'a EnvironmentId,
    bucket: String,
}

impl Uploading<'_> {
    fn owner(&self) -> &str {
        self.environment.account.as_str()
    }

    fn failure(&self, doing: &str, error: &AwsError) -> Failure {
        failure(&format!("{doing} the bucket {}", self.bucket), error)
    }

    async fn exists(&self) -> Result<bool, Failure> {
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

    /// Makes the bucket; says whether it was missing.
    async fn make(&self) -> Result<bool, Failure> {
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
            // Another run was faster.
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(false),
            Err(error) => Err(self.failure("make", &error)),
        }
    }

    /// Private, versioned, encrypted connections alone. Said every time: a run may have died after it had made
    /// the bucket.
    async fn protect(&self) -> Result<(), Failure> {
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
            "Statement": [{
                "Sid": "DenyInsecureTransport",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
                "Resource": [arn.clone(), format!("{arn}/*")],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }],
        })
        .to_string()
    }

    async fn has(&self, key: &str) -> Result<bool, Failure> {
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

    async fn put(&self, zip: &Zip) -> Result<(), Failure> {
        let sent = (self.client.put_object())
            .bucket(&self.bucket)
            .key(&zip.key)
            .expected_bucket_owner(self.owner())
            .content_type("application/zip")
            .body(ByteStream::from(zip.bytes.clone()))
            .send()
            .await;
        (sent.map(drop))
            .map_err(|e| AwsError::new("s3:PutObject", &zip.key, e))
            .map_err(|error| self.failure(&format!("upload {} to", zip.key), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_is_named_by_what_it_holds() {
        let zip = |bytes: &[u8]| Zip::new("lifeboat-delegate", Architecture::X86, bytes.to_vec());
        let one = zip(b"one").key;
        assert!(one.starts_with("lifeboat-delegate/x86_64/7692c3ad"), "{one}");
        assert_ne!(one, zip(b"two").key);
    }
}
