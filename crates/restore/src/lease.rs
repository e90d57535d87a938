//! One restore at a time per target: the Lease `kube-system/lifeboat-restore`.
//!
//! The Lease has two purposes. It excludes a second restore. And its `creationTimestamp` is the start of the
//! run on the API server's clock: younger objects were created by the run, also after the run was interrupted
//! and continued.
//!
//! A holder that cannot renew the Lease stops before another process may take it, as in client-go's leader election:
//! the renewal deadline is shorter than the duration of the Lease.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::Method;
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use lifeboat_store::ports::Clock;
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::holder::LeaseHolder;
use super::wire::{self, JSON, MERGE_PATCH, text};
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_system::sleep;

mod end;
mod interrupted;
mod record;
#[cfg(test)]
mod tests;

pub use end::LeaseEnd;
pub use record::RunRecord;

/// The namespace of the Lease; every cluster has it.
pub const LEASE_NAMESPACE: &str = "kube-system";
/// The name of the Lease.
pub const LEASE_NAME: &str = "lifeboat-restore";

const COLLECTION: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/lifeboat-restore";

/// The time in seconds without a renewal after which a holder counts as dead: twice that of leader election in
/// Kubernetes (`LeaseDuration` of its controllers). A restore is the heaviest client of its API server, and one that
/// stops has to survey the target again, whereas a dead holder is waited for only once.
const DURATION_SECONDS: u32 = 30;

/// When a holder renews the Lease, and when it gives up.
#[derive(Debug, Clone, Copy)]
struct Renewal {
    /// The pause between two renewals, and before a failed one is tried again.
    every: Duration,
    /// The time since the last renewal after which nothing may be written any more.
    deadline: Duration,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            // `RetryPeriod` of the controllers of Kubernetes, and twice their `RenewDeadline`. The deadline leaves ten
            // seconds of the Lease's duration for requests that the API server is still processing.
            every: Duration::from_secs(2),
            deadline: Duration::from_secs(20),
        }
    }
}

/// The interval between reads of another holder's Lease while waiting for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The number of attempts when other writers change the Lease at the same moment.
const RACES: usize = 8;

/// The Lease of the target could not be acquired or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another live process restores into the target.
    #[error("acquire the target: {holder} is restoring into it since {since}")]
    Busy {
        /// The holder as the Lease names it.
        holder: String,
        /// When it acquired the Lease.
        since: String,
    },
    /// A request to the API server failed.
    #[error("acquire the Lease {LEASE_NAMESPACE}/{LEASE_NAME} of the target")]
    Api(#[from] ApiError),
    /// The Lease was not written by Lifeboat.
    #[error("read the Lease {LEASE_NAMESPACE}/{LEASE_NAME}: {why}")]
    Malformed {
        /// What is wrong with the Lease.
        why: &'static str,
    },
}

impl Diagnostic for LeaseError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy { .. } => ErrorKind::Conflict,
            Self::Malformed { .. } => ErrorKind::Invalid,
            Self::Api(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Busy { .. } | Self::Malformed { .. } => Code::TargetBusy,
            Self::Api(error) => error.code(),
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Busy { .. } => format!(
                "wait until the other restore ends, or stop it; if it no longer runs, run `kubectl -n {LEASE_NAMESPACE} delete lease {LEASE_NAME}`"
            ),
            Self::Malformed { .. } => format!(
                "inspect it with `kubectl -n {LEASE_NAMESPACE} get lease {LEASE_NAME} -o yaml` and delete it if no restore is running"
            ),
            Self::Api(error) => error.guidance(),
        }
    }
}

/// The request for the Lease of a target.
pub struct LeaseRequest {
    /// The requesting process.
    pub holder: LeaseHolder,
    /// A previous holder that is known to have ended.
    pub ended: Option<LeaseHolder>,
    /// A digest of the plan's inputs (recovery point, cluster, options): an interrupted run is only continued
    /// with the same inputs.
    pub inputs: String,
    /// The clock for the informational timestamps. No decision depends on it.
    pub clock: Arc<dyn Clock>,
}

/// The held Lease of a target. Renewed in the background until it is released or dropped.
pub struct Lease {
    held: Arc<Held>,
    renewal: JoinHandle<()>,
    record: RunRecord,
    taken: Instant,
}

struct Held {
    api: Api,
    holder: LeaseHolder,
    inputs: String,
    clock: Arc<dyn Clock>,
    uid: String,
    /// The admission webhook that refused the last renewal.
    refused_by: std::sync::Mutex<Option<String>>,
    times: Renewal,
    /// The resourceVersion that the next write expects.
    version: Mutex<String>,
    /// When the request of the last successful renewal was sent.
    renewed: std::sync::Mutex<Instant>,
    end: watch::Sender<Option<LeaseEnd>>,
}

impl Lease {
    /// Acquires the target: creates the Lease, or takes it from a dead holder.
    ///
    /// # Errors
    /// [`LeaseError::Busy`] if the holder is alive.
    pub async fn acquire(api: &Api, request: LeaseRequest) -> Result<Self, LeaseError> {
        Self::acquire_with(api, request, Renewal::default()).await
    }

    async fn acquire_with(api: &Api, request: LeaseRequest, times: Renewal) -> Result<Self, LeaseError> {
        for _ in 0..RACES {
            let mut asked = Instant::now();
            let (lease, resumed) = match wire::read(api, PATH).await? {
                None => match create_or_continue(api, &request).await? {
                    Some(lease) => (lease, false),
                    None => continue,
                },
                Some(found) => match take_over(api, &request, found, &mut asked).await? {
                    Some(taken) => taken,
                    None => continue,
                },
            };
            let record = RunRecord::read(&lease, resumed).ok_or(LeaseError::Malformed {
                why: "its creationTimestamp is not a UTC time in whole seconds",
            })?;
            let held = Arc::new(Held {
                api: api.clone(),
                holder: request.holder,
                inputs: request.inputs,
                clock: request.clock,
                refused_by: std::sync::Mutex::default(),
                uid: text(&lease, "/metadata/uid").to_owned(),
                times,
                version: Mutex::new(text(&lease, "/metadata/resourceVersion").to_owned()),
                renewed: std::sync::Mutex::new(asked),
                end: watch::Sender::new(None),
            });
            let renewal = tokio::spawn(keep(Arc::clone(&held)));
            return Ok(Self {
                held,
                renewal,
                record,
                taken: Instant::now(),
            });
        }
        Err(LeaseError::Busy {
            holder: "a client that acquires and releases it repeatedly".to_owned(),
            since: "now".to_owned(),
        })
    }

    /// Returns the record of the run.
    #[must_use]
    pub fn run(&self) -> &RunRecord {
        &self.record
    }

    /// Returns whether the Lease is lost. Then nothing may be written any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.end().is_some()
    }

    /// Returns why the Lease is lost, if it is. A renewal deadline that has passed counts at once.
    #[must_use]
    pub fn end(&self) -> Option<LeaseEnd> {
        let end = self.held.end.borrow().clone();
        end.or_else(|| {
            let deadline = self.held.times.deadline;
            (self.held.renewed().elapsed() >= deadline).then(|| self.held.not_renewed())
        })
    }

    /// Waits until the Lease is lost.
    pub async fn lost(&self) -> LeaseEnd {
        let mut end = self.held.end.subscribe();
        match end
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|end| end.clone())
        {
            Some(end) => end,
            // The sender lives as long as this Lease, and only `Some` ends the wait.
            None => std::future::pending().await,
        }
    }

    /// Renews the Lease now if it was not renewed for a while: planning many objects takes the thread that renews.
    /// The write fails if another process took the Lease in the meantime.
    ///
    /// # Errors
    /// Why the Lease is lost.
    pub async fn confirm(&self) -> Result<(), LeaseEnd> {
        if self.held.renewed().elapsed() > self.held.times.every * 2 {
            self.held.renew().await?;
        }
        match self.end() {
            Some(end) => Err(end),
            None => Ok(()),
        }
    }

    /// Waits until every object created from now on has a later `creationTimestamp` than the Lease. The
    /// timestamps have a resolution of one second, so that an object created just before the run, in the same
    /// second, could not be distinguished from one created by the run. Usually the second has passed while
    /// the plan was made.
    pub async fn wait_for_clock_tick(&self) {
        if !self.record.resumed {
            sleep((self.taken + Duration::from_secs(1)).saturating_duration_since(Instant::now())).await;
        }
    }

    /// Releases the target in the middle of the run: a record of the run stays, and the same command continues it. If
    /// the record cannot be written, the Lease stays and does the same.
    ///
    /// # Errors
    /// The API server's error. The Lease then stays.
    pub async fn interrupt(self) -> Result<(), LeaseError> {
        self.renewal.abort();
        interrupted::write(&self.held.api, &self.record, &self.held.inputs).await?;
        self.release().await
    }

    /// Releases the target for a process that gave up while it acquired the Lease.
    ///
    /// # Errors
    /// The API server's error.
    pub async fn release_of(api: &Api, holder: &LeaseHolder) -> Result<(), LeaseError> {
        let Some(found) = wire::read(api, PATH).await? else {
            return Ok(());
        };
        if text(&found, "/spec/holderIdentity") == holder.to_string() {
            let transitions = found.pointer("/spec/leaseTransitions").and_then(Value::as_u64);
            if let Some(run) = RunRecord::read(&found, transitions.unwrap_or(0) > 0).filter(|run| run.resumed)
            {
                interrupted::write(api, &run, record::inputs(&found)).await?;
            }
            let version = text(&found, "/metadata/resourceVersion");
            wire::delete(api, PATH, text(&found, "/metadata/uid"), Some(version)).await?;
        }
        Ok(())
    }

    /// Releases the target: the run is over, and the same command starts a new one. A Lease that another process
    /// holds by now is left to it.
    ///
    /// # Errors
    /// The API server's error. The Lease then stays, and the same command finds a finished run.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.renewal.abort();
        let mut version = self.held.version.lock().await;
        for _ in 0..RACES {
            match wire::delete(&self.held.api, PATH, &self.held.uid, Some(&version)).await {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    let found = wire::read(&self.held.api, PATH).await?;
                    match found.filter(|found| self.held.is_ours(found)) {
                        Some(found) => text(&found, "/metadata/resourceVersion").clone_into(&mut version),
                        None => return Ok(()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Why one renewal failed.
enum NotWritten {
    Lost(LeaseEnd),
    Api(ApiError),
}

impl From<ApiError> for NotWritten {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl Held {
    fn renewed(&self) -> Instant {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_renewed(&self) -> LeaseEnd {
        let webhook = self.refused_by.lock().unwrap_or_else(PoisonError::into_inner);
        LeaseEnd::NotRenewed {
            deadline: self.times.deadline,
            webhook: webhook.clone(),
        }
    }

    fn is_ours(&self, lease: &Value) -> bool {
        text(lease, "/spec/holderIdentity") == self.holder.to_string()
            && text(lease, "/metadata/uid") == self.uid
    }

    /// Renews the Lease, with repeated attempts until the renewal deadline. A process that was suspended beyond the
    /// deadline gets one more attempt: it succeeds only if nobody else took the Lease.
    async fn renew(&self) -> Result<(), LeaseEnd> {
        let Renewal { every, deadline } = self.times;
        let until = (self.renewed() + deadline).max(Instant::now() + every);
        loop {
            let asked = Instant::now();
            // A request that hangs, as on a connection that is gone, must not take all of the time (client-go gives it
            // half of the deadline, too).
            match tokio::time::timeout_at(until.min(asked + deadline / 2), self.write()).await {
                Ok(Ok(())) => {
                    *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
                    return Ok(());
                }
                Ok(Err(NotWritten::Lost(end))) => return Err(end),
                Ok(Err(NotWritten::Api(error))) => {
                    let webhook = error.refusal().and_then(|refusal| refusal.webhook());
                    *self.refused_by.lock().unwrap_or_else(PoisonError::into_inner) =
                        webhook.map(str::to_owned);
                    tracing::warn!(%error, "the Lease of the target was not renewed");
                }
                Err(_) => tracing::warn!("the renewal of the Lease of the target is not answered"),
            }
            if Instant::now() + every >= until {
                sleep(until.saturating_duration_since(Instant::now())).await;
                return Err(self.not_renewed());
            }
            sleep(every).await;
        }
    }

    /// Writes one renewal, if this process holds the Lease.
    async fn write(&self) -> Result<(), NotWritten> {
        let mut version = self.version.lock().await;
        loop {
            let patch = json!({
                "metadata": { "resourceVersion": version.as_str() },
                "spec": { "renewTime": now(&*self.clock) },
            });
            let path = format!("{PATH}?fieldManager={}", wire::MANAGER);
            match wire::send_again(&self.api, Method::PATCH, &path, MERGE_PATCH, &patch).await {
                Ok(answer) => {
                    let lease: Value = answer.json()?;
                    text(&lease, "/metadata/resourceVersion").clone_into(&mut version);
                    return Ok(());
                }
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {
                    // A conflict is either this process's own write whose response was lost, or another
                    // holder's write.
                    match wire::read(&self.api, PATH).await? {
                        None => return Err(NotWritten::Lost(LeaseEnd::Deleted)),
                        Some(found) if self.is_ours(&found) => {
                            text(&found, "/metadata/resourceVersion").clone_into(&mut version);
                        }
                        Some(found) => {
                            let holder = text(&found, "/spec/holderIdentity").to_owned();
                            return Err(NotWritten::Lost(LeaseEnd::Taken { holder }));
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Renews until the Lease is lost or the task is ended.
async fn keep(held: Arc<Held>) {
    loop {
        sleep(held.times.every).await;
        if let Err(end) = held.renew().await {
            tracing::warn!(error = %end, "the Lease of the target is lost");
            held.end.send_replace(Some(end));
            return;
        }
    }
}

fn now(clock: &dyn Clock) -> String {
    // `MicroTime` requires exactly six digits after the decimal point.
    format!("{:.6}", clock.now())
}

/// Returns the Lease for this request.
fn wanted(request: &LeaseRequest, transitions: u64) -> Value {
    let now = now(&*request.clock);
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": LEASE_NAME,
            "namespace": LEASE_NAMESPACE,
            "annotations": { record::INPUTS: request.inputs },
        },
        "spec": {
            "holderIdentity": request.holder.to_string(),
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
    })
}

/// Creates the Lease, for a new run or for one that was interrupted. Returns `None` if it exists.
async fn create_or_continue(api: &Api, request: &LeaseRequest) -> Result<Option<Value>, LeaseError> {
    let earlier = interrupted::InterruptedRun::find(api).await?;
    let mut lease = wanted(request, 0);
    if let Some(started) = earlier.as_ref().and_then(|run| run.started(&request.inputs)) {
        interrupted::annotate(&mut lease, started);
    }
    let created = create(api, &lease).await?;
    if let (Some(_), Some(earlier)) = (&created, &earlier) {
        earlier.delete(api).await?;
    }
    Ok(created)
}

/// Creates the Lease. Returns `None` if it exists: another process was faster, or the response to the first
/// attempt was lost. A read shows which.
async fn create(api: &Api, lease: &Value) -> Result<Option<Value>, LeaseError> {
    let path = format!("{COLLECTION}?fieldManager={}", wire::MANAGER);
    match wire::send_again(api, Method::POST, &path, JSON, lease).await {
        Ok(answer) => Ok(Some(answer.json()?)),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes an existing Lease, and sets `asked` to the time of the request. Returns `None` if it changed concurrently.
async fn take_over(
    api: &Api,
    request: &LeaseRequest,
    found: Value,
    asked: &mut Instant,
) -> Result<Option<(Value, bool)>, LeaseError> {
    let identity = text(&found, "/spec/holderIdentity").to_owned();
    if identity == request.holder.to_string() {
        // A process has one run at a time, so that this is its own create whose response was lost.
        return Ok(Some((found, false)));
    }
    let busy = || LeaseError::Busy {
        holder: identity.clone(),
        since: text(&found, "/spec/acquireTime").to_owned(),
    };
    match identity.parse::<LeaseHolder>() {
        _ if identity.is_empty() => {}
        Ok(holder) if request.holder.knows_ended(&holder) || request.ended.as_ref() == Some(&holder) => {}
        Ok(holder) if holder.host == request.holder.host && request.holder.start != 0 => return Err(busy()),
        _ => {
            if !stays_silent(api, &found).await? {
                return Err(busy());
            }
        }
    }
    let uid = text(&found, "/metadata/uid");
    let version = text(&found, "/metadata/resourceVersion");
    if record::inputs(&found) != request.inputs {
        // The Lease is of another, unfinished restore. This run is a new one and needs a start of its own.
        return match wire::delete(api, PATH, uid, Some(version)).await {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error.into()),
        };
    }
    let transitions = found.pointer("/spec/leaseTransitions").and_then(Value::as_u64);
    let mut lease = found.clone();
    lease["spec"] = wanted(request, transitions.unwrap_or(0) + 1)["spec"].take();
    let path = format!("{PATH}?fieldManager={}", wire::MANAGER);
    *asked = Instant::now();
    match wire::send_again(api, Method::PUT, &path, JSON, &lease).await {
        Ok(answer) => Ok(Some((answer.json()?, true))),
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether the holder does not renew for the duration of the Lease, measured with the local clock:
/// clock differences and jumps have no effect (as in client-go's leader election).
async fn stays_silent(api: &Api, found: &Value) -> Result<bool, LeaseError> {
    let promised = found
        .pointer("/spec/leaseDurationSeconds")
        .and_then(Value::as_u64);
    let until = Instant::now() + Duration::from_secs(promised.unwrap_or(DURATION_SECONDS.into()).min(120));
    let version = text(found, "/metadata/resourceVersion");
    while Instant::now() < until {
        sleep(LOOK_EVERY).await;
        match wire::read(api, PATH).await? {
            Some(again) if text(&again, "/metadata/resourceVersion") != version => return Ok(false),
            Some(_) => {}
            None => return Ok(true),
        }
    }
    Ok(true)
}
