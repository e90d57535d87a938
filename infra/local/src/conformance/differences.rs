//! What the implementations do otherwise than AWS, as far as the suites of the adapters meet it; each list is that of one
//! test. What else the local AWS lacks is in the README of this crate.

use super::Implementation::{LocalAws, Moto};
use super::{ANSWER, Difference};

/// The answer of moto to a call that it does not have.
const NO_CALL: &str = "does not have the call, and answers 404 without an error code";

/// Returns the entry of a call that moto does not have.
const fn no_call(call: &'static str, document: &'static str) -> Difference {
    Difference {
        of: Moto,
        call,
        property: ANSWER,
        does: NO_CALL,
        document,
    }
}

/// A network with all that belongs to it, read by the adapter for EC2.
pub const NETWORK: &[Difference] = &[
    Difference {
        of: Moto,
        call: "ec2:DescribeSecurityGroupRules",
        property: "groupOwnerId",
        does: "does not tell the account of the group",
        document: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html",
    },
    Difference {
        of: LocalAws,
        call: "ec2:CreateVpcEndpoint",
        property: "the route of a gateway endpoint",
        does: "adds no route to the route tables of the endpoint",
        document: "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing",
    },
];

/// Launch templates, read by the adapter for EC2.
pub const LAUNCH_TEMPLATES: &[Difference] = &[
    Difference {
        of: Moto,
        call: "ec2:DescribeLaunchTemplateVersions",
        property: "tagSpecificationSet of the first version",
        does: "adds the tags of the template to those of what the first version launches",
        document: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html",
    },
    Difference {
        of: LocalAws,
        call: "ec2:DescribeLaunchTemplateVersions",
        property: "the error for a template that does not exist",
        does: "answers with an empty list",
        document: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
    },
];

/// EBS volumes, read by the adapter for EC2.
pub const VOLUMES: &[Difference] = &[];

/// Networks as candidates, looked up by the adapter for EC2.
pub const NETWORK_CANDIDATES: &[Difference] = &[];

/// All that an application stands on, read by the walk.
pub const APPLICATION: &[Difference] = &[
    no_call(
        "eks:CreateAddon",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html",
    ),
    no_call(
        "eks:ListAddons",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_ListAddons.html",
    ),
    no_call(
        "eks:CreateAccessEntry",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html",
    ),
    no_call(
        "eks:ListAccessEntries",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_ListAccessEntries.html",
    ),
    no_call(
        "eks:AssociateAccessPolicy",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_AssociateAccessPolicy.html",
    ),
    no_call(
        "eks:CreatePodIdentityAssociation",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html",
    ),
    no_call(
        "eks:ListPodIdentityAssociations",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_ListPodIdentityAssociations.html",
    ),
    no_call(
        "eks:AssociateIdentityProviderConfig",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_AssociateIdentityProviderConfig.html",
    ),
    no_call(
        "eks:ListIdentityProviderConfigs",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_ListIdentityProviderConfigs.html",
    ),
    no_call(
        "elasticfilesystem:DescribeReplicationConfigurations",
        "https://docs.aws.amazon.com/efs/latest/ug/API_DescribeReplicationConfigurations.html",
    ),
    Difference {
        of: Moto,
        call: "eks:DescribeCluster",
        property: "vpcId",
        does: "does not tell the VPC of the subnets",
        document: "https://docs.aws.amazon.com/eks/latest/APIReference/API_VpcConfigResponse.html",
    },
    Difference {
        of: Moto,
        call: "eks:DescribeCluster",
        property: "clusterSecurityGroupId",
        does: "creates no security group for a cluster",
        document: "https://docs.aws.amazon.com/eks/latest/APIReference/API_VpcConfigResponse.html",
    },
    Difference {
        of: Moto,
        call: "eks:DescribeCluster",
        property: "accessConfig",
        does: "ignores it in CreateCluster",
        document: "https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessConfigResponse.html",
    },
    Difference {
        of: Moto,
        call: "eks:DescribeNodegroup",
        property: "diskSize",
        does: "tells one for a node group with a launch template",
        document: "https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html",
    },
    Difference {
        of: Moto,
        call: "eks:DescribeNodegroup",
        property: "remoteAccess",
        does: "invents an SSH key for every node group",
        document: "https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html",
    },
    Difference {
        of: Moto,
        call: "acm:RequestCertificate",
        property: "KeyAlgorithm",
        does: "makes an RSA certificate whatever is requested",
        document: "https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html",
    },
    Difference {
        of: Moto,
        call: "cloudformation:CreateStack",
        property: "VolumeType of AWS::EC2::Volume",
        does: "makes a volume of type gp2",
        document: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-volume.html",
    },
    Difference {
        of: Moto,
        call: "kms:DescribeKey",
        property: "MultiRegion",
        does: "does not tell it",
        document: "https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html",
    },
    Difference {
        of: Moto,
        call: "iam:PutUserPolicy",
        property: "calls that a policy denies",
        does: "checks no permission",
        document: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
    },
];

/// The look-up of counterparts.
pub const COUNTERPARTS: &[Difference] = &[];
