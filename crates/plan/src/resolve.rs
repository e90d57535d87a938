//! The second part of planning: what depends on other objects and on the target.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lifeboat_model::ObjectRef;
use lifeboat_translate::identity::Leftover;

use crate::builder::summary::{Extra, ObjectSummary};
use crate::builder::{PlanBuilder, PlanError};
use crate::planned::{Deferred, Edit, HeldRevision, MissingDependency, Note, PlannedChange};
use crate::planned::{PlannedOwner, PlannedWorkload};
use crate::rule::RuleId;
use crate::wave::Wave;
use crate::{Action, ExistingPolicy, Plan, TargetFacts};

mod accounts;
mod admission;
mod age;
mod assemble;
mod deferred;
mod eks;
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
mod revisions;
mod services;
mod versions;
mod volumes;
mod workloads;

use versions::Version;

/// The rule by which an item is not restored, with a detail.
type Exclusion = Option<(RuleId, Option<String>)>;

/// The items while decisions about them are made.
pub(crate) struct Resolver<'a> {
    draft: &'a PlanBuilder,
    facts: &'a TargetFacts,
    decisions: Decisions,
    /// Waves that differ from those of the types.
    waves: HashMap<usize, (Wave, u16)>,
    /// Services without fixed addresses, which come after those with fixed ones, and definitions that were not
    /// established, which come after those that were.
    later: BTreeSet<usize>,
}

/// The decisions about the items, by their index in [`PlanBuilder::items`].
#[derive(Default)]
struct Decisions {
    targets: Vec<ObjectRef>,
    exclusions: Vec<Exclusion>,
    /// By the index of the type.
    versions: Vec<Version>,
    actions: Vec<Action>,
    owners: HashMap<usize, Vec<PlannedOwner>>,
    changes: HashMap<usize, Vec<PlannedChange>>,
    edits: HashMap<usize, Vec<Edit>>,
    places: Vec<(Wave, u16)>,
    /// The workloads that must be available before an item is created.
    awaits: HashMap<usize, Vec<ObjectRef>>,
    deferred: HashMap<usize, Deferred>,
    held: HashMap<usize, HeldRevision>,
    /// What names the primary in the former revisions of StatefulSets.
    held_leftovers: HashMap<usize, Vec<Leftover>>,
    /// Items after which nothing of their kind is created in the same second.
    alone: BTreeSet<usize>,
    /// Uses of rules that are not recorded as changes.
    uses: BTreeMap<RuleId, u64>,
    findings: Vec<crate::LintFinding>,
    definitions: ownership::Definitions,
    notes: BTreeSet<Note>,
    missing: Vec<MissingDependency>,
    workloads: Vec<PlannedWorkload>,
}

impl Resolver<'_> {
    fn item(&self, index: usize) -> &ObjectSummary {
        &self.draft.items[index]
    }

    /// Returns the reference to an item in the source.
    fn source_ref(&self, index: usize) -> ObjectRef {
        let item = self.item(index);
        self.draft
            .source_ref(item.r#type, item.namespace.clone(), item.name.clone())
    }

    fn is_planned(&self, index: usize) -> bool {
        self.decisions.exclusions[index].is_none()
    }

    /// Returns the owners of an item that are restored too.
    fn owners(&self, index: usize) -> &[PlannedOwner] {
        self.decisions.owners.get(&index).map_or(&[], Vec::as_slice)
    }

    fn is_type(&self, index: usize, group: &str, resource: &str) -> bool {
        self.draft.is_type(self.item(index), group, resource)
    }

    fn note_use(&mut self, rule: RuleId) {
        *self.decisions.uses.entry(rule).or_default() += 1;
    }

    fn change(&mut self, index: usize, path: &str, rule: RuleId, from: Option<String>, to: Option<String>) {
        let change = PlannedChange {
            path: path.to_owned(),
            rule,
            patch: None,
            from,
            to,
        };
        self.decisions.changes.entry(index).or_default().push(change);
    }

    fn edit(&mut self, index: usize, path: &str, value: Option<serde_json::Value>) {
        self.decisions.edits.entry(index).or_default().push(Edit {
            path: path.to_owned(),
            value,
        });
    }
}

pub(crate) fn resolve(draft: PlanBuilder, facts: &TargetFacts) -> Result<Plan, PlanError> {
    let decisions = decide(&draft, facts)?;
    Ok(assemble::assemble(draft, facts, decisions))
}

fn decide(draft: &PlanBuilder, facts: &TargetFacts) -> Result<Decisions, PlanError> {
    let mut problems = faults::of_options(draft);
    let count = draft.items.len();
    let mut work = Resolver {
        draft,
        facts,
        decisions: Decisions {
            targets: draft.items.iter().map(|item| draft.target_ref(item)).collect(),
            exclusions: vec![None; count],
            actions: vec![Action::Create; count],
            ..Decisions::default()
        },
        waves: HashMap::new(),
        later: BTreeSet::new(),
    };
    let mut sorted: Vec<usize> = (0..count).collect();
    sorted.sort_by(|a, b| {
        let key = |index: usize| {
            (
                &work.decisions.targets[index],
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
    eks::complete(&mut work);
    work.decisions.versions = versions::negotiate(&work);
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
    work.decisions.missing = missing::find(&work);
    let unknown = revisions::hold(&mut work, &sorted);
    findings::add(&mut work, &sorted);
    work.decisions.workloads = workloads::of_plan(&mut work, &sorted, &unknown);
    work.decisions.definitions = ownership::Definitions::of(&work);
    let notes = namespaces::notes(&work);
    work.decisions.notes.extend(notes);
    Ok(work.decisions)
}

/// Skips items because of other objects: a terminating namespace, a Service with a selector, a Deployment that is not
/// paused.
fn skip_by_context(work: &mut Resolver<'_>) {
    for index in 0..work.decisions.exclusions.len() {
        let item = work.item(index);
        let namespace = item.namespace.clone();
        let Some(namespace) = namespace else { continue };
        if work.draft.terminating.contains(&namespace) {
            work.decisions.exclusions[index] =
                Some((RuleId::TerminatingNamespace, Some(namespace.to_string())));
            continue;
        }
        let service = match work.item(index).extra.as_deref() {
            Some(Extra::Slice(service)) => Some(service.clone()),
            _ if work.is_type(index, "", "endpoints") => Some(work.item(index).name.clone()),
            _ => None,
        };
        if service.is_some_and(|service| work.draft.selecting.contains_key(&(namespace, service))) {
            work.decisions.exclusions[index] = Some((RuleId::EndpointsOfSelector, None));
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
                work.decisions.exclusions[index] = Some((RuleId::ChildOfController, Some(detail)));
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
        .chunk_by(|a, b| work.decisions.targets[*a] == work.decisions.targets[*b])
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
            let target = &work.decisions.targets[**index];
            item.namespace.as_deref() == target.namespace.as_deref() && *item.name == *target.name
        };
        let kept = *group.iter().find(keeps_name).unwrap_or(first);
        let used = work.source_ref(kept);
        for index in group.iter().filter(|index| **index != kept) {
            work.decisions.exclusions[*index] = Some((rule, Some(format!("{used} is used"))));
        }
    }
    problems
}

/// Namespaces that every API server creates (`systemnamespaces_controller.go`).
pub(crate) const SYSTEM_NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

fn decide_actions(work: &mut Resolver<'_>) {
    for index in 0..work.decisions.exclusions.len() {
        let target = &work.decisions.targets[index];
        let made_by_target = matches!(work.item(index).extra.as_deref(), Some(Extra::TakenOver))
            || (work.is_type(index, "", "serviceaccounts") && &*target.name == "default")
            || (work.is_type(index, "", "namespaces") && SYSTEM_NAMESPACES.contains(&&*target.name));
        let exists = work
            .facts
            .existing
            .get(target)
            .is_some_and(|existing| !existing.created_by_this_run);
        work.decisions.actions[index] = match (made_by_target, exists, work.draft.settings.existing) {
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
    for index in 0..work.decisions.exclusions.len() {
        if work.is_type(index, crate::builder::crds::GROUP, crate::builder::crds::RESOURCE)
            && !is_established(work.draft, work.item(index))
        {
            work.later.insert(index);
        }
    }
}

/// Returns whether a CustomResourceDefinition was established in the source.
fn is_established(draft: &PlanBuilder, definition: &ObjectSummary) -> bool {
    let Some((resource, group)) = definition.name.split_once('.') else {
        return true;
    };
    (draft.crds)
        .get(&(group.to_owned(), resource.to_owned()))
        .is_none_or(|crd| crd.established)
}

/// Returns the addresses of a Service item.
fn addresses_of(item: &ObjectSummary) -> Option<&crate::builder::summary::Addresses> {
    match item.extra.as_deref() {
        Some(Extra::Service(addresses)) => Some(addresses),
        _ => None,
    }
}
