//! Plans of restores into another account and Region.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_model::Code;
use serde_json::{Value, json};

use crate::testing::{Fixture, facts_with_custom_types, find, merge, named, rules};
use crate::{LintFinding, Plan, RestoreOptions, RuleId, Severity};

const IMAGE: &str = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:v1";
const NEW_IMAGE: &str = "222222222222.dkr.ecr.eu-central-1.amazonaws.com/shop/cart:v1";

fn map() -> Value {
    json!({
        "format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "identities": [
            {"kind": "zone", "from": "eu-west-1a", "to": "eu-central-1a"},
            {"kind": "security-group", "from": "sg-0aaaaaaaaaaaaaaa1", "to": "sg-0bbbbbbbbbbbbbbb1"},
        ],
    })
}

fn planned(objects: impl Into<Vec<Value>>, options: Value) -> (Fixture, Plan) {
    let mut all = json!({"identities": map()});
    merge(&mut all, options);
    let mut fixture = Fixture::new(objects).with(all);
    fixture.facts = facts_with_custom_types();
    let plan = fixture.plan();
    (fixture, plan)
}

fn config(name: &str, data: Value) -> Value {
    named("v1", "ConfigMap", name, json!({"data": data}))
}

fn found(plan: &Plan) -> Vec<LintFinding> {
    let findings = plan.lint().into_iter();
    findings
        .filter(|finding| finding.code == Code::Leftover)
        .collect()
}

#[test]
fn each_translation_is_listed_and_the_body_is_built_again() {
    let deployment = named(
        "apps/v1",
        "Deployment",
        "cart",
        json!({"spec": {"template": {"spec": {"containers": [{"name": "cart", "image": IMAGE,
            "env": [{"name": "AWS_REGION", "value": "eu-west-1"}]}]}}}}),
    );
    let (fixture, plan) = planned([deployment], json!({}));
    let object = find(&plan, "deployments.apps shop/cart");
    assert_eq!(
        rules(object),
        [RuleId::TranslateRegistry, RuleId::TranslateRegion]
    );
    let change = &object.changes[0];
    assert_eq!(change.path, "/spec/template/spec/containers/0/env/0/value");
    assert_eq!(change.from.as_deref(), Some("eu-west-1"));
    assert_eq!(change.to.as_deref(), Some("eu-central-1"));
    assert_eq!(*object.leftovers(), []);
    assert!(plan.rules.contains_key(&RuleId::TranslateRegistry));
    let created = fixture.bodies(&plan, "deployments.apps shop/cart").create;
    assert_eq!(
        created.pointer("/spec/template/spec/containers/0/image"),
        Some(&json!(NEW_IMAGE))
    );
    assert!(plan.table().contains("translate-registry"));
    assert_eq!(found(&plan), []);
    assert_eq!(fixture.plan().hash(), plan.hash());
}

#[test]
fn values_of_secrets_are_translated_and_shown_nowhere() {
    // postgres://canary:canary@sqs.eu-west-1.amazonaws.com and canary-111111111111.
    let secret = named(
        "v1",
        "Secret",
        "database",
        json!({"data": {
            "url": "cG9zdGdyZXM6Ly9jYW5hcnk6Y2FuYXJ5QHNxcy5ldS13ZXN0LTEuYW1hem9uYXdzLmNvbQ==",
            "left": "Y2FuYXJ5LTExMTExMTExMTExMQ=="}}),
    );
    let (fixture, plan) = planned([secret], json!({}));
    let created = fixture.bodies(&plan, "secrets shop/database").create;
    assert_eq!(
        created["data"]["url"],
        "cG9zdGdyZXM6Ly9jYW5hcnk6Y2FuYXJ5QHNxcy5ldS1jZW50cmFsLTEuYW1hem9uYXdzLmNvbQ=="
    );
    let object = find(&plan, "secrets shop/database");
    assert_eq!(rules(object), [RuleId::TranslateHost]);
    let [left] = object.leftovers() else {
        panic!("{:?}", object.leftovers())
    };
    assert_eq!(left.path, "/data/left");
    let texts = [
        serde_json::to_string(&plan).unwrap(),
        plan.table(),
        format!("{:?}", plan.lint()),
    ];
    for text in texts {
        assert!(!text.contains("canary") && !text.contains("amazonaws"), "{text}");
        assert!(text.contains("hmac-sha256:"), "{text}");
    }
}

#[test]
fn leftovers_of_one_identifier_are_one_finding() {
    let objects: Vec<Value> = (0..3)
        .map(|index| {
            config(
                &format!("c{index}"),
                json!({"a": "served-from-eu-west-1", "b": "served-from-eu-west-1"}),
            )
        })
        .collect();
    let (_, plan) = planned(objects, json!({}));
    let findings = found(&plan);
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(
        finding.message,
        "served-from-eu-west-1 names the Region of the primary, in configmaps shop/c0 at /data/a and 2 more objects."
    );
    assert_eq!(find(&plan, "configmaps shop/c1").leftovers().len(), 2);
}

#[test]
fn many_identifiers_are_counted() {
    let data: serde_json::Map<String, Value> = (0..40)
        .map(|index| (format!("k{index}"), json!(format!("n{index}-eu-west-1"))))
        .collect();
    let (_, plan) = planned([config("many", Value::Object(data))], json!({}));
    let findings = found(&plan);
    assert_eq!(findings.len(), 25);
    let last = findings.iter().find(|finding| finding.object.is_none()).unwrap();
    assert!(
        last.message.starts_with("16 more identifiers name the Region"),
        "{}",
        last.message
    );
}

#[test]
fn a_leftover_of_a_controller_that_acts_outside_rejects_the_plan() {
    let binding = named(
        "elbv2.k8s.aws/v1beta1",
        "TargetGroupBinding",
        "cart",
        json!({"spec": {"targetGroupARN":
            "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/cart/0123456789abcdef",
            "networking": {"ingress": [{"from": [{"securityGroup": {"groupID": "sg-0aaaaaaaaaaaaaaa1"}}]}]}}}),
    );
    let ingress = named(
        "networking.k8s.io/v1",
        "Ingress",
        "cart",
        json!({"metadata": {"annotations": {
            "alb.ingress.kubernetes.io/subnets": "subnet-0ccccccccccccccc1, subnet-0ccccccccccccccc2"}}}),
    );
    let (_, plan) = planned([binding, ingress], json!({}));
    let findings = found(&plan);
    let shown: Vec<(Severity, &str)> = findings
        .iter()
        .map(|f| (f.severity, f.message.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (
                Severity::Error,
                "ingresses.networking.k8s.io shop/cart names the primary by subnet-0ccccccccccccccc1 at /metadata/annotations/alb.ingress.kubernetes.io~1subnets and 1 more identifier, and its controller acts outside the cluster."
            ),
            (
                Severity::Error,
                "targetgroupbindings.elbv2.k8s.aws shop/cart names the primary by arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/cart/0123456789abcdef at /spec/targetGroupARN, and its controller acts outside the cluster."
            ),
        ]
    );
    let created = find(&plan, "targetgroupbindings.elbv2.k8s.aws shop/cart");
    assert_eq!(rules(created), [RuleId::TranslateId]);
}

#[test]
fn no_leftovers_makes_each_an_error_unless_it_is_declared_with_a_reason() {
    let objects = || {
        [
            config("a", json!({"a": "logs-111111111111"})),
            config("b", json!({"b": "x-eu-west-1"})),
        ]
    };
    let declared = json!({"noLeftovers": true, "identities": {"leftovers": [
        {"token": "logs-*", "reason": "The archive stays.", "when": {"names": ["a"]}}]}});
    let (_, plan) = planned(objects(), declared);
    let findings = found(&plan);
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.message.starts_with("x-eu-west-1 "));
    let reason = find(&plan, "configmaps shop/a").leftovers()[0].reason.as_deref();
    assert_eq!(reason, Some("The archive stays."));
    assert!(plan.table().contains("The archive stays."), "{}", plan.table());
}

#[test]
fn a_patch_can_remove_a_leftover() {
    let patch = json!({"patches": [{"merge": {"data": {"a": "fixed"}}, "when": {"names": ["a"]}}]});
    let (_, plan) = planned([config("a", json!({"a": "logs-111111111111"}))], patch);
    assert_eq!(found(&plan), []);
}

#[test]
fn a_map_with_faults_is_told_before_anything_else() {
    let mut wrong = map();
    wrong["identities"][0]["to"] = json!("eu-central-1");
    wrong["identities"][1]["to"] = json!("sg-1");
    let fixture = Fixture::new([config("a", json!({}))]).with(json!({"identities": wrong}));
    let problems = fixture.try_plan().unwrap_err().problems;
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::IdentityMapInvalid, Code::IdentityMapInvalid]);
    assert!(problems[0].message.starts_with("the identity map is not valid: "));
}

#[test]
fn an_eniconfig_has_the_name_of_the_zone_in_the_target() {
    let mut config = json!({"apiVersion": "crd.k8s.amazonaws.com/v1alpha1", "kind": "ENIConfig",
        "metadata": {"name": "eu-west-1a", "uid": "uid-eni"}, "spec": {"securityGroups": ["sg-0aaaaaaaaaaaaaaa1"]}});
    config["metadata"]["managedFields"] = json!([{"manager": "kubectl", "operation": "Update",
        "apiVersion": "crd.k8s.amazonaws.com/v1alpha1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:securityGroups": {".": {}, "v:\"sg-0aaaaaaaaaaaaaaa1\"": {}}}}}]);
    let (fixture, plan) = planned([config], json!({}));
    let target = "eniconfigs.crd.k8s.amazonaws.com eu-central-1a";
    let object = find(&plan, target);
    assert_eq!(&*object.source().name, "eu-west-1a");
    let bodies = fixture.bodies(&plan, target);
    assert_eq!(bodies.create["metadata"]["name"], "eu-central-1a");
    let entry = bodies.expected_entries().next().unwrap().to_string();
    assert!(
        entry.contains("sg-0bbbbbbbbbbbbbbb1") && !entry.contains("sg-0aaaaaaaaaaaaaaa1"),
        "{entry}"
    );
}

#[test]
fn the_pods_of_a_workload_are_expected_with_the_translated_image() {
    let (_, plan) = planned([config("a", json!({}))], json!({}));
    let shape = json!({"containers": {"cart": {"image": IMAGE}, "proxy": {"image": "proxy:1"}}});
    assert_eq!(
        plan.shape_in_target(shape),
        json!({"containers": {"cart": {"image": NEW_IMAGE}, "proxy": {"image": "proxy:1"}}})
    );
}

#[test]
fn options_without_a_map_read_as_before_and_change_nothing() {
    let old: RestoreOptions = serde_json::from_value(json!({"existing": "keep"})).unwrap();
    assert_eq!(old, RestoreOptions::default());
    let written = serde_json::to_string(&old).unwrap();
    assert!(
        !written.contains("identities") && !written.contains("noLeftovers"),
        "{written}"
    );
    let fixture = Fixture::new([config("a", json!({"a": "eu-west-1"}))]);
    let plan = fixture.plan();
    assert_eq!(*find(&plan, "configmaps shop/a").changes, []);
    assert_eq!(found(&plan), []);
}
