#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_sdk_eks::types::AccessScopeType;
use lifeboat_aws::reads::{Reads, UNKNOWN_VALUE, spelled};
use lifeboat_infrastructure::description::access;

use super::*;

#[test]
fn an_entry_of_an_unknown_type_is_noted() {
    let of = |kind: &str| {
        types::AccessEntry::builder()
            .principal_arn("arn:aws:iam::111111111111:role/nodes")
            .r#type(kind)
            .kubernetes_groups("b")
            .kubernetes_groups("a")
            .build()
    };
    let reads = Reads::new();
    let answer = reads.answer(actions::DESCRIBE_ACCESS_ENTRY, "nodes");
    let entry = access_entry(&of("EC2_LINUX"), answer).unwrap();
    assert_eq!(entry.r#type, access::AccessEntryType::Ec2Linux);
    assert_eq!(entry.kubernetes_groups, ["a", "b"]);
    assert!(access_entry(&of("EC2_MARS"), answer).is_none());
    assert_eq!(reads.refused()[0].code, UNKNOWN_VALUE);
}

#[test]
fn the_policy_of_an_association_is_hidden() {
    let from = types::PodIdentityAssociation::builder()
        .namespace("shop")
        .service_account("mail")
        .role_arn("arn:aws:iam::111111111111:role/mail")
        .policy("hunter2")
        .build();
    let association = association(&from).unwrap();
    assert!(!format!("{association:?}").contains("hunter2"));
}

#[test]
fn every_value_of_the_sdk_has_its_place() {
    for value in AccessScopeType::values() {
        assert!(spelled::<access::AccessScopeType>(value).is_some(), "{value}");
    }
}
