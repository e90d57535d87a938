//! What the delegate, or whoever gets hold of its credentials, cannot do in the recovery account.

use serde_json::Value;

use crate::iam::{Decision, Request, decide};
use crate::policies::{APPLICATION, BOUNDARY, BUILDING, OTHER, RECOVERY_KEY, Stack, many, text};
use crate::requests::{REQUEST_TAG, RESOURCE_TAG, TAG};

const ROLE: &str = "arn:aws:iam::222222222222:role/orders";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Fails on each request that the role of the delegate is allowed.
fn none_of(requests: impl IntoIterator<Item = Request>) {
    let policies = Stack::new().delegate();
    let mut count = 0;
    for request in requests {
        let decision = decide(&policies, &request);
        assert!(!decision.is_allowed(), "{request:?}: {decision:?}");
        count += 1;
    }
    assert!(count > 0, "nothing was asked");
}

/// A request as CloudFormation makes it.
fn called(action: &str, resource: &str) -> Request {
    Request::new(action, resource).with("aws:CalledVia", "cloudformation.amazonaws.com")
}

#[test]
fn no_role_is_created_without_the_boundary() {
    let create = || called("iam:CreateRole", ROLE).with(REQUEST_TAG, APPLICATION);
    let bounded = create().with("iam:PermissionsBoundary", BOUNDARY);
    assert!(decide(&Stack::new().delegate(), &bounded).is_allowed());
    let own = "arn:aws:iam::222222222222:policy/lifeboat/shop/mine";
    none_of([
        create(),
        create().with("iam:PermissionsBoundary", ADMINISTRATOR),
        create().with("iam:PermissionsBoundary", own),
        called("iam:CreateRole", ROLE).with("iam:PermissionsBoundary", BOUNDARY),
        called("iam:CreateRole", ROLE)
            .with("iam:PermissionsBoundary", BOUNDARY)
            .with(REQUEST_TAG, OTHER),
    ]);
}

#[test]
fn the_boundaries_of_the_document_take_the_place_of_the_one_that_the_stack_creates() {
    let (first, second) = (
        "arn:aws:iam::222222222222:policy/zone/boundary",
        "arn:aws:iam::222222222222:policy/databases",
    );
    let stack = Stack::with(&[("BuiltRolesBoundaries", &format!("{first},{second}"))]);
    // Roles that were built before keep it, and it gets no new ones.
    assert!(stack.managed("BuiltRolesBoundary").is_some());
    let policies = stack.delegate();
    for (boundary, is_allowed) in [
        (first, true),
        (second, true),
        (BOUNDARY, false),
        (ADMINISTRATOR, false),
    ] {
        let create = called("iam:CreateRole", ROLE)
            .with(REQUEST_TAG, APPLICATION)
            .with("iam:PermissionsBoundary", boundary);
        assert_eq!(decide(&policies, &create).is_allowed(), is_allowed, "{boundary}");
    }
}

#[test]
fn no_role_of_others_gets_permissions_or_another_trust_policy() {
    let mut requests = Vec::new();
    for action in [
        "iam:AttachRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
    ] {
        let on = || called(action, ROLE);
        requests.extend([
            // A role of the account.
            on(),
            on().with("iam:PermissionsBoundary", BOUNDARY),
            // One that somebody has tagged.
            on().with(RESOURCE_TAG, APPLICATION),
            on().with(RESOURCE_TAG, APPLICATION)
                .with("iam:PermissionsBoundary", ADMINISTRATOR),
            // One of another application.
            on().with(RESOURCE_TAG, OTHER)
                .with("iam:PermissionsBoundary", BOUNDARY),
        ]);
    }
    for action in [
        "iam:DeleteRole",
        "iam:GetRolePolicy",
        "iam:ListRolePolicies",
        "iam:UntagRole",
        "iam:UpdateRole",
        "iam:UpdateRoleDescription",
    ] {
        requests.extend([
            called(action, ROLE),
            called(action, ROLE).with(RESOURCE_TAG, OTHER),
        ]);
    }
    none_of(requests);
}

#[test]
fn no_boundary_is_removed_and_none_is_changed() {
    let built = |action: &str| {
        called(action, ROLE)
            .with(RESOURCE_TAG, APPLICATION)
            .with("iam:PermissionsBoundary", BOUNDARY)
    };
    assert!(decide(&Stack::new().delegate(), &built("iam:PutRolePolicy")).is_allowed());
    let mut requests = vec![built("iam:DeleteRolePermissionsBoundary")];
    for policy in [
        BOUNDARY,
        "arn:aws:iam::222222222222:policy/zone/LifeboatBuiltRoles-shop-eu-central-1",
        "arn:aws:iam::222222222222:policy/lifeboat-rebuild-shop-BuildRolesPolicy-ABC",
        "arn:aws:iam::222222222222:policy/lifeboat/shop/lifeboat-rebuild-shop-BuildRolesPolicy-ABC",
        // Those of others.
        "arn:aws:iam::222222222222:policy/administrators",
        "arn:aws:iam::222222222222:policy/lifeboat/shop-eu/orders",
    ] {
        for action in [
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:SetDefaultPolicyVersion",
        ] {
            requests.push(called(action, policy).with(RESOURCE_TAG, APPLICATION));
        }
    }
    none_of(requests);
}

#[test]
fn roles_of_lifeboat_are_not_touched_even_if_they_have_tag_and_boundary() {
    let mut requests = Vec::new();
    for role in [
        "arn:aws:iam::222222222222:role/LifeboatRecoveryK8sDel-shop-eu-central-1",
        "arn:aws:iam::222222222222:role/LifeboatCoordinator-eu-central-1",
        "arn:aws:iam::222222222222:role/zone/LifeboatRecoveryK8sDel-shop-eu-central-1",
    ] {
        for action in [
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PassRole",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ] {
            requests.push(
                called(action, role)
                    .with(RESOURCE_TAG, APPLICATION)
                    .with(REQUEST_TAG, APPLICATION)
                    .with("iam:PermissionsBoundary", BOUNDARY)
                    .with("iam:PassedToService", "ec2.amazonaws.com"),
            );
        }
    }
    none_of(requests);
}

#[test]
fn roles_are_passed_to_eks_and_its_nodes_only() {
    let services = [
        "cloudformation.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "elasticfilesystem.amazonaws.com",
        "glue.amazonaws.com",
        "lambda.amazonaws.com",
        "sagemaker.amazonaws.com",
        "ssm.amazonaws.com",
        "states.amazonaws.com",
    ];
    let pass = || called("iam:PassRole", ROLE).with(RESOURCE_TAG, APPLICATION);
    let requests = services.map(|service| pass().with("iam:PassedToService", service));
    none_of(requests.into_iter().chain([pass()]));
}

#[test]
fn the_vault_the_state_and_what_others_write_is_out_of_reach() {
    let mut requests = Vec::new();
    for object in [
        "lifeboat-vault-222222222222-eu-central-1/shop/points/1/manifest.json",
        "lifeboat-state-222222222222-eu-central-1/state.json",
        "lifeboat-scratch-222222222222-eu-central-1/jobs/shop/1/assignment.json",
        "lifeboat-scratch-222222222222-eu-central-1/jobs/shop-eu/1/result.json",
        "lifeboat-artifacts-222222222222-eu-central-1/functions/1.zip",
    ] {
        for action in ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"] {
            requests.push(Request::new(action, &format!("arn:aws:s3:::{object}")));
        }
    }
    for action in [
        "s3:PutBucketPolicy",
        "s3:PutLifecycleConfiguration",
        "s3:DeleteBucket",
    ] {
        requests.push(Request::new(
            action,
            "arn:aws:s3:::lifeboat-vault-222222222222-eu-central-1",
        ));
    }
    none_of(requests);
}

#[test]
fn keys_of_lifeboat_and_of_others_keep_their_policies() {
    let mut requests = Vec::new();
    for action in [
        "kms:CancelKeyDeletion",
        "kms:CreateGrant",
        "kms:DisableKey",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateAlias",
    ] {
        let own = || called(action, RECOVERY_KEY).with("aws:ResourceTag/lifeboat:stack", "recovery-access");
        requests.extend([
            own(),
            own()
                .with(RESOURCE_TAG, APPLICATION)
                .with(REQUEST_TAG, APPLICATION),
        ]);
        if action != "kms:CreateGrant" {
            let other = called(action, "arn:aws:kms:eu-central-1:222222222222:key/2");
            requests.extend([other.clone(), other.with(RESOURCE_TAG, OTHER)]);
        }
    }
    none_of(requests);
}

/// Everything that the policies allow for what carries the tag of the application is denied without it.
#[test]
fn nothing_without_the_tag_of_the_application_is_changed_or_deleted() {
    let stack = Stack::new();
    let policies = stack.delegate();
    let mut requests = Vec::new();
    for name in BUILDING {
        let policy = stack.managed(name).unwrap();
        for statement in many(&policy["Statement"]) {
            if statement["Condition"]["StringEquals"][RESOURCE_TAG].is_null() {
                continue;
            }
            for (action, pattern) in pairs(statement) {
                let resource = pattern.replace('*', "x/1");
                // An alias has no tags, and changes with the permission for its key.
                let on = || called(&action, &resource).with("iam:PermissionsBoundary", BOUNDARY);
                assert!(
                    decide(&policies, &on().with(RESOURCE_TAG, APPLICATION)).is_allowed(),
                    "{action} {resource}"
                );
                requests.extend([on(), on().with(RESOURCE_TAG, OTHER)]);
            }
        }
    }
    assert!(requests.len() > 150, "{}", requests.len());
    // Tags of others than the application do no harm, and what is created has none yet.
    let denied = requests
        .into_iter()
        .filter(|request| request.action != "ec2:CreateTags");
    none_of(denied);
}

/// Returns each action of a statement with each of its resources.
fn pairs(statement: &Value) -> Vec<(String, String)> {
    let actions = many(&statement["Action"]).into_iter().map(text);
    let all = actions.flat_map(|action| {
        let service = action.split(':').next().unwrap().to_owned();
        let patterns = many(&statement["Resource"]).into_iter().map(text);
        let own = patterns.filter(move |pattern| pattern.split(':').nth(2) == Some(service.as_str()));
        own.map(move |pattern| (action.to_owned(), pattern.to_owned()))
    });
    all.collect()
}

/// Otherwise whoever has the credentials would tag a resource of others, and then change it.
#[test]
fn the_tag_of_the_application_is_set_by_cloudformation_alone() {
    let policies = Stack::new().delegate();
    let targets = [
        (
            "ec2:CreateTags",
            "arn:aws:ec2:eu-central-1:222222222222:vpc/vpc-1",
        ),
        (
            "ecr:TagResource",
            "arn:aws:ecr:eu-central-1:222222222222:repository/r",
        ),
        (
            "eks:TagResource",
            "arn:aws:eks:eu-central-1:222222222222:cluster/c",
        ),
        (
            "elasticfilesystem:TagResource",
            "arn:aws:elasticfilesystem:eu-central-1:222222222222:file-system/fs-1",
        ),
        (
            "iam:TagOpenIDConnectProvider",
            "arn:aws:iam::222222222222:oidc-provider/p",
        ),
        ("iam:TagRole", ROLE),
        ("kms:TagResource", "arn:aws:kms:eu-central-1:222222222222:key/1"),
    ];
    for (action, resource) in targets {
        let tag = Request::new(action, resource)
            .with(REQUEST_TAG, APPLICATION)
            .with("aws:TagKeys", TAG);
        assert_eq!(
            decide(&policies, &tag),
            Decision::Denied("TagByCloudFormationOnly".to_owned())
        );
        let by_stack = tag.with("aws:CalledVia", "cloudformation.amazonaws.com");
        assert!(decide(&policies, &by_stack).is_allowed(), "{by_stack:?}");
    }
}

#[test]
fn stacks_of_others_are_not_changed_and_nothing_is_imported() {
    let stack = |name: &str| format!("arn:aws:cloudformation:eu-central-1:222222222222:stack/{name}/1");
    let mut requests = Vec::new();
    for name in [
        "lifeboat-control",
        "lifeboat-recovery-access",
        "lifeboat-application-shop",
        "lifeboat-rebuild-shop",
        "lifeboat-shop-eu-network",
        "lifeboat-shop-eu-cluster-orders",
        "network",
    ] {
        for action in [
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:ExecuteChangeSet",
        ] {
            requests.push(Request::new(action, &stack(name)));
        }
    }
    let own = stack("lifeboat-shop-identity");
    requests.extend([
        Request::new("cloudformation:CreateChangeSet", &own)
            .with("cloudformation:ImportResourceTypes", "AWS::IAM::Role"),
        Request::new("cloudformation:DeleteStack", &own),
        Request::new("cloudformation:CreateStack", &own),
        Request::new("cloudformation:SetStackPolicy", &own),
    ]);
    none_of(requests);
}

#[test]
fn clusters_of_others_let_nobody_in() {
    let cluster = "arn:aws:eks:eu-central-1:222222222222:cluster/payments";
    let entry = "arn:aws:eks:eu-central-1:222222222222:access-entry/payments/role/222222222222/r/1";
    none_of([
        called("eks:CreateAccessEntry", cluster),
        called("eks:CreateAccessEntry", cluster).with(RESOURCE_TAG, OTHER),
        called("eks:AssociateAccessPolicy", entry),
        called("eks:CreatePodIdentityAssociation", cluster),
        called("eks:UpdateClusterConfig", cluster),
        called("eks:DeleteCluster", cluster),
    ]);
}

#[test]
fn no_user_no_session_and_no_other_service_comes_of_it() {
    none_of([
        Request::new("iam:CreateUser", "arn:aws:iam::222222222222:user/u"),
        Request::new("iam:CreateAccessKey", "arn:aws:iam::222222222222:user/u"),
        Request::new("iam:PutUserPolicy", "arn:aws:iam::222222222222:user/u"),
        Request::new(
            "iam:CreateServiceLinkedRole",
            "arn:aws:iam::222222222222:role/aws-service-role/x",
        )
        .with("iam:AWSServiceName", "ssm.amazonaws.com"),
        Request::new("sts:AssumeRole", ROLE).with(RESOURCE_TAG, APPLICATION),
        Request::new(
            "lambda:InvokeFunction",
            "arn:aws:lambda:eu-central-1:222222222222:function:f",
        ),
        Request::new(
            "lambda:CreateFunction",
            "arn:aws:lambda:eu-central-1:222222222222:function:f",
        ),
        Request::new("organizations:LeaveOrganization", "*"),
        // In another Region.
        Request::new("ec2:CreateVpc", "arn:aws:ec2:us-east-1:222222222222:vpc/vpc-1"),
    ]);
}
