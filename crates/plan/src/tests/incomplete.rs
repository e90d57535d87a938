//! Recovery points that lack types, and objects whose namespace did not exist.

use std::sync::Arc;

use lifeboat_model::{Code, ObjectRef};
use serde_json::{Value, json};

use crate::testing::{Fixture, find, left_out};
use crate::{Existing, MissingSource, Plan, RuleId, Severity, SourceCompleteness};

fn config(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": namespace, "uid": format!("uid-{namespace}")}})
}

/// Returns a fixture in which the namespace `ghost` has an object and does not exist.
fn ghost() -> Fixture {
    let mut fixture = Fixture::new([config("ghost"), config("alive")]);
    fixture
        .objects
        .retain(|object| !(object["kind"] == "Namespace" && object["metadata"]["name"] == "ghost"));
    fixture
}

fn plan(fixture: &Fixture, all_namespaces: bool, missing: Vec<MissingSource>) -> Plan {
    let completeness = SourceCompleteness {
        missing,
        all_namespaces,
    };
    let draft = fixture.draft().with_completeness(completeness);
    draft
        .plan(&fixture.facts)
        .unwrap_or_else(|error| panic!("{:#?}", error.problems))
}

fn errors(plan: &Plan) -> Vec<Code> {
    let findings = plan.lint().into_iter();
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.code).collect()
}

#[test]
fn objects_of_a_namespace_that_did_not_exist_are_left_out_and_the_rest_is_restored() {
    let plan = plan(&ghost(), true, Vec::new());
    assert_eq!(errors(&plan), []);
    find(&plan, "configmaps alive/c");
    let left = left_out(&plan, "configmaps ghost/c");
    assert_eq!(
        (left.rule, left.detail.as_deref()),
        (RuleId::NamespaceAbsent, Some("ghost"))
    );
    assert_eq!(
        left.rule.reason(),
        "Its namespace did not exist when it was captured."
    );
    assert!(
        plan.notes
            .iter()
            .any(|note| note.text.contains("`kubectl create namespace ghost`")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn they_are_restored_where_a_namespace_of_that_name_is_planned_or_exists() {
    let mapped = ghost().with(json!({"namespaceMap": {"ghost": "revived", "alive": "revived"}}));
    let mapped = Fixture {
        objects: mapped
            .objects
            .into_iter()
            .map(|mut object| {
                if object["metadata"]["namespace"] == "ghost" {
                    object["metadata"]["name"] = "other".into();
                }
                object
            })
            .collect(),
        ..mapped
    };
    find(&plan(&mapped, true, Vec::new()), "configmaps revived/other");

    let mut fixture = ghost();
    fixture.facts.existing.insert(
        ObjectRef::new("namespaces".into(), None, "ghost"),
        Existing {
            uid: "live".into(),
            managers: Arc::default(),
            created_by_this_run: false,
            body: None,
        },
    );
    let plan = plan(&fixture, true, Vec::new());
    find(&plan, "configmaps ghost/c");
    assert_eq!(errors(&plan), []);
}

#[test]
fn without_a_complete_list_of_namespaces_a_missing_one_is_an_error() {
    assert_eq!(
        errors(&plan(&ghost(), false, Vec::new())),
        [Code::MissingDependency]
    );
}

#[test]
fn an_exclusion_of_an_unknown_namespace_is_a_warning() {
    let fixture = Fixture::new([config("shop")])
        .with(json!({"selection": {"filter": {"excludeNamespaces": ["ghost"]}}}));
    let findings = plan(&fixture, true, Vec::new()).lint();
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(
        (finding.check.as_str(), finding.severity),
        ("exclusion-selects-nothing", Severity::Warning)
    );
}

#[test]
fn the_plan_of_a_partial_point_names_what_it_lacks_with_the_remedy() {
    let missing = |name: &str| MissingSource {
        r#type: Some(name.into()),
        group: None,
        verb: "list".into(),
        answer: "500 request to convert CR from an invalid group/version: news.example.com/v1alpha1".into(),
        remediation: "serve or store the version again".into(),
    };
    let gaps = || {
        vec![
            missing("feeds.news.example.com"),
            missing("carts.shop.example.com"),
        ]
    };
    let found = plan(&Fixture::new([config("shop")]), true, gaps());
    let findings = found.lint();
    assert_eq!(findings.len(), 2, "{findings:?}");
    let feeds = &findings[1];
    assert_eq!(
        (feeds.check.as_str(), feeds.severity, feeds.code),
        ("not-captured", Severity::Warning, Code::PartialPoint)
    );
    assert_eq!(
        feeds.message,
        "No feeds.news.example.com is in the recovery point, which is Partial: list failed: 500 request to convert CR from an invalid group/version: news.example.com/v1alpha1."
    );
    assert_eq!(feeds.guidance, "serve or store the version again");
    // What is not asked for is not missed.
    let only = Fixture::new([config("shop")])
        .with(json!({"selection": {"filter": {"excludeTypes": ["configmaps"], "types": ["namespaces"]}}}));
    assert_eq!(plan(&only, true, gaps()).lint(), []);
}
