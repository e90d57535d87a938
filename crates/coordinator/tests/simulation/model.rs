//! The invariants, during the simulation and at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use lifeboat_coordinator::retention::{PointFacts, last_good};
use lifeboat_coordinator::state::{PlanEnd, RestoreEnd, State};
use lifeboat_jobs::keys::plan_part_key;
use lifeboat_jobs::{CaptureDone, Done, Outcome, Trust, folder};
use lifeboat_model::environment::Side;
use lifeboat_model::request::{Answer, Request};
use lifeboat_model::{Arn, Code, DelegateId, Issue, JobId, RecoveryPointId};
use lifeboat_recovery_point::{RecoveryPoint, Silent};
use lifeboat_store::ports::{ObjectStore, Signer as _};

use crate::capture::TYPES;
use crate::delegate::{COORDINATORS, SIGNER};
use crate::fixture::{Fixture, SHOP, shop, signer};

/// Observations of the state document.
#[derive(Default)]
pub(crate) struct Model {
    last: Bytes,
    revision: u64,
    backups: BTreeSet<RecoveryPointId>,
    ended: BTreeMap<(String, String), RestoreEnd>,
    plans: BTreeMap<String, PlanEnd>,
    good: Option<RecoveryPointId>,
    /// The jobs that coordinators have assigned.
    pub(crate) jobs: BTreeSet<String>,
    /// Whether somebody writes to the scratch bucket of the primary environment who may not.
    pub(crate) hostile: bool,
    /// The recovery points that were made before.
    pub(crate) trusted: BTreeSet<RecoveryPointId>,
}

/// A moment of a simulation.
#[derive(Clone, Copy)]
pub(crate) struct Since {
    /// Seconds since 1970.
    seconds: i64,
    /// The number of backups begun before.
    started: usize,
}

impl Since {
    pub(crate) fn now(fixture: &Fixture) -> Self {
        Self {
            seconds: fixture.shared.seconds(),
            started: fixture.shop().model.started(),
        }
    }
}

impl Model {
    /// Returns the number of backups begun so far.
    fn started(&self) -> usize {
        self.backups.len()
    }

    /// Checks the state document after each step.
    pub(crate) fn see(&mut self, bytes: &Bytes, now: Timestamp) {
        if bytes.as_ptr() == self.last.as_ptr() || *bytes == self.last {
            return;
        }
        self.last = bytes.clone();
        let state: State = serde_json::from_slice(bytes).unwrap();
        assert!(state.revision > self.revision, "revisions only grow");
        self.revision = state.revision;
        self.backups
            .extend(state.backup.iter().map(|run| run.point.clone()));
        self.jobs.extend(state.jobs().map(|entry| entry.job.to_string()));
        self.see_restores(&state);
        self.see_plans(&state);
        self.see_points(&state, now);
        for issue in state.issues.values() {
            let broken = match issue.code {
                Code::VaultDamaged | Code::PointMissing | Code::PointUnknown | Code::Bug => true,
                Code::JobDocumentRefused => !self.hostile,
                _ => false,
            };
            assert!(!broken, "nobody forges or breaks anything here: {issue}");
        }
        for point in &self.trusted {
            let entry = state.points.get(point);
            assert!(
                entry.is_some_and(|entry| entry.damaged.is_none()) && !state.expiring.contains(point),
                "{point} was in the vault before, and is lost at {now}"
            );
        }
    }

    fn see_restores(&mut self, state: &State) {
        let working = state
            .restores
            .iter()
            .filter(|run| run.job.is_some() && run.end.is_none());
        let targets: Vec<&str> = working.map(|run| run.target.arn.as_str()).collect();
        let distinct: BTreeSet<&str> = targets.iter().copied().collect();
        assert_eq!(
            targets.len(),
            distinct.len(),
            "one restore at a time for each cluster: {targets:?}"
        );
        for run in &state.restores {
            let Some(end) = &run.end else {
                continue;
            };
            let name = (run.token.to_string(), run.cluster.to_string());
            let first = self.ended.entry(name).or_insert_with(|| end.clone());
            assert_eq!(first, end, "a restore ends once");
        }
    }

    fn see_plans(&mut self, state: &State) {
        let working = state
            .plans
            .iter()
            .filter(|run| run.job.is_some() && run.end.is_none());
        assert!(working.count() <= 1, "one plan at a time");
        for run in &state.plans {
            if let Some(end) = &run.end {
                let first = self
                    .plans
                    .entry(run.token.to_string())
                    .or_insert_with(|| end.clone());
                assert_eq!(first, end, "a plan ends once");
            }
        }
    }

    fn see_points(&mut self, state: &State, now: Timestamp) {
        let facts: Vec<PointFacts> = state
            .points
            .iter()
            .map(|(point, entry)| entry.facts(point, false))
            .collect();
        let good = last_good(&facts).map(|good| good.point.clone());
        assert!(
            good >= self.good,
            "the last good point was deleted at {now}: {:?} after {:?}",
            good,
            self.good
        );
        self.good = good;
        for point in &state.expiring {
            assert_ne!(Some(point), self.good.as_ref());
            let used = state
                .restores
                .iter()
                .any(|run| run.end.is_none() && run.point == *point);
            assert!(!used, "{point} is deleted while a restore needs it");
            let mut plans = state.plans.iter();
            let used = plans.any(|run| run.end.is_none() && run.point == *point);
            assert!(!used, "{point} is deleted while a plan needs it");
        }
    }
}

/// Checks the end, after a time without faults: no work may be left.
pub(crate) fn check_end(fixture: &Fixture, since: Since) {
    let state = fixture.state_of(SHOP);
    assert_eq!(state.pins.signing_key.as_ref().unwrap().fingerprint, signer());
    check_requests(fixture, SHOP);
    let codes: Vec<Code> = state
        .issues
        .values()
        .map(|issue| issue.code)
        .filter(|c| *c != Code::RestoreFailed)
        // A step is an hour then, and so is the interval of the checks of the recovery key: the last one has waited for
        // the delegate since the step before.
        .filter(|c| !(fixture.is_coarse() && *c == Code::DelegateNotResponding))
        .collect();
    assert!(
        codes.is_empty(),
        "issues close once they are fixed: {:?}",
        state.issues
    );
    assert!(state.notices.is_empty(), "somebody was told of all of them");
    check_backups(fixture, &state, since);
    check_vault(fixture, &state);
    let running = state.backup.as_ref().map(|run| run.point.to_string());
    for key in (fixture.shop().primary.store.contents().keys()).filter(|key| key.starts_with("captures/")) {
        assert!(
            running.as_ref().is_some_and(|point| key.contains(point)),
            "{key} is left over"
        );
    }
}

/// Checks who has worked on the clusters after the last change of their endpoints.
pub(crate) fn check_delegates(fixture: &Fixture, private: bool) {
    let ledger = fixture.ledger.lock().unwrap();
    for (side, environment) in [
        (Side::Primary, &fixture.shop().primary),
        (Side::Recovery, &fixture.recovery),
    ] {
        for cluster in fixture.shop().private_clusters(side) {
            let arn = Arn::cluster(&environment.id, cluster.as_str())
                .unwrap()
                .to_string();
            let delegate = match private {
                true => DelegateId::private(&shop(), &cluster),
                false => DelegateId::public(&shop()),
            };
            let worked = ledger.worked.get(&arn);
            let expected = BTreeSet::from([delegate.to_string()]);
            assert_eq!(worked, Some(&expected), "{arn}");
        }
    }
}

/// Checks a time without faults other than a recovery environment that does not answer.
pub(crate) fn check_dead_recovery(fixture: &Fixture, since: Since) {
    let state = fixture.state_of(SHOP);
    let recovery = fixture.recovery.id.to_string();
    let is_about = |issue: &Issue| issue.id.as_str().contains(&recovery);
    let mut issues = state.issues.values();
    assert!(
        issues.any(|issue| issue.code == Code::EnvironmentUnavailable && is_about(issue)),
        "an issue says that the recovery environment does not answer: {:?}",
        state.issues
    );
    // Nothing can be encrypted before a recovery key is known.
    if state.pins.recovery_key.is_none() {
        return;
    }
    let mut others = (state.issues.values())
        .filter(|issue| !is_about(issue))
        .filter(|issue| issue.code != Code::RestoreFailed);
    assert_eq!(
        others.next(),
        None,
        "only the recovery environment does not answer"
    );
    check_backups(fixture, &state, since);
}

/// Checks that the schedule is kept since this moment, from which on there were no faults.
fn check_backups(fixture: &Fixture, state: &State, since: Since) {
    let newest = state.points.values().map(|entry| entry.created_at).max().unwrap();
    let age = fixture.shared.now().duration_since(newest);
    let limit = if fixture.is_coarse() { 14 } else { 1 };
    assert!(
        age < SignedDuration::from_hours(limit),
        "the last point is {age:#} old"
    );
    let slots = (fixture.shared.seconds() - since.seconds) / fixture.shop().every + 1;
    // In addition, a missed backup, a requested one and a retry are allowed.
    let begun = fixture.shop().model.started() - since.started;
    assert!(
        begun as i64 <= slots + 3,
        "{begun} backups in {slots} times of the schedule: they pile up"
    );
}

/// Every accepted plan has ended, and its parts are in the bucket.
fn check_plans(fixture: &Fixture, application: usize) {
    let state = fixture.state_of(application);
    let of = &fixture.applications[application];
    for (request, answer) in fixture.answers.lock().unwrap().iter() {
        if let (Request::Plan(_), Answer::Accepted(accepted)) = (request, answer)
            && accepted.application == of.name
        {
            let runs = state.plans.iter().filter(|run| run.token == accepted.token);
            assert_eq!(runs.count(), 1, "{} was asked for once", accepted.token);
        }
    }
    let written = fixture.recovery.store.contents();
    for run in &state.plans {
        let end = run.end.as_ref();
        let end = end.unwrap_or_else(|| panic!("the plan {} was lost", run.token));
        let Some(done) = &end.done else { continue };
        assert_eq!(done.clusters.len(), of.clusters.len());
        for (cluster, part) in &done.clusters {
            let key = plan_part_key(end.job.as_ref().unwrap(), part.epoch, Some(cluster));
            assert!(written.contains_key(key.as_str()), "{key} is missing");
        }
    }
}

/// Every accepted restore has ended, once.
pub(crate) fn check_requests(fixture: &Fixture, application: usize) {
    check_plans(fixture, application);
    let state = fixture.state_of(application);
    let of = &fixture.applications[application];
    for (request, answer) in fixture.answers.lock().unwrap().iter() {
        if let (Request::Restore(_), Answer::Accepted(accepted)) = (request, answer)
            && accepted.application == of.name
        {
            let runs: Vec<_> = state
                .restores
                .iter()
                .filter(|run| run.token == accepted.token)
                .collect();
            assert_eq!(
                runs.len(),
                of.clusters.len(),
                "{} was asked for once, however often it was said",
                accepted.token
            );
            for run in runs {
                assert!(run.end.is_some(), "the restore was lost: {run:?}");
                assert_eq!(Some(&run.point), accepted.point.as_ref());
            }
        }
    }
}

/// Every recovery point in the vault is complete, was reported by a result that counts, and is in the
/// catalogue.
fn check_vault(fixture: &Fixture, state: &State) {
    let vault: Arc<dyn ObjectStore> = Arc::new(fixture.vault.clone());
    let primary = &fixture.shop().primary.store;
    let manifests: Vec<String> = fixture
        .vault
        .contents()
        .into_keys()
        .filter_map(|key| {
            Some(
                key.strip_prefix("shop/points/")?
                    .strip_suffix("/manifest.json")?
                    .to_owned(),
            )
        })
        .collect();
    let known: Vec<&str> = state.points.keys().map(RecoveryPointId::as_str).collect();
    let running = state.backup.as_ref().map(|run| run.point.as_str());
    let mut listed: Vec<&str> = manifests.iter().map(String::as_str).collect();
    listed.retain(|point| Some(*point) != running);
    assert_eq!(listed, known, "the catalogue says what the vault holds");
    for point in state.points.keys() {
        block_on(async {
            let opened =
                RecoveryPoint::open(Arc::clone(&vault), &shop(), point, SIGNER.verifying_key()).await;
            let opened = opened.unwrap();
            opened.verify_digests(&Silent).await.unwrap();
            let job =
                |name: &str| JobId::new(&DelegateId::public(&shop()), &format!("{point}-{name}")).unwrap();
            // The job that sealed it: the only job of the recovery point, or the last one.
            let trust = Trust::Keys(COORDINATORS.as_slice());
            let seal = job("seal");
            let view = folder::view(primary, &seal, trust, None).await.unwrap();
            let view = match view.result {
                Some(_) => view,
                None => {
                    let only = job(&format!("capture-{}-00", fixture.shop().clusters[0]));
                    folder::view(primary, &only, trust, None).await.unwrap()
                }
            };
            // Computed here and not by the function under test: the highest claim owns the job.
            let result = view.result.as_ref().unwrap();
            let owner = view.claims.keys().next_back().unwrap();
            assert_eq!(
                result.epoch, *owner,
                "{point} was vaulted for a delegate that had lost the job"
            );
            let sealed = match &result.outcome {
                Outcome::Done(Done::Capture(CaptureDone {
                    sealed: Some(sealed), ..
                }))
                | Outcome::Done(Done::Seal(sealed)) => sealed,
                _ => panic!("{point} is in the vault, and its capture failed"),
            };
            check_contents(fixture, &opened);
            assert_eq!(sealed.manifest, opened.manifest_digest());
        });
    }
}

/// Regardless of the number of epochs and jobs, the recovery point contains every type of every cluster once.
fn check_contents(fixture: &Fixture, opened: &RecoveryPoint) {
    let clusters = &opened.statement().predicate.clusters;
    let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, fixture.shop().clusters);
    for cluster in clusters {
        let types: Vec<&str> = cluster
            .types
            .iter()
            .map(|record| record.resource.as_str())
            .collect();
        assert_eq!(types, TYPES, "{} in {}", cluster.name, opened.point());
        assert_eq!(cluster.objects, 7 * TYPES.len() as u64);
        assert_eq!(
            cluster.packs.len(),
            2 * TYPES.len(),
            "one pair of packs for each type"
        );
    }
}
