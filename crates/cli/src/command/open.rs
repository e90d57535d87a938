//! Opens stores, keys and recovery points that command lines name. Nothing here writes: stores are opened for reading.

use lifeboat_filesystem::PemUnwrapper;
use lifeboat_format::VerifyingKey;
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_model::{ClusterName, Code};
use lifeboat_recovery_point::{PointRepository, ReadablePoint, RecoveryPoint};
use lifeboat_store::ports::KeyUnwrapper;

use crate::arguments::source::{KeySource, StoreLocation};
use crate::arguments::{PointArguments, RecoveryKeyArguments};
use crate::context::Context;
use crate::failure::Failure;

mod signer;
mod store;

use signer::Pin;
use store::Reader;

/// A recovery point whose signature was verified.
pub struct Opened {
    /// The recovery point.
    pub point: RecoveryPoint,
    /// The fingerprint of the key that signed it, which is the pinned one.
    pub signed_by: String,
}

/// The recovery points of an application, and the key that must have signed them.
pub struct Vault {
    repository: PointRepository,
    key: VerifyingKey,
    location: StoreLocation,
    reader: Reader,
}

/// What decrypts recovery points.
pub type Unwrapper = Box<dyn KeyUnwrapper>;

impl Vault {
    /// Opens the store, and finds the key that must have signed its recovery points.
    ///
    /// # Errors
    /// If the store does not exist or must not be read, or no key to verify with is given or found.
    pub async fn open(arguments: &PointArguments) -> Result<Self, Failure> {
        // A file that cannot be read is reported before anything else is asked.
        let pin = Pin::load(arguments.verify_key.as_ref())?;
        let reader = Reader::default();
        let store = reader.store(arguments).await?;
        let repository = PointRepository::new(store, arguments.store.application.clone());
        Ok(Self {
            key: pin.key(&repository, &arguments.store.store).await?,
            repository,
            location: arguments.store.store.clone(),
            reader,
        })
    }

    /// Returns the recovery points.
    #[must_use]
    pub fn repository(&self) -> &PointRepository {
        &self.repository
    }

    /// Returns the key that must have signed the recovery points.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Opens the recovery point that `wanted` names, and verifies its signature.
    ///
    /// # Errors
    /// If there is no such point, or it is refused.
    pub async fn point(&self, wanted: &str, context: &Context) -> Result<Opened, Failure> {
        let resolved = match self.repository.resolve(wanted, &self.key).await {
            Ok(resolved) => resolved,
            Err(error) => {
                let failure = Failure::from(error);
                return Err(match failure.problem().code {
                    Code::PointNotFound if wanted == "latest" => self.nothing_there(failure).await,
                    _ => failure,
                });
            }
        };
        for (point, problem) in &resolved.passed_over {
            context.progress.warn(format!(
                "warning: {wanted} passes over the newer recovery point {point}: {}: {}",
                problem.code, problem.message
            ));
        }
        Ok(Opened {
            point: self.repository.open(&resolved.point, &self.key).await?,
            signed_by: self.key.fingerprint().to_string(),
        })
    }

    /// Returns the names of the applications that the store has points of, for a user who did not name the right one.
    pub async fn other_applications(&self) -> Vec<String> {
        // The answer only adds to a message; without it the message is still right.
        let mut names = (self.repository.store().list_folders("").await).unwrap_or_default();
        names.retain(|name| name != self.repository.application().as_str());
        names
    }

    async fn nothing_there(&self, failure: Failure) -> Failure {
        let others = self.other_applications().await;
        if !others.is_empty() {
            return failure.remedy(format!(
                "choose another application with --application: {} contains {}",
                self.location,
                others.join(", ")
            ));
        }
        match self.location {
            StoreLocation::Folder(_) => failure.remedy(
                "make one with `lifeboat backup`; if there should be one, check --store and --application with `lifeboat points`",
            ),
            StoreLocation::S3 { .. } => failure
                .remedy("check --store and --application: the vault of an environment is s3://lifeboat-vault-ACCOUNT-REGION"),
        }
    }
}

/// Opens the store of recovery points and what decrypts them.
///
/// # Errors
/// As [`Vault::open`], and if the recovery key cannot be used.
pub async fn unlocked(
    from: &PointArguments,
    key: &RecoveryKeyArguments,
) -> Result<(Vault, Unwrapper), Failure> {
    let source = key.source(&from.store.store)?;
    // As in `Vault::open`: files first.
    let file = match &source {
        KeySource::File(path) => Some(PemUnwrapper::load(path)?),
        KeySource::Kms(_) => None,
    };
    let vault = Vault::open(from).await?;
    let unwrapper: Unwrapper = match (file, &source) {
        (Some(file), _) => Box::new(file),
        (None, KeySource::Kms(key)) => vault.reader.unwrapper(from, key).await?,
        (None, KeySource::File(_)) => unreachable!("the file was loaded above"),
    };
    Ok((vault, unwrapper))
}

/// Opens the recovery point that `wanted` names, and decrypts its data keys.
///
/// # Errors
/// If there is no such point, it is refused, or the key is not one that it was encrypted to.
pub async fn readable(
    wanted: &str,
    from: &PointArguments,
    key: &RecoveryKeyArguments,
    context: &Context,
) -> Result<ReadablePoint, Failure> {
    let (vault, unwrapper) = unlocked(from, key).await?;
    let opened = vault.point(wanted, context).await?;
    decrypt(&opened.point, unwrapper.as_ref(), key).await
}

/// Decrypts the data keys of a recovery point.
///
/// # Errors
/// If the key is not one that the point was encrypted to, or cannot be used.
pub async fn decrypt(
    point: &RecoveryPoint,
    unwrapper: &dyn KeyUnwrapper,
    key: &RecoveryKeyArguments,
) -> Result<ReadablePoint, Failure> {
    point.decrypt(unwrapper).await.map_err(|error| {
        let failure = Failure::from(error);
        match (failure.problem().code, &key.recovery_key) {
            (Code::RecoveryKeyMismatch, None) => {
                let remedy = failure.problem().guidance.clone();
                failure.remedy(format!(
                    "{remedy}: name it with --recovery-key, or its Region with --region; without --recovery-key it is {} of that Region",
                    store::DEFAULT_KEY
                ))
            }
            _ => failure,
        }
    })
}

/// Returns the cluster of a point that a user selects: the named one, or the only one.
///
/// # Errors
/// If there are several and none is named, or the point does not contain the named one.
pub fn cluster<'a>(
    point: &'a RecoveryPoint,
    wanted: Option<&ClusterName>,
) -> Result<&'a ClusterRecord, Failure> {
    if let Some(name) = wanted {
        return Ok(point.cluster(name)?);
    }
    match point.statement().predicate.clusters.as_slice() {
        [only] => Ok(only),
        clusters => {
            let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
            Err(Failure::new(
                Code::Usage,
                format!(
                    "the recovery point has {} clusters: {}",
                    names.len(),
                    names.join(", ")
                ),
            )
            .remedy("choose one with --cluster"))
        }
    }
}
