//! Plans of restores into another account and Region.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_model::Code;
use serde_json::{Value, json};

use crate::testing::{Fixture, find, left_out, merge, named, rules};
use crate::{LintFinding, Plan, Report, RestoreOptions, RuleId, Severity};

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
    let fixture = Fixture::new(objects).with(all).serving_all();
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
fn the_controllers_that_act_outside_are_known() {
    let left = "arn:aws:iam::111111111111:role/unknown-eu-west-1/x";
    let custom = |version: &str, kind: &str| named(version, kind, "x", json!({"spec": {"left": left}}));
    let annotated = |version: &str, kind: &str, annotation: &str| {
        named(
            version,
            kind,
            "y",
            json!({"metadata": {"annotations": {annotation: "vpc-0ccccccccccccccc1"}}}),
        )
    };
    for object in [
        custom("elbv2.k8s.aws/v1beta1", "TargetGroupBinding"),
        custom("elbv2.k8s.aws/v1beta1", "IngressClassParams"),
        custom("eks.amazonaws.com/v1", "TargetGroupBinding"),
        custom("eks.amazonaws.com/v1", "IngressClassParams"),
        custom("eks.amazonaws.com/v1", "NodeClass"),
        custom("gateway.k8s.aws/v1beta1", "LoadBalancerConfiguration"),
        custom("application-networking.k8s.aws/v1alpha1", "VpcAssociationPolicy"),
        custom("karpenter.sh/v1", "NodePool"),
        custom("karpenter.k8s.aws/v1", "EC2NodeClass"),
        custom("externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
        custom("route53.services.k8s.aws/v1alpha1", "RecordSet"),
        custom("ec2.services.k8s.aws/v1alpha1", "VPC"),
        custom("services.k8s.aws/v1alpha1", "AdoptedResource"),
        custom("services.k8s.aws/v1alpha1", "IAMRoleSelector"),
        custom("s3.aws.upbound.io/v1beta2", "Bucket"),
        custom("s3.aws.m.upbound.io/v1beta1", "Bucket"),
        custom("s3.aws.crossplane.io/v1beta1", "Bucket"),
        custom("aws.upbound.io/v1beta1", "ProviderConfig"),
        custom("aws.m.upbound.io/v1beta1", "ClusterProviderConfig"),
        custom("tf.upbound.io/v1beta1", "Workspace"),
        custom("apiextensions.crossplane.io/v1", "Composition"),
        custom("external-secrets.io/v1", "SecretStore"),
        custom("external-secrets.io/v1", "ClusterSecretStore"),
        custom("external-secrets.io/v1", "ExternalSecret"),
        custom("external-secrets.io/v1alpha1", "PushSecret"),
        custom("generators.external-secrets.io/v1alpha1", "ECRAuthorizationToken"),
        custom("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"),
        annotated(
            "networking.k8s.io/v1",
            "Ingress",
            "alb.ingress.kubernetes.io/subnets",
        ),
        annotated(
            "v1",
            "Service",
            "service.beta.kubernetes.io/aws-load-balancer-subnets",
        ),
        annotated("v1", "Service", "external-dns.alpha.kubernetes.io/target"),
        annotated(
            "networking.k8s.io/v1",
            "Ingress",
            "external-dns.alpha.kubernetes.io/hostname",
        ),
        annotated("shop.example.com/v1", "Order", "crossplane.io/external-name"),
        annotated("shop.example.com/v1", "Order", "services.k8s.aws/adoption-fields"),
    ] {
        let what = format!("{} {}", object["apiVersion"], object["kind"]);
        let (_, plan) = planned([object], json!({}));
        let findings = found(&plan);
        let [finding] = findings.as_slice() else {
            panic!("{what}: {findings:?}")
        };
        assert_eq!(finding.severity, Severity::Error, "{what}");
        assert_eq!(finding.check, "leftover-outside", "{what}");
    }
}

#[test]
fn an_installation_with_every_kind_of_place_has_no_leftover_that_is_not_declared() {
    let text = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../translate/fixtures/installation/objects.yaml"
    ));
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let mut objects: Vec<Value> = documents
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    for (index, object) in objects.iter_mut().enumerate() {
        object["metadata"]["uid"] = json!(format!("uid-{index}"));
    }
    let map: Value = serde_yaml_ng::from_str(include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../translate/fixtures/installation/identities.yaml"
    )))
    .unwrap();
    let options = json!({"identities": map, "noLeftovers": true});
    let plan = Fixture::new(objects).with(options).serving_all().plan();
    assert_eq!(found(&plan), []);
    let leftovers = plan.objects.iter().flat_map(|object| object.leftovers());
    assert!(leftovers.clone().all(|leftover| leftover.reason.is_some()));
    assert_eq!(leftovers.count(), 3);
    let claim = left_out(&plan, "nodeclaims.karpenter.sh default-x7k2p");
    assert_eq!(claim.rule, RuleId::NodeClaim);
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

#[test]
fn the_role_of_a_service_account_with_an_association_is_not_annotated() {
    let role = "arn:aws:iam::111111111111:role/cart";
    let account = |name: &str, role: &str| {
        named(
            "v1",
            "ServiceAccount",
            name,
            json!({"metadata": {"annotations": {
            "eks.amazonaws.com/role-arn": role, "eks.amazonaws.com/token-expiration": "3600"}}}),
        )
    };
    let associations = json!({"identities": {"podIdentities": [
        {"namespace": "shop", "serviceAccount": "cart", "role": role},
        {"namespace": "shop", "serviceAccount": "mail", "role": role}]}});
    let objects = [
        account("cart", role),
        account("mail", "arn:aws:iam::111111111111:role/mail"),
    ];
    let (fixture, plan) = planned(objects.clone(), associations.clone());
    let cart = find(&plan, "serviceaccounts shop/cart");
    assert_eq!(rules(cart), [RuleId::IrsaToPodIdentity]);
    assert_eq!(cart.changes[0].from.as_deref(), Some(role));
    assert_eq!(
        fixture.bodies(&plan, "serviceaccounts shop/cart").create["metadata"]["annotations"],
        json!({"eks.amazonaws.com/token-expiration": "3600"})
    );
    // It has another role than the association.
    let mail = find(&plan, "serviceaccounts shop/mail");
    assert_eq!(rules(mail), [RuleId::TranslateArnOfResource]);

    let mut renamed = associations;
    merge(&mut renamed, json!({"namespaceMap": {"shop": "shop-dr"}}));
    let (_, plan) = planned(objects, renamed);
    let cart = find(&plan, "serviceaccounts shop-dr/cart");
    assert!(!rules(cart).contains(&RuleId::IrsaToPodIdentity));
    let kept: Vec<LintFinding> = plan
        .lint()
        .into_iter()
        .filter(|one| one.code == Code::IrsaKept)
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
}

/// Searches objects of the target as the proof does: those of the plan by their name, and others.
fn searched(plan: &Plan, live: &[Value]) -> crate::TargetLeftovers {
    let mut found = crate::TargetLeftovers::default();
    for object in live {
        let r#type = crate::testing::type_of(object).resource;
        let raw = serde_json::to_vec(object).unwrap();
        let planned = plan.objects.iter().find(|planned| {
            planned.target.r#type == r#type.name()
                && *planned.target.name == *object["metadata"]["name"].as_str().unwrap()
        });
        if plan.may_name_primary(&r#type, &raw) {
            plan.find_leftovers(&r#type, planned, object.clone(), &mut found);
        }
    }
    found
}

#[test]
fn what_names_the_primary_in_the_target_is_found_apart_for_restored_objects_and_others() {
    let restored = config(
        "a",
        json!({"region": "eu-west-1", "known": "sg-0ccccccccccccccc1"}),
    );
    let secret = named("v1", "Secret", "s", json!({"data": {"a": "YQ=="}}));
    let options = json!({"noLeftovers": true, "identities": {"leftovers": [
        {"token": "sg-0ccccccccccccccc1", "reason": "A group of a partner.", "when": {"names": ["a"]}}]}});
    let (_, plan) = planned([restored, secret], options);
    assert_eq!(found(&plan), []);
    let live = [
        // A webhook wrote the Region of the primary. The group of the controller is one of the target.
        config(
            "a",
            json!({"region": "eu-central-1", "known": "sg-0ccccccccccccccc1", "injected": "x-eu-west-1",
            "group": "sg-0ddddddddddddddd1"}),
        ),
        // canary-111111111111
        named(
            "v1",
            "Secret",
            "s",
            json!({"data": {"a": "Y2FuYXJ5LTExMTExMTExMTExMQ=="}}),
        ),
        config(
            "other",
            json!({"zone": "eu-west-1a", "group": "sg-0ddddddddddddddd1"}),
        ),
        config("clean", json!({"zone": "eu-central-1a"})),
    ];
    let leftovers = searched(&plan, &live);
    assert_eq!((leftovers.in_restored(), leftovers.in_others()), (2, 1));
    let list = leftovers.clone().into_list();
    let shown: Vec<(String, bool, &str)> = list
        .iter()
        .map(|one| (one.object.to_string(), one.restored, one.path.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("configmaps shop/a".to_owned(), true, "/data/injected"),
            ("configmaps shop/a".to_owned(), true, "/data/known"),
            ("configmaps shop/other".to_owned(), false, "/data/zone"),
            ("secrets shop/s".to_owned(), true, "/data/a"),
        ]
    );
    assert_eq!(list[1].reason.as_deref(), Some("A group of a partner."));
    let text = serde_json::to_string(&list).unwrap();
    assert!(
        !text.contains("canary") && text.contains("hmac-sha256:"),
        "{text}"
    );

    let mut builder = Report::begin(&plan);
    builder.leftovers(leftovers);
    let report = builder.finish();
    assert_eq!(
        (report.summary.leftovers, report.summary.leftovers_elsewhere),
        (2, 1)
    );
    assert!(
        report
            .text()
            .contains("identifiers of the primary in other objects of the target: 1")
    );
}

#[test]
fn leftovers_of_the_target_are_all_counted_and_a_limited_number_is_listed() {
    let (_, plan) = planned([config("a", json!({}))], json!({}));
    let many: Vec<Value> = (0..1_200)
        .map(|index| config(&format!("c{index}"), json!({"a": "x-eu-west-1"})))
        .collect();
    let (first, second) = many.split_at(700);
    let mut leftovers = searched(&plan, second);
    leftovers.merge(searched(&plan, first));
    assert_eq!(leftovers.in_others(), 1_200);
    assert_eq!(leftovers.clone().into_list(), searched(&plan, &many).into_list());
    assert_eq!(leftovers.into_list().len(), 1_000);
}
