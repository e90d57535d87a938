use serde_json::{Value, json};

use crate::testing::Fixture;

const OWNER: &str = "0a1b2c3d-0000-4000-8000-000000000001";
const OWNED: &str = "0a1b2c3d-0000-4000-8000-000000000002";
const UNKNOWN: &str = "0a1b2c3d-0000-4000-8000-00000000ffff";

fn config(name: &str, uid: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
        {"name": name, "namespace": "shop", "uid": uid}, "data": data})
}

fn messages(objects: impl IntoIterator<Item = Value>) -> Vec<String> {
    let objects: Vec<Value> = objects.into_iter().collect();
    let findings = Fixture::new(objects).plan().lint().into_iter();
    findings
        .filter(|finding| finding.check == "uid-reference")
        .map(|finding| finding.message)
        .collect()
}

#[test]
fn a_uid_of_a_captured_object_in_a_field_is_named() {
    let found = messages([
        config("owner", OWNER, json!({})),
        config("owned", OWNED, json!({"parent": OWNER, "unknown": UNKNOWN})),
    ]);
    assert_eq!(
        found,
        [
            "configmaps shop/owned names configmaps shop/owner by its uid at /data/parent; in the target it has another uid."
        ]
    );
}

#[test]
fn objects_that_name_others_in_the_same_field_are_one_finding() {
    let uid = |number: u32| format!("0a1b2c3d-0000-4000-8000-{number:012}");
    let owned = (10..15).map(|number| {
        config(
            &format!("owned-{number}"),
            &uid(number),
            json!({"parents": format!("{OWNER} and {}", uid(number))}),
        )
    });
    let found = messages([config("owner", OWNER, json!({}))].into_iter().chain(owned));
    assert_eq!(
        found,
        [
            "5 objects of configmaps name others by their uids at /data/parents, such as configmaps shop/owned-10 \
             (configmaps shop/owner); in the target those have other uids."
        ]
    );
}

#[test]
fn a_uid_of_an_object_that_is_not_restored_is_named_too() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "once", "namespace": "shop", "uid": OWNER},
        "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Succeeded"}});
    let found = messages([pod, config("owned", OWNED, json!({"parent": OWNER}))]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("pods shop/once"), "{found:?}");
}
