#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_yaml_ng::Value;

use super::*;
use crate::template::REBUILD;

/// Reasons as AWS words them, each from a public report that is named beside it, with other names and numbers.
/// The last column occurs in the remedy.
const REASONS: &[(&str, &str, Code, &str)] = &[
    // https://github.com/aws/containers-roadmap/issues/2204
    (
        "AWS::EKS::Nodegroup",
        "Resource handler returned message: \"[Issue(Code=AsgInstanceLaunchFailures, Message=Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient p4d.24xlarge capacity in the Availability Zone you requested (eu-central-1a). Launching EC2 instance failed., ResourceIds=[eks-ng])] (Service: null, Status Code: 0, Request ID: null)\" (RequestToken: 1, HandlerErrorCode: GeneralServiceException)",
        Code::CapacityInsufficient,
        "reserve capacity",
    ),
    // https://github.com/eksctl-io/eksctl/issues/817
    (
        "AWS::EKS::Cluster",
        "Cannot create cluster 'orders' because us-east-1e, the targeted availability zone, does not currently have sufficient capacity to support the cluster. Retry and choose from these availability zones: us-east-1a, us-east-1b, us-east-1f (Service: AmazonEKS; Status Code: 400; Error Code: UnsupportedAvailabilityZoneException; Request ID: 1)",
        Code::CapacityInsufficient,
        "that have capacity: us-east-1a, us-east-1b, us-east-1f",
    ),
    // https://github.com/aws/amazon-cloudwatch-agent-test/pull/256, with the quota of a new account
    (
        "AWS::EKS::Nodegroup",
        "Nodegroup general failed to stabilize: [{Code: AsgInstanceLaunchFailures,Message: Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. Launching EC2 instance failed.,ResourceIds: [eks-general]}]",
        Code::QuotaExceeded,
        "--service-code ec2",
    ),
    // https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/241
    (
        "AWS::EC2::VPC",
        "Resource handler returned message: \"The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: GeneralServiceException)",
        Code::QuotaExceeded,
        "--service-code vpc",
    ),
    // https://github.com/eksctl-io/eksctl/issues/1646
    (
        "AWS::EC2::EIP",
        "The maximum number of addresses has been reached. (Service: AmazonEC2; Status Code: 400; Error Code: AddressLimitExceeded; Request ID: 1)",
        Code::QuotaExceeded,
        "--service-code ec2",
    ),
    // https://github.com/pulumi/pulumi-eks/issues/1311
    (
        "AWS::EKS::Cluster",
        "Resource handler returned message: \"Cluster limit exceeded for account. (Service: Eks, Status Code: 400, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: ServiceLimitExceeded)",
        Code::QuotaExceeded,
        "--service-code eks",
    ),
    // https://github.com/convox/rack/pull/337
    (
        "AWS::KMS::Key",
        "An error occurred (LimitExceededException) when calling the CreateKey operation: Key quota for this account in this region is 0",
        Code::QuotaExceeded,
        "--service-code kms",
    ),
    // https://github.com/aws/aws-cdk/issues/17556
    (
        "AWS::EKS::Nodegroup",
        "Nodegroup general failed to stabilize: [{Code: NodeCreationFailure,Message: Instances failed to join the kubernetes cluster,ResourceIds: [i-02d2213bead380a29, i-0917ddef8f04b94b8]}]",
        Code::NodesNotJoined,
        "LB-1213",
    ),
    // https://github.com/eksctl-io/eksctl/issues/2765
    (
        "AWS::EKS::Nodegroup",
        "Nodegroup general failed to stabilize: [{Code: NodeCreationFailure,Message: Unhealthy nodes in the kubernetes cluster,ResourceIds: [i-02d2213bead380a29]}]",
        Code::NodesNotJoined,
        "aws-auth",
    ),
    // https://github.com/eksctl-io/eksctl/issues/319
    (
        "AWS::IAM::Role",
        "API: iam:CreateRole User: arn:aws:iam::222222222222:user/dr is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::222222222222:role/nodes",
        Code::ResourceDenied,
        "allow iam:CreateRole to arn:aws:iam::222222222222:user/dr; for the role of a delegate it is missing in BuildRolesPolicy",
    ),
    // https://github.com/brefphp/bref/pull/2028
    (
        "AWS::IAM::Role",
        "Resource handler returned message: \"Encountered a permissions error performing a tagging operation, please add required tag permissions. See https://repost.aws/knowledge-center/cloudformation-tagging-permission-error for how to resolve. Resource handler returned message: \"User: arn:aws:sts::222222222222:assumed-role/lifeboat-shop-recovery/lifeboat is not authorized to perform: iam:TagRole on resource: arn:aws:iam::222222222222:role/nodes because no identity-based policy allows the iam:TagRole action",
        Code::ResourceDenied,
        "iam:TagRole to arn:aws:sts::222222222222:assumed-role/lifeboat-shop-recovery/lifeboat",
    ),
    // https://github.com/alexcasalboni/aws-lambda-power-tuning/issues/154
    (
        "AWS::IAM::Role",
        "API: iam:CreateRole User: arn:aws:sts::222222222222:assumed-role/Owner/x is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::222222222222:role/nodes with an explicit deny",
        Code::ResourceDenied,
        "remove the statement of a policy that denies iam:CreateRole",
    ),
    // Only the name of the error is public: https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html
    (
        "AWS::EKS::Cluster",
        "Resource handler returned message: \"Cannot delete the cluster orders because it has deletion protection enabled. (Service: Eks, Status Code: 400, Error Code: InvalidRequestException)\" (HandlerErrorCode: InvalidRequest)",
        Code::ClusterProtected,
        "--no-deletion-protection",
    ),
    // https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1859; the policy as in
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    (
        "AWS::EKS::Cluster",
        "Resource handler returned message: \"User: arn:aws:sts::222222222222:assumed-role/x/y is not authorized to perform: eks:CreateCluster on resource: arn:aws:eks:eu-central-1:222222222222:cluster/orders with an explicit deny in a service control policy (Service: Eks, Status Code: 403, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: AccessDenied)",
        Code::ResourceDenied,
        "eks:CreateCluster to arn:aws:sts::222222222222:assumed-role/x/y in the service control policies",
    ),
    (
        "AWS::EKS::Cluster",
        "Resource handler returned message: \"User: arn:aws:sts::222222222222:assumed-role/x/y is not authorized to perform: eks:CreateCluster on resource: arn:aws:eks:eu-central-1:222222222222:cluster/orders because no permissions boundary allows the eks:CreateCluster action (Service: Eks, Status Code: 403, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: AccessDenied)",
        Code::ResourceDenied,
        "in the permissions boundary of arn:aws:sts::222222222222:assumed-role/x/y",
    ),
    // https://github.com/eksctl-io/eksctl/issues/365
    (
        "AWS::EC2::VPC",
        "API: ec2:DescribeVpcs You are not authorized to perform this operation.",
        Code::ResourceDenied,
        "allow ec2:DescribeVpcs to who deploys; for the role of a delegate it is missing in BuildNetworkPolicy",
    ),
    // https://github.com/kubernetes-sigs/cluster-api-provider-aws/issues/2432
    (
        "AWS::EKS::Cluster",
        "Resource handler returned message: \"User not authorized to perform kms:CreateGrant operation (Service: Eks, Status Code: 400, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: InvalidRequest)",
        Code::ResourceDenied,
        "kms:CreateGrant",
    ),
    // https://github.com/stratospheric-dev/stratospheric/issues/204
    (
        "AWS::ECR::Repository",
        "Resource handler returned message: \"Resource of type 'AWS::ECR::Repository' with identifier 'shop' already exists.\" (RequestToken: 1, HandlerErrorCode: AlreadyExists)",
        Code::NameTaken,
        "--adopt",
    ),
    // https://github.com/terraform-aws-modules/terraform-aws-eks/issues/1262
    (
        "AWS::EKS::Cluster",
        "Resource handler returned message: \"Cluster already exists with name: orders (Service: Eks, Status Code: 409, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: AlreadyExists)",
        Code::NameTaken,
        "--adopt",
    ),
    // https://github.com/aws-cloudformation/rain/pull/744
    (
        "AWS::CloudFormation::Stack",
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information.",
        Code::NameTaken,
        "--adopt",
    ),
    // https://github.com/hashicorp/terraform-provider-aws/issues/39904
    (
        "AWS::EKS::Nodegroup",
        "Nodegroup general failed to stabilize: [{Code: AsgInstanceLaunchFailures,Message: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state,ResourceIds: [i-0064c5a4ad0536e59]}]",
        Code::KeyDisabled,
        "aws kms enable-key",
    ),
    // https://github.com/CloudSnorkel/cdk-github-runners/issues/182
    (
        "AWS::EKS::Nodegroup",
        "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances. (Service: Ec2, Status Code: 403, Request ID: 1)",
        Code::ServiceLinkedRoleMissing,
        "--aws-service-name spot.amazonaws.com",
    ),
    // https://github.com/aws/aws-k8s-tester/issues/232
    (
        "AWS::EKS::Cluster",
        "Role with arn: arn:aws:iam::222222222222:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS, could not be assumed because it does not exist or the trusted entity is not correct",
        Code::ServiceLinkedRoleMissing,
        "--aws-service-name eks.amazonaws.com",
    ),
    // https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2406
    (
        "AWS::EKS::Cluster",
        "Role with arn: arn:aws:iam::222222222222:role/orders, could not be assumed because it does not exist or the trusted entity is not correct",
        Code::NotYetConsistent,
        "trust policy",
    ),
    // https://github.com/aws-samples/sample-host-openclaw-on-amazon-bedrock-agentcore/issues/39
    (
        "AWS::IAM::Role",
        "Resource handler returned message: \"Invalid principal in policy: \"AWS\":\"arn:aws:iam::222222222222:role/cart\" (Service: Iam, Status Code: 400, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: InvalidRequest)",
        Code::NotYetConsistent,
        "principals of the policy exist",
    ),
    // https://github.com/hashicorp/terraform-provider-aws/pull/50007
    (
        "AWS::EKS::Cluster",
        "Access denied to KMS key arn:aws:kms:eu-central-1:222222222222:key/1 due to explicit deny policy or revoked grant",
        Code::NotYetConsistent,
        "run the same command again",
    ),
    // https://github.com/awslabs/amazon-eks-ami/issues/435
    (
        "AWS::EKS::Nodegroup",
        "Requested Nodegroup release version 1.14.8-20191213 is invalid. Allowed release version is 1.14.9-20200228 (Service: AmazonEKS; Status Code: 400; Error Code: InvalidParameterException)",
        Code::NotOffered,
        "another recovery point",
    ),
    // https://github.com/eksctl-io/eksctl/issues/7976
    (
        "AWS::EKS::Nodegroup",
        "Resource handler returned message: \"Requested release version 1.31.3-20250103 is not valid for kubernetes version 1.30. (Service: Eks, Status Code: 400, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: InvalidRequest)",
        Code::NotOffered,
        "another recovery point",
    ),
    // https://github.com/awslabs/ec2-spot-workshops/issues/154
    (
        "AWS::EKS::Nodegroup",
        "Your requested instance type (m4.xlarge) is not supported in your requested Availability Zone (us-west-2d). Please retry your request by not specifying an Availability Zone or choosing us-west-2a, us-west-2b. (Service: AmazonEKS; Status Code: 400; Error Code: InvalidRequestException; Request ID: 1; Proxy: null)",
        Code::NotOffered,
        "map the Availability Zone",
    ),
    // https://github.com/aws/aws-cdk/issues/9882
    (
        "AWS::EC2::Subnet",
        "Rate exceeded for operation 'Rate exceeded (Service: Ec2, Status Code: 429, Request ID: 1)'.",
        Code::AwsThrottled,
        "run the same command again in some minutes",
    ),
    (
        "AWS::EC2::Subnet",
        "Resource handler returned message: \"Request limit exceeded. (Service: Ec2, Status Code: 503, Request ID: 1, Error Code: RequestLimitExceeded)\" (RequestToken: 1, HandlerErrorCode: Throttling)",
        Code::AwsThrottled,
        "run the same command again in some minutes",
    ),
    // https://repost.aws/knowledge-center/failing-stack-updates-deleted
    (
        "AWS::EC2::RouteTable",
        "Resource handler returned message: \"The vpc ID 'vpc-0123456789abcdef0' does not exist (Service: Ec2, Status Code: 400, Request ID: 1)\" (RequestToken: 1, HandlerErrorCode: NotFound)",
        Code::ResourceGone,
        "detect-stack-drift",
    ),
    // https://github.com/anomalyco/sst/issues/977
    (
        "AWS::EKS::Cluster",
        "Replacement type updates not supported on stack with disable-rollback.",
        Code::StackNotUpdatable,
        "aws cloudformation rollback-stack",
    ),
];

#[test]
fn a_reason_of_aws_becomes_a_code_and_a_remedy() {
    for (kind, reason, code, remedy) in REASONS {
        let found = diagnose(kind, reason).unwrap_or_else(|| panic!("no rule knows {reason}"));
        assert_eq!(found.code, *code, "{reason}");
        assert!(found.remedy.contains(remedy), "{reason}: {}", found.remedy);
        assert!(!found.remedy.ends_with('.'), "{}", found.remedy);
    }
    assert_eq!(
        diagnose("AWS::EC2::VPC", "Internal failure. It is unknown what has failed"),
        None
    );
}

/// A rule that no reason needs would be a guess.
#[test]
fn every_rule_is_needed_by_a_reason() {
    for rule in RULES {
        assert!(
            REASONS.iter().any(|(_, _, code, _)| *code == rule.code),
            "{:?}",
            rule.texts
        );
    }
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    for (code, retried) in [
        (Code::CapacityInsufficient, true),
        (Code::NotYetConsistent, true),
        (Code::AwsThrottled, true),
        (Code::StackDeleted, true),
        (Code::QuotaExceeded, false),
        (Code::ResourceDenied, false),
        (Code::NameTaken, false),
        (Code::NodesNotJoined, false),
        (Code::KeyDisabled, false),
        (Code::NotOffered, false),
        (Code::ResourceGone, false),
        (Code::AwsDenied, false),
        (Code::StackForeign, false),
        (Code::ClusterProtected, false),
    ] {
        assert_eq!(is_retryable(code), retried, "{code}");
    }
}

#[test]
fn the_policy_that_is_named_has_actions_of_the_service() {
    let template: Value = serde_yaml_ng::from_str(REBUILD.body).unwrap();
    for (service, policy) in POLICIES {
        let policy = &template["Resources"][*policy]["Properties"]["PolicyDocument"]["Statement"];
        let statements = policy.as_sequence().unwrap();
        let mut actions = statements
            .iter()
            .flat_map(|statement| statement["Action"].as_sequence().into_iter().flatten())
            .filter_map(Value::as_str);
        assert!(
            actions.any(|action| action.starts_with(&format!("{service}:"))),
            "{service}"
        );
    }
}
