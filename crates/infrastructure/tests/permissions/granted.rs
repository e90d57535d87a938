//! What the recovery stacks need is allowed, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_infrastructure::{Descriptions, Generated, Mode, Template, generate, stacks};
use lifeboat_translate::glob;
use serde_json::{Value, json};

use crate::iam::{Decision, Request, conditions, decide};
use crate::policies::{BUILDING, Stack, many, text};
use crate::requests::{RESOURCE_TAG, needed};
use crate::table::{self, ABSENT, FURTHER, RETAINED, UNUSED};
use crate::{random, sample};

/// Returns the sample with what neither it nor the random applications have.
fn everything() -> Descriptions {
    let mut document: Value = serde_json::from_slice(sample::DOCUMENT).unwrap();
    let vpc = document["vpcs"][0]["vpcId"].clone();
    document["egressOnlyInternetGateways"] =
        json!([{"egressOnlyInternetGatewayId": "eigw-00000000000000001", "vpcId": vpc}]);
    let group = &mut document["securityGroups"][0];
    let own = group["groupId"].clone();
    group["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({"isEgress": true, "ipProtocol": "tcp",
        "fromPort": 8080, "toPort": 8080, "referencedGroupInfo": {"groupId": own}}));
    document["clusters"][0]["identityProviderConfigs"] = json!([{"identityProviderConfigName": "people",
        "issuerUrl": "https://id.example.com", "clientId": "kubernetes"}]);
    document["keys"][0]["multiRegion"] = json!(true);
    serde_json::from_value(document).unwrap()
}

/// Calls `see` with each resource of the templates of the sample and of random applications.
fn resources(mut see: impl FnMut(&Template, &str)) {
    let mut of = |generated: Generated| {
        if let Some(template) = generated.template {
            template
                .resources
                .keys()
                .for_each(|logical| see(&template, logical));
        }
    };
    let seeds = (0..48).map(random::descriptions);
    for descriptions in seeds.chain([sample::descriptions(), everything()]) {
        for account in ["222222222222", "111111111111"] {
            for (_, generated) in sample::all(&descriptions, account) {
                of(generated);
            }
            let mut facts = sample::facts_of_second_pass(&descriptions, account);
            facts.managed_addons = true;
            for stack in stacks(&descriptions) {
                of(generate(&descriptions, &facts, &stack, Mode::Active));
            }
        }
    }
}

#[test]
fn the_table_has_every_resource_type_of_the_stacks_and_no_other() {
    let mut built = BTreeSet::new();
    resources(|template, logical| {
        built.insert(template.resources[logical].r#type.to_owned());
    });
    let known: BTreeSet<String> = table::handlers().into_keys().collect();
    assert_eq!(built, known);
}

#[test]
fn what_needs_a_permission_that_is_not_granted_is_in_no_template() {
    resources(|template, logical| {
        let resource = &template.resources[logical];
        let r#type = resource.r#type;
        for (of, property) in ABSENT {
            assert!(
                *of != r#type || !resource.properties.contains_key(*property),
                "{logical} {property}"
            );
        }
        assert!(!RETAINED.contains(&r#type) || resource.is_retained, "{logical}");
    });
    for (r#type, action, why) in UNUSED {
        let handlers = &table::handlers()[*r#type];
        let is_there = handlers.values().flatten().any(|named| named == action);
        assert!(is_there, "{type} has no {action} ({why})");
    }
}

#[test]
fn everything_that_cloudformation_calls_for_the_stacks_is_allowed() {
    let policies = Stack::new().building();
    let mut missing = Vec::new();
    for needed in needed() {
        let decision = decide(&policies, &needed.request);
        // Each delegate has it.
        let is_inline = needed.request.action == "eks:DescribeCluster";
        if !decision.is_allowed() && !is_inline {
            missing.push(format!("{}: {decision:?} {:?}", needed.of, needed.request));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(needed().len() > 400, "{}", needed().len());
}

/// Each action of each statement allows a request that the stacks need.
#[test]
fn nothing_that_the_stacks_do_not_need_is_allowed() {
    let stack = Stack::new();
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    let policies = stack.building();
    let cluster_groups = of_cluster_groups();
    for request in needed().into_iter().map(|one| one.request).chain(cluster_groups) {
        if let Decision::Allowed(statements) = decide(&policies, &request) {
            used.extend(statements.into_iter().map(|sid| (sid, request.action.clone())));
        }
    }
    for name in BUILDING {
        let policy = stack.managed(name).unwrap();
        for statement in granting(&policy) {
            for action in many(&statement["Action"]) {
                let grant = (text(&statement["Sid"]).to_owned(), text(action).to_owned());
                assert!(used.contains(&grant), "{name}: nothing needs {grant:?}");
            }
        }
    }
}

fn granting(policy: &Value) -> impl Iterator<Item = &Value> {
    many(&policy["Statement"])
        .into_iter()
        .filter(|statement| statement["Effect"] == "Allow")
}

/// The requests for the security group that EKS makes for a cluster, which has no tag of the application.
fn of_cluster_groups() -> Vec<Request> {
    let group = "arn:aws:ec2:eu-central-1:222222222222:security-group/sg-1";
    let handlers = table::handlers();
    let rules = ["AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"];
    let actions = rules.iter().flat_map(|rule| handlers[*rule].values().flatten());
    let changes = actions.filter(|action| !action.contains(":Describe"));
    changes
        .map(|action| Request::new(action, group).with("aws:ResourceTag/aws:eks:cluster-name", "orders"))
        .collect()
}

#[test]
fn rules_for_the_security_group_of_a_cluster_are_allowed() {
    let policies = Stack::new().building();
    for request in of_cluster_groups() {
        assert!(decide(&policies, &request).is_allowed(), "{request:?}");
    }
}

/// What exists in the recovery account, and is used instead of building it, has no tag of the application.
#[test]
fn what_is_adopted_is_built_in() {
    let policies = Stack::new().building();
    let ec2 = |kind: &str| format!("arn:aws:ec2:eu-central-1:222222222222:{kind}/x-1");
    let role = "arn:aws:iam::222222222222:role/teams/nodes";
    let key = "arn:aws:kms:eu-central-1:222222222222:key/1";
    let system = "arn:aws:elasticfilesystem:eu-central-1:222222222222:file-system/fs-1";
    let mut requests = vec![
        Request::new("ec2:CreateSubnet", &ec2("vpc")),
        Request::new("ec2:CreateRouteTable", &ec2("vpc")),
        Request::new("ec2:CreateSecurityGroup", &ec2("vpc")),
        Request::new("ec2:CreateVpcEndpoint", &ec2("vpc")),
        Request::new("ec2:CreateVpcEndpoint", &ec2("subnet")),
        Request::new("ec2:CreateVpcEndpoint", &ec2("security-group")),
        Request::new("ec2:CreateNatGateway", &ec2("subnet")),
        Request::new("ec2:RunInstances", &ec2("subnet")),
        Request::new("ec2:RunInstances", &ec2("security-group")),
        Request::new("ec2:CreateNetworkInterface", &ec2("subnet")),
        Request::new("elasticfilesystem:CreateAccessPoint", system),
        Request::new("elasticfilesystem:CreateMountTarget", system),
        Request::new("kms:CreateGrant", key),
        Request::new("kms:DescribeKey", key),
        Request::new("iam:GetRole", role),
    ];
    for service in [
        "eks.amazonaws.com",
        "ec2.amazonaws.com",
        "pods.eks.amazonaws.com",
        "eks-fargate-pods.amazonaws.com",
    ] {
        requests.push(Request::new("iam:PassRole", role).with("iam:PassedToService", service));
    }
    for request in requests {
        assert!(decide(&policies, &request).is_allowed(), "{request:?}");
    }
}

/// A condition on a key that an action does not have denies everything; one in a denial denies nothing or everything.
#[test]
fn every_condition_is_on_a_key_that_its_actions_have() {
    let stack = Stack::new();
    let actions = table::actions();
    let mut checked = BTreeMap::new();
    let policies = BUILDING.iter().map(|name| stack.managed(name).unwrap());
    for policy in policies.chain([stack.boundary()]) {
        for statement in many(&policy["Statement"]) {
            for (_, key, _) in conditions(statement) {
                for action in many(&statement["Action"]).into_iter().map(text) {
                    // What is denied for each action of a service is asked of none alone.
                    if key == "aws:CalledVia" || action.ends_with('*') {
                        continue;
                    }
                    let known = &actions[action];
                    let covered = known.resources.values().filter(|resource| {
                        many(&statement["Resource"])
                            .iter()
                            .any(|pattern| is_covered(&resource.arn, text(pattern)))
                    });
                    let name = key.split('/').next().unwrap();
                    let is_of_action = known.keys.iter().any(|known| known == name);
                    let mut covered = covered.peekable();
                    let is_of_resources = covered.peek().is_some()
                        && covered.all(|resource| resource.keys.iter().any(|known| known == name));
                    // A deny statement for keys of Lifeboat says nothing about aliases, which have no tags.
                    let is_of_keys = statement["Sid"] == "KeepOwnKeys";
                    assert!(
                        is_of_action || is_of_resources || is_of_keys,
                        "{}: {action} has no {key}",
                        statement["Sid"]
                    );
                    *checked.entry(name.to_owned()).or_insert(0) += 1;
                }
            }
        }
    }
    assert!(
        checked.len() >= 7 && checked[&RESOURCE_TAG[..15]] > 80,
        "{checked:?}"
    );
}

/// Whether a pattern of a policy can match ARNs of a resource type.
fn is_covered(arn: &str, pattern: &str) -> bool {
    let example = arn
        .replace("${Partition}", "aws")
        .replace("${Region}", "eu-central-1")
        .replace("${Account}", "222222222222");
    let kind = example.split("${").next().unwrap();
    let prefix = pattern.split('*').next().unwrap();
    glob::matches(pattern, &example) || prefix.starts_with(kind)
}

#[test]
fn the_schemas_do_not_name_what_the_services_ask_besides() {
    let handlers = table::handlers();
    for (r#type, operation, action) in FURTHER {
        let named = &handlers[*r#type][operation];
        assert!(!named.iter().any(|one| one == action), "{type} {action}");
    }
}
