//! Clusters of random built-in objects in random states: rollouts that are paused, partitioned or half done, objects
//! that are older than what would reject or change them, objects of several owners and in several versions.
//!
//! A seed determines a cluster completely. Its steps are printed as manifests, so that a finding can be reproduced by
//! hand and reduced to a case of `tests/cases`.

mod access;
mod admission;
mod configuration;
mod definitions;
mod jobs;
mod network;
mod storage;
mod workloads;

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use lifeboat_local::Cluster;
use serde_json::{Value, json};

use crate::client::Client;
use crate::environment::pause;
use crate::snapshot::text;

/// How long a step may be rejected: types, classes and accounts are known a moment after they are created.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);
/// How long the controllers may take until they have reacted to a phase.
const STILL_WITHIN: Duration = Duration::from_secs(60);

/// How many parts a cluster has.
const PARTS: std::ops::RangeInclusive<usize> = 10..=18;

/// The times at which steps are taken; between them the controllers come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Namespaces, definitions, and what the objects need.
    Begin,
    /// Objects that are older than the policies.
    Old,
    /// Policies, classes, quotas and rules, and classes that are deleted.
    Policies,
    /// Objects that the policies admitted.
    Young,
    /// Changes of objects.
    Changes,
    /// Changes while others are in progress, deletions, and states that controllers do not write here.
    End,
}

const PHASES: [Phase; 6] = [
    Phase::Begin,
    Phase::Old,
    Phase::Policies,
    Phase::Young,
    Phase::Changes,
    Phase::End,
];

/// One request.
#[derive(Debug, Clone)]
enum Step {
    /// Server-side apply as a field manager.
    Apply(&'static str, Value),
    /// A POST as a field manager.
    Create(&'static str, Value),
    /// A merge patch of the object, or of a subresource.
    Merge(Value, &'static str, Value),
    /// A PUT of a subresource, for values that a patch cannot have, such as null.
    Replace(Value, &'static str),
    /// A deletion; the dependants are orphaned.
    Delete(Value),
}

/// A random cluster.
#[derive(Debug, Clone)]
pub struct Generated {
    seed: u64,
    phases: Vec<Vec<Step>>,
}

impl Generated {
    /// Returns the cluster of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut draft = Draft {
            rng: Rng::with_seed(seed),
            phases: vec![Vec::new(); PHASES.len()],
            names: 0,
        };
        for namespace in NAMESPACES {
            draft.apply(
                Phase::Begin,
                "kubectl",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            );
        }
        let parts = draft.rng.usize(PARTS);
        let mut order: Vec<usize> = (0..ALL.len()).collect();
        draft.rng.shuffle(&mut order);
        for index in order.iter().take(parts) {
            ALL[*index](&mut draft);
        }
        Self {
            seed,
            phases: draft.phases,
        }
    }

    /// Returns the types of the objects whose status is written here, and is to be restored.
    #[must_use]
    pub fn types_with_status(&self) -> BTreeSet<String> {
        let steps = self.phases.iter().flatten();
        steps
            .filter_map(|step| match step {
                Step::Replace(object, _) => definitions::type_name(object),
                _ => None,
            })
            .collect()
    }

    /// Makes the objects, and waits until controllers have done their part.
    ///
    /// # Errors
    /// If the cluster does not respond. Steps that it rejects are returned: not every combination of random parts is
    /// possible, and a quota may be exhausted.
    pub fn create(&self, cluster: &Cluster) -> Result<Vec<String>> {
        let client = Client::connect(cluster)?;
        let mut rejected = Vec::new();
        for steps in self.phases.iter().filter(|steps| !steps.is_empty()) {
            for step in steps {
                if let Err(error) = take(&client, step) {
                    rejected.push(format!("{}: {error:#}", step.summary()));
                }
            }
            lifeboat_local::wait_until_still(cluster, STILL_WITHIN)?;
        }
        Ok(rejected)
    }
}

impl fmt::Display for Generated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "# seed {}", self.seed)?;
        for (phase, steps) in PHASES.iter().zip(&self.phases) {
            for step in steps {
                let object = match step {
                    Step::Merge(_, _, patch) => patch,
                    Step::Apply(_, object)
                    | Step::Create(_, object)
                    | Step::Replace(object, _)
                    | Step::Delete(object) => object,
                };
                writeln!(formatter, "---\n# {phase:?}: {}\n{object}", step.summary())?;
            }
        }
        Ok(())
    }
}

impl Step {
    fn summary(&self) -> String {
        let name = |object: &Value| {
            let place = [
                text(object, "/kind"),
                text(object, "/metadata/namespace"),
                text(object, "/metadata/name"),
            ];
            place.join(" ").replace("  ", " ")
        };
        match self {
            Self::Apply(manager, object) => format!("apply {} as {manager}", name(object)),
            Self::Create(manager, object) => format!("create {} as {manager}", name(object)),
            Self::Merge(object, subresource, _) => format!("patch {} {subresource}", name(object)),
            Self::Replace(object, subresource) => format!("replace {} {subresource}", name(object)),
            Self::Delete(object) => format!("delete {}, orphan what it owns", name(object)),
        }
    }
}

fn take(client: &Client, step: &Step) -> Result<()> {
    let start = Instant::now();
    loop {
        let result = attempt(client, step);
        if result.is_ok() || start.elapsed() > ACCEPTED_WITHIN {
            return result;
        }
        // What the object itself causes is not going to change.
        if let Err(error) = &result
            && [
                "Invalid",
                "exceeded quota",
                "violates PodSecurity",
                "AlreadyExists",
                "denied request",
            ]
            .iter()
            .any(|reason| format!("{error:#}").contains(reason))
        {
            return result;
        }
        pause(POLL);
    }
}

fn attempt(client: &Client, step: &Step) -> Result<()> {
    let filled = |object: &Value| with_uids(client, object);
    match step {
        Step::Apply(manager, object) => client.apply_object(manager, &filled(object)?).map(drop),
        Step::Create(manager, object) => client
            .create(&filled(object)?, &format!("fieldManager={manager}"))
            .map(drop),
        Step::Merge(object, subresource, patch) => client
            .send(
                "PATCH",
                &format!("{}{subresource}?fieldManager=operator", client.path(object)?),
                "application/merge-patch+json",
                &filled(patch)?,
            )
            .map(drop),
        Step::Replace(object, subresource) => {
            let path = client.path(object)?;
            let mut object = object.clone();
            object["metadata"]["resourceVersion"] = client.get(&path)?["metadata"]["resourceVersion"].clone();
            let path = format!("{path}{subresource}?fieldManager=operator");
            client.send("PUT", &path, "application/json", &object).map(drop)
        }
        Step::Delete(object) => client
            .delete(&format!("{}?propagationPolicy=Orphan", client.path(object)?))
            .map(drop),
    }
}

/// Replaces each `{{uid of PATH}}` by the UID of the object at that path.
fn with_uids(client: &Client, object: &Value) -> Result<Value> {
    const OPEN: &str = "{{uid of ";
    let mut written = object.to_string();
    while let Some(start) = written.find(OPEN) {
        let rest = &written[start + OPEN.len()..];
        let path = rest
            .split("}}")
            .next()
            .context("a placeholder has no end")?
            .to_owned();
        let found = client.get(&path)?;
        written = written.replace(&format!("{OPEN}{path}}}}}"), text(&found, "/metadata/uid"));
    }
    Ok(serde_json::from_str(&written)?)
}

/// Returns the placeholder of the UID of the object at a path.
fn uid_of(path: &str) -> String {
    format!("{{{{uid of {path}}}}}")
}

const NAMESPACES: [&str; 3] = ["amber", "birch", "cedar"];
const MANAGERS: [&str; 4] = ["kubectl", "helm", "argocd-controller", "flux"];

/// The kinds of parts. The seed chooses among them.
const ALL: [fn(&mut Draft); 44] = [
    workloads::deployment,
    workloads::paused_rollout,
    workloads::half_done_rollout,
    workloads::stateful_set,
    workloads::stateful_set,
    workloads::daemon_set,
    workloads::replica_set,
    workloads::replication_controller,
    jobs::job,
    jobs::suspended_job,
    jobs::failed_job,
    jobs::job_by_hand,
    workloads::pod,
    workloads::pod,
    workloads::orphaned_pods,
    workloads::pod_with_ephemeral_volume,
    workloads::autoscaled,
    admission::default_priority,
    admission::retired_priority,
    admission::overhead,
    admission::pod_security,
    admission::limit_range,
    admission::quota,
    admission::validating_policy,
    admission::mutating_policy,
    network::service,
    network::service,
    network::service_without_selector,
    network::load_balancer,
    network::ingress,
    network::reserved_address,
    network::rivals,
    storage::bound_claim,
    storage::released_volume,
    storage::pending_claim,
    storage::default_classes,
    access::roles,
    access::additions_to_defaults,
    access::accounts,
    definitions::two_versions,
    definitions::nulls,
    definitions::stricter_schema,
    configuration::shared,
    configuration::references,
];

/// A cluster that is being made up.
struct Draft {
    rng: Rng,
    phases: Vec<Vec<Step>>,
    names: usize,
}

impl Draft {
    fn step(&mut self, phase: Phase, step: Step) {
        self.phases[phase as usize].push(step);
    }

    fn apply(&mut self, phase: Phase, manager: &'static str, object: Value) {
        self.step(phase, Step::Apply(manager, object));
    }

    fn create(&mut self, phase: Phase, manager: &'static str, object: Value) {
        self.step(phase, Step::Create(manager, object));
    }

    fn merge(&mut self, phase: Phase, object: &Value, subresource: &'static str, patch: Value) {
        self.step(phase, Step::Merge(object.clone(), subresource, patch));
    }

    fn delete(&mut self, phase: Phase, object: &Value) {
        self.step(phase, Step::Delete(object.clone()));
    }

    /// Returns a name that no other object has.
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}-{}", self.names)
    }

    fn namespace(&mut self) -> &'static str {
        self.one(&NAMESPACES)
    }

    fn manager(&mut self) -> &'static str {
        self.one(&MANAGERS)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())]
    }

    /// Returns true in one of so many cases.
    fn once_in(&mut self, cases: usize) -> bool {
        self.rng.usize(0..cases) == 0
    }

    /// Returns the phase of an object that is older or younger than the policies.
    fn age(&mut self) -> Phase {
        self.one(&[Phase::Old, Phase::Young])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_cluster() {
        assert_eq!(Generated::new(7).to_string(), Generated::new(7).to_string());
        assert_ne!(Generated::new(7).to_string(), Generated::new(8).to_string());
    }

    #[test]
    fn a_thousand_seeds_take_every_part() {
        let all: String = (0..1000).map(|seed| Generated::new(seed).to_string()).collect();
        for kind in [
            "StatefulSet",
            "ResourceQuota",
            "MutatingAdmissionPolicy",
            "IPAddress",
            "orphan",
        ] {
            assert!(all.contains(kind), "no cluster has a {kind}");
        }
    }
}
