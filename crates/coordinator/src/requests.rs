//! The users' requests: each is accepted once, even if it is repeated.

use jiff::SignedDuration;
use lifeboat_format::Sha256;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::request::{Accepted, Answer, BackupRequest, CancelRequest, Request, RestoreRequest};
use lifeboat_model::{Arn, ClusterName, Code, Problem, RecoveryPointId, RequestToken};

use super::clusters::{sources, target_of};
use super::decision::DecisionBuilder;
use super::state::{RequestRecord, RestoreRun};
use super::status;
use lifeboat_jobs::ClusterTarget;

/// The time a token is stored. A retry after a week is not expected.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The maximum number of restores in progress or queued: more are probably the mistake of a script.
const QUEUE: usize = 100;

impl DecisionBuilder<'_> {
    pub(super) fn answer_requests(&mut self) {
        let now = self.now;
        self.state
            .requests
            .retain(|_, record| now.duration_since(record.at) < REMEMBERED);
        for request in &self.inventory.requests {
            let answer = match request {
                Request::Status(_) | Request::Application(_) => {
                    Answer::Status(lifeboat_model::request::StatusAnswer {
                        applications: vec![status::status(&self.inventory.application, &self.state, now)],
                    })
                }
                Request::Points(_) => Answer::Points(status::points(&self.state)),
                Request::Restore(_) | Request::Backup(_) | Request::Cancel(_) => self.take(request),
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
        let taken = match request {
            Request::Restore(request) => self.take_restore(request, &token).map(Some),
            Request::Backup(request) => self.take_backup(request, &token),
            Request::Cancel(request) => self.take_cancel(request),
            Request::Status(_) | Request::Points(_) | Request::Application(_) => Ok(None),
        };
        let point = match taken {
            Ok(point) => point,
            Err(why) => return refused(why),
        };
        let accepted = Accepted {
            application: self.state.application.clone(),
            token: token.clone(),
            repeated: false,
            point,
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

    fn take_restore(
        &mut self,
        request: &RestoreRequest,
        token: &RequestToken,
    ) -> Result<RecoveryPointId, String> {
        let point = self.resolve(&request.point)?;
        let entry = &self.state.points[&point];
        let clusters: Vec<ClusterName> = match &request.cluster {
            Some(cluster) => vec![cluster.clone()],
            None => entry.clusters.clone(),
        };
        if request.cluster.is_none() && request.into.is_some() {
            return Err("`into` requires `cluster`".to_owned());
        }
        let mut options = self.inventory.application.rules.clone();
        options.extend(request.options.clone());
        let mut runs = Vec::new();
        for cluster in clusters {
            if !entry.clusters.contains(&cluster) {
                return Err(format!("the recovery point {point} has no cluster {cluster}"));
            }
            let target = self.target(&cluster, request.into.as_ref())?;
            runs.push(RestoreRun {
                token: token.clone(),
                point: point.clone(),
                cluster,
                target,
                environment: self.inventory.application.recovery.clone(),
                options: options.clone(),
                requested_at: self.now,
                attempt: 1,
                next_at: self.now,
                job: None,
                cancelled: false,
                end: None,
            });
        }
        if self.state.restores.iter().filter(|run| run.end.is_none()).count() + runs.len() > QUEUE {
            return Err(format!("{QUEUE} restores are already waiting"));
        }
        self.state.restores.append(&mut runs);
        Ok(point)
    }

    fn target(&self, cluster: &ClusterName, into: Option<&ClusterName>) -> Result<ClusterTarget, String> {
        let application = &self.inventory.application;
        let name = into.cloned().or_else(|| target_of(application, cluster)).ok_or_else(|| {
            format!("{cluster} has no target cluster: set `into`, or `restoreInto` in the application document")
        })?;
        let arn = Arn::cluster(&application.recovery, name.as_str()).map_err(|error| error.to_string())?;
        if sources(application, &self.state.found)
            .iter()
            .any(|source| source.arn == arn)
        {
            return Err(format!("{arn} is a cluster of the primary environment"));
        }
        Ok(ClusterTarget {
            name: cluster.clone(),
            arn,
        })
    }

    /// Returns the recovery point that the user's text names.
    fn resolve(&self, wanted: &str) -> Result<RecoveryPointId, String> {
        let whole = || {
            self.state
                .points
                .iter()
                .filter(|(_, entry)| entry.damaged.is_none())
        };
        let latest = match wanted {
            "latest" => whole().next_back(),
            "latest-complete" => whole().rfind(|(_, entry)| entry.completeness == Completeness::Complete),
            _ => {
                let mut candidates = self
                    .state
                    .points
                    .iter()
                    .filter(|(point, _)| !wanted.is_empty() && point.as_str().starts_with(wanted));
                let first = candidates.next();
                if candidates.next().is_some() {
                    return Err(format!("{wanted:?} matches more than one recovery point"));
                }
                first
            }
        };
        let (point, entry) = latest.ok_or_else(|| format!("the vault has no recovery point {wanted:?}"))?;
        match &entry.damaged {
            Some(problem) => Err(format!(
                "the recovery point {point} is damaged: {}",
                problem.message
            )),
            None => Ok(point.clone()),
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
                match point {
                    Some(point) => Ok(Some(point)),
                    None => Err(format!("no restore {token} is running or waiting")),
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
    Answer::Refused(vec![Problem::new(
        Code::RequestRefused,
        why,
        "`lifeboat status` and `lifeboat application points` list applications and recovery points",
    )])
}
