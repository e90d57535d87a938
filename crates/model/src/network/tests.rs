#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fmt::Write as _;

use super::*;
use crate::EnvironmentId;

const VPC: &str = "vpc-0123456789abcdef0";
const GROUP: &str = "sg-0123456789abcdef0";
const ENDPOINT: &str = "vpce-0123456789abcdef0";
const HOST: &str = "s3.eu-west-1.amazonaws.com";
const API: &str = "ABC.gr7.eu-west-1.eks.amazonaws.com";

fn causes() -> Vec<NetworkCause> {
    use NetworkTarget::{ApiServer, S3};
    let (vpc, group, endpoint) = (VPC.to_owned(), GROUP.to_owned(), ENDPOINT.to_owned());
    let subnets = vec![
        "subnet-0123456789abcdef0".to_owned(),
        "subnet-0123abcd".to_owned(),
    ];
    let route = |endpoint: Option<&str>, ipv6_only| NetworkCause::NoRoute {
        vpc: vpc.clone(),
        subnets: subnets.clone(),
        route_tables: vec!["rtb-0123abcd".to_owned()],
        endpoint: endpoint.map(str::to_owned),
        ipv6_only,
    };
    let silent = |target, host: &str, refused, seen| NetworkCause::Silent {
        target,
        host: host.to_owned(),
        addresses: vec![[52, 218, 0, 1].into()],
        refused,
        seen,
    };
    let policy = |endpoint: Option<&str>, explicit| NetworkCause::EndpointPolicy {
        endpoint: endpoint.map(str::to_owned),
        explicit,
    };
    let denies = |by, explicit| NetworkCause::PolicyDenies { by, explicit };
    vec![
        NetworkCause::NoResolver { vpc: vpc.clone() },
        NetworkCause::NoHostNames {
            vpc: vpc.clone(),
            target: ApiServer,
        },
        NetworkCause::PrivateNamesOff {
            endpoint: endpoint.clone(),
        },
        NetworkCause::NameNotResolved {
            target: ApiServer,
            host: API.to_owned(),
            silent: false,
        },
        NetworkCause::NameNotResolved {
            target: S3,
            host: HOST.to_owned(),
            silent: true,
        },
        NetworkCause::LeadsElsewhere {
            target: S3,
            host: HOST.to_owned(),
            addresses: vec![[10, 9, 8, 7].into()],
        },
        route(None, true),
        route(Some(ENDPOINT), false),
        NetworkCause::GroupHoldsBack {
            group: group.clone(),
            target: S3,
        },
        NetworkCause::GroupHoldsBack {
            group: group.clone(),
            target: ApiServer,
        },
        NetworkCause::AclHoldsBack {
            acl: "acl-0123abcd".to_owned(),
            egress: true,
            rule: Some(99),
            target: S3,
        },
        NetworkCause::AclHoldsBack {
            acl: "acl-0123abcd".to_owned(),
            egress: false,
            rule: None,
            target: ApiServer,
        },
        NetworkCause::EndpointHoldsBack {
            endpoint: endpoint.clone(),
            group: "sg-0123abcd".to_owned(),
            from: group.clone(),
        },
        NetworkCause::ClusterHoldsBack { group },
        policy(Some(ENDPOINT), false),
        policy(Some(ENDPOINT), true),
        policy(None, false),
        NetworkCause::EndpointConditions {
            endpoint,
            keys: vec!["aws:PrincipalOrgID".to_owned()],
        },
        denies(DeniedBy::BucketPolicy, true),
        denies(DeniedBy::RolePolicy, false),
        denies(DeniedBy::Unknown, false),
        NetworkCause::Proxy {
            variable: "HTTPS_PROXY".to_owned(),
        },
        NetworkCause::Intercepted {
            target: S3,
            host: HOST.to_owned(),
        },
        NetworkCause::OneZone {
            zone: "eu-west-1a".to_owned(),
        },
        NetworkCause::FewAddresses {
            subnets: [("subnet-0123abcd".to_owned(), 1)].into(),
        },
        NetworkCause::Ipv6Only { subnets },
        silent(S3, HOST, false, true),
        silent(ApiServer, API, true, false),
        NetworkCause::OtherAnswer {
            target: ApiServer,
            host: API.to_owned(),
            status: Some(502),
        },
    ]
}

#[test]
fn each_cause_says_what_is_wrong_and_what_to_do() {
    let environment = EnvironmentId::parse("111111111111-eu-west-1").unwrap();
    let mut all = String::new();
    for cause in causes() {
        assert!(cause.is_valid(), "{cause:?}");
        let problem = cause.problem(&environment);
        let (other, command) = cause.problem_and_command(&environment);
        assert!(!problem.guidance.is_empty() && other.message == problem.message);
        assert!(command.is_none_or(|command| problem.guidance.contains(&command)));
        writeln!(all, "{problem}\n").unwrap();
        let text = serde_json::to_string(&cause).unwrap();
        let read: NetworkCause = serde_json::from_str(&text).unwrap();
        assert_eq!(read, cause);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_aws_cannot_have_said_is_not_used_in_a_command() {
    for cause in [
        NetworkCause::NoResolver {
            vpc: "vpc-1; reboot".to_owned(),
        },
        NetworkCause::PrivateNamesOff {
            endpoint: "vpce-$(reboot)".to_owned(),
        },
        NetworkCause::NameNotResolved {
            target: NetworkTarget::S3,
            host: "a b".to_owned(),
            silent: false,
        },
        NetworkCause::Proxy {
            variable: "A`reboot`".to_owned(),
        },
        NetworkCause::OneZone {
            zone: "x".repeat(100),
        },
        NetworkCause::Ipv6Only { subnets: Vec::new() },
        NetworkCause::ClusterHoldsBack {
            group: "sg-0123456789ABCDEF0".to_owned(),
        },
    ] {
        assert!(!cause.is_valid(), "{cause:?}");
    }
}

/// The messages of the IAM User Guide, "Troubleshoot access denied error messages", with the names of an example.
#[test]
fn a_message_of_aws_names_the_policy_that_denies() {
    let user = "User: arn:aws:sts::111111111111:assumed-role/r/s is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\"";
    for (because, by, explicit) in [
        (
            "because no VPC endpoint policy allows the s3:GetObject action",
            DeniedBy::EndpointPolicy,
            Some(false),
        ),
        (
            "with an explicit deny in a VPC endpoint policy",
            DeniedBy::EndpointPolicy,
            Some(true),
        ),
        (
            "with an explicit deny in a resource-based policy",
            DeniedBy::BucketPolicy,
            Some(true),
        ),
        (
            "because no identity-based policy allows the s3:GetObject action",
            DeniedBy::RolePolicy,
            Some(false),
        ),
        (
            "with an explicit deny in a service control policy",
            DeniedBy::ServiceControlPolicy,
            Some(true),
        ),
        (
            "because no permissions boundary allows the s3:GetObject action",
            DeniedBy::PermissionsBoundary,
            Some(false),
        ),
        (
            "with an explicit deny in a resource control policy",
            DeniedBy::ResourceControlPolicy,
            Some(true),
        ),
    ] {
        assert_eq!(
            DeniedBy::of_message(&format!("{user} {because}")),
            (by, explicit),
            "{because}"
        );
    }
    assert_eq!(DeniedBy::of_message("Access Denied"), (DeniedBy::Unknown, None));
}

#[test]
fn observations_are_limited() {
    let target = |host: &str, said: &str| TargetObservation {
        host: host.to_owned(),
        port: 443,
        addresses: Vec::new(),
        failure: Some(NetworkFailure::Interrupted {
            said: said.to_owned(),
        }),
    };
    let observed = |s3, proxy: Option<&str>| NetworkObservations {
        s3,
        api_server: None,
        proxy: proxy.map(str::to_owned),
    };
    assert!(observed(target(HOST, "reset"), Some("HTTPS_PROXY")).is_valid());
    assert!(!observed(target("a b", "reset"), None).is_valid());
    assert!(!observed(target(HOST, &"x".repeat(5000)), None).is_valid());
    assert!(!observed(target(HOST, ""), Some("http://user:password@proxy")).is_valid());
}
