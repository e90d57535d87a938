//! The users' requests: each is accepted once, even if it is repeated.

use jiff::SignedDuration;
use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Fingerprint, Sha256};
use lifeboat_model::request::{
    Accepted, AcknowledgeRequest, Answer, BackupRequest, CancelRequest, PassedOver, Request, RestoreRequest,
    StatusAnswer,
};
use lifeboat_model::{Arn, ClusterName, Code, Problem, RecoveryPointId, RequestToken};

use super::archive;
use super::clusters::{sources, target_of};
use super::decision::DecisionBuilder;
use super::plans::Wanted;
use super::state::{BuildReport, BuildRun, BuildStage, RequestRecord, RestoreRun};
use super::status;
use lifeboat_jobs::ClusterTarget;

/// The time a token is stored. A retry after a week is not expected.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The maximum number of accepted requests that are stored.
const REQUESTS: usize = 2000;

/// The maximum number of restores in progress or queued: more are probably the mistake of a script.
const QUEUE: usize = 100;

/// What a request for a restore, or for the plan of one, selects.
pub(super) struct Selected {
    pub(super) point: RecoveryPointId,
    /// The fingerprint of the key that signed the recovery point.
    pub(super) signer: Option<Fingerprint>,
    /// The clusters of the application with those to restore into.
    pub(super) targets: Vec<ClusterTarget>,
}

impl DecisionBuilder<'_> {
    pub(super) fn answer_requests(&mut self) {
        let now = self.now;
        self.state
            .requests
            .retain(|_, record| now.duration_since(record.at) < REMEMBERED);
        for request in &self.inventory.requests {
            let answer = match request {
                // `finish` fills it in.
                Request::Status(_) | Request::Application(_) => Answer::Status(StatusAnswer::default()),
                Request::Points(request) => {
                    let (page, next) = self.page(request.from.as_ref());
                    Answer::Points(status::points(&self.state.application, page, next))
                }
                Request::Restore(_)
                | Request::Plan(_)
                | Request::Backup(_)
                | Request::Cancel(_)
                | Request::Trust(_)
                | Request::Acknowledge(_) => self.take(request),
            };
            self.answers.push(answer);
        }
    }

    /// Accepts a request that changes something, once for each token.
    fn take(&mut self, request: &Request) -> Answer {
        let bytes =
            serde_json::to_vec(request).expect("requests have string keys and no other cause to fail");
        let digest = Sha256::of(&bytes);
        let token = match request.token() {
            Some(token) => token.clone(),
            None => {
                let [a, b, c] = self.random_suffix();
                let second = self.now.strftime("%Y%m%dT%H%M%SZ");
                RequestToken::parse(format!("{second}-{a:02x}{b:02x}{c:02x}"))
                    .expect("digits and letters make a token")
            }
        };
        if let Some(record) = self.state.requests.get(&token) {
            if record.request != digest {
                return refused(format!("the token {token} belongs to another request"));
            }
            return Answer::Accepted(Accepted {
                repeated: true,
                ..record.accepted.clone()
            });
        }
        let mut passed_over = Vec::new();
        let taken = match request {
            Request::Restore(request) => self
                .select(
                    &request.point,
                    request.cluster.as_ref(),
                    request.into.as_ref(),
                    &mut passed_over,
                )
                .map_err(not_taken)
                .and_then(|selected| self.take_restore(request, &token, selected))
                .map(Some),
            Request::Plan(request) => self
                .select(
                    &request.point,
                    request.cluster.as_ref(),
                    request.into.as_ref(),
                    &mut passed_over,
                )
                .and_then(|selected| self.take_plan(request, &token, selected))
                .map(Some)
                .map_err(not_taken),
            Request::Backup(request) => self.take_backup(request, &token).map_err(not_taken),
            Request::Cancel(request) => self.take_cancel(request).map_err(not_taken),
            Request::Trust(request) => {
                let taken = self.take_trust(request, &token);
                taken.map(|()| None).map_err(not_taken)
            }
            Request::Acknowledge(request) => self.take_acknowledge(request).map_err(not_taken),
            Request::Status(_) | Request::Points(_) | Request::Application(_) => Ok(None),
        };
        let point = match taken {
            Ok(point) => point,
            Err(problem) => return Answer::Refused(vec![problem]),
        };
        if self.state.requests.len() >= REQUESTS {
            return refused(format!("{REQUESTS} requests were accepted within a week"));
        }
        let accepted = Accepted {
            application: self.state.application.clone(),
            token: token.clone(),
            repeated: false,
            point,
            passed_over,
        };
        let record = RequestRecord {
            request: digest,
            at: self.now,
            accepted: accepted.clone(),
        };
        self.state.requests.insert(token, record);
        Answer::Accepted(accepted)
    }

    fn take_backup(
        &mut self,
        _: &BackupRequest,
        token: &RequestToken,
    ) -> Result<Option<RecoveryPointId>, String> {
        // A running backup began before the request, so that it may lack what the user wants to back up.
        self.state.requested = Some(token.clone());
        Ok(None)
    }

    /// Returns what a request for a restore, or for the plan of one, selects.
    fn select(
        &self,
        point: &str,
        cluster: Option<&ClusterName>,
        into: Option<&ClusterName>,
        passed_over: &mut Vec<PassedOver>,
    ) -> Result<Selected, String> {
        let point = self.resolve(point, passed_over)?;
        let entry = &self.state.points[&point];
        if cluster.is_none() && into.is_some() {
            return Err("`into` requires `cluster`".to_owned());
        }
        let clusters = match cluster {
            Some(cluster) => std::slice::from_ref(cluster),
            None => &entry.clusters,
        };
        let targets = clusters.iter().map(|cluster| {
            if !entry.clusters.contains(cluster) {
                return Err(format!("the recovery point {point} has no cluster {cluster}"));
            }
            self.target(cluster, into)
        });
        Ok(Selected {
            targets: targets.collect::<Result<_, _>>()?,
            signer: entry.signer.clone(),
            point,
        })
    }

    fn take_restore(
        &mut self,
        request: &RestoreRequest,
        token: &RequestToken,
        Selected {
            point,
            signer,
            targets,
        }: Selected,
    ) -> Result<RecoveryPointId, Problem> {
        let rebuild = self.inventory.application.infrastructure.rebuild;
        if request.failover && !rebuild {
            return Err(not_taken(
                "`failover` requires `rebuild` in `infrastructure` of the application document".to_owned(),
            ));
        }
        let mut options = self.inventory.application.rules.clone();
        options.extend(request.options.clone());
        let cluster_names = rebuild.then(|| self.cluster_names_with(&targets));
        let expected = match &request.expect_plan {
            Some(hash) => Some(self.expected_plan(
                hash,
                &Wanted {
                    point: &point,
                    clusters: &targets,
                    cluster_names: cluster_names.as_ref(),
                    options: &options,
                },
            )?),
            None => None,
        };
        let mut runs = Vec::new();
        for target in targets {
            let expected_plan = expected
                .as_ref()
                .and_then(|plan| plan.clusters.get(&target.name)?.hash);
            runs.push(RestoreRun {
                token: token.clone(),
                point: point.clone(),
                signer: signer.clone(),
                cluster: target.name.clone(),
                target,
                environment: self.inventory.application.recovery.clone(),
                rebuild,
                expected_plan,
                options: options.clone(),
                requested_at: self.now,
                attempt: 1,
                next_at: self.now,
                failed_before: None,
                job: None,
                data_keys: None,
                cancelled: false,
                end: None,
            });
        }
        if self.state.restores.iter().filter(|run| run.end.is_none()).count() + runs.len() > QUEUE {
            return Err(not_taken(format!("{QUEUE} restores are already waiting")));
        }
        if let Some(cluster_names) = cluster_names {
            self.state.builds.push(BuildRun {
                token: token.clone(),
                point: point.clone(),
                signer,
                environment: self.inventory.application.recovery.clone(),
                cluster_names,
                failover: request.failover,
                expected_plan: expected.and_then(|plan| plan.infrastructure?.hash),
                stage: BuildStage::Clusters,
                attempt: 1,
                next_at: self.now,
                failed_before: None,
                job: None,
                built: None,
                report: BuildReport::default(),
                cancelled: false,
                end: None,
            });
        }
        self.state.restores.append(&mut runs);
        Ok(point)
    }

    fn target(&self, cluster: &ClusterName, into: Option<&ClusterName>) -> Result<ClusterTarget, String> {
        let application = &self.inventory.application;
        // A cluster that is built has the name of the primary's, if no other one is given.
        let rebuilt = || match application.infrastructure.rebuild {
            true => self.source_name(cluster),
            false => None,
        };
        let name = into
            .cloned()
            .or_else(|| target_of(application, cluster))
            .or_else(rebuilt);
        let name = name.ok_or_else(|| {
            format!(
                "{cluster} has no target cluster: set `into`, or `restoreInto` in the application document"
            )
        })?;
        let arn = Arn::cluster(&application.recovery, name.as_str()).map_err(|error| error.to_string())?;
        if sources(application, &self.state.found)
            .iter()
            .any(|source| source.arn == arn)
        {
            return Err(format!("{arn} is a cluster of the primary environment"));
        }
        Ok(ClusterTarget::new(cluster.clone(), arn))
    }

    /// Returns the name in EKS of a cluster of the application in the primary environment.
    pub(super) fn source_name(&self, cluster: &ClusterName) -> Option<ClusterName> {
        let sources = sources(&self.inventory.application, &self.state.found);
        sources.iter().find(|source| source.name == *cluster)?.eks_name()
    }

    /// Returns the recovery point that the user's text names, and what `latest` passes over.
    fn resolve(&self, wanted: &str, passed_over: &mut Vec<PassedOver>) -> Result<RecoveryPointId, String> {
        let missing = || format!("the vault has no recovery point {wanted:?}");
        if archive::is_ambiguous(&self.state, wanted) {
            return Err(format!("{wanted:?} matches more than one recovery point"));
        }
        if let "latest" | "latest-complete" = wanted {
            for (point, entry) in self.state.in_order().into_iter().rev() {
                let reason = match (&entry.damaged, entry.completeness) {
                    (Some(problem), _) => problem.message.clone(),
                    (None, Completeness::Partial) if wanted == "latest-complete" => {
                        "it is Partial".to_owned()
                    }
                    (None, _) => return Ok(point.clone()),
                };
                let point = point.clone();
                passed_over.push(PassedOver { point, reason });
            }
            return Err(missing());
        }
        let mut candidates = (self.state.points.iter())
            .filter(|(point, _)| !wanted.is_empty() && point.as_str().starts_with(wanted));
        let (point, entry) = candidates.next().ok_or_else(missing)?;
        if candidates.next().is_some() {
            return Err(format!("{wanted:?} matches more than one recovery point"));
        }
        match &entry.damaged {
            Some(problem) => Err(format!(
                "the recovery point {point} is damaged: {}",
                problem.message
            )),
            None => Ok(point.clone()),
        }
    }

    /// Gives up what an open issue is about, or allows what it holds back.
    fn take_acknowledge(&mut self, request: &AcknowledgeRequest) -> Result<Option<RecoveryPointId>, String> {
        let issue = self.state.issues.get(&request.issue);
        let issue = issue.ok_or_else(|| format!("the issue {} is not open", request.issue))?;
        let about = request.issue.as_str().split_once(':').map(|(_, about)| about);
        let point = about.and_then(|about| RecoveryPointId::parse(about).ok());
        match (issue.code, point) {
            (Code::VaultDamaged | Code::PointMissing, Some(point)) => {
                if self
                    .facts()
                    .iter()
                    .any(|facts| facts.point == point && facts.in_use)
                {
                    return Err(format!("a restore needs the recovery point {point}"));
                }
                if self.state.points.remove(&point).is_some() {
                    self.state.expiring.insert(point.clone());
                }
                Ok(Some(point))
            }
            (Code::PointUnknown, Some(point)) => {
                self.state.ignored.insert(point.clone());
                self.found.retain(|found| found.id != request.issue);
                Ok(Some(point))
            }
            (Code::RetentionHeld, _) => {
                self.state.deletions.allowed = true;
                Ok(None)
            }
            _ => Err(format!(
                "the issue {} closes when its cause is resolved; it needs no acknowledgement",
                request.issue
            )),
        }
    }

    fn take_cancel(&mut self, request: &CancelRequest) -> Result<Option<RecoveryPointId>, String> {
        match &request.restore {
            Some(token) => {
                let mut point = None;
                let runs = self.state.restores.iter_mut().filter(|run| run.token == *token);
                for run in runs.filter(|run| run.end.is_none()) {
                    run.cancelled = true;
                    point = Some(run.point.clone());
                }
                for build in self.state.builds.iter_mut().filter(|build| build.token == *token) {
                    build.cancelled = true;
                }
                let plans = self.state.plans.iter_mut().filter(|run| run.token == *token);
                for run in plans.filter(|run| run.end.is_none()) {
                    run.cancelled = true;
                    point = Some(run.point.clone());
                }
                match point {
                    Some(point) => Ok(Some(point)),
                    None => Err(format!("no restore or plan {token} is running or waiting")),
                }
            }
            None => {
                let waiting = self.state.requested.take().is_some() | self.state.retry.take().is_some();
                match &mut self.state.backup {
                    Some(run) if run.vaulting.is_none() => {
                        for entry in run.captures.iter_mut().chain(&mut run.seal) {
                            entry.cancelled.get_or_insert(self.now);
                        }
                        Ok(Some(run.point.clone()))
                    }
                    // A sealed recovery point is complete and is kept.
                    Some(run) => Err(format!("the recovery point {} is already sealed", run.point)),
                    None if waiting => Ok(None),
                    None => Err("no backup is running or waiting".to_owned()),
                }
            }
        }
    }
}

fn refused(why: String) -> Answer {
    Answer::Refused(vec![not_taken(why)])
}

pub(super) fn not_taken(why: String) -> Problem {
    Problem::new(
        Code::RequestRefused,
        why,
        "`lifeboat status` and `lifeboat application points` list applications and recovery points",
    )
}
