//! The second part of planning: what depends on other objects and on the target.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lifeboat_model::{ObjectRef, ResourceType};

use crate::builder::summary::{Extra, ObjectSummary};
use crate::builder::{PlanBuilder, PlanError};
use crate::planned::{Deferred, Edit, Note, PlannedChange, PlannedOwner, PlannedWorkload, RuleUse};
use crate::rule::RuleId;
use crate::wave::Wave;
use crate::{
    Action, ExistingPolicy, NotRestored, Ownership, Plan, PlannedObject, StatusPlan, Step, TargetFacts,
};

mod accounts;
mod admission;
mod age;
mod deferred;
mod existing;
mod faults;
mod findings;
mod limits;
mod missing;
mod namespaces;
mod order;
mod owners;
mod ownership;
mod rbac;
mod services;
mod versions;
mod volumes;
mod workloads;

use versions::Version;

/// The rule by which an item is not restored, with a detail.
type Exclusion = Option<(RuleId, Option<String>)>;

/// The decisions about the items, by their index in [`PlanBuilder::items`].
pub(crate) struct Resolver<'a> {
    draft: &'a PlanBuilder,
    facts: &'a TargetFacts,
    targets: Vec<ObjectRef>,
    exclusions: Vec<Exclusion>,
    /// By the index of the type.
    versions: Vec<Version>,
    actions: Vec<Action>,
    owners: Vec<Vec<PlannedOwner>>,
    changes: HashMap<usize, Vec<PlannedChange>>,
    edits: HashMap<usize, Vec<Edit>>,
    places: Vec<(Wave, u16)>,
    /// Waves that differ from those of the types.
    waves: HashMap<usize, (Wave, u16)>,
    /// The workloads that must be available before an item is created.
    awaits: HashMap<usize, Vec<ObjectRef>>,
    deferred: HashMap<usize, Deferred>,
    /// Items after which nothing of their kind is created in the same second.
    alone: BTreeSet<usize>,
    /// Services without fixed addresses, which come after those with fixed ones, and definitions that were not
    /// established, which come after those that were.
    later: BTreeSet<usize>,
    /// Uses of rules that are not recorded as changes.
    uses: BTreeMap<RuleId, u64>,
    findings: Vec<crate::LintFinding>,
}

impl Resolver<'_> {
    fn item(&self, index: usize) -> &ObjectSummary {
        &self.draft.items[index]
    }

    fn is_planned(&self, index: usize) -> bool {
        self.exclusions[index].is_none()
    }

    fn is_type(&self, index: usize, group: &str, resource: &str) -> bool {
        let r#type = &self.draft.source_type(self.item(index).r#type).resource;
        r#type.group == group && r#type.resource == resource
    }

    fn note_use(&mut self, rule: RuleId) {
        *self.uses.entry(rule).or_default() += 1;
    }

    fn change(&mut self, index: usize, path: &str, rule: RuleId, from: Option<String>, to: Option<String>) {
        let change = PlannedChange {
            path: path.to_owned(),
            rule,
            patch: None,
            from,
            to,
        };
        self.changes.entry(index).or_default().push(change);
    }

    fn edit(&mut self, index: usize, path: &str, value: Option<serde_json::Value>) {
        self.edits.entry(index).or_default().push(Edit {
            path: path.to_owned(),
            value,
        });
    }
}

pub(crate) fn resolve(draft: &PlanBuilder, facts: &TargetFacts) -> Result<Plan, PlanError> {
    let mut problems = faults::of_options(draft);
    let count = draft.items.len();
    let mut work = Resolver {
        draft,
        facts,
        targets: draft.items.iter().map(|item| draft.target_ref(item)).collect(),
        exclusions: vec![None; count],
        versions: Vec::new(),
        actions: vec![Action::Create; count],
        owners: vec![Vec::new(); count],
        changes: HashMap::new(),
        edits: HashMap::new(),
        places: Vec::new(),
        waves: HashMap::new(),
        awaits: HashMap::new(),
        deferred: HashMap::new(),
        alone: BTreeSet::new(),
        later: BTreeSet::new(),
        uses: BTreeMap::new(),
        findings: Vec::new(),
    };
    let mut sorted: Vec<usize> = (0..count).collect();
    sorted.sort_by(|a, b| {
        let key = |index: usize| {
            (
                &work.targets[index],
                &draft.items[index].namespace,
                &draft.items[index].name,
            )
        };
        key(*a).cmp(&key(*b))
    });

    skip_by_context(&mut work);
    namespaces::skip_absent(&mut work);
    volumes::bindings(&mut work);
    problems.extend(merge_namespaces(&mut work, &sorted));
    decide_actions(&mut work);
    rbac::additions(&mut work);
    work.versions = versions::negotiate(&work);
    versions::skip_unserved(&mut work);
    owners::resolve(&mut work, &sorted);
    if !problems.is_empty() {
        problems.sort_by(|a, b| (a.code, &a.message).cmp(&(b.code, &b.message)));
        return Err(PlanError { problems });
    }
    services::addresses(&mut work, &sorted);
    deferred::add(&mut work, &sorted);
    deferred::drop_deleted_classes(&mut work, &sorted);
    deferred::node_selectors(&mut work, &sorted);
    admission::arrange(&mut work, &sorted);
    limits::hold_back(&mut work, &sorted);
    age::arrange(&mut work, &sorted);
    crds_in_order(&mut work);
    order::arrange(&mut work, &sorted);
    accounts::secrets(&mut work, &sorted);
    let missing = missing::find(&work);
    findings::add(&mut work, &sorted, &missing);
    let workloads = workloads::of_plan(&mut work, &sorted);
    Ok(assemble(work, &sorted, missing, workloads))
}

/// Skips items because of other objects: a terminating namespace, a Service with a selector, a Deployment that is not
/// paused.
fn skip_by_context(work: &mut Resolver<'_>) {
    for index in 0..work.exclusions.len() {
        let item = work.item(index);
        let namespace = item.namespace.clone();
        let Some(namespace) = namespace else { continue };
        if work.draft.terminating.contains(&namespace) {
            work.exclusions[index] = Some((RuleId::TerminatingNamespace, Some(namespace.to_string())));
            continue;
        }
        let service = match work.item(index).extra.as_deref() {
            Some(Extra::Slice(service)) => Some(service.clone()),
            _ if work.is_type(index, "", "endpoints") => Some(work.item(index).name.clone()),
            _ => None,
        };
        if service.is_some_and(|service| work.draft.selecting.contains_key(&(namespace, service))) {
            work.exclusions[index] = Some((RuleId::EndpointsOfSelector, None));
        } else if work.is_type(index, "apps", "replicasets") {
            let owner = work
                .item(index)
                .owners
                .iter()
                .find(|owner| owner.controller == Some(true));
            let deployment = owner.filter(|owner| owner.group() == "apps" && &*owner.kind == "Deployment");
            if let Some(owner) = deployment.filter(|owner| !work.draft.workloads.paused.contains(&owner.uid))
            {
                let detail = format!("{} {}", owner.kind, owner.name);
                work.exclusions[index] = Some((RuleId::ChildOfController, Some(detail)));
            }
        }
    }
}

/// Merges Namespace objects and default ServiceAccounts if several namespaces are mapped to one. Any other two
/// objects with the same target are a fault.
fn merge_namespaces(work: &mut Resolver<'_>, sorted: &[usize]) -> Vec<lifeboat_model::Problem> {
    let mut problems = Vec::new();
    let planned: Vec<usize> = sorted
        .iter()
        .copied()
        .filter(|index| work.is_planned(*index))
        .collect();
    for group in planned
        .chunk_by(|a, b| work.targets[*a] == work.targets[*b])
        .map(<[usize]>::to_vec)
        .collect::<Vec<_>>()
    {
        let [first, rest @ ..] = group.as_slice() else {
            continue;
        };
        if rest.is_empty() {
            continue;
        }
        let rule = if work.is_type(*first, "", "namespaces") {
            RuleId::NamespaceMerged
        } else if work.is_type(*first, "", "serviceaccounts") && &*work.item(*first).name == "default" {
            RuleId::DefaultAccountMerged
        } else {
            problems.push(faults::collision(work, &group));
            continue;
        };
        // Keeps the one that already has the target name, else the first by name.
        let keeps_name = |index: &&usize| {
            let item = work.item(**index);
            let target = &work.targets[**index];
            item.namespace.as_deref() == target.namespace.as_deref() && *item.name == *target.name
        };
        let kept = *group.iter().find(keeps_name).unwrap_or(first);
        let used = work.draft.source_ref(
            work.item(kept).r#type,
            work.item(kept).namespace.as_deref(),
            &work.item(kept).name,
        );
        for index in group.iter().filter(|index| **index != kept) {
            work.exclusions[*index] = Some((rule, Some(format!("{used} is used"))));
        }
    }
    problems
}

/// Namespaces that every API server creates (`systemnamespaces_controller.go`).
pub(crate) const SYSTEM_NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

fn decide_actions(work: &mut Resolver<'_>) {
    for index in 0..work.exclusions.len() {
        let target = &work.targets[index];
        let made_by_target = matches!(work.item(index).extra.as_deref(), Some(Extra::TakenOver))
            || (work.is_type(index, "", "serviceaccounts") && target.name == "default")
            || (work.is_type(index, "", "namespaces") && SYSTEM_NAMESPACES.contains(&target.name.as_str()));
        let exists = work
            .facts
            .existing
            .get(target)
            .is_some_and(|existing| !existing.created_by_this_run);
        work.actions[index] = match (made_by_target, exists, work.draft.settings.existing) {
            (true, _, _) => Action::CreateOrUpdate,
            (_, false, _) => Action::Create,
            (_, true, ExistingPolicy::Keep) => Action::Keep,
            (_, true, ExistingPolicy::Update) => Action::Update,
            (_, true, ExistingPolicy::Recreate) if !existing::may_be_deleted(work, index) => Action::Update,
            (_, true, ExistingPolicy::Recreate) => Action::Recreate,
        };
    }
}

/// Orders definitions: two of them may claim the same names, and the one that is created first gets them. A definition
/// that was not established in the source must not get those of one that was.
fn crds_in_order(work: &mut Resolver<'_>) {
    for index in 0..work.exclusions.len() {
        if work.is_type(index, crate::builder::crds::GROUP, crate::builder::crds::RESOURCE)
            && !is_established(work, index)
        {
            work.later.insert(index);
        }
    }
}

/// Returns whether a CustomResourceDefinition was established in the source.
fn is_established(work: &Resolver<'_>, index: usize) -> bool {
    let Some((resource, group)) = work.item(index).name.split_once('.') else {
        return true;
    };
    (work.draft.crds)
        .get(&(group.to_owned(), resource.to_owned()))
        .is_none_or(|crd| crd.established)
}

/// Returns the requests that follow the first one.
fn steps(work: &Resolver<'_>, index: usize, status: StatusPlan, ownership: &Ownership) -> Vec<Step> {
    let mut after = Vec::new();
    if matches!(work.actions[index], Action::Keep | Action::Merge) {
        return after;
    }
    if work.is_type(index, crate::builder::crds::GROUP, crate::builder::crds::RESOURCE)
        && is_established(work, index)
    {
        after.push(Step::WaitEstablished);
    }
    if work.is_type(index, "networking.k8s.io", "servicecidrs") {
        after.push(Step::WaitReady);
    }
    if work.item(index).finished {
        after.push(Step::FinishJob);
    } else if status == StatusPlan::Restore {
        after.push(Step::SetStatus);
    }
    if work.alone.contains(&index) {
        after.push(Step::WaitSecond);
    }
    let is_deferred = work.deferred.contains_key(&index);
    if is_deferred {
        after.push(Step::SetDeferredFields);
    }
    // An entry of no manager needs no conversion.
    if *ownership == Ownership::None && work.item(index).has_fields {
        after.push(match is_deferred {
            true => Step::SetManagedFieldsLast,
            false => Step::SetManagedFields,
        });
    }
    if matches!(ownership, Ownership::Several { .. }) {
        let r#type = &work.draft.source_type(work.item(index).r#type).resource;
        let by_webhook = work
            .draft
            .crds
            .get(&(r#type.group.clone(), r#type.resource.clone()))
            .is_some_and(|crd| crd.converts_by_webhook);
        after.push(if by_webhook || is_deferred {
            Step::SetManagedFieldsLast
        } else {
            Step::SetManagedFields
        });
    }
    after
}

fn status_of(work: &Resolver<'_>, index: usize) -> StatusPlan {
    let item = work.item(index);
    let Some(status) = item.status else {
        return StatusPlan::Drop;
    };
    let r#type = &work.draft.source_type(item.r#type).resource;
    let crd = work
        .draft
        .crds
        .get(&(r#type.group.clone(), r#type.resource.clone()));
    let has_subresource = crd
        .and_then(|crd| crd.served.get(&r#type.version))
        .copied()
        .unwrap_or(true);
    if has_subresource {
        status
    } else {
        StatusPlan::Field
    }
}

fn assemble(
    mut work: Resolver<'_>,
    sorted: &[usize],
    missing: Vec<crate::MissingDependency>,
    workloads: Vec<PlannedWorkload>,
) -> Plan {
    let draft = work.draft;
    let mut rules: BTreeMap<RuleId, u64> = std::mem::take(&mut work.uses);
    let mut notes = namespaces::notes(&work);
    let mut not_restored: Vec<NotRestored> = draft
        .skipped
        .iter()
        .map(|skipped| NotRestored {
            object: draft.source_ref(skipped.r#type, skipped.namespace.as_deref(), &skipped.name),
            rule: skipped.rule,
            detail: skipped.detail.as_deref().map(str::to_owned),
        })
        .collect();
    let resources: Vec<Option<Arc<ResourceType>>> = work
        .versions
        .iter()
        .map(|version| version.resource().map(Arc::new))
        .collect();
    let definitions = ownership::Definitions::of(&work);
    let mut objects = Vec::new();
    for &index in sorted {
        let item = &draft.items[index];
        let source = draft.source_ref(item.r#type, item.namespace.as_deref(), &item.name);
        if let Some((rule, detail)) = work.exclusions[index].clone() {
            not_restored.push(NotRestored {
                object: source,
                rule,
                detail,
            });
            continue;
        }
        let type_index = usize::try_from(item.r#type).expect("a u32 fits");
        let Some(resource) = resources[type_index].clone() else {
            continue;
        };
        let other_version = resource.version != draft.types[type_index].resource.version;
        let status = status_of(&work, index);
        let mut changes = item.changes.to_vec();
        let mut leftovers = item.leftovers.to_vec();
        if let Some(of_status) = item.of_status.as_ref().filter(|_| status != StatusPlan::Drop) {
            changes.extend_from_slice(&of_status.changes);
            leftovers.extend_from_slice(&of_status.leftovers);
        }
        changes.extend(work.changes.remove(&index).unwrap_or_default());
        let mut edits = work.edits.remove(&index).unwrap_or_default();
        if other_version {
            let (from, to) = (
                draft.types[type_index].resource.api_version(),
                resource.api_version(),
            );
            edits.push(Edit {
                path: "/apiVersion".to_owned(),
                value: Some(to.clone().into()),
            });
            changes.push(PlannedChange {
                path: "/apiVersion".to_owned(),
                rule: RuleId::OtherVersion,
                patch: None,
                from: Some(from),
                to: Some(to),
            });
        }
        let (ownership, entry_versions) =
            ownership::of(&work, index, &resource, &definitions, (&mut changes, &mut notes));
        changes.sort();
        let mut used: BTreeSet<RuleId> = changes.iter().map(|change| change.rule).collect();
        used.insert(RuleId::ServerMetadata);
        used.extend((item.status.is_some() && status == StatusPlan::Drop).then_some(RuleId::StatusDropped));
        used.extend((status == StatusPlan::Restore && !item.finished).then_some(RuleId::StatusRestored));
        used.extend(item.drops_status_owner.then_some(RuleId::StatusOwnershipDropped));
        let after = steps(&work, index, status, &ownership);
        let writes_entries =
            after.contains(&Step::SetManagedFields) || after.contains(&Step::SetManagedFieldsLast);
        used.extend(writes_entries.then_some(match ownership {
            Ownership::None => RuleId::OwnershipNone,
            _ => RuleId::OwnershipKept,
        }));
        used.extend(match work.actions[index] {
            Action::Create => None,
            Action::Merge => Some(RuleId::DefaultRbacAdded),
            Action::CreateOrUpdate => Some(RuleId::MadeByTarget),
            Action::Keep => Some(RuleId::ExistingKept),
            Action::Update if draft.settings.existing == ExistingPolicy::Recreate => {
                notes.insert(Note {
                    object: Some(work.targets[index].clone()),
                    text: RuleId::ExistingNotRecreated.reason().to_owned(),
                });
                Some(RuleId::ExistingNotRecreated)
            }
            Action::Update => Some(RuleId::ExistingUpdated),
            Action::Recreate => Some(RuleId::ExistingRecreated),
        });
        for rule in used {
            *rules.entry(rule).or_default() += 1;
        }
        let target = work.targets[index].clone();
        for path in &item.mentions {
            notes.insert(Note {
                object: Some(target.clone()),
                text: format!(
                    "The field {path} mentions a renamed namespace; it is free text and is not rewritten."
                ),
            });
        }
        let (wave, depth) = work.places[index];
        objects.push(PlannedObject {
            after,
            awaits: work.awaits.remove(&index).unwrap_or_default(),
            deferred: work.deferred.remove(&index),
            owners: std::mem::take(&mut work.owners[index]),
            action: work.actions[index],
            preflight: work.versions[type_index].needs_preflight(),
            digest: hex::encode(item.digest),
            source_uid: item.uid.to_string(),
            locator: item.locator,
            source,
            target,
            resource,
            wave,
            depth,
            changes,
            leftovers,
            edits,
            ownership,
            entry_versions,
            status,
        });
    }
    objects.sort_by(|a, b| (a.wave, a.depth, &a.target).cmp(&(b.wave, b.depth, &b.target)));
    not_restored.sort();
    for entry in &not_restored {
        *rules.entry(entry.rule).or_default() += 1;
    }
    let mut findings = work.findings;
    findings.sort();
    findings.dedup();
    Plan {
        format_version: crate::planned::PLAN_FORMAT_VERSION,
        point: draft.point.clone(),
        cluster: draft.cluster.clone(),
        options_digest: draft.settings.digest.clone(),
        objects,
        not_restored,
        unselected: u64::try_from(draft.unselected.len()).unwrap_or(u64::MAX),
        rules: rules
            .into_iter()
            .map(|(rule, objects)| {
                (
                    rule,
                    RuleUse {
                        reason: rule.reason().to_owned(),
                        objects,
                    },
                )
            })
            .collect(),
        notes: notes.into_iter().collect(),
        missing,
        workloads,
        findings,
        settings: draft.settings.clone(),
        sources: Arc::new(
            draft
                .types
                .iter()
                .map(|t| (t.resource.name(), t.clone()))
                .collect(),
        ),
    }
}

/// Returns the addresses of a Service item.
fn addresses_of(item: &ObjectSummary) -> Option<&crate::builder::summary::Addresses> {
    match item.extra.as_deref() {
        Some(Extra::Service(addresses)) => Some(addresses),
        _ => None,
    }
}
