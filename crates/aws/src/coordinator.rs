//! Requests to the coordinator: synchronous invocations of its Lambda function.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use lifeboat_model::request::{
    Accepted, Answer, ApplicationStatus, PointsAnswer, PointsRequest, Request, StatusRequest,
};
use lifeboat_model::{ApplicationName, Code, ErrorKind, Problem};
use serde_json::Value;

use crate::AwsError;
use crate::session::Session;

/// The name of the coordinator's function, set by the control stack.
pub const COORDINATOR: &str = "lifeboat-coordinator";

/// The number of characters of a function's answer that are quoted in an error. The error message of a function is
/// usually one line.
const QUOTED: usize = 500;

/// A client of the coordinator.
#[derive(Debug, Clone)]
pub struct CoordinatorClient {
    client: Client,
    session: Session,
}

impl CoordinatorClient {
    /// Creates a client of the coordinator in the session's account and Region.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            client: Client::new(&session.for_functions()),
            session,
        }
    }

    /// Returns the session that sends the requests.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Sends a request. A refusal by the coordinator is an error.
    ///
    /// # Errors
    /// LB-1008 if there is no coordinator, LB-1009 if it fails, its own problems if it refuses.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Problem> {
        let payload =
            serde_json::to_vec(request).expect("requests have string keys and no other cause to fail");
        let sent = (self.client.invoke())
            .function_name(COORDINATOR)
            .payload(Blob::new(payload))
            .send()
            .await;
        let answer = sent
            .map_err(|e| AwsError::new("lambda:InvokeFunction", COORDINATOR, e))
            .map_err(|error| self.invoke_failed(&error))?;
        let body = answer.payload().map(Blob::as_ref).unwrap_or_default();
        if answer.function_error().is_some() {
            return Err(failed(body));
        }
        let answer: Answer = serde_json::from_slice(body).map_err(|error| {
            Problem::new(
                Code::CoordinatorFailed,
                "failed to read the response of the coordinator",
                "update the coordinator with `lifeboat deploy recovery`, or use the lifeboat version of the coordinator",
            )
            .caused_by(&error)
        })?;
        match answer {
            Answer::Refused(problems) => Err(combine(problems)),
            answer => Ok(answer),
        }
    }

    /// Sends a request that starts a backup or another operation.
    ///
    /// # Errors
    /// Those of [`CoordinatorClient::ask`].
    pub async fn accepted(&self, request: &Request) -> Result<Accepted, Problem> {
        match self.ask(request).await? {
            Answer::Accepted(accepted) => Ok(accepted),
            other => Err(unexpected_answer(&other)),
        }
    }

    /// Returns the status of an application.
    ///
    /// # Errors
    /// Those of [`CoordinatorClient::ask`].
    pub async fn status(&self, application: &ApplicationName) -> Result<ApplicationStatus, Problem> {
        let request = Request::Status(StatusRequest {
            application: Some(application.clone()),
        });
        match self.ask(&request).await? {
            Answer::Status(mut answer) if answer.applications.len() == 1 => Ok(answer.applications.remove(0)),
            other => Err(unexpected_answer(&other)),
        }
    }

    /// Returns all recovery points of an application, the latest first.
    ///
    /// # Errors
    /// Those of [`CoordinatorClient::ask`].
    pub async fn points(&self, application: &ApplicationName) -> Result<PointsAnswer, Problem> {
        let (mut points, mut from) = (Vec::new(), None);
        loop {
            let request = Request::Points(PointsRequest {
                application: application.clone(),
                from,
            });
            let page = match self.ask(&request).await? {
                Answer::Points(page) => page,
                other => return Err(unexpected_answer(&other)),
            };
            points.extend(page.points);
            from = page.next;
            if from.is_none() {
                return Ok(PointsAnswer {
                    application: page.application,
                    points,
                    next: None,
                });
            }
        }
    }

    /// Returns the problem for an invocation that did not reach the coordinator.
    fn invoke_failed(&self, error: &AwsError) -> Problem {
        let doing = format!(
            "send a request to the coordinator in {}",
            self.session.environment()
        );
        if error.code() == Some("ResourceNotFoundException") {
            return Problem::of(Code::NoCoordinator, format!("failed to {doing}")).caused_by(error);
        }
        let mut problem = self.session.context().problem(&doing, error);
        if error.kind() == ErrorKind::Retry && !error.is_about_credentials() {
            problem.guidance =
                "run the same command again in a few minutes; with the same --token it starts only once"
                    .to_owned();
        }
        problem
    }
}

/// Returns the problem for a function that failed with `{"errorType": …, "errorMessage": …}`.
fn failed(body: &[u8]) -> Problem {
    let said: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let said = match said["errorMessage"].as_str() {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let mut problem = Problem::of(Code::CoordinatorFailed, "the coordinator failed on the request");
    problem.causes.push(said.chars().take(QUOTED).collect());
    problem
}

/// Combines all the problems of a request or a document into one.
#[must_use]
pub fn combine(problems: Vec<Problem>) -> Problem {
    let mut problems = problems.into_iter();
    let Some(mut first) = problems.next() else {
        return Problem::of(
            Code::RequestRefused,
            "the coordinator refused the request without giving a reason",
        );
    };
    for other in problems {
        first.causes.push(format!(
            "also {}: {}; {}",
            other.code, other.message, other.guidance
        ));
    }
    first
}

fn unexpected_answer(answer: &Answer) -> Problem {
    let kind = match answer {
        Answer::Accepted(_) => "an acceptance",
        Answer::Status(_) => "a status",
        Answer::Points(_) => "recovery points",
        Answer::Application(_) => "an application",
        Answer::Applications(_) => "applications",
        Answer::Refused(_) => "a refusal",
    };
    Problem::new(
        Code::CoordinatorFailed,
        format!("the coordinator returned an unexpected response of kind {kind}"),
        "update the coordinator with `lifeboat deploy recovery`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_fails_is_quoted() {
        let failure = super::failed(br#"{"errorType":"E","errorMessage":"the state bucket is gone"}"#);
        assert_eq!(failure.causes, ["the state bucket is gone"]);
        let failure = super::failed(b"Task timed out after 900.00 seconds");
        assert_eq!(failure.causes, ["Task timed out after 900.00 seconds"]);
    }

    #[test]
    fn everything_that_is_refused_is_told() {
        let problem = |code, message: &str| Problem::new(code, message, "fix it");
        let combined = combine(vec![
            problem(Code::ApplicationInvalid, "name is wrong"),
            problem(Code::ApplicationInvalid, "schedule is wrong"),
        ]);
        assert_eq!(combined.code, Code::ApplicationInvalid);
        let text = combined.to_string();
        assert!(
            text.contains("name is wrong") && text.contains("schedule is wrong"),
            "{text}"
        );
    }
}
