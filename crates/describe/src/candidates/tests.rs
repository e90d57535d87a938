#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_infrastructure::{Adoption, Candidate, Zone};
use lifeboat_model::{AccountId, ApplicationName, Region};

use super::*;

#[test]
fn a_mapping_to_what_can_be_looked_up_must_exist() {
    let account = AccountId::parse("222222222222").unwrap();
    let region = Region::parse("eu-central-1").unwrap();
    let place = Place {
        account: account.clone(),
        region: region.clone(),
    };
    let mut facts = RecoveryFacts::new(account, region, ApplicationName::parse("shop").unwrap());
    facts.zones = vec![Zone {
        name: "eu-central-1a".to_owned(),
        id: "euc1-az2".to_owned(),
    }];
    let mut descriptions = Descriptions::new(
        AccountId::parse("111111111111").unwrap(),
        Region::parse("eu-west-1").unwrap(),
    );
    let subnet = serde_json::json!({"subnetId": "subnet-1", "vpcId": "vpc-1", "availabilityZone": "eu-west-1a",
        "availabilityZoneId": "euw1-az1"});
    let template = serde_json::json!({"launchTemplateId": "lt-1", "launchTemplateName": "nodes", "versionNumber": 1,
        "launchTemplateData": {"keyName": "operators"}});
    descriptions.launch_templates = vec![serde_json::from_value(template).unwrap()];
    facts.key_pairs = Some(BTreeSet::from(["dr".to_owned()]));
    descriptions.subnets = vec![serde_json::from_value(subnet).unwrap()];
    let role = "arn:aws:iam::222222222222:role/team/cart";
    facts.candidates = vec![
        Candidate::new(CandidateKind::Vpc, "vpc-2"),
        Candidate::new(CandidateKind::Role, role),
    ];
    let cases = [
        ("vpc-1", "vpc-2", true),
        ("vpc-1", "vpc-3", false),
        ("subnet-1", "subnet-2", false),
        ("fs-1", "fs-2", false),
        ("eu-west-1a", "eu-central-1a", true),
        ("eu-west-1a", "eu-central-1d", false),
        ("operators", "dr", true),
        ("operators", "gone", false),
        ("arn:aws:iam::111111111111:role/cart", role, true),
        (
            "arn:aws:iam::111111111111:role/cart",
            "arn:aws:iam::222222222222:role/cart",
            false,
        ),
        (
            "arn:aws:kms:eu-west-1:111111111111:key/1",
            "arn:aws:kms:eu-central-1:222222222222:key/2",
            false,
        ),
        // Not looked up: of another account, or of a type that is no counterpart of anything.
        (
            "arn:aws:iam::111111111111:role/cart",
            "arn:aws:iam::333333333333:role/cart",
            true,
        ),
        ("tgw-1", "tgw-2", true),
        (
            "arn:aws:acm:eu-west-1:111111111111:certificate/1",
            "arn:aws:acm:eu-central-1:222222222222:certificate/2",
            true,
        ),
    ];
    for (from, to, exists) in cases {
        facts.adopted = vec![Adoption::mapped(from, to)];
        let found = existing(&descriptions, &facts, &place);
        assert_eq!(found.contains(to), exists, "{to}");
    }
}
