//! What cannot come back as it was, and must be named: orphans of a namespace, stored objects that no version serves,
//! and workloads whose Pods run an older revision.

use std::collections::BTreeMap;

use lifeboat_tests::snapshot::{Key, Snapshot, array, text};
use serde_json::{Value, json};

use super::api::{Api, until};
use super::outcome::{Case, Check, Outcome, is, object, pods_of};

const DEFINITION: &str = "customresourcedefinitions.apiextensions.k8s.io";
const FEEDS: &str = "feeds.news.example.com";
const ARCHIVES: &str = "archives.vault.example.com";

/// The workloads whose older revision nothing holds but that nobody deletes their Pods: type, name, Pods of an older
/// revision, all Pods.
const CANARIES: [(&str, &str, u32, u32); 2] = [
    ("statefulsets.apps", "archive", 2, 2),
    ("daemonsets.apps", "agent", 2, 2),
];

pub(super) const CHECKS: [Check; 4] = [
    Check {
        name: "09 orphans of a namespace",
        source: orphans_in_source,
        target: orphans,
    },
    Check {
        name: "17 definition not served",
        source: |source, case| {
            case.expect(!source.types.contains_key(ARCHIVES), "the type is still served");
            case.expect(
                !object(source, DEFINITION, "", ARCHIVES).is_null(),
                "the definition is missing",
            );
        },
        target: not_served,
    },
    Check {
        name: "18 stored in a dropped version",
        source: |source, case| {
            case.expect(
                source.unreadable.contains_key(FEEDS),
                "the type can still be listed",
            );
        },
        target: dropped_version,
    },
    Check {
        name: "21 statefulset canary",
        source: canary_in_source,
        target: canary,
    },
];

pub(super) fn create(api: &Api) {
    api.apply(include_str!("../../../cases/21-statefulset-canary.yaml"));
    api.apply(include_str!("../../../cases/17-definition-not-served.yaml"));
    api.apply(include_str!("../../../cases/18-stored-in-a-dropped-version.yaml"));
    api.apply(include_str!("../../../cases/09-orphans-of-a-namespace.yaml"));
    api.apply(include_str!("../../../cases/17-definition-not-served.step2.yaml"));
    api.apply(include_str!(
        "../../../cases/18-stored-in-a-dropped-version.step2.yaml"
    ));
    api.apply(include_str!("../../../cases/17-definition-not-served.step3.yaml"));
    api.apply(include_str!(
        "../../../cases/18-stored-in-a-dropped-version.step3.yaml"
    ));
    api.merge(
        &format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{FEEDS}/status"),
        &json!({ "status": { "storedVersions": ["v1"] } }),
    );
    api.apply(include_str!(
        "../../../cases/18-stored-in-a-dropped-version.step4.yaml"
    ));
    finalize_namespace(api);
    begin_canary(api);
}

/// Removes a namespace and leaves its content, as an emptied list of finalizers does.
fn finalize_namespace(api: &Api) {
    let path = "/api/v1/namespaces/ghost";
    until("the controllers have created what each namespace has", || {
        api.get(&format!("{path}/configmaps/kube-root-ca.crt"))
            .and_then(|_| api.get(&format!("{path}/serviceaccounts/default")))
            .map_err(|error| error.to_string())
    });
    let mut namespace = api.get(path).unwrap();
    namespace["spec"]["finalizers"] = json!([]);
    api.put(&format!("{path}/finalize"), &namespace);
    // The first request marks the namespace, the second one removes it; a controller may be faster.
    until("the namespace is gone", || {
        let _ = api.delete(path);
        match api.get(path) {
            Ok(_) => Err("it is still there".to_owned()),
            Err(_) => Ok(()),
        }
    });
}

/// Changes the templates, once all Pods of the first revision are ready.
fn begin_canary(api: &Api) {
    wait_for_images(
        api,
        "the first revision is ready",
        &[("queue:1", 3), ("archive:1", 2), ("agent:1", 2)],
    );
    api.apply(include_str!("../../../cases/21-statefulset-canary.step2.yaml"));
    wait_for_images(
        api,
        "the canary is ready",
        &[("queue:1", 2), ("queue:2", 1), ("archive:1", 2), ("agent:1", 2)],
    );
}

fn wait_for_images(api: &Api, what: &str, wanted: &[(&str, u32)]) {
    let wanted: BTreeMap<String, u32> = wanted
        .iter()
        .map(|(image, pods)| (format!("registry.example.com/{image}"), *pods))
        .collect();
    until(what, || {
        let pods = api
            .get("/api/v1/namespaces/canary/pods")
            .map_err(|error| error.to_string())?;
        let ready = array(&pods, "/items").filter(|pod| super::outcome::condition(pod, "Ready"));
        let found = count_images(ready);
        if found == wanted {
            Ok(())
        } else {
            Err(format!("the ready Pods are {found:?}"))
        }
    });
}

fn count_images<'a>(pods: impl Iterator<Item = &'a Value>) -> BTreeMap<String, u32> {
    let mut images = BTreeMap::new();
    for pod in pods {
        let image = text(pod, "/spec/containers/0/image").to_owned();
        *images.entry(image).or_default() += 1;
    }
    images
}

fn orphans_in_source(source: &Snapshot, case: &mut Case<'_>) {
    case.expect(
        object(source, "namespaces", "", "ghost").is_null(),
        "the namespace still exists",
    );
    for type_name in ["configmaps", "secrets"] {
        let orphan = object(source, type_name, "ghost", "left-behind");
        case.expect(
            !orphan.is_null(),
            format!("the orphan of type {type_name} is gone"),
        );
    }
}

fn orphans(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    outcome.restored(&Key::new("configmaps", "alive", "needed"), case);
    for type_name in ["configmaps", "secrets"] {
        let key = Key::new(type_name, "ghost", "left-behind");
        if outcome.target.get(&key).is_some() {
            let namespace = object(outcome.target, "namespaces", "", "ghost");
            case.expect(
                !namespace.is_null(),
                format!("{key} is restored without its namespace"),
            );
            continue;
        }
        let entry = array(outcome.report, "/notRestored").find(|entry| is(&entry["object"], &key));
        let Some(entry) = entry else {
            case.expect(
                false,
                format!("{key} is neither restored nor listed as not restored"),
            );
            continue;
        };
        let reason = lifeboat_tests::claims::reason_of(outcome.report, entry);
        case.expect(
            reason.contains("namespace") && entry["planned"] == false,
            format!("the reason for {key} does not name the missing namespace: {reason}"),
        );
    }
}

/// Adds the entries of the lists in which a document says what is missing or noteworthy, at any depth.
fn remarks<'a>(document: &'a Value, found: &mut Vec<&'a Value>) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_array() {
                    Some(list) if ["missing", "notes", "findings"].contains(&name.as_str()) => {
                        found.extend(list)
                    }
                    _ => remarks(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| remarks(item, found)),
        _ => {}
    }
}

/// Returns what a document says of a type, and whether that names the remedy: to serve or store a version again.
fn said_of(document: &Value, type_name: &str) -> (String, bool) {
    let mut entries = Vec::new();
    remarks(document, &mut entries);
    let of_type = entries
        .into_iter()
        .map(Value::to_string)
        .filter(|entry| entry.contains(type_name));
    let said = of_type.collect::<Vec<_>>().join("\n");
    let mut words = said.split(|letter: char| !letter.is_ascii_alphabetic());
    let remedy = words.any(|word| ["serve", "serves", "served", "store", "stored"].contains(&word));
    (said, remedy)
}

fn not_served(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    let (said, remedy) = said_of(outcome.shown, ARCHIVES);
    case.expect(
        !said.is_empty(),
        format!("the recovery point does not name {ARCHIVES}"),
    );
    case.expect(
        remedy,
        format!("the remedy, to serve a version, is not named: {said}"),
    );
    let captured = object(outcome.source, DEFINITION, "", ARCHIVES);
    let found = object(outcome.target, DEFINITION, "", ARCHIVES);
    case.json("the spec of the definition", &found["spec"], &captured["spec"]);
    case.expect(
        outcome.seconds < 60.0,
        format!("the restore takes {:.0} s", outcome.seconds),
    );
}

fn dropped_version(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    for (what, document) in [("recovery point", outcome.shown), ("plan", outcome.plan)] {
        let (said, remedy) = said_of(document, FEEDS);
        case.expect(!said.is_empty(), format!("the {what} does not name {FEEDS}"));
        case.expect(
            remedy && said.contains("v1alpha1"),
            format!("the {what} does not name the remedy, to serve v1alpha1 again: {said}"),
        );
    }
    outcome.restored(&Key::new("configmaps", "news", "beside"), case);
    let captured = object(outcome.source, DEFINITION, "", FEEDS);
    let found = object(outcome.target, DEFINITION, "", FEEDS);
    case.json("the spec of the definition", &found["spec"], &captured["spec"]);
}

/// Expects that a backup does not repeat a request that fails for good: it reports each retry in a line.
pub(super) fn fails_early(backup_log: &str, case: &mut Case<'_>) {
    let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
    for line in backup_log.lines().filter(|line| line.contains("feeds")) {
        *lines.entry(line).or_default() += 1;
    }
    let repeated = lines.into_iter().find(|(_, times)| *times > 3);
    case.expect(
        repeated.is_none(),
        format!("the backup repeats a line: {repeated:?}"),
    );
}

fn canary_in_source(source: &Snapshot, case: &mut Case<'_>) {
    held_by_partition(source, case);
    for (_, name, older, _) in &CANARIES {
        let images = count_images(pods_of(source, "canary", name));
        let expected = BTreeMap::from([(format!("registry.example.com/{name}:1"), *older)]);
        case.equal(&format!("the images of {name}"), images, expected);
    }
}

/// The images of the Pods by their names: the partition of the StatefulSet is 2.
fn held_by_partition(snapshot: &Snapshot, case: &mut Case<'_>) {
    let pods: BTreeMap<&str, &str> = pods_of(snapshot, "canary", "queue")
        .map(|pod| (text(pod, "/metadata/name"), text(pod, "/spec/containers/0/image")))
        .collect();
    let (old, new) = ("registry.example.com/queue:1", "registry.example.com/queue:2");
    let expected = BTreeMap::from([("queue-0", old), ("queue-1", old), ("queue-2", new)]);
    case.equal("the images of queue", pods, expected);
}

fn canary(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    held_by_partition(outcome.target, case);
    let queue = Key::new("statefulsets.apps", "canary", "queue");
    if let Some(found) = outcome.restored(&queue, case) {
        let captured = object(outcome.source, "statefulsets.apps", "canary", "queue");
        case.json("the spec of queue", &found["spec"], &captured["spec"]);
        case.equal(
            "the state of queue",
            text(outcome.workload(&queue), "/state"),
            "same",
        );
        case.expect(
            outcome.findings("queue").is_empty(),
            "a finding of the plan names queue",
        );
        let said = array(outcome.plan, "/plan/notes").any(|note| note["object"]["name"] == "queue");
        case.expect(said, "no note of the plan says which Pods get which revision");
    }
    let mut all_same = true;
    for (type_name, name, older, all) in CANARIES {
        let key = Key::new(type_name, "canary", name);
        if outcome.restored(&key, case).is_none() {
            all_same = false;
            continue;
        }
        let captured = count_images(pods_of(outcome.source, "canary", name));
        let found = count_images(pods_of(outcome.target, "canary", name));
        if captured == found {
            continue;
        }
        all_same = false;
        let count = |number: u32| {
            move |message: &str| {
                message
                    .split(|c: char| !c.is_ascii_digit())
                    .any(|part| part == number.to_string())
            }
        };
        case.expect(
            outcome.findings(name).iter().any(|finding| {
                count(older)(text(finding, "/message")) && count(all)(text(finding, "/message"))
            }),
            format!("no finding of the plan says that {older} of {all} Pods of {key} run an older revision"),
        );
        let state = text(outcome.workload(&key), "/state");
        case.expect(
            state == "differs",
            format!(
                "{key} runs {found:?} instead of {captured:?}, and the state in `workloads` is {state:?}"
            ),
        );
    }
    if !all_same {
        case.equal("the exit status of the restore", outcome.code, Some(4));
        let verdict = text(outcome.report, "/verdict");
        case.expect(
            !verdict.is_empty() && verdict != "matchesPlan",
            format!("the verdict is {verdict:?}"),
        );
    }
}
