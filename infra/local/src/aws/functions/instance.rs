//! One execution environment of a function: its folder and its process, which handles one event at a time.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::environment::Settings;
use super::memory::{self, Memory};
use super::runtime_api::{Event, RuntimeApi};
use super::vpc::{self, Network, Vpc};
use crate::aws::arn;
use crate::aws::credentials::{Credentials, now};
use crate::aws::gateway::custom_resource::EventRouting;
use crate::aws::gateway::wire::{Body, answer, element};
use crate::aws::gateway::{Gateway, sts};
use crate::aws::supervise::Supervised;

/// Lambda's time limit for initialization; an initialization that takes longer continues within the
/// timeout of the event.
const INIT_DEADLINE: Duration = Duration::from_secs(10);
/// The interval of the memory checks. A function that writes memory as fast as it can exceeds its
/// limit by some ten MiB in that time.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(super) struct Instance {
    gateway: Arc<Gateway>,
    settings: Settings,
    function_arn: String,
    folder: PathBuf,
    port: OnceLock<u16>,
    /// Held while an event is handled.
    turn: tokio::sync::Mutex<Option<RuntimeApi>>,
    process: Mutex<Option<Supervised>>,
    /// The network of the process, if the function is attached to a VPC.
    vpc: Mutex<Option<Vpc>>,
    server: Mutex<Option<JoinHandle<()>>>,
}

/// The reason why there is no response from the function itself.
enum Failure {
    Timeout,
    OutOfMemory,
    Ended(Option<i32>),
    Start(String),
    Init(Bytes),
}

impl Instance {
    /// Creates the folders, and looks up the identity of the function's credentials in STS.
    pub(super) async fn create(
        gateway: &Arc<Gateway>,
        folder: &Path,
        handed: std::collections::BTreeMap<String, String>,
        alias: &str,
    ) -> Result<Arc<Self>, std::io::Error> {
        let (task, temporary) = (folder.join("task"), folder.join("tmp"));
        std::fs::create_dir_all(&task)?;
        std::fs::create_dir_all(&temporary)?;
        let own_address = format!("http://{}", gateway.address());
        let settings = Settings::new(handed, alias, &own_address, &task, &temporary);
        let memory = gateway.stacks.memory(&settings.region, &settings.function);
        let settings = settings.with_memory(memory);
        let text = |name: &str| settings.environment.get(name).cloned();
        let mut account = String::new();
        if let (Some(access_key_id), Some(secret_access_key)) =
            (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY"))
        {
            let credentials = Credentials {
                access_key_id,
                secret_access_key,
                session_token: text("AWS_SESSION_TOKEN"),
            };
            let caller = who_is(gateway, &credentials, &settings.region).await;
            if let Some(caller) = caller {
                gateway.identities.learn(&credentials.access_key_id, &caller);
                arn::account(&caller).clone_into(&mut account);
            }
        }
        let function_arn = format!(
            "arn:aws:lambda:{}:{account}:function:{}",
            settings.region, settings.function
        );
        Ok(Arc::new(Self {
            gateway: gateway.clone(),
            settings,
            function_arn,
            folder: folder.to_owned(),
            port: OnceLock::new(),
            turn: tokio::sync::Mutex::new(None),
            process: Mutex::default(),
            vpc: Mutex::default(),
            server: Mutex::default(),
        }))
    }

    /// Starts the process and accepts invocations from fakecloud.
    pub(super) async fn start(self: &Arc<Self>) -> Result<(), std::io::Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let _ = self.port.set(listener.local_addr()?.port());
        let instance = self.clone();
        let server = tokio::spawn(async move { instance.serve(listener).await });
        *lock(&self.server) = Some(server);
        let mut turn = self.turn.lock().await;
        // A failed start is reported to the first event, as in Lambda.
        if let Err(error) = self.launch(&mut turn).await {
            self.say(&format!("INIT_REPORT Status: error: {error}"));
        }
        Ok(())
    }

    pub(super) fn function(&self) -> &str {
        &self.settings.function
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn task(&self) -> PathBuf {
        self.folder.join("task")
    }

    pub(super) fn port(&self) -> u16 {
        self.port.get().copied().unwrap_or(0)
    }

    pub(super) fn log(&self) -> String {
        std::fs::read(self.folder.join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Kills the process.
    pub(super) fn kill(&self) {
        drop(lock(&self.process).take());
        drop(lock(&self.vpc).take());
    }

    /// Ends the environment.
    pub(super) async fn end(&self) {
        if let Some(server) = lock(&self.server).take() {
            server.abort();
        }
        self.kill();
        *self.turn.lock().await = None;
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let instance = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let instance = instance.clone();
                    async move { Ok::<_, Infallible>(instance.answer(request).await) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let body = match request.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return answer(StatusCode::BAD_REQUEST, "text/plain", error.to_string()),
        };
        // The invocation continues if the caller disconnects.
        let worked = tokio::spawn(async move { self.work(body).await });
        match worked.await {
            Ok(body) => {
                let text = String::from_utf8_lossy(&body).into_owned();
                answer(StatusCode::OK, "application/json", text)
            }
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        }
    }

    /// Handles one event from its arrival to its response, and writes the log lines of Lambda.
    async fn work(&self, body: Bytes) -> Bytes {
        let mut turn = self.turn.lock().await;
        let id = request_id();
        let own_address = format!("http://{}", self.gateway.address());
        let passed = self.gateway.custom_resources.pass(&body, &own_address);
        let (resource, body) = match passed {
            EventRouting::AsItIs => (None, body),
            EventRouting::Completed { id, event } => (Some(id), event.into()),
            EventRouting::Kept => return Bytes::from_static(b"null"),
        };
        self.say(&format!(
            "START RequestId: {id} Version: {}",
            self.settings.version
        ));
        let began = Instant::now();
        let mut peak = Memory::default();
        let outcome = self.try_work(&mut turn, &id, body, &mut peak).await;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => {
                // After any failure the next event gets a new process.
                self.kill();
                *turn = None;
                self.explain(&id, failure)
            }
        };
        self.say(&format!("END RequestId: {id}"));
        self.say(&format!(
            "REPORT RequestId: {id}\tDuration: {took:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\tMax Memory Used: {} MB",
            took.ceil(),
            self.settings.memory_mib,
            peak.peak_mib(),
        ));
        match resource.and_then(|resource| self.gateway.custom_resources.failure(&resource)) {
            Some(failure) => failure.into(),
            None => reply,
        }
    }

    async fn try_work(
        &self,
        turn: &mut Option<RuntimeApi>,
        id: &str,
        body: Bytes,
        peak: &mut Memory,
    ) -> Result<Bytes, Failure> {
        let failed = |error: std::io::Error| Failure::Start(error.to_string());
        let is_gone = turn.is_none() || self.ended().is_some();
        if is_gone || self.has_moved().await.map_err(failed)? {
            self.launch(turn).await.map_err(failed)?;
        }
        let Some(api) = turn.as_ref() else {
            return Err(Failure::Start("the process is gone".into()));
        };
        let mut ready = api.ready.clone();
        let started = ready.wait_for(|ready| *ready);
        let init_deadline = INIT_DEADLINE + self.settings.timeout;
        match self.watch(started, init_deadline, peak).await {
            Ok(_) => {}
            Err(Failure::Ended(status)) => {
                return Err(api.init_error().map_or(Failure::Ended(status), Failure::Init));
            }
            Err(failure) => return Err(failure),
        }
        let deadline = now() + self.settings.timeout;
        let deadline_ms = deadline
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |duration| duration.as_millis());
        let reply = api
            .hand_out(Event {
                id: id.to_owned(),
                deadline_ms: u64::try_from(deadline_ms).unwrap_or(u64::MAX),
                function_arn: self.function_arn.clone(),
                body,
            })
            .await;
        let reply = self.watch(reply, self.settings.timeout, peak).await?;
        // Between two checks, memory above the limit is found by its peak.
        self.look(peak)?;
        reply.map_err(|_| Failure::Ended(None))
    }

    /// Waits for a future while the process runs, stays below its memory limit and within the time limit.
    async fn watch<T>(
        &self,
        wanted: impl Future<Output = T>,
        limit: Duration,
        peak: &mut Memory,
    ) -> Result<T, Failure> {
        let mut wanted = std::pin::pin!(wanted);
        let deadline = tokio::time::Instant::now() + limit;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                biased;
                found = &mut wanted => return Ok(found),
                _ = looks.tick() => {
                    self.look(peak)?;
                    if tokio::time::Instant::now() >= deadline {
                        return Err(Failure::Timeout);
                    }
                }
            }
        }
    }

    fn look(&self, peak: &mut Memory) -> Result<(), Failure> {
        if let Some(status) = self.ended() {
            return Err(Failure::Ended(status));
        }
        let process = lock(&self.process).as_ref().and_then(Supervised::program_id);
        if let Some(memory) = process.and_then(memory::of) {
            peak.peak_kib = peak.peak_kib.max(memory.peak_kib).max(memory.now_kib);
            if memory.exceeds(self.settings.memory_mib) {
                return Err(Failure::OutOfMemory);
            }
        }
        Ok(())
    }

    fn ended(&self) -> Option<Option<i32>> {
        match lock(&self.process).as_mut() {
            Some(process) => process.ended(),
            None => Some(None),
        }
    }

    async fn launch(&self, turn: &mut Option<RuntimeApi>) -> Result<(), std::io::Error> {
        self.kill();
        let api = RuntimeApi::start().await?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let mut environment = self.settings.environment.clone();
        environment.insert(
            "AWS_LAMBDA_RUNTIME_API".to_owned(),
            format!("127.0.0.1:{}", api.port),
        );
        let task = self.task();
        let bootstrap = task.join("bootstrap");
        let network = self.network().await?;
        let vpc = match network {
            Some(network) => {
                let region = &self.settings.region;
                environment.insert(
                    "AWS_ENDPOINT_URL_S3".to_owned(),
                    vpc::s3_endpoint(&self.gateway, region),
                );
                let runtime_api = (Ipv4Addr::LOCALHOST, api.port).into();
                Some(Vpc::open(
                    &self.folder,
                    &self.gateway,
                    region,
                    network,
                    runtime_api,
                )?)
            }
            None => None,
        };
        let (program, arguments) = match &vpc {
            Some(vpc) => vpc.command(&bootstrap),
            None => (bootstrap, Vec::new()),
        };
        *lock(&self.vpc) = vpc;
        let process = Supervised::start(&program, &arguments, environment, &task, &self.folder, &log)?;
        *lock(&self.process) = Some(process);
        *turn = Some(api);
        Ok(())
    }

    /// Reads the network of the function, if it is attached to a VPC.
    async fn network(&self) -> Result<Option<Network>, std::io::Error> {
        let account = arn::account(&self.function_arn);
        vpc::network_of(
            &self.gateway,
            account,
            &self.settings.region,
            &self.settings.function,
        )
        .await
        .map_err(std::io::Error::other)
    }

    /// Returns whether the process runs in another network than EC2 says now. On AWS the network of a running process
    /// changes.
    async fn has_moved(&self) -> Result<bool, std::io::Error> {
        let opened = lock(&self.vpc).as_ref().map(|vpc| vpc.network().clone());
        match opened {
            Some(opened) => Ok(self.network().await? != Some(opened)),
            None => Ok(false),
        }
    }

    /// Returns the response of Lambda to a failure, and writes it to the log.
    fn explain(&self, id: &str, failure: Failure) -> Bytes {
        let (kind, message) = match failure {
            Failure::Timeout => {
                let seconds = self.settings.timeout.as_secs_f64();
                self.say(&format!("{id} Task timed out after {seconds:.2} seconds"));
                (
                    "Sandbox.Timedout",
                    format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds"),
                )
            }
            Failure::OutOfMemory => (
                "Runtime.OutOfMemory",
                format!("RequestId: {id} Error: Runtime exited with error: signal: killed"),
            ),
            Failure::Ended(status) => {
                let how = match status {
                    Some(0) => "Runtime exited without providing a reason".to_owned(),
                    Some(status @ 129..) => {
                        format!("Runtime exited with error: signal: {}", status - 128)
                    }
                    Some(status) => format!("Runtime exited with error: exit status {status}"),
                    None => "Runtime exited with error: signal: killed".to_owned(),
                };
                ("Runtime.ExitError", format!("RequestId: {id} Error: {how}"))
            }
            Failure::Start(message) => ("Runtime.InvalidEntrypoint", message),
            Failure::Init(body) => return body,
        };
        let error = json!({ "errorType": kind, "errorMessage": message }).to_string();
        self.say(&error);
        error.into()
    }

    fn say(&self, line: &str) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"));
        if let Ok(mut log) = log {
            // A failure to write the log does not fail the event.
            let _ = writeln!(log, "{line}");
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn who_is(gateway: &Gateway, credentials: &Credentials, region: &str) -> Option<String> {
    let request = Request::post("/").header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let answer = gateway
        .upstream
        .ask_as(credentials, "sts", region, request, form)
        .await
        .ok()?;
    let answer = sts::identify(&gateway.upstream, region, answer).await.ok()?;
    element(&answer.text(), "Arn").map(str::to_owned)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

/// Returns a random UUID, the format of Lambda's request ids.
fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness the id is all zeros, which only makes logs harder to read.
    let _ = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
