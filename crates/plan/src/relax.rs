//! A CustomResourceDefinition without the rules that objects may break that are older than the rules.
//!
//! Validation ratchets: a definition may become stricter while objects exist that break it, and they live on, but a new
//! object is judged by all rules
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting>).

use std::collections::BTreeSet;

use lifeboat_translate::pointer;
use serde_json::Value;

/// The keywords of a schema that reject values and have no other effect. Types, properties, defaults and list types stay:
/// pruning, defaulting and field ownership depend on them.
const RULES: [&str; 18] = [
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "allOf",
    "oneOf",
    "not",
];

/// Returns a definition whose schemas do not have these rules.
#[must_use]
pub fn relax(definition: &Value) -> Value {
    let mut relaxed = definition.clone();
    let versions = relaxed
        .pointer_mut("/spec/versions")
        .and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
            relax_schema(schema);
        }
    }
    relaxed
}

/// Removes these rules from a schema.
pub(crate) fn relax_schema(schema: &mut Value) {
    relax_element(schema, &BTreeSet::new());
}

/// `keys` are the properties that must stay required: the keys of the list that the schema is the element of.
fn relax_element(schema: &mut Value, keys: &BTreeSet<String>) {
    let own: BTreeSet<String> = pointer::list(schema, "/x-kubernetes-list-map-keys")
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect();
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for rule in RULES {
        map.remove(rule);
    }
    map.remove("x-kubernetes-validations");
    // A schema for either a number or a text says so in `anyOf`.
    if map.get("x-kubernetes-int-or-string") != Some(&Value::Bool(true)) {
        map.remove("anyOf");
    }
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|name| name.as_str().is_some_and(|name| keys.contains(name)));
        if required.is_empty() {
            map.remove("required");
        }
    }
    let none = BTreeSet::new();
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for property in properties.values_mut() {
            relax_element(property, &none);
        }
    }
    if let Some(items) = map.get_mut("items") {
        relax_element(items, &own);
    }
    if let Some(other) = map.get_mut("additionalProperties") {
        relax_element(other, &none);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_go_and_structure_stays() {
        let definition = |schema: Value| json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
        let strict = definition(json!({
            "type": "object",
            "x-kubernetes-validations": [{"rule": "self.spec.size == oldSelf.spec.size"}],
            "properties": {
                "required": {"type": "string", "enum": ["a"], "default": "a"},
                "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}},
                "list": {"type": "array", "maxItems": 3, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "required": ["name", "size"],
                        "properties": {"name": {"type": "string"}, "size": {"type": "integer", "minimum": 1}}}},
            },
            "required": ["required"],
        }));
        let relaxed = definition(json!({
            "type": "object",
            "properties": {
                "required": {"type": "string", "default": "a"},
                "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "required": ["name"],
                        "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}},
            },
        }));
        assert_eq!(relax(&strict), relaxed);
    }
}
