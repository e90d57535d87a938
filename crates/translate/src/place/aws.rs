//! The table of fields that hold the *name* of a resource of AWS. Ids, ARNs, zones, Regions, accounts and registries
//! are recognised in every text and need no entry; a name such as `orders` is recognised only where a field says
//! what it names.

use super::{FieldPath, IdentifierKind, place};
use crate::identity::Kind::{Bucket, Cluster, InstanceProfile, Role, Zone};
use IdentifierKind::{Argument, Aws, BalancerAttribute, BalancerAttributes, EnvironmentVariable};

const ANY: &[&str] = &["*"];
const NODE_CLASSES: &[&str] = &["ec2nodeclasses", "nodeclasses"];
const KARPENTER: &str = "karpenter.k8s.aws";
const AUTO_MODE: &str = "eks.amazonaws.com";
const DISCOVERY: &str = "/spec/*SelectorTerms/*/tags/karpenter.sh~1discovery";

/// Locations outside of Pod specifications.
pub const AWS_PLACES: &[FieldPath] = &[
    // Node classes of Karpenter and EKS Auto Mode.
    place(KARPENTER, NODE_CLASSES, "/spec/role", Aws(Role)),
    place(
        KARPENTER,
        NODE_CLASSES,
        "/spec/instanceProfile",
        Aws(InstanceProfile),
    ),
    place(KARPENTER, NODE_CLASSES, DISCOVERY, Aws(Cluster)),
    place(AUTO_MODE, NODE_CLASSES, "/spec/role", Aws(Role)),
    place(AUTO_MODE, NODE_CLASSES, DISCOVERY, Aws(Cluster)),
    // The VPC CNI plugin finds the ENIConfig of a node by the zone of the node.
    place(
        "crd.k8s.amazonaws.com",
        &["eniconfigs"],
        "/metadata/name",
        Aws(Zone),
    ),
    // AWS Load Balancer Controller: access logs.
    place(
        "networking.k8s.io",
        &["ingresses"],
        "/metadata/annotations/alb.ingress.kubernetes.io~1load-balancer-attributes",
        BalancerAttributes,
    ),
    place(
        "",
        &["services"],
        "/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-attributes",
        BalancerAttributes,
    ),
    place(
        "",
        &["services"],
        "/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-access-log-s3-bucket-name",
        Aws(Bucket),
    ),
    place(
        "elbv2.k8s.aws",
        &["ingressclassparams"],
        "/spec/loadBalancerAttributes/*",
        BalancerAttribute,
    ),
    place(
        "gateway.k8s.aws",
        ANY,
        "/spec/loadBalancerAttributes/*",
        BalancerAttribute,
    ),
    // AWS Controllers for Kubernetes.
    place("s3.services.k8s.aws", &["buckets"], "/spec/name", Aws(Bucket)),
    place("iam.services.k8s.aws", &["roles"], "/spec/name", Aws(Role)),
    place(
        "iam.services.k8s.aws",
        &["instanceprofiles"],
        "/spec/name",
        Aws(InstanceProfile),
    ),
    place("eks.services.k8s.aws", &["clusters"], "/spec/name", Aws(Cluster)),
    place("eks.services.k8s.aws", ANY, "/spec/clusterName", Aws(Cluster)),
    // Volumes of the CSI driver for S3.
    place(
        "",
        &["persistentvolumes"],
        "/spec/csi/volumeAttributes/bucketName",
        Aws(Bucket),
    ),
    // Where the data of a ConfigMap is the configuration of a controller.
    place("", &["configmaps"], "/data/clusterName", Aws(Cluster)),
    place("", &["configmaps"], "/data/cluster.name", Aws(Cluster)),
    place("", &["configmaps"], "/data/CLUSTER_NAME", Aws(Cluster)),
];

/// Locations inside a Pod specification.
pub const AWS_POD_PLACES: &[(&str, IdentifierKind)] = &[
    ("/containers/*/env/*", EnvironmentVariable),
    ("/initContainers/*/env/*", EnvironmentVariable),
    ("/containers/*/args/*", Argument),
    ("/containers/*/command/*", Argument),
    ("/initContainers/*/args/*", Argument),
    ("/initContainers/*/command/*", Argument),
];
