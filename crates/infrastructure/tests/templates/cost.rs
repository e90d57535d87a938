//! What the stacks of the sample application and of random ones cost.

use std::collections::BTreeSet;

use lifeboat_infrastructure::cost::{Charge, Charged, ModeCost, cost};
use lifeboat_infrastructure::{Cost, Descriptions, Prices, RecoveryFacts, Usd};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{random, sample};

const OTHER: &str = "222222222222";

/// Returns what the sample costs after a change of its document.
fn of_changed(change: impl FnOnce(&mut Value)) -> Cost {
    let mut document = serde_json::from_slice(sample::DOCUMENT).unwrap();
    change(&mut document);
    let descriptions = Descriptions::parse(document.to_string().as_bytes()).unwrap();
    cost(&descriptions, &sample::facts(OTHER), &Prices::built_in())
}

fn charges(mode: &ModeCost) -> impl Iterator<Item = &Charged> {
    mode.stacks.iter().flat_map(|stack| &stack.charges)
}

/// Returns the charges of a resource: what, of which item, how many, and whether less may be charged.
fn of_resource<'a>(mode: &'a ModeCost, resource: &str) -> Vec<(Charge, Option<&'a str>, u64, bool)> {
    charges(mode)
        .filter(|charged| charged.resource == resource)
        .map(|charged| {
            (
                charged.charge,
                charged.item.as_deref(),
                charged.quantity,
                charged.is_most,
            )
        })
        .collect()
}

fn left_out<'a>(mode: &'a ModeCost, resource: &str) -> BTreeSet<&'a str> {
    let of = mode.not_priced.iter().filter(|one| one.resource == resource);
    of.map(|one| one.what.as_str()).collect()
}

#[test]
fn the_cost_of_the_sample_is_as_expected() {
    let cost = of_changed(|_| {});
    insta::assert_snapshot!(serde_json::to_string_pretty(&cost).unwrap());
}

#[test]
fn the_cost_of_the_sample_is_the_sum_of_what_its_resources_cost() {
    let cost = of_changed(|_| {});
    let prices = Prices::built_in();
    let facts = sample::facts(OTHER);
    for mode in [&cost.active, &cost.standby] {
        let mut sum = 0;
        for charged in charges(mode) {
            let usd = prices
                .find(charged.charge, charged.item.as_deref(), &facts.region)
                .unwrap();
            let hours = if charged.charge.is_monthly() { 1 } else { 730 };
            assert_eq!(charged.usd, usd);
            assert_eq!(
                charged.usd_per_month.millionths(),
                usd.millionths() * u128::from(charged.quantity) * hours
            );
            sum += charged.usd_per_month.millionths();
        }
        assert_eq!(mode.usd_per_month.millionths(), sum);
        assert_eq!(mode.usd_per_hour.millionths(), (sum + 365) / 730);
        let stacks: Usd = mode.stacks.iter().map(|stack| stack.usd_per_month).sum();
        assert_eq!(stacks, mode.usd_per_month);
    }
    assert!(cost.active.usd_per_hour > cost.standby.usd_per_hour);
}

#[test]
fn node_groups_cost_their_desired_size_of_the_first_instance_type() {
    let cost = of_changed(|_| {});
    let (instance, volume) = (Charge::Ec2InstanceHour, Charge::EbsGibMonth);
    assert_eq!(
        of_resource(&cost.active, "NodegroupGeneral"),
        [
            (instance, Some("m6i.large"), 2, false),
            (volume, Some("gp3"), 100, false)
        ]
    );
    // Spot capacity is counted at the price of on-demand capacity, and a volume of EKS as the more expensive type.
    assert_eq!(
        of_resource(&cost.active, "NodegroupWeb"),
        [
            (instance, Some("m6i.large"), 1, true),
            (volume, Some("gp2"), 40, true)
        ]
    );
    assert!(cost.active.is_most && !cost.standby.is_most);
    let none = of_changed(|document| {
        document["clusters"][0]["nodegroups"][0]["scalingConfig"]["desiredSize"] = json!(0);
    });
    assert!(of_resource(&none.active, "NodegroupGeneral").is_empty());
}

#[test]
fn nodes_that_are_held_back_are_counted() {
    let (descriptions, prices) = (sample::descriptions(), Prices::built_in());
    let held = RecoveryFacts {
        hold_nodes: true,
        ..sample::facts(OTHER)
    };
    let all = cost(&descriptions, &sample::facts(OTHER), &prices);
    assert_eq!(cost(&descriptions, &held, &prices), all);
}

#[test]
fn nodes_in_public_subnets_cost_their_addresses() {
    let subnets = |all: &'static [&str]| {
        move |document: &mut Value| document["clusters"][0]["nodegroups"][0]["subnets"] = json!(all)
    };
    let address = Charge::PublicIpv4AddressHour;
    let of = |cost: &Cost| {
        let all = of_resource(&cost.active, "NodegroupGeneral");
        all.into_iter()
            .find(|(charge, ..)| *charge == address)
            .map(|(_, _, count, is_most)| (count, is_most))
    };
    let public = ["subnet-000000000000000a2", "subnet-000000000000000a3"];
    assert_eq!(
        of(&of_changed(subnets(&["subnet-000000000000000a2"]))),
        Some((2, false))
    );
    let mixed = of_changed(subnets(&["subnet-000000000000000a0", "subnet-000000000000000a2"]));
    assert_eq!(of(&mixed), Some((2, true)));
    assert_eq!(of(&of_changed(|_| {})), None);
    let chosen = of_changed(|document| {
        document["clusters"][0]["nodegroups"][0]["subnets"] = json!(public);
        document["launchTemplates"][0]["launchTemplateData"]["networkInterfaces"] =
            json!([{"deviceIndex": 0, "associatePublicIpAddress": false}]);
    });
    assert_eq!(of(&chosen), None);
}

#[test]
fn a_cluster_may_cost_extended_support_unless_its_policy_excludes_it() {
    let of = |version: &str, policy: Value| {
        let cost = of_changed(|document| {
            document["clusters"][0]["version"] = json!(version);
            document["clusters"][0]["upgradePolicy"] = policy;
        });
        let stack = cost
            .active
            .stacks
            .into_iter()
            .find(|stack| stack.stack == "cluster-orders")
            .unwrap();
        let charge = stack
            .charges
            .into_iter()
            .find(|charged| charged.resource == "Cluster")
            .unwrap();
        let what = format!("extended support of Kubernetes {version}, if its standard support has ended");
        (
            charge.charge,
            cost.active.not_priced.iter().any(|one| one.what == what),
        )
    };
    let (standard, extended) = (
        json!({"supportType": "STANDARD"}),
        json!({"supportType": "EXTENDED"}),
    );
    assert_eq!(of("1.31", standard.clone()), (Charge::EksClusterHour, false));
    assert_eq!(
        of("1.31", extended.clone()),
        (Charge::EksExtendedSupportHour, false)
    );
    assert_eq!(of("1.31", Value::Null), (Charge::EksExtendedSupportHour, false));
    // Whether the support of this version has ended, the table does not say.
    assert_eq!(of("1.34", extended), (Charge::EksClusterHour, true));
    assert_eq!(of("1.34", standard), (Charge::EksClusterHour, false));
}

#[test]
fn what_has_no_price_is_named_and_never_nothing() {
    let group = |field: &'static str, value: Value| {
        move |document: &mut Value| document["clusters"][0]["nodegroups"][0][field] = value
    };
    let data = |field: &'static str, value: Value| {
        move |document: &mut Value| document["launchTemplates"][0]["launchTemplateData"][field] = value
    };
    type Change = Box<dyn FnOnce(&mut Value)>;
    let cases: [(Change, &str, &str); 9] = [
        (
            Box::new(group("instanceTypes", json!(["x99.large"]))),
            "NodegroupGeneral",
            "EC2 instance x99.large in eu-central-1",
        ),
        (
            Box::new(group("amiType", json!("WINDOWS_CORE_2022_x86_64"))),
            "NodegroupGeneral",
            "m6i.large instances with Windows",
        ),
        (
            Box::new(group("capacityType", json!("CAPACITY_BLOCK"))),
            "NodegroupGeneral",
            "m6i.large instances of capacity blocks",
        ),
        (
            Box::new(group("warmPoolConfig", json!({"enabled": true}))),
            "NodegroupGeneral",
            "instances of warm pools",
        ),
        (
            Box::new(data("placement", json!({"tenancy": "dedicated"}))),
            "NodegroupGeneral",
            "m6i.large instances on dedicated hardware",
        ),
        (
            Box::new(data("blockDeviceMappings", json!([]))),
            "NodegroupGeneral",
            "root volumes of a size that the image decides",
        ),
        (
            Box::new(data(
                "blockDeviceMappings",
                json!([{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 50, "volumeType": "io2", "iops": 9000}}]),
            )),
            "NodegroupGeneral",
            "provisioned IOPS and throughput of volumes",
        ),
        (
            Box::new(|document: &mut Value| document["vpcs"][0]["instanceTenancy"] = json!("dedicated")),
            "NodegroupGeneral",
            "m6i.large instances on dedicated hardware",
        ),
        (
            Box::new(|document: &mut Value| {
                document["clusters"][0]["controlPlaneScalingConfig"] = json!({"tier": "tier-xl"});
            }),
            "Cluster",
            "control planes of the tier tier-xl",
        ),
    ];
    for (change, resource, what) in cases {
        let cost = of_changed(change);
        let found = left_out(&cost.active, resource);
        assert!(found.contains(what), "{what}: {found:?}");
    }
    let sample = of_changed(|_| {});
    let fargate = left_out(&sample.active, "FargateProfileBatch");
    assert!(
        fargate
            .iter()
            .all(|what| what.starts_with("Pods on Fargate (0.04656 USD per vCPU and hour"))
    );
    assert_eq!(fargate.len(), 1);
    assert!(!left_out(&sample.standby, "FileSystemMedia").is_empty());
}

#[test]
fn what_could_not_be_described_is_named() {
    let cost = of_changed(|document| {
        document["missing"] = json!([
            {"resource": "AWS::EC2::NatGateway", "call": "ec2:DescribeNatGateways", "code": "UnauthorizedOperation"},
            {"resource": "arn:aws:iam::111111111111:role/gone", "call": "iam:GetRole", "code": "NoSuchEntity"}]);
    });
    let missing: Vec<&str> = (cost.active.not_priced.iter())
        .filter(|one| one.what == "what could not be described")
        .map(|one| one.resource.as_str())
        .collect();
    assert_eq!(missing, ["AWS::EC2::NatGateway"]);
}

#[test]
fn a_table_without_prices_prices_nothing() {
    let empty = json!({"format": "lifeboat.dev/prices/v1", "prices": []});
    let prices = Prices::read(empty.to_string().as_bytes()).unwrap();
    let priced = of_changed(|_| {});
    let cost = cost(&sample::descriptions(), &sample::facts(OTHER), &prices);
    assert_eq!(cost.active.usd_per_month, Usd::ZERO);
    assert!(cost.active.stacks.is_empty());
    let named: BTreeSet<&String> = cost.active.not_priced.iter().map(|one| &one.resource).collect();
    for charged in charges(&priced.active) {
        assert!(named.contains(&charged.resource), "{}", charged.resource);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn standby_costs_no_more_and_nodes_cost_more(seed in any::<u64>(), more in 1_u64..50) {
        let descriptions = random::descriptions(seed);
        let facts = sample::facts(OTHER);
        let prices = Prices::built_in();
        let first = cost(&descriptions, &facts, &prices);
        prop_assert!(first.standby.usd_per_month <= first.active.usd_per_month);
        prop_assert_eq!(&cost(&descriptions, &facts, &prices), &first);

        let mut larger = serde_json::to_value(&descriptions).unwrap();
        for cluster in larger["clusters"].as_array_mut().unwrap() {
            for group in cluster.get_mut("nodegroups").and_then(Value::as_array_mut).into_iter().flatten() {
                let size = group["scalingConfig"]["desiredSize"].as_u64().unwrap_or(0);
                group["scalingConfig"] = json!({"minSize": 0, "maxSize": 1000, "desiredSize": size + more});
            }
        }
        let larger = Descriptions::parse(larger.to_string().as_bytes()).unwrap();
        let second = cost(&larger, &facts, &prices);
        prop_assert!(second.active.usd_per_month >= first.active.usd_per_month);
        prop_assert_eq!(second.standby.usd_per_month, first.standby.usd_per_month);
    }

    #[test]
    fn a_higher_price_costs_more(millionths in 1_u64..1_000_000_000) {
        let cents = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
        let table = |usd: &str| json!({"format": "lifeboat.dev/prices/v1", "extends": "builtIn", "prices": [
            {"charge": "eksClusterHour", "regions": ["*"], "usd": usd}]});
        let of = |usd: &str| {
            let prices = Prices::read(table(usd).to_string().as_bytes()).unwrap();
            cost(&sample::descriptions(), &sample::facts(OTHER), &prices).active.usd_per_month.millionths()
        };
        // One of the clusters of the sample is in standard support.
        prop_assert_eq!(of(&cents), of("0") + u128::from(millionths) * 730);
    }
}
