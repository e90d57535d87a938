//! The table of fields that hold the *name* of a resource of AWS. Ids, ARNs, zones, Regions, accounts and registries
//! are recognised in every text and need no entry; a name such as `orders` is recognised only where a field says
//! what it names.

use super::{FieldPath, IdentifierKind, place};
use crate::identity::Kind::{Bucket, Cluster, InstanceProfile, Role, SecurityGroupName, SubnetName, Zone};
use IdentifierKind::{
    Arguments, Aws, BalancerAttribute, BalancerAttributes, EnvironmentVariable, Json, Tags,
};

const ANY: &[&str] = &["*"];
const NODE_CLASSES: &[&str] = &["ec2nodeclasses", "nodeclasses"];
const KARPENTER: &str = "karpenter.k8s.aws";
const AUTO_MODE: &str = "eks.amazonaws.com";
const DISCOVERY: &str = "/spec/*SelectorTerms/*/tags/karpenter.sh~1discovery";
/// The tags `aws:eks:cluster-name` and `alpha.eksctl.io/cluster-name`.
const CLUSTER_NAME: &str = "/spec/*SelectorTerms/*/tags/*cluster-name";
/// Subnets and security groups by their tag `Name`.
const SUBNET_NAME: &str = "/spec/subnetSelectorTerms/*/tags/Name";
const GROUP_NAME: &str = "/spec/securityGroupSelectorTerms/*/tags/Name";
const SELECTED_TAGS: &str = "/spec/*SelectorTerms/*/tags";
/// The role of a Pod for kube2iam and kiam, by its name or ARN (<https://github.com/jtblin/kube2iam#iam-roles>).
const POD_ROLE: &str = "/spec/template/metadata/annotations/iam.amazonaws.com~1role";
/// How an ACK controller finds the resource that it adopts
/// (<https://aws-controllers-k8s.github.io/docs/guides/adoption>).
const ADOPTION_FIELDS: &str = "/metadata/annotations/services.k8s.aws~1adoption-fields";
/// The name of the resource that a managed resource of Crossplane stands for
/// (<https://docs.crossplane.io/latest/managed-resources/managed-resources/#annotations>).
const EXTERNAL_NAME: &str = "/metadata/annotations/crossplane.io~1external-name";

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
    place(KARPENTER, NODE_CLASSES, CLUSTER_NAME, Aws(Cluster)),
    place(KARPENTER, NODE_CLASSES, SELECTED_TAGS, Tags),
    place(KARPENTER, NODE_CLASSES, "/spec/tags", Tags),
    place(KARPENTER, NODE_CLASSES, SUBNET_NAME, Aws(SubnetName)),
    place(KARPENTER, NODE_CLASSES, GROUP_NAME, Aws(SecurityGroupName)),
    place(AUTO_MODE, NODE_CLASSES, "/spec/role", Aws(Role)),
    place(
        AUTO_MODE,
        NODE_CLASSES,
        "/spec/instanceProfile",
        Aws(InstanceProfile),
    ),
    place(AUTO_MODE, NODE_CLASSES, DISCOVERY, Aws(Cluster)),
    place(AUTO_MODE, NODE_CLASSES, CLUSTER_NAME, Aws(Cluster)),
    place(AUTO_MODE, NODE_CLASSES, SELECTED_TAGS, Tags),
    place(AUTO_MODE, NODE_CLASSES, "/spec/tags", Tags),
    place(AUTO_MODE, NODE_CLASSES, SUBNET_NAME, Aws(SubnetName)),
    place(AUTO_MODE, NODE_CLASSES, GROUP_NAME, Aws(SecurityGroupName)),
    // Pods with a role by kube2iam or kiam.
    place(
        "",
        &["pods"],
        "/metadata/annotations/iam.amazonaws.com~1role",
        Aws(Role),
    ),
    place(
        "apps",
        &["deployments", "replicasets", "statefulsets", "daemonsets"],
        POD_ROLE,
        Aws(Role),
    ),
    place("batch", &["jobs"], POD_ROLE, Aws(Role)),
    place(
        "batch",
        &["cronjobs"],
        "/spec/jobTemplate/spec/template/metadata/annotations/iam.amazonaws.com~1role",
        Aws(Role),
    ),
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
        "networking.k8s.io",
        &["ingresses"],
        "/metadata/annotations/alb.ingress.kubernetes.io~1frontend-nlb-attributes",
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
        "elbv2.k8s.aws",
        &["ingressclassparams"],
        "/spec/subnets/tags",
        Tags,
    ),
    place(
        AUTO_MODE,
        &["ingressclassparams"],
        "/spec/loadBalancerAttributes/*",
        BalancerAttribute,
    ),
    place(AUTO_MODE, &["ingressclassparams"], "/spec/subnets/tags", Tags),
    place(
        "gateway.k8s.aws",
        ANY,
        "/spec/loadBalancerAttributes/*",
        BalancerAttribute,
    ),
    place("gateway.k8s.aws", ANY, "/spec/loadBalancerSubnetsSelector", Tags),
    // AWS Load Balancer Controller: a subnet or security group that is named by its tag `Name`
    // (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#subnets>).
    place(
        "networking.k8s.io",
        &["ingresses"],
        "/metadata/annotations/alb.ingress.kubernetes.io~1*subnets",
        Aws(SubnetName),
    ),
    place(
        "networking.k8s.io",
        &["ingresses"],
        "/metadata/annotations/alb.ingress.kubernetes.io~1*security-groups",
        Aws(SecurityGroupName),
    ),
    place(
        "",
        &["services"],
        "/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-subnets",
        Aws(SubnetName),
    ),
    place(
        "",
        &["services"],
        "/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-*security-groups",
        Aws(SecurityGroupName),
    ),
    place(
        "elbv2.k8s.aws",
        &["ingressclassparams"],
        "/spec/subnets/tags/Name",
        Aws(SubnetName),
    ),
    place(
        AUTO_MODE,
        &["ingressclassparams"],
        "/spec/subnets/tags/Name",
        Aws(SubnetName),
    ),
    place(
        "gateway.k8s.aws",
        ANY,
        "/spec/loadBalancerSubnets/*/identifier",
        Aws(SubnetName),
    ),
    place(
        "gateway.k8s.aws",
        ANY,
        "/spec/loadBalancerSubnetsSelector/Name",
        Aws(SubnetName),
    ),
    place(
        "gateway.k8s.aws",
        ANY,
        "/spec/securityGroups",
        Aws(SecurityGroupName),
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
    place(
        "iam.services.k8s.aws",
        &["instanceprofiles"],
        "/spec/role",
        Aws(Role),
    ),
    place(
        "elbv2.services.k8s.aws",
        &["loadbalancers"],
        "/spec/attributes/*",
        BalancerAttribute,
    ),
    place(
        "s3.services.k8s.aws",
        &["buckets"],
        ADOPTION_FIELDS,
        Json("name", Bucket),
    ),
    place(
        "iam.services.k8s.aws",
        &["roles"],
        ADOPTION_FIELDS,
        Json("name", Role),
    ),
    place(
        "iam.services.k8s.aws",
        &["instanceprofiles"],
        ADOPTION_FIELDS,
        Json("name", InstanceProfile),
    ),
    place(
        "eks.services.k8s.aws",
        &["clusters"],
        ADOPTION_FIELDS,
        Json("name", Cluster),
    ),
    place(
        "eks.services.k8s.aws",
        ANY,
        ADOPTION_FIELDS,
        Json("clusterName", Cluster),
    ),
    // Crossplane: the providers of Upbound, with and without namespaces, and of the community.
    place("s3.aws.upbound.io", &["buckets"], EXTERNAL_NAME, Aws(Bucket)),
    place("s3.aws.m.upbound.io", &["buckets"], EXTERNAL_NAME, Aws(Bucket)),
    place("s3.aws.crossplane.io", &["buckets"], EXTERNAL_NAME, Aws(Bucket)),
    place("s3.aws.upbound.io", ANY, "/spec/forProvider/bucket", Aws(Bucket)),
    place(
        "s3.aws.m.upbound.io",
        ANY,
        "/spec/forProvider/bucket",
        Aws(Bucket),
    ),
    place("iam.aws.upbound.io", &["roles"], EXTERNAL_NAME, Aws(Role)),
    place("iam.aws.m.upbound.io", &["roles"], EXTERNAL_NAME, Aws(Role)),
    place("iam.aws.crossplane.io", &["roles"], EXTERNAL_NAME, Aws(Role)),
    place("iam.aws.upbound.io", ANY, "/spec/forProvider/role", Aws(Role)),
    place("iam.aws.m.upbound.io", ANY, "/spec/forProvider/role", Aws(Role)),
    place(
        "iam.aws.crossplane.io",
        ANY,
        "/spec/forProvider/roleName",
        Aws(Role),
    ),
    place("eks.aws.upbound.io", &["clusters"], EXTERNAL_NAME, Aws(Cluster)),
    place("eks.aws.m.upbound.io", &["clusters"], EXTERNAL_NAME, Aws(Cluster)),
    place(
        "eks.aws.crossplane.io",
        &["clusters"],
        EXTERNAL_NAME,
        Aws(Cluster),
    ),
    place(
        "eks.aws.upbound.io",
        ANY,
        "/spec/forProvider/clusterName",
        Aws(Cluster),
    ),
    place(
        "eks.aws.m.upbound.io",
        ANY,
        "/spec/forProvider/clusterName",
        Aws(Cluster),
    ),
    place(
        "eks.aws.crossplane.io",
        ANY,
        "/spec/forProvider/clusterName",
        Aws(Cluster),
    ),
    // Velero: where backups are.
    place(
        "velero.io",
        &["backupstoragelocations"],
        "/spec/objectStorage/bucket",
        Aws(Bucket),
    ),
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
    ("/containers/*/args", Arguments),
    ("/containers/*/command", Arguments),
    ("/initContainers/*/args", Arguments),
    ("/initContainers/*/command", Arguments),
];
