//! Custom resources that are older than the rules of their definition.

use lifeboat_model::{Code, ObjectRef};
use serde_json::{Value, json};

use crate::testing::{Fixture, facts_with_custom_types, named};
use crate::{Existing, LintFinding, Severity, definition_outline};

const DEFINITION: &str = "orders.shop.example.com";

fn definition(of_spec: Value) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": DEFINITION, "uid": "uid-definition"},
        "spec": {"group": "shop.example.com", "scope": "Namespaced", "names": {"plural": "orders", "kind": "Order"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": of_spec}}}}]}})
}

fn strict() -> Value {
    definition(json!({"type": "object", "required": ["owner"], "properties": {
        "owner": {"type": "string"},
        "size": {"type": "string", "enum": ["small", "large"]},
        "copies": {"type": "integer", "maximum": 3}}}))
}

fn order(name: &str, spec: Value) -> Value {
    named("shop.example.com/v1", "Order", name, json!({ "spec": spec }))
}

fn orders() -> Vec<Value> {
    vec![
        order("fine", json!({"owner": "a", "size": "small"})),
        order("no-owner", json!({"size": "large"})),
        order("medium", json!({"owner": "a", "size": "medium"})),
    ]
}

fn findings(fixture: &Fixture) -> Vec<LintFinding> {
    let mut findings = fixture.plan().lint();
    findings.retain(|finding| finding.code == Code::DefinitionBroken);
    findings
}

fn only(fixture: &Fixture) -> LintFinding {
    let findings = findings(fixture);
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}")
    };
    finding.clone()
}

/// Returns a target that holds this definition.
fn with_definition(mut fixture: Fixture, live: &Value) -> Fixture {
    fixture.facts = facts_with_custom_types();
    fixture.facts.existing.insert(
        ObjectRef::new(
            "customresourcedefinitions.apiextensions.k8s.io".into(),
            None,
            DEFINITION,
        ),
        Existing {
            uid: "live".into(),
            created_by_this_run: false,
            managers: [].into(),
            body: Some(Box::new(definition_outline(live))),
        },
    );
    fixture
}

#[test]
fn objects_that_are_older_than_the_rules_of_their_definition_are_named() {
    let mut objects = orders();
    objects.push(strict());
    let finding = only(&Fixture::new(objects));
    assert_eq!(
        (finding.severity, finding.check.as_str()),
        (Severity::Warning, "older-than-rules")
    );
    assert_eq!(
        finding.message,
        "2 objects of orders.shop.example.com break rules of the definition, which are younger: \
         orders.shop.example.com shop/medium, orders.shop.example.com shop/no-owner (/spec/owner: required; \
         /spec/size: enum [\"small\", \"large\"]). They are created while the definition is without these rules; then \
         the definition is applied as captured."
    );
    assert!(!finding.message.contains("\"medium\""), "a value is shown");
}

#[test]
fn objects_that_the_definition_refuses_without_its_rules_reject_the_plan() {
    let mut objects = orders();
    objects.push(strict());
    objects.push(order("text", json!({"size": "medium", "copies": "3"})));
    let findings = findings(&Fixture::new(objects));
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert_eq!(
        (findings[0].severity, findings[0].message.as_str()),
        (
            Severity::Error,
            "1 object of orders.shop.example.com does not have the structure that the definition describes, so that \
             every API server refuses them: orders.shop.example.com shop/text (/spec/copies: type integer)."
        )
    );
    // It is not among those that are created.
    assert!(
        findings[1].message.starts_with("2 objects"),
        "{}",
        findings[1].message
    );
}

#[test]
fn what_a_kept_definition_refuses_is_said_only_if_it_is_the_captured_one() {
    let objects = || {
        let mut objects = orders();
        objects.push(strict());
        Fixture::new(objects)
    };
    let kept = only(&with_definition(objects(), &strict()));
    assert_eq!(kept.severity, Severity::Warning);
    assert!(
        kept.message.contains("the restore does not change"),
        "{}",
        kept.message
    );
    assert!(kept.guidance.contains("--existing update"));
    let updated = with_definition(objects(), &strict()).with(json!({"existing": "update"}));
    assert!(only(&updated).message.contains("They are created while"));
    let other = with_definition(objects(), &definition(json!({"type": "object"})));
    assert_eq!(findings(&other), []);
    // The definition is not selected, and the target holds it.
    let unselected =
        with_definition(objects(), &strict()).with(json!({"selection": {"filter": {"types": ["orders"]}}}));
    assert!(only(&unselected).message.contains("the restore does not change"));
}

#[test]
fn objects_are_checked_as_they_will_be_created() {
    let with_patch = |r#type: &str, patch: Value| {
        let mut objects = orders();
        objects.push(strict());
        let patches = json!({"patches": [{"name": "fix", "when": {"types": [r#type]}, "merge": patch}]});
        Fixture::new(objects).with(patches)
    };
    let corrected = with_patch("orders", json!({"spec": {"owner": "b", "size": "small"}}));
    assert_eq!(findings(&corrected), []);
    let broken = with_patch("orders", json!({"spec": {"copies": 4}}));
    assert!(only(&broken).message.starts_with("3 objects"));
    let versions = json!([{"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object"}}}]);
    let relaxed = with_patch(
        "customresourcedefinitions",
        json!({"spec": {"versions": versions}}),
    );
    assert_eq!(findings(&relaxed), []);
}

#[test]
fn a_status_counts_only_where_the_create_request_contains_it() {
    let with_status = |subresources: Value| {
        let mut definition = definition(json!({"type": "object"}));
        let version = &mut definition["spec"]["versions"][0];
        version["subresources"] = subresources;
        version["schema"]["openAPIV3Schema"]["properties"]["status"] =
            json!({"type": "object", "properties": {"phase": {"enum": ["Ready"]}}});
        let mut order = order("old", json!({}));
        order["status"] = json!({"phase": "Old"});
        Fixture::new([definition, order])
    };
    let field = only(&with_status(json!({})));
    assert!(field.message.contains("/status/phase: enum"), "{}", field.message);
    assert_eq!(findings(&with_status(json!({"status": {}}))), []);
    let restored =
        with_status(json!({"status": {}})).with(json!({"rules": {"restoreStatus": [{"types": ["orders"]}]}}));
    assert!(only(&restored).message.contains("/status/phase: enum"));
}
