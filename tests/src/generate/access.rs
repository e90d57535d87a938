//! Roles, bindings, accounts, and what users add to the objects of each cluster.

use serde_json::json;

use super::{Draft, Phase};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Roles and bindings, and an aggregated ClusterRole.
pub(super) fn roles(draft: &mut Draft) {
    let (name, namespace, manager) = (draft.name("role"), draft.namespace(), draft.manager());
    let version = format!("{RBAC}/v1");
    let rules = json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}]);
    draft.apply(
        Phase::Old,
        manager,
        json!({
            "apiVersion": version, "kind": "Role", "metadata": {"name": name, "namespace": namespace}, "rules": rules
        }),
    );
    draft.apply(
        Phase::Old,
        manager,
        json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "User", "name": "ada", "apiGroup": RBAC}]
        }),
    );
    draft.apply(
        Phase::Young,
        manager,
        json!({
            "apiVersion": version, "kind": "ClusterRole",
            "metadata": {"name": format!("{name}-part"), "labels": {"example.com/of": name}}, "rules": rules
        }),
    );
    draft.apply(
        Phase::Young,
        manager,
        json!({
            "apiVersion": version, "kind": "ClusterRole", "metadata": {"name": format!("{name}-all")},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"example.com/of": name}}]}, "rules": []
        }),
    );
}

/// Subjects, labels and secrets that users add to what each cluster has.
pub(super) fn additions_to_defaults(draft: &mut Draft) {
    let (group, namespace) = (draft.name("on-call"), draft.namespace());
    let version = format!("{RBAC}/v1");
    match draft.rng.u32(0..4) {
        0 => {
            let binding = json!({
                "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": "cluster-admin"}
            });
            draft.merge(
                Phase::Changes,
                &binding,
                "",
                json!({"subjects": [
                    {"kind": "Group", "name": "system:masters", "apiGroup": RBAC},
                    {"kind": "Group", "name": group, "apiGroup": RBAC}
                ]}),
            );
        }
        1 => {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}});
            draft.merge(
                Phase::Old,
                &account,
                "",
                json!({"imagePullSecrets": [{"name": "registry"}], "metadata": {"annotations": {"example.com/role": "reader"}}}),
            );
        }
        2 => draft.apply(
            Phase::Young,
            "platform",
            json!({
                "apiVersion": version, "kind": "ClusterRole",
                "metadata": {"name": group, "labels": {format!("{RBAC}/aggregate-to-view"): "true"}},
                "rules": [{"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["get"]}]
            }),
        ),
        _ => draft.apply(
            Phase::Young,
            "platform",
            json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "kube-public", "labels": {"example.com/team": group}}
            }),
        ),
    }
}

/// An account with a token that does not expire.
pub(super) fn accounts(draft: &mut Draft) {
    let (name, namespace) = (draft.name("robot"), draft.namespace());
    draft.apply(
        Phase::Old,
        "kubectl",
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace},
            "automountServiceAccountToken": false
        }),
    );
    draft.create(
        Phase::Young,
        "kubectl",
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": format!("{name}-token"), "namespace": namespace,
                "annotations": {"kubernetes.io/service-account.name": name}
            }
        }),
    );
}
