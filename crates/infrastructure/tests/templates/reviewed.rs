//! What the hash of a plan covers of the AWS resources.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_infrastructure::{
    Adoption, Candidate, CandidateKind, Descriptions, OwnResource, RecoveryFacts, ReviewedResources, reviewed,
};
use lifeboat_model::SharedStack;
use serde_json::{Value, json};

use crate::sample;

const OTHER: &str = "222222222222";

/// Returns the facts while stacks are built: the outputs that `identity_map` needs are there.
fn facts_of_built(descriptions: &Descriptions) -> RecoveryFacts {
    let mut facts = sample::facts_of_second_pass(descriptions, OTHER);
    let network = BTreeMap::from([("SubnetPrivateA".to_owned(), "subnet-0ccccccccccccccc1".to_owned())]);
    facts.outputs.insert("network".to_owned(), network);
    for cluster in &descriptions.clusters {
        let issuer = format!(
            "oidc.eks.eu-central-1.amazonaws.com/id/{:032X}",
            cluster.name.len()
        );
        let outputs = BTreeMap::from([("Issuer".to_owned(), issuer)]);
        facts.outputs.insert(format!("cluster-{}", cluster.name), outputs);
    }
    facts
}

#[test]
fn the_reviewed_resources_stay_the_same_while_they_are_built() {
    let descriptions = sample::descriptions();
    let before = reviewed(&descriptions, &sample::facts(OTHER));
    assert!(before.errors.is_empty(), "{:?}", before.errors);
    assert!(before.templates.len() > 3 && before.identities.is_symbolic());
    let mut facts = facts_of_built(&descriptions);
    assert_eq!(reviewed(&descriptions, &facts), before);
    facts.hold_nodes = true;
    assert_eq!(reviewed(&descriptions, &facts), before, "nodes are planned too");

    // Where stacks adopt, what they have built themselves is found, and is none of it.
    let adopting = RecoveryFacts {
        adopt_existing: SharedStack::ALL.into(),
        candidates: vec![Candidate::new(CandidateKind::Vpc, "vpc-0ddddddddddddddd1")],
        ..sample::facts(OTHER)
    };
    let before = reviewed(&descriptions, &adopting);
    let mut built = adopting;
    built.candidates.push(Candidate {
        cidr: Some("10.0.0.0/16".to_owned()),
        ..Candidate::new(CandidateKind::Vpc, "vpc-0eeeeeeeeeeeeeee1")
    });
    assert_ne!(
        reviewed(&descriptions, &built),
        before,
        "one of somebody else is adopted"
    );
    built.own = BTreeSet::from([OwnResource {
        r#type: "AWS::EC2::VPC".to_owned(),
        id: "vpc-0eeeeeeeeeeeeeee1".to_owned(),
    }]);
    assert_eq!(reviewed(&descriptions, &built), before);
}

#[test]
fn roles_of_pods_are_reviewed_although_they_need_the_issuer_of_a_cluster() {
    let descriptions = sample::descriptions();
    let reviewed = reviewed(&descriptions, &sample::facts(OTHER));
    let identity = reviewed.templates["identity"].to_string();
    assert!(
        identity.contains("sts:AssumeRoleWithWebIdentity") && identity.contains("AWS::IAM::OIDCProvider"),
        "{identity}"
    );
}

fn changed(change: impl FnOnce(&mut Value)) -> ReviewedResources {
    let mut document: Value = serde_json::from_slice(sample::DOCUMENT).unwrap();
    change(&mut document);
    reviewed(&serde_json::from_value(document).unwrap(), &sample::facts(OTHER))
}

type Change<'a> = &'a dyn Fn(&mut RecoveryFacts);

#[test]
fn whatever_changes_what_is_built_is_reviewed() {
    let descriptions = sample::descriptions();
    let before = reviewed(&descriptions, &sample::facts(OTHER));
    let with = |change: Change<'_>| {
        let mut facts = sample::facts(OTHER);
        change(&mut facts);
        reviewed(&descriptions, &facts)
    };
    let cluster = descriptions.clusters[0].name.clone();
    let vpc = descriptions.vpcs[0].vpc_id.clone();
    let changes: [(&str, Change<'_>); 7] = [
        ("another name of a cluster", &|facts| {
            facts
                .cluster_names
                .insert(cluster.clone(), "elsewhere".to_owned());
        }),
        ("a resource that is adopted", &|facts| {
            facts.adopted = vec![Adoption::mapped(&vpc, "vpc-0bbbbbbbbbbbbbbb1")];
        }),
        ("managed add-ons", &|facts| facts.managed_addons = true),
        ("Pod Identity", &|facts| facts.irsa_to_pod_identity = true),
        ("another boundary", &|facts| {
            facts.permissions_boundaries = vec![format!("arn:aws:iam::{OTHER}:policy/other")];
        }),
        ("another delegate", &|facts| {
            facts.delegate_role = Some(format!("arn:aws:iam::{OTHER}:role/other"));
        }),
        ("an error", &|facts| facts.delegate_role = None),
    ];
    for (what, change) in changes {
        assert_ne!(with(change), before, "{what}");
    }
    assert!(!with(&|facts| facts.delegate_role = None).errors.is_empty());
    // The template of a stack.
    let range = changed(|document| document["subnets"][0]["cidrBlock"] = json!("10.0.200.0/24"));
    assert_ne!(range.templates["network"], before.templates["network"]);
}
