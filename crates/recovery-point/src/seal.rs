//! Sealing: a recovery point is created by one signed manifest, which is written once and last.

use jiff::Timestamp;
use lifeboat_format::Sha256;
use lifeboat_format::limits::{OverLimit, check_limits, check_manifest_size, check_values};
use lifeboat_format::manifest::{
    Completeness, Envelope, FORMAT_VERSION, ManifestError, Predicate, Statement, Tool, check_structure,
    open_envelope, pae, payload,
};
use lifeboat_format::verify::{VerifyError, check_place};
use lifeboat_model::{ApplicationName, Code, Diagnostic, ErrorKind, PackName, RecoveryPointId};

use crate::cursor::CapturedCluster;
use crate::descriptions::CapturedInfrastructure;
use crate::layout::{manifest_key, point_prefix};
use crate::summary::SignedSummary;
use lifeboat_store::listing::sizes;
use lifeboat_store::ports::{KeyError, ObjectStore, Signer, StoreError};

/// The error for a recovery point that cannot be sealed. Unless the manifest was written, no recovery point
/// is visible.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A reader would refuse the manifest.
    #[error("seal the recovery point {point}: {what}")]
    Structure {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// What is wrong with it.
        what: String,
    },
    /// It exceeds a limit of the format, so that readers would refuse it.
    #[error("seal the recovery point {point}")]
    OverLimit {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The limit.
        #[source]
        source: OverLimit,
    },
    /// A file of the manifest is not in the store.
    #[error("seal the recovery point {point}: its file {name} differs from what was written")]
    FileMissing {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The name of the file.
        name: PackName,
    },
    /// The signing key cannot be used.
    #[error("sign the manifest of the recovery point {point}")]
    Sign {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The cause.
        #[source]
        source: KeyError,
    },
    /// The store failed.
    #[error("write the manifest of the recovery point {point}")]
    Store {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The manifest that was read back differs from what was written.
    #[error("read back the manifest of the recovery point {point}")]
    ReadBack {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The cause.
        #[source]
        source: ReadBackError,
    },
}

/// What is wrong with a manifest that was read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// It cannot be opened.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It belongs to another location.
    #[error(transparent)]
    Place(#[from] VerifyError),
    /// Its content differs.
    #[error("the manifest read back differs from the one written")]
    Differs,
}

impl Diagnostic for SealError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Structure { .. } => ErrorKind::Bug,
            Self::OverLimit { .. } => ErrorKind::Invalid,
            Self::FileMissing { .. } | Self::ReadBack { .. } => ErrorKind::Corrupt,
            Self::Sign { source, .. } => source.kind(),
            Self::Store { source, .. } => source.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Structure { .. } => Code::Bug,
            Self::OverLimit { source, .. } => source.code(),
            Self::FileMissing { .. } => Code::PackMissing,
            Self::Sign { source, .. } => source.code(),
            Self::Store { source, .. } => source.code(),
            Self::ReadBack { source, .. } => match source {
                ReadBackError::Manifest(error) => error.code(),
                ReadBackError::Place(error) => error.code(),
                ReadBackError::Differs => Code::StoreFailed,
            },
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Structure { .. } => "report this as a bug; no recovery point was created".to_owned(),
            Self::OverLimit { .. } => {
                "back up less: exclude types or namespaces with filters, or split the clusters into several applications"
                    .to_owned()
            }
            Self::FileMissing { .. } => {
                "check what deletes files from the store, then run the backup again".to_owned()
            }
            Self::Sign { source, .. } => source.guidance(),
            Self::Store { source, .. } => source.guidance(),
            Self::ReadBack { .. } => {
                "do not rely on this recovery point: check the disk or bucket behind the store, then run the backup again"
                    .to_owned()
            }
        }
    }
}

/// A recovery point that is to be sealed.
#[derive(Debug, Clone, Copy)]
pub struct NewPoint<'a> {
    /// The application that the recovery point belongs to.
    pub application: &'a ApplicationName,
    /// The id of the recovery point.
    pub point: &'a RecoveryPointId,
    /// When the backup began.
    pub created_at: Timestamp,
    /// The version of the program that makes the recovery point.
    pub version: &'a str,
}

impl NewPoint<'_> {
    /// Returns the predicate for these clusters, sorted by name, and for the AWS resources that they stand on, if these
    /// were described. It is Partial if anything is missing.
    #[must_use]
    pub fn predicate(
        &self,
        mut captured: Vec<CapturedCluster>,
        infrastructure: Option<CapturedInfrastructure>,
    ) -> Predicate {
        captured.sort_by(|one, other| one.record.name.cmp(&other.record.name));
        let (mut keys, mut clusters) = (Vec::new(), Vec::new());
        for cluster in captured {
            keys.extend(cluster.keys);
            clusters.push(cluster.record);
        }
        let infrastructure = infrastructure.map(|captured| {
            keys.extend(captured.key);
            captured.record
        });
        let mut predicate = Predicate {
            format_version: FORMAT_VERSION,
            application: self.application.clone(),
            point: self.point.clone(),
            created_at: self.created_at,
            tool: Tool {
                name: "lifeboat".to_owned(),
                version: self.version.to_owned(),
            },
            completeness: Completeness::Complete,
            keys,
            clusters,
            infrastructure,
        };
        if predicate.is_incomplete() {
            predicate.completeness = Completeness::Partial;
        }
        predicate
    }
}

/// A recovery point that was sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedPoint {
    /// The statement that was signed.
    pub statement: Statement,
    /// The SHA-256 of `manifest.json`.
    pub manifest: Sha256,
}

impl SealedPoint {
    /// Returns the summary of the recovery point.
    #[must_use]
    pub fn summary(&self) -> SignedSummary {
        SignedSummary::of(&self.statement, self.manifest)
    }
}

/// Seals a recovery point whose packs are in the store: checks that they exist, builds the statement, signs
/// it, writes the manifest, reads it back and checks it as a reader would.
///
/// # Errors
/// [`SealError`].
pub async fn seal(
    store: &dyn ObjectStore,
    signer: &dyn Signer,
    predicate: Predicate,
) -> Result<SealedPoint, SealError> {
    let (application, point) = (predicate.application.clone(), predicate.point.clone());
    let statement = Statement::new(predicate);
    let over_limit = |source| SealError::OverLimit {
        point: point.clone(),
        source,
    };
    check_limits(&statement).map_err(over_limit)?;
    check_structure(&statement).map_err(|what| SealError::Structure {
        point: point.clone(),
        what,
    })?;
    let store_error = |source| SealError::Store {
        point: point.clone(),
        source,
    };
    let present = sizes(store, &point_prefix(&application, &point))
        .await
        .map_err(store_error)?;
    for pack in statement.predicate.own_packs() {
        if present.get(pack.name.as_str()) != Some(&pack.bytes) {
            return Err(SealError::FileMissing {
                point,
                name: pack.name.clone(),
            });
        }
    }
    let payload = payload(&statement);
    check_values(&payload).map_err(over_limit)?;
    let signature = match signer.sign(&pae(&payload)).await {
        Ok(signature) => signature,
        Err(source) => return Err(SealError::Sign { point, source }),
    };
    let envelope = Envelope::new(&payload, signer.verifying_key(), &signature).to_bytes();
    check_manifest_size(envelope.len() as u64).map_err(over_limit)?;
    // A signer that uses another key than it reports must not create a recovery point that cannot be opened.
    let read_back = |source| SealError::ReadBack {
        point: point.clone(),
        source,
    };
    open_envelope(&envelope, signer.verifying_key()).map_err(|e| read_back(e.into()))?;
    let manifest = Sha256::of(&envelope);

    let key = manifest_key(&application, &point);
    store.put_new(&key, envelope.into()).await.map_err(store_error)?;
    let (bytes, _) = store.get(&key).await.map_err(store_error)?;
    let stored = open_envelope(&bytes, signer.verifying_key()).map_err(|e| read_back(e.into()))?;
    check_place(&stored, &application, &point).map_err(|e| read_back(e.into()))?;
    if stored != statement {
        return Err(read_back(ReadBackError::Differs));
    }
    Ok(SealedPoint { statement, manifest })
}
