//! The actions of IAM that reading descriptions needs.

use lifeboat_aws_ec2::actions::{ACTIONS as EC2, CANDIDATES as EC2_CANDIDATES};

/// Every action of IAM that a look at the VPC of a private delegate needs.
pub use lifeboat_aws_ec2::actions::WAYS as NETWORKS;

lifeboat_aws::actions! {
    /// Those besides EC2.
    OTHER {
        DESCRIBE_CLUSTER = "eks:DescribeCluster",
        LIST_NODEGROUPS = "eks:ListNodegroups",
        DESCRIBE_NODEGROUP = "eks:DescribeNodegroup",
        LIST_FARGATE_PROFILES = "eks:ListFargateProfiles",
        DESCRIBE_FARGATE_PROFILE = "eks:DescribeFargateProfile",
        LIST_ADDONS = "eks:ListAddons",
        DESCRIBE_ADDON = "eks:DescribeAddon",
        LIST_ACCESS_ENTRIES = "eks:ListAccessEntries",
        DESCRIBE_ACCESS_ENTRY = "eks:DescribeAccessEntry",
        LIST_ASSOCIATED_ACCESS_POLICIES = "eks:ListAssociatedAccessPolicies",
        LIST_POD_IDENTITY_ASSOCIATIONS = "eks:ListPodIdentityAssociations",
        DESCRIBE_POD_IDENTITY_ASSOCIATION = "eks:DescribePodIdentityAssociation",
        LIST_IDENTITY_PROVIDER_CONFIGS = "eks:ListIdentityProviderConfigs",
        DESCRIBE_IDENTITY_PROVIDER_CONFIG = "eks:DescribeIdentityProviderConfig",
        GET_ROLE = "iam:GetRole",
        LIST_ROLE_POLICIES = "iam:ListRolePolicies",
        GET_ROLE_POLICY = "iam:GetRolePolicy",
        LIST_ATTACHED_ROLE_POLICIES = "iam:ListAttachedRolePolicies",
        GET_POLICY = "iam:GetPolicy",
        GET_POLICY_VERSION = "iam:GetPolicyVersion",
        LIST_INSTANCE_PROFILES_FOR_ROLE = "iam:ListInstanceProfilesForRole",
        GET_INSTANCE_PROFILE = "iam:GetInstanceProfile",
        GET_OPEN_ID_CONNECT_PROVIDER = "iam:GetOpenIDConnectProvider",
        DESCRIBE_REPOSITORIES = "ecr:DescribeRepositories",
        GET_REPOSITORY_POLICY = "ecr:GetRepositoryPolicy",
        GET_LIFECYCLE_POLICY = "ecr:GetLifecyclePolicy",
        DESCRIBE_REGISTRY = "ecr:DescribeRegistry",
        LIST_REPOSITORY_TAGS = "ecr:ListTagsForResource",
        DESCRIBE_FILE_SYSTEMS = "elasticfilesystem:DescribeFileSystems",
        DESCRIBE_FILE_SYSTEM_POLICY = "elasticfilesystem:DescribeFileSystemPolicy",
        DESCRIBE_LIFECYCLE_CONFIGURATION = "elasticfilesystem:DescribeLifecycleConfiguration",
        DESCRIBE_BACKUP_POLICY = "elasticfilesystem:DescribeBackupPolicy",
        DESCRIBE_REPLICATION_CONFIGURATIONS = "elasticfilesystem:DescribeReplicationConfigurations",
        DESCRIBE_ACCESS_POINTS = "elasticfilesystem:DescribeAccessPoints",
        DESCRIBE_MOUNT_TARGETS = "elasticfilesystem:DescribeMountTargets",
        DESCRIBE_MOUNT_TARGET_SECURITY_GROUPS = "elasticfilesystem:DescribeMountTargetSecurityGroups",
        DESCRIBE_CERTIFICATE = "acm:DescribeCertificate",
        LIST_CERTIFICATE_TAGS = "acm:ListTagsForCertificate",
        DESCRIBE_TARGET_GROUPS = "elasticloadbalancing:DescribeTargetGroups",
        DESCRIBE_BALANCER_TAGS = "elasticloadbalancing:DescribeTags",
        DESCRIBE_KEY = "kms:DescribeKey",
        GET_KEY_POLICY = "kms:GetKeyPolicy",
        GET_KEY_ROTATION_STATUS = "kms:GetKeyRotationStatus",
        LIST_ALIASES = "kms:ListAliases",
        LIST_RESOURCE_TAGS = "kms:ListResourceTags",
    }
}

lifeboat_aws::actions! {
    /// Every action of IAM with which [`crate::candidates`] looks images up.
    pub EXISTING_IMAGES {
        DESCRIBE_IMAGES = "ecr:DescribeImages",
    }
}

/// Every action of IAM that [`crate::describe`] needs, by service.
pub const ACTIONS: &[&str] = &both::<{ EC2.len() + OTHER.len() }>(EC2, OTHER);

/// The actions that [`crate::candidates`] needs on the recovery side, besides those of EC2.
const OF_CANDIDATES: &[&str] = &[
    GET_ROLE.name(),
    GET_POLICY.name(),
    GET_INSTANCE_PROFILE.name(),
    DESCRIBE_REPOSITORIES.name(),
    LIST_REPOSITORY_TAGS.name(),
    DESCRIBE_FILE_SYSTEMS.name(),
    DESCRIBE_ACCESS_POINTS.name(),
    DESCRIBE_MOUNT_TARGETS.name(),
    DESCRIBE_KEY.name(),
    LIST_RESOURCE_TAGS.name(),
];

/// Every action of IAM that [`crate::candidates`] needs.
pub const CANDIDATES: &[&str] =
    &both::<{ EC2_CANDIDATES.len() + OF_CANDIDATES.len() }>(EC2_CANDIDATES, OF_CANDIDATES);

/// Returns both lists, one after the other.
const fn both<const N: usize>(first: &[&'static str], second: &[&'static str]) -> [&'static str; N] {
    let mut all = [""; N];
    let mut position = 0;
    while position < N {
        all[position] = if position < first.len() {
            first[position]
        } else {
            second[position - first.len()]
        };
        position += 1;
    }
    all
}
