#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use super::*;
use crate::relax::relax_schema;

/// Returns what an object with this `spec` breaks, as `path: rule`, if its schema says this about `spec`.
fn broken(of_spec: Value, spec: Value) -> Vec<String> {
    let schema = json!({"type": "object", "properties": {"spec": of_spec}});
    let violations = Schema::compile(&schema).violations(&json!({"metadata": {"name": "x"}, "spec": spec}));
    let texts = violations.iter().map(|one| format!("{}: {}", one.path, one.rule));
    texts.collect()
}

#[test]
fn every_keyword_rejects_what_breaks_it_and_nothing_else() {
    let long = "a".repeat(90);
    for (schema, good, bad, rule) in [
        (
            json!({"type": "string"}),
            json!("a"),
            json!(1),
            "type string".to_owned(),
        ),
        (
            json!({"type": "integer"}),
            json!(1.0),
            json!(1.5),
            "type integer".to_owned(),
        ),
        (
            json!({"type": "number"}),
            json!(1),
            json!("1"),
            "type number".to_owned(),
        ),
        (
            json!({"type": "boolean"}),
            json!(false),
            json!("false"),
            "type boolean".to_owned(),
        ),
        (
            json!({"type": "array"}),
            json!([]),
            json!({}),
            "type array".to_owned(),
        ),
        (
            json!({"type": "object"}),
            json!({}),
            json!([]),
            "type object".to_owned(),
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!("80%"),
            json!(1.5),
            "type string or integer".to_owned(),
        ),
        (
            json!({"enum": ["a", 1]}),
            json!(1.0),
            json!("b"),
            r#"enum ["a", 1]"#.to_owned(),
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!("a"),
            json!(null),
            r#"enum ["a"]"#.to_owned(),
        ),
        (
            json!({"pattern": r"^\d+$"}),
            json!("12"),
            json!("x1"),
            r"pattern ^\d+$".to_owned(),
        ),
        (
            json!({"pattern": long}),
            json!(long),
            json!("b"),
            format!("pattern {}…", "a".repeat(72)),
        ),
        (
            json!({"type": "string", "format": "date"}),
            json!("2024-01-31"),
            json!("2024-01-32"),
            "format date".to_owned(),
        ),
        (json!({"minimum": 1}), json!(1), json!(0), "minimum 1".to_owned()),
        (
            json!({"minimum": 1, "exclusiveMinimum": true}),
            json!(1.5),
            json!(1),
            "exclusiveMinimum 1".to_owned(),
        ),
        (json!({"maximum": 3}), json!(3), json!(4), "maximum 3".to_owned()),
        (
            json!({"maximum": 3, "exclusiveMaximum": true}),
            json!(2),
            json!(3),
            "exclusiveMaximum 3".to_owned(),
        ),
        (
            json!({"multipleOf": 0.1}),
            json!(0.3),
            json!(0.25),
            "multipleOf 0.1".to_owned(),
        ),
        (
            json!({"minLength": 2}),
            json!("éé"),
            json!("é"),
            "minLength 2".to_owned(),
        ),
        (
            json!({"maxLength": 2}),
            json!("éé"),
            json!("ééé"),
            "maxLength 2".to_owned(),
        ),
        (
            json!({"minItems": 1}),
            json!([1]),
            json!([]),
            "minItems 1".to_owned(),
        ),
        (
            json!({"maxItems": 1}),
            json!([1]),
            json!([1, 2]),
            "maxItems 1".to_owned(),
        ),
        (
            json!({"uniqueItems": true}),
            json!([1, "1"]),
            json!([1, 1.0]),
            "uniqueItems".to_owned(),
        ),
        (
            json!({"minProperties": 1}),
            json!({"a": 1}),
            json!({}),
            "minProperties 1".to_owned(),
        ),
        (
            json!({"maxProperties": 1}),
            json!({"a": 1}),
            json!({"a": 1, "b": 1}),
            "maxProperties 1".to_owned(),
        ),
        (
            json!({"anyOf": [{"minimum": 5}, {"maximum": 1}]}),
            json!(0),
            json!(3),
            "anyOf".to_owned(),
        ),
        (
            json!({"oneOf": [{"minimum": 5}, {"maximum": 7}]}),
            json!(0),
            json!(6),
            "oneOf".to_owned(),
        ),
        (
            json!({"allOf": [{"minimum": 5}]}),
            json!(5),
            json!(4),
            "minimum 5".to_owned(),
        ),
        (
            json!({"not": {"enum": ["a"]}}),
            json!("b"),
            json!("a"),
            "not".to_owned(),
        ),
        (
            json!({"x-kubernetes-list-type": "set"}),
            json!([1, 2]),
            json!([1, 1]),
            "x-kubernetes-list-type set".to_owned(),
        ),
        (
            json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "port"]}),
            json!([{"name": "a", "port": 1}, {"name": "a", "port": 2}, {"name": "a"}]),
            json!([{"name": "a", "port": 1, "x": 1}, {"name": "a", "port": 1}]),
            "x-kubernetes-list-type map".to_owned(),
        ),
    ] {
        assert_eq!(broken(schema.clone(), good.clone()), [""; 0], "{schema} {good}");
        assert_eq!(
            broken(schema.clone(), bad.clone()),
            [format!("/spec: {rule}")],
            "{schema} {bad}"
        );
    }
}

#[test]
fn paths_name_fields_and_neither_keys_of_maps_nor_values() {
    let schema = json!({"type": "object",
        "properties": {"list": {"type": "array", "items": {"type": "object", "required": ["name"],
            "properties": {"size": {"type": "integer"}}}}},
        "additionalProperties": {"type": "object", "additionalProperties": {"maxLength": 3}}});
    let spec = json!({"list": [{"size": "secret"}, {"size": "secret"}], "team": {"secret-key": "secret"}});
    assert_eq!(
        broken(schema, spec),
        [
            "/spec/*/*: maxLength 3",
            "/spec/list/*/name: required",
            "/spec/list/*/size: type integer",
        ]
    );
}

#[test]
fn nulls_and_missing_fields_are_judged_after_defaulting() {
    let schema = |nullable: bool, default: Value| {
        let mut owner = json!({"type": "string", "nullable": nullable});
        if !default.is_null() {
            owner["default"] = default;
        }
        json!({"type": "object", "required": ["owner"], "properties": {"owner": owner}})
    };
    let required = ["/spec/owner: required"];
    // A null that is not nullable is removed.
    assert_eq!(
        broken(schema(false, json!(null)), json!({"owner": null})),
        required
    );
    assert_eq!(broken(schema(false, json!(null)), json!({})), required);
    assert_eq!(broken(schema(true, json!(null)), json!({"owner": null})), [""; 0]);
    for spec in [json!({}), json!({"owner": null})] {
        assert_eq!(broken(schema(false, json!("team-a")), spec), [""; 0]);
    }
    // `anyOf` and the number of fields count defaults too.
    let any = json!({"type": "object", "minProperties": 1, "anyOf": [{"required": ["owner"]}],
        "properties": {"owner": {"type": "string", "default": ""}}});
    assert_eq!(broken(any, json!({})), [""; 0]);
    let any = |default: &str| {
        json!({"type": "object", "anyOf": [{"required": ["b"]}, {"properties": {"a": {"enum": ["y"]}}}],
            "properties": {"a": {"type": "string", "default": default}}})
    };
    assert_eq!(broken(any("y"), json!({})), [""; 0]);
    assert_eq!(broken(any("x"), json!({})), ["/spec: anyOf"]);
    // A null in a list stays.
    let list = |items: Value| json!({"type": "array", "items": items});
    assert_eq!(
        broken(list(json!({"type": "string"})), json!([null])),
        ["/spec/*: type string"]
    );
    assert_eq!(
        broken(list(json!({"type": "string", "default": "a"})), json!([null])),
        [""; 0]
    );
}

/// An API server takes the integral part of a limit for integers, and refuses every integer if only they are allowed.
#[test]
fn limits_with_a_fraction_mean_for_integers_what_they_mean_in_go() {
    for (kind, value, is_kept) in [
        ("number", json!(0), true),
        ("number", json!(0.2), false),
        ("integer", json!(1), false),
    ] {
        let rules = broken(json!({"type": kind, "minimum": 0.5}), value.clone());
        assert_eq!(rules.is_empty(), is_kept, "{kind} {value}");
    }
    let multiple = |value: Value| broken(json!({"type": "number", "multipleOf": 0.5}), value).is_empty();
    assert_eq!((multiple(json!(1.5)), multiple(json!(1))), (true, false));
}

#[test]
fn unknown_fields_are_pruned_or_kept_and_never_broken() {
    let spec = json!({"known": "a", "unknown": {"any": [1, null]}});
    for preserve in [false, true] {
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": preserve,
            "properties": {"known": {"type": "string"}}});
        assert_eq!(broken(schema, spec.clone()), [""; 0]);
    }
}

#[test]
fn an_embedded_object_needs_its_type() {
    let schema = json!({"type": "object", "x-kubernetes-embedded-resource": true,
        "x-kubernetes-preserve-unknown-fields": true});
    let good = json!({"apiVersion": "v1", "kind": "Secret", "data": {}});
    assert_eq!(broken(schema.clone(), good), [""; 0]);
    assert_eq!(
        broken(schema, json!({"apiVersion": ""})),
        [
            "/spec/apiVersion: x-kubernetes-embedded-resource",
            "/spec/kind: x-kubernetes-embedded-resource"
        ]
    );
}

#[test]
fn rules_in_cel_are_not_evaluated() {
    let schema = json!({"type": "string", "x-kubernetes-validations": [{"rule": "self == 'a'"}]});
    assert_eq!(broken(schema, json!("b")), [""; 0]);
}

#[test]
fn a_trimmed_schema_means_the_same_and_keeps_fields_with_the_names_of_texts() {
    let mut schema = json!({"type": "object", "description": "long", "required": ["title"], "properties": {
        "title": {"type": "string", "maxLength": 3, "description": "long", "default": "abc"},
        "description": {"allOf": [{"description": "long", "enum": ["a"]}]}}});
    trim(&mut schema);
    assert_eq!(
        schema,
        json!({"type": "object", "required": ["title"], "properties": {
            "title": {"type": "string", "maxLength": 3, "default": "abc"},
            "description": {"allOf": [{"enum": ["a"]}]}}})
    );
}

/// Generates values of any type, many of them equal.
fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..4).prop_map(Value::from),
        proptest::sample::select(vec![0.5, 1.0, 2.0]).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Generates schemas with all keywords.
fn schemas() -> impl Strategy<Value = Value> {
    let keyword = prop_oneof![
        proptest::sample::select(TYPE_NAMES.to_vec()).prop_map(|name| ("type", json!(name))),
        any::<bool>().prop_map(|value| ("nullable", json!(value))),
        Just(("x-kubernetes-int-or-string", json!(true))),
        Just(("x-kubernetes-list-type", json!("set"))),
        Just(("enum", json!(["a", 1]))),
        Just(("pattern", json!("^a"))),
        Just(("required", json!(["a"]))),
        (0..3).prop_map(|number| ("minimum", json!(number))),
        (0..3).prop_map(|number| ("maxLength", json!(number))),
        (0..3).prop_map(|number| ("maxItems", json!(number))),
        (0..3).prop_map(|number| ("minProperties", json!(number))),
        Just(("format", json!("date"))),
        Just(("default", json!("a"))),
    ];
    let leaf = proptest::collection::vec(keyword, 0..4).prop_map(|keywords| {
        let keywords = keywords.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(keywords.collect())
    });
    leaf.prop_recursive(3, 12, 2, |inner| {
        let within = prop_oneof![
            inner
                .clone()
                .prop_map(|schema| json!({"properties": {"a": schema}})),
            inner
                .clone()
                .prop_map(|schema| json!({"additionalProperties": schema})),
            inner.clone().prop_map(|schema| json!({"items": schema})),
            inner.clone().prop_map(|schema| json!({"allOf": [schema]})),
            inner.clone().prop_map(|schema| json!({"anyOf": [schema]})),
            inner.clone().prop_map(|schema| json!({"not": schema})),
        ];
        (inner, within).prop_map(|(mut schema, within)| {
            crate::testing::merge(&mut schema, within);
            schema
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// What a definition refuses without its rules, it refuses with them; and a schema that is trimmed or compiled
    /// twice means the same.
    #[test]
    fn relaxing_a_schema_adds_no_refusal(schema in schemas(), value in values()) {
        let object = json!({"spec": value});
        let of = |schema: &Value| Schema::compile(&json!({"properties": {"spec": schema}})).violations(&object);
        let broken = of(&schema);
        let mut relaxed = schema.clone();
        relax_schema(&mut relaxed);
        let always = of(&relaxed);
        // A list is taken for a text as long as a text has a format.
        let is_formatted = schema.to_string().contains("format");
        prop_assert!(is_formatted || always.is_subset(&broken), "{:?} {:?}", always, broken);
        let mut trimmed = schema.clone();
        trim(&mut trimmed);
        prop_assert_eq!(of(&trimmed), broken);
    }
}

#[test]
fn a_generated_schema_is_broken_and_kept_by_some_values() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut outcomes = [0, 0];
    for _ in 0..100 {
        let schema = schemas().new_tree(&mut runner).unwrap().current();
        let value = values().new_tree(&mut runner).unwrap().current();
        outcomes[usize::from(broken(schema, value).is_empty())] += 1;
    }
    assert!(outcomes.iter().all(|number| *number > 10), "{outcomes:?}");
}
