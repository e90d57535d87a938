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
    Application, ApplicationName, Arn, ClusterName, Code, DelegateId, DelegateRegistration, Diagnostic as _,
    EnvironmentId, EnvironmentRegistration, JobId, ObjectKey, Problem, RecoveryPointId,
};
use serde::de::DeserializeOwned;

use super::archive::OpenedSegment;
use super::catalogue::CAPTURES_AT_ONCE;
use super::inventory::ListedRange;
use super::ports::Ports;
use super::state::State;
use super::{ActionOutcome, Inventory, Registered, VaultView};
use lifeboat_jobs::folder::Folder;
use lifeboat_jobs::read::{DocumentError, SMALL, parse};
use lifeboat_jobs::{JobView, Refused, Trust};
use lifeboat_recovery_point::layout::points_prefix;
use lifeboat_recovery_point::point::{PointError, RecoveryPoint};
use lifeboat_store::listing::MAX_KEYS;
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
    /// The segments of the archive that were read.
    pub archive: Vec<OpenedSegment>,
    /// The results of this process's actions since its last decision.
    pub performed: Vec<ActionOutcome>,
    /// The users' requests.
    pub requests: Vec<Request>,
    /// See [`Inventory::user_waits`].
    pub user_waits: bool,
}

/// How long the scratch bucket of an environment may take to be read. An answer from another continent takes well
/// under a second, and a user waits for the response to a request.
const ENVIRONMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the listing of the vault may take.
const VAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of folders of the vault that the catalogue does not contain and that one look reads.
const UNKNOWN_AT_ONCE: usize = 16;

/// Reads the inventory. A bucket that cannot be read in time is unavailable; all others are read nevertheless, so that
/// an impaired Region does not stop restores in another one.
pub async fn observe(ports: &Ports, known: TickInput<'_>) -> Inventory {
    let TickInput {
        application,
        document,
        state,
        archive,
        performed,
        requests,
        user_waits,
    } = known;
    let environments: BTreeSet<&EnvironmentId> = [&application.primary, &application.recovery]
        .into_iter()
        .chain(state.jobs().map(|entry| &entry.environment))
        .collect();
    let reads = environments.into_iter().map(|environment| async move {
        (
            environment,
            within(
                ports,
                ENVIRONMENT_TIMEOUT,
                read(ports, application, environment, state, user_waits),
            )
            .await
            .map_err(|cause| unanswered(Code::EnvironmentUnavailable, cause)),
        )
    });
    // The requests run concurrently because buckets may be in distant Regions.
    let listed = ranges(state, &archive);
    let vault = within(
        ports,
        VAULT_TIMEOUT,
        vault(ports, &application.name, state, &archive, &listed),
    );
    let (environments, vault) = join!(join_all(reads), vault);
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
        vault: vault.map_err(|cause| unanswered(Code::VaultUnavailable, cause)),
        listed,
        archive,
        performed,
        requests,
        user_waits,
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
    inventory
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
    user_waits: bool,
) -> Result<EnvironmentRead, StoreError> {
    let store = ports.scratch(environment);
    let prefix = format!("{CAPTURES}{}", points_prefix(&application.name));
    let jobs = state.jobs().filter(|entry| entry.environment == *environment);
    let jobs = jobs.map(|entry| async {
        let folder = Folder {
            store: store.as_ref(),
            job: &entry.job,
            trust: Trust::Content,
            newest: Some(entry.epoch()),
        };
        let files = folder.files().await?;
        let mut view = folder.view(&files).await?;
        // Nobody else reads it, and nothing depends on it.
        if user_waits {
            view.doing = folder.progress(&files, &view).await.unwrap_or_default();
        }
        Ok::<_, StoreError>((entry.job.clone(), view))
    });
    // Captures are in the primary environment only.
    let captures = async {
        match *environment == application.primary {
            true => captured(store.as_ref(), &prefix, state, environment).await,
            false => Ok(BTreeSet::new()),
        }
    };
    let (registered, jobs, captures) = try_join!(
        registered(store.as_ref(), application, environment, state),
        try_join_all(jobs),
        captures,
    )?;
    Ok(EnvironmentRead {
        registered,
        jobs,
        captures,
    })
}

/// Why a bucket was not read.
enum Unread {
    Failed(StoreError),
    Late(Duration),
}

/// Limits the time of a read.
async fn within<T>(
    ports: &Ports,
    limit: Duration,
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Unread> {
    match select(pin!(read), ports.timer.sleep(limit)).await {
        Either::Left((read, _)) => read.map_err(Unread::Failed),
        Either::Right(_) => Err(Unread::Late(limit)),
    }
}

fn unanswered(code: Code, cause: Unread) -> Problem {
    match cause {
        Unread::Failed(error) => error.problem(),
        Unread::Late(limit) => Problem::of(
            code,
            format!("the bucket did not answer within {} seconds", limit.as_secs()),
        ),
    }
}

/// Returns the ranges of the vault to list: everything after the archive, and the opened segments with the gaps before
/// them.
fn ranges(state: &State, opened: &[OpenedSegment]) -> Vec<ListedRange> {
    let mut ranges = vec![ListedRange {
        after: state.archive.last().map(|record| record.last.clone()),
        upto: None,
    }];
    let mut after = None;
    for record in &state.archive {
        if opened.iter().any(|segment| segment.id == record.id) {
            ranges.push(ListedRange {
                after,
                upto: Some(record.last.clone()),
            });
        }
        after = Some(record.last.clone());
    }
    ranges
}

/// Lists the recovery points of a range.
async fn folders(
    store: &dyn ObjectStore,
    prefix: &str,
    range: &ListedRange,
) -> Result<BTreeSet<RecoveryPointId>, StoreError> {
    let mut points = BTreeSet::new();
    let mut after = range.after.as_ref().map(ToString::to_string);
    loop {
        let page = store
            .list_folders_after(prefix, after.as_deref(), MAX_KEYS)
            .await?;
        let is_last = page.len() < MAX_KEYS;
        after = page.last().cloned();
        for name in page {
            let Ok(point) = RecoveryPointId::parse(name) else {
                continue;
            };
            if range.upto.as_ref().is_some_and(|upto| point > *upto) {
                return Ok(points);
            }
            points.insert(point);
        }
        if is_last {
            return Ok(points);
        }
    }
}

/// Finds captures, not more than a few at a time: whoever writes folders beside them must not make the look long. Those
/// that the state knows are looked for by name.
async fn captured(
    store: &dyn ObjectStore,
    prefix: &str,
    state: &State,
    environment: &EnvironmentId,
) -> Result<BTreeSet<RecoveryPointId>, StoreError> {
    let mut found = BTreeSet::new();
    let mut after: Option<String> = None;
    for _ in 0..CAPTURES_AT_ONCE {
        let page = store.list(prefix, after.as_deref(), 1).await?;
        let Some(rest) = page
            .first()
            .and_then(|listed| listed.key.as_str().strip_prefix(prefix))
        else {
            return Ok(found);
        };
        // `0` follows `/`: the next key after those of the folder.
        after = Some(match rest.split_once('/') {
            Some((name, _)) => {
                found.extend(RecoveryPointId::parse(name).ok());
                format!("{prefix}{name}0")
            }
            None => format!("{prefix}{rest}"),
        });
    }
    let running = state.backup.iter().map(|run| (&run.point, &run.environment));
    let known = state.captures.iter().chain(running);
    for (point, _) in known.filter(|(_, of)| *of == environment).take(CAPTURES_AT_ONCE) {
        let is_there = !store
            .list(&format!("{prefix}{point}/"), None, 1)
            .await?
            .is_empty();
        if is_there {
            found.insert(point.clone());
        }
    }
    Ok(found)
}

/// Returns the names in EKS of the clusters of an environment that need a private delegate.
fn private_clusters<'s>(
    state: &'s State,
    environment: &'s EnvironmentId,
) -> impl Iterator<Item = ClusterName> + 's {
    let arns = state.private.keys().filter_map(|arn| Arn::parse(arn).ok());
    let here = arns.filter(|arn| arn.environment().as_ref() == Some(environment));
    here.filter_map(|arn| arn.cluster_name())
}

async fn registered(
    store: &dyn ObjectStore,
    application: &Application,
    environment: &EnvironmentId,
    state: &State,
) -> Result<Registered, StoreError> {
    let mut registered = Registered::default();
    let public = DelegateId::public(&application.name);
    let (key, delegates_key) = (environment_key(), delegate_key(&public));
    let mut also_refused = Vec::new();
    let own = document(store, &key, &mut registered.refused);
    let delegate = document(store, &delegates_key, &mut also_refused);
    let (own, delegate): (Option<EnvironmentRegistration>, Option<DelegateRegistration>) =
        try_join!(own, delegate)?;
    registered.refused.append(&mut also_refused);
    registered.environment = own.filter(|found| found.environment == *environment);
    registered.delegate = delegate.filter(|found| found.environment == *environment && found.id() == public);
    let private = private_clusters(state, environment).map(|cluster| async {
        let id = DelegateId::private(&application.name, &cluster);
        let mut refused = Vec::new();
        let found: Option<DelegateRegistration> = document(store, &delegate_key(&id), &mut refused).await?;
        let found = found.filter(|found| found.environment == *environment && found.id() == id);
        Ok::<_, StoreError>((cluster, found, refused))
    });
    for (cluster, found, refused) in try_join_all(private).await? {
        registered.refused.extend(refused);
        registered.private.extend(found.map(|found| (cluster, found)));
    }
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

/// Lists the folders of these ranges of the vault. Only those that the catalogue does not contain are read, a few at a time.
async fn vault(
    ports: &Ports,
    application: &ApplicationName,
    state: &State,
    archive: &[OpenedSegment],
    ranges: &[ListedRange],
) -> Result<BTreeMap<RecoveryPointId, VaultView>, StoreError> {
    let keys: Vec<VerifyingKey> = (state.pins.signing_keys())
        .filter_map(|pin| VerifyingKey::from_pem(&pin.public_key).ok())
        .collect();
    let running = state.backup.as_ref().map(|run| &run.point);
    let prefix = points_prefix(application);
    let listings = ranges
        .iter()
        .map(|range| folders(ports.vault.as_ref(), &prefix, range));
    let archived = |point: &RecoveryPointId| {
        let mut segments = archive.iter().filter_map(|segment| segment.points.as_ref());
        segments.any(|points| points.contains_key(point))
    };
    let (mut views, mut read) = (BTreeMap::new(), 0);
    for point in try_join_all(listings).await?.into_iter().flatten() {
        let known = state.points.contains_key(&point)
            || archived(&point)
            || state.expiring.contains(&point)
            || state.ignored.contains(&point)
            || keys.is_empty();
        let view = if Some(&point) == running {
            unknown(&ports.vault, application, &point, &keys).await?
        } else if known || read == UNKNOWN_AT_ONCE {
            VaultView::Known
        } else {
            read += 1;
            unknown(&ports.vault, application, &point, &keys).await?
        };
        views.insert(point, view);
    }
    Ok(views)
}

async fn unknown(
    vault: &Arc<dyn ObjectStore>,
    application: &ApplicationName,
    point: &RecoveryPointId,
    keys: &[VerifyingKey],
) -> Result<VaultView, StoreError> {
    let mut refused = None;
    for key in keys {
        match RecoveryPoint::open(Arc::clone(vault), application, point, key).await {
            Ok(opened) => {
                return Ok(VaultView::Signed {
                    summary: Box::new(opened.summary()),
                    signer: key.fingerprint().clone(),
                });
            }
            Err(PointError::NotFound { .. }) => return Ok(VaultView::Unfinished),
            Err(PointError::Store { source }) => return Err(source),
            // The reason for which the pinned key refuses it, which is the first one.
            Err(error) => drop(refused.get_or_insert_with(|| error.problem())),
        }
    }
    Ok(refused.map_or(VaultView::Known, VaultView::Refused))
}

/// Returns the problem of an invalid document in the state bucket.
pub(super) fn invalid(what: impl std::fmt::Display) -> Problem {
    Problem::new(
        Code::ApplicationInvalid,
        what.to_string(),
        "run `lifeboat application put` again",
    )
}
