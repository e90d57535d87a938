//! Correction: a fresh cluster holds the objects that EKS creates in each.
//!
//! They belong to the field manager `eks`, and webhooks have the certificate authority of their cluster. What the control
//! plane of EKS runs beside the API server does not run here: nobody answers the webhooks, which are ignored then as they
//! are on EKS, and the rules of the roles are those that matter for reading them. Sources are pages of the Amazon EKS
//! User Guide (<https://docs.aws.amazon.com/eks/latest/userguide/>): `default-roles-users.html`,
//! `pod-id-how-it-works.html`, `security-groups-for-pods.html`, `managing-add-ons.html`; for flow control the Best
//! Practices Guide, "EKS Control Plane".
//!
//! Self-managed add-ons, which clusters get unless `bootstrapSelfManagedAddons` is false, are the Amazon VPC CNI plugin,
//! `kube-proxy` and CoreDNS.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::authority;
use crate::aws::gateway::clusters::NewCluster;
use crate::cluster::{Cluster, first_service_address};

/// The field manager of EKS.
const MANAGER: &str = "eks";

/// The account of the registry of EKS in most Regions (`add-ons-images.html`).
const REGISTRY: &str = "602401143452";

/// Every cluster has these.
const CLUSTER: &str = include_str!("objects/cluster.yaml");
/// Clusters with self-managed add-ons have these, too.
const ADDONS: &str = include_str!("objects/addons.yaml");

/// Roles and bindings of users of EKS, in the cluster or in kube-system: the name of all three, the API group, the
/// resources and the verbs.
const CLUSTER_ROLES: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "eks:addon-manager",
        "",
        &["serviceaccounts", "services"],
        &["get", "list", "watch", "create", "patch", "update"],
    ),
    ("eks:az-poller", "", &["nodes"], &["get", "list", "watch"]),
    (
        "eks:certificate-controller-approver",
        "certificates.k8s.io",
        &["certificatesigningrequests/approval"],
        &["update"],
    ),
    (
        "eks:certificate-controller",
        "certificates.k8s.io",
        &["certificatesigningrequests"],
        &["get", "list", "watch"],
    ),
    (
        "eks:cloud-controller-manager",
        "",
        &["nodes", "services"],
        &["get", "list", "watch", "patch", "update"],
    ),
    (
        "eks:cluster-event-watcher",
        "",
        &["events"],
        &["get", "list", "watch"],
    ),
    (
        "eks:fargate-manager",
        "",
        &["nodes", "pods"],
        &["get", "list", "watch", "create", "patch"],
    ),
    (
        "eks:fargate-scheduler",
        "",
        &["pods", "pods/binding"],
        &["get", "list", "watch", "create"],
    ),
    (
        "eks:k8s-metrics",
        "",
        &["nodes", "pods", "events"],
        &["get", "list"],
    ),
    (
        "eks:network-webhooks",
        "",
        &["pods", "nodes"],
        &["get", "list", "watch"],
    ),
    (
        "eks:node-manager",
        "",
        &["nodes", "pods", "pods/eviction"],
        &["get", "list", "watch", "patch", "create"],
    ),
    ("eks:nodewatcher", "", &["nodes"], &["get", "list", "watch"]),
    (
        "eks:pod-identity-mutating-webhook",
        "",
        &["serviceaccounts"],
        &["get", "list", "watch"],
    ),
    (
        "eks:service-operations",
        "",
        &["nodes", "namespaces"],
        &["get", "list"],
    ),
    (
        "eks:tagging-controller",
        "",
        &["nodes"],
        &["get", "list", "watch"],
    ),
    (
        "vpc-resource-controller-role",
        "",
        &["nodes", "pods", "events"],
        &["get", "list", "watch", "update", "create"],
    ),
];
const ROLES: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "eks:addon-manager",
        "apps",
        &["daemonsets", "deployments"],
        &["get", "list", "watch", "create", "patch", "update"],
    ),
    (
        "eks:authenticator",
        "",
        &["configmaps"],
        &["get", "list", "watch"],
    ),
    (
        "eks:az-poller",
        "coordination.k8s.io",
        &["leases"],
        &["get", "create", "update"],
    ),
    (
        "eks:fargate-manager",
        "",
        &["configmaps"],
        &["get", "create", "update"],
    ),
    (
        "eks:node-manager",
        "",
        &["configmaps"],
        &["get", "create", "update"],
    ),
    (
        "eks:service-operations-configmaps",
        "",
        &["configmaps"],
        &["get", "update"],
    ),
];

/// The prefix of the paths of a group and its version, and the plural, by kind.
const PLURALS: &[(&str, &str)] = &[
    ("ConfigMap", "configmaps"),
    ("ServiceAccount", "serviceaccounts"),
    ("Service", "services"),
    ("DaemonSet", "daemonsets"),
    ("Deployment", "deployments"),
    ("ClusterRole", "clusterroles"),
    ("ClusterRoleBinding", "clusterrolebindings"),
    ("Role", "roles"),
    ("RoleBinding", "rolebindings"),
    ("FlowSchema", "flowschemas"),
    ("PriorityLevelConfiguration", "prioritylevelconfigurations"),
    ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    (
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
];

/// Creates the objects of EKS in a fresh cluster.
///
/// # Errors
/// If the API server does not accept one.
pub(crate) fn install(cluster: &Cluster, new: &NewCluster) -> Result<(), std::io::Error> {
    for object in objects(cluster.server(), &authority(cluster), new)? {
        let path =
            collection(&object).ok_or_else(|| std::io::Error::other("an object without a known kind"))?;
        cluster
            .client()
            .create(&format!("{path}?fieldManager={MANAGER}"), &object)?;
    }
    Ok(())
}

fn objects(server: &str, authority: &str, new: &NewCluster) -> Result<Vec<Value>, std::io::Error> {
    let mut objects = Vec::new();
    for (name, group, resources, verbs) in CLUSTER_ROLES {
        objects.extend(role("Cluster", name, (group, resources, verbs)));
    }
    for (name, group, resources, verbs) in ROLES {
        objects.extend(role("", name, (group, resources, verbs)));
    }
    let addons = if new.addons { ADDONS } else { "" };
    let values = [
        ("${authority}", authority.to_owned()),
        ("${cluster}", new.name.clone()),
        ("${dns}", dns(new.service_cidr.as_deref()).to_string()),
        ("${endpoint}", server.to_owned()),
        ("${region}", new.region.clone()),
        (
            "${registry}",
            format!("{REGISTRY}.dkr.ecr.{}.amazonaws.com", new.region),
        ),
        ("${vpc}", new.vpc.clone()),
    ];
    for text in [CLUSTER, addons] {
        let text = values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        for document in text.split("\n---\n").filter(|part| !part.trim().is_empty()) {
            objects.push(serde_yaml_ng::from_str(document).map_err(std::io::Error::other)?);
        }
    }
    Ok(objects)
}

/// Returns the address of the DNS Service: the tenth of the range.
fn dns(range: Option<&str>) -> Ipv4Addr {
    let first = first_service_address(range);
    Ipv4Addr::from_bits(first.to_bits() + 9)
}

/// Returns a role of a user of EKS, and its binding. `of` is `Cluster` for those of the cluster.
fn role(of: &str, name: &str, (group, resources, verbs): (&str, &[&str], &[&str])) -> [Value; 2] {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let metadata = |name: &str| match of {
        "Cluster" => json!({ "name": name }),
        _ => json!({ "name": name, "namespace": "kube-system" }),
    };
    let binding = match name.strip_suffix("-role") {
        Some(start) => format!("{start}-rolebinding"),
        None => name.to_owned(),
    };
    [
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": format!("{of}Role"),
            "metadata": metadata(name),
            "rules": [{ "apiGroups": [group], "resources": resources, "verbs": verbs }],
        }),
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": format!("{of}RoleBinding"),
            "metadata": metadata(&binding),
            "roleRef": { "apiGroup": RBAC, "kind": format!("{of}Role"), "name": name },
            "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": name }],
        }),
    ]
}

/// Returns the path of the collection of an object; nothing for a kind that is not listed here.
fn collection(object: &Value) -> Option<String> {
    let version = object["apiVersion"].as_str()?;
    let kind = object["kind"].as_str()?;
    let (_, plural) = PLURALS.iter().find(|(known, _)| *known == kind)?;
    let prefix = if version.contains('/') { "apis" } else { "api" };
    Some(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("/{prefix}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/{prefix}/{version}/{plural}"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn new(addons: bool) -> NewCluster {
        NewCluster {
            account: "111111111111".into(),
            region: "eu-west-1".into(),
            name: "orders".into(),
            issuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/A".into(),
            creator: None,
            bootstrap: true,
            addons,
            vpc: "vpc-1".into(),
            tags: Value::Null,
            service_cidr: Some("172.20.0.0/16".into()),
        }
    }

    #[test]
    fn every_object_has_a_path_and_no_placeholder() {
        for addons in [false, true] {
            for object in objects("https://127.0.0.1:1", "QQ==", &new(addons)).unwrap() {
                assert!(collection(&object).is_some(), "{object}");
                assert!(!object.to_string().contains("${"), "{object}");
            }
        }
    }

    #[test]
    fn addons_come_only_where_they_are_asked_for() {
        let names = |addons: bool| -> Vec<String> {
            let objects = objects("https://127.0.0.1:1", "QQ==", &new(addons)).unwrap();
            let named = objects
                .iter()
                .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', ""));
            named.collect()
        };
        for name in ["DaemonSet aws-node", "DaemonSet kube-proxy", "Deployment coredns"] {
            assert!(names(true).contains(&name.to_owned()), "{name}");
            assert!(!names(false).contains(&name.to_owned()), "{name}");
        }
        assert!(names(false).contains(&"MutatingWebhookConfiguration pod-identity-webhook".to_owned()));
        assert_eq!(dns(Some("172.20.0.0/16")).to_string(), "172.20.0.10");
    }
}
