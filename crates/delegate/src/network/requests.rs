//! Requests: signed ones to the scratch bucket, and one to the API server.

use std::time::Duration;

use bytes::Bytes;
use lifeboat_aws::AwsError;
use lifeboat_model::network::{DeniedBy, NetworkFailure};
use lifeboat_model::text::bounded;
use lifeboat_store::ports::{BoxError, ETag, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::NetworkProbe;
use super::tls::Stream;

/// The entity tag of no object: a conditional write with it is checked for permissions, and then fails (Amazon S3 User Guide,
/// "How to prevent object overwrites with conditional writes").
const NO_TAG: &str = "\"00000000000000000000000000000000\"";

/// The maximum number of bytes of an answer that are read: the status line is in the first ones.
const READ: usize = 512;

impl NetworkProbe {
    /// Reads and writes the registration, without changing it, and lists the jobs.
    ///
    /// # Errors
    /// The policy that denies it, or the answer if it is not that of S3.
    pub(super) async fn requests(&self) -> Result<(), NetworkFailure> {
        let requests = async {
            let read = self.scratch.get(&self.key).await.map(drop);
            absent(read)?;
            let tag = ETag::new(NO_TAG);
            let written = self.scratch.replace(&self.key, &tag, Bytes::new()).await;
            absent(written.map(drop))?;
            // A listing is not found only if there is no bucket, or if it is not S3 that answers.
            let listed = self.scratch.list(&self.jobs, None, 1).await.map(drop);
            listed.map_err(|error| failed(&error))
        };
        match timeout(self.limits.requests, requests).await {
            Ok(outcome) => outcome,
            Err(_) => Err(NetworkFailure::Interrupted {
                said: "no answer to a request in time".to_owned(),
            }),
        }
    }
}

/// Takes it as success that an object does not exist, or has another entity tag.
fn absent(outcome: Result<(), StoreError>) -> Result<(), NetworkFailure> {
    match outcome {
        Ok(()) | Err(StoreError::NotFound { .. } | StoreError::Changed { .. }) => Ok(()),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &StoreError) -> NetworkFailure {
    let answer = |source: &BoxError| -> (Option<u16>, Option<String>, String) {
        match source.downcast_ref::<AwsError>() {
            Some(error) => (
                error.status(),
                error.code().map(str::to_owned),
                bounded(error.message()),
            ),
            None => (None, None, bounded(&source.to_string())),
        }
    };
    match error {
        StoreError::Denied { source, .. } => match answer(source) {
            (_, Some(code), message) => {
                let (by, explicit) = DeniedBy::of_message(&message);
                NetworkFailure::Denied {
                    by,
                    explicit,
                    said: bounded(&format!("{code}: {message}")),
                }
            }
            // S3 answers with a code.
            (status, None, said) => NetworkFailure::OtherAnswer { status, said },
        },
        StoreError::Unavailable { source, .. } | StoreError::Failed { source, .. } => match answer(source) {
            (None, _, said) => NetworkFailure::Interrupted { said },
            (status, _, said) => NetworkFailure::OtherAnswer { status, said },
        },
        StoreError::NotFound { .. } | StoreError::NoStore { .. } => NetworkFailure::OtherAnswer {
            status: Some(404),
            said: bounded(&error.to_string()),
        },
        other => NetworkFailure::OtherAnswer {
            status: None,
            said: bounded(&other.to_string()),
        },
    }
}

/// Asks the API server for its version, without credentials: an answer that denies it is one of the API server too.
///
/// # Errors
/// That it does not answer, or that it is not an API server.
pub(super) async fn version(mut stream: Stream, host: &str, limit: Duration) -> Result<(), NetworkFailure> {
    let interrupted = |said: String| NetworkFailure::Interrupted { said: bounded(&said) };
    let request =
        format!("GET /version HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lifeboat\r\nConnection: close\r\n\r\n");
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = [0; READ];
        let length = stream.read(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    let answer = match timeout(limit, exchange).await {
        Ok(Ok(answer)) if answer.is_empty() => return Err(interrupted("no answer".to_owned())),
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(interrupted(error.to_string())),
        Err(_) => return Err(interrupted("no answer in time".to_owned())),
    };
    let line = answer.lines().next().unwrap_or_default();
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    match status {
        Some(100..=499) => Ok(()),
        status => Err(NetworkFailure::OtherAnswer {
            status,
            said: bounded(line),
        }),
    }
}
