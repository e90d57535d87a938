//! Opens stores, keys and recovery points that command lines name.

use std::path::Path;
use std::sync::Arc;

use lifeboat_filesystem::{FolderStore, PemUnwrapper, keys};
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_model::{ClusterName, Code};
use lifeboat_recovery_point::{PointRepository, ReadablePoint, RecoveryPoint};

use crate::arguments::{PointArguments, StoreArguments};
use crate::context::Context;
use crate::failure::Failure;

/// A recovery point whose signature was verified.
pub struct Opened {
    /// The recovery point.
    pub point: RecoveryPoint,
    /// The fingerprint of the key that signed it, which is the pinned one.
    pub signed_by: String,
}

/// Returns the recovery points of an application in an existing folder.
///
/// # Errors
/// If the folder does not exist or must not be read.
pub fn vault(arguments: &StoreArguments) -> Result<PointRepository, Failure> {
    let store = FolderStore::open(&arguments.store).map_err(|error| {
        let failure = Failure::from(error);
        match failure.problem().code {
            // Commands that read do not create a store; the first backup does.
            Code::StoreNotFound => failure.remedy(format!(
                "check --store; `lifeboat backup --store {}` makes the folder with the first recovery point",
                arguments.store.display()
            )),
            _ => failure,
        }
    })?;
    Ok(PointRepository::new(
        Arc::new(store),
        arguments.application.clone(),
    ))
}

/// Opens the recovery point that `wanted` names, and verifies its signature.
///
/// # Errors
/// If there is no such point, or it is refused.
pub async fn point(wanted: &str, arguments: &PointArguments, context: &Context) -> Result<Opened, Failure> {
    let key = keys::load_verifying(&arguments.verify_key)?;
    let vault = vault(&arguments.store)?;
    let resolved = vault.resolve(wanted, &key).await.map_err(|error| {
        let failure = Failure::from(error);
        match failure.problem().code {
            Code::PointNotFound if wanted == "latest" => failure.remedy(
                "make one with `lifeboat backup`; if there should be one, check --store and --application with `lifeboat points`",
            ),
            _ => failure,
        }
    })?;
    for (point, problem) in &resolved.passed_over {
        context.progress.note(format!(
            "warning: {wanted} passes over the newer recovery point {point}: {}: {}",
            problem.code, problem.message
        ));
    }
    Ok(Opened {
        point: vault.open(&resolved.point, &key).await?,
        signed_by: key.fingerprint().to_string(),
    })
}

/// Opens the recovery point that `wanted` names, and decrypts its data keys.
///
/// # Errors
/// If there is no such point, it is refused, or the key is not the one that it was encrypted to.
pub async fn readable(
    wanted: &str,
    arguments: &PointArguments,
    recovery_key: &Path,
    context: &Context,
) -> Result<ReadablePoint, Failure> {
    let unwrapper = PemUnwrapper::load(recovery_key)?;
    let opened = point(wanted, arguments, context).await?;
    Ok(opened.point.decrypt(&unwrapper).await?)
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
