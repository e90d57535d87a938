//! Captures of the simulation: types one by one, each in packs of its own, over epochs and in parts, with the
//! real documents, the real partition_types and the real merge.

use std::collections::BTreeMap;
use std::sync::Arc;

use lifeboat_format::manifest::{
    ClusterRecord, Completeness, FORMAT_VERSION, PackRecord, PackRecordKind, Predicate, ServerRecord, Tool,
    TypeOutcome, TypeRecord, WrappedKeyRecord,
};
use lifeboat_format::{Sha256, WrapAlgorithm, WrappedKey};
use lifeboat_jobs::split::{merge, partition_types};
use lifeboat_jobs::{
    CaptureCheckpoint, CaptureDone, Claim, Done, Outcome, Progress, ResultValidity, Sealed, Work, claim,
};
use lifeboat_model::{ClusterName, Filter, JobId, PackName, RecoveryPointId, TypeName};
use lifeboat_recovery_point::cursor::{
    CapturedCluster, ClusterCheckpoint, ListingCheckpoint, TypeCheckpoint, TypeCounts, Types,
};
use lifeboat_recovery_point::layout::{WriterId, file_key, manifest_key};
use lifeboat_recovery_point::{RecoveryPoint, seal};
use lifeboat_store::ports::{ObjectStore, Signer as _, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

use crate::delegate::{Delegate, RECIPIENT, SIGNER};

/// The types of every cluster of a simulation.
pub(crate) const TYPES: [&str; 4] = ["configmaps", "events", "pods", "secrets"];

/// How many objects of each type a cluster holds; so many that two or three jobs capture a big one.
pub(crate) fn counts(big: bool) -> BTreeMap<TypeName, u64> {
    let each = if big { 120_000 } else { 30 };
    TYPES.iter().map(|name| (TypeName::from(*name), each)).collect()
}

impl Delegate {
    /// What came of a capture; none where it ended at a checkpoint or was told to stop.
    pub(crate) async fn capture(
        &self,
        claim: &Claim,
        work: &Work,
        before: Option<&Progress>,
    ) -> Result<Option<CaptureDone>, StoreError> {
        let Work::Capture {
            point,
            clusters,
            types,
            seal,
            part,
            split,
            ..
        } = work
        else {
            unreachable!("only captures come here");
        };
        let [target] = clusters.as_slice() else {
            panic!("the coordinator makes a job for each cluster");
        };
        let mut open = match before {
            Some(Progress::Capture(progress)) => progress.open.clone().unwrap(),
            Some(_) => panic!("a capture goes on from a capture"),
            None => {
                let counts = counts(self.big);
                if *split && partition_types(&counts).len() > 1 {
                    return Ok(Some(CaptureDone {
                        sealed: None,
                        clusters: Vec::new(),
                        counted: Some(TypeCounts {
                            resource_version: "1000".to_owned(),
                            types: counts,
                        }),
                    }));
                }
                self.begin(&target.name, types)
            }
        };
        let series = WriterId {
            part: *part,
            epoch: claim.epoch.get(),
        };
        for number in 0.. {
            self.shared.sleep(self.shared.below(60) as i64).await;
            let Some(next) = open.listing.open.pop() else {
                break;
            };
            let packs = self.packs(claim, point, &target.name, series, number).await?;
            open.packs.extend(packs);
            if number == 0 {
                open.keys.push(key(&target.name, series));
            }
            open.listing.objects += 7;
            open.listing.bytes += 7;
            open.listing.types.push(next.record);
            if !open.listing.open.is_empty() && self.shared.fault(8) {
                let progress = Progress::Capture(Box::new(CaptureCheckpoint {
                    done: Vec::new(),
                    open: Some(open),
                }));
                claim::checkpoint(self.store.as_ref(), claim, progress, self.now()).await?;
                return Ok(None);
            }
        }
        if self.stop(claim).await?.is_some() {
            return Ok(None);
        }
        let captured = self.whole(open);
        if !*seal {
            return Ok(Some(CaptureDone {
                sealed: None,
                clusters: vec![captured],
                counted: None,
            }));
        }
        let sealed = self.sign(point, vec![captured]).await?;
        Ok(sealed.map(|sealed| CaptureDone {
            sealed: Some(sealed),
            clusters: Vec::new(),
            counted: None,
        }))
    }

    /// What came of a seal; none where a part has no result that counts.
    pub(crate) async fn seal(
        &self,
        point: &RecoveryPointId,
        parts: &[JobId],
    ) -> Result<Option<Sealed>, StoreError> {
        let mut captured = Vec::new();
        for part in parts {
            let view = claim::view(self.store.as_ref(), part).await?;
            let ResultValidity::Counts(result) = view.verdict() else {
                return Ok(None);
            };
            let Outcome::Done(Done::Capture(done)) = &result.outcome else {
                return Ok(None);
            };
            captured.extend(done.clusters.clone());
        }
        self.sign(point, merge(captured).unwrap()).await
    }

    async fn packs(
        &self,
        claim: &Claim,
        point: &RecoveryPointId,
        cluster: &ClusterName,
        series: WriterId,
        number: u32,
    ) -> Result<Vec<PackRecord>, StoreError> {
        let captures = self.captures();
        let mut bytes = self.shared.draw().to_be_bytes().to_vec();
        bytes.extend_from_slice(claim.job.as_str().as_bytes());
        let mut packs = Vec::new();
        for (sort, kind) in [('p', PackRecordKind::Objects), ('i', PackRecordKind::Index)] {
            let name = PackName::parse(format!("{cluster}/{sort}-{series}-{number:04}.pack")).unwrap();
            captures
                .put_new(&file_key(&self.application, point, &name), bytes.clone().into())
                .await?;
            packs.push(PackRecord {
                name,
                kind,
                key: key(cluster, series).id,
                sha256: Sha256::of(&bytes),
                bytes: bytes.len() as u64,
                frames: 1,
                point: None,
            });
        }
        Ok(packs)
    }

    async fn sign(
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
        // Sealing that failed may have written the manifest all the same; what is there counts.
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

fn server() -> ServerRecord {
    ServerRecord {
        kube_system_uid: None,
        version: "v1.36.3".to_owned(),
        platform: "linux/arm64".to_owned(),
    }
}

fn key(cluster: &ClusterName, series: WriterId) -> WrappedKeyRecord {
    let wrapped = WrappedKey {
        algorithm: WrapAlgorithm::RsaOaepSha256,
        recipient: RECIPIENT.fingerprint().clone(),
        ciphertext: vec![7; 512],
    };
    WrappedKeyRecord::new(format!("k-{cluster}-{series}"), wrapped)
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
