//! What CloudFormation calls for each resource type, and what of it the recovery stacks never need.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The operations of a stack on its resources. `list` is for resources that no stack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    Create,
    Read,
    Update,
    Delete,
}

/// The actions that a resource type needs for each operation.
pub(crate) type Handlers = BTreeMap<String, BTreeMap<Operation, Vec<String>>>;

/// What an action is authorized on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Action {
    /// The condition keys of the action.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    /// The resource types; none if the action has `*` only.
    #[serde(default)]
    pub(crate) resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resource {
    /// The ARN, with placeholders such as `${Account}`.
    pub(crate) arn: String,
    /// The condition keys that the resource has in the request.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
}

/// Returns the actions of the handlers, by resource type.
pub(crate) fn handlers() -> Handlers {
    #[derive(Deserialize)]
    struct Document {
        types: Handlers,
    }
    let document: Document = serde_json::from_str(include_str!("handlers.json")).unwrap();
    document.types
}

/// Returns what each action is authorized on.
pub(crate) fn actions() -> BTreeMap<String, Action> {
    #[derive(Deserialize)]
    struct Document {
        actions: BTreeMap<String, Action>,
    }
    let document: Document = serde_json::from_str(include_str!("actions.json")).unwrap();
    document.actions
}

/// Actions of handlers that no recovery stack needs: the resource type (`*` for each), the action, and why.
pub(crate) const UNUSED: &[(&str, &str, &str)] = &[
    (
        "AWS::EC2::EIP",
        "ec2:AcceptAddressTransfer",
        "no address is transferred",
    ),
    (
        "AWS::EC2::EIP",
        "ec2:AssociateAddress",
        "addresses are those of NAT gateways",
    ),
    (
        "AWS::EC2::EIP",
        "ec2:DisassociateAddress",
        "addresses are those of NAT gateways",
    ),
    (
        "AWS::EC2::NatGateway",
        "ec2:AssignPrivateNatGatewayAddress",
        "NAT gateways have one address",
    ),
    (
        "AWS::EC2::NatGateway",
        "ec2:AssociateNatGatewayAddress",
        "NAT gateways have one address",
    ),
    (
        "AWS::EC2::NatGateway",
        "ec2:DisassociateNatGatewayAddress",
        "NAT gateways have one address",
    ),
    (
        "AWS::EC2::NatGateway",
        "ec2:UnassignPrivateNatGatewayAddress",
        "NAT gateways have one address",
    ),
    (
        "AWS::EC2::VPCCidrBlock",
        "ec2:AllocateIpamPoolCidr",
        "ranges are literal",
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation",
        "no service networks",
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpc-lattice:DescribeServiceNetworkVpcEndpointAssociation",
        "no service networks",
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpce:AllowMultiRegion",
        "services are those of the Region",
    ),
    (
        "AWS::EC2::VPCGatewayAttachment",
        "ec2:AttachVpnGateway",
        "no VPN gateways",
    ),
    (
        "AWS::EC2::VPCGatewayAttachment",
        "ec2:DetachVpnGateway",
        "no VPN gateways",
    ),
    (
        "AWS::ECR::Repository",
        "ecr:DeleteRepository",
        "repositories are retained",
    ),
    (
        "AWS::EFS::FileSystem",
        "elasticfilesystem:CreateReplicationConfiguration",
        "no replication is configured",
    ),
    (
        "AWS::EFS::FileSystem",
        "elasticfilesystem:DeleteReplicationConfiguration",
        "no replication is configured",
    ),
    (
        "AWS::EFS::FileSystem",
        "elasticfilesystem:DeleteFileSystem",
        "file systems are retained",
    ),
    (
        "AWS::EFS::FileSystem",
        "elasticfilesystem:UpdateFileSystemProtection",
        "the protection is not set",
    ),
    (
        "AWS::EFS::FileSystem",
        "iam:PassRole",
        "no replication is configured",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam:AttachGroupPolicy",
        "policies are attached by the roles",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam:AttachRolePolicy",
        "policies are attached by the roles",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam:AttachUserPolicy",
        "policies are attached by the roles",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam:DetachGroupPolicy",
        "policies are attached by the roles",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam:DetachRolePolicy",
        "policies are attached by the roles",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam:DetachUserPolicy",
        "policies are attached by the roles",
    ),
    (
        "AWS::IAM::Role",
        "iam:DeleteRolePermissionsBoundary",
        "each role has a boundary",
    ),
    ("AWS::KMS::Key", "kms:DisableKey", "keys are enabled"),
    ("AWS::KMS::Key", "kms:EnableKey", "keys are enabled"),
    ("AWS::KMS::Key", "kms:ScheduleKeyDeletion", "keys are retained"),
    ("AWS::KMS::ReplicaKey", "kms:DisableKey", "keys are enabled"),
    ("AWS::KMS::ReplicaKey", "kms:EnableKey", "keys are enabled"),
    (
        "AWS::KMS::ReplicaKey",
        "kms:ScheduleKeyDeletion",
        "keys are retained",
    ),
];

/// Properties that would need an action of [`UNUSED`], by resource type: a template must not have them.
pub(crate) const ABSENT: &[(&str, &str)] = &[
    ("AWS::EC2::EIP", "InstanceId"),
    ("AWS::EC2::EIP", "TransferAddress"),
    ("AWS::EC2::NatGateway", "PrivateIpAddress"),
    ("AWS::EC2::NatGateway", "SecondaryAllocationIds"),
    ("AWS::EC2::NatGateway", "SecondaryPrivateIpAddresses"),
    ("AWS::EC2::VPCCidrBlock", "Ipv4IpamPoolId"),
    ("AWS::EC2::VPCCidrBlock", "Ipv6IpamPoolId"),
    ("AWS::EC2::VPCEndpoint", "ServiceNetworkArn"),
    ("AWS::EC2::VPCEndpoint", "ServiceRegion"),
    ("AWS::EC2::VPCGatewayAttachment", "VpnGatewayId"),
    ("AWS::EFS::FileSystem", "FileSystemProtection"),
    ("AWS::EFS::FileSystem", "ReplicationConfiguration"),
    ("AWS::IAM::ManagedPolicy", "Groups"),
    ("AWS::IAM::ManagedPolicy", "Roles"),
    ("AWS::IAM::ManagedPolicy", "Users"),
    ("AWS::KMS::Key", "Enabled"),
    ("AWS::KMS::ReplicaKey", "Enabled"),
];

/// Resource types that are kept when their stack no longer has them, so that nothing deletes them.
pub(crate) const RETAINED: &[&str] = &[
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
];

/// Actions that services ask of their caller, although the schemas of the resource types do not name them (Amazon EFS API
/// Reference, "CreateMountTarget", "DeleteMountTarget" and "ModifyMountTargetSecurityGroups").
pub(crate) const FURTHER: &[(&str, Operation, &str)] = &[
    (
        "AWS::EFS::MountTarget",
        Operation::Create,
        "ec2:CreateNetworkInterface",
    ),
    (
        "AWS::EFS::MountTarget",
        Operation::Create,
        "ec2:DescribeNetworkInterfaces",
    ),
    ("AWS::EFS::MountTarget", Operation::Create, "ec2:DescribeSubnets"),
    (
        "AWS::EFS::MountTarget",
        Operation::Update,
        "ec2:ModifyNetworkInterfaceAttribute",
    ),
    (
        "AWS::EFS::MountTarget",
        Operation::Delete,
        "ec2:DeleteNetworkInterface",
    ),
];

/// What the delegate calls itself to deploy stacks, and what CloudFormation calls for it before any resource.
pub(crate) const OWN: &[&str] = &[
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    // Change sets have the tags of the stack.
    "cloudformation:TagResource",
    "cloudformation:UntagResource",
    "ec2:DescribeAvailabilityZones",
    // What exists in the recovery environment is looked up, and replicas become writable.
    "acm:DescribeCertificate",
    "acm:ListCertificates",
    "acm:ListTagsForCertificate",
    "cloudformation:ListStackResources",
    "ecr:DescribeImages",
    "eks:DescribeClusterVersions",
    "elasticfilesystem:DeleteReplicationConfiguration",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
    "iam:ListRoles",
    "s3:ListAllMyBuckets",
    // CloudFormation reads a template by its address with the permissions of its caller.
    "s3:GetObject",
    "s3:PutObject",
    "wafv2:ListWebACLs",
];

/// Returns whether a resource type needs an action of its handlers.
pub(crate) fn is_needed(r#type: &str, action: &str) -> bool {
    !UNUSED
        .iter()
        .any(|(of, unused, _)| *of == r#type && *unused == action)
}
