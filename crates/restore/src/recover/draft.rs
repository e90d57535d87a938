//! Makes a plan from a recovery point and a target.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use lifeboat_format::FrameRef;
use lifeboat_format::manifest::{ClusterRecord, TypeOutcome, TypeRecord};
use lifeboat_model::{ResourceType, TypeName};
use lifeboat_plan::{
    Locator, MissingSource, PlanBuilder, PlanError, Redactor, RestoreOptions, SourceCompleteness, SourceType,
};
use lifeboat_recovery_point::ReadablePoint;

use super::{Planned, RecoverError, RecoveryProgress, Stage};
use crate::execute::RunRecord;
use crate::survey::survey;
use lifeboat_apiserver::api::Api;

/// The objects of a cluster of a recovery point, loaded for planning.
pub struct LoadedPoint {
    frames: Vec<FrameRef>,
    draft: PlanBuilder,
}

/// Returns the redactor, which replaces values of this recovery point by digests.
#[must_use]
pub fn redactor(point: &ReadablePoint) -> Redactor {
    Redactor::new(&point.redaction_key())
}

/// Passes the planner every object that it needs.
///
/// # Errors
/// If the recovery point cannot be read.
pub async fn draft(
    point: &ReadablePoint,
    cluster: &ClusterRecord,
    options: RestoreOptions,
    watch: &dyn RecoveryProgress,
) -> Result<LoadedPoint, RecoverError> {
    let index = point.index(&cluster.name).await?;
    let types: Vec<SourceType> = cluster.types.iter().filter(is_stored).map(source_type).collect();
    let mut draft = PlanBuilder::new(
        options,
        &types,
        point.point().point().as_str(),
        cluster.name.as_str(),
        redactor(point),
    )
    .with_completeness(completeness(cluster))
    .with_types_in_use(index.types().into_keys().cloned().collect());
    watch.begin(Stage::Read, Some(index.objects()));
    let by_name: BTreeMap<TypeName, &SourceType> =
        types.iter().map(|known| (known.resource.name(), known)).collect();
    let type_of = |name: &TypeName| {
        let known = by_name.get(name).copied();
        known.ok_or_else(|| RecoverError::Unnamed {
            type_name: name.to_string(),
        })
    };
    let frame_refs = index.frame_refs();
    let mut frames = Vec::new();
    for (number, indexed) in index.into_numbered() {
        let r#type = type_of(&indexed.frame.type_name)?;
        let needed = indexed
            .entries
            .iter()
            .any(|entry| draft.needs(r#type, namespace(&entry.namespace), &entry.name));
        if needed {
            frames.push((number, indexed));
        } else {
            for entry in &indexed.entries {
                draft.add_unselected(r#type, namespace(&entry.namespace), &entry.name);
            }
            watch.advance(Stage::Read, indexed.entries.len() as u64);
        }
    }
    // Stable: otherwise frames stay in the order in which they are stored.
    frames.sort_by_key(|(_, indexed)| !PlanBuilder::comes_first(&indexed.frame.type_name));
    let mut batches = std::pin::pin!(point.objects(frames));
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let r#type = type_of(batch.type_name())?;
        for (position, entry, raw) in batch.iter() {
            if draft.needs(r#type, namespace(&entry.namespace), &entry.name) {
                let locator = Locator {
                    frame: batch.number(),
                    position,
                };
                draft.add(r#type, locator, raw).map_err(RecoverError::Object)?;
            } else {
                draft.add_unselected(r#type, namespace(&entry.namespace), &entry.name);
            }
        }
        watch.advance(Stage::Read, batch.len() as u64);
    }
    watch.end(Stage::Read);
    Ok(LoadedPoint {
        frames: frame_refs,
        draft,
    })
}

impl LoadedPoint {
    /// Makes the plan for a target that does not exist yet ([`PlanBuilder::empty_target`]), of the version of the source.
    ///
    /// # Errors
    /// If no plan can be made.
    pub fn plan_for_empty_target(
        self,
        source_version: &str,
        service_ranges: Vec<String>,
    ) -> Result<Planned, RecoverError> {
        let facts = self.draft.empty_target(source_version, service_ranges);
        let plan =
            (self.draft.plan(&facts)).map_err(|PlanError { problems }| RecoverError::NoPlan { problems })?;
        Ok(Planned {
            hash: plan.hash(),
            plan,
            facts,
            frames: self.frames,
        })
    }

    /// Surveys the target and makes the plan. `run` is the restore that holds the target's Lease, if any.
    ///
    /// # Errors
    /// If the target cannot be surveyed, or no plan can be made.
    pub async fn plan(
        self,
        api: &Api,
        run: Option<&RunRecord>,
        watch: &dyn RecoveryProgress,
    ) -> Result<Planned, RecoverError> {
        watch.begin(Stage::Survey, None);
        let discovery = api.discover().await?;
        let facts = survey(api, &discovery, self.draft.wanted(), run).await?;
        watch.end(Stage::Survey);
        watch.begin(Stage::Plan, None);
        let plan =
            (self.draft.plan(&facts)).map_err(|PlanError { problems }| RecoverError::NoPlan { problems })?;
        watch.end(Stage::Plan);
        Ok(Planned {
            hash: plan.hash(),
            plan,
            facts,
            frames: self.frames,
        })
    }
}

/// Returns what the recovery point says about its own completeness.
fn completeness(cluster: &ClusterRecord) -> SourceCompleteness {
    let is_complete = |record: &TypeRecord| {
        record.group.is_empty()
            && record.resource == "namespaces"
            && matches!(record.outcome, TypeOutcome::Listed { pinned: true, .. })
    };
    let missing = cluster.missing.iter().map(|missing| MissingSource {
        r#type: missing.r#type.clone(),
        group: missing.group.clone(),
        verb: missing.verb.clone(),
        answer: missing.answer.clone(),
        remediation: missing.remediation.clone(),
    });
    SourceCompleteness {
        missing: missing.collect(),
        // With labels, Namespaces without them were left out.
        all_namespaces: cluster.filters.labels.is_empty() && cluster.types.iter().any(is_complete),
    }
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
