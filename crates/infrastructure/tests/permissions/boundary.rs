//! What is left of a role that is allowed everything, within the boundary that the stack creates.

use serde_json::{Value, json};

use crate::iam::{Request, decide_within};
use crate::policies::{APPLICATION, BOUNDARY, OTHER, RECOVERY_KEY, Stack};

fn everything() -> [Value; 1] {
    [json!({"Statement": {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}})]
}

#[test]
fn an_administrator_within_the_boundary_is_none() {
    let boundary = Stack::new().boundary();
    let role = "arn:aws:iam::222222222222:role/orders";
    let mut requests = Vec::new();
    for action in [
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UpdateAssumeRolePolicy",
    ] {
        requests.push(Request::new(action, role).with("iam:PermissionsBoundary", BOUNDARY));
    }
    for action in [
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:SetDefaultPolicyVersion",
    ] {
        requests.push(Request::new(action, BOUNDARY));
    }
    for (action, resource) in [
        ("iam:CreateUser", "arn:aws:iam::222222222222:user/u"),
        ("iam:CreateAccessKey", "arn:aws:iam::222222222222:user/u"),
        ("iam:AddUserToGroup", "arn:aws:iam::222222222222:group/g"),
        (
            "iam:CreateOpenIDConnectProvider",
            "arn:aws:iam::222222222222:oidc-provider/p",
        ),
        (
            "iam:CreateSAMLProvider",
            "arn:aws:iam::222222222222:saml-provider/p",
        ),
        ("organizations:LeaveOrganization", "*"),
        ("account:PutAlternateContact", "*"),
        ("sso:CreateAccountAssignment", "*"),
        ("identitystore:CreateUser", "*"),
        ("sts:AssumeRoot", "*"),
        ("sts:AssumeRole", role),
        (
            "s3:GetObject",
            "arn:aws:s3:::lifeboat-vault-222222222222-eu-central-1/shop/1",
        ),
        (
            "s3:DeleteObjectVersion",
            "arn:aws:s3:::lifeboat-vault-222222222222-eu-central-1/shop/1",
        ),
        (
            "s3:PutBucketPolicy",
            "arn:aws:s3:::lifeboat-vault-222222222222-eu-central-1",
        ),
        (
            "s3:PutObject",
            "arn:aws:s3:::lifeboat-state-222222222222-eu-central-1/state.json",
        ),
        (
            "s3:PutObject",
            "arn:aws:s3:::lifeboat-artifacts-222222222222-eu-central-1/functions/1.zip",
        ),
        (
            "s3:GetObject",
            "arn:aws:s3:::lifeboat-scratch-222222222222-eu-central-1/jobs/shop/1",
        ),
        ("kms:Decrypt", RECOVERY_KEY),
        ("kms:ScheduleKeyDeletion", RECOVERY_KEY),
        (
            "kms:UpdateAlias",
            "arn:aws:kms:eu-central-1:222222222222:alias/lifeboat-recovery",
        ),
        (
            "lambda:UpdateFunctionCode",
            "arn:aws:lambda:eu-central-1:222222222222:function:lifeboat-coordinator",
        ),
        (
            "lambda:InvokeFunction",
            "arn:aws:lambda:eu-central-1:222222222222:function:lifeboat-shop-recovery",
        ),
        (
            "cloudformation:DeleteStack",
            "arn:aws:cloudformation:eu-central-1:222222222222:stack/lifeboat-control/1",
        ),
        (
            "events:DisableRule",
            "arn:aws:events:eu-central-1:222222222222:rule/lifeboat-shop-recovery-tick",
        ),
    ] {
        requests.push(Request::new(action, resource));
    }
    requests.extend([
        Request::new("sts:AssumeRole", role).with("iam:ResourceTag/lifeboat.dev/application", OTHER),
        Request::new("kms:Sign", "arn:aws:kms:eu-central-1:222222222222:key/2")
            .with("aws:ResourceTag/lifeboat:stack", "control"),
    ]);
    for service in ["lambda", "ecs-tasks", "cloudformation", "ssm", "codebuild"] {
        let service = format!("{service}.amazonaws.com");
        requests.push(Request::new("iam:PassRole", role).with("iam:PassedToService", &service));
    }
    for request in requests {
        let decision = decide_within(&everything(), &boundary, &request);
        assert!(!decision.is_allowed(), "{request:?}: {decision:?}");
    }
}

/// Nodes, the cluster and the controllers that are common in EKS do what they did in the primary.
#[test]
fn workloads_keep_what_their_policies_allow() {
    let boundary = Stack::new().boundary();
    let ec2 = |kind: &str| format!("arn:aws:ec2:eu-central-1:222222222222:{kind}/x-1");
    let role = "arn:aws:iam::222222222222:role/orders";
    let mut requests: Vec<Request> = [
        ("autoscaling:SetDesiredCapacity", "*"),
        (
            "dynamodb:PutItem",
            "arn:aws:dynamodb:eu-central-1:222222222222:table/orders",
        ),
        (
            "ecr:BatchGetImage",
            "arn:aws:ecr:eu-central-1:222222222222:repository/orders",
        ),
        ("ecr:GetAuthorizationToken", "*"),
        (
            "eks:DescribeCluster",
            "arn:aws:eks:eu-central-1:222222222222:cluster/orders",
        ),
        (
            "eks-auth:AssumeRoleForPodIdentity",
            "arn:aws:eks:eu-central-1:222222222222:cluster/orders",
        ),
        (
            "elasticfilesystem:ClientMount",
            "arn:aws:elasticfilesystem:eu-central-1:222222222222:file-system/fs-1",
        ),
        ("elasticloadbalancing:CreateLoadBalancer", "*"),
        ("kms:Decrypt", "arn:aws:kms:eu-central-1:222222222222:key/2"),
        (
            "route53:ChangeResourceRecordSets",
            "arn:aws:route53:::hostedzone/Z1",
        ),
        ("s3:PutObject", "arn:aws:s3:::orders-archive/1"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:eu-central-1:222222222222:secret:s",
        ),
        ("sqs:SendMessage", "arn:aws:sqs:eu-central-1:222222222222:orders"),
        (
            "ssm:GetParameter",
            "arn:aws:ssm:eu-central-1:222222222222:parameter/orders",
        ),
        ("sts:GetCallerIdentity", "*"),
        // A role of another account that trusts this one.
        ("sts:AssumeRole", "arn:aws:iam::333333333333:role/dns"),
        // Nodes by Karpenter and EKS Auto Mode.
        (
            "iam:CreateInstanceProfile",
            "arn:aws:iam::222222222222:instance-profile/karpenter",
        ),
        (
            "iam:AddRoleToInstanceProfile",
            "arn:aws:iam::222222222222:instance-profile/karpenter",
        ),
        (
            "iam:TagInstanceProfile",
            "arn:aws:iam::222222222222:instance-profile/karpenter",
        ),
        (
            "iam:GetInstanceProfile",
            "arn:aws:iam::222222222222:instance-profile/karpenter",
        ),
        (
            "iam:CreateServiceLinkedRole",
            "arn:aws:iam::222222222222:role/aws-service-role/elasticloadbalancing.amazonaws.com/x",
        ),
    ]
    .iter()
    .map(|(action, resource)| Request::new(action, resource))
    .collect();
    requests.extend([
        Request::new("ec2:RunInstances", &ec2("instance")),
        Request::new("ec2:AttachVolume", &ec2("volume")),
        Request::new("ec2:AssignPrivateIpAddresses", &ec2("network-interface")),
        Request::new("iam:PassRole", role).with("iam:PassedToService", "ec2.amazonaws.com"),
        Request::new("sts:AssumeRole", role).with("iam:ResourceTag/lifeboat.dev/application", APPLICATION),
    ]);
    for request in requests {
        let decision = decide_within(&everything(), &boundary, &request);
        assert!(decision.is_allowed(), "{request:?}: {decision:?}");
    }
}

#[test]
fn a_boundary_grants_nothing() {
    let boundary = Stack::new().boundary();
    let request = Request::new("s3:PutObject", "arn:aws:s3:::orders-archive/1");
    assert!(!decide_within(&[], &boundary, &request).is_allowed());
}
