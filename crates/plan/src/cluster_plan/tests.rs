#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_model::Code;
use serde_json::{Value, json};

use super::markdown::escaped;
use super::*;
use crate::testing::{Fixture, named};

const SUBNET: &str = "subnet-0aaaaaaaaaaaaaaa1";

/// Returns an identity map with this counterpart of the subnet.
fn map(subnet: &str) -> Value {
    json!({
        "format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "identities": [{"kind": "subnet", "from": SUBNET, "to": subnet}],
    })
}

fn objects() -> Vec<Value> {
    let annotations = |text: &str| {
        json!({"metadata": {"annotations": {
        "alb.ingress.kubernetes.io/subnets": text}}})
    };
    vec![
        named("networking.k8s.io/v1", "Ingress", "cart", annotations(SUBNET)),
        named(
            "v1",
            "ConfigMap",
            "settings",
            json!({"data": {"region": "eu-west-1", "pipe": "a|b `c`"}}),
        ),
        named(
            "v1",
            "Secret",
            "password",
            json!({"data": {"region": "ZXUtd2VzdC0x", "canary": "Y2FuYXJ5"}}),
        ),
        named("coordination.k8s.io/v1", "Lease", "leader", json!({})),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ip-10-0-0-1", "uid": "uid-node"}}),
    ]
}

fn fixture(subnet: &str) -> Fixture {
    Fixture::new(objects()).with(json!({"identities": map(subnet)}))
}

fn document(plan: &Plan, refusals: Vec<Problem>) -> ClusterPlan {
    let name = |text: &str| ClusterName::parse(text).unwrap();
    let names = (&name("orders"), &name("orders-dr"));
    ClusterPlan::new(plan, plan.hash(), names, ComparedWith::EmptyCluster, refusals)
}

#[test]
fn a_plan_tells_what_becomes_of_the_objects() {
    let document = document(&fixture("${network.SubnetPrivateA}").plan(), Vec::new());
    insta::assert_snapshot!("text", document.text());
    insta::assert_snapshot!("markdown", document.markdown());
    let again: ClusterPlan = serde_json::from_value(serde_json::to_value(&document).unwrap()).unwrap();
    assert_eq!(again, document);
    for text in [
        document.text(),
        document.markdown(),
        serde_json::to_string(&document).unwrap(),
    ] {
        assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
        assert!(text.contains("hmac-sha256:"), "{text}");
    }
}

#[test]
fn what_the_target_refuses_must_be_fixed_first() {
    let plan = fixture("${network.SubnetPrivateA}").plan();
    assert!(!document(&plan, Vec::new()).rejected);
    let refusal = Problem::new(
        Code::Forbidden,
        "the plan requires permission to create pods",
        "grant it",
    );
    let refused = document(&plan, vec![refusal.clone()]);
    assert!(refused.rejected);
    assert_eq!(refused.first, [refusal]);
    assert!(refused.text().contains("fix first") && refused.markdown().contains("### Fix first"));
}

#[test]
fn long_lists_are_counted_and_cut() {
    let configs = (0..CHANGES + 50).map(|index| {
        named(
            "v1",
            "ConfigMap",
            &format!("c{index:04}"),
            json!({"data": {"a": "eu-west-1"}}),
        )
    });
    let fixture = Fixture::new(configs.collect::<Vec<_>>())
        .with(json!({"identities": map("subnet-0bbbbbbbbbbbbbbb1")}));
    let document = document(&fixture.plan(), Vec::new());
    let group = document
        .objects
        .iter()
        .find(|group| group.r#type == "configmaps")
        .unwrap();
    assert_eq!((group.count, group.objects.len()), (CHANGES as u64 + 50, NAMED));
    let [translations] = document.translations.as_slice() else {
        panic!("{:?}", document.translations)
    };
    assert_eq!(
        (translations.count, translations.changes.len()),
        (CHANGES as u64 + 50, CHANGES)
    );
    assert!(document.text().contains("and 245 more"), "{}", document.text());
    assert!(
        document.markdown().contains("and 200 more"),
        "{}",
        document.markdown()
    );
}

#[test]
fn a_symbol_is_no_violation_of_a_schema() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "orders.shop.example.com", "uid": "uid-definition"},
        "spec": {"group": "shop.example.com", "scope": "Namespaced", "names": {"plural": "orders", "kind": "Order"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "subnet": {"type": "string", "pattern": "^subnet-[0-9a-f]{17}$", "maxLength": 24}}}}}}}]}});
    let broken = |subnet: &str| {
        let order = named(
            "shop.example.com/v1",
            "Order",
            "one",
            json!({"spec": {"subnet": SUBNET}}),
        );
        let fixture = Fixture::new([definition.clone(), order]).with(json!({"identities": map(subnet)}));
        let findings = fixture.plan().lint();
        findings
            .iter()
            .any(|finding| finding.code == Code::DefinitionBroken)
    };
    assert!(!broken("${network.SubnetPrivateA}"));
    assert!(!broken("subnet-0bbbbbbbbbbbbbbb1"));
    assert!(broken("subnet-0bbbbbbb"), "an identifier can be one");
}

#[test]
fn only_what_has_symbols_is_symbolic() {
    let (symbolic, known) = (
        fixture("${network.SubnetPrivateA}").plan(),
        fixture("subnet-0bbbbbbbbbbbbbbb1").plan(),
    );
    assert!(symbolic.is_symbolic() && !known.is_symbolic());
    let body = json!({"a": "x,${network.SubnetPrivateA}"});
    assert!(symbolic.has_symbols(&body) && !known.has_symbols(&body));
    assert!(!symbolic.has_symbols(&json!({"a": "${aws:username}"})));
}

#[test]
fn a_target_that_does_not_exist_is_an_empty_cluster_of_the_same_version() {
    let mut objects = objects();
    objects.push(named("shop.example.com/v1", "Order", "one", json!({})));
    objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata":
        {"name": "web", "namespace": "shop", "uid": "uid-web"}, "spec": {"clusterIP": "10.100.0.7"}}));
    let draft = Fixture::new(objects).draft();
    let facts = draft.empty_target("v1.33.1", vec!["10.100.0.0/16".to_owned()]);
    assert_eq!(facts.server_version, "v1.33.1");
    let plan = draft.plan(&facts).unwrap();
    let planned = |name: &str| {
        plan.objects
            .iter()
            .find(|object| object.target.to_string() == name)
    };
    assert_eq!(
        planned("configmaps shop/settings").unwrap().action,
        Action::Create
    );
    let rules: Vec<RuleId> = planned("services shop/web")
        .unwrap()
        .changes
        .iter()
        .map(|c| c.rule)
        .collect();
    assert!(
        !rules.contains(&RuleId::ClusterIpReleased),
        "the range is that of the source: {rules:?}"
    );
    let unserved = plan
        .not_restored
        .iter()
        .find(|entry| entry.object.name.as_ref() == "one")
        .unwrap();
    assert_eq!(
        unserved.rule,
        RuleId::TypeNotServed,
        "its definition is not in the recovery point"
    );
}

#[test]
fn values_have_no_meaning_in_markdown() {
    assert_eq!(escaped("a|b\n[x](y) <i> *z*"), r"a\|b \[x\](y) \<i\> \*z\*");
}
