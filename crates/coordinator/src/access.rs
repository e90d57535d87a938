//! The prerequisites of a backup: registrations, keys, and access to the clusters.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::{Fingerprint, RecipientKey, VerifyingKey};
use lifeboat_model::request::TrustRequest;
use lifeboat_model::{Code, EnvironmentId, Problem, RequestToken, Side};

use super::backup::End;
use super::clusters::{sources, targets};
use super::decision::DecisionBuilder;
use super::state::{CheckRun, JobEntry, PinChange, PinnedKey, Retry};
use super::{CHECK_AGAIN, CHECK_KEY_EVERY};
use lifeboat_jobs::{AccessFinding, AccessReport, CheckWork, ClusterTarget, Done, Work};
use serde::{Deserialize, Deserializer};

pub(crate) mod commands;
mod findings;

pub(crate) use findings::{Subject, Worded, is_cluster_of, role_of};

/// The maximum number of clusters of an application that are found by tag.
const FOUND: usize = 200;

/// The maximum number of findings of a report: a delegate reports a few, one for each reason.
const FINDINGS: usize = 16;

/// The maximum number of changes of pins by request.
const CHANGES: usize = 100;

/// A missing prerequisite: a registration, or a key that is not the pinned one.
pub(super) struct KeyProblem {
    /// The subject of its issue.
    pub(super) about: &'static str,
    pub(super) problem: Problem,
    /// The command that resolves it.
    pub(super) command: Option<String>,
}

impl DecisionBuilder<'_> {
    /// Pins each key on first use: the registered one if the document names none or this one. Another key is pinned by
    /// request only.
    pub(super) fn pin_keys(&mut self) {
        let wanted = self.inventory.application.signing_key.as_deref();
        let pins = &mut self.state.pins;
        if pins.signing_key.is_none() {
            let registered = self.inventory.primary.signing_key().and_then(signing_pin);
            pins.signing_key =
                registered.filter(|key| wanted.is_none_or(|wanted| wanted == key.fingerprint.as_str()));
        }
        if pins.recovery_key.is_none() {
            pins.recovery_key = self.inventory.recovery.recovery_key().and_then(recovery_pin);
        }
    }

    /// Pins the registered keys with the fingerprints of a request.
    pub(super) fn take_trust(&mut self, request: &TrustRequest, token: &RequestToken) -> Result<(), String> {
        let registered = |key: Option<PinnedKey>, wanted: &Option<String>, what: &str| match (key, wanted) {
            (_, None) => Ok(None),
            (Some(key), Some(wanted)) if key.fingerprint.as_str() == wanted => Ok(Some(key)),
            (Some(key), Some(wanted)) => Err(format!(
                "the registered {what} is {}, not {wanted}",
                key.fingerprint
            )),
            (None, Some(_)) => Err(format!("no {what} is registered")),
        };
        let signing = self.inventory.primary.signing_key().and_then(signing_pin);
        let recovery = self.inventory.recovery.recovery_key().and_then(recovery_pin);
        let signing = registered(signing, &request.signing_key, "signing key")?;
        let recovery = registered(recovery, &request.recovery_key, "recovery key")?;
        if signing.is_none() && recovery.is_none() {
            return Err("`trust` requires `signingKey` or `recoveryKey`".to_owned());
        }
        if self.state.pins.changes.len() >= CHANGES {
            return Err(format!(
                "the pins of an application can be changed {CHANGES} times"
            ));
        }
        // Entries of earlier versions name no signer: it was the key that was pinned until now.
        let current = self
            .state
            .pins
            .signing_key
            .as_ref()
            .map(|key| key.fingerprint.clone());
        for entry in self.state.points.values_mut() {
            entry.signer = entry.signer.take().or_else(|| current.clone());
        }
        if let Some(key) = signing.filter(|key| self.state.pins.signing_key.as_ref() != Some(key)) {
            self.record_change(token, current, &key);
            let pins = &mut self.state.pins;
            pins.former_signing_keys.retain(|former| *former != key);
            pins.former_signing_keys.extend(pins.signing_key.replace(key));
        }
        if let Some(key) = recovery.filter(|key| self.state.pins.recovery_key.as_ref() != Some(key)) {
            let current = self.state.pins.recovery_key.replace(key.clone());
            self.record_change(token, current.map(|key| key.fingerprint), &key);
        }
        Ok(())
    }

    fn record_change(&mut self, token: &RequestToken, from: Option<Fingerprint>, to: &PinnedKey) {
        self.state.pins.changes.push(PinChange {
            at: self.now,
            token: token.clone(),
            from,
            to: to.fingerprint.clone(),
        });
    }

    /// Returns whether a backup can begin. Missing prerequisites are issues of their own.
    pub(super) fn is_ready(&self) -> bool {
        let application = &self.inventory.application;
        self.inventory.is_available(&application.primary)
            && self.inventory.primary.delegate.is_some()
            && self.key_problems().is_empty()
    }

    /// Returns the problems of registrations and keys, each with its subject.
    pub(super) fn key_problems(&self) -> Vec<KeyProblem> {
        let mut problems = Vec::new();
        let application = &self.inventory.application;
        let mut missing = |side: &'static str, what: &str, environment: &EnvironmentId, stack: &str| {
            // Nothing is known of it, and that is an issue of its own.
            if !self.inventory.is_available(environment) {
                return;
            }
            problems.push(KeyProblem {
                about: side,
                problem: Problem::new(
                    Code::NotRegistered,
                    format!("{what} is not registered in {environment}"),
                    format!("deploy the stack `{stack}` there with `lifeboat deploy`"),
                ),
                command: None,
            });
        };
        // The delegate registers the key together with itself.
        if self.inventory.primary.delegate.is_some() && self.inventory.primary.signing_key().is_none() {
            missing("primary", "the signing key", &application.primary, "application");
        }
        if self.inventory.primary.delegate.is_none() {
            missing(
                "primary-delegate",
                "the delegate",
                &application.primary,
                "application",
            );
        }
        if self.inventory.recovery.recovery_key().is_none() {
            missing(
                "recovery",
                "the recovery key",
                &application.recovery,
                "application",
            );
        }
        let pins = &self.state.pins;
        let keys = [
            (
                Code::SigningKeyChanged,
                "signing key",
                "--signing-key",
                self.inventory.primary.signing_key().map(signing_pin),
                &pins.signing_key,
            ),
            (
                Code::RecoveryKeyChanged,
                "recovery key",
                "--recovery-key",
                self.inventory.recovery.recovery_key().map(recovery_pin),
                &pins.recovery_key,
            ),
        ];
        for (code, what, option, registered, pinned) in keys {
            let Some(found) = registered.filter(|key| key.is_none() || key != pinned) else {
                continue;
            };
            let name = application.name.as_str();
            let trust =
                |key: &PinnedKey| format!("lifeboat application trust {name} {option} {}", key.fingerprint);
            problems.push(KeyProblem {
                about: "",
                problem: changed(code, what, pinned.as_ref(), found.as_ref()),
                command: found.as_ref().map(trust),
            });
        }
        problems
    }

    /// Stores a delegate's access reports for the clusters of its job, and for no others.
    pub(super) fn take_access(&mut self, side: Side, entry: &JobEntry, reports: Vec<AccessReport>) {
        let work = &entry.work;
        let asks_eks = entry.job.delegate() == self.public();
        let by_tag = matches!(work, Work::Check(CheckWork { cluster_tags, .. }) if !cluster_tags.is_empty());
        let primary = self.inventory.application.primary.clone();
        for mut report in reports.into_iter().take(FOUND) {
            report.findings.truncate(FINDINGS);
            report.checked_at = self.now;
            let is_asked = by_tag && is_cluster_of(&report.arn, &primary)
                || work.clusters().iter().any(|cluster| cluster.arn == report.arn);
            if !is_asked {
                continue;
            }
            self.state.checked_at.insert(side, self.now);
            if !asks_eks || self.take_endpoint(side, &mut report) {
                report.private = None;
                self.take_report(report);
            }
        }
    }

    /// Stores a report. Jobs that share a cluster each report on their own types only, so their findings are
    /// merged.
    fn take_report(&mut self, report: AccessReport) {
        let arn = report.arn.to_string();
        let again = !self.reported.insert(arn.clone());
        match self.state.access.get_mut(&arn).filter(|_| again) {
            Some(held) => {
                for finding in report.findings {
                    if held.findings.len() < FINDINGS && !held.findings.contains(&finding) {
                        held.findings.push(finding);
                    }
                }
            }
            None => drop(self.state.access.insert(arn, report)),
        }
    }

    pub(super) fn advance_checks(&mut self) {
        for mut run in std::mem::take(&mut self.state.checks) {
            let before = self.has_findings(run.side);
            match self.end_of(&mut run.job, run.side) {
                End::Open => self.state.checks.push(run),
                End::Done(Done::Check { found, missing, key }) => {
                    if run.side == Side::Recovery && run.job.job.delegate() == self.public() {
                        self.state.recovery_key_failure = key;
                    }
                    self.state.checked_at.insert(run.side, self.now);
                    if self.is_search(&run) {
                        self.state.searched_at = Some(self.now);
                        if missing.is_empty() {
                            self.state.found = self.usable(found);
                        }
                        self.state.search = missing;
                        self.state.search.truncate(FINDINGS);
                    }
                    let fixed = before && !self.has_findings(run.side);
                    if run.side == Side::Primary && fixed && self.state.failed.is_some() {
                        self.state.retry = Some(Retry {
                            at: self.now,
                            attempt: 1,
                        });
                    }
                }
                // The next check runs again; a delegate that does not respond has an issue of its own.
                End::Done(_) | End::Failed(..) | End::Cancelled => {
                    self.state.checked_at.insert(run.side, self.now);
                    // Known clusters are backed up even if the search fails.
                    if self.is_search(&run) {
                        self.state.searched_at = Some(self.now);
                    }
                }
            }
        }
    }

    /// Returns the clusters that can be those that a delegate of the primary found: EKS clusters of that environment,
    /// each under its own name.
    fn usable(&self, mut found: Vec<ClusterTarget>) -> Vec<ClusterTarget> {
        let primary = &self.inventory.application.primary;
        found.retain(|target| {
            is_cluster_of(&target.arn, primary)
                && target.arn.resource().strip_prefix("cluster/") == Some(target.name.as_str())
        });
        found.sort();
        found.dedup();
        found.truncate(FOUND);
        found
    }

    /// Forgets the reports on clusters that the application no longer has.
    fn prune_access(&mut self) {
        let application = &self.inventory.application;
        let mut clusters = sources(application, &self.state.found);
        clusters.extend(targets(application, &self.state.found));
        let known: BTreeSet<String> = clusters.iter().map(|cluster| cluster.arn.to_string()).collect();
        self.state.access.retain(|arn, _| known.contains(arn));
        self.prune_private(&known);
    }

    fn is_by_tag(&self) -> bool {
        !self.inventory.application.cluster_tags.is_empty()
    }

    /// Returns whether a check searches for the clusters of the application's current document.
    fn is_search(&self, run: &CheckRun) -> bool {
        let wanted = &self.inventory.application.cluster_tags;
        let asked =
            matches!(&run.job.work, Work::Check(CheckWork { cluster_tags, .. }) if cluster_tags == wanted);
        run.side == Side::Primary && self.is_by_tag() && asked
    }

    /// Returns whether the set of clusters is known well enough: tagged clusters may have changed since the
    /// last recovery point.
    pub(super) fn knows_clusters(&self) -> bool {
        !self.is_by_tag()
            || !self.is_checked(Side::Primary)
                && self.state.checked_document == Some(self.inventory.document)
                && (self.state.searched_at).is_some_and(|last| self.now.duration_since(last) < CHECK_AGAIN)
    }

    /// Starts access checks when the application has changed, and every few minutes while access is missing.
    /// A capture includes a check.
    pub(super) fn start_checks(&mut self) {
        self.prune_access();
        let changed = self.state.checked_document != Some(self.inventory.document);
        if changed {
            // The tags in the document may have changed.
            self.state.searched_at = None;
        }
        for side in [Side::Primary, Side::Recovery] {
            if self.is_checked(side) || !self.has_delegate(side) {
                continue;
            }
            let captures = side == Side::Primary && self.state.backup.is_some();
            let last = self.state.checked_at.get(&side);
            let is_long_ago = last.is_none_or(|last| self.now.duration_since(*last) >= CHECK_AGAIN);
            let again = self.has_findings(side) && is_long_ago;
            let never = !self.state.checked_at.contains_key(&side);
            let checked = self.state.key_checked_at;
            let key = side == Side::Recovery
                && checked.is_none_or(|last| self.now.duration_since(last) >= CHECK_KEY_EVERY);
            let search = side == Side::Primary
                && self.state.backup.is_none()
                && self.wants_backup()
                && !self.knows_clusters();
            let moved = self.is_endpoint_old(side) && is_long_ago;
            let in_doubt = is_long_ago && self.is_network_in_doubt(side) || self.is_network_outdated(side);
            // A capture by a private delegate does not ask EKS.
            if moved || in_doubt || !captures && (changed || again || never || search || key) {
                self.start_check(side);
            }
        }
        if self.has_delegate(Side::Primary) {
            self.state.checked_document = Some(self.inventory.document);
        }
        self.start_private_checks();
    }

    /// Whether the public delegate of a side checks its access now.
    fn is_checked(&self, side: Side) -> bool {
        let public = self.public();
        let mut runs = self.state.checks.iter();
        runs.any(|run| run.side == side && run.job.job.delegate() == public)
    }

    fn start_check(&mut self, side: Side) {
        let application = &self.inventory.application;
        let (environment, clusters, cluster_tags) = match side {
            Side::Primary => (
                application.primary.clone(),
                if application.cluster_tags.is_empty() {
                    sources(application, &[])
                } else {
                    Vec::new()
                },
                application.cluster_tags.clone(),
            ),
            Side::Recovery => (
                application.recovery.clone(),
                targets(application, &self.state.found),
                Default::default(),
            ),
        };
        let recovery_key = match side {
            Side::Primary => None,
            Side::Recovery => self.state.pins.recovery_key.as_ref(),
        };
        // Clusters that are found by tag are known after the first search, and are checked together with the key.
        let unsearched = side == Side::Recovery && self.is_by_tag() && self.state.searched_at.is_none();
        if unsearched || clusters.is_empty() && cluster_tags.is_empty() && recovery_key.is_none() {
            return;
        }
        let work = Work::Check(CheckWork {
            clusters,
            cluster_tags,
            recovery_key: recovery_key.map(|key| key.public_key.clone()),
        });
        if side == Side::Recovery {
            self.state.key_checked_at = Some(self.now);
        }
        let job = self.job_now(&format!("check-{side}"));
        let mut entry = JobEntry::new(job, environment, work, self.now);
        self.follow(&mut entry);
        self.state.checks.push(CheckRun { side, job: entry });
    }

    fn has_delegate(&self, side: Side) -> bool {
        match side {
            Side::Primary => self.inventory.primary.delegate.is_some(),
            Side::Recovery => self.inventory.recovery.delegate.is_some(),
        }
    }

    pub(super) fn has_findings(&self, side: Side) -> bool {
        let application = &self.inventory.application;
        let clusters = match side {
            Side::Primary => sources(application, &self.state.found),
            Side::Recovery => targets(application, &self.state.found),
        };
        let unfound = side == Side::Primary
            && self.is_by_tag()
            && (self.state.found.is_empty() || !self.state.search.is_empty());
        let key = side == Side::Recovery && self.state.recovery_key_failure.is_some();
        unfound
            || key
            || self.lacks_network(side)
            || clusters.iter().any(|cluster| {
                match self.state.access.get(cluster.arn.as_str()) {
                    Some(report) => !report.findings.is_empty(),
                    // The cluster was found since the last check.
                    None => side == Side::Recovery && self.is_by_tag(),
                }
            })
    }
}

/// Reads the reports of a state. One of a former version, which had sentences and commands, is left out: the next check
/// makes it anew.
///
/// # Errors
/// If the field is not a map.
pub(super) fn known_reports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, AccessReport>, D::Error> {
    let held = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let known = |(arn, report)| Some((arn, serde_json::from_value(report).ok()?));
    Ok(held.into_iter().filter_map(known).collect())
}

/// Reads the findings of a state, without those of a former version.
///
/// # Errors
/// If the field is not a list.
pub(super) fn known_findings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<AccessFinding>, D::Error> {
    let held = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(held
        .into_iter()
        .filter_map(|finding| serde_json::from_value(finding).ok())
        .collect())
}

fn signing_pin(pem: &str) -> Option<PinnedKey> {
    let key = VerifyingKey::from_pem(pem).ok()?;
    Some(PinnedKey {
        fingerprint: key.fingerprint().clone(),
        public_key: key.to_pem(),
    })
}

fn recovery_pin(pem: &str) -> Option<PinnedKey> {
    let key = RecipientKey::from_pem(pem).ok()?;
    Some(PinnedKey {
        fingerprint: key.fingerprint().clone(),
        public_key: key.to_pem(),
    })
}

fn changed(code: Code, what: &str, pinned: Option<&PinnedKey>, found: Option<&PinnedKey>) -> Problem {
    let name =
        |key: Option<&PinnedKey>, none: &str| key.map_or(none.to_owned(), |key| key.fingerprint.to_string());
    let (found, pinned) = (name(found, "not usable"), name(pinned, "another one"));
    Problem::new(
        code,
        format!("the registered {what} is {found}, but {pinned} is pinned"),
        "check who changed it; if the change was intended, pin the registered key",
    )
}
