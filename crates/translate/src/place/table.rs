//! The tables of identifier locations.

use super::{FieldPath, IdentifierKind, place};
use IdentifierKind::{Namespace, NamespaceSelector, NamespacedName, Principal};

const RBAC: &str = "rbac.authorization.k8s.io";
const BINDINGS: &[&str] = &["rolebindings", "clusterrolebindings"];
const ADMISSION: &str = "admissionregistration.k8s.io";
const POLICIES: &[&str] = &["validatingadmissionpolicies", "mutatingadmissionpolicies"];
const POLICY_BINDINGS: &[&str] = &[
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicybindings",
];
const WEBHOOKS: &[&str] = &["validatingwebhookconfigurations", "mutatingwebhookconfigurations"];
const GATEWAY: &str = "gateway.networking.k8s.io";
const FLOW: &str = "flowcontrol.apiserver.k8s.io";
const ANY: &[&str] = &["*"];

/// All locations outside of Pod specifications.
pub const PLACES: &[FieldPath] = &[
    place("*", ANY, "/metadata/namespace", Namespace),
    place("", &["namespaces"], "/metadata/name", Namespace),
    place(
        "",
        &["namespaces"],
        "/metadata/labels/kubernetes.io~1metadata.name",
        Namespace,
    ),
    // RBAC.
    place(RBAC, BINDINGS, "/subjects/*/namespace", Namespace),
    place(RBAC, BINDINGS, "/subjects/*/name", Principal),
    // Volumes: the claim, and the Secrets that drivers read.
    place("", &["persistentvolumes"], "/spec/claimRef/namespace", Namespace),
    place(
        "",
        &["persistentvolumes"],
        "/spec/csi/*SecretRef/namespace",
        Namespace,
    ),
    place(
        "",
        &["persistentvolumes"],
        "/spec/*/secretRef/namespace",
        Namespace,
    ),
    place(
        "",
        &["persistentvolumes"],
        "/spec/azureFile/secretNamespace",
        Namespace,
    ),
    place(
        "",
        &["persistentvolumes"],
        "/spec/glusterfs/endpointsNamespace",
        Namespace,
    ),
    place(
        "",
        &["persistentvolumeclaims"],
        "/spec/dataSourceRef/namespace",
        Namespace,
    ),
    place(
        "apps",
        &["statefulsets"],
        "/spec/volumeClaimTemplates/*/spec/dataSourceRef/namespace",
        Namespace,
    ),
    place(
        "apps",
        &["statefulsets"],
        "/spec/volumeClaimTemplates/*/metadata/namespace",
        Namespace,
    ),
    place(
        "storage.k8s.io",
        &["storageclasses"],
        "/parameters/*secret-namespace",
        Namespace,
    ),
    place(
        "snapshot.storage.k8s.io",
        &["volumesnapshotclasses"],
        "/parameters/*secret-namespace",
        Namespace,
    ),
    place(
        "snapshot.storage.k8s.io",
        &["volumesnapshotcontents"],
        "/spec/volumeSnapshotRef/namespace",
        Namespace,
    ),
    // Admission and aggregation: the backends, and the selected namespaces.
    place(
        ADMISSION,
        WEBHOOKS,
        "/webhooks/*/clientConfig/service/namespace",
        Namespace,
    ),
    place(
        ADMISSION,
        WEBHOOKS,
        "/webhooks/*/namespaceSelector",
        NamespaceSelector,
    ),
    place(
        ADMISSION,
        POLICIES,
        "/spec/matchConstraints/namespaceSelector",
        NamespaceSelector,
    ),
    place(
        ADMISSION,
        POLICY_BINDINGS,
        "/spec/matchResources/namespaceSelector",
        NamespaceSelector,
    ),
    place(ADMISSION, POLICY_BINDINGS, "/spec/paramRef/namespace", Namespace),
    place(
        "apiextensions.k8s.io",
        ANY,
        "/spec/conversion/webhook/clientConfig/service/namespace",
        Namespace,
    ),
    place(
        "apiregistration.k8s.io",
        ANY,
        "/spec/service/namespace",
        Namespace,
    ),
    place(
        ADMISSION,
        ANY,
        "/metadata/annotations/cert-manager.io~1inject-ca-from",
        NamespacedName,
    ),
    place(
        "apiextensions.k8s.io",
        ANY,
        "/metadata/annotations/cert-manager.io~1inject-ca-from",
        NamespacedName,
    ),
    place(
        "apiregistration.k8s.io",
        ANY,
        "/metadata/annotations/cert-manager.io~1inject-ca-from",
        NamespacedName,
    ),
    // Networking.
    place(
        "networking.k8s.io",
        &["networkpolicies"],
        "/spec/ingress/*/from/*/namespaceSelector",
        NamespaceSelector,
    ),
    place(
        "networking.k8s.io",
        &["networkpolicies"],
        "/spec/egress/*/to/*/namespaceSelector",
        NamespaceSelector,
    ),
    place(
        "networking.k8s.io",
        &["ingressclasses"],
        "/spec/parameters/namespace",
        Namespace,
    ),
    place(
        "",
        &["endpoints"],
        "/subsets/*/*ddresses/*/targetRef/namespace",
        Namespace,
    ),
    place(
        "discovery.k8s.io",
        &["endpointslices"],
        "/endpoints/*/targetRef/namespace",
        Namespace,
    ),
    place(GATEWAY, ANY, "/spec/parentRefs/*/namespace", Namespace),
    place(GATEWAY, ANY, "/spec/rules/*/backendRefs/*/namespace", Namespace),
    place(
        GATEWAY,
        ANY,
        "/spec/rules/*/filters/*/requestMirror/backendRef/namespace",
        Namespace,
    ),
    place(
        GATEWAY,
        ANY,
        "/spec/rules/*/backendRefs/*/filters/*/requestMirror/backendRef/namespace",
        Namespace,
    ),
    place(
        GATEWAY,
        &["gateways"],
        "/spec/listeners/*/tls/certificateRefs/*/namespace",
        Namespace,
    ),
    place(
        GATEWAY,
        &["gateways"],
        "/spec/listeners/*/allowedRoutes/namespaces/selector",
        NamespaceSelector,
    ),
    place(
        GATEWAY,
        &["gatewayclasses"],
        "/spec/parametersRef/namespace",
        Namespace,
    ),
    place(GATEWAY, &["referencegrants"], "/spec/from/*/namespace", Namespace),
    // Flow control.
    place(
        FLOW,
        &["flowschemas"],
        "/spec/rules/*/subjects/*/serviceAccount/namespace",
        Namespace,
    ),
    place(
        FLOW,
        &["flowschemas"],
        "/spec/rules/*/subjects/*/*/name",
        Principal,
    ),
    place(
        FLOW,
        &["flowschemas"],
        "/spec/rules/*/resourceRules/*/namespaces/*",
        Namespace,
    ),
    // Widely used custom resources.
    place(
        "argoproj.io",
        &["applications"],
        "/spec/destination/namespace",
        Namespace,
    ),
    place(
        "argoproj.io",
        &["appprojects"],
        "/spec/destinations/*/namespace",
        Namespace,
    ),
    place(
        "kustomize.toolkit.fluxcd.io",
        ANY,
        "/spec/targetNamespace",
        Namespace,
    ),
    place(
        "kustomize.toolkit.fluxcd.io",
        ANY,
        "/spec/sourceRef/namespace",
        Namespace,
    ),
    place("helm.toolkit.fluxcd.io", ANY, "/spec/targetNamespace", Namespace),
    place("helm.toolkit.fluxcd.io", ANY, "/spec/storageNamespace", Namespace),
    place(
        "helm.toolkit.fluxcd.io",
        ANY,
        "/spec/chart/spec/sourceRef/namespace",
        Namespace,
    ),
    place(
        "monitoring.coreos.com",
        ANY,
        "/spec/namespaceSelector/matchNames/*",
        Namespace,
    ),
    place(
        "monitoring.coreos.com",
        ANY,
        "/spec/alerting/alertmanagers/*/namespace",
        Namespace,
    ),
    place(
        "monitoring.coreos.com",
        ANY,
        "/spec/*NamespaceSelector",
        NamespaceSelector,
    ),
];

/// The paths of Pod specifications: API group, plural names, path.
pub const POD_SPECS: &[(&str, &[&str], &str)] = &[
    ("", &["pods"], "/spec"),
    ("", &["podtemplates"], "/template/spec"),
    ("", &["replicationcontrollers"], "/spec/template/spec"),
    (
        "apps",
        &["deployments", "replicasets", "statefulsets", "daemonsets"],
        "/spec/template/spec",
    ),
    ("batch", &["jobs"], "/spec/template/spec"),
    ("batch", &["cronjobs"], "/spec/jobTemplate/spec/template/spec"),
];

/// All locations inside a Pod specification.
pub const POD_PLACES: &[(&str, IdentifierKind)] = &[
    (
        "/affinity/*/requiredDuringSchedulingIgnoredDuringExecution/*/namespaces/*",
        Namespace,
    ),
    (
        "/affinity/*/requiredDuringSchedulingIgnoredDuringExecution/*/namespaceSelector",
        NamespaceSelector,
    ),
    (
        "/affinity/*/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/namespaces/*",
        Namespace,
    ),
    (
        "/affinity/*/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/namespaceSelector",
        NamespaceSelector,
    ),
    (
        "/volumes/*/ephemeral/volumeClaimTemplate/spec/dataSourceRef/namespace",
        Namespace,
    ),
];
