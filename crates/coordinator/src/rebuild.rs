//! Builds of the AWS resources that clusters stand on, which the restores of a request wait for.
//!
//! The clusters are built without nodes first: nodes become ready once the objects of the network plugin are restored.
//! The nodes are built while the objects are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use lifeboat_jobs::result::WARNINGS;
use lifeboat_jobs::{BuildDone, BuildMode, BuildWork, ClusterTarget, Done, Failure, Work};
use lifeboat_model::{ClusterName, Code, Problem, RecoveryPointId, RequestToken, Side, StackOutcome};

use super::TRIES;
use super::backup::{End, later};
use super::clusters::{sources, target_of};
use super::decision::DecisionBuilder;
use super::restore::forget_oldest;
use super::state::{BuildEnd, BuildReport, BuildRun, BuildStage, JobEntry};

/// The delay after a failure until the next attempt. Short, because a user waits for a restore.
const BACKOFF: SignedDuration = SignedDuration::from_secs(30);

/// The number of builds that are kept after the end of their restores, for the status.
const REMEMBERED: usize = 10;

/// The number of stacks of a build that are kept: there are three, and one for each cluster.
const STACKS: usize = 64;

impl DecisionBuilder<'_> {
    pub(super) fn advance_builds(&mut self) {
        let mut runs = std::mem::take(&mut self.state.builds);
        for run in runs.iter_mut().filter(|run| run.end.is_none()) {
            self.advance_build(run);
        }
        let open = self.state.restores.iter().filter(|restore| restore.end.is_none());
        let waiting: BTreeSet<&RequestToken> = open.map(|restore| &restore.token).collect();
        forget_oldest(&mut runs, REMEMBERED, |run| {
            run.end.is_some() && !waiting.contains(&run.token)
        });
        self.state.builds = runs;
    }

    fn advance_build(&mut self, run: &mut BuildRun) {
        let Some(entry) = &mut run.job else {
            if run.cancelled {
                run.end = Some(BuildEnd { problem: None });
            }
            return;
        };
        if run.cancelled {
            entry.cancelled.get_or_insert(self.now);
        }
        match self.end_of(entry, Side::Recovery) {
            End::Open => {}
            End::Cancelled => run.end = Some(BuildEnd { problem: None }),
            End::Done(Done::Build(done)) => {
                run.report.add(done);
                let job = run.job.take().map(|entry| entry.job);
                match run.stage {
                    BuildStage::Clusters => {
                        run.built = job;
                        self.forget_built_endpoints();
                        run.stage = BuildStage::Nodes;
                        run.attempt = 1;
                        run.failed_before = None;
                        run.next_at = self.now;
                    }
                    BuildStage::Nodes => run.end = Some(BuildEnd { problem: None }),
                }
            }
            End::Done(_) => {
                let problem = Problem::new(
                    Code::JobDocumentRefused,
                    format!(
                        "the result of the build for the restore {} is of the wrong kind",
                        run.token
                    ),
                    "deploy the same version of Lifeboat in all environments of the application",
                );
                run.end = Some(BuildEnd {
                    problem: Some(problem),
                });
            }
            End::Failed(problem, retry) => {
                run.job = None;
                if retry && !run.cancelled && run.attempt < TRIES {
                    run.next_at = later(self.now, BACKOFF * (1 << (run.attempt - 1)));
                    run.attempt += 1;
                    run.failed_before = Some(problem);
                } else {
                    run.end = Some(BuildEnd {
                        problem: Some(problem),
                    });
                }
            }
        }
    }

    /// Starts the first build that is due. Two would change the same stacks.
    pub(super) fn start_builds(&mut self) {
        let mut runs = std::mem::take(&mut self.state.builds);
        let is_busy =
            self.state.standby.job.is_some() || runs.iter().any(|run| run.end.is_none() && run.job.is_some());
        let due = runs.iter_mut().find(|run| run.end.is_none());
        if let Some(run) = due
            && !is_busy
            && run.next_at <= self.now
            // The key that signed this recovery point, which need not be the one that is pinned now.
            && let Some(signer) = self.state.pins.signer_of(run.signer.as_ref())
        {
            let work = self.build_work(
                &run.point,
                &signer.public_key,
                BuildMode::Active,
                &run.cluster_names,
            );
            let hold_nodes = run.stage == BuildStage::Clusters && !work.managed_addons;
            let work = Work::Build(BuildWork {
                hold_nodes,
                failover: run.failover && run.stage == BuildStage::Clusters,
                expected_plan: run.expected_plan,
                ..work
            });
            let kind = match run.stage {
                BuildStage::Clusters => "build-clusters",
                BuildStage::Nodes => "build-nodes",
            };
            let job = self.job_now(kind);
            let mut entry = JobEntry::new(job, run.environment.clone(), work, self.now);
            self.follow(&mut entry);
            run.job = Some(entry);
        }
        self.state.builds = runs;
    }

    /// Returns the work of a build of everything that the recovery point describes, as the application document wants it.
    pub(super) fn build_work(
        &self,
        point: &RecoveryPointId,
        signer: &str,
        mode: BuildMode,
        cluster_names: &BTreeMap<ClusterName, ClusterName>,
    ) -> BuildWork {
        let infrastructure = &self.inventory.application.infrastructure;
        BuildWork {
            point: point.clone(),
            vault: self.inventory.vault_place.clone(),
            signer: signer.to_owned(),
            mode,
            cluster_names: cluster_names.clone(),
            hold_nodes: false,
            failover: false,
            managed_addons: infrastructure.managed_addons,
            irsa_to_pod_identity: infrastructure.irsa_to_pod_identity,
            allow_nearest_version: infrastructure.allow_nearest_version,
            adopt: infrastructure.adopt.clone(),
            adopt_existing: infrastructure.adopt_existing.clone(),
            adopt_tags: infrastructure.adopt_tags.clone(),
            expected_plan: None,
        }
    }

    /// Returns the build that the restores of a request wait for.
    pub(super) fn build_of(&self, token: &RequestToken) -> Option<&BuildRun> {
        self.state.build_of(token)
    }

    /// Returns the names of EKS clusters in the recovery environment, by those in the primary, where these targets take
    /// precedence over those of the application document.
    pub(super) fn cluster_names_with<'t>(
        &self,
        targets: impl IntoIterator<Item = &'t ClusterTarget>,
    ) -> BTreeMap<ClusterName, ClusterName> {
        let mut names = self.cluster_names();
        for target in targets {
            if let (Some(source), Some(into)) = (self.source_name(&target.name), target.eks_name()) {
                names.insert(source, into);
            }
        }
        names
    }

    /// Returns the names of EKS clusters in the recovery environment, by those in the primary.
    pub(super) fn cluster_names(&self) -> BTreeMap<ClusterName, ClusterName> {
        let application = &self.inventory.application;
        let names = sources(application, &self.state.found)
            .into_iter()
            .filter_map(|source| {
                let primary = source.eks_name()?;
                let target = target_of(application, &source.name).unwrap_or_else(|| primary.clone());
                Some((primary, target))
            });
        names.collect()
    }
}

impl BuildReport {
    /// Adds what another job of the build has built. Its warnings are about everything, as those before.
    fn add(&mut self, done: BuildDone) {
        for built in done.stacks.into_iter().take(STACKS) {
            let known = self.stacks.iter_mut().find(|known| known.stack == built.stack);
            match known {
                // It was created or changed by the build, whatever later jobs found to do.
                Some(known) if known.outcome == StackOutcome::Unchanged => known.outcome = built.outcome,
                Some(_) => {}
                None => self.stacks.push(built),
            }
        }
        self.stacks.truncate(STACKS);
        let surplus = done.warnings.len().saturating_sub(WARNINGS) as u64;
        self.more_warnings = done.more_warnings.saturating_add(surplus);
        let kept = done.warnings.into_iter().take(WARNINGS);
        self.warnings = kept.map(Failure::bounded).collect();
    }
}
