//! The entries of older recovery points are in segments outside of the state.

use std::collections::BTreeSet;

use lifeboat_model::request::{Answer, PointsRequest};

use super::*;
use crate::archive::{OpenedSegment, Segment, wanted};

/// The minutes between two recovery points.
const EVERY: i64 = 60;

/// A coordinator with many recovery points: decisions with the segments that they want, as a tick makes them.
struct Catalogue {
    scenario: Scenario,
    /// The objects of the state bucket below `catalogue/`.
    segments: BTreeMap<Sha256, Segment>,
    now: Timestamp,
}

impl Catalogue {
    /// Makes a catalogue of this many recovery points, the last one an hour old.
    fn new(points: i64) -> Self {
        let mut scenario = Scenario::with_point();
        let (first, entry) = scenario.state.points.pop_first().unwrap();
        scenario.folders().remove(&first);
        let now = time("12:00:00");
        for number in 0..points {
            let at = now - SignedDuration::from_mins(EVERY * (points - number));
            let id = RecoveryPointId::new(&at.strftime("%Y%m%dT%H%M%SZ").to_string(), [0, 0, 1]).unwrap();
            let mut entry = entry.clone();
            entry.created_at = at;
            entry.order = u64::try_from(number).unwrap() + 1;
            entry.verified_at = now;
            scenario.folders().insert(id.clone(), VaultView::Known);
            scenario.state.points.insert(id, entry);
        }
        scenario.state.next_order = u64::try_from(points).unwrap() + 1;
        scenario.inventory.application.retention.last = u32::MAX;
        Self {
            scenario,
            segments: BTreeMap::new(),
            now,
        }
    }

    /// Makes one decision a minute later, with these requests.
    fn tick(&mut self, requests: Vec<Request>) -> Decision {
        self.now += SignedDuration::from_mins(1);
        let state = &self.scenario.state;
        let inventory = &mut self.scenario.inventory;
        inventory.archive = (wanted(state, &requests, self.now).into_iter())
            .map(|id| OpenedSegment {
                id,
                points: self.segments.get(&id).map(|segment| segment.points.clone()),
            })
            .collect();
        inventory.requests = requests;
        inventory.random += 1;
        let decision = decide(inventory, state, self.now);
        for (key, bytes) in &decision.segments {
            assert!(key.as_str().ends_with(&format!("{}.json", Sha256::of(bytes))));
            let segment = serde_json::from_slice(bytes).unwrap();
            self.segments.insert(Sha256::of(bytes), segment);
        }
        for action in &decision.actions {
            match action {
                Action::DeleteSegment { id } => drop(self.segments.remove(id)),
                Action::ExpirePoint { point } => drop(self.scenario.folders().remove(point)),
                _ => {}
            }
        }
        self.scenario.state = decision.state.clone();
        decision
    }

    /// Returns the codes of the open issues that are about recovery points.
    fn codes(&self) -> Vec<Code> {
        let codes = self.scenario.state.issues.values().map(|issue| issue.code);
        codes
            .filter(|code| matches!(code, Code::VaultDamaged | Code::PointMissing | Code::PointUnknown))
            .collect()
    }

    /// Returns the IDs of all recovery points, from the state and the segments that it names.
    fn ids(&self) -> BTreeSet<RecoveryPointId> {
        let state = &self.scenario.state;
        let archived = state
            .archive
            .iter()
            .flat_map(|record| self.segments[&record.id].points.keys());
        let all: Vec<_> = state.points.keys().chain(archived).cloned().collect();
        let distinct: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(all.len(), distinct.len(), "an entry is in one place");
        assert_eq!(
            self.segments.len(),
            state.archive.len(),
            "no segment is left over"
        );
        distinct
    }
}

#[test]
fn older_entries_leave_the_state_and_none_is_lost() {
    let mut catalogue = Catalogue::new(5000);
    let before = catalogue.ids();
    for _ in 0..20 {
        catalogue.tick(Vec::new());
    }
    assert_eq!(catalogue.ids(), before);
    let state = &catalogue.scenario.state;
    assert!(state.points.len() <= 300, "{}", state.points.len());
    assert!(state.archive.windows(2).all(|pair| pair[0].last < pair[1].first));
    assert!(catalogue.codes().is_empty(), "{:?}", state.issues);
}

#[test]
fn an_archived_point_is_found_by_the_beginning_of_its_id_and_restored() {
    let mut catalogue = Catalogue::new(5000);
    catalogue.tick(Vec::new());
    let id = catalogue.ids().into_iter().nth(700).unwrap();
    assert!(!catalogue.scenario.state.points.contains_key(&id));
    let restore = |point: &str, token: &str| {
        let Request::Restore(request) = Scenario::restore(token) else {
            panic!("it is a restore")
        };
        Request::Restore(RestoreRequest {
            point: point.to_owned(),
            ..request
        })
    };
    let answer = catalogue
        .tick(vec![restore(&id.as_str()[..13], "t-1")])
        .answers
        .remove(0);
    let Answer::Accepted(accepted) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(accepted.point, Some(id));
    let answer = catalogue.tick(vec![restore("2026", "t-2")]).answers.remove(0);
    assert!(matches!(&answer, Answer::Refused(problems) if problems[0].message.contains("more than one")));
}

#[test]
fn the_pages_of_a_listing_hold_every_point_once() {
    let mut catalogue = Catalogue::new(5000);
    catalogue.tick(Vec::new());
    let (mut listed, mut from) = (Vec::new(), None);
    loop {
        let request = Request::Points(PointsRequest {
            application: ApplicationName::parse("shop").unwrap(),
            from,
        });
        let Answer::Points(page) = catalogue.tick(vec![request]).answers.remove(0) else {
            panic!("the points are listed")
        };
        listed.extend(page.points.into_iter().map(|point| point.point));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let expected: Vec<_> = catalogue.ids().into_iter().rev().collect();
    assert_eq!(listed, expected);
}

#[test]
fn retention_keeps_in_the_archive_what_it_keeps_in_one_list() {
    let mut catalogue = Catalogue::new(5000);
    catalogue.tick(Vec::new());
    let rules = lifeboat_model::Retention {
        last: 24,
        hourly: 48,
        daily: 14,
        weekly: 8,
        monthly: 12,
    };
    catalogue.scenario.inventory.application.retention = rules;
    catalogue.scenario.state.deletions.allowed = true;
    for _ in 0..200 {
        catalogue.tick(Vec::new());
        catalogue.scenario.state.deletions.allowed = true;
    }
    let kept = catalogue.ids();
    let all = Catalogue::new(5000);
    let facts: Vec<_> = (all.scenario.state.points.iter())
        .map(|(point, entry)| entry.facts(point, false))
        .collect();
    let reasons = retention::reasons(&facts, &retention::Represented::default(), &rules, all.now);
    let expected: BTreeSet<_> = reasons
        .into_iter()
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(point, _)| point)
        .collect();
    let lost: Vec<_> = expected.difference(&kept).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let surplus = kept.len() - expected.len();
    assert!(
        surplus <= 20,
        "a few more are kept where periods cross segments: {surplus}"
    );
}

#[test]
fn damage_in_the_archive_is_an_issue_in_every_decision() {
    let mut catalogue = Catalogue::new(1000);
    catalogue.tick(Vec::new());
    let id = catalogue.ids().into_iter().nth(10).unwrap();
    catalogue.scenario.folders().remove(&id);
    for _ in 0..10 {
        catalogue.tick(Vec::new());
    }
    assert_eq!(catalogue.codes(), [Code::PointMissing]);
    // It is back: verified, it returns into its segment.
    catalogue.scenario.folders().insert(id.clone(), VaultView::Known);
    for _ in 0..20 {
        let decision = catalogue.tick(Vec::new());
        catalogue.scenario.inventory.performed = (decision.actions.iter())
            .filter_map(|action| match action {
                Action::VerifyVault { point, .. } => Some(ActionOutcome::Verified {
                    point: point.clone(),
                    damaged: None,
                }),
                _ => None,
            })
            .collect();
    }
    assert!(catalogue.codes().is_empty());
    assert!(!catalogue.scenario.state.points.contains_key(&id));
    assert_eq!(catalogue.ids().len(), 1000);
}

#[test]
fn the_points_of_a_lost_segment_are_found_in_the_vault_again() {
    let mut catalogue = Catalogue::new(1000);
    catalogue.tick(Vec::new());
    let before = catalogue.ids();
    let lost = catalogue.scenario.state.archive[0].id;
    let segment = catalogue.segments.remove(&lost).unwrap();
    let signer = catalogue
        .scenario
        .state
        .pins
        .signing_key
        .clone()
        .unwrap()
        .fingerprint;
    for id in segment.points.keys() {
        let view = VaultView::Signed {
            summary: Box::new(SignedSummary {
                created_at: time("10:00:00"),
                completeness: Completeness::Complete,
                objects: 7,
                bytes: 7,
                manifest: Sha256::of(b"manifest"),
                clusters: Vec::new(),
            }),
            signer: signer.clone(),
        };
        catalogue.scenario.folders().insert(id.clone(), view);
    }
    for _ in 0..20 {
        catalogue.tick(Vec::new());
        for view in catalogue.scenario.folders().values_mut() {
            *view = VaultView::Known;
        }
    }
    assert_eq!(catalogue.ids(), before);
    assert!(catalogue.codes().is_empty());
}
