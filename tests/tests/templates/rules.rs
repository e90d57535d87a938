//! The rules for templates.

use serde_json::Value;

use crate::template::{Template, many};

/// A rule: returns the violations in a template.
type Rule = fn(&Template) -> Vec<String>;

/// Every rule with its name.
pub(crate) const RULES: &[(&str, Rule)] = &[
    ("no action with a wildcard", wildcard_actions),
    (
        "no resource \"*\" without a reason beside it",
        unexplained_resources,
    ),
    ("no grant to everybody", grants_to_everybody),
    ("every resource is tagged", untagged),
    ("every parameter is validated", unchecked_parameters),
    ("every bucket is closed, encrypted and stays", open_buckets),
    (
        "every bucket refuses plain connections and old versions of TLS",
        plain_connections,
    ),
    ("every key stays", keys_that_go),
    (
        "every function has a role, logs that end, and an alarm",
        lonely_functions,
    ),
    ("log groups outlive their stack", logs_that_go),
    ("what fails asynchronously is kept", lost_events),
    (
        "every role takes a path and a permissions boundary",
        unbounded_roles,
    ),
    ("custom resources end in time", endless_resources),
    ("every ARN has the partition of its Region", foreign_partitions),
];

/// Permissions boundaries, which grant nothing: they say what is left of the policies of a role.
const BOUNDARIES: &[&str] = &["BuiltRolesBoundary"];

fn wildcard_actions(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    let granting = template.statements().into_iter();
    let granting = granting.filter(|(resource, _)| !BOUNDARIES.contains(resource));
    for (resource, statement) in granting.filter(|(_, statement)| statement["Effect"] != "Deny") {
        for action in many(&statement["Action"]) {
            if action.as_str().is_none_or(|action| action.contains('*')) {
                violations.push(format!("{resource} allows {action}"));
            }
        }
        if !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
            violations.push(format!("{resource} grants by exclusion"));
        }
    }
    violations
}

/// The tree has no comments, so this rule reads the text: a line with "*" as a resource needs a
/// comment above it or at its end.
fn unexplained_resources(template: &Template) -> Vec<String> {
    let lines: Vec<&str> = template.text.lines().collect();
    let mut violations = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let names_all = line.contains("Resource: \"*\"") || line.contains("Resource: '*'");
        let above = number.checked_sub(1).map_or("", |above| lines[above].trim());
        if names_all && !above.starts_with('#') && !line.contains(" # ") {
            violations.push(format!("line {}", number + 1));
        }
    }
    violations
}

fn grants_to_everybody(template: &Template) -> Vec<String> {
    let everybody = |principal: &Value| {
        *principal == "*"
            || principal
                .as_object()
                .into_iter()
                .flatten()
                .any(|(_, who)| many(who).contains(&&Value::from("*")))
    };
    let granting = template.statements().into_iter();
    granting
        .filter(|(_, statement)| statement["Effect"] == "Allow" && everybody(&statement["Principal"]))
        .map(|(resource, _)| resource.to_owned())
        .collect()
}

/// Types to which CloudFormation gives no tags.
const WITHOUT_TAGS: &[&str] = &[
    // Some Regions accept tags for it, and the others reject them (the schemas of the type for
    // eu-central-1 and for us-east-1).
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::KMS::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
];

fn untagged(template: &Template) -> Vec<String> {
    let tagged = |resource: &Value| {
        let tags = resource["Properties"]["Tags"].as_array().into_iter().flatten();
        tags.map(|tag| &tag["Key"]).any(|key| key == "lifeboat:stack")
    };
    template
        .resources()
        .filter(|(_, resource)| {
            let r#type = resource["Type"].as_str().unwrap_or_default();
            !WITHOUT_TAGS.contains(&r#type) && !r#type.starts_with("Custom::") && !tagged(resource)
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn unchecked_parameters(template: &Template) -> Vec<String> {
    const CHECKS: &[&str] = &["AllowedPattern", "AllowedValues", "MinLength", "MinValue"];
    let parameters = template.root["Parameters"].as_object().into_iter().flatten();
    let mut violations = Vec::new();
    for (name, parameter) in parameters {
        if CHECKS.iter().all(|check| parameter[check].is_null()) {
            violations.push(format!("{name} takes anything"));
        }
        if parameter["Description"].is_null() {
            violations.push(format!("{name} is not described"));
        }
    }
    violations
}

fn open_buckets(template: &Template) -> Vec<String> {
    const BLOCKS: &[&str] = &[
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ];
    let mut violations = Vec::new();
    for (name, bucket) in template.of_type("AWS::S3::Bucket") {
        let properties = &bucket["Properties"];
        let blocks = &properties["PublicAccessBlockConfiguration"];
        if BLOCKS.iter().any(|block| blocks[block] != true) {
            violations.push(format!("{name} is open"));
        }
        if properties["BucketEncryption"].is_null() {
            violations.push(format!("{name} is not encrypted"));
        }
        if bucket["DeletionPolicy"] != "Retain" || bucket["UpdateReplacePolicy"] != "Retain" {
            violations.push(format!("{name} goes with its stack"));
        }
    }
    violations
}

fn plain_connections(template: &Template) -> Vec<String> {
    const WANTED: &[(&str, &str, &str)] = &[
        ("Bool", "aws:SecureTransport", "false"),
        ("NumericLessThan", "s3:TlsVersion", "1.2"),
    ];
    let denies = |policy: &Value, (operator, key, value): &(&str, &str, &str)| {
        let statements = policy["Properties"]["PolicyDocument"]["Statement"].as_array();
        statements.into_iter().flatten().any(|statement| {
            statement["Effect"] == "Deny"
                && statement["Principal"] == "*"
                && statement["Action"] == "s3:*"
                && many(&statement["Resource"]).len() == 2
                && statement["Condition"][operator][key] == **value
        })
    };
    let buckets = template.of_type("AWS::S3::Bucket").count();
    let mut violations = Vec::new();
    for wanted in WANTED {
        let policies = template.of_type("AWS::S3::BucketPolicy");
        let denying = policies.filter(|(_, policy)| denies(policy, wanted)).count();
        if denying < buckets {
            violations.push(format!(
                "{denying} of {buckets} buckets deny {} {}",
                wanted.1, wanted.2
            ));
        }
    }
    violations
}

fn keys_that_go(template: &Template) -> Vec<String> {
    template
        .of_type("AWS::KMS::Key")
        .filter(|(_, key)| key["DeletionPolicy"] != "Retain" || key["UpdateReplacePolicy"] != "Retain")
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn lonely_functions(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, function) in template.of_type("AWS::Lambda::Function") {
        let properties = &function["Properties"];
        if properties["Role"].is_null() {
            violations.push(format!("{name} has no role"));
        }
        let own_logs = template.of_type("AWS::Logs::LogGroup").any(|(group, resource)| {
            !resource["Properties"]["RetentionInDays"].is_null()
                && properties["LoggingConfig"]["LogGroup"]["Ref"] == group
        });
        if !own_logs {
            violations.push(format!("{name} has no log group with an end"));
        }
        let watched = template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            alarm["MetricName"] == "Errors" && alarm["Dimensions"][0]["Value"]["Ref"] == name
        });
        if !watched {
            violations.push(format!("nothing watches the errors of {name}"));
        }
    }
    violations
}

/// The name of a retained log group must differ from that of the next stack, so it contains a part of the stack's ID.
fn logs_that_go(template: &Template) -> Vec<String> {
    let stays = |group: &Value| {
        group["DeletionPolicy"] == "RetainExceptOnCreate"
            && group["UpdateReplacePolicy"] == "Retain"
            && group["Properties"]["LogGroupName"]
                .to_string()
                .contains("AWS::StackId")
    };
    template
        .of_type("AWS::Logs::LogGroup")
        .filter(|(_, group)| !stays(group))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn lost_events(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    let mut configurations = template.of_type("AWS::Lambda::EventInvokeConfig");
    let all_kept =
        configurations.all(|(_, config)| !config["Properties"]["DestinationConfig"]["OnFailure"].is_null());
    let functions = template.of_type("AWS::Lambda::Function").count();
    if !all_kept || template.of_type("AWS::Lambda::EventInvokeConfig").count() < functions {
        violations.push("a function loses failed invocations".to_owned());
    }
    for (name, rule) in template.of_type("AWS::Events::Rule") {
        let targets = many(&rule["Properties"]["Targets"]);
        if targets
            .iter()
            .any(|target| target["DeadLetterConfig"]["Arn"].is_null())
        {
            violations.push(format!("{name} loses events"));
        }
    }
    violations
}

fn unbounded_roles(template: &Template) -> Vec<String> {
    let is_bounded = |role: &Value| {
        let properties = &role["Properties"];
        properties["Path"]["Ref"] == "RolePath"
            && properties["PermissionsBoundary"]["Fn::If"][0] == "HasPermissionsBoundary"
    };
    template
        .of_type("AWS::IAM::Role")
        .filter(|(_, role)| !is_bounded(role))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn endless_resources(template: &Template) -> Vec<String> {
    template
        .resources()
        .filter(|(_, resource)| {
            let is_custom = resource["Type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("Custom::"));
            is_custom && resource["Properties"]["ServiceTimeout"].is_null()
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The tree cannot tell a pattern of a parameter from an ARN, so this rule reads the text.
fn foreign_partitions(template: &Template) -> Vec<String> {
    template
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("arn:aws:") || line.contains("arn:aws-"))
        .map(|(number, _)| format!("line {}", number + 1))
        .collect()
}
