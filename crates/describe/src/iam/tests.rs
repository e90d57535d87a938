#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::{AttachedPermissionsBoundary, Tag};
use lifeboat_aws::reads::MALFORMED_POLICY;
use serde_json::json;

use super::*;

fn from(trust: &str) -> types::Role {
    types::Role::builder()
        .role_name("cart")
        .path("/shop/")
        .role_id("AROA1")
        .arn("arn:aws:iam::111111111111:role/shop/cart")
        .create_date(DateTime::from_secs(0))
        .assume_role_policy_document(trust)
        .max_session_duration(3_600)
        .permissions_boundary(
            AttachedPermissionsBoundary::builder()
                .permissions_boundary_arn("arn:aws:iam::111111111111:policy/boundary")
                .build(),
        )
        .tags(Tag::builder().key("team").value("shop").build().unwrap())
        .build()
        .unwrap()
}

#[test]
fn policies_are_decoded() {
    let reads = Reads::new();
    let answer = reads.answer(actions::GET_ROLE, "cart");
    let role = role(&from("%7B%22Statement%22%3A%20%5B%5D%7D"), answer).unwrap();
    assert_eq!(role.assume_role_policy_document.0, json!({"Statement": []}));
    assert_eq!(
        role.permissions_boundary.as_deref(),
        Some("arn:aws:iam::111111111111:policy/boundary")
    );
    assert_eq!(
        (role.max_session_duration, role.tags["team"].as_str()),
        (Some(3_600), "shop")
    );
    assert!(reads.refused().is_empty());
}

#[test]
fn a_role_whose_trust_policy_is_not_json_is_noted() {
    let reads = Reads::new();
    assert!(role(&from("hunter2"), reads.answer(actions::GET_ROLE, "cart")).is_none());
    let refused = reads.refused();
    assert_eq!(refused[0].code, MALFORMED_POLICY);
    assert!(!format!("{refused:?}").contains("hunter2"));
}

#[test]
fn providers_are_found_in_every_form_of_a_trust_policy() {
    let one = "arn:aws:iam::111111111111:oidc-provider/a";
    let other = "arn:aws:iam::111111111111:oidc-provider/b";
    for (trust, found) in [
        (json!({"Statement": {"Principal": {"Federated": one}}}), vec![one]),
        (
            json!({"Statement": [{"Principal": {"Federated": [one, other]}}, {"Principal": "*"}]}),
            vec![one, other],
        ),
        (
            json!({"Statement": [{"Principal": {"Federated": "cognito-identity.amazonaws.com"}}]}),
            vec![],
        ),
        (
            json!({"Statement": [{"Principal": {"Service": "ec2.amazonaws.com"}}]}),
            vec![],
        ),
        (json!("nonsense"), vec![]),
    ] {
        let expected: BTreeSet<String> = found.into_iter().map(str::to_owned).collect();
        assert_eq!(federated(&trust), expected, "{trust}");
    }
}
