//! Where the resources of the recovery stacks differ from those of the primary.

use lifeboat_infrastructure::{
    Adoption, Descriptions, Difference, Mode, Reason, RecoveryFacts, ResourceDifference, Stack, TAG,
    differences, generate, stacks,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{random, sample};

const OTHER: &str = "222222222222";

fn orders() -> Stack {
    Stack::Cluster("orders".to_owned())
}

/// Returns the differences of a stack of the sample after a change of its document.
fn of_changed(
    stack: &Stack,
    facts: &RecoveryFacts,
    mode: Mode,
    change: impl FnOnce(&mut Value),
) -> Vec<ResourceDifference> {
    let mut document = serde_json::from_slice(sample::DOCUMENT).unwrap();
    change(&mut document);
    let descriptions = Descriptions::parse(document.to_string().as_bytes()).unwrap();
    differences(&descriptions, facts, stack, mode)
}

/// Returns the difference of a property.
fn find<'a>(all: &'a [ResourceDifference], resource: &str, path: &str) -> Option<&'a Difference> {
    let of = all.iter().find(|one| one.resource == resource)?;
    of.differences.iter().find(|difference| difference.path == path)
}

/// Returns differences as lines.
fn lines(all: &[ResourceDifference]) -> String {
    let mut text = String::new();
    let shown = |value: &Option<Value>| value.as_ref().map_or("none".to_owned(), Value::to_string);
    for of in all {
        let primary = of.primary.as_deref().unwrap_or("-");
        text.push_str(&format!("{} {} ({primary})\n", of.r#type, of.resource));
        for one in &of.differences {
            let values = match one.is_hidden {
                true => "differs".to_owned(),
                false => format!("{} -> {}", shown(&one.primary), shown(&one.recovery)),
            };
            text.push_str(&format!("  {}: {values} ({})\n", one.path, one.reason));
        }
    }
    text
}

#[test]
fn the_differences_of_the_sample_are_as_expected() {
    let descriptions = sample::descriptions();
    let facts = sample::facts_of_second_pass(&descriptions, OTHER);
    let mut text = String::new();
    for stack in stacks(&descriptions) {
        let all = differences(&descriptions, &facts, &stack, Mode::Active);
        text.push_str(&format!("{}:\n{}\n", stack.symbol(), lines(&all)));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn where_the_account_is_the_same_names_differ() {
    let facts = sample::facts("111111111111");
    let all = of_changed(&Stack::Identity, &facts, Mode::Active, |_| {});
    let name = find(&all, "RoleShopNodes", "/RoleName").unwrap();
    assert_eq!(name.primary, Some(json!("shop-nodes")));
    assert_eq!(name.recovery, Some(json!("shop-nodes-eu-central-1")));
    assert_eq!(name.reason, Reason::Translated);
    let other = of_changed(&Stack::Identity, &sample::facts(OTHER), Mode::Active, |_| {});
    assert_eq!(find(&other, "RoleShopNodes", "/RoleName"), None);
}

#[test]
fn the_nearest_version_is_told_from_one_that_is_not_kept() {
    let nearest = RecoveryFacts {
        allow_nearest_version: true,
        ..sample::facts(OTHER)
    };
    let all = of_changed(&orders(), &nearest, Mode::Active, |document| {
        document["clusters"][0]["version"] = json!("1.27");
        document["clusters"][0]["nodegroups"][0]["version"] = json!("1.27");
    });
    for resource in ["Cluster", "NodegroupGeneral"] {
        let version = find(&all, resource, "/Version").unwrap();
        assert_eq!(
            (&version.primary, &version.recovery),
            (&Some(json!("1.27")), &Some(json!("1.31")))
        );
        assert_eq!(version.reason, Reason::NearestVersion);
    }
    let older = of_changed(&orders(), &sample::facts(OTHER), Mode::Active, |document| {
        document["clusters"][0]["nodegroups"][0]["version"] = json!("1.32");
    });
    assert_eq!(find(&older, "Cluster", "/Version"), None);
    let version = find(&older, "NodegroupGeneral", "/Version").unwrap();
    assert_eq!(version.recovery, Some(json!("1.33")));
    assert_eq!(version.reason, Reason::NotKept);
}

#[test]
fn what_standby_leaves_out_is_a_matter_of_the_mode() {
    let provisioned = |document: &mut Value| {
        let system = &mut document["fileSystems"][0];
        system["throughputMode"] = json!("provisioned");
        system["provisionedThroughputInMibps"] = json!(64.0);
    };
    let of = |mode| of_changed(&Stack::Storage, &sample::facts(OTHER), mode, provisioned);
    let standby = of(Mode::Standby);
    let mode = find(&standby, "FileSystemMedia", "/ThroughputMode").unwrap();
    assert_eq!(
        (&mode.primary, &mode.recovery),
        (&Some(json!("provisioned")), &Some(json!("bursting")))
    );
    assert_eq!(mode.reason, Reason::Mode);
    let throughput = find(&standby, "FileSystemMedia", "/ProvisionedThroughputInMibps").unwrap();
    assert_eq!((&throughput.recovery, throughput.reason), (&None, Reason::Mode));
    assert_eq!(
        find(&of(Mode::Active), "FileSystemMedia", "/ThroughputMode"),
        None
    );
}

#[test]
fn what_is_not_kept_has_no_value_in_the_recovery_stack() {
    let all = of_changed(&orders(), &sample::facts(OTHER), Mode::Active, |document| {
        document["clusters"][0]["kubeApiServerConfig"] = json!({"maxRequestsInflight": 800});
        document["launchTemplates"][0]["launchTemplateData"]["capacityReservationSpecification"] =
            json!({"capacityReservationPreference": "open"});
    });
    let config = find(&all, "Cluster", "/KubeApiServerConfig").unwrap();
    assert_eq!(config.primary, Some(json!({"maxRequestsInflight": 800})));
    assert_eq!((&config.recovery, config.reason), (&None, Reason::NotKept));
    let of_template = all
        .iter()
        .find(|one| one.r#type == "AWS::EC2::LaunchTemplate")
        .unwrap();
    let path = "/LaunchTemplateData/CapacityReservationSpecification";
    assert_eq!(
        find(&all, &of_template.resource, path).unwrap().reason,
        Reason::NotKept
    );
}

#[test]
fn a_rule_for_a_prefix_list_is_translated_once_the_list_is_mapped() {
    let rule = |document: &mut Value| {
        document["securityGroups"][0]["rules"] = json!([
            {"isEgress": true, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "prefixListId": "pl-0aaaaaaaaaaaaaaa1"}]);
    };
    let group = &sample::descriptions().security_groups[0];
    let of = |facts: &RecoveryFacts| {
        let all = of_changed(&Stack::Network, facts, Mode::Active, rule);
        let of = all
            .into_iter()
            .find(|one| one.primary.as_ref() == Some(&group.group_id))
            .unwrap();
        let rule = of
            .differences
            .into_iter()
            .find(|one| one.path.starts_with("/SecurityGroupEgress"))
            .unwrap();
        (rule.path, rule.reason)
    };
    let mut facts = sample::facts(OTHER);
    facts
        .adopted
        .push(Adoption::mapped("pl-0aaaaaaaaaaaaaaa1", "pl-0bbbbbbbbbbbbbbb1"));
    let path = "/SecurityGroupEgress/0/DestinationPrefixListId".to_owned();
    assert_eq!(of(&facts), (path, Reason::Translated));
}

#[test]
fn nothing_that_may_hold_a_secret_is_shown() {
    let secret = |document: &mut Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "hunter2", "Effect": "Allow",
            "Action": "s3:GetObject", "Resource": "arn:aws:sqs:eu-west-1:111111111111:hunter2"}]});
        let data = "aHVudGVyMiBldS13ZXN0LTEK"; // hunter2 eu-west-1
        document["launchTemplates"][0]["launchTemplateData"]["userData"] = json!(data);
        let cluster = &mut document["clusters"][0];
        cluster["addons"][0]["configurationValues"] = json!("{\"hunter2\": \"eu-west-1\"}");
        cluster["podIdentityAssociations"][0]["policy"] = json!(policy.to_string());
        for role in document["roles"].as_array_mut().unwrap() {
            role["inlinePolicies"] = json!({"a": policy});
            let mut trust = role["assumeRolePolicyDocument"].clone();
            trust["Statement"][0]["Condition"] =
                json!({"StringEquals": {"sts:ExternalId": "hunter2", "aws:SourceAccount": "111111111111"}});
            role["assumeRolePolicyDocument"] = trust;
        }
        for (list, field) in [
            ("repositories", "policy"),
            ("repositories", "lifecyclePolicy"),
            ("fileSystems", "policy"),
            ("keys", "policy"),
            ("vpcEndpoints", "policyDocument"),
            ("policies", "document"),
        ] {
            for one in document[list].as_array_mut().into_iter().flatten() {
                one[field] = policy.clone();
            }
        }
    };
    let mut hidden = 0;
    for account in [OTHER, "111111111111"] {
        let facts = RecoveryFacts {
            managed_addons: true,
            ..sample::facts_of_second_pass(&sample::descriptions(), account)
        };
        for stack in stacks(&sample::descriptions()) {
            for mode in [Mode::Standby, Mode::Active] {
                let all = of_changed(&stack, &facts, mode, secret);
                let text = format!("{} {all:?}", serde_json::to_string(&all).unwrap());
                assert!(
                    !text.contains("hunter2") && !text.contains("aHVudGVyMi"),
                    "{text}"
                );
                let all = all.iter().flat_map(|one| &one.differences);
                for difference in all.filter(|difference| difference.is_hidden) {
                    assert_eq!((&difference.primary, &difference.recovery), (&None, &None));
                    hidden += 1;
                }
            }
        }
    }
    assert!(hidden > 20, "{hidden}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn differences_are_those_of_resources_that_both_sides_have(seed in any::<u64>(), is_same in any::<bool>()) {
        let descriptions = random::descriptions(seed);
        let account = if is_same { "111111111111" } else { OTHER };
        let facts = sample::facts(account);
        for stack in stacks(&descriptions) {
            for mode in [Mode::Standby, Mode::Active] {
                let all = differences(&descriptions, &facts, &stack, mode);
                prop_assert_eq!(&differences(&descriptions, &facts, &stack, mode), &all);
                let template = generate(&descriptions, &facts, &stack, mode).template;
                for of in &all {
                    let resource = template.as_ref().and_then(|template| template.resources.get(&of.resource));
                    prop_assert_eq!(resource.map(|resource| resource.r#type), Some(of.r#type.as_str()));
                    prop_assert!(!of.differences.is_empty());
                    for one in &of.differences {
                        prop_assert!(one.is_hidden || one.primary != one.recovery, "{}: {:?}", of.resource, one);
                        prop_assert!(!one.path.contains(TAG.split('/').next().unwrap()), "{}", one.path);
                    }
                }
            }
        }
    }
}
