use serde_json::json;

use super::*;

fn entry(manager: &str, operation: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields})
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "cart", "namespace": "shop", "labels": {"app": "cart"}},
        "spec": {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"app": "cart"}},
    })
}

fn all_of_service() -> Value {
    json!({"f:metadata": {"f:labels": {"f:app": {}}},
           "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:protocol": {}}},
                      "f:selector": {}}})
}

#[test]
fn one_updater_creates_the_object_in_its_own_name() {
    let entries = entries(
        vec![
            entry("helm", "Update", all_of_service()),
            json!({"manager": "kcm", "operation": "Update", "subresource": "status", "fieldsV1": {}}),
        ],
        false,
    );
    assert_eq!(
        decide(&entries, &service(), false),
        Ownership::Single {
            manager: "helm".into(),
            operation: Operation::Update
        }
    );
}

#[test]
fn one_applier_applies_again_only_what_it_owned() {
    let whole = [entry("flux", "Apply", all_of_service())];
    assert_eq!(
        decide(&whole, &service(), false),
        Ownership::Single {
            manager: "flux".into(),
            operation: Operation::Apply
        }
    );
    let mut with_default = service();
    with_default["spec"]["sessionAffinity"] = json!("None");
    assert_eq!(
        decide(&whole, &with_default, false),
        Ownership::Several { first: "flux".into() }
    );
    let mut second_port = service();
    second_port["spec"]["ports"] = json!([{"port": 80, "protocol": "TCP"}, {"port": 81}]);
    assert_eq!(
        decide(&whole, &second_port, false),
        Ownership::Several { first: "flux".into() }
    );
}

#[test]
fn several_owners_keep_their_entries_and_the_scale_subresource_counts() {
    let two = [
        entry("helm", "Update", json!({})),
        entry("kubectl-edit", "Update", json!({})),
    ];
    assert_eq!(
        decide(&two, &service(), false),
        Ownership::Several { first: "helm".into() }
    );
    let scale = json!({"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {}});
    assert_eq!(
        decide(std::slice::from_ref(&scale), &service(), false),
        Ownership::Several { first: "hpa".into() }
    );
    assert_eq!(
        decide(&[scale, entry("helm", "Update", json!({}))], &service(), false),
        Ownership::Several { first: "helm".into() }
    );
    assert_eq!(decide(&[], &service(), false), Ownership::None);
}

#[test]
fn entries_of_the_status_come_back_only_with_the_status() {
    let status = json!({"manager": "op", "operation": "Update", "subresource": "status"});
    assert_eq!(entries(vec![status.clone()], false), Vec::<Value>::new());
    assert_eq!(entries(vec![status.clone()], true), vec![status]);
}

#[test]
fn a_generated_name_has_an_owner_as_other_fields_have() {
    let mut generated = service();
    generated["metadata"]["generateName"] = json!("cart-");
    let mut owned = all_of_service();
    let unowned = [entry("helm", "Update", owned.clone())];
    owned["f:metadata"]["f:generateName"] = json!({});
    let all = [entry("helm", "Update", owned)];
    assert!(matches!(
        decide(&all, &generated, false),
        Ownership::Single { .. }
    ));
    let several = Ownership::Several { first: "helm".into() };
    assert_eq!(decide(&unowned, &generated, false), several);
}

#[test]
fn a_status_that_a_request_of_the_restore_writes_needs_the_captured_entries() {
    let whole = [entry("helm", "Update", all_of_service())];
    let several = Ownership::Several { first: "helm".into() };
    assert_eq!(decide(&whole, &service(), true), several);
}
