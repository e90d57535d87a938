//! Makes the plan from the decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lifeboat_model::{ObjectRef, ResourceType};

use super::{Decisions, Exclusion, is_established, ownership};
use crate::builder::PlanBuilder;
use crate::builder::summary::ObjectSummary;
use crate::planned::{Edit, Note, PlannedChange, RuleUse, Uncommon};
use crate::rule::RuleId;
use crate::{
    Action, ExistingPolicy, NotRestored, Ownership, Plan, PlannedObject, StatusPlan, Step, TargetFacts,
};

/// An item with what was decided about it.
pub(super) struct Decided<'a> {
    pub(super) draft: &'a PlanBuilder,
    pub(super) facts: &'a TargetFacts,
    pub(super) item: &'a ObjectSummary,
    pub(super) target: &'a ObjectRef,
    pub(super) action: Action,
    /// Whether fields of the object are set later.
    pub(super) is_deferred: bool,
    /// Whether the rollout of a StatefulSet is held.
    pub(super) is_held: bool,
    /// Whether nothing of its kind is created in the same second.
    pub(super) is_alone: bool,
}

impl Decided<'_> {
    /// Returns the requests that follow the first one.
    fn steps(&self, status: StatusPlan, ownership: &Ownership) -> Vec<Step> {
        let is_type = |group, resource| self.draft.is_type(self.item, group, resource);
        let mut after = Vec::new();
        if matches!(self.action, Action::Keep | Action::Merge) {
            return after;
        }
        if is_type(crate::builder::crds::GROUP, crate::builder::crds::RESOURCE)
            && is_established(self.draft, self.item)
        {
            after.push(Step::WaitEstablished);
        }
        if is_type("networking.k8s.io", "servicecidrs") {
            after.push(Step::WaitReady);
        }
        if self.item.finished {
            after.push(Step::FinishJob);
        } else if status == StatusPlan::Restore {
            after.push(Step::SetStatus);
        }
        if self.is_alone {
            after.push(Step::WaitSecond);
        }
        if self.is_held {
            after.push(Step::SetTemplate);
        }
        if self.is_deferred {
            after.push(Step::SetDeferredFields);
        }
        // An entry of no manager needs no conversion.
        if *ownership == Ownership::None && self.item.has_fields {
            after.push(match self.is_deferred {
                true => Step::SetManagedFieldsLast,
                false => Step::SetManagedFields,
            });
        }
        if matches!(ownership, Ownership::Several { .. }) {
            let r#type = &self.draft.source_type(self.item.r#type).resource;
            let definition = self.draft.definition_of(r#type);
            let by_webhook = definition.is_some_and(|crd| crd.converts_by_webhook);
            after.push(match by_webhook || self.is_deferred {
                true => Step::SetManagedFieldsLast,
                false => Step::SetManagedFields,
            });
        }
        after
    }
}

/// Returns how the status of an item is handled.
pub(super) fn status_of(draft: &PlanBuilder, item: &ObjectSummary) -> StatusPlan {
    let Some(status) = item.status else {
        return StatusPlan::Drop;
    };
    let r#type = &draft.source_type(item.r#type).resource;
    let has_subresource = draft
        .definition_of(r#type)
        .and_then(|crd| crd.served.get(&r#type.version))
        .copied()
        .unwrap_or(true);
    if has_subresource {
        status
    } else {
        StatusPlan::Field
    }
}

/// The number of planned objects after which the memory of their items is given back.
const GIVE_BACK: usize = 4_096;

pub(super) fn assemble(mut draft: PlanBuilder, facts: &TargetFacts, mut decisions: Decisions) -> Plan {
    let mut items = std::mem::take(&mut draft.items);
    let planned = decisions.exclusions.iter().filter(|why| why.is_none()).count();
    let mut parts = Parts {
        resources: (decisions.versions.iter())
            .map(|version| version.resource().map(Arc::new))
            .collect(),
        objects: Vec::with_capacity(planned),
        not_restored: skipped(&draft),
        rules: std::mem::take(&mut decisions.uses),
        notes: std::mem::take(&mut decisions.notes),
    };
    // Items are freed while the plan grows: both together would need half as much memory again.
    while let Some(item) = items.pop() {
        parts.add(&draft, facts, &mut decisions, items.len(), item);
        if items.len().is_multiple_of(GIVE_BACK) {
            items.shrink_to_fit();
            decisions.targets.shrink_to_fit();
        }
    }
    parts.finish(draft, decisions)
}

/// Returns the objects that the builder has left out.
fn skipped(draft: &PlanBuilder) -> Vec<NotRestored> {
    let skipped = draft.skipped.iter().map(|skipped| NotRestored {
        object: draft.source_ref(skipped.r#type, skipped.namespace.clone(), skipped.name.clone()),
        rule: skipped.rule,
        detail: skipped.detail.as_deref().map(str::to_owned),
    });
    skipped.collect()
}

/// The parts of the plan that grow with its objects.
struct Parts {
    /// The type and version in which objects are written, by the index of the type.
    resources: Vec<Option<Arc<ResourceType>>>,
    objects: Vec<PlannedObject>,
    not_restored: Vec<NotRestored>,
    rules: BTreeMap<RuleId, u64>,
    notes: BTreeSet<Note>,
}

impl Parts {
    /// Adds the last item that has not been added.
    fn add(
        &mut self,
        draft: &PlanBuilder,
        facts: &TargetFacts,
        decisions: &mut Decisions,
        index: usize,
        item: ObjectSummary,
    ) {
        let target = decisions.targets.pop().expect("every item has a target");
        let source = draft.source_ref(item.r#type, item.namespace.clone(), item.name.clone());
        if let Some((rule, detail)) = std::mem::take::<Exclusion>(&mut decisions.exclusions[index]) {
            self.not_restored.push(NotRestored {
                object: source,
                rule,
                detail,
            });
            return;
        }
        let type_index = usize::try_from(item.r#type).expect("a u32 fits");
        let Some(resource) = self.resources[type_index].clone() else {
            return;
        };
        let action = decisions.actions[index];
        let decided = Decided {
            draft,
            facts,
            item: &item,
            target: &target,
            action,
            is_deferred: decisions.deferred.contains_key(&index),
            is_held: decisions.held.contains_key(&index),
            is_alone: decisions.alone.contains(&index),
        };
        let status = status_of(draft, &item);
        let mut changes = item.changes.to_vec();
        let mut leftovers = item.leftovers().to_vec();
        leftovers.extend(decisions.held_leftovers.remove(&index).unwrap_or_default());
        if let Some(of_status) = item.of_status().filter(|_| status != StatusPlan::Drop) {
            changes.extend_from_slice(&of_status.changes);
            leftovers.extend_from_slice(&of_status.leftovers);
        }
        changes.extend(decisions.changes.remove(&index).unwrap_or_default());
        let mut edits = decisions.edits.remove(&index).unwrap_or_default();
        let captured = &draft.types[type_index].resource;
        if resource.version != captured.version {
            let (from, to) = (captured.api_version(), resource.api_version());
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
        let (ownership, entry_versions) = ownership::of(
            &decided,
            &resource,
            &decisions.definitions,
            (&mut changes, &mut self.notes),
        );
        changes.sort();
        let after = decided.steps(status, &ownership);
        self.count_rules(&decided, &changes, status, &after, &ownership);
        if action == Action::Update && draft.settings.existing == ExistingPolicy::Recreate {
            self.notes.insert(Note {
                object: Some(target.clone()),
                text: RuleId::ExistingNotRecreated.reason().to_owned(),
            });
        }
        for path in item.mentions() {
            self.notes.insert(Note {
                object: Some(target.clone()),
                text: format!(
                    "The field {path} mentions a renamed namespace; it is free text and is not rewritten."
                ),
            });
        }
        let (wave, depth) = decisions.places[index];
        self.objects.push(PlannedObject {
            source: (source != target).then(|| Box::new(source)),
            resource,
            wave,
            depth,
            action,
            preflight: decisions.versions[type_index].needs_preflight(),
            changes: changes.into(),
            owners: decisions.owners.remove(&index).unwrap_or_default().into(),
            source_uid: item.uid,
            locator: item.locator,
            ownership,
            status,
            after: after.into(),
            digest: item.digest,
            uncommon: Uncommon {
                leftovers,
                edits,
                entry_versions,
                awaits: decisions.awaits.remove(&index).unwrap_or_default(),
                deferred: decisions.deferred.remove(&index),
                held: decisions.held.remove(&index),
            }
            .boxed(),
            target,
        });
    }

    /// Counts the rules that have an effect on an object.
    fn count_rules(
        &mut self,
        decided: &Decided<'_>,
        changes: &[PlannedChange],
        status: StatusPlan,
        after: &[Step],
        ownership: &Ownership,
    ) {
        let item = decided.item;
        let mut used: BTreeSet<RuleId> = changes.iter().map(|change| change.rule).collect();
        used.insert(RuleId::ServerMetadata);
        used.extend((item.status.is_some() && status == StatusPlan::Drop).then_some(RuleId::StatusDropped));
        used.extend((status == StatusPlan::Restore && !item.finished).then_some(RuleId::StatusRestored));
        used.extend(item.drops_status_owner.then_some(RuleId::StatusOwnershipDropped));
        let writes_entries =
            after.contains(&Step::SetManagedFields) || after.contains(&Step::SetManagedFieldsLast);
        used.extend(writes_entries.then_some(match ownership {
            Ownership::None => RuleId::OwnershipNone,
            _ => RuleId::OwnershipKept,
        }));
        let recreates = decided.draft.settings.existing == ExistingPolicy::Recreate;
        used.extend(match decided.action {
            Action::Create => None,
            Action::Merge if item.of_eks().is_some() => Some(RuleId::AwsAuthAdded),
            Action::Merge => Some(RuleId::DefaultRbacAdded),
            Action::CreateOrUpdate => Some(RuleId::MadeByTarget),
            Action::Keep => Some(RuleId::ExistingKept),
            Action::Update if recreates => Some(RuleId::ExistingNotRecreated),
            Action::Update => Some(RuleId::ExistingUpdated),
            Action::Recreate => Some(RuleId::ExistingRecreated),
        });
        for rule in used {
            *self.rules.entry(rule).or_default() += 1;
        }
    }

    fn finish(self, draft: PlanBuilder, decisions: Decisions) -> Plan {
        let Self {
            mut objects,
            mut not_restored,
            mut rules,
            notes,
            ..
        } = self;
        // No two objects have the same target, and a stable sort takes half as much memory again.
        objects.sort_unstable_by(|a, b| (a.wave, a.depth, &a.target).cmp(&(b.wave, b.depth, &b.target)));
        not_restored.sort();
        for entry in &not_restored {
            *rules.entry(entry.rule).or_default() += 1;
        }
        let mut findings = decisions.findings;
        findings.sort();
        findings.dedup();
        let uses = rules.into_iter().map(|(rule, objects)| {
            let reason = rule.reason().to_owned();
            (rule, RuleUse { reason, objects })
        });
        let sources = (draft.types.into_iter()).map(|known| (known.resource.name(), known));
        Plan {
            format_version: crate::planned::PLAN_FORMAT_VERSION,
            point: draft.point,
            cluster: draft.cluster,
            options_digest: draft.settings.digest.clone(),
            objects,
            not_restored,
            unselected: u64::try_from(draft.unselected.len()).unwrap_or(u64::MAX),
            rules: uses.collect(),
            notes: notes.into_iter().collect(),
            missing: decisions.missing,
            workloads: decisions.workloads,
            findings,
            sources: Arc::new(sources.collect()),
            settings: draft.settings,
        }
    }
}
