//! Selects the version in which objects of each type are written to the target.

use std::collections::BTreeSet;

use lifeboat_model::ResourceType;

use super::Resolver;
use crate::Action;
use crate::builder::crds;
use crate::rule::RuleId;
use crate::source::SourceType;
use crate::target::ServedType;

/// The version for one type.
#[derive(Debug, Clone)]
pub(super) enum Version {
    /// The captured version.
    Same(ResourceType),
    /// Another version; for built-in types only after a strict dry run.
    Other { resource: ResourceType, preflight: bool },
    /// No version, with the rule and a detail.
    No(RuleId, String),
}

impl Version {
    pub(super) fn resource(&self) -> Option<ResourceType> {
        match self {
            Self::Same(resource) | Self::Other { resource, .. } => Some(resource.clone()),
            Self::No(..) => None,
        }
    }

    pub(super) fn needs_preflight(&self) -> bool {
        matches!(self, Self::Other { preflight: true, .. })
    }
}

pub(super) fn negotiate(work: &Resolver<'_>) -> Vec<Version> {
    let in_use: BTreeSet<u32> = work.draft.items.iter().map(|item| item.r#type).collect();
    (0_u32..)
        .zip(&work.draft.types)
        .map(|(index, r#type)| {
            if in_use.contains(&index) {
                of_type(work, r#type)
            } else {
                Version::Same(r#type.resource.clone())
            }
        })
        .collect()
}

/// Returns the action on the definition of a type, if it is planned.
pub(super) fn planned_definition(work: &Resolver<'_>, name: &str) -> Option<Action> {
    (0..work.draft.items.len())
        .find(|index| {
            &*work.item(*index).name == name
                && work.is_planned(*index)
                && work.is_type(*index, crds::GROUP, crds::RESOURCE)
        })
        .map(|index| work.decisions.actions[index])
}

fn of_type(work: &Resolver<'_>, r#type: &SourceType) -> Version {
    let captured = &r#type.resource;
    let served = work
        .facts
        .types
        .iter()
        .find(|t| t.group == captured.group && t.resource == captured.resource);
    let crd = work.draft.definition_of(captured);
    let definition = crd.and_then(|crd| planned_definition(work, &crd.name));
    let brings_version = crd.is_some_and(|crd| crd.served.contains_key(&captured.version))
        && definition.is_some_and(|action| action != Action::Keep);
    if brings_version {
        return Version::Same(captured.clone());
    }
    let Some(served) = served else {
        let detail = match crd {
            Some(crd) => format!("its CustomResourceDefinition {} is not in the plan", crd.name),
            None => format!("no API server of {} answers in the target", captured.name()),
        };
        return Version::No(RuleId::TypeNotServed, detail);
    };
    if let Some(same) = served.versions.iter().find(|v| v.version == captured.version) {
        if !same.verbs.is_empty() && !same.verbs.iter().any(|verb| verb == "create") {
            return Version::No(
                RuleId::ReadOnlyType,
                "the target does not allow `create`".to_owned(),
            );
        }
        if same.namespaced != captured.namespaced {
            let detail = "it is namespaced in one cluster and cluster-scoped in the other";
            return Version::No(RuleId::VersionNotServed, detail.to_owned());
        }
        return Version::Same(captured.clone());
    }
    other_version(r#type, served, crd.is_some_and(|crd| !crd.converts_by_webhook))
}

/// Returns a version that both clusters serve. Between versions of a CustomResourceDefinition without a conversion
/// webhook only the version name differs. For a built-in type only the API server knows what a conversion would lose,
/// so a strict dry run checks it first.
fn other_version(r#type: &SourceType, served: &ServedType, converts_by_name: bool) -> Version {
    let captured = &r#type.resource;
    let common = served.versions.iter().find(|version| {
        r#type.served_versions.contains(&version.version)
            && version.namespaced == captured.namespaced
            && (version.verbs.is_empty() || version.verbs.iter().any(|verb| verb == "create"))
    });
    match common {
        Some(version) if converts_by_name || !r#type.custom => Version::Other {
            resource: ResourceType {
                version: version.version.clone(),
                kind: version.kind.clone(),
                ..captured.clone()
            },
            preflight: !r#type.custom,
        },
        _ => {
            let versions: Vec<&str> = served.versions.iter().map(|v| v.version.as_str()).collect();
            let detail = format!(
                "captured in {}, the target serves {}",
                captured.version,
                versions.join(", ")
            );
            Version::No(RuleId::VersionNotServed, detail)
        }
    }
}

pub(super) fn skip_unserved(work: &mut Resolver<'_>) {
    for index in 0..work.decisions.exclusions.len() {
        let r#type = usize::try_from(work.item(index).r#type).expect("a u32 fits");
        if work.is_planned(index)
            && let Version::No(rule, detail) = &work.decisions.versions[r#type]
        {
            work.decisions.exclusions[index] = Some((*rule, Some(detail.clone())));
        }
    }
}
