use serde_json::json;

use super::super::tests::{Given, gateway, interface};
use super::*;

const S3: &str = "s3.eu-west-1.amazonaws.com";
const PUBLIC: [u8; 4] = [52, 218, 0, 1];

fn observed(host: &str, address: [u8; 4], failure: Option<NetworkFailure>) -> TargetObservation {
    TargetObservation {
        host: host.to_owned(),
        port: 443,
        addresses: vec![address.into()],
        failure,
    }
}

fn inside(s3: Option<NetworkFailure>, api_server: Option<NetworkFailure>) -> NetworkObservations {
    NetworkObservations {
        s3: observed(S3, PUBLIC, s3),
        api_server: Some(observed("api", [10, 0, 1, 7], api_server)),
        proxy: None,
    }
}

fn at(address: [u8; 4], failure: NetworkFailure) -> NetworkObservations {
    NetworkObservations {
        s3: observed(S3, address, Some(failure)),
        ..inside(None, None)
    }
}

fn timed_out() -> Option<NetworkFailure> {
    Some(NetworkFailure::TimedOut {})
}

fn changed(change: &dyn Fn(&mut Given)) -> NetworkView {
    let mut given = Given::default();
    change(&mut given);
    given.view()
}

/// The only cause, by its code and by what has to be changed.
fn only(inside: &NetworkObservations, outside: &NetworkView) -> String {
    let causes = diagnose(Some(inside), Some(outside));
    let [cause] = &causes[..] else {
        panic!("not one cause: {causes:?}")
    };
    format!("{} {}", cause.code(), cause.about())
}

#[test]
fn a_loss_of_packets_is_explained_by_what_is_seen_of_the_vpc() {
    let denies = json!({"ruleNumber": 1, "egress": true, "protocol": "6", "ruleAction": "deny",
        "cidrBlock": "52.0.0.0/8", "portRange": {"from": 443, "to": 443}});
    for (what, view, cause) in [
        (
            "no route",
            changed(&|given| given.endpoints = json!([gateway(&[])])),
            "LB-0830 vpc-1",
        ),
        (
            "private DNS names that are off",
            changed(&|given| given.endpoints = json!([interface(false)])),
            "LB-0831 vpce-2",
        ),
        (
            "a security group",
            changed(&|given| given.group["rules"][0]["cidrIpv4"] = "10.0.0.0/16".into()),
            "LB-0832 sg-1",
        ),
        (
            "nothing that is seen: the deny is for a part of all addresses",
            changed(&|given| {
                given.acl["entries"]
                    .as_array_mut()
                    .into_iter()
                    .for_each(|all| all.push(denies.clone()))
            }),
            "LB-0839 s3",
        ),
    ] {
        assert_eq!(only(&inside(timed_out(), None), &view), cause, "{what}");
        assert_eq!(
            only(&inside(Some(NetworkFailure::Unreachable {}), None), &view),
            cause,
            "{what}"
        );
        // What the function reaches, nothing keeps it from.
        assert_eq!(diagnose(Some(&inside(None, None)), Some(&view)), [], "{what}");
    }
    let acl = changed(&|given| given.acl["entries"][0]["cidrBlock"] = "10.0.0.0/16".into());
    assert_eq!(only(&inside(timed_out(), None), &acl), "LB-0832 acl-1");
}

#[test]
fn a_name_is_missing_silent_or_leads_elsewhere() {
    let view = Given::default().view();
    let without_dns = changed(&|given| given.vpc["enableDnsSupport"] = false.into());
    for failure in [NetworkFailure::NameNotFound {}, NetworkFailure::ResolverSilent {}] {
        let both = inside(Some(failure.clone()), Some(failure.clone()));
        assert_eq!(only(&both, &without_dns), "LB-0831 vpc-1");
        assert_eq!(only(&inside(Some(failure.clone()), None), &view), "LB-0831 s3");
        assert_eq!(
            only(&inside(None, Some(failure.clone())), &view),
            "LB-0841 api-server"
        );
        let without_names = changed(&|given| given.vpc["enableDnsHostnames"] = false.into());
        assert_eq!(
            only(&inside(None, Some(failure)), &without_names),
            "LB-0841 vpc-1"
        );
    }
    for failure in [
        NetworkFailure::TimedOut {},
        NetworkFailure::Refused {},
        NetworkFailure::UnknownIssuer {},
        NetworkFailure::OtherName {},
        NetworkFailure::OtherAnswer {
            status: Some(404),
            said: String::new(),
        },
    ] {
        // The address of something in the VPC, although no endpoint has the name.
        let causes = diagnose(Some(&at([10, 0, 9, 9], failure.clone())), Some(&view));
        assert!(
            matches!(&causes[..], [NetworkCause::LeadsElsewhere { .. }]),
            "{failure:?}: {causes:?}"
        );
    }
    // The public addresses, although an endpoint has the name, and nothing leads to them.
    let named = changed(&|given| given.endpoints = json!([interface(true)]));
    assert_eq!(only(&inside(timed_out(), None), &named), "LB-0831 s3");
    assert_eq!(
        only(&at([10, 0, 1, 9], NetworkFailure::TimedOut {}), &named),
        "LB-0839 s3"
    );
}

#[test]
fn the_policy_that_denies_is_the_one_that_s3_names() {
    let view = Given::default().view();
    let other = changed(&|given| {
        given.endpoints[0]["policyDocument"] = json!({"Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}]});
    });
    let conditions = changed(&|given| {
        given.endpoints[0]["policyDocument"] = json!({"Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}]});
    });
    let denied = |by| {
        let said = String::new();
        let explicit = Some(false);
        inside(Some(NetworkFailure::Denied { by, explicit, said }), None)
    };
    for (by, view, cause) in [
        (DeniedBy::EndpointPolicy, &other, "LB-0833 vpce-1"),
        (DeniedBy::EndpointPolicy, &conditions, "LB-0833 vpce-1"),
        (DeniedBy::EndpointPolicy, &view, "LB-0833 endpoint-policy"),
        (DeniedBy::BucketPolicy, &other, "LB-0835 bucket"),
        (DeniedBy::RolePolicy, &view, "LB-0835 bucket"),
        (DeniedBy::Unknown, &other, "LB-0833 vpce-1"),
        (DeniedBy::Unknown, &view, "LB-0835 bucket"),
    ] {
        assert_eq!(only(&denied(by), view), cause, "{by:?}");
    }
    let causes = diagnose(Some(&denied(DeniedBy::EndpointPolicy)), Some(&conditions));
    assert!(
        matches!(
            &causes[..],
            [NetworkCause::EndpointPolicy {
                endpoint: Some(_),
                ..
            }]
        ),
        "{causes:?}"
    );
}

#[test]
fn the_api_server_has_causes_of_its_own() {
    let view = Given::default().view();
    let group = changed(&|given| {
        given.group["rules"][1] = json!({"isEgress": false, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
            "cidrIpv4": "0.0.0.0/0"});
    });
    assert_eq!(only(&inside(None, timed_out()), &group), "LB-0842 sg-1");
    assert_eq!(only(&inside(None, timed_out()), &view), "LB-0839 api-server");
    let other = Some(NetworkFailure::UnknownIssuer {});
    assert_eq!(only(&inside(None, other), &view), "LB-0836 api-server");
    assert_eq!(
        only(&inside(None, Some(NetworkFailure::OtherName {})), &view),
        "LB-0841 api-server"
    );
}

#[test]
fn a_proxy_is_named_by_its_variable_or_by_its_certificate() {
    let view = Given::default().view();
    let mut proxied = inside(timed_out(), None);
    proxied.proxy = Some("HTTPS_PROXY".to_owned());
    assert_eq!(only(&proxied, &view), "LB-0836 HTTPS_PROXY");
    proxied.s3.failure = None;
    assert_eq!(diagnose(Some(&proxied), Some(&view)), []);
    let intercepted = inside(Some(NetworkFailure::UnknownIssuer {}), None);
    assert_eq!(only(&intercepted, &view), "LB-0836 s3");
}

#[test]
fn one_side_alone_is_enough() {
    let view = changed(&|given| given.endpoints = json!([gateway(&[])]));
    assert_eq!(diagnose(None, Some(&view)), view.causes);
    assert_eq!(diagnose(None, None), []);
    let causes = diagnose(Some(&inside(timed_out(), None)), None);
    assert!(
        matches!(&causes[..], [NetworkCause::Silent { seen: false, .. }]),
        "{causes:?}"
    );
}
