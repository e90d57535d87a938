//! Definitions that were not established in the source.

use serde_json::{Value, json};

use crate::testing::{Fixture, find};
use crate::{Step, Wave};

fn definition(plural: &str, conditions: Value) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.fleet.example.com"), "uid": format!("uid-{plural}")},
        "spec": {"group": "fleet.example.com", "names": {"plural": plural, "kind": "Zone"},
            "versions": [{"name": "v1", "served": true, "storage": true}]},
        "status": {"conditions": conditions}})
}

fn condition(r#type: &str, status: &str) -> Value {
    json!({"type": r#type, "status": status})
}

/// Two definitions claim one kind. Alphabetically the one that lost comes first.
#[test]
fn a_definition_that_was_not_established_follows_those_that_were_and_is_not_waited_for() {
    let lost = json!([
        condition("NamesAccepted", "False"),
        condition("Established", "False")
    ]);
    let won = json!([
        condition("NamesAccepted", "True"),
        condition("Established", "True")
    ]);
    let plan = Fixture::new([definition("areas", lost), definition("zones", won)]).plan();
    let place = |plural: &str| {
        let object = find(
            &plan,
            &format!("customresourcedefinitions.apiextensions.k8s.io {plural}.fleet.example.com"),
        );
        (
            object.wave,
            object.depth,
            object.after.contains(&Step::WaitEstablished),
        )
    };
    assert_eq!(place("zones"), (Wave::Crds, 0, true));
    assert_eq!(place("areas"), (Wave::Crds, 1, false));
}

#[test]
fn a_definition_whose_status_says_nothing_is_waited_for() {
    let plan = Fixture::new([definition("zones", json!([]))]).plan();
    let zones = find(
        &plan,
        "customresourcedefinitions.apiextensions.k8s.io zones.fleet.example.com",
    );
    assert_eq!(
        (zones.depth, zones.after.contains(&Step::WaitEstablished)),
        (0, true)
    );
}
