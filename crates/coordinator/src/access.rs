//! The prerequisites of a backup: registrations, keys, and access to the clusters.

use lifeboat_format::{RecipientKey, VerifyingKey};
use lifeboat_model::{Code, EnvironmentId, Problem, Side};

use super::CHECK_AGAIN;
use super::backup::End;
use super::clusters::{sources, targets};
use super::decision::DecisionBuilder;
use super::state::{CheckRun, JobEntry, PinnedKey, Retry};
use lifeboat_jobs::{AccessReport, CheckWork, Done, Work};

impl DecisionBuilder<'_> {
    /// Pins each key on first use if the document names none.
    pub(super) fn pin_keys(&mut self) {
        let signing = self.inventory.primary.signing_key();
        let wanted = self.inventory.application.signing_key.as_deref();
        if let Some(key) = signing.and_then(signing_pin) {
            let held = self.state.pins.signing_key.as_ref();
            // A fingerprint in the document means that the user approves another key.
            let decided = wanted == Some(key.fingerprint.as_str());
            if decided && held != Some(&key) || wanted.is_none() && held.is_none() {
                self.state.pins.signing_key = Some(key);
            }
        }
        let recovery = self.inventory.recovery.recovery_key();
        if self.state.pins.recovery_key.is_none() {
            self.state.pins.recovery_key = recovery.and_then(recovery_pin);
        }
    }

    /// Returns whether a backup can begin. Missing prerequisites are issues of their own.
    pub(super) fn is_ready(&self) -> bool {
        let application = &self.inventory.application;
        self.inventory.is_available(&application.primary)
            && self.inventory.primary.delegate.is_some()
            && self.key_problems().is_empty()
    }

    /// Returns the problems of registrations and keys, each with its subject.
    pub(super) fn key_problems(&self) -> Vec<(&'static str, Problem)> {
        let mut problems = Vec::new();
        let application = &self.inventory.application;
        let mut missing = |side: &'static str, what: &str, environment: &EnvironmentId, stack: &str| {
            // Nothing is known of it, and that is an issue of its own.
            if !self.inventory.is_available(environment) {
                return;
            }
            problems.push((
                side,
                Problem::new(
                    Code::NotRegistered,
                    format!("{what} is not registered in {environment}"),
                    format!("deploy the stack `{stack}` there with `lifeboat deploy`"),
                ),
            ));
        };
        if self.inventory.primary.signing_key().is_none() {
            missing(
                "primary",
                "the signing key",
                &application.primary,
                "primary-access",
            );
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
                "recovery-access",
            );
        }
        let pins = &self.state.pins;
        let signing = self.inventory.primary.signing_key();
        if let Some(text) = signing {
            let key = signing_pin(text);
            if key.is_none() || key != pins.signing_key {
                problems.push((
                    "",
                    changed(
                        Code::SigningKeyChanged,
                        "signing key",
                        pins.signing_key.as_ref(),
                        key.as_ref(),
                    ),
                ));
            }
        }
        let recovery = self.inventory.recovery.recovery_key();
        if let Some(text) = recovery {
            let key = recovery_pin(text);
            if key.is_none() || key != pins.recovery_key {
                problems.push((
                    "",
                    changed(
                        Code::RecoveryKeyChanged,
                        "recovery key",
                        pins.recovery_key.as_ref(),
                        key.as_ref(),
                    ),
                ));
            }
        }
        problems
    }

    /// Stores a delegate's access reports for the clusters of its job, and for no others.
    pub(super) fn take_access(&mut self, side: Side, work: &Work, reports: Vec<AccessReport>) {
        let by_tag = matches!(work, Work::Check(CheckWork { cluster_tags, .. }) if !cluster_tags.is_empty());
        for report in reports {
            if by_tag || work.clusters().iter().any(|cluster| cluster.arn == report.arn) {
                self.take_report(report);
                self.state.checked_at.insert(side, self.now);
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
                    if !held.findings.contains(&finding) {
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
                End::Done(Done::Check { found, missing }) => {
                    self.state.checked_at.insert(run.side, self.now);
                    if self.is_search(&run) {
                        self.state.searched_at = Some(self.now);
                        if missing.is_empty() {
                            self.state.found = found;
                        }
                        self.state.search = missing;
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
            || self.state.checks.iter().all(|run| run.side != Side::Primary)
                && self.state.checked_document == Some(self.inventory.document)
                && (self.state.searched_at).is_some_and(|last| self.now.duration_since(last) < CHECK_AGAIN)
    }

    /// Starts access checks when the application has changed, and every few minutes while access is missing.
    /// A capture includes a check.
    pub(super) fn start_checks(&mut self) {
        let changed = self.state.checked_document != Some(self.inventory.document);
        if changed {
            // The tags in the document may have changed.
            self.state.searched_at = None;
        }
        for side in [Side::Primary, Side::Recovery] {
            if self.state.checks.iter().any(|run| run.side == side) || !self.has_delegate(side) {
                continue;
            }
            let captures = side == Side::Primary && self.state.backup.is_some();
            let again = self.has_findings(side)
                && self
                    .state
                    .checked_at
                    .get(&side)
                    .is_none_or(|last| self.now.duration_since(*last) >= CHECK_AGAIN);
            let never = !self.state.checked_at.contains_key(&side);
            let search = side == Side::Primary
                && self.state.backup.is_none()
                && self.wants_backup()
                && !self.knows_clusters();
            if !captures && (changed || again || never || search) {
                self.start_check(side);
            }
        }
        if self.has_delegate(Side::Primary) {
            self.state.checked_document = Some(self.inventory.document);
        }
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
        if clusters.is_empty() && cluster_tags.is_empty() {
            return;
        }
        let work = Work::Check(CheckWork {
            clusters,
            cluster_tags,
        });
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
        unfound
            || clusters.iter().any(|cluster| {
                match self.state.access.get(cluster.arn.as_str()) {
                    Some(report) => !report.findings.is_empty(),
                    // The cluster was found since the last check.
                    None => side == Side::Recovery && self.is_by_tag(),
                }
            })
    }
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
        |key: Option<&PinnedKey>| key.map_or("an unusable key".to_owned(), |key| key.fingerprint.to_string());
    Problem::new(
        code,
        format!(
            "the registered {what} is {}, but {} is pinned",
            name(found),
            name(pinned)
        ),
        "check who changed it; if the change was intended, set the new fingerprint in the application document",
    )
}
