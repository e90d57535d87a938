//! What a build is at, taken from its own calls to CloudFormation, so that nothing is asked twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use lifeboat_model::progress::EVENTS;
use lifeboat_model::{BuildProgress, EnvironmentId, NodeProgress, Problem, StackEvent, StackName};
use serde_json::Value;

use crate::stack::{Change, ChangeSet, Event, OnFailure, Stack, StackResource, Stacks};

const NODEGROUP: &str = "AWS::EKS::Nodegroup";

/// What a build is at, for whoever tells it while the build runs.
#[derive(Debug)]
pub struct BuildWatch {
    since: Timestamp,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The change set that was made last.
    prepared: Operation,
    /// The operation that runs, or ran last.
    current: Option<Operation>,
    /// The events, by their id and status: each change of status is a separate event.
    events: BTreeSet<(String, String)>,
    latest: Vec<StackEvent>,
}

/// A change of a stack.
#[derive(Debug, Clone, Default)]
struct Operation {
    stack: String,
    /// The resources that it changes; `None` if it was not begun here.
    changes: Option<BTreeSet<String>>,
    /// The desired numbers of nodes, by the node groups of the template.
    nodes: BTreeMap<String, u64>,
    done: BTreeSet<String>,
}

impl BuildWatch {
    /// Begins at a time: what happened before is not told.
    #[must_use]
    pub fn new(since: Timestamp) -> Self {
        Self {
            // The events of CloudFormation are read in whole seconds.
            since: Timestamp::from_second(since.as_second()).unwrap_or(since),
            seen: Mutex::default(),
        }
    }

    /// Returns what the build is at; `None` before it changes a stack.
    #[must_use]
    pub fn progress(&self) -> Option<BuildProgress> {
        let seen = self.seen();
        let current = seen.current.as_ref()?;
        Some(BuildProgress {
            stack: StackName::parse(current.stack.as_str()).ok(),
            done: current.done.len() as u64,
            total: current.changes.as_ref().map(|changes| changes.len() as u64),
            nodes: current.nodes(),
            events: seen.latest.clone(),
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, stack: &str, newest_first: &[Event]) {
        let Ok(name) = StackName::parse(stack) else {
            return;
        };
        let mut seen = self.seen();
        for event in newest_first.iter().rev() {
            let is_earlier = event.at.is_none_or(|at| at < self.since);
            if is_earlier || !seen.events.insert((event.id.clone(), event.status.clone())) {
                continue;
            }
            if let Some(current) = seen.current.as_mut().filter(|current| current.stack == stack) {
                current.take(event);
            }
            if seen.latest.len() == EVENTS {
                seen.latest.remove(0);
            }
            seen.latest.push(StackEvent {
                at: event.at,
                stack: name.clone(),
                resource: event.resource.clone(),
                r#type: event.kind.clone(),
                status: event.status.clone(),
                reason: Some(event.reason.clone()).filter(|reason| !reason.is_empty()),
            });
        }
    }
}

impl Operation {
    fn take(&mut self, event: &Event) {
        let is_part = match &self.changes {
            Some(changes) => changes.contains(&event.resource),
            None => event.kind != "AWS::CloudFormation::Stack",
        };
        if is_part && event.status.ends_with("_COMPLETE") {
            self.done.insert(event.resource.clone());
        }
    }

    /// Returns the nodes of the node groups that it changes.
    fn nodes(&self) -> Option<NodeProgress> {
        let changes = self.changes.as_ref()?;
        let groups = self.nodes.iter().filter(|(group, _)| changes.contains(*group));
        let mut nodes = NodeProgress::default();
        for (group, wanted) in groups {
            nodes.wanted += wanted;
            if self.done.contains(group) {
                nodes.joined += wanted;
            }
        }
        (nodes.wanted > 0).then_some(nodes)
    }
}

/// CloudFormation, whose calls are watched.
pub struct Watched<'a> {
    /// CloudFormation.
    pub stacks: &'a dyn Stacks,
    /// Receives what happens.
    pub watch: &'a BuildWatch,
}

#[async_trait]
impl Stacks for Watched<'_> {
    fn environment(&self) -> &EnvironmentId {
        self.stacks.environment()
    }

    async fn describe(&self, stack: &str) -> Result<Option<Stack>, Problem> {
        let found = self.stacks.describe(stack).await?;
        let status = found.as_ref().map_or("", |found| found.status.as_str());
        if !status.ends_with("_IN_PROGRESS") || status == "REVIEW_IN_PROGRESS" {
            return Ok(found);
        }
        let is_ours = {
            let mut seen = self.watch.seen();
            let current = seen.current.get_or_insert_default();
            let is_ours = current.stack == stack && current.changes.is_some();
            if current.stack != stack {
                *current = Operation {
                    stack: stack.to_owned(),
                    ..Operation::default()
                };
            }
            is_ours
        };
        // The events of an operation that an earlier invocation has begun are not read by the one that waits for it.
        if !is_ours && let Ok(events) = self.stacks.events(stack).await {
            self.watch.take(stack, &events);
        }
        Ok(found)
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Problem> {
        self.stacks.resources(stack).await
    }

    async fn template(&self, stack: &str) -> Result<String, Problem> {
        self.stacks.template(stack).await
    }

    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem> {
        self.stacks.all().await
    }

    async fn create_change_set(&self, change: &Change) -> Result<(), Problem> {
        self.watch.seen().prepared = Operation {
            stack: change.stack.clone(),
            nodes: nodes(&change.template),
            ..Operation::default()
        };
        self.stacks.create_change_set(change).await
    }

    async fn describe_change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, Problem> {
        let set = self.stacks.describe_change_set(stack, name).await?;
        let changes = set.changes.iter().map(|change| change.resource.clone());
        self.watch.seen().prepared.changes = Some(changes.collect());
        Ok(set)
    }

    async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), Problem> {
        self.stacks.delete_change_set(stack, name).await
    }

    async fn execute_change_set(
        &self,
        stack: &str,
        name: &str,
        on_failure: OnFailure,
    ) -> Result<(), Problem> {
        {
            let mut seen = self.watch.seen();
            seen.current = Some(std::mem::take(&mut seen.prepared));
        }
        self.stacks.execute_change_set(stack, name, on_failure).await
    }

    async fn delete_stack(&self, stack: &str) -> Result<(), Problem> {
        self.stacks.delete_stack(stack).await
    }

    async fn events(&self, stack: &str) -> Result<Vec<Event>, Problem> {
        let events = self.stacks.events(stack).await?;
        self.watch.take(stack, &events);
        Ok(events)
    }
}

/// Returns the desired numbers of nodes of a template, by node group.
fn nodes(template: &str) -> BTreeMap<String, u64> {
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    let resources = template["Resources"].as_object().into_iter().flatten();
    let groups = resources.filter(|(_, resource)| resource["Type"] == NODEGROUP);
    let sized = groups.filter_map(|(name, group)| {
        let wanted = group.pointer("/Properties/ScalingConfig/DesiredSize")?;
        Some((name.clone(), wanted.as_u64()?))
    });
    sized.collect()
}
