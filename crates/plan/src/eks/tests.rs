#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::Arc;

use lifeboat_model::Code;
use serde_json::{Value, json};

use crate::testing::{Fixture, find, left_out};
use crate::{Existing, RuleId, Severity};

fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Value {
    let mut made = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "uid": format!("uid-{kind}-{name}")}});
    if let Some(namespace) = namespace {
        made["metadata"]["namespace"] = namespace.into();
    }
    made
}

fn in_kube_system(api_version: &str, kind: &str, name: &str) -> Value {
    object(api_version, kind, Some("kube-system"), name)
}

fn managed_by(mut object: Value, managers: &[&str]) -> Value {
    let entry = |manager: &&str| {
        json!({"manager": manager, "operation": "Update", "apiVersion": object["apiVersion"],
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {}}})
    };
    let entries: Vec<Value> = managers.iter().map(entry).collect();
    object["metadata"]["managedFields"] = entries.into();
    object
}

fn webhook(kind: &str, name: &str, client: Value) -> Value {
    let mut made = object("admissionregistration.k8s.io/v1", kind, None, name);
    made["webhooks"] = json!([{"name": "x.example", "failurePolicy": "Ignore", "clientConfig": client}]);
    made
}

fn aws_auth() -> Value {
    let mut made = in_kube_system("v1", "ConfigMap", "aws-auth");
    made["data"] = json!({
        "mapRoles": "- rolearn: arn:aws:iam::111111111111:role/nodes\n  username: system:node:{{EC2PrivateDNSName}}\n  groups:\n  - system:nodes\n- rolearn: arn:aws:iam::111111111111:role/admin\n  username: admin\n  groups: [system:masters]\n",
        "mapUsers": "- userarn: arn:aws:iam::111111111111:user/jane\n  username: jane\n",
        "mapAccounts": "- \"333333333333\"\n",
    });
    made
}

/// Every object of the table as EKS ships it.
fn shipped() -> Vec<Value> {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let mut proxy = in_kube_system("v1", "ConfigMap", "kube-proxy");
    proxy["data"] = json!({"kubeconfig": "clusters:\n- cluster:\n    server: https://ABC.gr7.eu-west-1.eks.amazonaws.com\n"});
    let mut dns = in_kube_system("apps/v1", "Deployment", "coredns");
    dns["spec"] = json!({"template": {"spec": {"containers":
        [{"image": "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1.11.4-eksbuild.2"}]}}});
    let mut dns_service = in_kube_system("v1", "Service", "kube-dns");
    dns_service["metadata"]["labels"] = json!({"eks.amazonaws.com/component": "kube-dns"});
    let url = json!({"url": "https://127.0.0.1:23443/mutate", "caBundle": "QQ=="});
    vec![
        aws_auth(),
        proxy,
        managed_by(in_kube_system("v1", "ConfigMap", "kube-proxy-config"), &["eks"]),
        dns,
        managed_by(in_kube_system("v1", "ConfigMap", "coredns"), &["eks"]),
        dns_service,
        managed_by(in_kube_system("v1", "ServiceAccount", "aws-node"), &["eks"]),
        in_kube_system("v1", "ConfigMap", "amazon-vpc-cni"),
        in_kube_system("v1", "ConfigMap", "eks-certificates-controller"),
        in_kube_system("v1", "Service", "eks-extension-metrics-api"),
        object(RBAC, "ClusterRole", None, "eks:node-manager"),
        object(RBAC, "ClusterRoleBinding", None, "eks:addon-manager"),
        in_kube_system(RBAC, "RoleBinding", "eks:authenticator"),
        object(RBAC, "ClusterRole", None, "vpc-resource-controller-role"),
        object(
            RBAC,
            "ClusterRoleBinding",
            None,
            "vpc-resource-controller-rolebinding",
        ),
        managed_by(object(RBAC, "ClusterRole", None, "aws-node"), &["eks"]),
        object(
            "flowcontrol.apiserver.k8s.io/v1",
            "FlowSchema",
            None,
            "eks-leader-election",
        ),
        object(
            "apiregistration.k8s.io/v1",
            "APIService",
            None,
            "v1.metrics.eks.amazonaws.com",
        ),
        webhook(
            "ValidatingWebhookConfiguration",
            "vpc-resource-validating-webhook",
            url,
        ),
    ]
}

#[test]
fn what_eks_manages_is_left_to_the_target_in_every_policy() {
    for policy in ["keep", "update", "recreate"] {
        let mut fixture = Fixture::new(shipped()).with(json!({"existing": policy}));
        for object in shipped() {
            let known = Existing {
                uid: "live".into(),
                managers: Arc::default(),
                created_by_this_run: false,
                body: None,
            };
            let resource = crate::testing::type_of(&object).resource;
            let target = lifeboat_model::ObjectRef::new(
                resource.name(),
                object["metadata"]["namespace"].as_str(),
                object["metadata"]["name"].as_str().unwrap(),
            );
            fixture.facts.existing.insert(target, known);
        }
        let plan = fixture.plan();
        let others: Vec<String> = plan.objects.iter().map(|o| o.target.to_string()).collect();
        assert_eq!(others, ["namespaces kube-system"], "{policy}");
        assert!(
            plan.not_restored
                .iter()
                .all(|left| left.rule == RuleId::EksManaged)
        );
        assert_eq!(plan.not_restored.len(), shipped().len());
    }
}

#[test]
fn objects_of_the_same_name_that_are_not_of_eks_are_restored() {
    let service = json!({"service": {"namespace": "default", "name": "pod-identity-webhook"}});
    let mut proxy = in_kube_system("v1", "ConfigMap", "kube-proxy");
    proxy["data"] = json!({"kubeconfig.conf": "server: https://control-plane:6443"});
    for object in [
        object("v1", "ConfigMap", Some("shop"), "aws-auth"),
        object("v1", "ConfigMap", Some("shop"), "coredns"),
        managed_by(in_kube_system("v1", "ConfigMap", "coredns"), &["kubeadm"]),
        managed_by(in_kube_system("apps/v1", "Deployment", "coredns"), &["helm"]),
        proxy,
        object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "eksample"),
        object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "aws-node"),
        webhook(
            "ValidatingWebhookConfiguration",
            "vpc-resource-validating-webhook",
            service,
        ),
    ] {
        let plan = Fixture::new([object.clone()]).plan();
        assert_eq!(plan.not_restored, [], "{object}");
    }
}

#[test]
fn who_changed_an_object_of_eks_is_told() {
    let changed = managed_by(
        in_kube_system("v1", "ConfigMap", "coredns"),
        &["eks", "kubectl-edit", "argocd"],
    );
    let plan = Fixture::new([changed]).plan();
    let left = left_out(&plan, "configmaps kube-system/coredns");
    assert_eq!(left.rule, RuleId::EksManaged);
    assert_eq!(
        left.detail.as_deref(),
        Some("changed by argocd, kubectl-edit; make the same change in the target")
    );
    assert!(plan.table().contains("EKS manages this object in each cluster"));
}

#[test]
fn each_principal_of_the_source_is_a_finding() {
    let plan = Fixture::new([aws_auth()]).plan();
    let found = plan.lint();
    let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "Every principal of the account 333333333333 may enter the source; none is let into the target.",
            "arn:aws:iam::111111111111:role/admin may enter the source in system:masters; it is not let into the target.",
            "arn:aws:iam::111111111111:role/nodes may enter the source in system:nodes; it is not let into the target.",
            "arn:aws:iam::111111111111:user/jane may enter the source without a group; it is not let into the target.",
        ]
    );
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning));
    let mut broken = aws_auth();
    broken["data"] = json!({"mapRoles": "rolearn: [", "mapUsers": ""});
    let plan = Fixture::new([broken]).plan();
    assert_eq!(plan.lint().len(), 1);
    assert!(
        plan.lint()[0]
            .message
            .starts_with("mapRoles in aws-auth of the source is not readable")
    );
}

#[test]
fn an_object_of_eks_that_is_asked_for_by_name_is_refused() {
    for names in [
        json!(["aws-auth"]),
        json!(["eks:*"]),
        json!(["coredns", "aws-n*"]),
    ] {
        let options = json!({"selection": {"names": names}});
        let plan = Fixture::new(shipped()).with(options).plan();
        let errors: Vec<_> = plan
            .lint()
            .into_iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        assert!(!errors.is_empty(), "{names}");
        assert!(
            errors
                .iter()
                .all(|f| (f.check.as_str(), f.code) == ("eks-managed-selected", Code::PlanRefused))
        );
    }
    for names in [json!(["*"]), json!(["cart*"]), json!([])] {
        let own = object("v1", "ConfigMap", Some("shop"), "cart");
        let mut objects = shipped();
        objects.push(own);
        let plan = Fixture::new(objects)
            .with(json!({"selection": {"names": names}}))
            .plan();
        find(&plan, "configmaps shop/cart");
        assert!(
            plan.lint().iter().all(|f| f.check != "eks-managed-selected"),
            "{names}"
        );
    }
}

/// Returns a fixture whose target is a cluster of EKS.
fn into_eks(objects: Vec<Value>) -> Fixture {
    let mut fixture = Fixture::new(objects).with(json!({"identities": {
        "format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "sameNames": [],
        "identities": [
            {"kind": "arn", "from": "arn:aws:iam::111111111111:role/admin", "to": "arn:aws:iam::222222222222:role/admin-dr"},
            {"kind": "arn", "from": "arn:aws:iam::111111111111:role/nodes", "to": "arn:aws:iam::222222222222:role/nodes"},
            {"kind": "host", "from": "ABC.gr7.eu-west-1.eks.amazonaws.com", "to": "DEF.gr7.eu-central-1.eks.amazonaws.com"},
        ],
    }}));
    let url = json!({"url": "https://127.0.0.1:23443/mutate", "caBundle": "WFg="});
    let webhook = webhook("MutatingWebhookConfiguration", "pod-identity-webhook", url);
    fixture.facts.webhooks.push(webhook);
    fixture
}

fn live(body: Option<Value>) -> Existing {
    Existing {
        uid: "live".into(),
        managers: Arc::default(),
        created_by_this_run: false,
        body: body.map(Box::new),
    }
}

#[test]
fn self_managed_addons_come_back_in_a_cluster_of_eks_that_lacks_them() {
    let mut fixture = into_eks(shipped());
    let existing = lifeboat_model::ObjectRef::new("configmaps".into(), Some("kube-system"), "coredns");
    fixture.facts.existing.insert(existing, live(None));
    let plan = fixture.plan();
    let planned: Vec<String> = plan.objects.iter().map(|o| o.target.to_string()).collect();
    for object in [
        "deployments.apps kube-system/coredns",
        "services kube-system/kube-dns",
        "serviceaccounts kube-system/aws-node",
        "clusterroles.rbac.authorization.k8s.io aws-node",
        "configmaps kube-system/amazon-vpc-cni",
        "configmaps kube-system/kube-proxy-config",
    ] {
        assert!(planned.contains(&object.to_owned()), "{object}: {planned:?}");
    }
    for object in [
        "configmaps kube-system/coredns",
        "clusterroles.rbac.authorization.k8s.io eks:node-manager",
        "clusterrolebindings.rbac.authorization.k8s.io eks:addon-manager",
        "validatingwebhookconfigurations.admissionregistration.k8s.io vpc-resource-validating-webhook",
    ] {
        assert_eq!(left_out(&plan, object).rule, RuleId::EksManaged, "{object}");
    }
    let proxy = fixture.bodies(&plan, "configmaps kube-system/kube-proxy").create;
    assert!(
        proxy["data"]["kubeconfig"]
            .as_str()
            .unwrap()
            .contains("https://DEF.gr7.eu-central-1")
    );
    let dns = fixture
        .bodies(&plan, "deployments.apps kube-system/coredns")
        .create;
    assert_eq!(
        dns["spec"]["template"]["spec"]["containers"][0]["image"],
        "602401143452.dkr.ecr.eu-central-1.amazonaws.com/eks/coredns:v1.11.4-eksbuild.2"
    );
}

const AWS_AUTH_REF: &str = "configmaps kube-system/aws-auth";
const NODES_OF_TARGET: &str = "- rolearn: arn:aws:iam::222222222222:role/nodes\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n";

#[test]
fn entries_of_users_are_added_to_those_of_nodes_with_their_arns_translated() {
    let mut source = aws_auth();
    source["data"]["mapAccounts"] = "- \"333333333333\"\n- \"111111111111\"\n".into();
    let mut target = in_kube_system("v1", "ConfigMap", "aws-auth");
    target["data"] = json!({ "mapRoles": NODES_OF_TARGET });
    target["metadata"]["resourceVersion"] = "7".into();
    let entries = |body: &Value, list: &str| -> Vec<Value> {
        serde_yaml_ng::from_str(body["data"][list].as_str().unwrap()).unwrap()
    };
    let admin = json!({"rolearn": "arn:aws:iam::222222222222:role/admin-dr", "username": "admin", "groups": ["system:masters"]});
    for exists in [false, true] {
        let mut fixture = into_eks(vec![source.clone()]);
        let name = lifeboat_model::ObjectRef::new("configmaps".into(), Some("kube-system"), "aws-auth");
        if exists {
            fixture
                .facts
                .existing
                .insert(name.clone(), live(Some(target.clone())));
        }
        let plan = fixture.plan();
        let planned = find(&plan, AWS_AUTH_REF);
        let action = if exists {
            crate::Action::Merge
        } else {
            crate::Action::Create
        };
        assert_eq!(planned.action, action);
        let bodies = fixture.bodies(&plan, AWS_AUTH_REF);
        let roles = entries(&bodies.create, "mapRoles");
        assert_eq!(roles.last(), Some(&admin));
        assert_eq!(roles.len(), 1 + usize::from(exists));
        assert_eq!(
            entries(&bodies.create, "mapAccounts"),
            ["333333333333", "222222222222"]
        );
        assert!(!bodies.create.to_string().contains("role/nodes") || exists);
        // Jane has no counterpart, and the nodes are those of the source.
        let messages: Vec<String> = plan.lint().into_iter().map(|finding| finding.message).collect();
        assert!(
            messages.iter().any(|message| message.contains("user/jane")),
            "{messages:?}"
        );
        assert!(
            messages.iter().any(|message| message.contains(":role/nodes")),
            "{messages:?}"
        );
        assert_eq!(messages.len(), 2, "{messages:?}");

        // EKS adds the entry of nodes while the objects are restored.
        let patch = crate::add_aws_auth_entries(&bodies.create, &target).unwrap();
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(entries(&patch, "mapRoles").len(), 2);
        let mut after = target.clone();
        after["data"] = patch["data"].clone();
        assert_eq!(crate::add_aws_auth_entries(&bodies.create, &after), None);

        // A continued run makes the same plan.
        if exists {
            let known = Existing {
                created_by_this_run: true,
                ..live(Some(after))
            };
            fixture.facts.existing.insert(name, known);
            assert_eq!(fixture.plan().hash(), plan.hash());
        }
    }
    let plan = Fixture::new([source]).plan();
    assert_eq!(
        left_out(&plan, AWS_AUTH_REF).rule,
        RuleId::EksManaged,
        "without an identity map"
    );
}
