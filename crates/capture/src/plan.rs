//! The plan of a capture: which types are listed, in which order, and the outcome of each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lifeboat_format::manifest::{MissingRecord, ServerRecord, TypeOutcome, TypeRecord};
use lifeboat_model::{Filter, ResourceType, TypeName};
use lifeboat_recovery_point::cursor::{ListingCheckpoint, Position, TypeCheckpoint, Types};

use super::definitions::{DEFINITIONS, Definitions};
use super::job::{Done, ListJob, StartedListing, Task};
use super::select::{self, Choice};
use super::{Captured, Ended};
use lifeboat_apiserver::discovery::{DiscoveredType, Discovery, FailedGroup};

/// The types to list, and the types that wait for the CustomResourceDefinitions.
pub(super) struct Plan {
    filter: Filter,
    /// The results of earlier runs; in the first run, what is known without listing.
    base: ListingCheckpoint,
    known: BTreeMap<TypeName, Known>,
    /// Discovered types that are not listed, and why.
    settled: Vec<(DiscoveredType, TypeOutcome)>,
    queue: VecDeque<Task>,
    waiting: Vec<DiscoveredType>,
    definitions: Definitions,
    /// The names of all discovered types, and which of them this capture takes.
    discovered: BTreeSet<TypeName>,
    types: Types,
    /// Whether the job that stores the CustomResourceDefinitions reads all of them; if not, a separate job does.
    definitions_are_stored: bool,
    /// Whether the version to list is known for every type, so that no type waits.
    released: bool,
    to_list: usize,
    failed_groups: usize,
    notes: Vec<String>,
}

/// The source of the record of a type.
enum Known {
    Discovered(Box<DiscoveredType>),
    /// Recorded by an earlier run.
    Recorded(Box<TypeRecord>),
}

impl Plan {
    /// Creates the plan of a first run.
    pub(super) fn of(discovery: Discovery, filter: &Filter, types: &Types) -> Self {
        let mut missing: Vec<MissingRecord> = Vec::new();
        // If the filter names types, all of them were found; otherwise a group that could not be discovered may
        // contain types that the filter selects.
        if filter.types.is_empty() && !matches!(types, Types::Only { .. }) {
            missing.extend(discovery.failed_groups.iter().map(group_record));
        }
        if let Types::Only { types, .. } = types {
            let gone = types.iter().filter(|name| discovery.find(name).is_none());
            missing.extend(gone.map(type_is_gone));
        }
        let mut plan = Self {
            filter: filter.clone(),
            base: ListingCheckpoint {
                server: ServerRecord {
                    kube_system_uid: discovery.kube_system_uid.clone(),
                    version: discovery.server_version.git_version.clone(),
                    platform: discovery.server_version.platform.clone(),
                },
                resource_version: None,
                types: Vec::new(),
                open: Vec::new(),
                missing,
                objects: 0,
                bytes: 0,
                dependencies: BTreeMap::new(),
            },
            known: BTreeMap::new(),
            settled: Vec::new(),
            queue: VecDeque::new(),
            waiting: Vec::new(),
            definitions: Definitions::default(),
            discovered: discovery.types.iter().map(DiscoveredType::name).collect(),
            types: types.clone(),
            definitions_are_stored: false,
            released: false,
            to_list: 0,
            failed_groups: discovery.failed_groups.len(),
            notes: Vec::new(),
        };
        let definitions = discovery
            .find(&TypeName::from(DEFINITIONS))
            .filter(|d| d.is_listable())
            .map(|d| d.resource.clone());
        let mut to_list = Vec::new();
        for known in discovery.types {
            match select::choose(&known, filter) {
                _ if !types.takes(&known.name()) => {}
                Choice::Settled(outcome) => plan.settled.push((known, outcome)),
                Choice::List => to_list.push(known),
            }
        }
        plan.to_list = to_list.len();
        to_list.sort_by_key(|known| select::rank(&known.resource));
        for known in to_list {
            if select::waits_for_definitions(&known) {
                plan.waiting.push(known);
            } else {
                plan.enqueue(known.resource.clone(), known, TypePosition::Back);
            }
        }
        // All CustomResourceDefinitions are read even if the filter does not select them, or selects only some of
        // them by label.
        plan.definitions_are_stored = plan.stores_all_definitions();
        match definitions {
            Some(resource) if !plan.definitions_are_stored => {
                plan.queue.push_front(select::definitions_only(&resource).into());
            }
            Some(_) => {}
            None => plan.release(),
        }
        plan
    }

    /// Creates the plan of what remains after an earlier run. The discovery of that run counts: a type that was
    /// installed since is not captured, and a type that was removed is reported when it is listed.
    pub(super) fn resume(mut from: ListingCheckpoint, filter: &Filter) -> Self {
        let (mut known, mut queue) = (BTreeMap::new(), VecDeque::new());
        for TypeCheckpoint { record, position } in std::mem::take(&mut from.open) {
            let resource = ResourceType {
                group: record.group.clone(),
                version: record.version.clone(),
                resource: record.resource.clone(),
                kind: record.kind.clone(),
                namespaced: record.namespaced,
            };
            queue.push_back(Task {
                job: select::job(resource, filter),
                begun: position.map(|position| begun(position, &record.outcome)),
            });
            known.insert(record.name(), Known::Recorded(Box::new(record)));
        }
        Self {
            filter: filter.clone(),
            base: from,
            known,
            settled: Vec::new(),
            to_list: queue.len(),
            queue,
            waiting: Vec::new(),
            definitions: Definitions::default(),
            discovered: BTreeSet::new(),
            types: Types::All,
            definitions_are_stored: false,
            released: true,
            failed_groups: 0,
            notes: Vec::new(),
        }
    }

    /// Adds notes for the user.
    pub(super) fn note_all(&mut self, notes: Vec<String>) {
        self.notes.extend(notes);
    }

    fn enqueue(&mut self, resource: ResourceType, known: DiscoveredType, place: TypePosition) {
        self.known
            .insert(known.name(), Known::Discovered(Box::new(known)));
        let task = Task::from(select::job(resource, &self.filter));
        match place {
            TypePosition::Back => self.queue.push_back(task),
            TypePosition::Front => self.queue.push_front(task),
        }
    }

    fn stores_all_definitions(&self) -> bool {
        self.filter.labels.is_empty()
            && self
                .queue
                .iter()
                .any(|task| task.job.resource.name().as_str() == DEFINITIONS)
    }

    pub(super) fn next(&mut self) -> Option<Task> {
        self.queue.pop_front()
    }

    /// Returns the number of types to list.
    pub(super) fn to_list(&self) -> usize {
        self.to_list
    }

    /// Returns the number of API groups that this run could not discover.
    pub(super) fn failed_groups(&self) -> usize {
        self.failed_groups
    }

    /// Returns the first path of each type, for pinning.
    pub(super) fn first_paths(&self) -> Vec<String> {
        let first = |task: &Task| task.job.collections.first().map(|c| c.path.clone());
        self.queue.iter().filter_map(first).collect()
    }

    pub(super) fn pin(&mut self, version: Option<String>) {
        self.base.resource_version = version;
    }

    pub(super) fn pinned(&self) -> Option<&str> {
        self.base.resource_version.as_deref()
    }

    /// Returns the remaining jobs, for counting.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &ListJob> {
        let queued = self.queue.iter().map(|task| &task.job);
        queued.filter(|job| job.store)
    }

    /// Returns the types whose version to list is not known yet, for counting.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &ResourceType> {
        self.waiting.iter().map(|known| &known.resource)
    }

    /// Records a finished job. Once all CustomResourceDefinitions are read, the waiting types are released.
    pub(super) fn note(&mut self, done: &Done) {
        if done.resource.name().as_str() == DEFINITIONS
            && done.stored == self.definitions_are_stored
            && done.rest.is_none()
            && !self.released
        {
            self.definitions = done.definitions.clone();
            if done.failure.is_some() && !self.waiting.is_empty() {
                self.notes.push(
                    "the storage versions of custom resources are unknown; they were listed at their preferred versions"
                        .into(),
                );
            }
            if done.failure.is_none() {
                self.note_unlisted();
            }
            self.release();
        }
    }

    /// Records each type whose definition exists at the pinned version and that discovery did not show.
    fn note_unlisted(&mut self) {
        for found in self.definitions.unlisted(&self.discovered, &self.filter) {
            if self.types.takes(&found.record.name()) {
                self.base.types.push(found.record);
                self.base.missing.push(found.missing);
            }
        }
    }

    fn release(&mut self) {
        self.released = true;
        for known in std::mem::take(&mut self.waiting) {
            let (resource, note) = select::version(&known, &self.definitions);
            self.notes.extend(note);
            // Custom resources are often numerous, so they are listed before the small types.
            self.enqueue(resource, known, TypePosition::Front);
        }
    }

    /// Returns the outcome of the run, after all listers have ended.
    pub(super) fn end(mut self, finished: Vec<Done>, user: Option<&str>) -> Ended {
        if !self.released {
            // The versions to list are not known yet, so this run has no checkpoint.
            return Ended::Stopped(None);
        }
        let mut all = std::mem::replace(&mut self.base, nothing());
        let mut dependencies: BTreeMap<String, BTreeSet<String>> = std::mem::take(&mut all.dependencies)
            .into_iter()
            .map(|(sort, found)| (sort, found.into_iter().collect()))
            .collect();
        for (known, outcome) in std::mem::take(&mut self.settled) {
            let version = known.resource.version.clone();
            all.types
                .push(record(&known, &version, &self.definitions, outcome));
        }
        for done in finished.into_iter().filter(|done| done.stored) {
            let record = self.describe(&done.resource, done.outcome(user));
            if let Some(failure) = &done.failure {
                all.missing.push(failure.missing(&done.resource, user));
            }
            done.references.add_to(&mut dependencies);
            match done.rest {
                Some(position) => all.open.push(TypeCheckpoint {
                    record,
                    position: Some(position),
                }),
                None => {
                    all.types.push(record);
                    all.objects += done.objects;
                    all.bytes += done.bytes;
                }
            }
        }
        for task in std::mem::take(&mut self.queue) {
            all.open.push(self.left(task));
        }
        all.types
            .sort_by(|a, b| (&a.group, &a.resource).cmp(&(&b.group, &b.resource)));
        all.missing.sort();
        all.dependencies = dependencies
            .into_iter()
            .map(|(sort, found)| (sort, found.into_iter().collect()))
            .collect();
        if !all.open.is_empty() {
            return Ended::Stopped(Some(Box::new(all)));
        }
        Ended::Complete(Box::new(Captured {
            server: all.server,
            resource_version: all.resource_version,
            filter: self.filter,
            objects: all.objects,
            bytes: all.bytes,
            types: all.types,
            missing: all.missing,
            dependencies: all.dependencies,
            notes: self.notes,
        }))
    }

    /// Returns the checkpoint of a job that no lister has started.
    fn left(&self, task: Task) -> TypeCheckpoint {
        let (outcome, position) = match task.begun {
            None => (listed(None, None, 0, 0), None),
            Some(begun) => {
                let so_far = listed(begun.version, begun.why_not_pinned, begun.objects, begun.bytes);
                (so_far, Some(begun.position))
            }
        };
        TypeCheckpoint {
            record: self.describe(&task.job.resource, outcome),
            position,
        }
    }

    fn describe(&self, resource: &ResourceType, outcome: TypeOutcome) -> TypeRecord {
        match self.known.get(&resource.name()) {
            Some(Known::Discovered(known)) => record(known, &resource.version, &self.definitions, outcome),
            Some(Known::Recorded(record)) => TypeRecord {
                outcome,
                ..record.as_ref().clone()
            },
            None => unreachable!("only types that are known are listed"),
        }
    }
}

enum TypePosition {
    Back,
    Front,
}

/// Returns an empty checkpoint, to replace one that was moved out.
fn nothing() -> ListingCheckpoint {
    ListingCheckpoint {
        server: ServerRecord {
            kube_system_uid: None,
            version: String::new(),
            platform: String::new(),
        },
        resource_version: None,
        types: Vec::new(),
        open: Vec::new(),
        missing: Vec::new(),
        objects: 0,
        bytes: 0,
        dependencies: BTreeMap::new(),
    }
}

/// Returns the progress of a list from its checkpoint.
fn begun(position: Position, outcome: &TypeOutcome) -> StartedListing {
    let (version, why_not_pinned, objects, bytes) = match outcome {
        TypeOutcome::Listed {
            resource_version,
            why,
            objects,
            bytes,
            ..
        } => (resource_version.clone(), why.clone(), *objects, *bytes),
        // A type with such an outcome has no position; if a checkpoint has one, the counts start at zero.
        TypeOutcome::Failed { .. } | TypeOutcome::Excluded { .. } | TypeOutcome::SameAs { .. } => {
            (None, None, 0, 0)
        }
    };
    StartedListing {
        position,
        version,
        why_not_pinned,
        objects,
        bytes,
    }
}

fn listed(version: Option<String>, why: Option<String>, objects: u64, bytes: u64) -> TypeOutcome {
    TypeOutcome::Listed {
        resource_version: version,
        pinned: why.is_none(),
        why,
        objects,
        bytes,
    }
}

/// Returns the record of a type that existed when the cluster was counted and no longer does.
fn type_is_gone(name: &TypeName) -> MissingRecord {
    MissingRecord {
        r#type: Some(name.clone()),
        group: None,
        verb: "list".into(),
        answer: "the type was removed before it was read".into(),
        remediation: "run the backup again".into(),
    }
}

fn group_record(failed: &FailedGroup) -> MissingRecord {
    MissingRecord {
        r#type: None,
        group: Some(format!("{}/{}", failed.group, failed.version)),
        verb: "discover".into(),
        answer: failed.answer.clone(),
        remediation: failed.remediation.clone(),
    }
}

fn record(
    known: &DiscoveredType,
    version: &str,
    definitions: &Definitions,
    outcome: TypeOutcome,
) -> TypeRecord {
    let served = known.version(version).unwrap_or_else(|| known.preferred());
    TypeRecord {
        group: known.resource.group.clone(),
        version: version.to_owned(),
        resource: known.resource.resource.clone(),
        kind: served.kind.clone(),
        namespaced: served.namespaced,
        short_names: known.short_names.clone(),
        singular: known.singular.clone(),
        verbs: served.verbs.clone(),
        served_versions: known.versions.iter().map(|v| v.version.clone()).collect(),
        custom: definitions.storage_version(&known.name()).is_some(),
        outcome,
    }
}
