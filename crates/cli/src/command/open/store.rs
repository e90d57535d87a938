//! Opens the store of recovery points: a folder, or a bucket of S3 with the credentials that the options select.

use std::path::Path;
use std::sync::Arc;

use lifeboat_filesystem::FolderStore;
use lifeboat_model::{Code, KmsKeyId};
use lifeboat_store::ports::ObjectStore;
use lifeboat_store::read_only::ReadOnlyStore;

use super::Unwrapper;
use crate::arguments::source::{KeySource, StoreLocation};
use crate::arguments::{PointArguments, RecoveryKeyArguments};
use crate::failure::Failure;

/// The KMS key that decrypts points in S3 unless another one is named: the alias that the stack recovery-access gives
/// its key (`cloudformation/recovery-access.yaml`).
pub(super) const DEFAULT_KEY: &str = "alias/lifeboat-recovery";

impl RecoveryKeyArguments {
    /// Returns the key that decrypts.
    ///
    /// # Errors
    /// LB-0010 if none is named and the store is a folder, which no key belongs to.
    pub(super) fn source(&self, store: &StoreLocation) -> Result<KeySource, Failure> {
        match (&self.recovery_key, store) {
            (Some(key), _) => Ok(key.clone()),
            (None, StoreLocation::S3 { .. }) => Ok(KeySource::Kms(
                KmsKeyId::parse(DEFAULT_KEY).expect("the constant is the name of an alias"),
            )),
            (None, StoreLocation::Folder(_)) => Err(Failure::new(
                Code::Usage,
                "the recovery key is not named, and the store is a folder",
            )
            .remedy(
                "add --recovery-key with the file recovery.key.pem that `lifeboat keys generate` made, or with the ARN or alias of a KMS key",
            )),
        }
    }
}

fn folder(path: &Path) -> Result<FolderStore, Failure> {
    FolderStore::open(path).map_err(|error| {
        let failure = Failure::from(error);
        match failure.problem().code {
            // Commands that read do not create a store; the first backup does.
            Code::StoreNotFound => failure.remedy(format!(
                "check --store; `lifeboat backup --store {}` makes the folder with the first recovery point",
                path.display()
            )),
            _ => failure,
        }
    })
}

#[cfg(feature = "aws")]
pub(super) use with_aws::Reader;
#[cfg(not(feature = "aws"))]
pub(super) use without_aws::Reader;

#[cfg(feature = "aws")]
mod with_aws {
    use lifeboat_aws::session::Session;
    use lifeboat_aws::{KmsUnwrapper, S3Location, S3Store};
    use lifeboat_model::{EnvironmentId, ObjectKey};
    use lifeboat_system::SystemRandomness;
    use tokio::sync::OnceCell;

    use super::*;

    /// Opens what the options name, with one AWS identity for all of it.
    #[derive(Default)]
    pub(in super::super) struct Reader {
        session: OnceCell<Session>,
    }

    impl Reader {
        async fn session(&self, arguments: &PointArguments) -> Result<&Session, Failure> {
            self.session.get_or_try_init(|| arguments.aws.open()).await
        }

        pub(in super::super) async fn store(
            &self,
            arguments: &PointArguments,
        ) -> Result<Arc<dyn ObjectStore>, Failure> {
            match &arguments.store.store {
                StoreLocation::Folder(path) => Ok(Arc::new(ReadOnlyStore::new(folder(path)?))),
                StoreLocation::S3 { bucket, prefix } => {
                    let session = self.session(arguments).await?;
                    let store = bucket_store(session, arguments, bucket, prefix.as_ref()).await?;
                    Ok(Arc::new(ReadOnlyStore::new(store)))
                }
            }
        }

        pub(in super::super) async fn unwrapper(
            &self,
            arguments: &PointArguments,
            key: &KmsKeyId,
        ) -> Result<Unwrapper, Failure> {
            let session = self.session(arguments).await?;
            let opened = KmsUnwrapper::open_named(session.context(), key).await;
            let opened = opened.map_err(|error| {
                let failure = Failure::from(error);
                let remedy = &failure.problem().guidance;
                let remedy = format!(
                    "{remedy}; the key was looked for with {}, and another one is named with --recovery-key or --region",
                    session.identity()
                );
                failure.remedy(remedy)
            })?;
            Ok(Box::new(opened))
        }
    }

    async fn bucket_store(
        session: &Session,
        arguments: &PointArguments,
        bucket: &str,
        prefix: Option<&ObjectKey>,
    ) -> Result<S3Store, Failure> {
        let own = &session.environment().account;
        let owner = arguments.bucket_owner.as_ref().unwrap_or(own);
        let location = S3Location::bucket(bucket, owner.clone());
        let location = match prefix {
            Some(prefix) => location.below(prefix),
            None => location,
        };
        let opened = S3Store::open(session.context(), location, Arc::new(SystemRandomness)).await;
        opened.map_err(|error| {
            let failure = Failure::from(error);
            match failure.problem().code {
                Code::StoreNotFound => failure.remedy(
                    "check the name of the bucket; `aws s3 ls` lists those of the account, and the vault is lifeboat-vault-ACCOUNT-REGION",
                ),
                Code::StoreDenied => failure.remedy(format!(
                    "allow {} s3:ListBucket and s3:GetObject on the bucket; if the bucket belongs to another account than {owner}, add {}",
                    session.identity(),
                    owner_option(bucket)
                )),
                _ => failure,
            }
        })
    }

    /// Returns the option that names the owner of a bucket, filled in if the name of the vault tells it.
    fn owner_option(bucket: &str) -> String {
        let environment = bucket.strip_prefix("lifeboat-vault-").map(EnvironmentId::parse);
        match environment {
            Some(Ok(environment)) => format!("--bucket-owner {}", environment.account),
            _ => "--bucket-owner".to_owned(),
        }
    }
}

#[cfg(not(feature = "aws"))]
mod without_aws {
    use super::*;

    /// Opens folders. This program was built without the feature `aws`.
    #[derive(Default)]
    pub(in super::super) struct Reader;

    impl Reader {
        #[expect(clippy::unused_async, reason = "with the feature `aws` it asks AWS")]
        pub(in super::super) async fn store(
            &self,
            arguments: &PointArguments,
        ) -> Result<Arc<dyn ObjectStore>, Failure> {
            match &arguments.store.store {
                StoreLocation::Folder(path) => Ok(Arc::new(ReadOnlyStore::new(folder(path)?))),
                location @ StoreLocation::S3 { .. } => Err(unsupported(&location.to_string())),
            }
        }

        #[expect(clippy::unused_async, reason = "with the feature `aws` it asks AWS")]
        pub(in super::super) async fn unwrapper(
            &self,
            _: &PointArguments,
            key: &KmsKeyId,
        ) -> Result<Unwrapper, Failure> {
            Err(unsupported(key.as_str()))
        }
    }

    fn unsupported(what: &str) -> Failure {
        Failure::new(
            Code::Usage,
            format!("{what} cannot be opened: this lifeboat was built without the feature `aws`"),
        )
        .remedy(
            "use the program of a release, which has the feature, or a copy of the vault in a folder and the recovery key in a file",
        )
    }

    #[cfg(test)]
    mod tests {
        #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
        use clap::Parser as _;

        use super::*;
        use crate::arguments::Arguments;
        use crate::command::Command;

        #[test]
        fn a_build_without_aws_says_so_where_a_bucket_or_a_kms_key_is_named() {
            let line = "lifeboat points --store s3://vault-of-ours --verify-key x";
            let parsed = Arguments::try_parse_from(line.split(' ')).unwrap();
            let Command::Points(points) = parsed.command else {
                panic!("it is the command points")
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let failure = (runtime.block_on(Reader.store(&points.from)))
                .map(drop)
                .unwrap_err();
            assert_eq!(failure.problem().code, Code::Usage);
            assert!(failure.to_string().contains("feature `aws`"), "{failure}");
            let key = KmsKeyId::parse(DEFAULT_KEY).unwrap();
            let failure = (runtime.block_on(Reader.unwrapper(&points.from, &key)))
                .map(drop)
                .unwrap_err();
            assert!(failure.to_string().contains(DEFAULT_KEY), "{failure}");
        }
    }
}
