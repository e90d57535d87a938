use serde_json::{Value, json};

use super::*;

fn map(pairs: &[(&str, &str)]) -> NamespaceMap {
    NamespaceMap::new(
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
    )
}

/// Each structural location once: the type, the path that must change, the object.
fn places() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}});
    vec![
        (
            "",
            "configmaps",
            "/metadata/namespace",
            json!({"metadata": {"namespace": "shop"}}),
        ),
        (
            "",
            "namespaces",
            "/metadata/name",
            json!({"metadata": {"name": "shop"}}),
        ),
        (
            "rbac.authorization.k8s.io",
            "rolebindings",
            "/subjects/0/namespace",
            json!({"subjects": [{"kind": "ServiceAccount", "name": "shop", "namespace": "shop"}]}),
        ),
        (
            "rbac.authorization.k8s.io",
            "clusterrolebindings",
            "/subjects/0/name",
            json!({"subjects": [{"kind": "User", "name": "system:serviceaccount:shop:cart"}]}),
        ),
        (
            "rbac.authorization.k8s.io",
            "clusterrolebindings",
            "/subjects/0/name",
            json!({"subjects": [{"kind": "Group", "name": "system:serviceaccounts:shop"}]}),
        ),
        (
            "",
            "persistentvolumes",
            "/spec/claimRef/namespace",
            json!({"spec": {"claimRef": {"namespace": "shop", "name": "shop"}}}),
        ),
        (
            "",
            "persistentvolumes",
            "/spec/csi/nodeStageSecretRef/namespace",
            json!({"spec": {"csi": {"nodeStageSecretRef": {"name": "s", "namespace": "shop"}}}}),
        ),
        (
            "admissionregistration.k8s.io",
            "validatingwebhookconfigurations",
            "/webhooks/0/clientConfig/service/namespace",
            json!({"webhooks": [{"clientConfig": {"service": {"namespace": "shop", "name": "w"}}}]}),
        ),
        (
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            "/spec/conversion/webhook/clientConfig/service/namespace",
            json!({"spec": {"conversion": {"webhook": {"clientConfig": {"service": {"namespace": "shop"}}}}}}),
        ),
        (
            "apiregistration.k8s.io",
            "apiservices",
            "/spec/service/namespace",
            json!({"spec": {"service": {"namespace": "shop"}}}),
        ),
        (
            "admissionregistration.k8s.io",
            "validatingadmissionpolicybindings",
            "/spec/paramRef/namespace",
            json!({"spec": {"paramRef": {"namespace": "shop"}}}),
        ),
        (
            "admissionregistration.k8s.io",
            "validatingadmissionpolicybindings",
            "/spec/matchResources/namespaceSelector/matchLabels/kubernetes.io~1metadata.name",
            json!({"spec": {"matchResources": {"namespaceSelector": selector}}}),
        ),
        (
            "networking.k8s.io",
            "networkpolicies",
            "/spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name",
            json!({"spec": {"ingress": [{"from": [{"namespaceSelector": selector}]}]}}),
        ),
        (
            "networking.k8s.io",
            "networkpolicies",
            "/spec/egress/0/to/0/namespaceSelector/matchExpressions/0/values/0",
            json!({"spec": {"egress": [{"to": [{"namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]},
                {"key": "other", "operator": "In", "values": ["shop"]}]}}]}]}}),
        ),
        (
            "apps",
            "deployments",
            "/spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/namespaces/0",
            json!({"spec": {"template": {"spec": {"affinity": {"podAntiAffinity":
                {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["shop"]}]}}}}}}),
        ),
        (
            "batch",
            "cronjobs",
            "/spec/jobTemplate/spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/namespaces/0",
            json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"affinity": {"podAffinity":
                {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"namespaces": ["shop"]}}]}}}}}}}}),
        ),
        (
            "gateway.networking.k8s.io",
            "httproutes",
            "/spec/rules/0/backendRefs/0/namespace",
            json!({"spec": {"rules": [{"backendRefs": [{"name": "cart", "namespace": "shop"}]}]}}),
        ),
        (
            "gateway.networking.k8s.io",
            "httproutes",
            "/spec/parentRefs/0/namespace",
            json!({"spec": {"parentRefs": [{"namespace": "shop"}]}}),
        ),
        (
            "",
            "persistentvolumeclaims",
            "/spec/dataSourceRef/namespace",
            json!({"spec": {"dataSourceRef": {"namespace": "shop"}}}),
        ),
        (
            "",
            "endpoints",
            "/subsets/0/addresses/0/targetRef/namespace",
            json!({"subsets": [{"addresses": [{"targetRef": {"namespace": "shop"}}]}]}),
        ),
        (
            "discovery.k8s.io",
            "endpointslices",
            "/endpoints/0/targetRef/namespace",
            json!({"endpoints": [{"targetRef": {"namespace": "shop"}}]}),
        ),
        (
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            "/metadata/annotations/cert-manager.io~1inject-ca-from",
            json!({"metadata": {"annotations": {"cert-manager.io/inject-ca-from": "shop/serving"}}}),
        ),
    ]
}

#[test]
fn every_structural_place_is_rewritten_and_nothing_else() {
    for (group, resource, path, mut object) in places() {
        let before = object.clone();
        let rewritten = map(&[("shop", "shop-dr")]).apply(group, resource, &mut object);
        let paths: Vec<&str> = rewritten.iter().map(|r| r.path.as_str()).collect();
        assert_eq!(paths, [path], "{resource}.{group}");
        let new = object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        assert!(new.contains("shop-dr"), "{path}: {new}");
        pointer::set(
            &mut object,
            path,
            before.pointer(path).cloned().unwrap_or_default(),
        );
        assert_eq!(object, before, "{path}: something else changed");
        let untouched = map(&[("other", "x")]).apply(group, resource, &mut object);
        assert_eq!(untouched, [], "{path}: another namespace's map touched it");
    }
}

#[test]
fn two_namespaces_can_swap_their_names() {
    let swap = map(&[("a", "b"), ("b", "a")]);
    let mut object = json!({"metadata": {"namespace": "a"}, "subjects": [{"namespace": "b"}]});
    swap.apply("rbac.authorization.k8s.io", "rolebindings", &mut object);
    assert_eq!(
        object,
        json!({"metadata": {"namespace": "b"}, "subjects": [{"namespace": "a"}]})
    );
}

#[test]
fn service_names_in_text_are_reported_and_not_rewritten() {
    let mapped = map(&[("shop", "shop-dr")]);
    let mut object = json!({
        "metadata": {"namespace": "shop", "name": "config"},
        "data": {"url": "http://cart.shop.svc.cluster.local", "shop": "shop"},
        "spec": {"targetNamespace": "shop"},
    });
    mapped.apply("", "configmaps", &mut object);
    assert_eq!(object["data"]["url"], "http://cart.shop.svc.cluster.local");
    assert_eq!(
        mapped.residual_references(&object, 10),
        ["/data/url", "/spec/targetNamespace"]
    );
    assert_eq!(mapped.residual_references(&object, 1).len(), 1);
}
