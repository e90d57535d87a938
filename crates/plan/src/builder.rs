//! Collects what a plan is made from: a summary of every object, never its whole body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lifeboat_model::{ErrorKind, ObjectRef, Problem, TypeName};
use serde_json::Value;

use crate::digest::Redactor;
use crate::settings::Settings;
use crate::{Locator, Plan, RestoreOptions, SourceType, TargetFacts, prepare, skip};

pub(crate) mod crds;
pub(crate) mod needs;
mod reading;
pub(crate) mod summary;

use crds::CrdFacts;
use reading::MetadataOnly;
use summary::{ObjectSummary, Skipped};

/// The objects of one captured cluster, on their way to a plan.
#[derive(Debug)]
pub struct PlanBuilder {
    pub(crate) settings: Arc<Settings>,
    pub(crate) types: Vec<SourceType>,
    pub(crate) point: String,
    pub(crate) cluster: String,
    pub(crate) items: Vec<ObjectSummary>,
    pub(crate) skipped: Vec<Skipped>,
    /// Objects that the point holds and that the selection does not take.
    pub(crate) unselected: BTreeSet<Known>,
    /// The uids of unselected objects that were shown, for owners.
    pub(crate) unselected_uids: BTreeSet<Box<str>>,
    pub(crate) crds: BTreeMap<(String, String), CrdFacts>,
    pub(crate) namespaces: BTreeSet<Arc<str>>,
    pub(crate) terminating: BTreeSet<Arc<str>>,
    /// Services that have a selector.
    pub(crate) selecting: BTreeSet<(Arc<str>, Box<str>)>,
    /// The addresses of the API server's own Service: the first of each range of the source.
    pub(crate) first_addresses: Vec<std::net::IpAddr>,
    pub(crate) patch_faults: Vec<(ObjectRef, prepare::PatchFault)>,
    pub(crate) patch_uses: Vec<u64>,
}

/// A type (its place in [`PlanBuilder::types`]), a namespace and a name of the source.
pub(crate) type Known = (u32, Option<Arc<str>>, Box<str>);

/// Objects of one type that the survey of the target should look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedType {
    /// The type.
    pub type_name: TypeName,
    /// Namespace (none for types without) and name.
    pub targets: BTreeSet<(Option<String>, String)>,
}

/// Why no plan can be made; every fault that was found, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("make a plan: {} fault(s), the first: {}", .problems.len(), .problems.first().map_or("", |p| &p.message))]
pub struct PlanError {
    /// The faults, each with code and guidance.
    pub problems: Vec<Problem>,
}

impl PlanError {
    /// What to do about it: the options or the point are wrong, trying again does not help.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Bytes that are not an object of the type they were observed as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read an object of {type_name} in frame {frame} at {position}: {fault}")]
pub struct ObserveError {
    /// The type.
    pub type_name: TypeName,
    /// [`Locator::frame`].
    pub frame: u32,
    /// [`Locator::position`].
    pub position: u32,
    /// What is wrong; never a value of the object.
    pub fault: String,
}

impl ObserveError {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }
}

impl PlanBuilder {
    /// An empty draft for a cluster of a recovery point. `redactor` makes the digests that stand for
    /// values; it belongs to the point.
    #[must_use]
    pub fn new(
        options: RestoreOptions,
        types: &[SourceType],
        point: &str,
        cluster: &str,
        redactor: Redactor,
    ) -> Self {
        let mut types = types.to_vec();
        // Places in this list are part of the order of some results.
        types.sort();
        let settings = Settings::compile(options, redactor);
        let patch_uses = vec![0; settings.patches.len()];
        Self {
            settings: Arc::new(settings),
            types,
            point: point.to_owned(),
            cluster: cluster.to_owned(),
            items: Vec::new(),
            skipped: Vec::new(),
            unselected: BTreeSet::new(),
            unselected_uids: BTreeSet::new(),
            crds: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            terminating: BTreeSet::new(),
            selecting: BTreeSet::new(),
            first_addresses: Vec::new(),
            patch_faults: Vec::new(),
            patch_uses,
        }
    }

    /// Whether the object must be shown to [`PlanBuilder::add`]; for others [`PlanBuilder::add_unselected`] is enough,
    /// so that a small selection does not read the whole point. CustomResourceDefinitions, Namespaces and
    /// Services are always needed: the plan of other objects depends on them.
    #[must_use]
    pub fn needs(&self, r#type: &SourceType, namespace: Option<&str>, name: &str) -> bool {
        is_context(r#type) || self.takes(r#type, namespace, name, None)
    }

    /// Says that the recovery point holds an object which is not shown.
    pub fn add_unselected(&mut self, r#type: &SourceType, namespace: Option<&str>, name: &str) {
        let Some(index) = self.type_index(r#type) else {
            return;
        };
        let namespace = self.intern(namespace);
        self.unselected.insert((index, namespace, name.into()));
    }

    /// Shows an object. The order in which objects are shown does not matter.
    ///
    /// # Errors
    /// [`ObserveError`] if the bytes are not such an object, or the type is not one of [`PlanBuilder::new`].
    pub fn add(&mut self, r#type: &SourceType, locator: Locator, raw: &[u8]) -> Result<(), ObserveError> {
        let fault = |fault: &str| ObserveError {
            type_name: r#type.resource.name(),
            frame: locator.frame,
            position: locator.position,
            fault: fault.to_owned(),
        };
        let index = self
            .type_index(r#type)
            .ok_or_else(|| fault("its type is not one of the recovery point"))?;
        let whole_type = skip::whole_type(r#type);
        if let Some(rule) = whole_type {
            let slim: MetadataOnly =
                serde_json::from_slice(raw).map_err(|_| fault("it is not a JSON object with metadata"))?;
            self.record_slim(r#type, index, rule, slim);
            return Ok(());
        }
        let object: Value = match serde_json::from_slice(raw) {
            Ok(object) => object,
            Err(_) => {
                // Reading the few fields skips all others, however deep they are.
                let slim = (reading::depth(raw) > reading::DEEPEST).then(|| serde_json::from_slice(raw));
                let Some(Ok(slim)) = slim else {
                    return Err(fault("it is not JSON"));
                };
                self.record_slim(r#type, index, crate::RuleId::NestedTooDeep, slim);
                return Ok(());
            }
        };
        let name = lifeboat_translate::pointer::text(&object, "/metadata/name")
            .ok_or_else(|| fault("it has no name"))?
            .to_owned();
        self.record(r#type, index, locator, &name, object);
        Ok(())
    }

    /// Whether the selection takes an object. Without labels (they are not in the index) the answer is
    /// yes where labels could still decide.
    fn takes(
        &self,
        r#type: &SourceType,
        namespace: Option<&str>,
        name: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> bool {
        let selection = &self.settings.selection;
        let filter = &selection.filter;
        let resource = &r#type.resource;
        let type_fits = (filter.types.is_empty() || filter.types.iter().any(|t| r#type.is_named_by(t)))
            && !filter.exclude_types.iter().any(|t| r#type.is_named_by(t));
        // A selected namespace brings its Namespace object.
        let is_namespace = resource.group.is_empty() && resource.resource == "namespaces";
        let namespace_fits =
            if is_namespace && !filter.namespaces.is_empty() && filter.cluster_scoped.is_none() {
                filter.takes_namespace(Some(name))
            } else if is_namespace && filter.exclude_namespaces.iter().any(|n| n == name) {
                false
            } else {
                filter.takes_namespace(namespace)
            };
        type_fits
            && namespace_fits
            && (selection.names.is_empty()
                || selection
                    .names
                    .iter()
                    .any(|pattern| lifeboat_translate::glob::matches(pattern, name)))
            && labels.is_none_or(|labels| filter.labels.matches(labels))
    }

    fn type_index(&self, r#type: &SourceType) -> Option<u32> {
        let index = self.types.binary_search(r#type).ok()?;
        u32::try_from(index).ok()
    }

    fn intern(&mut self, namespace: Option<&str>) -> Option<Arc<str>> {
        let namespace = namespace.filter(|n| !n.is_empty())?;
        if let Some(known) = self.namespaces.get(namespace) {
            return Some(known.clone());
        }
        let new: Arc<str> = namespace.into();
        self.namespaces.insert(new.clone());
        Some(new)
    }

    /// The name of a source object.
    pub(crate) fn source_ref(&self, index: u32, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef::new(self.source_type(index).resource.name(), namespace, name)
    }

    pub(crate) fn source_type(&self, index: u32) -> &SourceType {
        let index = usize::try_from(index).expect("a u32 fits");
        &self.types[index]
    }

    /// What the survey of the target should look for: every object that may be planned, and what such
    /// objects need.
    #[must_use]
    pub fn wanted(&self) -> Vec<WantedType> {
        let mut wanted: BTreeMap<TypeName, BTreeSet<(Option<String>, String)>> = BTreeMap::new();
        for item in &self.items {
            let target = self.target_ref(item);
            if let Some(namespace) = &target.namespace {
                wanted
                    .entry("namespaces".into())
                    .or_default()
                    .insert((None, namespace.clone()));
            }
            for need in &item.needs {
                let needed = need.object(target.namespace.as_deref());
                wanted
                    .entry(needed.r#type)
                    .or_default()
                    .insert((needed.namespace, needed.name));
            }
            let r#type = &self.source_type(item.r#type).resource;
            if let Some(crd) = self.crds.get(&(r#type.group.clone(), r#type.resource.clone())) {
                let name = (None, crd.name.clone());
                wanted.entry(crds::TYPE.into()).or_default().insert(name);
            }
            wanted
                .entry(target.r#type)
                .or_default()
                .insert((target.namespace, target.name));
        }
        wanted
            .into_iter()
            .map(|(type_name, targets)| WantedType { type_name, targets })
            .collect()
    }

    /// The object in the target.
    pub(crate) fn target_ref(&self, item: &ObjectSummary) -> ObjectRef {
        let r#type = &self.source_type(item.r#type).resource;
        let namespaces = &self.settings.namespaces;
        let is_namespace = r#type.group.is_empty() && r#type.resource == "namespaces";
        let name = if is_namespace {
            namespaces.map(&item.name)
        } else {
            &item.name
        };
        ObjectRef::new(
            r#type.name(),
            item.namespace.as_deref().map(|n| namespaces.map(n)),
            name,
        )
    }

    /// Makes the plan.
    ///
    /// # Errors
    /// [`PlanError`] lists every fault of options and point that was found.
    pub fn plan(&self, target: &TargetFacts) -> Result<Plan, PlanError> {
        crate::resolve::resolve(self, target)
    }
}

/// Types whose objects other objects' plans depend on.
fn is_context(r#type: &SourceType) -> bool {
    matches!(
        (r#type.resource.group.as_str(), r#type.resource.resource.as_str()),
        (crds::GROUP, crds::RESOURCE) | ("", "namespaces" | "services")
    )
}
