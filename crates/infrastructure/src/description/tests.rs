#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::json;

use super::*;

fn environment() -> Descriptions {
    Descriptions::new(
        AccountId::parse("111111111111").unwrap(),
        Region::parse("eu-west-1").unwrap(),
    )
}

#[test]
fn a_document_of_another_version_or_with_unknown_fields_is_refused() {
    let document = serde_json::to_value(environment()).unwrap();
    assert_eq!(
        document,
        json!({"format": "lifeboat.dev/aws-descriptions/v1", "account": "111111111111", "region": "eu-west-1"})
    );
    assert_eq!(
        Descriptions::parse(document.to_string().as_bytes()).unwrap(),
        environment()
    );
    for (field, value) in [
        ("format", json!("lifeboat.dev/aws-descriptions/v2")),
        ("lambdas", json!([])),
        ("subnets", json!([{"subnetId": "subnet-12345678"}])),
        ("account", json!(111_111_111_111_u64)),
    ] {
        let mut other = document.clone();
        other[field] = value;
        assert!(
            Descriptions::parse(other.to_string().as_bytes()).is_err(),
            "{field}"
        );
    }
}

#[test]
fn enumerations_have_the_spellings_of_the_api() {
    for (type_of, spelled) in [
        (json!(nodes::AmiType::Al2023X86), "AL2023_x86_64_STANDARD"),
        (json!(nodes::TaintEffect::PreferNoSchedule), "PREFER_NO_SCHEDULE"),
        (
            json!(cluster::AuthenticationMode::ApiAndConfigMap),
            "API_AND_CONFIG_MAP",
        ),
        (json!(cluster::IpFamily::Ipv6), "ipv6"),
        (json!(cluster::ControlPlaneTier::Tier4xl), "tier-4xl"),
        (json!(access::AccessEntryType::FargateLinux), "FARGATE_LINUX"),
        (
            json!(network::VpcEndpointType::GatewayLoadBalancer),
            "GatewayLoadBalancer",
        ),
        (json!(storage::RepositoryEncryptionType::KmsDsse), "KMS_DSSE"),
        (json!(storage::PerformanceMode::MaxIo), "maxIO"),
        (json!(launch_template::VolumeType::Gp3), "gp3"),
    ] {
        assert_eq!(type_of, spelled);
    }
}

#[test]
fn nothing_that_may_hold_a_secret_is_printed() {
    let template: LaunchTemplate = serde_json::from_value(json!({
        "launchTemplateId": "lt-0123456789abcdef0", "launchTemplateName": "nodes", "versionNumber": 1,
        "launchTemplateData": {"userData": "cGFzc3dvcmQ9aHVudGVyMg=="},
    }))
    .unwrap();
    let role: Role = serde_json::from_value(json!({
        "roleName": "cart", "path": "/", "arn": "arn:aws:iam::111111111111:role/cart",
        "assumeRolePolicyDocument": {"Condition": {"StringEquals": {"sts:ExternalId": "hunter2"}}},
        "inlinePolicies": {"a": {"Sid": "hunter2"}},
    }))
    .unwrap();
    let printed = format!("{template:?} {role:?}");
    assert!(
        !printed.contains("hunter2") && !printed.contains("aHVudGVyMg"),
        "{printed}"
    );
    assert!(printed.contains("[redacted]"));
}

#[test]
fn the_schema_names_every_list() {
    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    for field in [
        "clusters",
        "launchTemplates",
        "securityGroups",
        "fileSystems",
        "missing",
    ] {
        assert!(properties.contains_key(field), "{field}");
    }
}
