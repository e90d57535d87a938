use serde_json::{Value, json};

use crate::RuleId;
use crate::testing::{Fixture, left_out};

fn object(api_version: &str, kind: &str, namespace: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "uid": format!("uid-{kind}-{namespace}-{name}")}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    json_merge(&mut object, &rest);
    object
}

fn json_merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                json_merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn labels(key: &str, value: &str) -> Value {
    json!({"metadata": {"labels": {key: value}}})
}

fn annotations(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {key: value}}})
}

fn finished(mut job: Value) -> Value {
    job["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    job
}

fn owned_by(api_version: &str, kind: &str) -> Value {
    json!({"metadata": {"ownerReferences":
        [{"apiVersion": api_version, "kind": kind, "name": "o", "uid": "uid-o", "controller": true}]}})
}

/// Objects that are not restored, each with its rule and name.
fn cases() -> Vec<(RuleId, &'static str, Value)> {
    use RuleId as R;
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    vec![
        (R::Node, "nodes n", object("v1", "Node", "", "n", json!({}))),
        (
            R::Event,
            "events shop/e",
            object("v1", "Event", "shop", "e", json!({})),
        ),
        (
            R::Lease,
            "leases.coordination.k8s.io shop/l",
            object("coordination.k8s.io/v1", "Lease", "shop", "l", json!({})),
        ),
        (
            R::CsiNode,
            "csinodes.storage.k8s.io n",
            object("storage.k8s.io/v1", "CSINode", "", "n", json!({})),
        ),
        (
            R::NodeClaim,
            "nodeclaims.karpenter.sh n",
            object("karpenter.sh/v1", "NodeClaim", "", "n", json!({})),
        ),
        (
            R::ObservedState,
            "cninodes.vpcresources.k8s.aws n",
            object("vpcresources.k8s.aws/v1alpha1", "CNINode", "", "n", json!({})),
        ),
        (
            R::VolumeAttachment,
            "volumeattachments.storage.k8s.io v",
            object("storage.k8s.io/v1", "VolumeAttachment", "", "v", json!({})),
        ),
        (
            R::ObservedState,
            "csistoragecapacities.storage.k8s.io shop/c",
            object("storage.k8s.io/v1", "CSIStorageCapacity", "shop", "c", json!({})),
        ),
        (
            R::CertificateRequest,
            "certificatesigningrequests.certificates.k8s.io c",
            object(
                "certificates.k8s.io/v1",
                "CertificateSigningRequest",
                "",
                "c",
                json!({}),
            ),
        ),
        (
            R::AllocatedAddress,
            "ipaddresses.networking.k8s.io 10.0.0.1",
            object(
                "networking.k8s.io/v1",
                "IPAddress",
                "",
                "10.0.0.1",
                json!({"metadata": {"labels": {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}},
                    "spec": {"parentRef": {"resource": "services", "name": "s"}}}),
            ),
        ),
        (
            R::ServerOwned,
            "servicecidrs.networking.k8s.io kubernetes",
            object("networking.k8s.io/v1", "ServiceCIDR", "", "kubernetes", json!({})),
        ),
        (
            R::ServerOwned,
            "configmaps kube-system/extension-apiserver-authentication",
            object(
                "v1",
                "ConfigMap",
                "kube-system",
                "extension-apiserver-authentication",
                json!({}),
            ),
        ),
        (
            R::RootCertificate,
            "configmaps shop/kube-root-ca.crt",
            object("v1", "ConfigMap", "shop", "kube-root-ca.crt", json!({})),
        ),
        (
            R::KubernetesService,
            "services default/kubernetes",
            object("v1", "Service", "default", "kubernetes", json!({})),
        ),
        (
            R::KubernetesService,
            "endpoints default/kubernetes",
            object("v1", "Endpoints", "default", "kubernetes", json!({})),
        ),
        (
            R::MirroredSlice,
            "endpointslices.discovery.k8s.io shop/m",
            object(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                "shop",
                "m",
                labels(
                    "endpointslice.kubernetes.io/managed-by",
                    "endpointslicemirroring-controller.k8s.io",
                ),
            ),
        ),
        (
            R::SystemPriorityClass,
            "priorityclasses.scheduling.k8s.io system-node-critical",
            object(
                "scheduling.k8s.io/v1",
                "PriorityClass",
                "",
                "system-node-critical",
                json!({}),
            ),
        ),
        (
            R::BootstrapRbac,
            "clusterroles.rbac.authorization.k8s.io admin",
            object(
                RBAC,
                "ClusterRole",
                "",
                "admin",
                labels("kubernetes.io/bootstrapping", "rbac-defaults"),
            ),
        ),
        (
            R::BootstrapFlowControl,
            "flowschemas.flowcontrol.apiserver.k8s.io probes",
            object(
                "flowcontrol.apiserver.k8s.io/v1",
                "FlowSchema",
                "",
                "probes",
                annotations("apf.kubernetes.io/autoupdate-spec", "true"),
            ),
        ),
        (
            R::AutomanagedApiService,
            "apiservices.apiregistration.k8s.io v1.apps",
            object(
                "apiregistration.k8s.io/v1",
                "APIService",
                "",
                "v1.apps",
                labels("kube-aggregator.kubernetes.io/automanaged", "onstart"),
            ),
        ),
        (
            R::MirrorPod,
            "pods kube-system/etcd",
            object(
                "v1",
                "Pod",
                "kube-system",
                "etcd",
                annotations("kubernetes.io/config.mirror", "x"),
            ),
        ),
        (
            R::MirrorPod,
            "pods kube-system/proxy",
            object("v1", "Pod", "kube-system", "proxy", owned_by("v1", "Node")),
        ),
        (
            R::ChildOfController,
            "pods shop/p",
            object("v1", "Pod", "shop", "p", owned_by("apps/v1", "ReplicaSet")),
        ),
        (
            R::ChildOfController,
            "replicasets.apps shop/r",
            object(
                "apps/v1",
                "ReplicaSet",
                "shop",
                "r",
                owned_by("apps/v1", "Deployment"),
            ),
        ),
        (
            R::ChildOfController,
            "controllerrevisions.apps shop/c",
            object(
                "apps/v1",
                "ControllerRevision",
                "shop",
                "c",
                owned_by("apps/v1", "StatefulSet"),
            ),
        ),
        (
            R::FinishedRun,
            "jobs.batch shop/j",
            object(
                "batch/v1",
                "Job",
                "shop",
                "j",
                finished(owned_by("batch/v1", "CronJob")),
            ),
        ),
        (
            R::ChildOfController,
            "persistentvolumeclaims shop/e",
            object("v1", "PersistentVolumeClaim", "shop", "e", owned_by("v1", "Pod")),
        ),
        (
            R::FinishedPod,
            "pods shop/done",
            object(
                "v1",
                "Pod",
                "shop",
                "done",
                json!({"status": {"phase": "Succeeded"}}),
            ),
        ),
        (
            R::FinishedJobExpires,
            "jobs.batch shop/ttl",
            object(
                "batch/v1",
                "Job",
                "shop",
                "ttl",
                json!({"spec": {"ttlSecondsAfterFinished": 10}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
            ),
        ),
        (
            R::Terminating,
            "configmaps shop/going",
            object(
                "v1",
                "ConfigMap",
                "shop",
                "going",
                json!({"metadata": {"deletionTimestamp": "2026-11-21T11:22:33Z"}}),
            ),
        ),
    ]
}

#[test]
fn each_rule_leaves_out_its_object_and_says_why() {
    for (rule, name, object) in cases() {
        let plan = Fixture::new([object]).plan();
        assert_eq!(left_out(&plan, name).rule, rule, "{name}");
        assert_eq!(plan.rules[&rule].objects, 1, "{name}");
        assert_eq!(plan.rules[&rule].reason, rule.reason());
    }
}

#[test]
fn near_misses_are_restored() {
    let rbac = "rbac.authorization.k8s.io/v1";
    for object in [
        object(
            "v1",
            "Pod",
            "shop",
            "bare",
            json!({"status": {"phase": "Running"}}),
        ),
        object(
            "v1",
            "Pod",
            "shop",
            "of-custom",
            owned_by("shop.example.com/v1", "Order"),
        ),
        object(
            "v1",
            "ConfigMap",
            "shop",
            "of-deployment",
            owned_by("apps/v1", "Deployment"),
        ),
        object(
            "apps/v1",
            "ReplicaSet",
            "shop",
            "of-rollout",
            owned_by("argoproj.io/v1alpha1", "Rollout"),
        ),
        object(
            "v1",
            "ConfigMap",
            "shop",
            "extension-apiserver-authentication",
            json!({}),
        ),
        object("discovery.k8s.io/v1", "EndpointSlice", "shop", "own", json!({})),
        object(rbac, "ClusterRole", "", "mine", labels("app", "x")),
        object(
            rbac,
            "ClusterRole",
            "",
            "edited",
            json!({"metadata": {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
                "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}}),
        ),
        object(
            "apiregistration.k8s.io/v1",
            "APIService",
            "",
            "v1.x",
            json!({"spec": {"service": {"namespace": "shop", "name": "x"}}}),
        ),
        object("scheduling.k8s.io/v1", "PriorityClass", "", "mine", json!({})),
    ] {
        let plan = Fixture::new([object.clone()]).plan();
        assert_eq!(plan.not_restored, [], "{object}");
    }
}

#[test]
fn everything_in_a_terminating_namespace_stays_behind() {
    let plan = Fixture::new([
        object(
            "v1",
            "Namespace",
            "",
            "going",
            json!({"status": {"phase": "Terminating"}}),
        ),
        object("v1", "ConfigMap", "going", "c", json!({})),
    ])
    .plan();
    assert_eq!(left_out(&plan, "namespaces going").rule, RuleId::Terminating);
    assert_eq!(
        left_out(&plan, "configmaps going/c").rule,
        RuleId::TerminatingNamespace
    );
    assert_eq!(plan.objects.len(), 0);
}
