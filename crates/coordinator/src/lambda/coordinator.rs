//! Runs one tick for every application in the state bucket, and processes the users' requests.

use crate::ports::Ports;
use crate::state::Notice;
use crate::tick::{TickError, TickReport, tick};
use crate::{Action, document_key};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use lifeboat_jobs::claim::{Written, put_once};
use lifeboat_jobs::read::parse;
use lifeboat_model::request::{
    Answer, ApplicationRequest, ApplicationStatus, Request, StatusAnswer, StatusRequest,
};
use lifeboat_model::{ApplicationDocument, ApplicationName, Code, Diagnostic as _, ErrorKind, Problem};
use lifeboat_store::listing;
use lifeboat_store::ports::StoreError;

/// The maximum size in bytes of an application's document.
const LARGEST: usize = 256 << 10;

/// The prefix of the applications' documents in the state bucket.
const APPLICATIONS: &str = "applications/";

/// The number of attempts to write a document that other writers change at the same moment.
const RACES: usize = 5;

/// The number of applications whose status is determined concurrently.
const STATUSES_AT_ONCE: usize = 16;

/// The coordinator with its external dependencies.
pub struct Coordinator {
    /// Buckets, clock, randomness and notifications.
    pub ports: Ports,
}

/// The result of one tick over some applications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickSummary {
    /// The number of applications processed.
    pub applications: usize,
    /// The number of applications whose last good recovery point is older than their schedule allows, or that
    /// have none.
    pub overdue: usize,
    /// The status of each application whose state could be read.
    pub statuses: Vec<ApplicationStatus>,
    /// The failures of single applications.
    pub problems: Vec<Problem>,
}

impl Coordinator {
    /// Lists the names of all applications.
    ///
    /// # Errors
    /// If the state bucket cannot be read.
    pub async fn applications(&self) -> Result<Vec<ApplicationName>, StoreError> {
        let listed = listing::all(self.ports.state.as_ref(), APPLICATIONS).await?;
        let names = listed.iter().filter_map(|listed| {
            let name = listed.key.as_str().strip_prefix(APPLICATIONS)?;
            ApplicationName::parse(name.strip_suffix(".json")?).ok()
        });
        Ok(names.collect())
    }

    /// Runs a tick of each of these applications. The failure of one does not stop the others.
    pub async fn tick(
        &self,
        names: impl IntoIterator<Item = ApplicationName>,
        until: Timestamp,
    ) -> TickSummary {
        let mut summary = TickSummary::default();
        for name in names {
            summary.applications += 1;
            let overdue = |status: &ApplicationStatus| {
                status.last_good.is_none()
                    || status
                        .issues
                        .iter()
                        .any(|issue| issue.code == Code::BackupOverdue)
            };
            match self.tick_application(&name, &[], until).await {
                // Another coordinator decides at the same time and counts the application.
                Ok(TickReport { status: None, .. }) => {}
                Ok(TickReport {
                    status: Some(status), ..
                }) => {
                    summary.overdue += usize::from(overdue(&status));
                    summary.statuses.push(status);
                }
                Err(error) => {
                    tracing::error!(application = %name, code = %error.code, problem = %error.message, "tick failed");
                    summary.problems.push(error);
                    summary.overdue += 1;
                }
            }
        }
        summary
    }

    /// Runs one tick of an application.
    async fn tick_application(
        &self,
        name: &ApplicationName,
        requests: &[Request],
        until: Timestamp,
    ) -> Result<TickReport, Problem> {
        let report = tick(&self.ports, name, requests, until)
            .await
            .map_err(|error| problem(&error))?;
        for action in &report.actions {
            match action {
                Action::Notify(notice) => {
                    let Notice { opened, issue, .. } = notice.as_ref();
                    tracing::warn!(application = %name, issue = %issue.id, code = %issue.code, problem = %issue.message, opened, "an issue changed");
                }
                _ => {
                    tracing::info!(application = %name, action = action_name(action), job = job(action), "done")
                }
            }
        }
        if report.conflict {
            tracing::info!(application = %name, "another coordinator decided at the same time");
        }
        if report.failures > 0 {
            tracing::warn!(application = %name, failures = report.failures, "some actions failed; the next tick retries them");
        }
        Ok(report)
    }

    /// Processes a request.
    pub async fn answer(&self, request: Request, until: Timestamp) -> Answer {
        match self.try_answer(request, until).await {
            Ok(answer) => answer,
            Err(problem) => Answer::Refused(vec![problem]),
        }
    }

    async fn try_answer(&self, request: Request, until: Timestamp) -> Result<Answer, Problem> {
        match request {
            Request::Application(ApplicationRequest::List {}) => Ok(Answer::Applications(
                self.applications().await.map_err(|e| e.problem())?,
            )),
            Request::Application(ApplicationRequest::Get { application }) => {
                Ok(Answer::Application(Box::new(self.document(&application).await?)))
            }
            Request::Application(ApplicationRequest::Put(document)) => self.put(*document, until).await,
            Request::Status(StatusRequest { application: None }) => {
                let names = self.applications().await.map_err(|e| e.problem())?;
                let asked = stream::iter(names).map(|name| async move {
                    let request = Request::Status(StatusRequest::default());
                    self.ask(&name, request, until).await
                });
                let mut answer = StatusAnswer::default();
                // An application that cannot be read, or whose Region does not answer, delays no other one.
                for asked in asked.buffered(STATUSES_AT_ONCE).collect::<Vec<_>>().await {
                    match asked {
                        Ok(Answer::Status(one)) => answer.applications.extend(one.applications),
                        Ok(Answer::Refused(problems)) => answer.problems.extend(problems),
                        Ok(_) => {}
                        Err(problem) => answer.problems.push(problem),
                    }
                }
                Ok(Answer::Status(answer))
            }
            request => match request.application() {
                Some(name) => self.ask(&name, request, until).await,
                None => Err(unknown("the request has no application")),
            },
        }
    }

    async fn ask(
        &self,
        name: &ApplicationName,
        request: Request,
        until: Timestamp,
    ) -> Result<Answer, Problem> {
        // The document must exist first: a request must not create a state for an unknown application.
        self.document(name).await?;
        let report = self.tick_application(name, &[request], until).await?;
        (report.answers.into_iter().next())
            .ok_or_else(|| Problem::new(Code::Bug, "a request failed", "report this as a bug"))
    }

    /// Removes an application's document: it is no longer backed up or checked. Its recovery points stay in
    /// the vault, and its state stays too, so that the application continues from there when its document is
    /// put again.
    ///
    /// # Errors
    /// If the state bucket cannot be written. An application that does not exist counts as removed.
    pub async fn remove(&self, name: &ApplicationName) -> Result<(), Problem> {
        let removed = self.ports.state.delete(&document_key(name)).await;
        removed.map_err(|error| error.problem())?;
        tracing::warn!(application = %name, "the application was removed");
        Ok(())
    }

    async fn document(&self, name: &ApplicationName) -> Result<ApplicationDocument, Problem> {
        let key = document_key(name);
        match self.ports.state.get(&key).await {
            Ok((bytes, _)) => parse(&key, &bytes, LARGEST).map_err(|error| error.problem()),
            Err(StoreError::NotFound { .. }) => {
                Err(unknown(format!("the application {name} does not exist")))
            }
            Err(error) => Err(error.problem()),
        }
    }

    /// Replaces an application's document if the new one is valid; then access is checked at once.
    async fn put(&self, document: ApplicationDocument, until: Timestamp) -> Result<Answer, Problem> {
        let application = match document.parse() {
            Ok(application) => application,
            Err(problems) => return Ok(Answer::Refused(problems)),
        };
        let key = document_key(&application.name);
        let bytes =
            serde_json::to_vec(&document).expect("documents have string keys and no other cause to fail");
        let mut races = 0;
        loop {
            let written = match self.ports.state.get(&key).await {
                Ok((former, _)) if former == bytes => break,
                Ok((_, tag)) => {
                    (self.ports.state.replace(&key, &tag, bytes.clone().into()).await).map(|_| ())
                }
                Err(StoreError::NotFound { .. }) => {
                    match put_once(self.ports.state.as_ref(), &key, bytes.clone().into()).await {
                        Ok(Written::Other) => Err(StoreError::Changed { key: key.to_string() }),
                        Ok(Written::New | Written::Same) => Ok(()),
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            races += 1;
            match written {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::Conflict && races < RACES => {}
                Err(error) => return Err(error.problem()),
            }
        }
        // The user waits for the result of a request. A failure from here on is an issue of the application, not of its
        // document.
        let status = Request::Status(StatusRequest {
            application: Some(application.name.clone()),
        });
        if let Err(problem) = self.tick_application(&application.name, &[status], until).await {
            tracing::warn!(application = %application.name, code = %problem.code, problem = %problem.message, "tick failed");
        }
        Ok(Answer::Application(Box::new(document)))
    }
}

fn unknown(message: impl Into<String>) -> Problem {
    Problem::new(
        Code::RequestRefused,
        message,
        r#"send {"application": {"list": {}}} to list the applications"#,
    )
}

fn problem(error: &TickError) -> Problem {
    match error {
        TickError::Store { source, .. } => source.problem(),
        TickError::Invalid { problems, .. } => problems
            .first()
            .cloned()
            .unwrap_or_else(|| unknown(error.to_string())),
        TickError::TooLarge { .. } => Problem::of(Code::StateTooLarge, format!("failed to {error}")),
        TickError::Busy { .. } => Problem::new(
            Code::RequestRefused,
            format!("failed to {error}"),
            "send the request again; with the same token it starts only once",
        ),
    }
}

fn action_name(action: &Action) -> &'static str {
    match action {
        Action::PutAssignment(_) => "assign",
        Action::PutCancel { .. } => "cancel",
        Action::VaultPoint { .. } => "vault",
        Action::VerifyVault { .. } => "verify",
        Action::DeleteCapture { .. } => "clean up",
        Action::ExpirePoint { .. } => "expire",
        Action::DeleteSegment { .. } => "delete segment",
        Action::Notify(_) => "notify",
    }
}

/// Returns the job that an action is about, if any.
fn job(action: &Action) -> Option<&str> {
    match action {
        Action::PutAssignment(assignment) => Some(assignment.job.as_str()),
        Action::PutCancel { cancel, .. } => Some(cancel.job.as_str()),
        _ => None,
    }
}
