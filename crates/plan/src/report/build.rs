//! Builds the report from what was read back.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::ObjectRef;
use lifeboat_translate::pointer;
use serde_json::Value;

use super::{
    Changed, ChangedBy, NotRestoredGroup, Report, Restored, Summary, Unplanned, Verdict, Workload,
    WorkloadState,
};
use crate::compare::{Difference, FieldDifference, compare};
use crate::eks::auth::has_entries;
use crate::{Action, Bodies, Note, Plan, PlannedObject, RuleId, TargetLeftovers};

/// The state of one planned object that was read back.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// The planned bodies.
    pub bodies: &'a Bodies,
    /// The API server's response to the last write request, if this run wrote the object.
    pub answered: Option<&'a Value>,
    /// The current object.
    pub live: &'a Value,
}

/// A field that belongs to other managers than planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerDifference {
    /// The field: the names and list keys on the way to it, each after a `/`.
    pub path: String,
    /// The manager, with its operation and subresource.
    pub manager: String,
    /// [`Difference::Missing`] if the manager does not own the field as planned, [`Difference::Added`] if it owns the
    /// field without a plan.
    pub difference: Difference,
}

/// Collects the proofs for the objects of a plan.
pub struct ReportBuilder<'a> {
    plan: &'a Plan,
    /// By the index of the object.
    proven: Vec<bool>,
    changed: Vec<Changed>,
    failures: BTreeMap<usize, String>,
    unplanned: BTreeSet<Unplanned>,
    workloads: Vec<Workload>,
    leftovers: TargetLeftovers,
    notes: Vec<Note>,
}

impl<'a> ReportBuilder<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            proven: vec![false; plan.objects.len()],
            changed: Vec::new(),
            failures: BTreeMap::new(),
            unplanned: BTreeSet::new(),
            workloads: Vec::new(),
            leftovers: TargetLeftovers::default(),
            notes: Vec::new(),
        }
    }

    /// Records that the object at `index` of [`Plan::objects`] was read back.
    pub fn prove(&mut self, index: usize, proof: Proof<'_>) {
        let Some(object) = self.plan.objects.get(index) else {
            return;
        };
        let mut expected = proof.bodies.create.clone();
        if let Some(suspend) = proof.bodies.suspend {
            match (suspend, expected.pointer("/spec/suspend").is_some()) {
                (false, _) if proof.live.pointer("/spec/suspend").is_none() => {
                    pointer::remove(&mut expected, "/spec/suspend");
                }
                _ => {
                    pointer::set(&mut expected, "/spec/suspend", Value::Bool(suspend));
                }
            }
        }
        if let Some(status) = &proof.bodies.status {
            pointer::set(&mut expected, "/status", status.clone());
        }
        // Others add entries, too, whoever wrote the list before.
        if is_aws_auth(object) && has_entries(&expected, proof.live) {
            let data = proof.live.get("data").cloned().unwrap_or_default();
            pointer::set(&mut expected, "/data", data);
        }
        for difference in compare(&expected, proof.live, self.plan.redactor()) {
            let (by, who) = if lacks_addition(object, &expected, proof.live, &difference.path) {
                (ChangedBy::Unexplained, None)
            } else {
                attribute(object, &proof, &difference)
            };
            self.changed.push(Changed {
                object: object.target.clone(),
                path: difference.path,
                by,
                rule: None,
                who,
                difference: Some(difference.difference),
                from: difference.planned,
                to: difference.live,
            });
        }
        self.proven[index] = true;
    }

    /// Records the fields of the object at `index` of [`Plan::objects`] that belong to other managers than planned.
    pub fn owners(&mut self, index: usize, differences: Vec<OwnerDifference>) {
        let Some(object) = self.plan.objects.get(index) else {
            return;
        };
        self.changed
            .extend(differences.into_iter().map(|difference| Changed {
                object: object.target.clone(),
                path: difference.path,
                by: ChangedBy::Ownership,
                rule: None,
                who: Some(difference.manager),
                difference: Some(difference.difference),
                from: None,
                to: None,
            }));
    }

    /// Records why the object at `index` of [`Plan::objects`] does not exist.
    pub fn fail(&mut self, index: usize, why: impl Into<String>) {
        self.failures.insert(index, why.into());
    }

    /// Records an object of the target that is not planned.
    pub fn unplanned(&mut self, object: ObjectRef, origin: Option<String>) {
        self.unplanned.insert(Unplanned { object, origin });
    }

    /// Records the Pods of the workloads.
    pub fn workloads(&mut self, workloads: Vec<Workload>) {
        self.workloads = workloads;
    }

    /// Records what names the primary in the target.
    pub fn leftovers(&mut self, leftovers: TargetLeftovers) {
        self.leftovers.merge(leftovers);
    }

    /// Records what happened, in a full sentence.
    pub fn remark(&mut self, text: String) {
        self.notes.push(Note { object: None, text });
    }

    /// Records what happened to an object, in a full sentence.
    pub fn note(&mut self, object: ObjectRef, text: String) {
        self.notes.push(Note {
            object: Some(object),
            text,
        });
    }

    /// Returns the report. An object that was neither proven nor failed counts as failed.
    #[must_use]
    pub fn finish(self) -> Report {
        let plan = self.plan;
        let mut restored = Vec::with_capacity(plan.objects.len());
        let mut not_restored = Vec::new();
        let mut changed = self.changed;
        for (index, object) in plan.objects.iter().enumerate() {
            if self.proven[index] && !self.failures.contains_key(&index) {
                restored.push(Restored::from(object));
                if object.action != Action::Keep {
                    changed.extend(planned_changes(plan, object));
                }
            } else {
                let why = self.failures.get(&index).cloned();
                not_restored.push(NotRestoredGroup {
                    object: object.source().clone(),
                    planned: true,
                    rule: None,
                    why: Some(why.unwrap_or_else(|| "the target does not contain it".to_owned())),
                });
            }
        }
        let failed = count(not_restored.len());
        not_restored.extend(plan.not_restored.iter().map(|entry| NotRestoredGroup {
            object: entry.object.clone(),
            planned: false,
            rule: Some(entry.rule),
            why: entry.detail.clone(),
        }));
        // No two entries are equal, and a stable sort takes half as much memory again.
        restored.sort_unstable();
        changed.sort_unstable();
        not_restored.sort_unstable();
        let by = |wanted: &[ChangedBy]| count(changed.iter().filter(|c| wanted.contains(&c.by)).count());
        let summary = Summary {
            planned: count(plan.objects.len()),
            restored: count(restored.len()),
            kept: count(
                restored
                    .iter()
                    .filter(|entry| entry.action == Action::Keep)
                    .count(),
            ),
            changed_by_plan: by(&[ChangedBy::Rule, ChangedBy::Patch]),
            changed_by_target: by(&[ChangedBy::Admission, ChangedBy::Controller]),
            unexplained: by(&[ChangedBy::Unexplained]),
            owners: by(&[ChangedBy::Ownership]),
            left_out: count(plan.not_restored.len()),
            failed,
            unplanned: count(self.unplanned.len()),
            workloads_not_ready: in_state(&self.workloads, WorkloadState::NotReady),
            workloads_differing: in_state(&self.workloads, WorkloadState::Differs),
            leftovers: self.leftovers.in_restored(),
            leftovers_elsewhere: self.leftovers.in_others(),
        };
        let verdict = if failed > 0 || summary.unexplained > 0 || summary.owners > 0 {
            Verdict::DiffersFromPlan
        } else if summary.leftovers > 0 && plan.settings.no_leftovers {
            Verdict::NamesPrimary
        } else if summary.workloads_differing > 0 {
            Verdict::WorkloadsDiffer
        } else if summary.workloads_not_ready > 0 {
            Verdict::WorkloadsNotReady
        } else {
            Verdict::MatchesPlan
        };
        let (mut workloads, mut notes) = (self.workloads, self.notes);
        workloads.sort();
        notes.sort();
        Report {
            format_version: super::REPORT_FORMAT_VERSION,
            verdict,
            point: plan.point.clone(),
            cluster: plan.cluster.clone(),
            plan: plan.hash(),
            summary,
            restored,
            changed,
            not_restored,
            unplanned: self.unplanned.into_iter().collect(),
            workloads,
            leftovers: self.leftovers.into_list(),
            notes,
            rules: plan.rules.clone(),
            warnings: Vec::new(),
        }
    }
}

fn in_state(workloads: &[Workload], state: WorkloadState) -> u64 {
    count(
        workloads
            .iter()
            .filter(|workload| workload.state == state)
            .count(),
    )
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn planned_changes<'a>(plan: &'a Plan, object: &'a PlannedObject) -> impl Iterator<Item = Changed> + 'a {
    object.changes.iter().map(|change| Changed {
        object: object.target.clone(),
        path: change.path.clone(),
        by: if change.patch.is_some() {
            ChangedBy::Patch
        } else {
            ChangedBy::Rule
        },
        rule: Some(change.rule),
        who: change.patch.and_then(|index| {
            let index = usize::try_from(index).ok()?;
            Some(plan.settings.patches.get(index)?.title(index))
        }),
        difference: None,
        from: change.from.clone(),
        to: change.to.clone(),
    })
}

/// Returns whether the plan adds entries of users to `aws-auth`.
fn is_aws_auth(object: &PlannedObject) -> bool {
    let mut changes = object.changes.iter();
    changes.any(|change| change.rule == RuleId::AwsAuthAdded)
}

/// Returns whether something that the plan adds to the object is not in it. Whoever removed it: what was added in the
/// source is to survive.
fn lacks_addition(object: &PlannedObject, expected: &Value, live: &Value, path: &str) -> bool {
    if is_aws_auth(object) {
        return !has_entries(expected, live);
    }
    let added = |at: &str| {
        let mut changes = object.changes.iter();
        changes.any(|change| change.rule == RuleId::DefaultRbacAdded && change.path == at)
    };
    // Lists of different lengths differ as a whole, others in their elements.
    let list = ["/rules", "/subjects", "/aggregationRule/clusterRoleSelectors"]
        .into_iter()
        .find(|list| path.starts_with(list) || list.starts_with(&format!("{path}/")));
    match list {
        Some(list) => {
            added(list)
                && pointer::list(expected, list)
                    .any(|element| !pointer::list(live, list).any(|other| other == element))
        }
        None => {
            let map = object
                .changes
                .iter()
                .any(|change| change.path.starts_with(&format!("{path}/")));
            object.action == Action::Merge && (added(path) || map)
        }
    }
}

/// Returns the cause of a difference. An added field comes from the target: its defaults, allocations and
/// controllers. For others, the API server's response to the write request shows what admission changed, and the live
/// entries of `managedFields` show who has written since.
fn attribute(
    object: &PlannedObject,
    proof: &Proof<'_>,
    difference: &FieldDifference,
) -> (ChangedBy, Option<String>) {
    if object.action == Action::Keep {
        return (ChangedBy::Existing, None);
    }
    let owner = writer(object, proof.live, &difference.path);
    let live = proof.live.pointer(&difference.path);
    let answered = proof.answered.map(|answer| answer.pointer(&difference.path));
    let from_admission = answered.is_some_and(|answered| answered == live);
    match (difference.difference, owner) {
        // A planned field that is missing is unexplained, even if the schema of the target drops it as unknown.
        (Difference::Missing, None) => (ChangedBy::Unexplained, None),
        // `kubectl edit`, `patch`, `scale` and the like: somebody changed it after the restore.
        (_, Some(manager)) if manager.starts_with("kubectl") => (ChangedBy::Unexplained, Some(manager)),
        _ if from_admission => (ChangedBy::Admission, None),
        (_, Some(manager)) => (ChangedBy::Controller, Some(manager)),
        (Difference::Added, None) => (ChangedBy::Admission, None),
        // It was removed or changed after the response. The cause is known only if a manager owns the field now.
        _ => (ChangedBy::Unexplained, None),
    }
}

/// Returns a manager of the live object that owns a field and that the plan does not list as an owner.
fn writer(object: &PlannedObject, live: &Value, path: &str) -> Option<String> {
    let ours = match &object.ownership {
        crate::Ownership::Single { manager, .. } => Some(&**manager),
        crate::Ownership::Several { first } => Some(&**first),
        crate::Ownership::None => None,
    };
    pointer::list(live, "/metadata/managedFields")
        .filter(|entry| pointer::text(entry, "/manager") != ours)
        .filter(|entry| entry.get("fieldsV1").is_some_and(|fields| owns(fields, path)))
        .filter_map(|entry| pointer::text(entry, "/manager"))
        .find(|manager| *manager != "lifeboat")
        .map(str::to_owned)
}

/// Returns whether a field set contains a path, or a path above or below it. List elements are identified by key in
/// the set and by index in the path, so any element matches: the question is only whether the manager writes to the
/// list.
fn owns(fields: &Value, path: &str) -> bool {
    let Some(map) = fields.as_object() else {
        return false;
    };
    let Some(tail) = path.strip_prefix('/') else {
        return true;
    };
    if map.keys().all(|key| key == ".") {
        return true;
    }
    let (segment, rest) = tail.find('/').map_or((tail, ""), |end| tail.split_at(end));
    let key = segment.replace("~1", "/").replace("~0", "~");
    if let Some(inner) = map.get(&format!("f:{key}")) {
        return owns(inner, rest);
    }
    let is_element = segment.bytes().all(|b| b.is_ascii_digit());
    is_element
        && map
            .iter()
            .filter(|(key, _)| key.starts_with("k:") || key.starts_with("v:"))
            .any(|(_, inner)| owns(inner, rest))
}
