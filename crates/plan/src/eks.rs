//! Objects that Amazon EKS puts into every cluster and keeps there. Some contain the endpoint or the certificate
//! authority of their own cluster, or say which AWS principals may enter it: in another cluster they would send its
//! nodes to the source, or let the principals of the source in. The target keeps its own. What a cluster that was made
//! without self-managed add-ons lacks is restored: see [`resolve::eks`](crate::resolve).

use lifeboat_translate::{glob, pointer};
use serde_json::Value;

pub(crate) mod auth;

/// How an object of the name is known to be that of EKS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// EKS documents the name as its own.
    Name,
    /// EKS has written it: see [`is_marked`]. Clusters of other providers have objects of the same name.
    Mark,
    /// EKS has written it, or it is a webhook that the control plane serves, by a URL instead of a Service.
    ControlPlaneWebhook,
    /// EKS has written it, or it contains the endpoint of an EKS cluster.
    Endpoint,
}

/// Objects of EKS: group and plural, namespace, name with wildcards, and the sign.
struct Owned(
    &'static [(&'static str, &'static str)],
    Option<&'static str>,
    &'static str,
    Sign,
);

const KUBE_SYSTEM: Option<&str> = Some("kube-system");
const RBAC: &str = "rbac.authorization.k8s.io";
const CLUSTER_RBAC: &[(&str, &str)] = &[(RBAC, "clusterroles"), (RBAC, "clusterrolebindings")];
const ALL_RBAC: &[(&str, &str)] = &[
    (RBAC, "clusterroles"),
    (RBAC, "clusterrolebindings"),
    (RBAC, "roles"),
    (RBAC, "rolebindings"),
];
const CONFIG: &[(&str, &str)] = &[("", "configmaps")];
const ACCOUNT: &[(&str, &str)] = &[("", "serviceaccounts")];
const SERVICE: &[(&str, &str)] = &[("", "services")];
const DAEMON_SET: &[(&str, &str)] = &[("apps", "daemonsets")];
const DEPLOYMENT: &[(&str, &str)] = &[("apps", "deployments")];
const FLOW_CONTROL: &[(&str, &str)] = &[
    ("flowcontrol.apiserver.k8s.io", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
];
const MUTATING: &[(&str, &str)] = &[("admissionregistration.k8s.io", "mutatingwebhookconfigurations")];
const VALIDATING: &[(&str, &str)] = &[("admissionregistration.k8s.io", "validatingwebhookconfigurations")];
const API_SERVICE: &[(&str, &str)] = &[("apiregistration.k8s.io", "apiservices")];

/// The sources are pages of the Amazon EKS User Guide (<https://docs.aws.amazon.com/eks/latest/userguide/>) unless
/// another is given.
const OWNED: &[Owned] = &[
    // managing-kube-proxy.html: the bindings of its account, which come with the add-on.
    Owned(CLUSTER_RBAC, None, "eks:kube-proxy*", Sign::Name),
    // auth-configmap.html: who may enter the cluster, and as whom.
    Owned(CONFIG, KUBE_SYSTEM, "aws-auth", Sign::Name),
    // default-roles-users.html: every role and binding that begins with `eks`, and those of two controllers.
    Owned(ALL_RBAC, None, "eks:*", Sign::Name),
    Owned(ALL_RBAC, KUBE_SYSTEM, "eks-vpc-resource-controller*", Sign::Name),
    Owned(CLUSTER_RBAC, None, "vpc-resource-controller-role*", Sign::Name),
    Owned(CLUSTER_RBAC, None, "aws-node", Sign::Mark),
    // managing-vpc-cni.html: the Amazon VPC CNI plugin, which EKS installs in every cluster.
    Owned(DAEMON_SET, KUBE_SYSTEM, "aws-node", Sign::Mark),
    Owned(ACCOUNT, KUBE_SYSTEM, "aws-node", Sign::Mark),
    // cni-windows, windows-support.html: the settings of the plugin and of the controller beside it.
    Owned(CONFIG, KUBE_SYSTEM, "amazon-vpc-cni", Sign::Name),
    // managing-kube-proxy.html; the ConfigMaps contain the endpoint of the cluster.
    Owned(DAEMON_SET, KUBE_SYSTEM, "kube-proxy", Sign::Mark),
    Owned(CONFIG, KUBE_SYSTEM, "kube-proxy", Sign::Endpoint),
    Owned(CONFIG, KUBE_SYSTEM, "kube-proxy-config", Sign::Endpoint),
    Owned(ACCOUNT, KUBE_SYSTEM, "kube-proxy", Sign::Mark),
    // managing-coredns.html; the address of `kube-dns` is that of the cluster.
    Owned(DEPLOYMENT, KUBE_SYSTEM, "coredns", Sign::Mark),
    Owned(CONFIG, KUBE_SYSTEM, "coredns", Sign::Mark),
    Owned(SERVICE, KUBE_SYSTEM, "kube-dns", Sign::Mark),
    Owned(ACCOUNT, KUBE_SYSTEM, "coredns", Sign::Mark),
    Owned(CLUSTER_RBAC, None, "system:coredns", Sign::Mark),
    // pod-id-how-it-works.html and https://github.com/aws/amazon-eks-pod-identity-webhook: in EKS the control plane
    // runs the webhook, and the configuration contains its certificate authority.
    Owned(MUTATING, None, "pod-identity-webhook", Sign::ControlPlaneWebhook),
    // security-groups-for-pods.html and https://github.com/aws/amazon-vpc-resource-controller-k8s: likewise.
    Owned(
        MUTATING,
        None,
        "vpc-resource-mutating-webhook",
        Sign::ControlPlaneWebhook,
    ),
    Owned(
        VALIDATING,
        None,
        "vpc-resource-validating-webhook",
        Sign::ControlPlaneWebhook,
    ),
    // The records by which controllers of the control plane elect a leader.
    Owned(CONFIG, KUBE_SYSTEM, "eks-certificates-controller", Sign::Name),
    Owned(CONFIG, KUBE_SYSTEM, "cp-vpc-resource-controller", Sign::Name),
    // view-raw-metrics.html: the metrics of the control plane.
    Owned(API_SERVICE, None, "v1.metrics.eks.amazonaws.com", Sign::Name),
    Owned(SERVICE, KUBE_SYSTEM, "eks-extension-metrics-api", Sign::Name),
    // Best Practices Guide, "EKS Control Plane": the flow control of EKS' own components.
    Owned(FLOW_CONTROL, None, "eks-*", Sign::Name),
];

/// The field manager of EKS: "Determine fields you can customize for Amazon EKS add-ons"
/// (`kubernetes-field-management.html`).
const MANAGER: &str = "eks";

/// The label of the objects of the add-ons that EKS installs with a cluster.
const COMPONENT: &str = "eks.amazonaws.com/component";

/// The configuration of who may enter a cluster.
pub(crate) const AWS_AUTH: &str = "aws-auth";

/// Field managers of the controllers that write to objects of EKS in every cluster.
const CONTROLLERS: &[&str] = &[MANAGER, "kube-controller-manager", "kubelet", "kube-apiserver"];

/// Objects of the add-ons that EKS installs in a cluster unless `bootstrapSelfManagedAddons` is false (CreateCluster). A
/// cluster without them gets those of the source.
const ADDONS: &[&str] = &[
    "amazon-vpc-cni",
    "aws-node",
    "coredns",
    "eks:kube-proxy*",
    "kube-dns",
    "kube-proxy",
    "kube-proxy-config",
    "system:coredns",
];

/// Returns whether an object that EKS manages is one of a self-managed add-on.
pub(crate) fn is_of_addon(name: &str) -> bool {
    ADDONS.iter().any(|pattern| glob::matches(pattern, name))
}

/// Returns whether EKS manages the object in each cluster, with a detail for the user.
pub(crate) fn owns(
    (group, resource): (&str, &str),
    namespace: Option<&str>,
    name: &str,
    object: &Value,
) -> Option<Option<String>> {
    let owned = OWNED.iter().find(|Owned(types, of, pattern, _)| {
        types.contains(&(group, resource))
            && (of.is_none() || *of == namespace)
            && glob::matches(pattern, name)
    })?;
    let shown = match owned.3 {
        Sign::Name => true,
        Sign::Mark => is_marked(object),
        Sign::ControlPlaneWebhook => is_marked(object) || is_served_by_url(object),
        Sign::Endpoint => is_marked(object) || has_endpoint(object),
    };
    shown.then(|| changed_by(object))
}

/// Returns whether EKS has written the object: its field manager owns fields, it has the label of the add-ons, or it
/// runs an image that EKS builds. The image remains when a user manages the add-on.
fn is_marked(object: &Value) -> bool {
    let images = pointer::list(object, "/spec/template/spec/containers");
    managers(object).any(|manager| manager == MANAGER)
        || (object.pointer("/metadata/labels")).is_some_and(|labels| labels.get(COMPONENT).is_some())
        || images
            .filter_map(|container| pointer::text(container, "/image"))
            .any(is_image_of_eks)
}

/// EKS publishes its builds in Regional registries (`add-ons-images.html`).
fn is_image_of_eks(image: &str) -> bool {
    let Some((registry, repository)) = image.split_once('/') else {
        return false;
    };
    registry.contains(".dkr.ecr.")
        && (repository.starts_with("eks/") || repository.starts_with("amazon-k8s-cni"))
}

fn is_served_by_url(object: &Value) -> bool {
    let mut webhooks = pointer::list(object, "/webhooks").peekable();
    webhooks.peek().is_some() && webhooks.all(|webhook| pointer::text(webhook, "/clientConfig/url").is_some())
}

/// The endpoint of a cluster is `https://<id>.<...>.<Region>.eks.<domain of the partition>`.
fn has_endpoint(object: &Value) -> bool {
    let data = object.pointer("/data").and_then(Value::as_object);
    data.into_iter()
        .flat_map(|data| data.values())
        .filter_map(Value::as_str)
        .flat_map(str::lines)
        .any(|line| line.contains("https://") && line.contains(".eks."))
}

fn managers(object: &Value) -> impl Iterator<Item = &str> {
    pointer::list(object, "/metadata/managedFields").filter_map(|entry| pointer::text(entry, "/manager"))
}

/// Returns a manager that has written the object, if possible not EKS.
pub(crate) fn writer(object: &Value) -> Option<&str> {
    let other = managers(object).find(|manager| !CONTROLLERS.contains(manager));
    other.or_else(|| managers(object).next())
}

/// Returns who else has changed the object, so that the change can be made in the target too.
fn changed_by(object: &Value) -> Option<String> {
    let of_status = |entry: &&Value| pointer::text(entry, "/subresource") == Some("status");
    let mut others: Vec<&str> = pointer::list(object, "/metadata/managedFields")
        .filter(|entry| !of_status(entry))
        .filter_map(|entry| pointer::text(entry, "/manager"))
        .filter(|manager| !CONTROLLERS.contains(manager))
        .collect();
    others.sort_unstable();
    others.dedup();
    (!others.is_empty()).then(|| {
        format!(
            "changed by {}; make the same change in the target",
            others.join(", ")
        )
    })
}

/// A principal that the source lets in by `aws-auth`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Principal {
    /// A role or user, with its groups.
    Mapped { arn: String, groups: Vec<String> },
    /// Every role and user of an account.
    Account(String),
    /// A key of the ConfigMap that cannot be read.
    Unreadable(&'static str),
}

/// Returns the principals that the data of `aws-auth` lets in.
pub(crate) fn principals(object: &Value) -> Vec<Principal> {
    let mut found = Vec::new();
    for (key, arn) in [("mapRoles", "rolearn"), ("mapUsers", "userarn")] {
        let Some(entries) = entries(object, key, &mut found) else {
            continue;
        };
        for entry in entries {
            found.push(mapped(&entry, arn).unwrap_or(Principal::Unreadable(key)));
        }
    }
    if let Some(accounts) = entries(object, "mapAccounts", &mut found) {
        let text = |account: &Value| {
            account
                .as_str()
                .map_or_else(|| account.to_string(), str::to_owned)
        };
        found.extend(accounts.iter().map(|account| Principal::Account(text(account))));
    }
    found
}

/// Returns a field of an entry. The keys are compared without regard to case by aws-iam-authenticator.
fn field_of<'a>(entry: &'a Value, wanted: &str) -> Option<&'a Value> {
    let mut fields = entry.as_object()?.iter();
    let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value)
}

/// Returns the principal of an entry, whose ARN is in the field `arn`.
fn mapped(entry: &Value, arn: &str) -> Option<Principal> {
    let groups = field_of(entry, "groups").and_then(Value::as_array);
    let groups = groups.into_iter().flatten();
    Some(Principal::Mapped {
        arn: field_of(entry, arn).and_then(Value::as_str)?.to_owned(),
        groups: groups
            .filter_map(|group| group.as_str().map(str::to_owned))
            .collect(),
    })
}

/// Returns the entries of a list in YAML in the data of the ConfigMap.
fn entries(object: &Value, key: &'static str, found: &mut Vec<Principal>) -> Option<Vec<Value>> {
    let text = object.pointer("/data")?.get(key)?.as_str()?;
    match serde_yaml_ng::from_str::<Option<Vec<Value>>>(text) {
        Ok(entries) => entries,
        Err(_) => {
            found.push(Principal::Unreadable(key));
            None
        }
    }
}

/// Returns whether a name in the selection asks for an object of this name: it has no wildcard, or is one of the
/// names that EKS reserves.
pub(crate) fn is_asked_for(names: &[String], name: &str) -> bool {
    let literal = |pattern: &String| !pattern.contains(['*', '?']) || pattern.starts_with("eks:");
    names
        .iter()
        .any(|pattern| literal(pattern) && glob::matches(pattern, name))
}

#[cfg(test)]
mod tests;
