use lifeboat_infrastructure::{Mode, Stack, generate};

use crate::sample;

/// Holds a stack of the sample application in the second pass, with its findings.
fn hold(name: &str, stack: &Stack, mode: Mode) {
    let descriptions = sample::descriptions();
    let facts = sample::facts_of_second_pass(&descriptions, "222222222222");
    let generated = generate(&descriptions, &facts, stack, mode);
    let template = generated.template.map(|template| template.json());
    insta::assert_snapshot!(name, format!("{:#}", template.unwrap_or_default()));
    let findings = serde_json::to_value(&generated.findings).unwrap_or_default();
    insta::assert_snapshot!(format!("{name}_findings"), format!("{findings:#}"));
}

#[test]
fn the_stacks_of_the_sample_are_as_expected() {
    hold("network_standby", &Stack::Network, Mode::Standby);
    hold("identity", &Stack::Identity, Mode::Active);
    hold("storage", &Stack::Storage, Mode::Active);
    hold("cluster_web", &Stack::Cluster("web".to_owned()), Mode::Active);
}
