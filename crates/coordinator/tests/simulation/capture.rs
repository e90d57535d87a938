//! Captures of the simulation: type by type, each in its own packs, over epochs and in parts, with the real
//! documents, the real `partition_types` and the real merge.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, FORMAT_VERSION, PackRecord, PackRecordKind, Predicate, ServerRecord, Tool,
    TypeOutcome, TypeRecord, WrappedFor, WrappedKeyRecord,
};
use lifeboat_format::{Sha256, WrapAlgorithm};
use lifeboat_jobs::folder::view;
use lifeboat_jobs::split::{merge, partition_types};
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler, Stop};
use lifeboat_jobs::{
    CaptureCheckpoint, CaptureDone, CaptureWork, Claim, Done, Outcome, Progress, ResultValidity, SealWork,
    Sealed, Trust,
};
use lifeboat_model::{ApplicationName, ClusterName, Filter, PackName, RecoveryPointId, TypeName};
use lifeboat_recovery_point::cursor::{
    CapturedCluster, ClusterCheckpoint, ListingCheckpoint, TypeCheckpoint, TypeCounts, Types,
};
use lifeboat_recovery_point::layout::{WriterId, file_key, manifest_key};
use lifeboat_recovery_point::{RecoveryPoint, seal};
use lifeboat_store::ports::{ObjectStore, Signer as _, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

use crate::delegate::{COORDINATORS, Delegate, RECIPIENT, SIGNER, stopped, store_failed};

/// The types of every cluster of a simulation.
pub(crate) const TYPES: [&str; 4] = ["configmaps", "events", "pods", "secrets"];

/// Returns the number of objects of each type in a cluster; enough that two or three jobs capture a big one.
pub(crate) fn counts(big: bool) -> BTreeMap<TypeName, u64> {
    let each = if big { 120_000 } else { 30 };
    TYPES.iter().map(|name| (TypeName::from(*name), each)).collect()
}

#[async_trait(?Send)]
impl Handler<CaptureWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &CaptureWork) -> EpochEnd {
        let reports = match self.connect(&work.clusters).await {
            Ok(reports) => reports,
            Err(end) => return end,
        };
        match self.capture(epoch, work).await {
            Ok(EpochEnd::Result(outcome, _)) => EpochEnd::Result(outcome, reports),
            Ok(end) => end,
            Err(error) => store_failed(&error),
        }
    }
}

impl Delegate {
    /// Captures a cluster type by type, until the end, the checkpoint of this epoch, or a reason to stop.
    async fn capture(&self, epoch: &Epoch<'_>, work: &CaptureWork) -> Result<EpochEnd, StoreError> {
        let [target] = work.clusters.as_slice() else {
            panic!("the coordinator makes a job for each cluster");
        };
        let open = match epoch.checkpoint.map(|checkpoint| &checkpoint.progress) {
            Some(Progress::Capture(progress)) => progress.open.clone(),
            Some(Progress::Restore(_) | Progress::Plan(_) | Progress::Nothing {}) | None => None,
        };
        let mut open = match open {
            Some(open) => open,
            None => {
                let counts = counts(self.big);
                if work.split && partition_types(&counts).len() > 1 {
                    return Ok(done(CaptureDone {
                        sealed: None,
                        clusters: Vec::new(),
                        counted: Some(TypeCounts {
                            resource_version: "1000".to_owned(),
                            types: counts,
                        }),
                    }));
                }
                self.begin(&target.name, &work.types)
            }
        };
        let writer = WriterId {
            part: work.part,
            epoch: epoch.claim.epoch.get(),
        };
        for number in 0.. {
            if open.listing.open.is_empty() {
                break;
            }
            match self.work(epoch, 60).await {
                Ok(()) => {}
                Err(Stop::Time) => return Ok(checkpoint(open)),
                Err(why) => return Ok(stopped(why)),
            }
            let next = open.listing.open.pop().unwrap();
            let packs = self
                .packs(epoch.claim, &work.point, &target.name, writer, number)
                .await?;
            open.packs.extend(packs);
            if number == 0 {
                open.keys.push(key(&self.application, &target.name, writer));
            }
            open.listing.objects += 7;
            open.listing.bytes += 7;
            open.listing.types.push(next.record);
            if !open.listing.open.is_empty() && self.shared.fault(8) {
                return Ok(checkpoint(open));
            }
        }
        let captured = self.whole(open);
        let (sealed, clusters) = match work.seal {
            false => (None, vec![captured]),
            true => match self.sign(&work.point, vec![captured]).await? {
                Some(sealed) => (Some(sealed), Vec::new()),
                None => return Ok(EpochEnd::Checkpoint(Progress::Nothing {})),
            },
        };
        Ok(done(CaptureDone {
            sealed,
            clusters,
            counted: None,
        }))
    }

    /// Runs a seal; `None` if a part has no result that counts.
    pub(crate) async fn seal(&self, work: &SealWork) -> Result<Option<Sealed>, StoreError> {
        let mut captured = Vec::new();
        for part in &work.parts {
            let view = view(
                self.store.as_ref(),
                part,
                Trust::Keys(COORDINATORS.as_slice()),
                None,
            )
            .await?;
            let ResultValidity::Counts(result) = view.validity() else {
                return Ok(None);
            };
            let Outcome::Done(Done::Capture(done)) = &result.outcome else {
                return Ok(None);
            };
            captured.extend(done.clusters.clone());
        }
        match merge(captured) {
            Ok(captured) => self.sign(&work.point, captured).await,
            Err(_) => Ok(None),
        }
    }

    async fn packs(
        &self,
        claim: &Claim,
        point: &RecoveryPointId,
        cluster: &ClusterName,
        writer: WriterId,
        number: u32,
    ) -> Result<Vec<PackRecord>, StoreError> {
        let captures = self.captures();
        let mut bytes = self.shared.draw().to_be_bytes().to_vec();
        bytes.extend_from_slice(claim.job.as_str().as_bytes());
        let mut packs = Vec::new();
        for (sort, kind) in [('p', PackRecordKind::Objects), ('i', PackRecordKind::Index)] {
            let name = PackName::parse(format!("{cluster}/{sort}-{writer}-{number:04}.pack")).unwrap();
            captures
                .put_new(&file_key(&self.application, point, &name), bytes.clone().into())
                .await?;
            packs.push(PackRecord {
                name,
                kind,
                key: key_id(cluster, writer),
                sha256: Sha256::of(&bytes),
                bytes: bytes.len() as u64,
                frames: 1,
                point: None,
                version: None,
            });
        }
        Ok(packs)
    }

    pub(crate) async fn sign(
        &self,
        point: &RecoveryPointId,
        captured: Vec<CapturedCluster>,
    ) -> Result<Option<Sealed>, StoreError> {
        let (mut keys, mut clusters) = (Vec::new(), Vec::new());
        for cluster in captured {
            keys.extend(cluster.keys);
            clusters.push(cluster.record);
        }
        let predicate = Predicate {
            infrastructure: None,
            format_version: FORMAT_VERSION,
            application: self.application.clone(),
            point: point.clone(),
            created_at: self.now(),
            tool: Tool {
                name: "lifeboat".to_owned(),
                version: "0.1.0".to_owned(),
            },
            completeness: Completeness::Complete,
            keys,
            clusters,
        };
        let captures = self.captures();
        // A failed seal may still have written the manifest; the stored one counts.
        let _ = seal(captures.as_ref(), &*SIGNER, predicate).await;
        let (bytes, _) = captures.get(&manifest_key(&self.application, point)).await?;
        let opened = RecoveryPoint::open(captures, &self.application, point, SIGNER.verifying_key()).await;
        Ok(opened.ok().map(|opened| Sealed {
            manifest: Sha256::of(&bytes),
            completeness: Completeness::Complete,
            objects: 7,
            bytes: opened.bytes(),
        }))
    }

    fn captures(&self) -> Arc<dyn ObjectStore> {
        Arc::new(PrefixStore::new(Arc::clone(&self.store), CAPTURES))
    }

    fn begin(&self, cluster: &ClusterName, types: &Types) -> ClusterCheckpoint {
        let taken = TYPES.iter().filter(|name| types.takes(&TypeName::from(**name)));
        let open = taken.map(|name| TypeCheckpoint {
            record: record(name),
            position: None,
        });
        ClusterCheckpoint {
            name: cluster.clone(),
            started_at: self.now(),
            listing: ListingCheckpoint {
                server: server(),
                resource_version: types.resource_version().map(str::to_owned),
                types: Vec::new(),
                open: open.collect(),
                missing: Vec::new(),
                objects: 0,
                bytes: 0,
                dependencies: BTreeMap::new(),
            },
            packs: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn whole(&self, open: ClusterCheckpoint) -> CapturedCluster {
        CapturedCluster {
            record: ClusterRecord {
                name: open.name,
                server: open.listing.server,
                resource_version: open.listing.resource_version,
                started_at: open.started_at,
                finished_at: self.now(),
                filters: Filter::default(),
                objects: open.listing.objects,
                bytes: open.listing.bytes,
                types: open.listing.types,
                missing: open.listing.missing,
                packs: open.packs,
                dependencies: open.listing.dependencies,
            },
            keys: open.keys,
        }
    }
}

fn done(done: CaptureDone) -> EpochEnd {
    EpochEnd::Result(Outcome::Done(Done::Capture(done)), Vec::new())
}

fn checkpoint(open: ClusterCheckpoint) -> EpochEnd {
    EpochEnd::Checkpoint(Progress::Capture(Box::new(CaptureCheckpoint {
        done: Vec::new(),
        open: Some(open),
    })))
}

fn server() -> ServerRecord {
    ServerRecord {
        kube_system_uid: None,
        version: "v1.36.3".to_owned(),
        platform: "linux/arm64".to_owned(),
    }
}

fn key_id(cluster: &ClusterName, writer: WriterId) -> String {
    format!("k-{cluster}-{writer}")
}

fn key(application: &ApplicationName, cluster: &ClusterName, writer: WriterId) -> WrappedKeyRecord {
    WrappedKeyRecord {
        id: key_id(cluster, writer),
        application: Some(application.clone()),
        cluster: Some(cluster.clone()),
        recipients: vec![WrappedFor {
            recipient: RECIPIENT.fingerprint().clone(),
            algorithm: WrapAlgorithm::RsaOaepSha256,
            wrapped: vec![7; 512],
        }],
    }
}

fn record(name: &str) -> TypeRecord {
    TypeRecord {
        group: String::new(),
        version: "v1".to_owned(),
        resource: name.to_owned(),
        kind: name.to_owned(),
        namespaced: true,
        short_names: Vec::new(),
        singular: String::new(),
        verbs: vec!["list".to_owned()],
        served_versions: vec!["v1".to_owned()],
        custom: false,
        outcome: TypeOutcome::Listed {
            resource_version: None,
            pinned: true,
            why: None,
            objects: 7,
            bytes: 7,
        },
    }
}
