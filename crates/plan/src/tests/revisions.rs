//! StatefulSets whose Pods run several revisions.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::report::workloads::other_revisions;
use crate::testing::{Fixture, find, merge, named};
use crate::{Existing, Plan, PlannedOrdinal, RuleId, Step, in_former_revision};

const SET: &str = "statefulsets.apps shop/queue";

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "queue"}}, "spec": {"containers": [{"name": "q", "image": image}]}})
}

/// A StatefulSet whose current revision is `queue-b`, with `q:2`, and whose former one is `queue-a`.
fn set(strategy: Value) -> Value {
    named(
        "apps/v1",
        "StatefulSet",
        "queue",
        json!({"spec": {"replicas": 3, "updateStrategy": strategy, "template": template("q:2")},
            "status": {"currentRevision": "queue-a", "updateRevision": "queue-b"}}),
    )
}

fn partition(partition: u32) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}})
}

fn of_set(mut object: Value) -> Value {
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "queue", "uid": "uid-queue",
        "controller": true});
    merge(&mut object, json!({"metadata": {"ownerReferences": [owner]}}));
    object
}

fn revision(name: &str, number: u32, image: &str) -> Value {
    let mut template = template(image);
    template["$patch"] = "replace".into();
    of_set(named(
        "apps/v1",
        "ControllerRevision",
        name,
        json!({"metadata": {"labels": {"controller-revision-hash": name}}, "revision": number,
            "data": {"spec": {"template": template}}}),
    ))
}

fn pod(ordinal: u32, revision: &str, image: &str) -> Value {
    of_set(named(
        "v1",
        "Pod",
        &format!("queue-{ordinal}"),
        json!({"metadata": {"labels": {"app": "queue", "controller-revision-hash": revision}},
            "spec": {"containers": [{"name": "q", "image": image}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
    ))
}

fn pods() -> Vec<Value> {
    vec![
        pod(0, "queue-a", "q:1"),
        pod(1, "queue-a", "q:1"),
        pod(2, "queue-b", "q:2"),
    ]
}

fn held() -> Fixture {
    let mut objects = pods();
    objects.extend([
        revision("queue-a", 1, "q:1"),
        revision("queue-b", 2, "q:2"),
        set(partition(2)),
    ]);
    Fixture::new(objects)
}

/// Returns the findings of Pods that get another revision.
fn findings(plan: &Plan) -> Vec<String> {
    let findings = plan.lint().into_iter();
    let older = findings.filter(|finding| finding.check == "older-revision");
    older.map(|finding| finding.message).collect()
}

/// Returns the body that creates the StatefulSet.
fn first(fixture: &Fixture, plan: &Plan) -> Result<Value, crate::BodyError> {
    let object = find(plan, SET);
    let raw = |locator: crate::Locator| {
        serde_json::to_vec(&fixture.objects[usize::try_from(locator.position).unwrap()]).unwrap()
    };
    let create = fixture.bodies(plan, SET).create;
    let revision = raw(object.held().unwrap().locator);
    in_former_revision(plan, object, &raw(object.locator), &revision, &create)
}

#[test]
fn a_rollout_that_is_held_goes_on_from_the_former_revision() {
    let fixture = held();
    let plan = fixture.plan();
    let object = find(&plan, SET);
    assert_eq!(*object.after, [Step::SetTemplate, Step::SetManagedFields]);
    let held = object.held().unwrap();
    assert_eq!(held.revision.to_string(), "controllerrevisions.apps shop/queue-a");
    assert_eq!(plan.rules[&RuleId::RevisionHeld].objects, 1);
    let first = first(&fixture, &plan).unwrap();
    // No Pod runs the former revision on the data of the current one.
    assert_eq!(first["spec"]["replicas"], 0);
    assert_eq!(first["spec"]["template"], template("q:1"));
    let create = fixture.bodies(&plan, SET).create;
    assert_eq!(
        (&create["spec"]["replicas"], &create["spec"]["template"]),
        (&json!(3), &template("q:2"))
    );
    assert_eq!(findings(&plan), [""; 0]);
    let note = plan
        .notes
        .iter()
        .find(|note| note.object.as_ref() == Some(&object.target));
    assert_eq!(
        note.unwrap().text,
        "Its Pods below ordinal 2 get the revision queue-a, which they run in the source, and the others the revision queue-b."
    );
    let revisions = plan.workloads[0]
        .ordinals
        .values()
        .map(|pod| pod.revision.as_str());
    assert_eq!(revisions.collect::<Vec<_>>(), ["queue-a", "queue-a", "queue-b"]);
}

#[test]
fn the_former_revision_is_patched_and_translated_like_the_current_one() {
    let patch = json!({"spec": {"template": {"metadata": {"labels": {"site": "recovery"}}}}});
    let fixture = held().with(json!({"patches": [{"when": {"types": ["statefulsets"]}, "merge": patch}]}));
    let plan = fixture.plan();
    let first = first(&fixture, &plan).unwrap();
    assert_eq!(
        first["spec"]["template"]["metadata"]["labels"],
        json!({"app": "queue", "site": "recovery"})
    );
    assert_eq!(first["spec"]["template"]["spec"]["containers"][0]["image"], "q:1");
}

#[test]
fn what_still_names_the_primary_in_the_former_revision_is_a_finding() {
    let registry = |account: &str, region: &str| format!("{account}.dkr.ecr.{region}.amazonaws.com/q:1");
    let mut fixture = held().with(json!({"identities": {"format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"}}}));
    let mut former = revision("queue-a", 1, &registry("111111111111", "eu-west-1"));
    former["data"]["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "GROUP", "value": "sg-0123456789abcdef0"}]);
    fixture.objects[3] = former;
    let plan = fixture.plan();
    let first = first(&fixture, &plan).unwrap();
    assert_eq!(
        first["spec"]["template"]["spec"]["containers"][0]["image"],
        registry("222222222222", "eu-central-1")
    );
    let leftovers = find(&plan, SET).leftovers();
    let tokens: Vec<&str> = leftovers.iter().map(|leftover| leftover.token.as_str()).collect();
    assert_eq!(tokens, ["sg-0123456789abcdef0"]);
    assert!(
        plan.lint()
            .iter()
            .any(|finding| finding.message.contains("sg-0123456789abcdef0"))
    );
}

#[test]
fn other_bytes_than_those_of_the_plan_are_refused() {
    let mut fixture = held();
    let plan = fixture.plan();
    let position = usize::try_from(find(&plan, SET).held().unwrap().locator.position).unwrap();
    fixture.objects[position] = revision("queue-a", 1, "q:0");
    assert!(matches!(
        first(&fixture, &plan),
        Err(crate::BodyError::OtherBytes { .. })
    ));
}

#[test]
fn a_partition_above_all_ordinals_holds_every_pod() {
    let objects = [
        pod(3, "queue-a", "q:1"),
        revision("queue-a", 1, "q:1"),
        set(json!({"rollingUpdate": {"partition": 7}})),
    ];
    let plan = Fixture::new(objects).plan();
    assert!(find(&plan, SET).held().is_some());
    assert_eq!(findings(&plan), [""; 0]);
}

#[test]
fn what_no_partition_holds_is_a_finding() {
    for strategy in [json!({"type": "OnDelete"}), partition(0)] {
        let mut objects = pods();
        objects.extend([revision("queue-a", 1, "q:1"), set(strategy.clone())]);
        let plan = Fixture::new(objects).plan();
        assert_eq!((plan.workloads[0].older, plan.workloads[0].pods), (2, 3));
        assert!(find(&plan, SET).held().is_none());
        let findings = findings(&plan);
        assert!(
            findings[0].ends_with("in the target all get the current one."),
            "{strategy} {findings:?}"
        );
        assert!(plan.workloads[0].ordinals.is_empty());
    }
}

#[test]
fn a_former_revision_that_the_point_does_not_have_is_a_finding() {
    let mut objects = pods();
    objects.extend([revision("queue-b", 2, "q:2"), set(partition(2))]);
    let plan = Fixture::new(objects).plan();
    let findings = findings(&plan);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("queue-a"), "{findings:?}");
    assert!(!find(&plan, SET).after.contains(&Step::SetTemplate));
}

#[test]
fn a_selection_of_statefulsets_alone_finds_their_revisions() {
    let fixture = held().with(json!({"selection": {"filter": {"types": ["statefulsets"]}}}));
    let draft = fixture.draft();
    let revisions = crate::testing::type_of(&revision("queue-a", 1, "q:1"));
    assert!(draft.needs(&revisions, Some("shop"), "queue-a"));
    assert!(find(&fixture.plan(), SET).held().is_some());
}

#[test]
fn the_pods_of_a_statefulset_that_exists_are_left_as_they_are() {
    let mut fixture = held().with(json!({"existing": "update"}));
    let target = find(&fixture.plan(), SET).target.clone();
    let existing = Existing {
        uid: "live".into(),
        created_by_this_run: false,
        managers: [].into(),
        body: None,
    };
    fixture.facts.existing.insert(target, existing);
    let plan = fixture.plan();
    assert!(find(&plan, SET).held().is_none());
    assert_eq!(findings(&plan).len(), 1);
}

#[test]
fn pods_that_their_partition_does_not_explain_are_a_finding() {
    let mut fixture = held();
    // It was created again while the partition was lower.
    fixture.objects[1] = pod(1, "queue-b", "q:2");
    let plan = fixture.plan();
    assert_eq!(
        findings(&plan),
        [
            "1 of 3 Pods of statefulsets.apps shop/queue runs another revision in the source than its partition gives to a new Pod; in the target each gets that one."
        ]
    );
    assert_eq!(
        plan.workloads[0].ordinals.keys().copied().collect::<Vec<_>>(),
        [0, 2]
    );
}

#[test]
fn revisions_are_compared_by_ordinal() {
    let plan = held().plan();
    let planned = &plan.workloads[0];
    let shape = |ordinal: u32| planned.ordinals[&ordinal].shape.clone();
    let live = |pods: [(&str, String); 3]| -> BTreeMap<u32, PlannedOrdinal> {
        let pods = pods.map(|(revision, shape)| PlannedOrdinal {
            revision: revision.to_owned(),
            shape,
        });
        (0..).zip(pods).collect()
    };
    let (old, new) = (shape(0), shape(2));
    // Translated templates have other names.
    let same = live([("x", old.clone()), ("x", old.clone()), ("y", new.clone())]);
    assert_eq!(other_revisions(planned, &same), None);
    for differing in [
        live([("y", new.clone()), ("y", new.clone()), ("y", new.clone())]),
        live([("x", old.clone()), ("y", new.clone()), ("y", new.clone())]),
        live([("y", new.clone()), ("y", new), ("x", old.clone())]),
        live([("x", old.clone()), ("x", old.clone()), ("x", old)]),
    ] {
        let found = other_revisions(planned, &differing).unwrap();
        assert_eq!(
            found.source.as_deref(),
            Some("0: queue-a, 1: queue-a, 2: queue-b")
        );
    }
}
