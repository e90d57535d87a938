//! Private delegates that the public one deploys itself: when it does, and what becomes of them.
//!
//! A cluster that needs a private delegate ([`super::private`]) gets one with the code of the public delegate and in the
//! network that EKS describes. It is deployed again when either changes, and removed when the cluster leaves the application
//! or gets a public endpoint. Each cluster has one job at a time; one that failed is tried again at growing intervals.

use jiff::{SignedDuration, Timestamp};
use lifeboat_jobs::{
    ClusterTarget, Done, Failure, Outcome, PrivateDelegateChange, PrivateDelegateWork, PrivateEndpoint, Work,
};
use lifeboat_model::{Arn, Code, DelegateId, DelegateRegistration, Problem, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{Worded, is_cluster_of};
use super::backup::later;
use super::decision::DecisionBuilder;
use super::follow::Step;
use super::inventory::Registered;
use super::state::JobEntry;

mod issues;

/// The delay after the first failure until the next attempt. It doubles with each further one.
const BACKOFF: SignedDuration = SignedDuration::from_mins(5);

/// How often a delay doubles: the longest is about five hours after a failure.
const DOUBLINGS: u32 = 6;

/// The time within which a private delegate that was deployed registers: its function is invoked each minute, and the
/// interfaces of its network are made within a few.
const REGISTERS_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// The time within which a stack is deployed: it takes a few minutes.
const DEPLOYS_WITHIN: SignedDuration = SignedDuration::from_mins(60);

/// The time within which a stack is deleted. Lambda removes the network interfaces of a function in a VPC within 20 minutes,
/// or 40 if the function was invoked just before.
const REMOVES_WITHIN: SignedDuration = SignedDuration::from_mins(90);

/// What is deployed for a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentGoal {
    /// When the public delegate registered: it does when its code changes.
    #[schemars(with = "String")]
    pub registered_at: Timestamp,
    /// The cluster, with its name in the application.
    pub cluster: ClusterTarget,
    /// Its endpoint and its network.
    pub endpoint: PrivateEndpoint,
}

/// A private delegate as it was last deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployedDelegate {
    /// What was deployed.
    pub goal: DeploymentGoal,
    /// When the job ended, by the coordinator's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// The private delegate of a cluster that the public delegate deploys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateDeployment {
    /// The cluster.
    pub cluster: ClusterTarget,
    /// What is deployed; `None` if nothing is, or nothing is known of it.
    pub deployed: Option<DeployedDelegate>,
    /// What the last job was to deploy.
    pub attempted: Option<DeploymentGoal>,
    /// Whether it is to be removed.
    pub leaves: bool,
    /// The number of attempts without a private delegate that registers.
    pub failures: u32,
    /// When the next attempt begins after a failure.
    #[schemars(with = "Option<String>")]
    pub next_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub problem: Option<Problem>,
    /// The running job.
    pub job: Option<JobEntry>,
}

impl PrivateDeployment {
    fn of(cluster: ClusterTarget) -> Self {
        Self {
            cluster,
            deployed: None,
            attempted: None,
            leaves: false,
            failures: 0,
            next_at: None,
            problem: None,
            job: None,
        }
    }

    fn fail(&mut self, problem: Problem, now: Timestamp) {
        self.next_at = Some(later(now, BACKOFF * (1 << self.failures.min(DOUBLINGS))));
        self.failures = self.failures.saturating_add(1);
        self.problem = Some(problem);
    }

    fn succeed(&mut self, now: Timestamp) {
        let removed = self.job.take().is_none_or(|entry| removes(&entry.work));
        self.deployed = match (removed, &self.attempted) {
            (false, Some(goal)) => Some(DeployedDelegate {
                goal: goal.clone(),
                at: now,
            }),
            _ => None,
        };
        if removed {
            self.attempted = None;
            self.failures = 0;
        }
        self.problem = None;
        self.next_at = None;
    }

    /// Whether what is deployed was for a cluster that had the same name: its endpoint has another address.
    fn is_of_former_cluster(&self, endpoint: &PrivateEndpoint) -> bool {
        let deployed = self
            .deployed
            .as_ref()
            .map(|deployed| &deployed.goal.endpoint.endpoint);
        deployed.is_some_and(|deployed| deployed.url != endpoint.endpoint.url)
    }
}

fn removes(work: &Work) -> bool {
    matches!(
        work,
        Work::PrivateDelegate(PrivateDelegateWork {
            change: PrivateDelegateChange::Remove {},
            ..
        })
    )
}

impl DecisionBuilder<'_> {
    pub(super) fn advance_deployments(&mut self) {
        let mut deployments = std::mem::take(&mut self.state.deployments);
        deployments.retain(|_, deployment| {
            self.follow_deployment(deployment);
            let is_removed = deployment.leaves && deployment.attempted.is_none();
            !is_removed || deployment.job.is_some()
        });
        self.state.deployments = deployments;
    }

    fn follow_deployment(&mut self, deployment: &mut PrivateDeployment) {
        let Some(entry) = &mut deployment.job else {
            return;
        };
        let outcome = match self.follow(entry) {
            Step::Open => return,
            Step::Cancelled => Outcome::Cancelled {},
            Step::Lost(problem) => Outcome::failed(&problem, true),
            Step::Ended(result) => result.outcome,
        };
        match outcome {
            Outcome::Done(Done::PrivateDelegate(done)) => match done.registration {
                None => {
                    deployment.succeed(self.now);
                    // The public delegate looks at once whether the function reaches what it needs.
                    self.state.checked_at.remove(&self.side_of(&deployment.cluster));
                }
                Some(failure) => {
                    deployment.job = None;
                    deployment.fail(failure.problem(), self.now);
                }
            },
            Outcome::Failed { failures, .. } => {
                let problem = failures.first().map(Failure::problem);
                deployment.job = None;
                deployment.fail(problem.unwrap_or_else(|| wrong_result(deployment)), self.now);
            }
            Outcome::Done(_) => {
                deployment.job = None;
                deployment.fail(wrong_result(deployment), self.now);
            }
            Outcome::Cancelled {} => deployment.job = None,
        }
    }

    pub(super) fn start_deployments(&mut self) {
        for side in [Side::Primary, Side::Recovery] {
            for (cluster, _) in self.private_of(side) {
                let arn = cluster.arn.to_string();
                let held = self.state.deployments.entry(arn);
                let held = held.or_insert_with(|| PrivateDeployment::of(cluster.clone()));
                held.cluster = cluster;
                held.leaves = false;
            }
        }
        let mut deployments = std::mem::take(&mut self.state.deployments);
        deployments.retain(|arn, deployment| {
            // Somebody else deploys them, and removes them.
            let is_off = self.deploys_private_delegates(self.side_of(&deployment.cluster)) == Some(false);
            if deployment.job.is_none() && !is_off {
                self.start_deployment(arn, deployment);
            }
            deployment.job.is_some() || !is_off
        });
        self.state.deployments = deployments;
    }

    /// Starts the next job of a private delegate, if it is due.
    fn start_deployment(&mut self, arn: &str, deployment: &mut PrivateDeployment) {
        let side = self.side_of(&deployment.cluster);
        let Some(public) = self
            .public_of(side)
            .filter(|public| public.deploys_private_delegates)
        else {
            return;
        };
        let registered_at = public.registered_at;
        let waits = deployment.next_at.is_some_and(|at| self.now < at);
        if deployment.leaves {
            if !waits && !self.has_jobs(&deployment.cluster) {
                self.start_change(deployment, PrivateDelegateChange::Remove {});
            }
            return;
        }
        // EKS is asked again for a cluster that a restore has built.
        let Some(private) = self.state.private.get(arn) else {
            return;
        };
        let goal = DeploymentGoal {
            registered_at,
            cluster: deployment.cluster.clone(),
            endpoint: private.endpoint.clone(),
        };
        // The access entry in a new cluster needs a new stack.
        if deployment.is_of_former_cluster(&goal.endpoint) {
            if !waits {
                self.start_change(deployment, PrivateDelegateChange::Remove {});
            }
            return;
        }
        let is_again = deployment.attempted.as_ref() == Some(&goal);
        let is_registered = self.is_registered(&deployment.cluster);
        if is_registered && deployment.problem.is_none() {
            deployment.failures = 0;
        }
        let deployed = deployment
            .deployed
            .as_ref()
            .filter(|deployed| deployed.goal == goal);
        if let Some(deployed) = deployed {
            let delay = REGISTERS_WITHIN * (1 << deployment.failures.min(DOUBLINGS));
            // What keeps it from registering is an issue, and no other code or network would change it.
            let is_cut_off = private.network.iter().any(|cause| !cause.is_warning());
            if is_registered || is_cut_off || self.now < later(deployed.at, delay) {
                return;
            }
            deployment.failures = deployment.failures.saturating_add(1);
        } else if !is_again {
            deployment.failures = 0;
        } else if waits {
            return;
        }
        let endpoint = Box::new(goal.endpoint.clone());
        deployment.attempted = Some(goal);
        self.start_change(deployment, PrivateDelegateChange::Deploy(endpoint));
    }

    fn start_change(&mut self, deployment: &mut PrivateDeployment, change: PrivateDelegateChange) {
        let (kind, within) = match change {
            PrivateDelegateChange::Deploy(_) => ("private-deploy", DEPLOYS_WITHIN),
            PrivateDelegateChange::Remove {} => ("private-remove", REMOVES_WITHIN),
        };
        let environment = self.environment_of(self.side_of(&deployment.cluster));
        let work = Work::PrivateDelegate(PrivateDelegateWork {
            cluster: deployment.cluster.clone(),
            change,
            until: later(self.now, within),
        });
        let job = self.job_now(kind);
        let mut entry = JobEntry::new(job, environment, work, self.now);
        self.follow(&mut entry);
        deployment.job = Some(entry);
    }

    /// Lets the private delegate of a cluster be removed that does not need it any more.
    pub(super) fn leave(&mut self, arn: &str) {
        if let Some(deployment) = self.state.deployments.get_mut(arn) {
            deployment.leaves = true;
            deployment.failures = 0;
            deployment.next_at = None;
            deployment.problem = None;
        }
    }

    /// Returns the clusters of a side that need a private delegate which the public one deploys, with their endpoints.
    fn private_of(&self, side: Side) -> Vec<(ClusterTarget, PrivateEndpoint)> {
        if self.deploys_private_delegates(side) != Some(true) {
            return Vec::new();
        }
        let known = self.clusters_of(side);
        let environment = self.environment_of(side);
        let private = self.state.private.iter().filter_map(|(arn, private)| {
            let arn = Arn::parse(arn.as_str()).ok()?;
            let name = arn.cluster_name().filter(|_| is_cluster_of(&arn, &environment))?;
            let target = known.iter().find(|target| target.arn == arn);
            let target = match (target, side) {
                (Some(target), _) => target.clone(),
                // A restore has built it.
                (None, Side::Recovery) => ClusterTarget::new(name, arn),
                (None, Side::Primary) => return None,
            };
            Some((target, private.endpoint.clone()))
        });
        private.collect()
    }

    pub(super) fn side_of(&self, cluster: &ClusterTarget) -> Side {
        match is_cluster_of(&cluster.arn, &self.inventory.application.primary) {
            true => Side::Primary,
            false => Side::Recovery,
        }
    }

    pub(super) fn registered_of(&self, side: Side) -> &Registered {
        match side {
            Side::Primary => &self.inventory.primary,
            Side::Recovery => &self.inventory.recovery,
        }
    }

    fn public_of(&self, side: Side) -> Option<&DelegateRegistration> {
        self.registered_of(side).delegate.as_ref()
    }

    /// Whether the public delegate of a side deploys private ones; `None` if nothing is known of it.
    pub(super) fn deploys_private_delegates(&self, side: Side) -> Option<bool> {
        Some(self.public_of(side)?.deploys_private_delegates)
    }

    /// Whether the private delegate of a cluster is registered with the version of the public one.
    fn is_registered(&self, cluster: &ClusterTarget) -> bool {
        let registered = self.registered_of(self.side_of(cluster));
        let private = cluster.eks_name().and_then(|name| registered.private.get(&name));
        let public = registered.delegate.as_ref();
        private.is_some_and(|private| public.is_some_and(|public| public.version == private.version))
    }

    /// Whether what is deployed for a cluster belongs to one that had the same name.
    pub(super) fn is_of_former_cluster(&self, arn: &Arn, endpoint: &PrivateEndpoint) -> bool {
        let deployment = self.state.deployments.get(arn.as_str());
        deployment.is_some_and(|deployment| deployment.is_of_former_cluster(endpoint))
    }

    /// Whether the private delegate of a cluster has jobs that have not ended.
    fn has_jobs(&self, cluster: &ClusterTarget) -> bool {
        let environment = cluster.arn.environment();
        let Some(name) = cluster.eks_name() else {
            return false;
        };
        let delegate = DelegateId::private(&self.state.application, &name);
        let mut jobs = self.state.jobs();
        jobs.any(|entry| entry.job.delegate() == delegate && Some(&entry.environment) == environment.as_ref())
    }
}

fn wrong_result(deployment: &PrivateDeployment) -> Problem {
    Problem::new(
        Code::JobDocumentRefused,
        format!(
            "the result of the job for the private delegate of {} is of the wrong kind",
            deployment.cluster.arn
        ),
        "deploy the same version of Lifeboat in all environments of the application",
    )
}
