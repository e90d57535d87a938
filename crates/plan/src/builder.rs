//! Collects the input of a plan: a summary of every object, never its whole body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lifeboat_model::{ErrorKind, ObjectRef, Problem, ResourceType, TypeName, Uid};
use serde_json::Value;

use crate::digest::Redactor;
use crate::settings::Settings;
use crate::{Locator, Plan, RestoreOptions, SourceCompleteness, SourceType, TargetFacts, eks, prepare, skip};

pub(crate) mod crds;
pub(crate) mod needs;
mod reading;
pub(crate) mod required;
pub(crate) mod schemas;
pub(crate) mod summary;
pub(crate) mod uids;
pub(crate) mod workloads;

use crds::CrdFacts;
use reading::MetadataOnly;
pub use required::RequiredType;
use schemas::Schemas;
use summary::{ObjectSummary, Skipped};
use uids::UidReference;
use workloads::WorkloadFacts;

/// The summaries of the objects of one captured cluster, from which a plan is made.
#[derive(Debug)]
pub struct PlanBuilder {
    pub(crate) settings: Arc<Settings>,
    pub(crate) types: Vec<SourceType>,
    /// The names of the types, in the same order.
    type_names: Vec<TypeName>,
    pub(crate) point: String,
    pub(crate) cluster: String,
    pub(crate) items: Vec<ObjectSummary>,
    pub(crate) skipped: Vec<Skipped>,
    /// Objects of the recovery point that the selection excludes.
    pub(crate) unselected: BTreeSet<Known>,
    /// The UIDs of unselected objects that were added, to resolve owners.
    pub(crate) unselected_uids: BTreeSet<Uid>,
    /// The uids in fields of items.
    pub(crate) uid_references: Vec<UidReference>,
    pub(crate) crds: BTreeMap<(String, String), CrdFacts>,
    /// The schemas that custom resources are checked against.
    pub(crate) schemas: Schemas,
    pub(crate) namespaces: BTreeSet<Arc<str>>,
    /// The names of the field managers of items.
    pub(crate) managers: BTreeSet<Arc<str>>,
    pub(crate) terminating: BTreeSet<Arc<str>>,
    /// The namespaces whose Namespace objects were added.
    pub(crate) existing_namespaces: BTreeSet<Arc<str>>,
    pub(crate) completeness: SourceCompleteness,
    /// The selectors of Services that have one.
    pub(crate) selecting: BTreeMap<(Arc<str>, Arc<str>), Selector>,
    /// The Pods of workloads.
    pub(crate) workloads: WorkloadFacts,
    /// Types of which objects without a class are to be restored.
    pub(crate) classless: BTreeSet<&'static str>,
    /// The addresses of the API server's own Service, each the first usable address of a Service range of the source.
    pub(crate) first_addresses: Vec<std::net::IpAddr>,
    /// The principals that `aws-auth` of the source lets in.
    pub(crate) principals: BTreeSet<eks::Principal>,
    pub(crate) patch_faults: Vec<(ObjectRef, prepare::PatchFault)>,
    pub(crate) patch_uses: Vec<u64>,
}

/// The labels by which a Service selects its Pods.
pub(crate) type Selector = Box<[(Box<str>, Box<str>)]>;

/// A type (its index in [`PlanBuilder::types`]), a namespace and a name in the source.
pub(crate) type Known = (u32, Option<Arc<str>>, Box<str>);

/// The error of a plan that cannot be made, with every fault that was found, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("make a plan: {} fault(s), the first: {}", .problems.len(), .problems.first().map_or("", |p| &p.message))]
pub struct PlanError {
    /// The faults, each with code and guidance.
    pub problems: Vec<Problem>,
}

impl PlanError {
    /// Returns how a caller should react: the options or the recovery point are wrong, and a retry does not help.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// The error for bytes that are not an object of the type that they were added as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read an object of {type_name} in frame {frame} at {position}: {fault}")]
pub struct ObserveError {
    /// The type.
    pub type_name: TypeName,
    /// [`Locator::frame`].
    pub frame: u32,
    /// [`Locator::position`].
    pub position: u32,
    /// The fault; never contains a value of the object.
    pub fault: String,
}

impl ObserveError {
    /// Returns how a caller should react.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }
}

impl PlanBuilder {
    /// Creates an empty builder for a cluster of a recovery point. `redactor` must have the key of that recovery
    /// point.
    #[must_use]
    pub fn new(
        options: RestoreOptions,
        types: &[SourceType],
        point: &str,
        cluster: &str,
        redactor: Redactor,
    ) -> Self {
        let mut types = types.to_vec();
        // The order of some results depends on the indexes in this list.
        types.sort();
        let settings = Settings::compile(options, redactor);
        let patch_uses = vec![0; settings.patches.len()];
        Self {
            settings: Arc::new(settings),
            type_names: types.iter().map(|known| known.resource.name()).collect(),
            types,
            point: point.to_owned(),
            cluster: cluster.to_owned(),
            items: Vec::new(),
            skipped: Vec::new(),
            unselected: BTreeSet::new(),
            unselected_uids: BTreeSet::new(),
            uid_references: Vec::new(),
            crds: BTreeMap::new(),
            schemas: Schemas::default(),
            namespaces: BTreeSet::new(),
            managers: BTreeSet::new(),
            terminating: BTreeSet::new(),
            existing_namespaces: BTreeSet::new(),
            completeness: SourceCompleteness::default(),
            selecting: BTreeMap::new(),
            workloads: WorkloadFacts::default(),
            classless: BTreeSet::new(),
            first_addresses: Vec::new(),
            principals: BTreeSet::new(),
            patch_faults: Vec::new(),
            patch_uses,
        }
    }

    /// Adds what the recovery point says about its own completeness.
    #[must_use]
    pub fn with_completeness(mut self, completeness: SourceCompleteness) -> Self {
        self.completeness = completeness;
        self
    }

    /// Limits the memory for schemas to the types of which objects will be added.
    #[must_use]
    pub fn with_types_in_use(mut self, types: BTreeSet<TypeName>) -> Self {
        self.schemas.limit_to(types);
        self
    }

    /// Returns whether objects of this type are to be added before those of other types, which are judged by them:
    /// CustomResourceDefinitions.
    #[must_use]
    pub fn comes_first(r#type: &TypeName) -> bool {
        r#type.as_str() == crds::TYPE
    }

    /// Returns whether the object must be passed to [`PlanBuilder::add`]. For others [`PlanBuilder::add_unselected`]
    /// is enough, so that a small selection does not read the whole recovery point. CustomResourceDefinitions,
    /// Namespaces, Services and ControllerRevisions are always needed, because the plan of other objects depends on them.
    #[must_use]
    pub fn needs(&self, r#type: &SourceType, namespace: Option<&str>, name: &str) -> bool {
        is_context(r#type) || self.takes(r#type, namespace, name, None)
    }

    /// Records that the recovery point contains an object that is not selected.
    pub fn add_unselected(&mut self, r#type: &SourceType, namespace: Option<&str>, name: &str) {
        let Some(index) = self.type_index(r#type) else {
            return;
        };
        let namespace = self.intern(namespace);
        self.unselected.insert((index, namespace, name.into()));
    }

    /// Adds an object. The order in which objects are added does not matter, except that a custom resource is checked
    /// against its definition only if that was added before ([`PlanBuilder::comes_first`]).
    ///
    /// # Errors
    /// [`ObserveError`] if the bytes are not an object of the type, or the type was not passed to
    /// [`PlanBuilder::new`].
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
                // Parsing only a few fields skips all others, at any depth.
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

    /// Returns whether the selection includes an object. Labels are not in the index; without them the result is true
    /// if labels could still decide.
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
        // A selected namespace includes its Namespace object.
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
        Some(lifeboat_model::shared(&mut self.namespaces, namespace))
    }

    /// Returns the reference to a source object.
    pub(crate) fn source_ref(&self, index: u32, namespace: Option<Arc<str>>, name: Arc<str>) -> ObjectRef {
        ObjectRef {
            r#type: self.type_name(index),
            namespace,
            name,
        }
    }

    fn type_name(&self, index: u32) -> TypeName {
        let index = usize::try_from(index).expect("a u32 fits");
        self.type_names[index].clone()
    }

    pub(crate) fn source_type(&self, index: u32) -> &SourceType {
        let index = usize::try_from(index).expect("a u32 fits");
        &self.types[index]
    }

    /// Returns whether an item is of this type.
    pub(crate) fn is_type(&self, item: &ObjectSummary, group: &str, resource: &str) -> bool {
        let r#type = &self.source_type(item.r#type).resource;
        r#type.group == group && r#type.resource == resource
    }

    /// Returns the captured definition of a type.
    pub(crate) fn definition_of(&self, r#type: &ResourceType) -> Option<&CrdFacts> {
        self.crds.get(&(r#type.group.clone(), r#type.resource.clone()))
    }

    /// Returns what the survey of the target looks for: every object that may be planned, and the objects that those
    /// need.
    #[must_use]
    pub fn wanted(&self) -> Vec<RequiredType> {
        let mut wanted: BTreeMap<TypeName, RequiredType> = BTreeMap::new();
        let mut add = |r#type: TypeName, namespace: Option<&Arc<str>>, name: &str| {
            let required = wanted.entry(r#type.clone());
            required
                .or_insert_with(|| RequiredType::none(r#type))
                .insert(namespace, name);
        };
        for item in &self.items {
            let target = self.target_ref(item);
            if let Some(namespace) = &target.namespace {
                add("namespaces".into(), None, namespace);
            }
            for need in &item.needs {
                let needed = need.object(target.namespace.as_deref());
                add(needed.r#type, needed.namespace.as_ref(), &needed.name);
            }
            let r#type = &self.source_type(item.r#type).resource;
            if let Some(crd) = self.definition_of(r#type) {
                add(crds::TYPE.into(), None, &crd.name);
            }
            add(target.r#type, target.namespace.as_ref(), &target.name);
        }
        wanted.into_values().collect()
    }

    /// Returns the reference to the object in the target.
    pub(crate) fn target_ref(&self, item: &ObjectSummary) -> ObjectRef {
        let r#type = &self.source_type(item.r#type).resource;
        let namespaces = &self.settings.namespaces;
        let is_namespace = r#type.group.is_empty() && r#type.resource == "namespaces";
        let mapped = |name: &Arc<str>| match namespaces.map(name) {
            same if same == &**name => name.clone(),
            other => other.into(),
        };
        let identities = &self.settings.identities;
        let name = match identities.name_in_target(&r#type.group, &r#type.resource, &item.name) {
            Some(name) => name.into(),
            None if is_namespace => mapped(&item.name),
            None => item.name.clone(),
        };
        ObjectRef {
            r#type: self.type_name(item.r#type),
            namespace: item.namespace.as_ref().map(mapped),
            name,
        }
    }

    /// Creates the plan.
    ///
    /// # Errors
    /// [`PlanError`] with every fault of the options and the recovery point.
    pub fn plan(mut self, target: &TargetFacts) -> Result<Plan, PlanError> {
        self.schemas.close();
        crate::resolve::resolve(self, target)
    }
}

/// Returns whether the plan of other objects depends on objects of this type.
fn is_context(r#type: &SourceType) -> bool {
    matches!(
        (r#type.resource.group.as_str(), r#type.resource.resource.as_str()),
        (crds::GROUP, crds::RESOURCE) | ("", "namespaces" | "services") | ("apps", "controllerrevisions")
    )
}
