//! A target that EKS made: what EKS put there stays, and what it lacks is restored.

use lifeboat_plan::{Action, RestoreOptions, RuleId};
use serde_json::{Value, json};

use crate::support::{Captured, fixture, live, proven_again, restored};

const AWS_AUTH: &str = "/api/v1/namespaces/kube-system/configmaps/aws-auth";
const WEBHOOK: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook";

fn options() -> RestoreOptions {
    let identities = json!({
        "format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "sameNames": [],
        "identities": [
            {"kind": "arn", "from": "arn:aws:iam::111111111111:role/admin", "to": "arn:aws:iam::222222222222:role/admin-dr"},
        ],
    });
    serde_json::from_value(json!({ "identities": identities })).expect("the options are well formed")
}

fn role(name: &str, account: &str, groups: &[&str]) -> Value {
    json!({"rolearn": format!("arn:aws:iam::{account}:role/{name}"), "username": name, "groups": groups})
}

fn aws_auth(roles: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"},
        "data": {"mapRoles": Value::from(roles).to_string()}})
}

/// The webhook as EKS makes it, with the authority of its cluster. It selects no object, because all tests share the
/// target.
fn webhook(authority: &str) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pod-identity-webhook"},
        "webhooks": [{"name": "iam-for-pods.amazonaws.com", "failurePolicy": "Ignore", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "objectSelector": {"matchLabels": {"none": "none"}},
            "clientConfig": {"url": "https://127.0.0.1:23443/mutate", "caBundle": authority},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}]})
}

/// Returns the ARNs of the roles that the target lets in.
async fn let_in() -> Vec<String> {
    let map = live(AWS_AUTH).await;
    let text = map["data"]["mapRoles"].as_str().unwrap_or_default().to_owned();
    let mut arns: Vec<String> = text
        .split(['"', '\n', ' '])
        .filter(|part| part.starts_with("arn:"))
        .map(str::to_owned)
        .collect();
    arns.sort();
    arns
}

/// Returns the objects of the primary, as captured.
async fn captured() -> Captured {
    let mut captured = Captured::from(&fixture().source, |_, _, _| false).await;
    let mut push = |resource: &str, object: &Value| {
        let mut types = captured.types.iter();
        let at = types.position(|known| known.resource.name().as_str() == resource);
        captured.push(at.expect("the source serves the type"), object);
    };
    let mut map = aws_auth(&[
        role("nodes", "111111111111", &["system:bootstrappers", "system:nodes"]),
        role("admin", "111111111111", &["system:masters"]),
        role("unknown", "111111111111", &["system:masters"]),
        role("partner", "333333333333", &["readers"]),
    ]);
    map["metadata"]["uid"] = "uid-aws-auth".into();
    push("configmaps", &map);
    let corefile = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"Corefile": "."},
        "metadata": {"name": "coredns", "namespace": "kube-system", "uid": "uid-coredns",
            "labels": {"eks.amazonaws.com/component": "coredns"}}});
    push("configmaps", &corefile);
    let mut hook = webhook("cHJpbWFyeQ==");
    hook["metadata"]["uid"] = "uid-hook".into();
    push(
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        &hook,
    );
    let manager = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": [],
        "metadata": {"name": "eks:node-manager", "uid": "uid-manager"}});
    push("clusterroles.rbac.authorization.k8s.io", &manager);
    captured
}

#[tokio::test]
async fn a_target_of_eks_keeps_its_own_and_gets_the_entries_of_users() {
    let target = &fixture().target;
    let captured = captured().await;
    // A cluster of another provider gets nothing of EKS.
    let done = restored(&captured, &options()).await;
    assert_eq!(done.plan.objects.len(), 0, "{:?}", done.plan.objects);
    assert_eq!(done.plan.not_restored.len(), 4);

    let own = webhook("dGFyZ2V0");
    let nodes = role("nodes", "222222222222", &["system:bootstrappers", "system:nodes"]);
    let nodes_of_target = aws_auth(std::slice::from_ref(&nodes));
    for object in [&own, &nodes_of_target] {
        let applied = target.kubectl_with_input(&["create", "-f", "-"], &object.to_string());
        applied.unwrap_or_else(|error| panic!("{error}"));
    }
    let done = restored(&captured, &options()).await;
    let planned: Vec<(String, Action)> = (done.plan.objects.iter())
        .map(|object| (object.target.to_string(), object.action))
        .collect();
    assert_eq!(
        planned,
        [
            ("configmaps kube-system/aws-auth".to_owned(), Action::Merge),
            ("configmaps kube-system/coredns".to_owned(), Action::Create),
        ]
    );
    assert!(
        (done.plan.not_restored.iter()).all(|left| left.rule == RuleId::EksManaged),
        "{:?}",
        done.plan.not_restored
    );
    let arn = |account: &str, name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let expected = [
        arn("222222222222", "admin-dr"),
        arn("222222222222", "nodes"),
        arn("333333333333", "partner"),
    ];
    assert_eq!(let_in().await, expected);
    let hook = live(WEBHOOK).await;
    assert_eq!(hook["webhooks"][0]["clientConfig"]["caBundle"], "dGFyZ2V0");

    // EKS lets the nodes of another group in, which is no difference; an entry that is gone is one.
    let mut all: Vec<Value> = vec![nodes, role("more", "222222222222", &["system:nodes"])];
    all.push(role("partner", "333333333333", &["readers"]));
    let admin = json!({"rolearn": arn("222222222222", "admin-dr"), "username": "admin", "groups": ["system:masters"]});
    all.push(admin);
    for (roles, matches) in [(all.as_slice(), true), (&all[..3], false)] {
        let command = ["replace", "--field-manager=eks", "-f", "-"];
        let replaced = target.kubectl_with_input(&command, &aws_auth(roles).to_string());
        replaced.unwrap_or_else(|error| panic!("{error}"));
        let report = proven_again(&captured, &done).await;
        assert_eq!(report.matches_plan(), matches, "{:?}", report.changed);
    }
    for object in [
        "configmap/aws-auth",
        "configmap/coredns",
        "mutatingwebhookconfiguration/pod-identity-webhook",
    ] {
        let deleted = target.kubectl_output(&["delete", "--namespace=kube-system", object]);
        deleted.unwrap_or_else(|error| panic!("{error}"));
    }
}
