//! The permissions of the EKS access policies, as EKS documents them ("Review access policy
//! permissions"): rules like those of the user-facing roles of Kubernetes.
//!
//! EKS uses its own authorizer, not RBAC: a user with such a policy is in no additional group, and
//! a SelfSubjectRulesReview of that user is marked as incomplete. The same holds here: the API
//! server asks the gateway about every request that RBAC does not allow.

use serde_json::Value;

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];

/// API groups, resources and verbs.
type Rule = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const EVERYTHING: &[Rule] = &[(&["*"], &["*"], &["*"])];
const EVERYTHING_TO_READ: &[Rule] = &[(&["*"], &["*"], READ)];

const VIEW: &[Rule] = &[
    (
        &[""],
        &[
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ],
        READ,
    ),
    (
        &["apps"],
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
        READ,
    ),
    (
        &["autoscaling"],
        &["horizontalpodautoscalers", "horizontalpodautoscalers/status"],
        READ,
    ),
    (
        &["batch"],
        &["cronjobs", "cronjobs/status", "jobs", "jobs/status"],
        READ,
    ),
    (&["discovery.k8s.io"], &["endpointslices"], READ),
    (
        &["networking.k8s.io"],
        &["ingresses", "ingresses/status", "networkpolicies"],
        READ,
    ),
    (
        &["policy"],
        &["poddisruptionbudgets", "poddisruptionbudgets/status"],
        READ,
    ),
];

/// The rules that EDIT adds to VIEW.
const EDIT: &[Rule] = &[
    (
        &[""],
        &[
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "secrets",
            "services/proxy",
        ],
        READ,
    ),
    (&[""], &["serviceaccounts"], &["impersonate"]),
    (
        &[""],
        &[
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "pods",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
        WRITE,
    ),
    (&[""], &["pods/eviction", "serviceaccounts/token"], &["create"]),
    (
        &["apps"],
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
        WRITE,
    ),
    (&["autoscaling"], &["horizontalpodautoscalers"], WRITE),
    (&["batch"], &["cronjobs", "jobs"], WRITE),
    (&["networking.k8s.io"], &["ingresses", "networkpolicies"], WRITE),
    (&["policy"], &["poddisruptionbudgets"], WRITE),
];

/// The rules that ADMIN adds to EDIT.
const ADMIN: &[Rule] = &[
    (
        &["authorization.k8s.io"],
        &["localsubjectaccessreviews"],
        &["create"],
    ),
    (&["rbac.authorization.k8s.io"], &["rolebindings", "roles"], READ),
    (&["rbac.authorization.k8s.io"], &["rolebindings", "roles"], WRITE),
];

/// Returns the rules of a policy by its name; nothing for an unknown policy.
fn rules(policy: &str) -> Vec<&'static [Rule]> {
    match policy {
        "AmazonEKSClusterAdminPolicy" => vec![EVERYTHING],
        "AmazonEKSAdminViewPolicy" => vec![EVERYTHING_TO_READ],
        "AmazonEKSAdminPolicy" => vec![VIEW, EDIT, ADMIN],
        "AmazonEKSEditPolicy" => vec![VIEW, EDIT],
        "AmazonEKSViewPolicy" => vec![VIEW],
        _ => Vec::new(),
    }
}

/// Returns whether an association (in the form of ListAssociatedAccessPolicies) allows the request
/// of a SubjectAccessReview.
pub(crate) fn allows(association: &Value, review: &Value) -> bool {
    let policy = association["policyArn"]
        .as_str()
        .and_then(|arn| arn.rsplit('/').next())
        .unwrap_or_default();
    let scope = &association["accessScope"];
    let in_cluster = scope["type"] == "cluster";
    let spec = &review["spec"];
    let path = &spec["nonResourceAttributes"];
    if path.is_object() {
        // Only the cluster administrator may access non-resource paths.
        return in_cluster && policy == "AmazonEKSClusterAdminPolicy";
    }
    let asked = &spec["resourceAttributes"];
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let namespace = text("namespace");
    let in_scope = in_cluster
        || scope["namespaces"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|pattern| !namespace.is_empty() && matches(pattern, namespace));
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let covers = |list: &[&str], value: &str| list.iter().any(|item| *item == "*" || *item == value);
    in_scope
        && rules(policy)
            .into_iter()
            .flatten()
            .any(|(groups, resources, verbs)| {
                covers(groups, text("group")) && covers(resources, &resource) && covers(verbs, text("verb"))
            })
}

/// Returns whether a name matches a pattern in which `*` stands for any number of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn association(policy: &str, namespaces: &[&str]) -> Value {
        let scope = if namespaces.is_empty() {
            json!({ "type": "cluster", "namespaces": [] })
        } else {
            json!({ "type": "namespace", "namespaces": namespaces })
        };
        json!({ "policyArn": format!("arn:aws:eks::aws:cluster-access-policy/{policy}"), "accessScope": scope })
    }

    fn asks(verb: &str, group: &str, resource: &str, namespace: &str) -> Value {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        json!({ "spec": { "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace,
        } } })
    }

    #[test]
    fn each_policy_allows_what_its_table_says() {
        let secrets = asks("list", "", "secrets", "shop");
        let pods = asks("list", "", "pods", "shop");
        let create = asks("create", "apps", "deployments", "shop");
        let roles = asks("create", "rbac.authorization.k8s.io", "roles", "shop");
        let nodes = asks("list", "", "nodes", "");
        let widgets = asks("watch", "example.com", "widgets/status", "");
        let any = asks("delete", "example.com", "widgets", "");
        for (policy, expected) in [
            (
                "AmazonEKSViewPolicy",
                [false, true, false, false, false, false, false],
            ),
            (
                "AmazonEKSEditPolicy",
                [true, true, true, false, false, false, false],
            ),
            (
                "AmazonEKSAdminPolicy",
                [true, true, true, true, false, false, false],
            ),
            (
                "AmazonEKSAdminViewPolicy",
                [true, true, false, false, true, true, false],
            ),
            ("AmazonEKSClusterAdminPolicy", [true; 7]),
            ("AmazonEKSUnknownPolicy", [false; 7]),
        ] {
            let found = [&secrets, &pods, &create, &roles, &nodes, &widgets, &any]
                .map(|review| allows(&association(policy, &[]), review));
            assert_eq!(found, expected, "{policy}");
        }
    }

    #[test]
    fn a_scope_of_namespaces_ends_at_their_border() {
        let scoped = association("AmazonEKSClusterAdminPolicy", &["shop", "dev-*"]);
        for (namespace, expected) in [
            ("shop", true),
            ("dev-1", true),
            ("shopping", false),
            ("", false),
            ("prod", false),
        ] {
            assert_eq!(
                allows(&scoped, &asks("list", "", "pods", namespace)),
                expected,
                "{namespace}"
            );
        }
    }

    #[test]
    fn paths_are_for_administrators_of_the_cluster() {
        let path = json!({ "spec": { "nonResourceAttributes": { "path": "/metrics", "verb": "get" } } });
        assert!(allows(&association("AmazonEKSClusterAdminPolicy", &[]), &path));
        assert!(!allows(
            &association("AmazonEKSClusterAdminPolicy", &["*"]),
            &path
        ));
        assert!(!allows(&association("AmazonEKSAdminViewPolicy", &[]), &path));
    }

    #[test]
    fn stars_stand_for_any_letters() {
        for (pattern, name, expected) in [
            ("*", "x", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abd", false),
            ("*b*", "abc", true),
            ("a*a", "a", false),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
