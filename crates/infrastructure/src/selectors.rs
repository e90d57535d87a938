//! Subnets and security groups that objects select by their tags, of which a name is one (`Name`).
//!
//! What is built keeps its tags. What is adopted has those of its owner: another name is translated where the objects have
//! it, and for everything else the counterparts must have the tags.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::Code;
use lifeboat_translate::identity::Kind;

use crate::bindings::is_made_by_others;
use crate::context::{CLUSTER_TAG, Context};
use crate::counterpart::{Candidate, CandidateKind};
use crate::description::filters::{Filters, GROUP_NAME, NAME, TAG};
use crate::description::security_group::SecurityGroup;
use crate::description::{Descriptions, Tags};
use crate::facts::RecoveryFacts;
use crate::finding::Findings;

/// A subnet or security group of the primary.
struct Selected<'a> {
    id: &'a str,
    tags: &'a Tags,
    group: Option<&'a SecurityGroup>,
}

/// Subnets or security groups, and what objects select them by.
struct Side<'a> {
    kind: Kind,
    candidate: CandidateKind,
    filters: &'a [Filters],
    all: Vec<Selected<'a>>,
}

fn sides(descriptions: &Descriptions) -> [Side<'_>; 2] {
    let subnets = descriptions.subnets.iter().map(|subnet| Selected {
        id: &subnet.subnet_id,
        tags: &subnet.tags,
        group: None,
    });
    let groups = descriptions.security_groups.iter().map(|group| Selected {
        id: &group.group_id,
        tags: &group.tags,
        group: Some(group),
    });
    [
        Side {
            kind: Kind::SubnetName,
            candidate: CandidateKind::Subnet,
            filters: &descriptions.subnet_filters,
            all: subnets.collect(),
        },
        Side {
            kind: Kind::SecurityGroupName,
            candidate: CandidateKind::SecurityGroup,
            filters: &descriptions.security_group_filters,
            all: groups.collect(),
        },
    ]
}

/// Returns the candidate that takes the place of a resource.
fn counterpart<'f>(
    side: &Side<'_>,
    id: &str,
    facts: &'f RecoveryFacts,
    adopted: &BTreeMap<&str, &str>,
) -> Option<&'f Candidate> {
    let to = adopted.get(id)?;
    let mut candidates = facts.candidates.iter();
    candidates.find(|one| one.kind == side.candidate && one.id == *to)
}

/// Returns the names (tags `Name`) by which objects select what is adopted under another name, with that name. A name of
/// several resources is translated if they have one name there too; one that becomes the name of two is not.
pub(crate) fn names(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    adopted: &BTreeMap<&str, &str>,
) -> Vec<(Kind, String, String)> {
    let mut all = Vec::new();
    for side in sides(descriptions) {
        let mut pairs: BTreeMap<&str, &str> = BTreeMap::new();
        let used = side
            .filters
            .iter()
            .filter_map(|filters| filters.0.get(NAME))
            .flatten();
        for name in used.map(String::as_str).collect::<BTreeSet<&str>>() {
            let of_name = side
                .all
                .iter()
                .filter(|one| one.tags.get("Name").is_some_and(|own| own == name));
            let there: Option<BTreeSet<&str>> = of_name
                .map(|one| {
                    Some(
                        counterpart(&side, one.id, facts, adopted)?
                            .tags
                            .get("Name")?
                            .as_str(),
                    )
                })
                .collect();
            if let Some(there) = there.filter(|there| there.len() == 1) {
                pairs.extend(there.first().filter(|to| **to != name).map(|to| (name, *to)));
            }
        }
        let is_name = |text: &str| {
            let names_primary =
                text.contains(descriptions.account.as_str()) || text.contains(descriptions.region.as_str());
            !text.is_empty() && !text.contains(',') && text == text.trim() && !names_primary
        };
        for (from, to) in &pairs {
            let is_one = pairs.values().filter(|other| *other == to).count() == 1;
            if is_one && !pairs.contains_key(to) && is_name(to) && !from.contains(',') && *from == from.trim()
            {
                all.push((side.kind, (*from).to_owned(), (*to).to_owned()));
            }
        }
    }
    all
}

/// Finds what objects select and their controllers would not find in the recovery environment.
pub(crate) fn find(context: &Context<'_>, findings: &mut Findings) {
    let bindings = &context.bindings;
    let names = names(context.descriptions, context.facts, &bindings.adopted);
    for side in sides(context.descriptions) {
        let renamed = |name: &str| {
            let mut names = names.iter();
            let found = names.find(|(kind, from, _)| *kind == side.kind && from == name);
            found.map(|(_, _, to)| to.clone())
        };
        for filters in side.filters {
            let there = translated(filters, context, &renamed);
            let selected = side.all.iter().filter(|one| {
                let group = one.group.map(|group| group.group_name.as_str());
                filters.select(one.tags, group)
            });
            for one in selected {
                let adopted = bindings.adopted.get(one.id);
                let candidate = counterpart(&side, one.id, context.facts, &bindings.adopted);
                let (is_selected, what) = match (adopted, candidate) {
                    (Some(to), Some(candidate)) => (
                        there.select(&candidate.tags, candidate.name.as_deref()),
                        format!("its counterpart {to} has other tags"),
                    ),
                    // Nobody has looked.
                    (Some(_), None) => continue,
                    (None, _) => {
                        let (tags, name) = built(one, context);
                        let made = "the one that is built in its place has not all of its tags".to_owned();
                        (there.select(&tags, name.as_deref()), made)
                    }
                };
                if !is_selected {
                    let by = there.shown();
                    let what = format!("objects select it by {by}; {what}");
                    findings.warning(Code::SelectorWithoutCounterpart, one.id, what);
                }
            }
        }
    }
}

/// Returns filters as objects have them once they are translated.
fn translated(filters: &Filters, context: &Context<'_>, renamed: &dyn Fn(&str) -> Option<String>) -> Filters {
    let all = filters
        .0
        .iter()
        .map(|(filter, values)| match filter.strip_prefix(TAG) {
            Some("Name") => {
                let values = values
                    .iter()
                    .map(|value| renamed(value).unwrap_or_else(|| context.text(value)));
                (filter.clone(), values.collect())
            }
            Some(key) => {
                let values = values.iter().map(|value| context.tag(key, value).1);
                (format!("{TAG}{}", context.tag(key, "").0), values.collect())
            }
            None => {
                let values = values.iter().map(|value| context.text(value));
                (GROUP_NAME.to_owned(), values.collect())
            }
        });
    Filters(all.collect())
}

/// Returns the tags of a resource that is built, and its name as a group.
fn built(one: &Selected<'_>, context: &Context<'_>) -> (Tags, Option<String>) {
    match one.group {
        // EKS tags the group of a cluster with the name of the cluster, and gives it another name.
        Some(group) if is_made_by_others(group) => {
            let is_of_cluster = |key: &str| key.starts_with("aws:eks:") || key.starts_with(CLUSTER_TAG);
            let tags = one.tags.iter().filter(|(key, _)| is_of_cluster(key));
            (tags.map(|(key, value)| context.tag(key, value)).collect(), None)
        }
        // It comes with the VPC.
        Some(group) if group.group_name == "default" => (Tags::new(), Some("default".to_owned())),
        group => (
            context.tags(one.tags),
            group.map(|group| context.text(&group.group_name)),
        ),
    }
}
