//! The repeated verification of recovery points in the vault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use jiff::Timestamp;
use lifeboat_format::Hasher;
use lifeboat_format::manifest::PackRecord;
use lifeboat_format::verify::VerifyError;
use lifeboat_model::{ApplicationName, PackName, RecoveryPointId};
use lifeboat_recovery_point::point::{PointError, RecoveryPoint};
use lifeboat_store::ports::StoreError;

use super::copy::{CopyError, pinned};
use crate::ActionOutcome;
use crate::ports::Ports;

/// The files of a recovery point that were verified before the time of an invocation was up, for each application. It
/// lives as long as the process; another process begins anew.
#[derive(Debug, Default)]
pub struct Verification(Mutex<BTreeMap<ApplicationName, (RecoveryPointId, BTreeSet<PackName>)>>);

impl Verification {
    fn take(&self, application: &ApplicationName, point: &RecoveryPointId) -> BTreeSet<PackName> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = held.remove(application);
        begun
            .filter(|(of, _)| of == point)
            .map_or_else(BTreeSet::new, |(_, files)| files)
    }

    fn keep(&self, application: &ApplicationName, point: &RecoveryPointId, files: BTreeSet<PackName>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(application.clone(), (point.clone(), files));
    }
}

/// Verifies a recovery point; returns no result if the time is up before its end.
pub(super) async fn verify(
    ports: &Ports,
    application: &ApplicationName,
    point: &RecoveryPointId,
    signer: &str,
    until: Timestamp,
) -> Result<Option<ActionOutcome>, StoreError> {
    let mut done = ports.verification.take(application, point);
    let checked = async {
        let key = pinned(signer)?;
        let opened = RecoveryPoint::open(Arc::clone(&ports.vault), application, point, &key).await?;
        for pack in opened.files() {
            if done.contains(&pack.name) {
                continue;
            }
            if !check(ports, &opened, pack, until).await? {
                return Ok(false);
            }
            done.insert(pack.name.clone());
        }
        Ok::<bool, CopyError>(true)
    };
    let damaged = match checked.await {
        Ok(true) => None,
        Ok(false) => {
            ports.verification.keep(application, point, done);
            return Ok(None);
        }
        Err(CopyError::Point(PointError::Store { source })) => {
            ports.verification.keep(application, point, done);
            return Err(source);
        }
        Err(error) => Some(error.problem()),
    };
    Ok(Some(ActionOutcome::Verified {
        point: point.clone(),
        damaged,
    }))
}

/// Compares the digest of a file with the signed one; returns whether the time was enough.
async fn check(
    ports: &Ports,
    opened: &RecoveryPoint,
    pack: &PackRecord,
    until: Timestamp,
) -> Result<bool, PointError> {
    let mut hasher = Hasher::default();
    let mut pieces = std::pin::pin!(opened.pieces(pack));
    while let Some(piece) = pieces.next().await {
        if ports.clock.now() >= until {
            return Ok(false);
        }
        hasher.update(&piece?);
    }
    let found = hasher.finish();
    if found == pack.sha256 {
        return Ok(true);
    }
    let source = VerifyError::Digest {
        name: pack.name.clone(),
        expected: pack.sha256,
        found,
    };
    Err(opened.file_error(pack, source))
}
