//! Volume snapshots of the CSI snapshot controller.

use serde_json::{Value, json};

use crate::testing::{Fixture, find, rules};
use crate::{Plan, RuleId};

const CONTENT: &str = "volumesnapshotcontents.snapshot.storage.k8s.io content-1";
const SNAPSHOT: &str = "volumesnapshots.snapshot.storage.k8s.io records/before";

fn content(policy: &str, status: Value) -> Value {
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
        "metadata": {"name": "content-1", "uid": "uid-content"},
        "spec": {"deletionPolicy": policy, "driver": "ebs.csi.aws.com", "source": {"volumeHandle": "vol-1"},
            "volumeSnapshotRef": {"kind": "VolumeSnapshot", "namespace": "records", "name": "before",
                "uid": "uid-before", "resourceVersion": "7"}},
        "status": status})
}

fn snapshot(status: Value) -> Value {
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": "before", "namespace": "records", "uid": "uid-before"},
        "spec": {"source": {"persistentVolumeClaimName": "data"}, "volumeSnapshotClassName": "ebs"},
        "status": status})
}

fn checks(plan: &Plan) -> Vec<String> {
    let checks = plan.lint().into_iter().map(|finding| finding.check);
    checks.filter(|check| check.starts_with("snapshot-")).collect()
}

#[test]
fn a_snapshot_is_restored_by_its_handle_and_its_content_by_name() {
    let fixture = Fixture::new([
        snapshot(json!({"readyToUse": true, "boundVolumeSnapshotContentName": "content-1"})),
        content("Delete", json!({"readyToUse": true, "snapshotHandle": "snap-1"})),
    ]);
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, CONTENT).create;
    assert_eq!(bodies["spec"]["source"], json!({"snapshotHandle": "snap-1"}));
    assert_eq!(
        bodies["spec"]["volumeSnapshotRef"],
        json!({"kind": "VolumeSnapshot", "namespace": "records", "name": "before"})
    );
    let changed: Vec<(&str, Option<&str>)> = (find(&plan, CONTENT).changes.iter())
        .map(|change| (change.path.as_str(), change.to.as_deref()))
        .collect();
    assert_eq!(
        changed,
        [
            ("/spec/source", Some(r#"{"snapshotHandle":"snap-1"}"#)),
            ("/spec/volumeSnapshotRef/resourceVersion", None),
            ("/spec/volumeSnapshotRef/uid", None),
        ]
    );
    assert_eq!(
        fixture.bodies(&plan, SNAPSHOT).create["spec"]["source"],
        json!({"volumeSnapshotContentName": "content-1"})
    );
    assert_eq!(rules(find(&plan, SNAPSHOT)), [RuleId::SnapshotRestored]);
    let place = |name: &str| (find(&plan, name).wave, find(&plan, name).depth);
    assert!(place(CONTENT) < place(SNAPSHOT));
    assert_eq!(checks(&plan), ["snapshot-deletes-source"]);
}

#[test]
fn a_snapshot_that_was_not_taken_yet_is_named_and_keeps_its_source() {
    let fixture = Fixture::new([
        snapshot(json!({})),
        content("Retain", json!({"readyToUse": false})),
    ]);
    let plan = fixture.plan();
    assert_eq!(
        fixture.bodies(&plan, CONTENT).create["spec"]["source"],
        json!({"volumeHandle": "vol-1"})
    );
    assert_eq!(
        fixture.bodies(&plan, SNAPSHOT).create["spec"]["source"],
        json!({"persistentVolumeClaimName": "data"})
    );
    assert_eq!(checks(&plan), ["snapshot-without-handle"]);
}

#[test]
fn a_patch_can_keep_the_snapshot_of_the_source() {
    let handle = json!({"snapshotHandle": "snap-1"});
    let plan = Fixture::new([content("Delete", handle)])
        .with(json!({"patches": [{"when": {"types": ["volumesnapshotcontents"]},
            "merge": {"spec": {"deletionPolicy": "Retain"}}}]}))
        .plan();
    assert_eq!(checks(&plan), Vec::<String>::new());
}
