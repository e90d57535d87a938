//! Security groups. Rules that refer to groups are resources of their own, because two groups may refer to each other.

use lifeboat_model::Code;
use serde_json::{Map, Value, json};

use crate::bindings::is_made_by_others;
use crate::builder::Builder;
use crate::description::security_group::{SecurityGroup, SecurityGroupRule};
use crate::names;
use crate::stack::{Stack, json};
use crate::template::{Resource, attribute};

pub(super) fn build(builder: &mut Builder<'_, '_>) {
    let all = builder.context.descriptions;
    for group in &all.security_groups {
        let id = group.group_id.as_str();
        let Some(made) = builder.own(id) else { continue };
        let is_default = group.group_name == "default";
        if !is_default {
            let Some(vpc) = builder.needed(id, &group.vpc_id) else {
                continue;
            };
            let resource = self::group(builder, group).with("VpcId", vpc);
            builder.add(&made.logical, resource);
        }
        builder.output(&made.output, made.value.clone());
        for rule in &group.rules {
            // The default group of a new VPC lets its members reach each other and everything else.
            let is_there = is_default && rule.ip_protocol == "-1";
            let is_inline = !is_default && rule.referenced_group_info.is_none();
            if !is_there && !is_inline {
                single(builder, group, rule, &made.value);
            }
        }
    }
}

fn group(builder: &mut Builder<'_, '_>, group: &SecurityGroup) -> Resource {
    let inline = group
        .rules
        .iter()
        .filter(|rule| rule.referenced_group_info.is_none());
    let (mut ingress, mut egress) = (Vec::new(), Vec::new());
    for rule in inline {
        let Some(properties) = rule_of(builder, &group.group_id, rule) else {
            continue;
        };
        let list = if rule.is_egress { &mut egress } else { &mut ingress };
        list.push(Value::Object(properties));
    }
    if egress.is_empty() {
        // Without any rule CloudFormation lets everything out; this one lets nothing out.
        egress.push(
            json!({"CidrIp": "255.255.255.255/32", "IpProtocol": "icmp", "FromPort": 252, "ToPort": 86,
                           "Description": "Lets nothing out"}),
        );
    }
    Resource::new("AWS::EC2::SecurityGroup")
        .with("GroupName", builder.context.text(&group.group_name))
        .with("GroupDescription", builder.context.text(&group.description))
        .with("SecurityGroupIngress", ingress)
        .with("SecurityGroupEgress", egress)
        .with("Tags", builder.tag_list(&group.tags))
}

/// Returns the properties that ingress and egress rules of all forms have, without the group that a rule refers to.
fn rule_of(builder: &mut Builder<'_, '_>, of: &str, rule: &SecurityGroupRule) -> Option<Map<String, Value>> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            properties.insert(name.to_owned(), value);
        }
    };
    set("IpProtocol", json!(rule.ip_protocol));
    if rule.ip_protocol != "-1" {
        set("FromPort", json(&rule.from_port));
        set("ToPort", json(&rule.to_port));
    }
    set("CidrIp", json(&rule.cidr_ipv4));
    set("CidrIpv6", json(&rule.cidr_ipv6));
    set(
        "Description",
        rule.description
            .as_deref()
            .map_or(Value::Null, |text| json!(builder.context.text(text))),
    );
    if let Some(list) = &rule.prefix_list_id {
        let own = Some(list.as_str()).filter(|_| builder.context.is_primary);
        let Some(to) = own.or(builder.context.bindings.adopted.get(list.as_str()).copied()) else {
            let what = format!("its rule for the prefix list {list} is left out: the list is not mapped");
            builder.findings.warning(Code::CounterpartUnknown, of, what);
            return None;
        };
        let name = if rule.is_egress {
            "DestinationPrefixListId"
        } else {
            "SourcePrefixListId"
        };
        set(name, json!(to));
    }
    Some(properties)
}

/// Adds a rule as a resource of its own. One that refers to the group of a cluster is built by the stack of the
/// cluster.
fn single(builder: &mut Builder<'_, '_>, group: &SecurityGroup, rule: &SecurityGroupRule, of: &Value) {
    let id = group.group_id.as_str();
    let referenced = rule
        .referenced_group_info
        .as_ref()
        .map(|referenced| referenced.group_id.as_str());
    let all = builder.context.descriptions;
    let made = referenced.and_then(|referenced| builder.context.bindings.made.get(referenced));
    if made.is_some_and(|made| matches!(made.stack, Stack::Cluster(_))) {
        return;
    }
    let is_of_others = all
        .security_groups
        .iter()
        .any(|other| Some(other.group_id.as_str()) == referenced && is_made_by_others(other));
    if is_of_others {
        let what = format!(
            "its rule for {} is left out: a controller in the cluster makes that group",
            referenced.unwrap_or_default()
        );
        return builder.findings.note(Code::BuiltLater, id, what);
    }
    let other = match referenced {
        Some(referenced) => match builder.needed(id, referenced) {
            Some(other) => Some(other),
            None => return,
        },
        None => None,
    };
    add(builder, group, rule, of, other);
}

/// Adds a rule of a group, with the group that it refers to.
fn add(
    builder: &mut Builder<'_, '_>,
    group: &SecurityGroup,
    rule: &SecurityGroupRule,
    of: &Value,
    other: Option<Value>,
) {
    let Some(properties) = rule_of(builder, &group.group_id, rule) else {
        return;
    };
    let (r#type, reference) = if rule.is_egress {
        ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId")
    } else {
        ("AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId")
    };
    let mut resource = Resource::new(r#type).with("GroupId", of.clone());
    if let Some(other) = other {
        resource = resource.with(reference, other);
    }
    for (name, value) in properties {
        resource = resource.with(&name, value);
    }
    let key = format!("{}{}", group.group_id, json(rule));
    builder.add(format!("Rule{}", names::digest(&key)), resource);
}

/// Adds the rules that need the group of a cluster: those of the group itself, and those of others that refer to it.
pub(crate) fn of_cluster(builder: &mut Builder<'_, '_>, cluster_group: &str) {
    let own = attribute("Cluster", "ClusterSecurityGroupId");
    let all = builder.context.descriptions;
    for group in &all.security_groups {
        let is_own = group.group_id == cluster_group;
        for rule in &group.rules {
            let referenced = rule
                .referenced_group_info
                .as_ref()
                .map(|group| group.group_id.as_str());
            let refers = referenced == Some(cluster_group);
            // EKS lets the members of its group reach each other and everything else.
            let is_there = is_own && rule.ip_protocol == "-1" && (refers || rule.is_egress);
            if is_there || !(is_own || refers) || (!is_own && is_made_by_others(group)) {
                continue;
            }
            let of = if is_own {
                Some(own.clone())
            } else {
                builder.needed(&group.group_id, &group.group_id)
            };
            let other = match referenced {
                Some(_) if refers => Some(own.clone()),
                Some(referenced) => match builder.needed(&group.group_id, referenced) {
                    Some(other) => Some(other),
                    None => continue,
                },
                None => None,
            };
            if let Some(of) = of {
                add(builder, group, rule, &of, other);
            }
        }
    }
}
