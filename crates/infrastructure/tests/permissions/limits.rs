//! The limits of IAM (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).

use crate::policies::{BUILDING, Stack};

const LONGEST_MANAGED: usize = 6_144;
const LONGEST_INLINE: usize = 10_240;
const MOST_ATTACHED: usize = 10;

/// Returns the characters of a policy, of which IAM does not count white space.
fn length(policy: &serde_json::Value) -> usize {
    policy.to_string().chars().filter(|c| !c.is_whitespace()).count()
}

#[test]
fn every_policy_fits_for_every_application() {
    let boundary = format!("arn:aws-us-gov:iam::222222222222:policy/{}", "b".repeat(128));
    let application = "a".repeat(40);
    for boundaries in [String::new(), format!("{boundary},{boundary}")] {
        let stack = Stack::with(&[
            ("Application", &application),
            ("ShortName", &application[..25]),
            ("AWS::Partition", "aws-iso-b"),
            ("AWS::Region", "us-isof-south-1"),
            (
                "EncryptionKey",
                "arn:aws-iso-b:kms:us-isof-south-1:222222222222:key/00000000-0000-0000-0000-000000000000",
            ),
            ("BuiltRolesBoundaries", &boundaries),
        ]);
        for name in BUILDING.into_iter().chain(["BuiltRolesBoundary"]) {
            if let Some(policy) = stack.managed(name) {
                let length = length(&policy);
                assert!(length <= LONGEST_MANAGED, "{name} has {length} characters");
                assert!(length > 500, "{name} was not found");
            }
        }
        let policies = stack.delegate();
        let inline: usize = policies[BUILDING.len()..].iter().map(length).sum();
        assert!(inline <= LONGEST_INLINE, "{inline}");
    }
    assert!(BUILDING.len() <= MOST_ATTACHED, "{}", BUILDING.len());
}
