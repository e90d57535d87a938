//! The sample application, and the facts of an empty recovery environment for it.

use lifeboat_infrastructure::{Descriptions, Generated, Mode, RecoveryFacts, Zone, generate, stacks};
use lifeboat_model::{AccountId, ApplicationName, Region};

/// The descriptions of the sample, a document of version 1 that every later version must still read.
pub(crate) const DOCUMENT: &[u8] = include_bytes!("../fixtures/aws-descriptions-v1.json");

pub(crate) fn descriptions() -> Descriptions {
    Descriptions::parse(DOCUMENT).expect("the fixture is a document of version 1")
}

/// Returns the facts of the recovery environment in `eu-central-1`.
pub(crate) fn facts(account: &str) -> RecoveryFacts {
    let zone = |letter: &str, id: &str| Zone {
        name: format!("eu-central-1{letter}"),
        id: id.to_owned(),
    };
    let mut facts = RecoveryFacts::new(
        AccountId::parse(account).expect("it has 12 digits"),
        Region::parse("eu-central-1").expect("it is a Region"),
        ApplicationName::parse("shop").expect("it is a name"),
    );
    facts.zones = vec![
        zone("a", "euc1-az2"),
        zone("b", "euc1-az3"),
        zone("c", "euc1-az1"),
    ];
    facts.kubernetes_versions = ["1.31", "1.32", "1.33", "1.34"].map(str::to_owned).to_vec();
    facts.permissions_boundaries = vec![format!("arn:aws:iam::{account}:policy/boundary")];
    facts.delegate_role = Some(format!("arn:aws:iam::{account}:role/lifeboat-shop-recovery"));
    facts
}

/// Returns the facts once the clusters exist: their issuers are known, and so is the key.
pub(crate) fn facts_of_second_pass(descriptions: &Descriptions, account: &str) -> RecoveryFacts {
    let mut facts = facts(account);
    for (position, cluster) in descriptions.clusters.iter().enumerate() {
        let id = format!("{position:032X}");
        let issuer = format!("oidc.eks.eu-central-1.amazonaws.com/id/{id}");
        facts.issuers.insert(cluster.name.clone(), issuer);
    }
    let storage = facts.outputs.entry("storage".to_owned()).or_default();
    for (position, key) in descriptions.keys.iter().enumerate() {
        let alias = key
            .aliases
            .first()
            .map_or(key.key_id.as_str(), |alias| &alias[6..]);
        let output = format!("Key{}{}", alias[..1].to_uppercase(), &alias[1..]);
        storage.insert(output, format!("{position:08x}-0000-0000-0000-000000000000"));
    }
    facts
}

/// Generates every stack in both modes and both passes, by the name of a file.
pub(crate) fn all(descriptions: &Descriptions, account: &str) -> Vec<(String, Generated)> {
    let passes = [
        ("first", facts(account)),
        ("second", facts_of_second_pass(descriptions, account)),
    ];
    let mut out = Vec::new();
    for (pass, facts) in passes {
        for stack in stacks(descriptions) {
            for (mode, name) in [(Mode::Standby, "standby"), (Mode::Active, "active")] {
                let generated = generate(descriptions, &facts, &stack, mode);
                out.push((format!("{}-{name}-{pass}", stack.symbol()), generated));
            }
        }
    }
    out
}
