//! One invocation of the coordinator for one application: read, decide, replace the state, act, and again
//! while an action allows progress.

use futures::future::try_join_all;
use futures::try_join;
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::Sha256;
use lifeboat_model::request::{Answer, ApplicationStatus, Request};
use lifeboat_model::{Application, ApplicationDocument, ApplicationName, Diagnostic as _, Problem};

use super::archive::{OpenedSegment, Segment, segment_key, wanted};
use super::observe::{TickInput, invalid};
use super::ports::Ports;
use super::state::State;
use super::status::status;
use super::{Action, ActionOutcome, decide, document_key, execute, observe, state_key};
use lifeboat_jobs::claim::put_once;
use lifeboat_jobs::read::parse;
use lifeboat_store::ports::{ETag, StoreError};

/// The maximum number of decisions per invocation. A finished capture takes three: copy, catalogue, clean up.
const ROUNDS: usize = 4;

/// The number of retries of a lost compare-and-swap if a caller waits for the response. Each end of an
/// invocation starts a coordinator; if invocations are short, several coordinators change the state within
/// seconds, and five retries have been seen to be too few.
const MAX_CAS_RETRIES: usize = 15;

/// The maximum size in bytes of a document in the state bucket: hundreds of recovery points with their
/// reasons, and the recent requests.
const LIMIT: usize = 16 << 20;

/// The maximum size in bytes of a state that is written. What is written can always be read, also by an earlier
/// version.
const WRITE_LIMIT: usize = LIMIT / 2;

/// A failed tick. The next tick repeats its work.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// A request to a store failed.
    #[error("update the application {application}")]
    Store {
        /// The application.
        application: ApplicationName,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The application or its state cannot be read.
    #[error("read the documents of the application {application}")]
    Invalid {
        /// The application.
        application: ApplicationName,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// The next state exceeds half of what can be read. The former one stays.
    #[error(
        "update the application {application}: its state of {bytes} bytes exceeds the limit of {WRITE_LIMIT}"
    )]
    TooLarge {
        /// The application.
        application: ApplicationName,
        /// The size in bytes.
        bytes: usize,
    },
    /// Other coordinators changed the state during every attempt.
    #[error("update the application {application}: its state changed during every attempt")]
    Busy {
        /// The application.
        application: ApplicationName,
    },
}

/// The result of a tick.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TickReport {
    /// The responses to the requests, in their order.
    pub answers: Vec<Answer>,
    /// The status of the application; `None` if no decision was made.
    pub status: Option<ApplicationStatus>,
    /// The executed actions.
    pub actions: Vec<Action>,
    /// The number of actions that failed; the next tick repeats them.
    pub failures: usize,
    /// Whether another coordinator decided at the same time, so that this one dropped its decision.
    pub conflict: bool,
}

/// The time that a tick verifies and deletes; the next tick continues. A copy has a lease instead.
const SHARE: SignedDuration = SignedDuration::from_secs(60);

/// The time that a tick deletes while a user waits for its end.
const SHARE_OF_REQUEST: SignedDuration = SignedDuration::from_secs(5);

/// Runs one tick of an application. Its actions stop at `until`, before the invocation ends.
///
/// # Errors
/// [`TickError`].
pub async fn tick(
    ports: &Ports,
    name: &ApplicationName,
    requests: &[Request],
    until: Timestamp,
) -> Result<TickReport, TickError> {
    let failed = |source| TickError::Store {
        application: name.clone(),
        source,
    };
    let mut report = TickReport::default();
    let (mut waiting, mut performed, mut swaps, mut rounds) = (requests.to_vec(), Vec::new(), 0, 0);
    while rounds < ROUNDS {
        let now = ports.clock.now();
        let ((application, document), (before, etag)) =
            try_join!(application(ports, name), load(ports, name, now))?;
        let opened: Vec<OpenedSegment> = archive(ports, name, &before, &waiting, now)
            .await
            .map_err(failed)?;
        let known = TickInput {
            application: &application,
            document,
            state: &before,
            archive: opened,
            performed: performed.clone(),
            requests: waiting.clone(),
            user_waits: !requests.is_empty(),
        };
        let inventory = observe(ports, known).await;
        let decision = decide(&inventory, &before, now);
        if decision.state != before || etag.is_none() {
            let bytes = serde_json::to_vec(&decision.state)
                .expect("a state has string keys and no other cause to fail");
            if bytes.len() > WRITE_LIMIT {
                return Err(TickError::TooLarge {
                    application: name.clone(),
                    bytes: bytes.len(),
                });
            }
            for (key, segment) in decision.segments {
                put_once(ports.state.as_ref(), &key, segment.into())
                    .await
                    .map_err(failed)?;
            }
            match swap(ports, name, bytes, etag.as_ref()).await {
                Ok(true) => {}
                Ok(false) if waiting.is_empty() => {
                    report.conflict = true;
                    return Ok(report);
                }
                Ok(false) => {
                    swaps += 1;
                    if swaps == MAX_CAS_RETRIES {
                        return Err(TickError::Busy {
                            application: name.clone(),
                        });
                    }
                    continue;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        rounds += 1;
        report.status = Some(status(&application, &decision.state, &inventory.jobs, now));
        if !waiting.is_empty() {
            report.answers = decision.answers;
            waiting.clear();
        }
        performed.clear();
        let share = if requests.is_empty() {
            SHARE
        } else {
            SHARE_OF_REQUEST
        };
        let soon = until.min(now.saturating_add(share).unwrap_or(Timestamp::MAX));
        let acted = act(
            ports,
            name,
            decision.actions,
            (soon, until),
            &mut report,
            &mut performed,
        )
        .await;
        let is_time_up = ports.clock.now() >= until;
        if !acted || report.failures > 0 || is_time_up {
            break;
        }
    }
    Ok(report)
}

/// Executes the actions; returns whether another decision may allow progress.
async fn act(
    ports: &Ports,
    name: &ApplicationName,
    actions: Vec<Action>,
    (soon, until): (Timestamp, Timestamp),
    report: &mut TickReport,
    performed: &mut Vec<ActionOutcome>,
) -> bool {
    let mut forward = false;
    for action in actions {
        let until = match &action {
            Action::VaultPoint { .. } => until,
            _ => soon,
        };
        match execute(ports, name, &action, until).await {
            // The next tick signs it; the other actions do not wait.
            Ok(Some(ActionOutcome::Unsigned)) => continue,
            Ok(outcome) => performed.extend(outcome),
            Err(_) => {
                report.failures += 1;
                continue;
            }
        }
        // An assignment or a cancel allows no progress until the delegate acts.
        forward |= !matches!(action, Action::PutAssignment(_) | Action::PutCancel { .. });
        report.actions.push(action);
    }
    forward || !performed.is_empty()
}

async fn application(ports: &Ports, name: &ApplicationName) -> Result<(Application, Sha256), TickError> {
    let invalid_documents = |problems| TickError::Invalid {
        application: name.clone(),
        problems,
    };
    let key = document_key(name);
    let (bytes, _) = ports.state.get(&key).await.map_err(|source| TickError::Store {
        application: name.clone(),
        source,
    })?;
    let document: ApplicationDocument =
        parse(&key, &bytes, LIMIT).map_err(|error| invalid_documents(vec![error.problem()]))?;
    let application = document.parse().map_err(invalid_documents)?;
    if application.name != *name {
        return Err(TickError::Invalid {
            application: name.clone(),
            problems: vec![invalid(format_args!(
                "the document {key} is for the application {}",
                application.name
            ))],
        });
    }
    Ok((application, Sha256::of(&bytes)))
}

async fn load(
    ports: &Ports,
    name: &ApplicationName,
    now: Timestamp,
) -> Result<(State, Option<ETag>), TickError> {
    let key = state_key(name);
    match ports.state.get(&key).await {
        Ok((bytes, etag)) => {
            let state = parse(&key, &bytes, LIMIT).map_err(|error| TickError::Invalid {
                application: name.clone(),
                problems: vec![error.problem()],
            })?;
            Ok((state, Some(etag)))
        }
        Err(StoreError::NotFound { .. }) => Ok((State::new(name.clone(), now), None)),
        Err(source) => Err(TickError::Store {
            application: name.clone(),
            source,
        }),
    }
}

/// Reads the segments of the archive that this tick opens.
async fn archive(
    ports: &Ports,
    name: &ApplicationName,
    state: &State,
    requests: &[Request],
    now: Timestamp,
) -> Result<Vec<OpenedSegment>, StoreError> {
    let reads = wanted(state, requests, now).into_iter().map(|id| async move {
        let key = segment_key(name, &id);
        let bytes = match ports.state.get(&key).await {
            Ok((bytes, _)) => Some(bytes),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let whole = bytes.filter(|bytes| Sha256::of(bytes) == id);
        let segment = whole.and_then(|bytes| parse::<Segment>(&key, &bytes, LIMIT).ok());
        if segment.is_none() {
            tracing::warn!(application = %name, %key, "a segment of the catalogue is missing; its recovery points are looked for in the vault");
        }
        let points = segment.map(|segment| segment.points);
        Ok(OpenedSegment { id, points })
    });
    try_join_all(reads).await
}

/// Replaces the state; returns whether it was still the one that was read. After a lost response the state is
/// read: an equal state counts as written, whichever coordinator wrote it.
async fn swap(
    ports: &Ports,
    name: &ApplicationName,
    bytes: Vec<u8>,
    etag: Option<&ETag>,
) -> Result<bool, StoreError> {
    let key = state_key(name);
    let written = match etag {
        Some(etag) => ports.state.replace(&key, etag, bytes.clone().into()).await,
        None => ports.state.put_new(&key, bytes.clone().into()).await,
    };
    match written {
        Ok(_) => Ok(true),
        Err(StoreError::Changed { .. } | StoreError::Exists { .. }) => {
            let (found, _) = ports.state.get(&key).await?;
            Ok(found == bytes)
        }
        Err(error) => Err(error),
    }
}
