//! From a recovery point and a target to a plan; `plan` and `restore` share it.

use futures::StreamExt as _;
use lifeboat_format::manifest::{ClusterRecord, TypeOutcome, TypeRecord};
use lifeboat_jobs::{Index, UnlockedPoint};
use lifeboat_kubernetes::restore::RunRecord;
use lifeboat_kubernetes::{Api, survey};
use lifeboat_model::{Code, ResourceType};
use lifeboat_plan::{Draft, Locator, Plan, PlanError, Redactor, RestoreOptions, SourceType, TargetFacts};

use crate::context::Context;
use crate::failure::Failure;
use crate::measure::Stopwatch;
use crate::progress::{Phase, Unit};

/// The objects of a cluster of a recovery point, read and about to be planned.
pub(super) struct Drafted {
    pub(super) index: Index,
    draft: Draft,
}

/// A plan, and the facts that it was made from.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) facts: TargetFacts,
}

/// What makes the digests that stand for values of this point.
pub(super) fn redactor(point: &UnlockedPoint) -> Redactor {
    Redactor::new(&point.redaction_key())
}

/// Shows the planner every object that it needs.
pub(super) async fn draft(
    point: &UnlockedPoint,
    cluster: &ClusterRecord,
    options: RestoreOptions,
    context: &Context,
    watch: &mut Stopwatch,
) -> Result<Drafted, Failure> {
    let index = point.index(&cluster.name).await?;
    let types: Vec<SourceType> = cluster.types.iter().filter(is_stored).map(source_type).collect();
    let mut draft = Draft::new(
        options,
        &types,
        point.point().point().as_str(),
        cluster.name.as_str(),
        redactor(point),
    );
    context
        .progress
        .begin(Phase::ReadObjects, Unit::Objects, Some(index.objects()));
    let mut frames = Vec::new();
    for number in index.numbers() {
        let Some(indexed) = index.frame(number) else {
            continue;
        };
        let Some(r#type) = types
            .iter()
            .find(|known| known.resource.name() == indexed.frame.type_name)
        else {
            return Err(Failure::new(
                Code::ManifestMalformed,
                format!(
                    "the index holds {}, which the manifest does not name",
                    indexed.frame.type_name
                ),
            ));
        };
        let needed = indexed
            .entries
            .iter()
            .any(|entry| draft.needs(r#type, namespace(&entry.namespace), &entry.name));
        if needed {
            frames.push((number, r#type));
        } else {
            for entry in &indexed.entries {
                draft.mention(r#type, namespace(&entry.namespace), &entry.name);
            }
            context
                .progress
                .advance(Phase::ReadObjects, indexed.entries.len() as u64);
        }
    }
    {
        let mut batches = std::pin::pin!(point.objects(&index, frames.iter().map(|(number, _)| *number)));
        let mut expected = frames.iter();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let Some((_, r#type)) = expected.next() else { break };
            for (position, entry, raw) in batch.iter() {
                if draft.needs(r#type, namespace(&entry.namespace), &entry.name) {
                    let locator = Locator {
                        frame: batch.number(),
                        position,
                    };
                    draft.observe(r#type, locator, raw).map_err(|error| {
                        Failure::of(Code::PackCorrupt, "failed to plan the restore", &error)
                    })?;
                } else {
                    draft.mention(r#type, namespace(&entry.namespace), &entry.name);
                }
            }
            context.progress.advance(Phase::ReadObjects, batch.len() as u64);
        }
    }
    context.progress.end(Phase::ReadObjects);
    watch.lap("read");
    Ok(Drafted { index, draft })
}

impl Drafted {
    /// Looks at the target and makes the plan. `run` is the restore that holds the target's lease.
    pub(super) async fn plan(
        &self,
        api: &Api,
        run: Option<&RunRecord>,
        context: &Context,
        watch: &mut Stopwatch,
    ) -> Result<Planned, Failure> {
        context.progress.begin(Phase::Survey, Unit::Objects, None);
        let discovery = api.discover().await?;
        let facts = survey(api, &discovery, &self.draft.wanted(), run).await?;
        context.progress.end(Phase::Survey);
        watch.lap("survey");
        let plan = self.draft.plan(&facts).map_err(|error| refused(&error))?;
        watch.lap("plan");
        Ok(Planned { plan, facts })
    }
}

/// Every fault that keeps a plan from being made, under the code of the first.
fn refused(error: &PlanError) -> Failure {
    let mut problems = error.problems.iter();
    let Some(first) = problems.next() else {
        return Failure::of(Code::Bug, "failed to make a plan", error);
    };
    let mut first = first.clone();
    let others: Vec<String> = problems
        .map(|problem| format!("also {}: {}", problem.code, problem.message))
        .collect();
    first.causes.extend(others);
    first.into()
}

fn is_stored(record: &&TypeRecord) -> bool {
    matches!(record.outcome, TypeOutcome::Listed { .. })
}

fn source_type(record: &TypeRecord) -> SourceType {
    SourceType {
        resource: ResourceType {
            group: record.group.clone(),
            version: record.version.clone(),
            resource: record.resource.clone(),
            kind: record.kind.clone(),
            namespaced: record.namespaced,
        },
        singular: record.singular.clone(),
        short_names: record.short_names.clone(),
        verbs: record.verbs.clone(),
        served_versions: record.served_versions.clone(),
        custom: record.custom,
    }
}

fn namespace(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
