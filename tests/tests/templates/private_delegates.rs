//! What the public delegate deploys, and what it may deploy it with.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Template, many};
use crate::templates;

fn named(name: &str) -> Template {
    let mut templates = templates().into_iter();
    templates.find(|template| template.name == name).unwrap()
}

/// The actions with which the resource types of the template private-delegate are made and deleted, by the handlers of their
/// schemas in the registry of CloudFormation.
const HANDLERS: &[(&str, &[&str])] = &[
    (
        "AWS::CloudWatch::Alarm",
        &[
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
        ],
    ),
    (
        "AWS::EKS::AccessEntry",
        &[
            "eks:CreateAccessEntry",
            "eks:AssociateAccessPolicy",
            "eks:DescribeAccessEntry",
            "eks:ListAssociatedAccessPolicies",
            "eks:DeleteAccessEntry",
        ],
    ),
    (
        "AWS::Events::Rule",
        &[
            "events:PutRule",
            "events:PutTargets",
            "events:DescribeRule",
            "events:ListTargetsByRule",
            "events:RemoveTargets",
            "events:DeleteRule",
        ],
    ),
    (
        "AWS::IAM::Role",
        &[
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListRolePolicies",
            "iam:ListAttachedRolePolicies",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole",
            "iam:TagRole",
        ],
    ),
    (
        "AWS::Lambda::EventInvokeConfig",
        &[
            "lambda:PutFunctionEventInvokeConfig",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:DeleteFunctionEventInvokeConfig",
        ],
    ),
    (
        "AWS::Lambda::Function",
        &[
            "lambda:CreateFunction",
            "lambda:GetFunction",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            "lambda:DeleteFunction",
            "iam:PassRole",
            "s3:GetObject",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ],
    ),
    (
        "AWS::Lambda::Permission",
        &[
            "lambda:AddPermission",
            "lambda:GetPolicy",
            "lambda:RemovePermission",
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        &[
            "logs:CreateLogGroup",
            "logs:DescribeLogGroups",
            "logs:PutRetentionPolicy",
            "logs:DeleteLogGroup",
        ],
    ),
    (
        "AWS::SQS::Queue",
        &[
            "sqs:CreateQueue",
            "sqs:GetQueueAttributes",
            "sqs:SetQueueAttributes",
            "sqs:DeleteQueue",
        ],
    ),
    ("AWS::SQS::QueuePolicy", &["sqs:SetQueueAttributes"]),
];

fn statements<'a>(template: &'a Template, resource: &str) -> Vec<&'a Value> {
    let all = &template.root["Resources"][resource]["Properties"]["PolicyDocument"]["Statement"];
    let statements = all.as_array().unwrap().iter();
    // A conditional one is the first of two.
    statements
        .map(|one| one["Fn::If"].get(1).unwrap_or(one))
        .collect()
}

fn actions<'a>(statements: &[&'a Value]) -> BTreeSet<&'a str> {
    let all = statements.iter().flat_map(|one| many(&one["Action"]));
    all.map(|action| action.as_str().unwrap()).collect()
}

#[test]
fn the_service_role_makes_what_the_template_contains() {
    let application = named("application");
    let granted = actions(&statements(&application, "PrivateDelegatesRolePolicy"));
    let private = named("private-delegate");
    for (name, resource) in private.resources() {
        let r#type = resource["Type"].as_str().unwrap();
        let handler = HANDLERS.iter().find(|(known, _)| *known == r#type);
        let (_, needed) = handler.unwrap_or_else(|| panic!("{name}: what does {type} need?"));
        for action in *needed {
            assert!(granted.contains(action), "{name} needs {action}");
        }
    }
}

#[test]
fn the_service_role_makes_no_role_without_the_boundary() {
    let application = named("application");
    let boundary = json!({"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"},
        {"Ref": "PrivateDelegatesBoundary"}]});
    let grants = [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
    ];
    for statement in statements(&application, "PrivateDelegatesRolePolicy") {
        let actions = actions(&[statement]);
        for never in [
            "iam:AttachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:UpdateAssumeRolePolicy",
        ] {
            assert!(!actions.contains(never), "{never}");
        }
        if grants.iter().any(|grant| actions.contains(grant)) {
            assert_eq!(
                statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"],
                boundary
            );
        }
        if actions.contains("iam:PassRole") {
            let to = &statement["Condition"]["StringEqualsIfExists"]["iam:PassedToService"];
            assert_eq!(*to, "lambda.amazonaws.com");
        }
    }
    for statement in statements(&application, "PrivateDelegatesPolicy") {
        let changes = actions(&[statement]);
        if changes.contains("cloudformation:CreateChangeSet")
            || changes.contains("cloudformation:DeleteStack")
        {
            let role = &statement["Condition"]["StringEquals"]["cloudformation:RoleArn"];
            assert_eq!(*role, json!({"Fn::GetAtt": "PrivateDelegatesRole.Arn"}));
        }
    }
}

/// A role that the boundary does not allow enough fails in its first job.
#[test]
fn the_boundary_allows_what_the_roles_of_private_delegates_have() {
    let application = named("application");
    let boundary = statements(&application, "PrivateDelegatesBoundary");
    let allowed = actions(&boundary);
    let mut had = BTreeSet::new();
    for (resource, statement) in named("private-delegate").statements() {
        let statement = statement["Fn::If"].get(1).unwrap_or(statement).clone();
        let is_trust = statement["Principal"].is_object() || statement["Principal"].is_string();
        if resource == "Role" && statement["Effect"] == "Allow" && !is_trust {
            had.extend(
                many(&statement["Action"])
                    .into_iter()
                    .map(|action| action.as_str().unwrap().to_owned()),
            );
        }
    }
    assert!(had.len() > 10, "{had:?}");
    let had: BTreeSet<&str> = had.iter().map(String::as_str).collect();
    assert_eq!(allowed, had, "no less, and no more");
}

#[test]
fn without_automatic_deployment_nothing_of_it_exists() {
    let template = named("application");
    for (name, condition) in [
        ("PrivateDelegatesPolicy", "DeploysPrivateDelegates"),
        ("PrivateDelegatesRole", "DeploysPrivateDelegates"),
        ("PrivateDelegatesRolePolicy", "DeploysPrivateDelegates"),
        ("PrivateDelegatesBoundary", "CreatePrivateDelegatesBoundary"),
    ] {
        assert_eq!(template.root["Resources"][name]["Condition"], condition, "{name}");
    }
    let variables = &template.root["Resources"]["Delegate"]["Properties"]["Environment"]["Variables"];
    let role = &variables["LIFEBOAT_PRIVATE_DELEGATES_ROLE"]["Fn::If"];
    assert_eq!(
        (&role[0], &role[2]),
        (&json!("DeploysPrivateDelegates"), &json!({"Ref": "AWS::NoValue"}))
    );
    // Otherwise the registration would not tell of it.
    let registration = &template.root["Resources"]["Registration"]["Properties"];
    assert_eq!(
        registration["PrivateDelegates"],
        json!({"Ref": "PrivateDelegates"})
    );
}
