//! Services, their endpoints and addresses, and Ingresses.

use serde_json::{Value, json};

use super::{Draft, Phase};

fn service_object(draft: &mut Draft, name: &str, spec: Value) -> Value {
    let namespace = draft.namespace();
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec
    })
}

/// A Service with a selector.
pub(super) fn service(draft: &mut Draft) {
    let name = draft.name("service");
    let mut spec = json!({"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]});
    match draft.rng.u32(0..5) {
        0 => spec["clusterIP"] = json!("None"),
        1 => spec["type"] = json!("NodePort"),
        2 => {
            let last = draft.rng.u32(10..200);
            spec["clusterIP"] = json!(format!("10.96.77.{last}"));
        }
        3 => spec = json!({"type": "ExternalName", "externalName": "db.example.com"}),
        _ => spec["sessionAffinity"] = json!("ClientIP"),
    }
    let object = service_object(draft, &name, spec);
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object);
}

/// A Service without a selector, whose endpoints somebody writes.
pub(super) fn service_without_selector(draft: &mut Draft) {
    let name = draft.name("external");
    let object = service_object(draft, &name, json!({"ports": [{"port": 5432}]}));
    let namespace = object["metadata"]["namespace"].clone();
    draft.apply(Phase::Old, "kubectl", object);
    let managed_by = draft.one(&["staff", "endpointslice-controller.k8s.io", ""]);
    let mut labels = json!({"kubernetes.io/service-name": name});
    if !managed_by.is_empty() {
        labels["endpointslice.kubernetes.io/managed-by"] = json!(managed_by);
    }
    if draft.once_in(3) {
        draft.apply(
            Phase::Young,
            "kubectl",
            json!({
                "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "namespace": namespace},
                "subsets": [{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5432}]}]
            }),
        );
    } else {
        draft.apply(
            Phase::Young,
            "kubectl",
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": format!("{name}-slice"), "namespace": namespace, "labels": labels},
                "addressType": "IPv4", "ports": [{"name": "", "port": 5432, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["192.0.2.8"], "conditions": {"ready": true}}]
            }),
        );
    }
}

/// A Service of type LoadBalancer with the address that a provider gave it.
pub(super) fn load_balancer(draft: &mut Draft) {
    let name = draft.name("public");
    let object = service_object(
        draft,
        &name,
        json!({"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 443}]}),
    );
    draft.apply(Phase::Old, "helm", object.clone());
    draft.merge(
        Phase::End,
        &object,
        "/status",
        json!({"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}),
    );
    if draft.once_in(2) {
        draft.merge(
            Phase::End,
            &object,
            "",
            json!({"metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}}),
        );
    }
}

/// An Ingress without a class, and a default class that is younger or older.
pub(super) fn ingress(draft: &mut Draft) {
    let (name, namespace, class) = (
        draft.name("ingress"),
        draft.namespace(),
        draft.name("ingress-class"),
    );
    draft.apply(
        Phase::Policies,
        "kubectl",
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": class, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            "spec": {"controller": "example.com/controller"}
        }),
    );
    let phase = draft.age();
    draft.apply(phase, "helm", ingress_object(&name, namespace, &name));
}

fn ingress_object(name: &str, namespace: &str, host: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": namespace},
        "spec": {"rules": [{"host": format!("{host}.example.com"), "http": {"paths": [{
            "path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}
        }]}}]}
    })
}

/// An address that somebody reserved, so that no Service gets it.
pub(super) fn reserved_address(draft: &mut Draft) {
    let (namespace, last) = (draft.namespace(), draft.rng.u32(10..200));
    draft.apply(
        Phase::Old,
        "network-team",
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
            "metadata": {"name": format!("10.96.88.{last}")},
            "spec": {"parentRef": {"resource": "configmaps", "name": "reservations", "namespace": namespace}}
        }),
    );
}

/// Two Ingresses for one path; the older one has it.
pub(super) fn rivals(draft: &mut Draft) {
    let (first, second, host) = (draft.name("zeta"), draft.name("alpha"), draft.name("host"));
    for (name, phase) in [(first, Phase::Old), (second, Phase::Changes)] {
        let namespace = draft.namespace();
        draft.apply(phase, "helm", ingress_object(&name, namespace, &host));
    }
}
