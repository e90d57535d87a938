//! Clusters that are reached from their VPC only: which they are, and which delegate does their jobs.
//!
//! The public delegate asks EKS, so it finds out that it cannot reach a cluster, and reports the private endpoint. Once a
//! private delegate for the cluster is registered, captures, restores and access checks of the cluster are jobs of that one.
//! What needs KMS stays with the public delegate: it seals recovery points, and wraps their data keys for the private one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use lifeboat_jobs::{AccessFinding, AccessReport, CheckWork, ClusterTarget, PrivateEndpoint, Work};
use lifeboat_model::network::NetworkCause;
use lifeboat_model::{Arn, DelegateId, EnvironmentId, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::is_cluster_of;
use super::clusters::{sources, targets};
use super::decision::DecisionBuilder;
use super::state::{CheckRun, JobEntry};
use super::{CHECK_AGAIN, UNCLAIMED_TIMEOUT};

/// The interval at which EKS is asked whether the endpoint of a cluster and its network are still the same.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// How long the endpoint of a cluster in the recovery environment is remembered after it was last seen: the clusters that
/// restores build are not in the application document.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A cluster that the public delegate of its environment cannot reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateCluster {
    /// Its private endpoint.
    pub endpoint: PrivateEndpoint,
    /// When the public delegate last reported it, by the coordinator's clock.
    #[schemars(with = "String")]
    pub seen_at: Timestamp,
    /// What the network of its private delegate lacks, as the public delegate last found it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<NetworkCause>,
}

impl DecisionBuilder<'_> {
    /// Returns the delegate that does the jobs of a cluster, and the cluster as its jobs name it: with its
    /// endpoint, if that is a private delegate.
    pub(super) fn delegate_of(&self, cluster: ClusterTarget) -> (DelegateId, ClusterTarget) {
        match self.private_delegate(&cluster) {
            Some((delegate, private)) => {
                let endpoint = Some(private.endpoint.endpoint.clone());
                (delegate, ClusterTarget { endpoint, ..cluster })
            }
            None => (self.public(), cluster),
        }
    }

    /// Returns the private delegate of a cluster, if the cluster needs one and it is registered.
    fn private_delegate(&self, cluster: &ClusterTarget) -> Option<(DelegateId, &PrivateCluster)> {
        let private = self.state.private.get(cluster.arn.as_str())?;
        let name = cluster.eks_name()?;
        let registered = self.registered_of(self.side_of(cluster));
        let is_registered = registered.private.contains_key(&name);
        let is_former = self.is_of_former_cluster(&cluster.arn, &private.endpoint);
        (is_registered && !is_former).then(|| (DelegateId::private(&self.state.application, &name), private))
    }

    /// Takes the endpoint from a report of the public delegate of a side. Returns whether its findings count: not if
    /// a private delegate checks the cluster.
    pub(super) fn take_endpoint(&mut self, side: Side, report: &mut AccessReport) -> bool {
        let environment = self.environment_of(side);
        let network = take_network(report);
        let arn = report.arn.as_str();
        match report.private.take() {
            Some(endpoint) if endpoint.is_valid() && is_cluster_of(&report.arn, &environment) => {
                let seen = PrivateCluster {
                    endpoint: *endpoint,
                    seen_at: self.now,
                    network,
                };
                // A delegate that is deployed and does not register, because of its network, is not to be deployed.
                if report.findings.is_empty() && !seen.network.iter().any(|cause| !cause.is_warning()) {
                    report.findings.push(AccessFinding::PrivateEndpoint {});
                }
                self.state.private.insert(arn.to_owned(), seen);
                let cluster = ClusterTarget::new(report.cluster.clone(), report.arn.clone());
                let is_missing = self.private_delegate(&cluster).is_none();
                if is_missing && report.findings.is_empty() {
                    // Nobody has checked its access, and the delegate does once it is registered.
                    self.state.access.remove(arn);
                    return false;
                }
                is_missing
            }
            _ if report.findings.iter().all(is_of_a_connection) => {
                self.state.private.remove(arn);
                self.leave(arn);
                true
            }
            // Whether it has a public endpoint by now is not known.
            _ => !self.state.private.contains_key(arn),
        }
    }

    /// Whether it has been long since the public delegate of a side looked at a private cluster that it checks.
    pub(super) fn is_endpoint_old(&self, side: Side) -> bool {
        self.clusters_of(side).iter().any(|cluster| {
            let private = self.state.private.get(cluster.arn.as_str());
            private.is_some_and(|private| self.now.duration_since(private.seen_at) >= LOOK_AGAIN)
        })
    }

    /// Whether the public delegate of a side looks at the network of a private cluster again: something keeps its delegate from
    /// what it needs, or might, because it does not claim its jobs.
    pub(super) fn is_network_in_doubt(&self, side: Side) -> bool {
        self.lacks_network(side) || self.jobs_of(side).any(|entry| self.is_left(entry))
    }

    /// Whether a private delegate of a side has registered since its network was found to lack something. It has reached S3
    /// then, so that the network is looked at again at once.
    pub(super) fn is_network_outdated(&self, side: Side) -> bool {
        let environment = self.environment_of(side);
        let registered = &self.registered_of(side).private;
        self.state.private.iter().any(|(arn, private)| {
            let arn = Arn::parse(arn)
                .ok()
                .filter(|arn| is_cluster_of(arn, &environment));
            let delegate = arn.and_then(|arn| registered.get(&arn.cluster_name()?));
            let has_since = delegate
                .is_some_and(|delegate| (private.seen_at..=self.now).contains(&delegate.registered_at));
            has_since && private.network.iter().any(|cause| !cause.is_warning())
        })
    }

    /// Whether something keeps a private delegate of a side from what it needs.
    pub(super) fn lacks_network(&self, side: Side) -> bool {
        let environment = self.environment_of(side);
        let of_side = |arn: &str| Arn::parse(arn).is_ok_and(|arn| is_cluster_of(&arn, &environment));
        let mut private = self.state.private.iter();
        private.any(|(arn, private)| of_side(arn) && private.network.iter().any(|cause| !cause.is_warning()))
    }

    /// Returns the jobs of private delegates of a side.
    fn jobs_of(&self, side: Side) -> impl Iterator<Item = &JobEntry> {
        let environment = self.environment_of(side);
        let captures = self.state.backup.iter().flat_map(|backup| &backup.captures);
        let restores = self.state.restores.iter().filter_map(|run| run.job.as_ref());
        let checks = self.state.checks.iter().map(|run| &run.job);
        let jobs = captures.chain(restores).chain(checks);
        jobs.filter(move |entry| entry.environment == environment && entry.job.delegate().cluster().is_some())
    }

    /// Whether nobody has claimed the last epoch of a job for so long that this is an issue.
    fn is_left(&self, entry: &JobEntry) -> bool {
        let is_late =
            (entry.issued.last()).is_some_and(|issued| self.now.duration_since(*issued) >= UNCLAIMED_TIMEOUT);
        let view = self.inventory.jobs.get(&entry.job);
        let is_claimed = view.is_some_and(|view| {
            let owner = view.owner().map(|owner| owner.epoch);
            view.result.is_some() || owner.is_some_and(|epoch| epoch >= entry.epoch())
        });
        is_late && !is_claimed
    }

    /// Whether the private endpoint of a cluster is known.
    pub(super) fn is_private(&self, cluster: &ClusterTarget) -> bool {
        self.state.private.contains_key(cluster.arn.as_str())
    }

    /// Whether the private endpoint of a cluster is known, and no private delegate is registered for it.
    pub(super) fn lacks_private_delegate(&self, cluster: &ClusterTarget) -> bool {
        self.is_private(cluster) && self.private_delegate(cluster).is_none()
    }

    /// Forgets the endpoints of clusters in the recovery environment: one that was built again has the same ARN and another
    /// endpoint. The next restore asks EKS.
    pub(super) fn forget_built_endpoints(&mut self) {
        let recovery = self.environment_of(Side::Recovery);
        let is_target = |arn: &str| Arn::parse(arn).is_ok_and(|arn| is_cluster_of(&arn, &recovery));
        self.state.private.retain(|arn, _| !is_target(arn));
    }

    /// Forgets the endpoints of clusters that the application no longer has, and that nobody has restored into for long.
    pub(super) fn prune_private(&mut self, known: &BTreeSet<String>) {
        let recovery = self.environment_of(Side::Recovery);
        let now = self.now;
        let is_needed = |arn: &String, private: &PrivateCluster| {
            let is_target = Arn::parse(arn.as_str()).is_ok_and(|arn| is_cluster_of(&arn, &recovery));
            known.contains(arn) || is_target && now.duration_since(private.seen_at) < REMEMBERED
        };
        let gone = self
            .state
            .private
            .extract_if(.., |arn, private| !is_needed(arn, private));
        let gone: Vec<String> = gone.map(|(arn, _)| arn).collect();
        for arn in gone {
            self.leave(&arn);
        }
    }

    pub(super) fn environment_of(&self, side: Side) -> EnvironmentId {
        match side {
            Side::Primary => self.inventory.application.primary.clone(),
            Side::Recovery => self.inventory.application.recovery.clone(),
        }
    }

    pub(super) fn clusters_of(&self, side: Side) -> Vec<ClusterTarget> {
        let (application, found) = (&self.inventory.application, &self.state.found);
        match side {
            Side::Primary => sources(application, found),
            Side::Recovery => targets(application, found),
        }
    }

    /// Starts the access check of each private cluster whose delegate has not checked it yet, and every few minutes while
    /// access is missing.
    pub(super) fn start_private_checks(&mut self) {
        for side in [Side::Primary, Side::Recovery] {
            for cluster in self.clusters_of(side) {
                let (delegate, target) = self.delegate_of(cluster);
                if target.endpoint.is_some() && self.is_private_check_due(side, &delegate, &target) {
                    self.start_private_check(side, &delegate, target);
                }
            }
        }
    }

    fn is_private_check_due(&self, side: Side, delegate: &DelegateId, target: &ClusterTarget) -> bool {
        let mut checks = self.state.checks.iter();
        if checks.any(|run| run.side == side && run.job.job.delegate() == *delegate) {
            return false;
        }
        match self.state.access.get(target.arn.as_str()) {
            // What the public delegate found out about it.
            Some(report) if report.findings.iter().any(is_of_another_delegate) => true,
            Some(report) => {
                !report.findings.is_empty() && self.now.duration_since(report.checked_at) >= CHECK_AGAIN
            }
            None => true,
        }
    }

    fn start_private_check(&mut self, side: Side, delegate: &DelegateId, target: ClusterTarget) {
        let work = Work::Check(CheckWork {
            clusters: vec![target],
            cluster_tags: Default::default(),
            recovery_key: None,
        });
        let job = self.job_now_of(delegate, "check");
        let environment = self.environment_of(side);
        let mut entry = JobEntry::new(job, environment, work, self.now);
        self.follow(&mut entry);
        self.state.checks.push(CheckRun { side, job: entry });
    }
}

/// Takes what a report says of the network out of it, as far as AWS can have said it.
fn take_network(report: &mut AccessReport) -> Vec<NetworkCause> {
    let mut network: Vec<NetworkCause> = Vec::new();
    report.findings.retain(|finding| match finding.network() {
        Some(cause) => {
            if cause.is_valid() && !network.contains(cause) {
                network.push(cause.clone());
            }
            false
        }
        None => true,
    });
    network
}

/// Whether a delegate that has this finding was connected to the API server, or could have been.
fn is_of_a_connection(finding: &AccessFinding) -> bool {
    matches!(
        finding,
        AccessFinding::NoAccessEntry { .. }
            | AccessFinding::MissingPermissions { .. }
            | AccessFinding::RestrictedEndpoint { .. }
    )
}

/// Whether only the public delegate has this finding.
fn is_of_another_delegate(finding: &AccessFinding) -> bool {
    matches!(
        finding,
        AccessFinding::PrivateEndpoint {} | AccessFinding::RestrictedEndpoint { .. }
    )
}
