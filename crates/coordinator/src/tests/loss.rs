//! Recovery points that are damaged, missing or of another signer are never deleted for it, and the primary
//! environment has no influence on their age and order.

use lifeboat_model::IssueId;
use lifeboat_model::request::{AcknowledgeRequest, Answer, TrustRequest};

use super::*;

impl Scenario {
    /// Makes one recovery point in each of these hours of the day.
    fn back_up(&mut self, hours: &[&str]) {
        for hour in hours {
            self.decide(&format!("{hour}:00:30"));
            self.finish(hour);
        }
    }

    /// Ends the running checks, which find nothing.
    fn end_checks(&mut self, now: &str) {
        for run in self.state.checks.clone() {
            let found = Done::Check {
                key: None,
                found: Vec::new(),
                missing: Vec::new(),
            };
            let epoch = run.job.epoch().get();
            self.claim(&run.job.job, epoch, now);
            self.end(&run.job.job, epoch, Outcome::Done(found), Vec::new());
        }
    }

    /// Ends the running backup, and stores its recovery point in the vault.
    fn finish(&mut self, hour: &str) {
        self.end_checks(&format!("{hour}:00:40"));
        let (job, epoch) = {
            let entry = &self.state.backup.as_ref().unwrap().captures[0];
            (entry.job.clone(), entry.epoch().get())
        };
        self.claim(&job, epoch, &format!("{hour}:00:40"));
        self.end(&job, epoch, sealed(), Vec::new());
        self.decide(&format!("{hour}:01:30"));
        self.vault(&format!("{hour}:01:00"));
        self.decide(&format!("{hour}:01:31"));
        self.known();
        self.decide(&format!("{hour}:01:32"));
    }

    fn codes(&self) -> Vec<Code> {
        self.state.issues.values().map(|issue| issue.code).collect()
    }

    fn only_point(&self) -> RecoveryPointId {
        let mut points = self.state.points.keys();
        let point = points.next().unwrap().clone();
        assert_eq!(points.next(), None);
        point
    }

    fn acknowledge(&mut self, issue: &str, now: &str) -> Answer {
        self.inventory.requests = vec![Request::Acknowledge(AcknowledgeRequest {
            application: ApplicationName::parse("shop").unwrap(),
            issue: IssueId::parse(issue).unwrap(),
            token: None,
        })];
        self.decide(now).answers.remove(0)
    }

    fn trust(&mut self, key: &VerifyingKey, now: &str) -> Answer {
        self.inventory.requests = vec![Request::Trust(TrustRequest {
            application: ApplicationName::parse("shop").unwrap(),
            signing_key: Some(key.fingerprint().to_string()),
            recovery_key: None,
            token: None,
        })];
        self.decide(now).answers.remove(0)
    }

    /// Registers another signing key in the primary environment.
    fn register(&mut self, key: &VerifyingKey) {
        let environment = self.inventory.primary.environment.as_mut().unwrap();
        environment.signing_key.as_mut().unwrap().public_key = key.to_pem();
    }
}

/// The base point of P-256 (SEC 2, section 2.4.2), which is a valid public key.
fn other_key() -> VerifyingKey {
    let point = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let bytes: Vec<u8> = (0..point.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&point[at..at + 2], 16).unwrap())
        .collect();
    VerifyingKey::from_point(&bytes).unwrap()
}

#[test]
fn another_signing_key_stops_backups_until_it_is_trusted_by_request() {
    let mut scenario = Scenario::with_point();
    let former = scenario.state.pins.signing_key.clone().unwrap();
    let other = other_key();
    scenario.register(&other);
    scenario.decide("11:00:30");
    assert!(scenario.state.backup.is_none());
    assert_eq!(scenario.codes(), [Code::SigningKeyChanged]);
    // Neither the document nor a request for another key changes the pin.
    scenario.inventory.application.signing_key = Some(other.fingerprint().to_string());
    scenario.decide("11:01:00");
    assert_eq!(scenario.state.pins.signing_key.as_ref(), Some(&former));
    let command = scenario.state.issues.values().next().unwrap().command.clone();
    assert_eq!(
        command,
        Some(format!(
            "lifeboat application trust shop --signing-key {}",
            other.fingerprint()
        ))
    );
    scenario.register(&VerifyingKey::from_pem(&former.public_key).unwrap());
    assert!(matches!(scenario.trust(&other, "11:01:10"), Answer::Refused(_)));
    scenario.register(&other);
    assert!(matches!(scenario.trust(&other, "11:01:30"), Answer::Accepted(_)));
    assert!(scenario.state.backup.is_some() && scenario.state.issues.is_empty());
    let pins = scenario.state.pins.clone();
    assert_eq!(pins.signing_key.unwrap().fingerprint, *other.fingerprint());
    assert_eq!(pins.former_signing_keys, std::slice::from_ref(&former));
    assert_eq!(pins.changes.len(), 1);
    // A restore of the recovery point that the former key signed verifies it with that key.
    let point = scenario.only_point();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("11:01:40");
    let restore = scenario.job("restore");
    let entry = scenario.state.jobs().find(|entry| entry.job == restore).unwrap();
    let Work::Restore(work) = &entry.work else {
        panic!("it is a restore")
    };
    assert_eq!((&work.point, &work.signer), (&point, &former.public_key));
}

#[test]
fn a_recovery_point_of_a_former_key_is_verified_with_that_key() {
    let mut scenario = Scenario::with_point();
    let former = scenario.state.pins.signing_key.clone().unwrap();
    let other = other_key();
    scenario.register(&other);
    scenario.trust(&other, "10:30:00");
    let (point, mut later) = (scenario.only_point(), scenario.state.clone());
    later.points.get_mut(&point).unwrap().verified_at = Timestamp::UNIX_EPOCH;
    let decision = decide(&scenario.inventory, &later, time("10:31:00"));
    assert!(decision.actions.contains(&Action::VerifyVault {
        point,
        signer: former.public_key
    }));
}

#[test]
fn a_recovery_key_that_cannot_be_used_is_an_issue_within_an_hour() {
    let mut scenario = Scenario::with_point();
    assert!(scenario.state.jobs().all(|entry| entry.work.kind() != "check"));
    scenario.decide("11:00:30");
    let check = scenario.job("check");
    let entry = scenario.state.jobs().find(|entry| entry.job == check).unwrap();
    let Work::Check(work) = &entry.work else {
        panic!("it is a check")
    };
    let pinned = scenario.state.pins.recovery_key.as_ref().unwrap();
    assert_eq!(work.recovery_key.as_ref(), Some(&pinned.public_key));
    let disabled = Problem::of(Code::KeyUnreadable, "the key is disabled");
    let checked = |key| {
        Outcome::Done(Done::Check {
            key,
            found: Vec::new(),
            missing: Vec::new(),
        })
    };
    scenario.claim(&check, 1, "11:00:40");
    scenario.end(
        &check,
        1,
        checked(Some(lifeboat_jobs::Failure::from(&disabled))),
        Vec::new(),
    );
    scenario.decide("11:01:00");
    assert_eq!(scenario.codes(), [Code::RecoveryKeyUnusable]);
    // It is tried again soon, and the issue closes.
    scenario.decide("11:06:00");
    scenario.end_checks("11:06:10");
    scenario.decide("11:06:30");
    assert!(
        !scenario.codes().contains(&Code::RecoveryKeyUnusable),
        "{:?}",
        scenario.state.issues
    );
}

#[test]
fn a_damaged_point_is_kept_until_it_is_acknowledged() {
    let mut scenario = Scenario::with_point();
    let point = scenario.only_point();
    scenario.inventory.performed.push(ActionOutcome::Verified {
        point: point.clone(),
        damaged: Some(Problem::of(Code::VaultDamaged, "a digest differs")),
    });
    scenario.decide("10:10:00");
    // Several good ones follow, and no rule keeps anything but the last one.
    scenario.inventory.application.retention = lifeboat_model::Retention {
        last: 1,
        hourly: 0,
        daily: 0,
        weekly: 0,
        monthly: 0,
    };
    scenario.back_up(&["11", "12"]);
    assert!(scenario.state.points.contains_key(&point));
    assert_eq!(scenario.codes(), [Code::VaultDamaged]);
    let tomorrow = scenario.state.clone();
    let later = decide(
        &scenario.inventory,
        &tomorrow,
        time("23:00:00") + SignedDuration::from_hours(240),
    );
    assert!(
        later.state.points.contains_key(&point),
        "no rule deletes a damaged point"
    );

    let issue = format!("LB-0905:{point}");
    assert!(matches!(
        scenario.acknowledge("LB-0905:other", "12:10:00"),
        Answer::Refused(_)
    ));
    assert!(matches!(
        scenario.acknowledge(&issue, "12:10:10"),
        Answer::Accepted(_)
    ));
    assert!(!scenario.state.points.contains_key(&point));
    assert!(scenario.codes().is_empty());
}

#[test]
fn a_missing_point_is_an_issue_until_it_is_back_or_acknowledged() {
    let mut scenario = Scenario::with_point();
    let point = scenario.only_point();
    scenario.folders().remove(&point);
    scenario.decide("10:10:00");
    assert!(scenario.codes().contains(&Code::PointMissing));
    assert!(scenario.state.points.contains_key(&point));
    // Its previous object versions are restored: it is verified before it counts.
    scenario.folders().insert(point.clone(), VaultView::Known);
    let decision = scenario.decide("10:20:00");
    assert!(
        decision
            .actions
            .iter()
            .any(|action| matches!(action, Action::VerifyVault { .. }))
    );
    scenario.inventory.performed.push(ActionOutcome::Verified {
        point: point.clone(),
        damaged: None,
    });
    scenario.decide("10:20:10");
    assert!(scenario.codes().is_empty());
    scenario.folders().remove(&point);
    scenario.decide("10:30:00");
    scenario.acknowledge(&format!("LB-0912:{point}"), "10:31:00");
    scenario.decide("10:32:00");
    assert!(scenario.state.points.is_empty() && scenario.state.expiring.is_empty());
}

#[test]
fn folders_that_no_backup_wrote_are_neither_used_nor_deleted() {
    let mut scenario = Scenario::with_point();
    let point = scenario.only_point();
    let planted = |text: &str| RecoveryPointId::parse(text).unwrap();
    let (future, unfinished, foreign) = (
        planted("20990101T000000Z-000001"),
        planted("20261121T090000Z-000001"),
        planted("20261121T093000Z-000001"),
    );
    let signed = VaultView::Signed {
        summary: Box::new(SignedSummary {
            created_at: time("10:00:00"),
            completeness: Completeness::Complete,
            objects: 1,
            bytes: 1,
            manifest: Sha256::of(b"planted"),
            clusters: Vec::new(),
        }),
        signer: other_key().fingerprint().clone(),
    };
    let refused = VaultView::Refused(Problem::of(Code::SignatureInvalid, "another key signed it"));
    scenario.folders().insert(future.clone(), signed);
    scenario
        .folders()
        .insert(unfinished.clone(), VaultView::Unfinished);
    scenario.folders().insert(foreign.clone(), refused);
    let decision = scenario.decide("10:10:00");
    assert_eq!(scenario.codes(), [Code::PointUnknown; 3]);
    assert_eq!(scenario.only_point(), point);
    assert!(
        !decision
            .actions
            .iter()
            .any(|action| matches!(action, Action::ExpirePoint { .. }))
    );
    scenario.acknowledge(&format!("LB-0913:{future}"), "10:11:00");
    assert_eq!(scenario.codes(), [Code::PointUnknown; 2]);
    // The next recovery point is the latest, whatever the folder is called.
    scenario.back_up(&["11"]);
    let latest = scenario.state.in_order().last().unwrap().0.clone();
    assert!(latest.as_str().starts_with("20261121T11"), "{latest}");
}

#[test]
fn the_latest_point_is_the_last_one_made_and_not_the_greatest_id() {
    let mut scenario = Scenario::with_point();
    scenario.back_up(&["11"]);
    let first = scenario.state.in_order()[0].0.clone();
    // As if the first one had been made after the second one, with a clock that was set back in between.
    scenario.state.points.get_mut(&first).unwrap().order = 99;
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    let Answer::Accepted(accepted) = scenario.decide("11:10:00").answers.remove(0) else {
        panic!("the restore is accepted")
    };
    assert_eq!(accepted.point, Some(first.clone()));
    // A damaged one is passed over, and the answer says so.
    let damage = Problem::of(Code::VaultDamaged, "a digest differs");
    scenario.state.points.get_mut(&first).unwrap().damaged = Some(damage);
    scenario.inventory.requests = vec![Scenario::restore("t-2")];
    let Answer::Accepted(accepted) = scenario.decide("11:11:00").answers.remove(0) else {
        panic!("the restore is accepted")
    };
    assert_ne!(accepted.point, Some(first.clone()));
    assert_eq!(accepted.passed_over[0].point, first);
}

#[test]
fn retention_deletes_a_limited_share_in_a_day_unless_more_is_allowed() {
    let mut scenario = Scenario::with_point();
    let (first, entry) = scenario.state.points.iter().next().unwrap();
    let (first, entry) = (first.clone(), entry.clone());
    let long_ago = time("00:00:00") - SignedDuration::from_hours(240);
    for number in 0..49_u32 {
        let id = format!("20261101T0000{number:02}Z-000001");
        let mut old = entry.clone();
        (old.created_at, old.order) = (long_ago, 0);
        let id = RecoveryPointId::parse(id).unwrap();
        scenario.folders().insert(id.clone(), VaultView::Known);
        scenario.state.points.insert(id, old);
    }
    scenario.state.deletions.since = None;
    scenario.inventory.application.retention = lifeboat_model::Retention {
        last: 0,
        hourly: 0,
        daily: 1,
        weekly: 0,
        monthly: 0,
    };
    let count = |scenario: &Scenario| scenario.state.points.len();
    scenario.decide("10:10:00");
    assert_eq!(count(&scenario), 40, "20 percent of 50 are deleted");
    assert_eq!(scenario.codes(), [Code::RetentionHeld]);
    scenario.decide("10:30:00");
    assert_eq!(count(&scenario), 40, "no more on the same day");
    let tomorrow = decide(
        &scenario.inventory,
        &scenario.state,
        time("10:11:00") + SignedDuration::from_hours(24),
    );
    assert_eq!(tomorrow.state.points.len(), 32);
    scenario.acknowledge("LB-0914", "10:31:00");
    assert_eq!(scenario.only_point(), first);
    assert!(scenario.codes().is_empty());
}

#[test]
fn a_vault_that_does_not_answer_delays_copies_and_deletions_and_nothing_else() {
    let mut scenario = Scenario::with_point();
    let folders = scenario.folders().clone();
    scenario.inventory.vault = Err(Problem::of(Code::VaultUnavailable, "no answer within 10 seconds"));
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("11:00:30");
    assert_eq!(scenario.codes(), [Code::VaultUnavailable]);
    assert!(scenario.state.backup.is_some(), "a backup begins");
    assert_eq!(scenario.job("restore").application().as_str(), "shop");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "11:00:40");
    scenario.end(&capture, 1, sealed(), Vec::new());
    let decision = scenario.decide("11:01:30");
    assert!(
        !decision
            .actions
            .iter()
            .any(|action| matches!(action, Action::VaultPoint { .. }))
    );
    scenario.inventory.vault = Ok(folders);
    let decision = scenario.decide("11:02:30");
    assert!(
        decision
            .actions
            .iter()
            .any(|action| matches!(action, Action::VaultPoint { .. }))
    );
    assert!(scenario.codes().is_empty());
}
