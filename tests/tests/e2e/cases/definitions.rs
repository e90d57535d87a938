//! Custom resources that are older than their definitions, definitions in conflict, and what custom resources keep in
//! their status, their references and their field owners.

use std::collections::BTreeSet;

use lifeboat_tests::snapshot::{Key, Snapshot, array, text};
use serde_json::{Value, json};

use super::api::{Api, documents, until};
use super::outcome::{Case, Check, Outcome, condition, object};

const DEFINITION: &str = "customresourcedefinitions.apiextensions.k8s.io";
/// Each of these groups has two definitions that claim one kind: the race has several chances to go wrong.
const FLEETS: [&str; 3] = ["fleet.example.com", "armada.example.com", "squadron.example.com"];
/// How long the establishment of a definition is waited for; a restore that waits for one that cannot be established
/// takes longer.
const ESTABLISH_SECONDS: f64 = 60.0;

const SNAPSHOT: &str = "volumesnapshots.snapshot.storage.k8s.io";
const CONTENT: &str = "volumesnapshotcontents.snapshot.storage.k8s.io";
const HANDLE: &str = "snap-0feedfacecafebeef";
const CONTENT_NAME: &str = "snapcontent-5b0c1d7e";

pub(super) const CHECKS: [Check; 6] = [
    Check {
        name: "06 definitions with one kind",
        source: zones,
        target: |outcome, case| {
            zones(outcome.target, case);
            case.expect(
                outcome.seconds < ESTABLISH_SECONDS,
                format!("the restore takes {:.0} s", outcome.seconds),
            );
        },
    },
    Check {
        name: "07 object older than schema",
        source: buckets,
        target: |outcome, case| {
            buckets(outcome.target, case);
            same_definition(outcome, "buckets.storage.example.com", case);
            foreseen(outcome, case);
        },
    },
    Check {
        name: "08 initial state rule",
        source: contract,
        target: |outcome, case| {
            contract(outcome.target, case);
            same_definition(outcome, "documents.office.example.com", case);
        },
    },
    Check {
        name: "12 snapshot content",
        source: snapshot_content_in_source,
        target: snapshot_content,
    },
    Check {
        name: "13 status with null",
        source: nulls,
        target: |outcome, case| nulls(outcome.target, case),
    },
    Check {
        name: "15 owner in a removed version",
        source: |source, case| owners(source, "ci.example.com/v1alpha1", case),
        target: |outcome, case| owners(outcome.target, "ci.example.com/v1", case),
    },
];

pub(super) fn create(api: &Api) {
    for group in FLEETS {
        api.apply(
            &include_str!("../../../cases/06-definitions-with-one-kind.yaml")
                .replace("fleet.example.com", group),
        );
    }
    api.apply(include_str!("../../../cases/07-object-older-than-schema.yaml"));
    api.apply(include_str!(
        "../../../cases/07-object-older-than-schema.step2.yaml"
    ));
    api.apply(include_str!("../../../cases/08-initial-state-rule.yaml"));
    api.apply(include_str!("../../../cases/12-snapshot-content.yaml"));
    set_snapshot_status(api);
    api.apply(include_str!("../../../cases/13-status-with-null.yaml"));
    let status = json!({
        "phase": "Sent",
        "lastError": null,
        "progress": { "done": 3, "finishedAt": null },
        "conditions": [{ "type": "Booked", "lastProbeTime": null }],
    });
    api.json_patch(
        "/apis/bank.example.com/v1/namespaces/payments/transfers/t-1001/status",
        &json!([{ "op": "add", "path": "/status", "value": status }]),
    );
    api.apply(include_str!("../../../cases/15-owner-in-a-removed-version.yaml"));
    api.apply_as(
        "team-a",
        include_str!("../../../cases/15-owner-in-a-removed-version.step2.yaml"),
    );
    api.apply_as(
        "team-b",
        include_str!("../../../cases/15-owner-in-a-removed-version.step3.yaml"),
    );
    api.apply(include_str!(
        "../../../cases/15-owner-in-a-removed-version.step4.yaml"
    ));
    for group in FLEETS {
        // A definition that is created before the older one has its names could get them.
        until("the older definition is established", || {
            let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/zones.{group}");
            let definition = api.get(&path).map_err(|error| error.to_string())?;
            if condition(&definition, "Established") {
                Ok(())
            } else {
                Err(format!("zones.{group} is not"))
            }
        });
        api.apply(
            &include_str!("../../../cases/06-definitions-with-one-kind.step2.yaml")
                .replace("fleet.example.com", group),
        );
    }
}

/// Writes what the snapshot controller and the driver write.
fn set_snapshot_status(api: &Api) {
    let snapshot = "/apis/snapshot.storage.k8s.io/v1/namespaces/records/volumesnapshots/before-upgrade";
    let content = format!("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents/{CONTENT_NAME}");
    let uid = api.get(snapshot).unwrap()["metadata"]["uid"].clone();
    api.merge(
        &content,
        &json!({ "spec": { "volumeSnapshotRef": { "uid": uid } } }),
    );
    api.merge(
        &format!("{content}/status"),
        &json!({ "status": { "readyToUse": true, "restoreSize": 1_073_741_824, "snapshotHandle": HANDLE } }),
    );
    api.merge(
        &format!("{snapshot}/status"),
        &json!({ "status": { "readyToUse": true, "boundVolumeSnapshotContentName": CONTENT_NAME } }),
    );
}

fn zones(snapshot: &Snapshot, case: &mut Case<'_>) {
    for group in FLEETS {
        let zones = object(snapshot, DEFINITION, "", &format!("zones.{group}"));
        case.expect(
            condition(zones, "Established"),
            format!("zones.{group} is not established"),
        );
        let areas = object(snapshot, DEFINITION, "", &format!("areas.{group}"));
        case.expect(!areas.is_null(), format!("areas.{group} is missing"));
        case.expect(
            array(areas, "/status/conditions")
                .any(|entry| entry["type"] == "NamesAccepted" && entry["status"] == "False"),
            format!("the names of areas.{group} are not refused"),
        );
        for (name, weight) in [("north", 3), ("south", 5)] {
            let zone = object(snapshot, &format!("zones.{group}"), "regions", name);
            case.json(
                &format!("the weight of {name} of {group}"),
                &zone["spec"]["weight"],
                &json!(weight),
            );
        }
    }
}

fn same_definition(outcome: &Outcome<'_>, name: &str, case: &mut Case<'_>) {
    let captured = object(outcome.source, DEFINITION, "", name);
    let found = object(outcome.target, DEFINITION, "", name);
    case.expect(
        found["spec"] == captured["spec"],
        format!(
            "the definition {name} is not as captured at the end: {}",
            found["spec"]["versions"]
        ),
    );
}

fn buckets(snapshot: &Snapshot, case: &mut Case<'_>) {
    let specs = [
        ("invoices", json!({ "size": "medium", "region": "eu-west-1" })),
        ("fine", json!({ "size": "small", "owner": "team-a" })),
    ];
    for (name, spec) in specs {
        let bucket = object(snapshot, "buckets.storage.example.com", "buckets", name);
        case.json(&format!("the spec of {name}"), &bucket["spec"], &spec);
    }
    let definition = object(snapshot, DEFINITION, "", "buckets.storage.example.com");
    let required = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/required");
    case.equal("the required fields", required, Some(&json!(["owner"])));
}

/// The plan names the object that the definition refuses, and the rules, and no other object.
fn foreseen(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    let findings = outcome.findings("buckets.storage.example.com");
    let messages: Vec<&str> = findings.iter().map(|finding| text(finding, "/message")).collect();
    let message = messages.join(" ");
    for part in ["buckets/invoices", "/spec/owner: required", "/spec/size: enum"] {
        case.expect(
            message.contains(part),
            format!("no finding has {part:?}: {message}"),
        );
    }
    case.expect(
        !message.contains("fine"),
        format!("a finding names a valid object: {message}"),
    );
}

fn contract(snapshot: &Snapshot, case: &mut Case<'_>) {
    let contract = object(snapshot, "documents.office.example.com", "documents", "contract");
    let spec = json!({ "phase": "Published", "text": "between A and B" });
    case.json("the spec of contract", &contract["spec"], &spec);
}

fn snapshot_content_in_source(source: &Snapshot, case: &mut Case<'_>) {
    let snapshot = object(source, SNAPSHOT, "records", "before-upgrade");
    let content = object(source, CONTENT, "", CONTENT_NAME);
    let uid = text(content, "/spec/volumeSnapshotRef/uid");
    case.equal("the uid in the content", uid, text(snapshot, "/metadata/uid"));
    case.equal("the handle", text(content, "/status/snapshotHandle"), HANDLE);
}

fn snapshot_content(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    let keys = (
        Key::new(SNAPSHOT, "records", "before-upgrade"),
        Key::new(CONTENT, "", CONTENT_NAME),
    );
    let (Some(snapshot), Some(content)) = (outcome.restored(&keys.0, case), outcome.restored(&keys.1, case))
    else {
        return;
    };
    case.json(
        "the source of the content",
        &content["spec"]["source"],
        &json!({ "snapshotHandle": HANDLE }),
    );
    let uid = text(content, "/spec/volumeSnapshotRef/uid");
    case.expect(
        uid.is_empty() || uid == text(snapshot, "/metadata/uid"),
        format!("the content names a snapshot with the uid {uid}, which the target does not have"),
    );
    let by_name = json!({ "volumeSnapshotContentName": CONTENT_NAME });
    case.json(
        "the source of the snapshot",
        &snapshot["spec"]["source"],
        &by_name,
    );
    for (key, path) in [
        (&keys.1, "/spec/source"),
        (&keys.1, "/spec/volumeSnapshotRef"),
        (&keys.0, "/spec/source"),
    ] {
        case.expect(
            outcome.lists_change(key, path),
            format!("{path} of {key} is not listed as changed"),
        );
    }
    let warned = outcome.findings(CONTENT_NAME);
    let text = Value::from_iter(warned.into_iter().cloned()).to_string();
    case.expect(
        text.contains("Delete") || text.contains("delet"),
        format!("no finding of the plan says that the deletion of {CONTENT_NAME} deletes the snapshot of the source"),
    );
}

fn nulls(snapshot: &Snapshot, case: &mut Case<'_>) {
    let transfer = object(snapshot, "transfers.bank.example.com", "payments", "t-1001");
    let status = json!({
        "phase": "Sent",
        "lastError": null,
        "progress": { "done": 3, "finishedAt": null },
        "conditions": [{ "type": "Booked", "lastProbeTime": null }],
    });
    case.json("the status of t-1001", &transfer["status"], &status);
}

/// Expects the entries of both owners, that of the first one in this version.
fn owners(snapshot: &Snapshot, version: &str, case: &mut Case<'_>) {
    let pipeline = object(snapshot, "pipelines.ci.example.com", "builds", "release");
    let expected = [
        (
            "team-a",
            version,
            vec![
                "/f:metadata/f:labels/f:team",
                "/f:spec/f:stages",
                "/f:spec/f:image",
            ],
        ),
        (
            "team-b",
            "ci.example.com/v1",
            vec![
                "/f:metadata/f:annotations/f:example.com~1cost-centre",
                "/f:spec/f:timeout",
            ],
        ),
    ];
    for (manager, version, fields) in expected {
        let entries: Vec<&Value> = array(pipeline, "/metadata/managedFields")
            .filter(|entry| text(entry, "/manager") == manager && text(entry, "/operation") == "Apply")
            .collect();
        case.equal(&format!("the number of entries of {manager}"), entries.len(), 1);
        let Some(entry) = entries.first() else {
            continue;
        };
        case.equal(
            &format!("the version of the entry of {manager}"),
            text(entry, "/apiVersion"),
            version,
        );
        let found: BTreeSet<&str> = fields
            .iter()
            .copied()
            .filter(|field| entry["fieldsV1"].pointer(field).is_some())
            .collect();
        case.equal(
            &format!("the set of fields of {manager}"),
            found,
            fields.into_iter().collect(),
        );
    }
}

/// Expects that an owner removes a field by applying without it. This changes the cluster.
pub(super) fn owner_removes_field(api: &Api, case: &mut Case<'_>) {
    let mut pipeline = documents(include_str!(
        "../../../cases/15-owner-in-a-removed-version.step3.yaml"
    ))
    .remove(0);
    pipeline["spec"] = json!({});
    match api.apply_object("team-b", &pipeline) {
        Ok(applied) => case.expect(
            applied["spec"]["timeout"].is_null() && !applied["spec"]["stages"].is_null(),
            format!(
                "team-b applies without its field, and the spec is {}",
                applied["spec"]
            ),
        ),
        Err(error) => case.expect(false, format!("team-b cannot apply: {error:#}")),
    }
}
