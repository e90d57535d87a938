//! The look-up of what exists in the recovery environment: an account with the same resources as the primary, under other
//! identifiers.

use std::collections::BTreeSet;

use lifeboat_describe::{Wanted, candidates, describe};
use lifeboat_infrastructure::description::storage::Image;
use lifeboat_infrastructure::{Adoption, Candidate, CandidateKind, Descriptions, RecoveryFacts};
use lifeboat_local::conformance::Conformance;
use lifeboat_model::{AccountId, ApplicationName, Region, SharedStack};

use crate::fixture::{REGION, administrator};
use crate::sample::{Made, OF_IDENTITY_CENTER, make};
use crate::walk::mentions;

const PRIMARY: &str = "333333333333";
const RECOVERY: &str = "444444444444";
const ABSENT: &str = "vpc-0123456789abcdef0";

fn facts() -> RecoveryFacts {
    RecoveryFacts::new(
        AccountId::parse(RECOVERY).unwrap(),
        Region::parse(REGION).unwrap(),
        ApplicationName::parse("shop").unwrap(),
    )
}

/// What the primary has, without a cluster: its network is named by a load balancer.
async fn described(aws: &Conformance) -> Descriptions {
    let context = administrator(aws, PRIMARY);
    let made = make(&context, PRIMARY).await;
    let mut mentions = mentions(&made, PRIMARY);
    mentions.subnets.insert(made.network["A"].clone());
    mentions.role_names.insert("nodes".to_owned());
    let wanted = Wanted {
        mentions,
        ..Wanted::new(AccountId::parse(PRIMARY).unwrap(), [])
    };
    describe(&context, &wanted).await.unwrap()
}

pub(crate) async fn counterparts_are_found(aws: &Conformance) {
    let described = described(aws).await;
    let context = administrator(aws, RECOVERY);

    // An account that has nothing of it.
    let mut facts = facts();
    facts.adopt_existing =
        BTreeSet::from([SharedStack::Network, SharedStack::Identity, SharedStack::Storage]);
    let mut empty = facts.clone();
    empty.adopted = vec![Adoption::mapped(&described.vpcs[0].vpc_id, ABSENT)];
    candidates(&context, &described, &mut empty).await.unwrap();
    let found: Vec<&Candidate> = empty
        .candidates
        .iter()
        .filter(|one| one.kind != CandidateKind::Vpc)
        .collect();
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(empty.existing, Some(BTreeSet::new()));
    assert_eq!(empty.images, Some(BTreeSet::<Image>::new()));

    let made = make(&context, RECOVERY).await;
    candidates(&context, &described, &mut facts).await.unwrap();
    assert_eq!(facts.images, Some(described.images.iter().cloned().collect()));
    assert_eq!(described.images.len(), 1);
    network(&facts, &made);
    identities(&facts);
    storage(&facts, &made);
    unbuilt(&facts, &made);

    // The same, chosen by the user.
    let mut mapped = self::facts();
    let vpc = &made.network["Vpc"];
    mapped.adopted = vec![
        Adoption::mapped(&described.vpcs[0].vpc_id, vpc),
        Adoption::mapped(&described.file_systems[0].file_system_id, &made.file_system),
        Adoption::mapped(&described.keys[0].arn, &made.key),
    ];
    candidates(&context, &described, &mut mapped).await.unwrap();
    let existing = [vpc, &made.file_system, &made.key];
    assert_eq!(mapped.existing, Some(existing.map(Clone::clone).into()));
}

/// Returns the candidates of a type by id.
fn of(facts: &RecoveryFacts, kind: CandidateKind) -> Vec<&Candidate> {
    facts.candidates.iter().filter(|one| one.kind == kind).collect()
}

fn one<'a>(facts: &'a RecoveryFacts, kind: CandidateKind, id: &str) -> &'a Candidate {
    let found = of(facts, kind).into_iter().find(|one| one.id == id);
    found.unwrap_or_else(|| panic!("no {kind:?} {id} in {:?}", facts.candidates))
}

fn network(facts: &RecoveryFacts, made: &Made) {
    let vpc = &made.network["Vpc"];
    assert_eq!(
        one(facts, CandidateKind::Vpc, vpc).cidr.as_deref(),
        Some("10.0.0.0/16")
    );
    for (subnet, cidr) in [("A", "10.0.0.0/20"), ("B", "10.0.16.0/20")] {
        let found = one(facts, CandidateKind::Subnet, &made.network[subnet]);
        assert_eq!(
            (found.cidr.as_deref(), found.parent.as_ref()),
            (Some(cidr), Some(vpc))
        );
        assert_eq!(found.public, Some(false));
    }
    let group = one(facts, CandidateKind::SecurityGroup, &made.network["Group"]);
    assert_eq!(group.parent.as_ref(), Some(vpc));
}

fn identities(facts: &RecoveryFacts) {
    let arn = |resource: &str| format!("arn:aws:iam::{RECOVERY}:{resource}");
    let named = |kind, id: &str| one(facts, kind, &arn(id)).name.clone().unwrap();
    assert_eq!(named(CandidateKind::Role, "role/shop/cart"), "cart");
    assert_eq!(named(CandidateKind::Policy, "policy/boundary"), "boundary");
    assert_eq!(
        named(CandidateKind::InstanceProfile, "instance-profile/nodes"),
        "nodes"
    );
}

fn storage(facts: &RecoveryFacts, made: &Made) {
    let key = one(facts, CandidateKind::Key, &made.key);
    assert_eq!(
        (key.name.as_deref(), key.tags["team"].as_str()),
        (Some("alias/shop"), "shop")
    );
    let repository = format!("arn:aws:ecr:{REGION}:{RECOVERY}:repository/shop/cart");
    let repository = one(facts, CandidateKind::Repository, &repository);
    assert_eq!(repository.tags["team"], "shop");
    let system = one(facts, CandidateKind::FileSystem, &made.file_system);
    assert_eq!(
        (system.name.as_deref(), system.tags["Name"].as_str()),
        (Some("carts"), "carts")
    );
    let point = one(facts, CandidateKind::AccessPoint, &made.access_point);
    assert_eq!(
        (point.name.as_deref(), point.parent.as_ref()),
        (Some("cart"), Some(&made.file_system))
    );
    let targets = of(facts, CandidateKind::MountTarget);
    assert_eq!(targets[0].parent.as_ref(), Some(&made.file_system));
    assert!(
        targets[0].zone_id.as_deref().unwrap().starts_with("euw1-az"),
        "{targets:?}"
    );
}

fn unbuilt(facts: &RecoveryFacts, made: &Made) {
    let certificate = one(facts, CandidateKind::Certificate, &made.certificate);
    let domains: Vec<&str> = certificate.domains.iter().map(String::as_str).collect();
    assert_eq!(domains, ["shop.example", "www.shop.example"]);
    assert_eq!(certificate.tags["team"], "shop");
    let group = one(facts, CandidateKind::TargetGroup, &made.target_group);
    assert_eq!(
        (
            group.name.as_deref(),
            group.parent.as_ref(),
            group.tags["app"].as_str()
        ),
        (Some("cart"), Some(&made.network["Vpc"]), "cart")
    );
    let acl = one(facts, CandidateKind::WebAcl, &made.web_acl);
    assert_eq!(acl.name.as_deref(), Some("shop"));
    let role =
        format!("arn:aws:iam::{RECOVERY}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{OF_IDENTITY_CENTER}");
    let role = one(facts, CandidateKind::PermissionSetRole, &role);
    assert_eq!(role.name.as_deref(), Some("Operators"));
}
