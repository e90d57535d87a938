//! What exists in the recovery environment, and what is adopted of it.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_infrastructure::{
    Adoption, Candidate, CandidateKind, Descriptions, Finding, MatchRule, Mode, OwnResource, RecoveryFacts,
    Severity, Stack, TAG, adoptions, generate, stacks,
};
use lifeboat_model::{Code, SharedStack};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{random, sample};

const OTHER: &str = "222222222222";
const SAME: &str = "111111111111";
const VPC: &str = "vpc-000000000000000a1";
const NEW_VPC: &str = "vpc-0bbbbbbbbbbbbbbb1";
const PRIVATE_A: &str = "subnet-000000000000000a0";
const PRIVATE_B: &str = "subnet-000000000000000a1";
const PUBLIC_A: &str = "subnet-000000000000000a2";
const PUBLIC_B: &str = "subnet-000000000000000a3";

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    pairs.collect()
}

fn vpc(id: &str) -> Candidate {
    Candidate::new(CandidateKind::Vpc, id)
}

fn subnet(id: &str, cidr: &str, zone: &str, public: bool) -> Candidate {
    Candidate {
        cidr: Some(cidr.to_owned()),
        zone_id: Some(zone.to_owned()),
        public: Some(public),
        parent: Some(NEW_VPC.to_owned()),
        ..Candidate::new(CandidateKind::Subnet, id)
    }
}

fn named(kind: CandidateKind, id: &str, name: &str) -> Candidate {
    Candidate {
        name: Some(name.to_owned()),
        ..Candidate::new(kind, id)
    }
}

/// The facts of an environment in which these exist, for an application whose stacks all adopt.
fn facts(candidates: impl IntoIterator<Item = Candidate>) -> RecoveryFacts {
    RecoveryFacts {
        adopt_existing: SharedStack::ALL.into(),
        candidates: candidates.into_iter().collect(),
        ..sample::facts(OTHER)
    }
}

fn changed(change: impl FnOnce(&mut Value)) -> Descriptions {
    let mut document: Value = serde_json::from_slice(sample::DOCUMENT).unwrap();
    change(&mut document);
    serde_json::from_value(document).unwrap()
}

/// Returns what is found for a resource.
fn found(descriptions: &Descriptions, facts: &RecoveryFacts, from: &str) -> Option<(String, MatchRule)> {
    let all = adoptions(descriptions, facts).into_values().flatten();
    let mut all = all.filter(|adoption| adoption.from == from);
    let first = all.next().map(|adoption| (adoption.to, adoption.rule));
    assert_eq!(all.next(), None, "{from} has two counterparts");
    first
}

fn by(to: &str, rule: MatchRule) -> Option<(String, MatchRule)> {
    Some((to.to_owned(), rule))
}

/// Returns the findings about a resource, of the stack that builds it.
fn findings(descriptions: &Descriptions, facts: &RecoveryFacts, stack: &Stack, of: &str) -> Vec<Finding> {
    let generated = generate(descriptions, facts, stack, Mode::Active);
    let all = generated.findings.into_iter();
    all.filter(|finding| finding.resource == of).collect()
}

fn error(descriptions: &Descriptions, facts: &RecoveryFacts, of: &str) -> (Code, String) {
    let all = findings(descriptions, facts, &Stack::Network, of);
    let mut errors = all
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error);
    let first = errors.next().unwrap();
    assert_eq!(errors.next(), None);
    (first.code, first.what)
}

#[test]
fn a_vpc_is_found_by_its_tags_else_its_name_else_its_range() {
    let descriptions = changed(|document| {
        document["vpcs"][0]["tags"] =
            json!({"Name": "shop", "app": "shop", "aws:cloudformation:stack-name": "x"});
    });
    let by_range = Candidate {
        cidr: Some("10.0.0.0/16".to_owned()),
        ..vpc("vpc-2")
    };
    let by_name = named(CandidateKind::Vpc, "vpc-3", "shop");
    let by_tags = Candidate {
        tags: tags(&[("app", "shop"), ("owner", "platform")]),
        ..vpc("vpc-4")
    };
    let other = Candidate {
        tags: tags(&[("app", "other")]),
        ..vpc("vpc-5")
    };
    let mut all = vec![other];
    assert_eq!(found(&descriptions, &facts(all.clone()), VPC), None);
    for (candidate, to, rule) in [
        (by_range, "vpc-2", MatchRule::Cidr),
        (by_name, "vpc-3", MatchRule::Name),
        (by_tags, "vpc-4", MatchRule::Tags),
    ] {
        all.push(candidate);
        assert_eq!(found(&descriptions, &facts(all.clone()), VPC), by(to, rule));
    }
    let mut facts = facts(all);
    facts.adopted = vec![Adoption::mapped(VPC, "vpc-5")];
    assert_eq!(found(&descriptions, &facts, VPC), by("vpc-5", MatchRule::Mapping));
    facts.adopted = Vec::new();
    facts.adopt_existing = BTreeSet::from([SharedStack::Identity]);
    assert_eq!(found(&descriptions, &facts, VPC), None);
}

#[test]
fn two_candidates_under_the_first_rule_that_has_any_are_an_error_that_names_both() {
    let descriptions = changed(|document| document["vpcs"][0]["tags"]["app"] = json!("shop"));
    let with = |id: &str, name: &str| Candidate {
        tags: tags(&[("app", "shop")]),
        ..named(CandidateKind::Vpc, id, name)
    };
    // The name would tell which one it is, but the tags come first.
    let mut facts = facts([with("vpc-2", "shop"), with("vpc-3", "legacy")]);
    assert_eq!(found(&descriptions, &facts, VPC), None);
    let (code, what) = error(&descriptions, &facts, VPC);
    assert_eq!(code, Code::AdoptionAmbiguous);
    assert_eq!(what, "2 candidates have its tags: vpc-2, vpc-3");
    // The user can say which tags count, or which one it is.
    facts.adopt_tags = BTreeSet::from(["Name".to_owned()]);
    assert_eq!(found(&descriptions, &facts, VPC), by("vpc-2", MatchRule::Name));
    facts.adopt_tags = BTreeSet::new();
    facts.adopted = vec![Adoption::mapped(VPC, "vpc-3")];
    assert_eq!(found(&descriptions, &facts, VPC), by("vpc-3", MatchRule::Mapping));
}

#[test]
fn what_the_tags_do_not_tell_apart_the_next_rule_does() {
    // The private subnets have the same tag, and so have the public ones.
    let descriptions = sample::descriptions();
    let tagged = |id: &str, name: Option<&str>, cidr: &str, zone: &str| Candidate {
        tags: tags(&[("kubernetes.io/role/internal-elb", "1")]),
        name: name.map(str::to_owned),
        ..subnet(id, cidr, zone, false)
    };
    let facts = facts([
        named(CandidateKind::Vpc, NEW_VPC, "shop"),
        tagged("subnet-b", Some("private-a"), "10.9.0.0/20", "euc1-az3"),
        tagged("subnet-a", None, "10.0.16.0/20", "euc1-az2"),
        subnet("subnet-c", "10.9.2.0/24", "euc1-az3", true),
        subnet("subnet-d", "10.9.3.0/24", "euc1-az2", true),
    ]);
    for (from, to, rule) in [
        (PRIVATE_A, "subnet-b", MatchRule::Name),
        (PRIVATE_B, "subnet-a", MatchRule::Cidr),
        // By their zones: what was eu-west-1a is eu-central-1b, because the private subnet is there.
        (PUBLIC_A, "subnet-c", MatchRule::Cidr),
        (PUBLIC_B, "subnet-d", MatchRule::Cidr),
    ] {
        assert_eq!(found(&descriptions, &facts, from), by(to, rule), "{from}");
    }
    let map = lifeboat_infrastructure::symbols(&descriptions, &facts);
    let zone = |from: &str| {
        let mut all = map.identities.iter();
        all.find(|one| one.from == from).map(|one| one.to.as_str())
    };
    assert_eq!(zone("eu-west-1a"), Some("eu-central-1b"));
    assert_eq!(zone("euw1-az2"), Some("euc1-az2"));
}

#[test]
fn subnets_are_counterparts_by_zone_and_sort() {
    let descriptions = sample::descriptions();
    let vpc = || named(CandidateKind::Vpc, NEW_VPC, "shop");
    // A third zone is not in the way.
    let all = [
        vpc(),
        subnet("subnet-0bbbbbbbbbbbbbb01", "10.1.0.0/24", "euc1-az2", false),
        subnet("subnet-0bbbbbbbbbbbbbb02", "10.1.1.0/24", "euc1-az3", false),
        subnet("subnet-0bbbbbbbbbbbbbb03", "10.1.2.0/24", "euc1-az1", false),
        subnet("subnet-0bbbbbbbbbbbbbb04", "10.1.3.0/24", "euc1-az2", true),
        subnet("subnet-0bbbbbbbbbbbbbb05", "10.1.4.0/24", "euc1-az3", true),
    ];
    let pairs = [
        (PRIVATE_A, "subnet-0bbbbbbbbbbbbbb01"),
        (PRIVATE_B, "subnet-0bbbbbbbbbbbbbb02"),
        (PUBLIC_A, "subnet-0bbbbbbbbbbbbbb04"),
        (PUBLIC_B, "subnet-0bbbbbbbbbbbbbb05"),
    ];
    for (from, to) in pairs {
        assert_eq!(
            found(&descriptions, &facts(all.clone()), from),
            by(to, MatchRule::Cidr)
        );
    }
    let generated = generate(&descriptions, &facts(all.clone()), &Stack::Network, Mode::Active);
    assert!(!generated.is_refused(), "{:#?}", generated.findings);
    let template = generated.template.unwrap();
    let mut types = template.resources.values().map(|one| one.r#type);
    assert!(types.all(|name| name.starts_with("AWS::EC2::SecurityGroup")));
    // Without the letters of the primary, the zones are taken in their order.
    let elsewhere = all.clone().map(|one| Candidate {
        zone_id: one.zone_id.as_deref().map(|zone| match zone {
            "euc1-az2" => "euc1-az3".to_owned(),
            _ => "euc1-az1".to_owned(),
        }),
        ..one
    });
    let elsewhere = elsewhere
        .into_iter()
        .filter(|one| one.id != "subnet-0bbbbbbbbbbbbbb03");
    let mut facts_elsewhere = facts(elsewhere);
    facts_elsewhere.adopted = vec![Adoption::mapped("eu-west-1b", "eu-central-1c")];
    assert_eq!(
        found(&descriptions, &facts_elsewhere, PUBLIC_A),
        by("subnet-0bbbbbbbbbbbbbb04", MatchRule::Cidr)
    );
    // Two private subnets in a zone that has one in the primary: the user has to say which.
    let mut more = facts(all);
    more.candidates.push(subnet(
        "subnet-0bbbbbbbbbbbbbb06",
        "10.1.9.0/24",
        "euc1-az2",
        false,
    ));
    assert_eq!(found(&descriptions, &more, PRIVATE_A), None);
    let (code, what) = error(&descriptions, &more, PRIVATE_A);
    assert_eq!(code, Code::SubnetNotMapped);
    assert!(
        what.starts_with(&format!("its VPC is adopted; map it to a subnet of {NEW_VPC}"))
            && what.contains("subnet-0bbbbbbbbbbbbbb01 (10.1.0.0/24, eu-central-1a, private)")
            && what.contains("subnet-0bbbbbbbbbbbbbb06 (10.1.9.0/24, eu-central-1a, private)")
            && !what.contains("subnet-0bbbbbbbbbbbbbb02"),
        "{what}"
    );
}

#[test]
fn what_belongs_to_a_vpc_that_is_built_is_built() {
    let descriptions = sample::descriptions();
    let facts = facts([
        subnet("subnet-1", "10.0.0.0/20", "euc1-az2", false),
        Candidate {
            parent: Some(NEW_VPC.to_owned()),
            ..named(CandidateKind::SecurityGroup, "sg-1", "shop")
        },
    ]);
    assert_eq!(found(&descriptions, &facts, PRIVATE_A), None);
    assert_eq!(found(&descriptions, &facts, "sg-000000000000000b1"), None);
    let about = findings(&descriptions, &facts, &Stack::Network, VPC);
    assert_eq!(about[0].code, Code::CounterpartNotFound);
    assert_eq!(about[0].severity, Severity::Note);
    let generated = generate(&descriptions, &facts, &Stack::Network, Mode::Active);
    assert!(!generated.is_refused() && generated.template.unwrap().resources.contains_key("VpcShop"));
}

#[test]
fn groups_of_an_adopted_vpc_are_found_by_name_and_others_are_built() {
    let descriptions = sample::descriptions();
    let group = |id: &str, name: &str| Candidate {
        parent: Some(NEW_VPC.to_owned()),
        ..named(CandidateKind::SecurityGroup, id, name)
    };
    let mut facts = facts([
        named(CandidateKind::Vpc, NEW_VPC, "shop"),
        group("sg-0bbbbbbbbbbbbbbb1", "shop"),
        group("sg-0bbbbbbbbbbbbbbb2", "default"),
        Candidate {
            parent: Some("vpc-0ccccccccccccccc1".to_owned()),
            ..group("sg-0bbbbbbbbbbbbbbb3", "shop-efs")
        },
    ]);
    facts.adopted = [PRIVATE_A, PRIVATE_B, PUBLIC_A, PUBLIC_B]
        .map(|from| Adoption::mapped(from, from.replace("000000000000000a", "0bbbbbbbbbbbbbbb")))
        .to_vec();
    let all = [
        ("b1", by("sg-0bbbbbbbbbbbbbbb1", MatchRule::Name)),
        ("b3", by("sg-0bbbbbbbbbbbbbbb2", MatchRule::Name)),
        ("b2", None),
    ];
    for (id, expected) in all {
        assert_eq!(
            found(&descriptions, &facts, &format!("sg-000000000000000{id}")),
            expected
        );
    }
    let generated = generate(&descriptions, &facts, &Stack::Network, Mode::Active);
    let built = generated.template.unwrap();
    let groups: Vec<&Value> = built
        .resources
        .values()
        .filter(|one| one.r#type == "AWS::EC2::SecurityGroup")
        .map(|one| &one.properties["GroupName"])
        .collect();
    assert_eq!(groups, ["shop-efs"]);
}

#[test]
fn what_the_own_stacks_built_is_never_adopted_and_stays_what_it_is() {
    let descriptions = sample::descriptions();
    let mine = Candidate {
        tags: tags(&[(TAG, "shop")]),
        ..named(CandidateKind::Vpc, "vpc-2", "shop")
    };
    assert_eq!(found(&descriptions, &facts([mine.clone()]), VPC), None);
    // Another VPC of this name would otherwise replace the one that clusters stand on.
    let foreign = named(CandidateKind::Vpc, "vpc-3", "shop");
    let both = facts([mine, foreign.clone()]);
    assert_eq!(found(&descriptions, &both, VPC), None);
    assert!(findings(&descriptions, &both, &Stack::Network, VPC).is_empty());
    assert_eq!(
        found(&descriptions, &facts([foreign]), VPC),
        by("vpc-3", MatchRule::Name)
    );

    // CloudFormation gives no tags to policies and instance profiles.
    let policy = &descriptions.policies[0];
    let own = format!("arn:aws:iam::{OTHER}:policy/{}", policy.policy_name);
    let mut facts = facts([named(CandidateKind::Policy, &own, &policy.policy_name)]);
    assert_eq!(
        found(&descriptions, &facts, &policy.arn),
        by(&own, MatchRule::Name)
    );
    for (r#type, id, is_own) in [
        ("AWS::IAM::Role", policy.policy_name.as_str(), false),
        ("AWS::IAM::ManagedPolicy", policy.policy_name.as_str(), true),
        ("AWS::IAM::ManagedPolicy", own.as_str(), true),
    ] {
        facts.own = BTreeSet::from([OwnResource {
            r#type: r#type.to_owned(),
            id: id.to_owned(),
        }]);
        assert_eq!(
            found(&descriptions, &facts, &policy.arn).is_none(),
            is_own,
            "{type} {id}"
        );
    }
}

#[test]
fn a_candidate_of_two_resources_is_an_error() {
    let descriptions = changed(|document| {
        let mut other = document["vpcs"][0].clone();
        other["vpcId"] = json!("vpc-000000000000000a2");
        other["cidrBlock"] = json!("10.2.0.0/16");
        other["tags"] = json!({"app": "shop"});
        document["vpcs"].as_array_mut().unwrap().push(other);
    });
    let one = Candidate {
        tags: tags(&[("app", "shop")]),
        ..named(CandidateKind::Vpc, "vpc-2", "shop")
    };
    let facts_of_one = facts([one.clone()]);
    for (from, other) in [(VPC, "vpc-000000000000000a2"), ("vpc-000000000000000a2", VPC)] {
        assert_eq!(found(&descriptions, &facts_of_one, from), None);
        let (code, what) = error(&descriptions, &facts_of_one, from);
        assert_eq!(code, Code::CandidateTaken);
        assert!(
            what.starts_with("vpc-2 has its ") && what.contains(other),
            "{what}"
        );
    }
    // What the user has mapped is nothing else's counterpart.
    let mut mapped = facts([one.clone()]);
    mapped.adopted = vec![Adoption::mapped(VPC, "vpc-2")];
    assert_eq!(found(&descriptions, &mapped, "vpc-000000000000000a2"), None);
    // Both have the tags, and nothing tells them apart.
    let twins = changed(|document| {
        let mut other = document["vpcs"][0].clone();
        other["vpcId"] = json!("vpc-000000000000000a2");
        other["tags"] = json!({"app": "shop"});
        document["vpcs"][0]["tags"] = json!({"app": "shop"});
        document["vpcs"].as_array_mut().unwrap().push(other);
    });
    let (code, what) = error(&twins, &facts([one]), VPC);
    assert_eq!(code, Code::CandidateTaken);
    assert!(
        what.contains("vpc-2") && what.contains("vpc-000000000000000a2"),
        "{what}"
    );
}

#[test]
fn roles_are_found_by_the_name_that_they_have_there() {
    let descriptions = changed(|document| {
        for (position, role) in document["roles"].as_array_mut().unwrap().iter_mut().enumerate() {
            role["tags"] = json!({"team": format!("team-{position}")});
        }
    });
    let role = &descriptions.roles[0];
    let arn = |name: &str| format!("arn:aws:iam::{OTHER}:role/{name}");
    let of = |name: &str| named(CandidateKind::Role, &arn(name), name);
    let (name, other) = (role.role_name.as_str(), descriptions.roles[1].role_name.as_str());
    assert_eq!(
        found(&descriptions, &facts([of(name)]), &role.arn),
        by(&arn(name), MatchRule::Name)
    );
    // The role of another name has the tags, but is the counterpart of that one.
    let with_tags = Candidate {
        tags: role.tags.clone(),
        ..of(other)
    };
    let both = facts([of(name), with_tags]);
    assert_eq!(
        found(&descriptions, &both, &role.arn),
        by(&arn(name), MatchRule::Name)
    );
    // In the account of the primary, copies have the Region in their names: the role itself is not its counterpart.
    let mut same = facts([
        named(CandidateKind::Role, &role.arn, name),
        named(
            CandidateKind::Role,
            "arn:aws:iam::111111111111:role/x",
            &format!("{name}-eu-central-1"),
        ),
    ]);
    same.account = sample::facts(SAME).account;
    assert_eq!(
        found(&descriptions, &same, &role.arn),
        by("arn:aws:iam::111111111111:role/x", MatchRule::Name)
    );
}

#[test]
fn an_adopted_role_for_pods_must_trust_the_new_cluster() {
    let descriptions = sample::descriptions();
    let trusting = descriptions.roles.iter().find(|role| {
        let trust = role.assume_role_policy_document.0.to_string();
        trust.contains("oidc-provider")
    });
    let role = trusting.unwrap();
    let to = format!("arn:aws:iam::{OTHER}:role/{}", role.role_name);
    let facts = facts([named(CandidateKind::Role, &to, &role.role_name)]);
    let about = findings(&descriptions, &facts, &Stack::Identity, &role.arn);
    assert_eq!(
        (about[0].severity, about[0].code),
        (Severity::Warning, Code::AdoptedRoleTrust)
    );
    assert!(about[0].what.contains(&to), "{}", about[0].what);
}

#[test]
fn an_adopted_file_system_gets_no_second_mount_target_in_a_zone() {
    let descriptions = sample::descriptions();
    let system = "fs-0bbbbbbbbbbbbbbb1";
    let target = |zone: &str| Candidate {
        parent: Some(system.to_owned()),
        zone_id: Some(zone.to_owned()),
        ..Candidate::new(CandidateKind::MountTarget, format!("fsmt-{zone}"))
    };
    let mut facts = facts([
        named(CandidateKind::FileSystem, system, "media"),
        target("euc1-az2"),
    ]);
    facts.adopt_existing = BTreeSet::from([SharedStack::Storage]);
    let targets = |facts: &RecoveryFacts| {
        let generated = generate(&descriptions, facts, &Stack::Storage, Mode::Active);
        let template = generated.template.unwrap();
        let types = template.resources.values().map(|one| one.r#type);
        types.filter(|name| *name == "AWS::EFS::MountTarget").count()
    };
    assert_eq!(
        found(&descriptions, &facts, "fs-000000000000000a1"),
        by(system, MatchRule::Name)
    );
    assert_eq!(targets(&facts), 1);
    // The one that this stack built stays in its template.
    facts.own = BTreeSet::from([OwnResource {
        r#type: "AWS::EFS::MountTarget".to_owned(),
        id: "fsmt-euc1-az2".to_owned(),
    }]);
    assert_eq!(targets(&facts), 2);
}

#[test]
fn keys_are_found_by_each_alias() {
    let descriptions =
        changed(|document| document["keys"][0]["aliases"] = json!(["alias/cart", "alias/shop"]));
    let key = descriptions.keys[0].arn.clone();
    let to = "arn:aws:kms:eu-central-1:222222222222:key/5678abcd-12ab-34cd-56ef-1234567890ab";
    let both = facts([
        named(CandidateKind::Key, to, "alias/cart"),
        named(CandidateKind::Key, to, "alias/shop"),
    ]);
    assert_eq!(found(&descriptions, &both, &key), by(to, MatchRule::Name));
    let generated = generate(&descriptions, &both, &Stack::Storage, Mode::Active);
    let template = generated.template.unwrap();
    assert!(
        template
            .resources
            .values()
            .all(|one| !one.r#type.starts_with("AWS::KMS"))
    );
    let two = facts([
        named(CandidateKind::Key, to, "alias/cart"),
        named(
            CandidateKind::Key,
            "arn:aws:kms:eu-central-1:222222222222:key/3",
            "alias/shop",
        ),
    ]);
    let about = findings(&descriptions, &two, &Stack::Storage, &key);
    assert_eq!(about[0].code, Code::AdoptionAmbiguous);
}

/// Returns candidates that are like the resources of the primary, as a seed determines it: some lack a name, tags or a
/// zone, some are there twice, some are ours.
fn candidates(descriptions: &Descriptions, seed: u64) -> Vec<Candidate> {
    let rng = &mut fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    let mut add = |rng: &mut fastrand::Rng, one: Candidate| {
        for copy in 0..rng.usize(..3) {
            let mut one = one.clone();
            // Ids keep the form that AWS gives them.
            let other = one.id.replacen("-0", &format!("-{}", copy + 1), 1);
            one.id = if other == one.id {
                format!("{other}{copy}")
            } else {
                other
            };
            if rng.u8(..3) == 0 {
                one.tags = BTreeMap::new();
            }
            if rng.u8(..4) == 0 {
                one.name = None;
            }
            if rng.u8(..8) == 0 {
                one.tags.insert(TAG.to_owned(), "shop".to_owned());
            }
            all.push(one);
        }
    };
    let name = |tags: &BTreeMap<String, String>| tags.get("Name").cloned();
    for one in &descriptions.vpcs {
        let vpc = Candidate {
            name: name(&one.tags),
            cidr: Some(one.cidr_block.clone()),
            tags: one.tags.clone(),
            ..Candidate::new(CandidateKind::Vpc, &one.vpc_id)
        };
        add(rng, vpc);
    }
    for one in &descriptions.subnets {
        let zone = rng.usize(..3);
        let subnet = Candidate {
            name: name(&one.tags),
            cidr: one.cidr_block.clone().filter(|_| rng.bool()),
            zone_id: Some(["euc1-az1", "euc1-az2", "euc1-az3"][zone].to_owned()),
            public: Some(rng.bool()),
            parent: Some(one.vpc_id.replacen("-0", &format!("-{}", 1 + rng.usize(..2)), 1)),
            tags: one.tags.clone(),
            ..Candidate::new(CandidateKind::Subnet, &one.subnet_id)
        };
        add(rng, subnet);
    }
    for one in &descriptions.roles {
        let arn = one.arn.replace(SAME, OTHER);
        add(rng, named(CandidateKind::Role, &arn, &one.role_name));
    }
    for one in &descriptions.file_systems {
        let system = Candidate {
            name: name(&one.tags),
            tags: one.tags.clone(),
            ..Candidate::new(CandidateKind::FileSystem, &one.file_system_id)
        };
        add(rng, system);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn counterparts_are_pairs_of_what_exists(seed in any::<u64>(), which in any::<u64>()) {
        let descriptions = random::descriptions(seed);
        let mut facts = facts(candidates(&descriptions, which));
        let all = adoptions(&descriptions, &facts);
        let flat: Vec<&Adoption> = all.values().flatten().collect();
        let from: BTreeSet<&str> = flat.iter().map(|one| one.from.as_str()).collect();
        let to: BTreeSet<&str> = flat.iter().map(|one| one.to.as_str()).collect();
        prop_assert_eq!(from.len(), flat.len(), "one resource has one counterpart");
        prop_assert_eq!(to.len(), flat.len(), "one candidate is the counterpart of one");
        let of = |id: &str| facts.candidates.iter().find(|one| one.id == id);
        let counterpart = |from: &str| flat.iter().find(|one| one.from == from).map(|one| one.to.as_str());
        for adoption in &flat {
            let candidate = of(&adoption.to).unwrap();
            prop_assert!(!candidate.tags.contains_key(TAG), "{} is ours", candidate.id);
            prop_assert_ne!(adoption.rule, MatchRule::Mapping);
            if candidate.kind == CandidateKind::Subnet {
                let subnet = descriptions.subnets.iter().find(|one| one.subnet_id == adoption.from).unwrap();
                prop_assert_eq!(candidate.parent.as_deref(), counterpart(&subnet.vpc_id));
            }
        }
        // Nothing depends on the order in which the candidates were listed.
        fastrand::Rng::with_seed(which).shuffle(&mut facts.candidates);
        prop_assert_eq!(&adoptions(&descriptions, &facts), &all);
        for stack in stacks(&descriptions) {
            let generated = generate(&descriptions, &facts, &stack, Mode::Active);
            let Some(template) = &generated.template else { continue };
            // What is adopted is not built: no output takes its place.
            let json = template.json().to_string();
            for adoption in all.get(&stack.shared()).into_iter().flatten() {
                let is_named = json.contains(&format!("\"{}\"", adoption.from));
                prop_assert!(!is_named, "{} is named", adoption.from);
            }
            // A subnet of an adopted VPC has a counterpart, or the stack is refused.
            for subnet in descriptions.subnets.iter().filter(|_| stack == Stack::Network) {
                let is_adopted = counterpart(&subnet.vpc_id).is_some();
                prop_assert!(!is_adopted || counterpart(&subnet.subnet_id).is_some() || generated.is_refused());
            }
        }
    }
}
