//! Compares the Pods of the workloads with those that ran in the source, and waits until as many are ready.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use lifeboat_model::{ObjectRef, Uid};
use lifeboat_plan::report::workloads::{ShapedPods, differences, other_revisions};
use lifeboat_plan::report::{PodDifference, Workload, WorkloadState};
use lifeboat_plan::{Plan, PlannedOrdinal, PlannedWorkload, body, shape};
use serde_json::Value;
use tokio::time::Instant;

use super::{ProveError, ProveSettings};
use crate::execute::{ObjectSource, RestoreOutcome, RestoreProgress};
use crate::survey::listing::pin;
use crate::wire::text;
use crate::workloads::{DAEMON_SETS, Deployments, built_in, list, pods};
use lifeboat_apiserver::api::Api;
use lifeboat_system::sleep;

/// The interval between reads of the Pods while they become ready.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pods of one shape in the target.
struct LivePods {
    /// The shape as JSON.
    shape: String,
    pods: u32,
    ready: u32,
}

/// What runs in the target of a workload.
#[derive(Default)]
struct LiveWorkload {
    shapes: BTreeMap<String, LivePods>,
    revisions: BTreeMap<String, u32>,
    /// The Pods by their ordinals, of a StatefulSet whose rollout is held.
    ordinals: BTreeMap<u32, PlannedOrdinal>,
}

impl LiveWorkload {
    fn pods(&self) -> u32 {
        self.shapes.values().map(|shape| shape.pods).sum()
    }

    fn ready(&self) -> u32 {
        self.shapes.values().map(|shape| shape.ready).sum()
    }
}

/// Reads the Pods of the target until those of every workload are ready, for a limited time, and compares them.
pub(super) async fn compare(
    api: &Api,
    plan: &Plan,
    source: &dyn ObjectSource,
    outcome: &RestoreOutcome,
    settings: &ProveSettings,
    progress: &dyn RestoreProgress,
) -> Result<Vec<Workload>, ProveError> {
    if plan.workloads.is_empty() {
        return Ok(Vec::new());
    }
    let until = Instant::now() + settings.ready_within;
    let workloads: HashSet<&ObjectRef> = plan.workloads.iter().map(|one| &one.workload).collect();
    let places: HashMap<&ObjectRef, usize> = (plan.objects.iter().enumerate())
        .filter(|(_, object)| workloads.contains(&object.target))
        .map(|(at, object)| (&object.target, at))
        .collect();
    let mut shown = None;
    loop {
        let mut live = Live::read(api, plan).await?;
        let waiting = plan.workloads.iter().find(|planned| {
            let running = live.workloads.get(&planned.workload);
            running.map_or(0, LiveWorkload::ready) < live.wanted(planned)
        });
        if let Some(planned) = waiting
            && Instant::now() < until
        {
            if shown.replace(&planned.workload) != Some(&planned.workload) {
                progress.waiting(&planned.workload, until.saturating_duration_since(Instant::now()));
            }
            sleep(LOOK_EVERY).await;
            continue;
        }
        let mut found = Vec::new();
        for planned in &plan.workloads {
            let Some(&at) = places.get(&planned.workload) else {
                continue;
            };
            let running = live.workloads.remove(&planned.workload).unwrap_or_default();
            let (wanted, ready) = (live.wanted(planned), running.ready());
            let differences = of_workload(plan, at, source, outcome, planned, &running).await?;
            let state = match (differences.is_empty(), ready < wanted) {
                (false, _) => WorkloadState::Differs,
                (true, true) => WorkloadState::NotReady,
                (true, false) => WorkloadState::Same,
            };
            found.push(Workload {
                object: planned.workload.clone(),
                state,
                pods: planned.pods,
                wanted,
                ready,
                differences,
            });
        }
        return Ok(found);
    }
}

/// The Pods of the target, by workload.
struct Live {
    workloads: HashMap<ObjectRef, LiveWorkload>,
    /// The number of Pods that the DaemonSets want: one on each of the nodes that they select.
    daemons: HashMap<ObjectRef, u32>,
}

impl Live {
    async fn read(api: &Api, plan: &Plan) -> Result<Self, ProveError> {
        let version = pin(api).await?;
        let at = Some(version.as_str());
        let deployments = Deployments::read(api, None, at)
            .await
            .map_err(ProveError::list(&Deployments::replica_sets()))?;
        let has_daemons = plan
            .workloads
            .iter()
            .any(|one| one.workload.r#type.as_str() == DAEMON_SETS);
        let mut daemons = HashMap::new();
        if has_daemons {
            let sets = built_in("apps", "daemonsets", "DaemonSet");
            let add = |found: &mut HashMap<_, _>, set: Value| {
                let namespace = Some(text(&set, "/metadata/namespace"));
                let object = ObjectRef::new(DAEMON_SETS.into(), namespace, text(&set, "/metadata/name"));
                let desired = set
                    .pointer("/status/desiredNumberScheduled")
                    .and_then(Value::as_u64);
                found.insert(
                    object,
                    desired.map_or(0, |pods| u32::try_from(pods).unwrap_or(u32::MAX)),
                );
            };
            daemons = list(api, &sets, None, at, add)
                .await
                .map_err(ProveError::list(&sets))?;
        }
        let redactor = plan.redactor();
        let held: HashSet<&ObjectRef> = (plan.workloads.iter())
            .filter(|one| !one.ordinals.is_empty())
            .map(|one| &one.workload)
            .collect();
        let add = |found: &mut HashMap<ObjectRef, LiveWorkload>, pod: Value| {
            let (true, Some(workload)) = (shape::is_active(&pod), deployments.workload_of(&pod)) else {
                return;
            };
            let is_held = held.contains(&workload);
            let own = found.entry(workload).or_default();
            let shape = shape::of_pod(&pod);
            let digest = redactor.digest(&shape);
            let revision = shape::revision(&pod).unwrap_or_default().to_owned();
            let ordinal = text(&pod, "/metadata/name").rsplit_once('-');
            if let Some(Ok(ordinal)) = ordinal.map(|(_, ordinal)| ordinal.parse()).filter(|_| is_held) {
                let pod = PlannedOrdinal {
                    revision: revision.clone(),
                    shape: digest.clone(),
                };
                own.ordinals.insert(ordinal, pod);
            }
            let pods = own.shapes.entry(digest).or_insert_with(|| LivePods {
                shape: shape.to_string(),
                pods: 0,
                ready: 0,
            });
            pods.pods += 1;
            pods.ready += u32::from(shape::is_ready(&pod));
            *own.revisions.entry(revision).or_default() += 1;
        };
        let pods = pods();
        let workloads = list(api, &pods, None, at, add)
            .await
            .map_err(ProveError::list(&pods))?;
        Ok(Self { workloads, daemons })
    }

    /// Returns the number of ready Pods that the target is to have.
    fn wanted(&self, planned: &PlannedWorkload) -> u32 {
        match planned.workload.r#type.as_str() {
            DAEMON_SETS if planned.ready == planned.pods => {
                // A cluster without a node for it is not as the source was.
                self.daemons
                    .get(&planned.workload)
                    .copied()
                    .unwrap_or(0)
                    .max(planned.ready.min(1))
            }
            DAEMON_SETS => planned.ready.min(1),
            _ => planned.ready,
        }
    }
}

/// Returns whether a revision has fewer Pods than in the source. A Pod more than the source had is of any revision: a
/// quota or a lack of nodes may have kept its controller from creating it there.
fn lacks_revision(planned: &PlannedWorkload, live: &LiveWorkload) -> bool {
    let pods = |revision| live.revisions.get(revision).copied().unwrap_or(0);
    planned
        .revisions
        .iter()
        .any(|(revision, planned)| pods(revision) < *planned)
}

/// Compares the Pods of one workload. The recovery point is read only if the shapes differ.
async fn of_workload(
    plan: &Plan,
    at: usize,
    source: &dyn ObjectSource,
    outcome: &RestoreOutcome,
    planned: &PlannedWorkload,
    live: &LiveWorkload,
) -> Result<Vec<PodDifference>, ProveError> {
    let mut found = Vec::new();
    if !planned.ordinals.is_empty() {
        found.extend(other_revisions(planned, &live.ordinals));
    } else if planned.older > 0 && live.pods() >= planned.pods && lacks_revision(planned, live) {
        let shown = |revisions: &BTreeMap<String, u32>| {
            let texts = revisions
                .iter()
                .map(|(revision, pods)| format!("{pods} of {revision}"));
            Some(texts.collect::<Vec<_>>().join(", "))
        };
        found.push(PodDifference {
            path: "/revision".to_owned(),
            source: shown(&planned.revisions),
            target: shown(&live.revisions),
        });
    }
    let known = |digest: &String| planned.shapes.iter().any(|shape| shape.shape == *digest);
    let is_whole = live.pods() >= planned.pods;
    let is_same = live.shapes.keys().all(known)
        && (!is_whole
            || planned
                .shapes
                .iter()
                .all(|shape| live.shapes.contains_key(&shape.shape)));
    if is_same {
        return Ok(found);
    }
    let object = &plan.objects[at];
    let raw = source
        .object(object.locator.frame, object.locator.position)
        .await?;
    let captured: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let uids = |uid: &Uid| Some(outcome.owner_uid(uid));
    let Ok(bodies) = body(plan, object, &raw, &uids) else {
        return Ok(found);
    };
    let (Some(source_template), Some(target_template)) =
        (shape::of_template(&captured), shape::of_template(&bodies.create))
    else {
        return Ok(found);
    };
    // Images of the source have their counterparts in the target.
    let source_template = plan.shape_in_target(source_template);
    let mut of_source = Vec::new();
    for one in &planned.shapes {
        let raw = source.object(one.example.frame, one.example.position).await?;
        let pod: Value = serde_json::from_slice(&raw).unwrap_or_default();
        of_source.push(ShapedPods {
            shape: plan.shape_in_target(shape::of_pod(&pod)),
            pods: one.pods,
        });
    }
    let of_target: Vec<ShapedPods> = (live.shapes.values())
        .map(|one| ShapedPods {
            shape: serde_json::from_str(&one.shape).unwrap_or_default(),
            pods: one.pods,
        })
        .collect();
    found.extend(differences(
        (&of_source, &source_template),
        (&of_target, &target_template),
    ));
    Ok(found)
}
