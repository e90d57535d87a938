//! The search for identifiers of the primary in objects of types that the plan does not have: those of controllers, and
//! those that were in the target before.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_apiserver::list::PageError;
use lifeboat_model::ResourceType;
use lifeboat_plan::{Plan, TargetFacts, TargetLeftovers};

use super::Proving;
use crate::survey::listing::{PageEnd, Pages};
use crate::survey::parse;

/// Types that record what happens in the cluster. They are gone within an hour.
const RECORDS: [(&str, &str); 3] = [
    ("", "events"),
    ("events.k8s.io", "events"),
    ("coordination.k8s.io", "leases"),
];

/// Returns the types of the target that the proof does not read back, if a search has a purpose.
pub(super) fn types(
    plan: &Plan,
    facts: &TargetFacts,
    planned: &BTreeMap<&ResourceType, Vec<usize>>,
) -> Vec<ResourceType> {
    if !plan.has_identities() {
        return Vec::new();
    }
    let planned: BTreeSet<(&str, &str)> = planned
        .keys()
        .map(|resource| (resource.group.as_str(), resource.resource.as_str()))
        .collect();
    let others = facts.types.iter().filter(|served| {
        let names = (served.group.as_str(), served.resource.as_str());
        !planned.contains(&names) && !RECORDS.contains(&names)
    });
    let types = others.filter_map(|served| {
        let version = served.versions.first()?;
        let is_listed = version.verbs.iter().any(|verb| verb == "list");
        is_listed.then(|| ResourceType {
            group: served.group.clone(),
            version: version.version.clone(),
            resource: served.resource.clone(),
            kind: version.kind.clone(),
            namespaced: version.namespaced,
        })
    });
    types.collect()
}

impl Proving<'_> {
    /// Looks for identifiers of the primary in all objects of a type that the plan does not have. Returns why the type
    /// could not be read; that does not fail the proof, which is about the plan.
    pub(super) async fn search(&self, resource: &ResourceType) -> Option<String> {
        match self.leftovers_of(resource).await {
            Ok(leftovers) => {
                self.report().leftovers(leftovers);
                None
            }
            Err(error) if error.status() == Some(404) => None,
            Err(error) => Some(format!(
                "{} were not searched for identifiers of the primary: {error}.",
                resource.name()
            )),
        }
    }

    async fn leftovers_of(&self, resource: &ResourceType) -> Result<TargetLeftovers, PageError> {
        let path = resource.collection_path();
        let mut pages = Pages::new(self.api, &path, Some(&self.version));
        let mut leftovers = TargetLeftovers::default();
        loop {
            let end = pages
                .next(|item, _| {
                    if self.plan.may_name_primary(resource, item)
                        && let Some(live) = parse(item, resource)
                    {
                        self.plan.find_leftovers(resource, None, live, &mut leftovers);
                    }
                })
                .await?;
            match end {
                PageEnd::More => {}
                PageEnd::Last => return Ok(leftovers),
                PageEnd::Restarted => leftovers = TargetLeftovers::default(),
            }
        }
    }
}
