#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_model::{AccountId, ApplicationName, Region};
use serde_json::{Value, json};

use super::*;
use crate::counterpart::Candidate;
use crate::facts::Adoption;
use crate::finding::{Finding, Severity};

const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:111111111111:certificate/aaaa";
const ACL: &str = "arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/shop/1";
const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/cart/0123456789abcdef";

fn facts(candidates: Vec<Candidate>) -> RecoveryFacts {
    let mut facts = RecoveryFacts::new(
        AccountId::parse("222222222222").unwrap(),
        Region::parse("eu-central-1").unwrap(),
        ApplicationName::parse("shop").unwrap(),
    );
    facts.candidates = candidates;
    facts
}

fn descriptions(parts: &Value) -> Descriptions {
    let mut document =
        json!({"format": Descriptions::FORMAT, "account": "111111111111", "region": "eu-west-1"});
    for (name, value) in parts.as_object().unwrap() {
        document[name] = value.clone();
    }
    Descriptions::parse(document.to_string().as_bytes()).unwrap()
}

fn certificate(arn: &str, names: &[&str], tags: &Value) -> Value {
    json!({"certificateArn": arn, "domainName": names[0], "subjectAlternativeNames": names,
           "type": "AMAZON_ISSUED", "status": "ISSUED", "tags": tags})
}

fn issued(id: &str, names: &[&str], tags: &[(&str, &str)]) -> Candidate {
    let mut found = Candidate::new(
        CandidateKind::Certificate,
        format!("arn:aws:acm:eu-central-1:222222222222:certificate/{id}"),
    );
    found.domains = names.iter().map(|name| (*name).to_owned()).collect();
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    found.tags = tags.collect();
    found
}

/// Returns the identity of a resource in the recovery environment, and the findings.
fn found(descriptions: &Descriptions, facts: &RecoveryFacts, from: &str) -> (Option<String>, Vec<Finding>) {
    let mut findings = Findings::default();
    let bindings = Bindings::new(descriptions, facts, &mut findings);
    findings.extend(bindings.matches.all_findings());
    find(descriptions, facts, &bindings, &mut findings);
    let map = crate::symbols(descriptions, facts);
    let mut identities = map.identities.into_iter();
    let to = identities.find(|one| one.from == from).map(|one| one.to);
    (to, findings.into_vec())
}

#[test]
fn a_certificate_is_found_by_the_same_set_of_domain_names() {
    let names = ["shop.example", "www.shop.example"];
    let all = descriptions(&json!({"certificates": [certificate(CERTIFICATE, &names, &json!({}))]}));
    let reversed = issued("same", &["www.shop.example", "shop.example"], &[]);
    let others = vec![
        issued("fewer", &["shop.example"], &[]),
        issued(
            "more",
            &["shop.example", "www.shop.example", "m.shop.example"],
            &[],
        ),
        reversed.clone(),
    ];
    let (to, findings) = found(&all, &facts(others), CERTIFICATE);
    assert_eq!((to, findings), (Some(reversed.id.clone()), vec![]));

    let both = vec![reversed, issued("twin", &names, &[])];
    let (to, findings) = found(&all, &facts(both), CERTIFICATE);
    assert_eq!(to, None);
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(
        (finding.code, finding.severity),
        (Code::AdoptionAmbiguous, Severity::Error)
    );
    assert!(finding.what.contains("certificate/same") && finding.what.contains("certificate/twin"));
}

#[test]
fn a_mapping_comes_before_tags_and_tags_before_domain_names() {
    let tags = json!({"app": "cart"});
    let all = descriptions(&json!({"certificates": [certificate(CERTIFICATE, &["shop.example"], &tags)]}));
    let by_tags = issued("tags", &["dr.shop.example"], &[("app", "cart"), ("stage", "dr")]);
    let by_domain = issued("domain", &["shop.example"], &[]);
    let mut facts = facts(vec![by_domain, by_tags.clone()]);
    let (to, findings) = found(&all, &facts, CERTIFICATE);
    assert_eq!(to, Some(by_tags.id));
    let shown: Vec<(Code, &str)> = findings.iter().map(|one| (one.code, one.what.as_str())).collect();
    let what = "arn:aws:acm:eu-central-1:222222222222:certificate/tags has its tags and lacks shop.example; it has \
                dr.shop.example";
    assert_eq!(shown, [(Code::CertificateDiffers, what)]);

    let mapped = "arn:aws:acm:eu-central-1:222222222222:certificate/mapped";
    facts.adopted = vec![Adoption::mapped(CERTIFICATE, mapped)];
    let (to, findings) = found(&all, &facts, CERTIFICATE);
    assert_eq!((to.as_deref(), findings), (Some(mapped), vec![]));
}

#[test]
fn of_several_certificates_with_the_tags_of_a_team_the_domain_names_decide() {
    let tags = json!({"team": "shop"});
    let all = descriptions(&json!({"certificates": [certificate(CERTIFICATE, &["shop.example"], &tags)]}));
    let of_team = |id: &str, name: &str| issued(id, &[name], &[("team", "shop")]);
    let right = of_team("right", "shop.example");
    let facts = facts(vec![of_team("other", "mail.example"), right.clone()]);
    let (to, findings) = found(&all, &facts, CERTIFICATE);
    assert_eq!((to, findings), (Some(right.id), vec![]));
}

/// A certificate of the team is there, and it is neither's: both are missing, and nothing is refused.
#[test]
fn certificates_with_the_same_tags_are_told_apart_by_their_domain_names() {
    let tags = json!({"team": "shop"});
    let second = "arn:aws:acm:eu-west-1:111111111111:certificate/bbbb";
    let all = descriptions(&json!({"certificates": [
        certificate(CERTIFICATE, &["shop.example"], &tags),
        certificate(second, &["mail.example"], &tags),
    ]}));
    let of_team = |id: &str, name: &str| issued(id, &[name], &[("team", "shop")]);
    let (_, findings) = found(&all, &facts(vec![of_team("other", "other.example")]), CERTIFICATE);
    let codes: Vec<Code> = findings.iter().map(|one| one.code).collect();
    assert_eq!(codes, [Code::CertificateWithoutCounterpart; 2]);

    let mail = of_team("mail", "mail.example");
    let there = facts(vec![mail.clone(), of_team("shop", "shop.example")]);
    let (to, findings) = found(&all, &there, second);
    assert_eq!((to, findings), (Some(mail.id), vec![]));
}

#[test]
fn a_certificate_without_a_counterpart_is_named_with_the_command_that_makes_one() {
    let imported = "arn:aws:acm:eu-west-1:111111111111:certificate/bbbb";
    let hostile = "arn:aws:acm:eu-west-1:111111111111:certificate/cccc";
    let mut second = certificate(imported, &["old.example"], &json!({}));
    second["type"] = "IMPORTED".into();
    let mut first = certificate(CERTIFICATE, &["shop.example", "*.shop.example"], &json!({}));
    first["keyAlgorithm"] = "EC_prime256v1".into();
    let third = certificate(hostile, &["$(id).example"], &json!({}));
    let all = descriptions(&json!({"certificates": [first, second, third]}));
    let (_, findings) = found(
        &all,
        &facts(vec![issued("other", &["other.example"], &[])]),
        CERTIFICATE,
    );
    let shown: Vec<String> = findings
        .iter()
        .map(|one| {
            format!(
                "{} {:?} {}: {}\n  {}",
                one.code, one.severity, one.resource, one.what, one.remedy
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn target_groups_buckets_and_web_acls_are_found_by_name() {
    let all = descriptions(&json!({
        "targetGroups": [{"targetGroupArn": GROUP, "targetGroupName": "cart"}],
        "buckets": [{"name": "shop-logs-111111111111-eu-west-1"}],
        "webAcls": [{"arn": ACL, "name": "shop"}],
    }));
    let named = |kind, id: &str, name: &str| Candidate {
        name: Some(name.to_owned()),
        ..Candidate::new(kind, id)
    };
    let group = "arn:aws:elasticloadbalancing:eu-central-1:222222222222:targetgroup/cart/fedcba9876543210";
    let bucket = "shop-logs-222222222222-eu-central-1";
    let acl = |name: &str| format!("arn:aws:wafv2:eu-central-1:222222222222:regional/webacl/{name}/2");
    let facts = facts(vec![
        named(CandidateKind::TargetGroup, group, "cart"),
        named(CandidateKind::Bucket, bucket, bucket),
        named(CandidateKind::Bucket, "shop-logs", "shop-logs"),
        named(CandidateKind::WebAcl, &acl("mail"), "mail"),
        named(CandidateKind::WebAcl, &acl("shop"), "shop"),
    ]);
    assert_eq!(found(&all, &facts, ACL).0, Some(acl("shop")));
    let (to, findings) = found(&all, &facts, GROUP);
    assert_eq!((to.as_deref(), findings), (Some(group), vec![]));
    let (to, _) = found(&all, &facts, "shop-logs-111111111111-eu-west-1");
    assert_eq!(to.as_deref(), Some(bucket));
}

#[test]
fn what_is_only_mapped_is_named_without_a_mapping() {
    let acl = ACL;
    let all = descriptions(&json!({
        "targetGroups": [{"targetGroupArn": GROUP, "targetGroupName": "cart"}],
        "webAcls": [{"arn": acl, "name": "shop"}],
        "volumes": [{"volumeId": "vol-00000001", "size": 20, "availabilityZone": "eu-west-1a"},
                    {"volumeId": "vol-00000002"}],
        "snapshots": [{"snapshotId": "snap-00000001"}],
        "buckets": [{"name": "shop-logs"}],
        "secrets": [{"arn": "arn:aws:ssm:eu-west-1:111111111111:parameter/shop/db"}],
    }));
    let mut facts = facts(Vec::new());
    let (_, findings) = found(&all, &facts, GROUP);
    let shown: Vec<String> = findings
        .iter()
        .map(|one| format!("{} {:?} {}: {}", one.code, one.severity, one.resource, one.what))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));

    let mapped = [
        (
            GROUP,
            "arn:aws:elasticloadbalancing:eu-central-1:222222222222:targetgroup/cart/1",
        ),
        (
            acl,
            "arn:aws:wafv2:eu-central-1:222222222222:regional/webacl/shop/2",
        ),
        ("vol-00000001", "vol-10000001"),
        ("vol-00000002", "vol-10000002"),
        ("snap-00000001", "snap-10000001"),
        ("shop-logs", "shop-logs-dr"),
        (
            "arn:aws:ssm:eu-west-1:111111111111:parameter/shop/db",
            "arn:aws:ssm:eu-central-1:222222222222:parameter/shop/db",
        ),
    ];
    facts.adopted = mapped
        .iter()
        .map(|(from, to)| Adoption::mapped(*from, *to))
        .collect();
    for (from, expected) in mapped {
        let (to, findings) = found(&all, &facts, from);
        assert_eq!((to.as_deref(), findings), (Some(expected), vec![]), "{from}");
    }
}
