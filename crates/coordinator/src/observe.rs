//! Reads the inventory: the contents of the buckets, as far as the state needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select, try_join_all};
use futures::{join, try_join};
use lifeboat_format::{Sha256, VerifyingKey};
use lifeboat_model::environment::{delegate_key, environment_key};
use lifeboat_model::request::Request;
use lifeboat_model::{
    Application, ApplicationName, Code, DelegateRegistration, Diagnostic as _, EnvironmentId,
    EnvironmentRegistration, JobId, ObjectKey, Problem, RecoveryPointId,
};
use serde::de::DeserializeOwned;

use super::ports::Ports;
use super::state::State;
use super::{ActionOutcome, Inventory, Registered, VaultView};
use lifeboat_jobs::claim::view;
use lifeboat_jobs::read::{DocumentError, SMALL, parse};
use lifeboat_jobs::{JobView, Refused};
use lifeboat_recovery_point::layout::points_prefix;
use lifeboat_recovery_point::point::{PointError, RecoveryPoint};
use lifeboat_store::ports::{ObjectStore, StoreError};
use lifeboat_store::prefix::CAPTURES;

/// The input of a tick, known before the buckets are read.
pub struct TickInput<'a> {
    /// The application.
    pub application: &'a Application,
    /// The digest of its document.
    pub document: Sha256,
    /// The state.
    pub state: &'a State,
    /// The results of this process's actions since its last decision.
    pub performed: Vec<ActionOutcome>,
    /// The users' requests.
    pub requests: Vec<Request>,
}

/// How long the scratch bucket of an environment may take to be read. An answer from another continent takes well
/// under a second, and a user waits for the response to a request.
const ENVIRONMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the inventory. An environment whose scratch bucket cannot be read in time is unavailable; all others are read
/// nevertheless, so that an impaired Region does not stop restores in another one.
///
/// # Errors
/// If the vault fails: nothing can be decided without it.
pub async fn observe(ports: &Ports, known: TickInput<'_>) -> Result<Inventory, StoreError> {
    let TickInput {
        application,
        document,
        state,
        performed,
        requests,
    } = known;
    let environments: BTreeSet<&EnvironmentId> = [&application.primary, &application.recovery]
        .into_iter()
        .chain(state.jobs().map(|entry| &entry.environment))
        .collect();
    let reads = environments.into_iter().map(|environment| async move {
        (
            environment,
            within(ports, read(ports, application, environment, state)).await,
        )
    });
    // The requests run concurrently because buckets may be in distant Regions.
    let (environments, vault) = join!(join_all(reads), vault(ports, &application.name, state));
    let mut random = [0; 8];
    ports.ids.random(&mut random);
    let mut inventory = Inventory {
        application: application.clone(),
        document,
        random: u64::from_be_bytes(random),
        vault_place: ports.vault_place.clone(),
        primary: Registered::default(),
        recovery: Registered::default(),
        unavailable: BTreeMap::new(),
        jobs: BTreeMap::new(),
        captures: BTreeSet::new(),
        vault: vault?,
        performed,
        requests,
    };
    for (environment, read) in environments {
        match read {
            Ok(read) => {
                inventory.jobs.extend(read.jobs);
                if *environment == application.primary {
                    inventory.primary = read.registered.clone();
                    inventory.captures = read.captures;
                }
                if *environment == application.recovery {
                    inventory.recovery = read.registered;
                }
            }
            Err(problem) => {
                inventory.unavailable.insert(environment.clone(), problem);
            }
        }
    }
    Ok(inventory)
}

/// What the scratch bucket of an environment contains.
struct EnvironmentRead {
    registered: Registered,
    jobs: Vec<(JobId, JobView)>,
    captures: BTreeSet<RecoveryPointId>,
}

async fn read(
    ports: &Ports,
    application: &Application,
    environment: &EnvironmentId,
    state: &State,
) -> Result<EnvironmentRead, StoreError> {
    let store = ports.scratch(environment);
    let captures = format!("{CAPTURES}{}", points_prefix(&application.name));
    let jobs = state.jobs().filter(|entry| entry.environment == *environment);
    let jobs = jobs.map(|entry| async {
        let view = view(store.as_ref(), &entry.job).await?;
        Ok::<_, StoreError>((entry.job.clone(), view))
    });
    // Captures are in the primary environment only.
    let captures = async {
        match *environment == application.primary {
            true => folders(store.as_ref(), &captures).await,
            false => Ok(BTreeSet::new()),
        }
    };
    let (registered, jobs, captures) = try_join!(
        registered(store.as_ref(), application, environment),
        try_join_all(jobs),
        captures,
    )?;
    Ok(EnvironmentRead {
        registered,
        jobs,
        captures,
    })
}

/// Limits the time of a read.
async fn within<T>(ports: &Ports, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    let timeout = ports.timer.sleep(ENVIRONMENT_TIMEOUT);
    match select(pin!(read), timeout).await {
        Either::Left((Ok(read), _)) => Ok(read),
        Either::Left((Err(error), _)) => Err(error.problem()),
        Either::Right(_) => Err(Problem::of(
            Code::EnvironmentUnavailable,
            format!(
                "the scratch bucket did not answer within {} seconds",
                ENVIRONMENT_TIMEOUT.as_secs()
            ),
        )),
    }
}

async fn folders(store: &dyn ObjectStore, prefix: &str) -> Result<BTreeSet<RecoveryPointId>, StoreError> {
    let folders = store.list_folders(prefix).await?;
    Ok(folders
        .into_iter()
        .filter_map(|name| RecoveryPointId::parse(name).ok())
        .collect())
}

async fn registered(
    store: &dyn ObjectStore,
    application: &Application,
    environment: &EnvironmentId,
) -> Result<Registered, StoreError> {
    let mut registered = Registered::default();
    let (key, delegates_key) = (environment_key(), delegate_key(&application.name));
    let mut also_refused = Vec::new();
    let own = document(store, &key, &mut registered.refused);
    let delegate = document(store, &delegates_key, &mut also_refused);
    let (own, delegate): (Option<EnvironmentRegistration>, Option<DelegateRegistration>) =
        try_join!(own, delegate)?;
    registered.refused.append(&mut also_refused);
    registered.environment = own.filter(|found| found.environment == *environment);
    registered.delegate =
        delegate.filter(|found| found.environment == *environment && found.application == application.name);
    Ok(registered)
}

async fn document<T: DeserializeOwned>(
    store: &dyn ObjectStore,
    key: &ObjectKey,
    refused: &mut Vec<Refused>,
) -> Result<Option<T>, StoreError> {
    let read = async {
        // The size is checked first: a writer to that bucket must not exhaust the memory shared by all
        // applications.
        let size = store.head(key).await?.size;
        if size > SMALL as u64 {
            return Ok(Err(DocumentError::Oversized {
                key: key.to_string(),
                bytes: usize::try_from(size).unwrap_or(usize::MAX),
                limit: SMALL,
            }));
        }
        let (bytes, _) = store.get(key).await?;
        Ok(parse(key, &bytes, SMALL))
    };
    match read.await {
        Ok(Ok(document)) => Ok(Some(document)),
        Ok(Err(error)) => {
            refused.push(Refused {
                key: key.clone(),
                problem: error.problem(),
            });
            Ok(None)
        }
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists the folders of the vault. Only those that the catalogue does not contain are read.
async fn vault(
    ports: &Ports,
    application: &ApplicationName,
    state: &State,
) -> Result<BTreeMap<RecoveryPointId, VaultView>, StoreError> {
    let pinned = state.pins.signing_key.as_ref();
    let pinned = pinned.and_then(|pin| VerifyingKey::from_pem(&pin.public_key).ok());
    let mut views = BTreeMap::new();
    for point in folders(ports.vault.as_ref(), &points_prefix(application)).await? {
        let known = state.points.contains_key(&point) || state.expiring.contains(&point);
        let seen = match (&pinned, known) {
            (Some(key), false) => unknown(&ports.vault, application, &point, key).await?,
            (_, true) | (None, _) => VaultView::Known,
        };
        views.insert(point, seen);
    }
    Ok(views)
}

async fn unknown(
    vault: &Arc<dyn ObjectStore>,
    application: &ApplicationName,
    point: &RecoveryPointId,
    key: &VerifyingKey,
) -> Result<VaultView, StoreError> {
    match RecoveryPoint::open(Arc::clone(vault), application, point, key).await {
        Ok(opened) => Ok(VaultView::Signed(Box::new(opened.summary()))),
        Err(PointError::NotFound { .. }) => Ok(VaultView::Unfinished),
        Err(PointError::Store { source }) => Err(source),
        Err(error) => Ok(VaultView::Refused(error.problem())),
    }
}

/// Returns the problem of an invalid document in the state bucket.
pub(super) fn invalid(what: impl std::fmt::Display) -> Problem {
    Problem::new(
        Code::ApplicationInvalid,
        what.to_string(),
        "run `lifeboat application put` again",
    )
}
