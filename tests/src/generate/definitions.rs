//! Definitions of custom resources, and objects that are older than them.

use serde_json::{Value, json};

use super::{Draft, Phase};

const GROUP: &str = "generated.example.com";

fn definition(plural: &str, kind: &str, versions: Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural.trim_end_matches('s'), "kind": kind, "listKind": format!("{kind}List")},
            "versions": versions
        }
    })
}

/// Returns the type of a custom object, as kubectl names it.
pub(super) fn type_name(object: &Value) -> Option<String> {
    let number = object["kind"].as_str()?.strip_prefix("Widget")?;
    Some(format!("widgets{number}s.{GROUP}"))
}

fn version(name: &str, storage: bool, schema: &Value) -> Value {
    json!({
        "name": name, "served": true, "storage": storage, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema}
    })
}

fn open_schema() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn names(draft: &mut Draft) -> (String, String) {
    let number = draft.name("x").replace("x-", "");
    (format!("widgets{number}s"), format!("Widget{number}"))
}

fn custom(kind: &str, version: &str, name: &str, namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{version}"), "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec
    })
}

/// Objects that several owners apply in several versions, of which one may be removed later.
pub(super) fn two_versions(draft: &mut Draft) {
    let (plural, kind) = names(draft);
    let both = json!([
        version("v1", true, &open_schema()),
        version("v1alpha1", false, &open_schema())
    ]);
    draft.apply(Phase::Begin, "helm", definition(&plural, &kind, both));
    let (name, namespace, manager) = (draft.name("thing"), draft.namespace(), draft.manager());
    draft.apply(
        Phase::Old,
        manager,
        custom(
            &kind,
            "v1alpha1",
            &name,
            namespace,
            &json!({"stages": ["build"], "image": "a:1"}),
        ),
    );
    draft.apply(
        Phase::Young,
        "finance",
        custom(&kind, "v1", &name, namespace, &json!({"budget": 12})),
    );
    if draft.once_in(2) {
        let one = json!([version("v1", true, &open_schema())]);
        draft.apply(Phase::Changes, "helm", definition(&plural, &kind, one));
    }
}

/// Nulls and empty values in fields and in the status.
pub(super) fn nulls(draft: &mut Draft) {
    let (plural, kind) = names(draft);
    let schema = json!({
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {
                "limit": {"type": "integer", "nullable": true}, "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "items": {"type": "array", "items": {"type": "string"}},
                "mode": {"type": "string", "default": "auto"}
            }},
            "status": {"type": "object", "properties": {
                "last": {"type": "string", "nullable": true}, "count": {"type": "integer"}
            }}
        }
    });
    draft.apply(
        Phase::Begin,
        "helm",
        definition(&plural, &kind, json!([version("v1", true, &schema)])),
    );
    let (name, namespace, phase) = (draft.name("thing"), draft.namespace(), draft.age());
    let object = custom(
        &kind,
        "v1",
        &name,
        namespace,
        &json!({"limit": null, "labels": {}, "items": []}),
    );
    draft.create(phase, "operator", object.clone());
    let mut with_status = object;
    with_status["status"] = json!({"last": null, "count": 3});
    draft.step(Phase::End, super::Step::Replace(with_status, "/status"));
}

/// A schema and rules that become stricter than the objects.
pub(super) fn stricter_schema(draft: &mut Draft) {
    let (plural, kind) = names(draft);
    draft.apply(
        Phase::Begin,
        "helm",
        definition(&plural, &kind, json!([version("v1", true, &open_schema())])),
    );
    let (name, namespace) = (draft.name("thing"), draft.namespace());
    draft.apply(
        Phase::Old,
        "kubectl",
        custom(
            &kind,
            "v1",
            &name,
            namespace,
            &json!({"size": -1, "colour": "mauve"}),
        ),
    );
    let mut size = json!({"type": "integer"});
    let mut spec = json!({"type": "object"});
    match draft.rng.u32(0..4) {
        0 => size["minimum"] = json!(0),
        1 => spec["required"] = json!(["owner"]),
        2 => spec["x-kubernetes-validations"] = json!([{"rule": "self.size >= 0", "message": "negative"}]),
        _ => {
            spec["x-kubernetes-validations"] =
                json!([{"rule": "self.size == oldSelf.size", "message": "fixed"}])
        }
    }
    spec["properties"] = json!({"size": size, "colour": {"type": "string"}, "owner": {"type": "string"}});
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    draft.apply(
        Phase::Policies,
        "helm",
        definition(&plural, &kind, json!([version("v1", true, &schema)])),
    );
}
