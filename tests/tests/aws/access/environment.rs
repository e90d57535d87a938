//! EKS clusters, the roles of delegates, and an administrator with a shell. Coordinator and
//! delegates run in the test process, with buckets in memory, and use the real interfaces of EKS,
//! STS and the API servers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region as AwsRegion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::{SignedDuration, Timestamp};
use lifeboat_aws::AwsContext;
use lifeboat_aws::names::delegate_role;
use lifeboat_coordinator::execute::Verification;
use lifeboat_coordinator::ports::{Notifier, Ports};
use lifeboat_coordinator::sign::AssignmentKey;
use lifeboat_coordinator::state::Notice;
use lifeboat_coordinator::{State, document_key, state_key, tick};
use lifeboat_delegate::Delegate;
use lifeboat_delegate::clusters::Eks;
use lifeboat_delegate::work::SidePorts;
use lifeboat_filesystem::{PemSigner, PemUnwrapper, keys};
use lifeboat_jobs::VaultPlace;
use lifeboat_jobs::pending::Rotation;
use lifeboat_jobs::worker::Deadline;
use lifeboat_local::{Cluster, Credentials, LocalAws, LocalAwsOptions, ensure_aws_client};
use lifeboat_model::environment::{
    DelegateRegistration, EnvironmentRegistration, FORMAT, RegisteredKey, delegate_key, environment_key,
};
use lifeboat_model::request::Request;
use lifeboat_model::{ApplicationName, Arn, DelegateId, EnvironmentId, Issue, Side};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{Clock, ObjectStore, Signer as _};
use lifeboat_system::{SystemClock, SystemRandomness};
use serde_json::{Value, json};

pub(super) const PRIMARY: &str = "111111111111-eu-west-1";
pub(super) const RECOVERY: &str = "222222222222-eu-central-1";

/// A control plane starts in seconds; several of them take longer while the machine compiles.
const CLUSTERS_WITHIN: Duration = Duration::from_secs(240);

/// How long an API server may cache the identity of a token.
const REMEMBERED: Duration = Duration::from_millis(1200);

/// A clock that advances only when the test sets it.
struct ManualClock(Mutex<Timestamp>);

/// Returns noon of today. A test that begins late in the day would otherwise pass midnight, and a
/// daily backup would become due.
fn noon() -> Timestamp {
    let day = SignedDuration::from_hours(24).as_secs();
    let seconds = SystemClock.now().as_second() / day * day + day / 2;
    Timestamp::from_second(seconds).unwrap()
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A notifier that discards notices; the tests read issues from the state.
struct Silence;

#[async_trait]
impl Notifier for Silence {
    async fn notify(&self, _: &Notice) -> bool {
        true
    }
}

/// The shell of an account's administrator.
pub(super) struct Shell {
    credentials: Credentials,
    endpoint: String,
    region: String,
    home: PathBuf,
    path: String,
}

impl Shell {
    /// Runs a line that a user pastes, and returns its output. The line must succeed.
    pub(super) fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a line that must fail, and returns its standard error.
    pub(super) fn fails(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(!output.status.success(), "{line} did not fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Runs a line and returns whether it succeeds.
    pub(super) fn succeeds(&self, line: &str) -> bool {
        self.command(line).output().unwrap().status.success()
    }

    pub(super) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(line)).unwrap()
    }

    /// Returns a shell with the credentials of a role session.
    pub(super) fn assume(&self, role: &str, session: &str) -> Self {
        let assumed = self.json(&format!(
            "aws sts assume-role --role-arn {role} --role-session-name {session}"
        ));
        let text = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
        Self {
            credentials: Credentials {
                access_key_id: text("AccessKeyId"),
                secret_access_key: text("SecretAccessKey"),
                session_token: Some(text("SessionToken")),
            },
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            home: self.home.clone(),
            path: self.path.clone(),
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", line])
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("KUBERC", "off")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_DEFAULT_REGION", &self.region)
            .env("AWS_DEFAULT_OUTPUT", "json")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_MAX_ATTEMPTS", "1")
            .envs(self.credentials.variables())
            .stdin(Stdio::null());
        command
    }

    /// Returns the ARN of the caller.
    pub(super) fn caller(&self) -> String {
        let found = self.json("aws sts get-caller-identity");
        found["Arn"].as_str().unwrap().to_owned()
    }

    /// Creates a user of the account who may do everything that no policy denies.
    pub(super) fn user(&self, account: &str, name: &str) -> Self {
        let allow = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "*", "Resource": "*",
        }]});
        self.run(&format!(
            "aws iam create-user --user-name {name} && aws iam put-user-policy --user-name {name} \
             --policy-name all --policy-document '{allow}'"
        ));
        let made = self.json(&format!("aws iam create-access-key --user-name {name}"));
        let text = |name: &str| made["AccessKey"][name].as_str().unwrap().to_owned();
        let user = Self {
            credentials: Credentials {
                access_key_id: text("AccessKeyId"),
                secret_access_key: text("SecretAccessKey"),
                session_token: None,
            },
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            home: self.home.clone(),
            path: self.path.clone(),
        };
        assert_eq!(user.caller(), format!("arn:aws:iam::{account}:user/{name}"));
        user
    }

    /// Creates a role without permissions that this account's administrators may assume.
    pub(super) fn role(&self, account: &str, name: &str) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "sts:AssumeRole",
        }]});
        let created = self.json(&format!(
            "aws iam create-role --role-name {name} --assume-role-policy-document '{trust}'"
        ));
        created["Role"]["Arn"].as_str().unwrap().to_owned()
    }
}

/// One side of the application: its environment, its administrator and its buckets.
pub(super) struct Here {
    pub(super) environment: EnvironmentId,
    pub(super) shell: Shell,
    pub(super) role: Arn,
    scratch: Arc<dyn ObjectStore>,
    sessions: Mutex<BTreeMap<ApplicationName, (Arn, AwsContext)>>,
    side: Side,
}

/// The whole environment of a test.
pub(super) struct Environment {
    pub(super) primary: Here,
    pub(super) recovery: Here,
    pub(super) vault: Arc<dyn ObjectStore>,
    state: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    keys: keys::KeyFiles,
    runtime: tokio::runtime::Runtime,
    pub(super) aws: LocalAws,
    _folder: tempfile::TempDir,
}

impl Environment {
    /// Creates two accounts with the delegates' roles, which have no permissions yet, and without clusters.
    pub(super) fn set() -> Self {
        let aws = LocalAws::start(&LocalAwsOptions {
            controllers: false,
            ..LocalAwsOptions::default()
        })
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let keys = keys::generate(&folder.path().join("keys")).unwrap();
        let here = |environment: &str, side| Here::set(&aws, &folder, environment, side);
        let stage = Self {
            primary: here(PRIMARY, Side::Primary),
            recovery: here(RECOVERY, Side::Recovery),
            vault: Arc::new(MemoryStore::new()),
            state: Arc::new(MemoryStore::new()),
            clock: Arc::new(ManualClock(Mutex::new(noon()))),
            keys,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            aws,
            _folder: folder,
        };
        stage.provide_kubectl();
        stage
    }

    /// Provides kubectl under its usual name.
    fn provide_kubectl(&self) {
        let program = lifeboat_local::ensure_programs().unwrap();
        for here in [&self.primary, &self.recovery] {
            let file = here.shell.home.join("kubectl");
            let text = format!("#!/bin/sh\nexec '{}' kubectl \"$@\"\n", program.display());
            std::fs::write(&file, text).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&file, executable).unwrap();
        }
    }

    fn here(&self, side: Side) -> &Here {
        match side {
            Side::Primary => &self.primary,
            Side::Recovery => &self.recovery,
        }
    }

    /// Creates a cluster whose creator is its administrator, without waiting for it.
    pub(super) fn create(&self, side: Side, name: &str, mode: &str, tags: &str) {
        let here = self.here(side);
        here.shell.run(&format!(
            "aws eks create-cluster --name {name} --role-arn arn:aws:iam::{}:role/eks {tags} \
             --resources-vpc-config subnetIds=subnet-1,subnet-2 \
             --access-config authenticationMode={mode},bootstrapClusterCreatorAdminPermissions=true",
            here.environment.account
        ));
    }

    /// Waits for a cluster and returns its control plane.
    pub(super) fn active(&self, side: Side, name: &str) -> Arc<Cluster> {
        let (here, began) = (self.here(side), Instant::now());
        loop {
            let described = here
                .shell
                .json(&format!("aws eks describe-cluster --name {name}"));
            match described["cluster"]["status"].as_str().unwrap() {
                "ACTIVE" => break,
                "CREATING" => assert!(began.elapsed() < CLUSTERS_WITHIN, "{described}"),
                _ => panic!("{described}"),
            }
        }
        self.aws.cluster(here.environment.account.as_str(), name).unwrap()
    }

    /// Registers an application and its delegates.
    pub(super) fn put(&self, document: &Value, sides: &[Side]) -> ApplicationName {
        let application = ApplicationName::parse(document["name"].as_str().unwrap()).unwrap();
        let now = self.clock.now();
        self.runtime.block_on(async {
            let bytes = document.to_string();
            self.state
                .put_new(&document_key(&application), bytes.into())
                .await
                .unwrap();
            for side in sides {
                let here = self.here(*side);
                let delegate = DelegateRegistration {
                    format: FORMAT,
                    application: application.clone(),
                    environment: here.environment.clone(),
                    side: *side,
                    cluster: None,
                    function: here.function(&application),
                    role: here.session(&application).0,
                    key: None,
                    deploys_private_delegates: false,
                    version: "0".to_owned(),
                    registered_at: now,
                };
                let bytes = serde_json::to_vec(&delegate).unwrap();
                here.scratch
                    .put_new(&delegate_key(&delegate.id()), bytes.into())
                    .await
                    .unwrap();
            }
            for side in [Side::Primary, Side::Recovery] {
                let here = self.here(side);
                let (signing, recovery) = match side {
                    Side::Primary => (Some(self.keys.signing_public.as_path()), None),
                    Side::Recovery => (None, Some(self.keys.recovery_public.as_path())),
                };
                let registered = |path: &std::path::Path| RegisteredKey {
                    arn: Arn::parse(format!(
                        "arn:aws:kms:{}:{}:key/1",
                        here.environment.region, here.environment.account
                    ))
                    .unwrap(),
                    public_key: std::fs::read_to_string(path).unwrap(),
                };
                let environment = EnvironmentRegistration {
                    format: FORMAT,
                    environment: here.environment.clone(),
                    signing_key: signing.map(registered),
                    recovery_key: recovery.map(registered),
                    version: "0".to_owned(),
                    registered_at: now,
                };
                let bytes = serde_json::to_vec(&environment).unwrap();
                // For the second application the object exists already.
                drop(here.scratch.put_new(&environment_key(), bytes.into()).await);
            }
        });
        application
    }

    /// Advances the clock by some minutes, and runs coordinator and delegates several times.
    pub(super) fn pass(&self, minutes: i64, application: &ApplicationName) -> State {
        std::thread::sleep(REMEMBERED);
        {
            let mut now = self.clock.0.lock().unwrap();
            *now += SignedDuration::from_mins(minutes);
        }
        for _ in 0..3 {
            self.coordinate(application, &[]);
            for side in [Side::Primary, Side::Recovery] {
                self.delegate(application, side);
            }
        }
        self.coordinate(application, &[]);
        self.state(application)
    }

    /// Replaces an application's document.
    pub(super) fn put_again(&self, application: &ApplicationName, document: &Value) {
        self.runtime.block_on(async {
            let key = document_key(application);
            let (_, tag) = self.state.get(&key).await.unwrap();
            self.state
                .replace(&key, &tag, document.to_string().into())
                .await
                .unwrap();
        });
    }

    /// Returns the administrator's shell of a further account.
    pub(super) fn elsewhere(&self, account: &str) -> Shell {
        let like = &self.recovery.shell;
        Shell {
            credentials: self.aws.create_account(account).unwrap(),
            endpoint: like.endpoint.clone(),
            region: like.region.clone(),
            home: like.home.clone(),
            path: like.path.clone(),
        }
    }

    /// Sends a request to the coordinator.
    pub(super) fn ask(&self, application: &ApplicationName, request: Value) {
        let request: Request = serde_json::from_value(request).unwrap();
        self.coordinate(application, &[request]);
    }

    fn coordinate(&self, application: &ApplicationName, requests: &[Request]) {
        let buckets =
            [&self.primary, &self.recovery].map(|here| (here.environment.clone(), Arc::clone(&here.scratch)));
        let ports = Ports {
            state: Arc::clone(&self.state),
            vault: Arc::clone(&self.vault),
            scratch: Box::new(move |environment: &EnvironmentId| -> Arc<dyn ObjectStore> {
                let found = buckets.iter().find(|(known, _)| known == environment);
                Arc::clone(&found.unwrap().1)
            }),
            vault_place: self.vault_place(),
            clock: Arc::clone(&self.clock) as _,
            timer: Arc::new(SystemClock),
            ids: Arc::new(SystemRandomness),
            assignment_key: Arc::new(AssignmentKey::opened(Arc::new(self.signer()))),
            verification: Verification::default(),
            notifier: Arc::new(Silence),
        };
        let until = self.clock.now() + SignedDuration::from_mins(10);
        let report = self
            .runtime
            .block_on(tick(&ports, application, requests, until))
            .unwrap();
        assert_eq!(report.failures, 0, "{report:?}");
    }

    /// The key that signs both recovery points and assignments here.
    fn signer(&self) -> PemSigner {
        PemSigner::load(&self.keys.signing_key).unwrap()
    }

    fn vault_place(&self) -> VaultPlace {
        let recovery = &self.recovery.environment;
        VaultPlace {
            bucket: recovery.vault_bucket(),
            owner: recovery.account.clone(),
            region: recovery.region.clone(),
            prefix: String::new(),
        }
    }

    fn delegate(&self, application: &ApplicationName, side: Side) {
        let here = self.here(side);
        let ports = match side {
            Side::Primary => SidePorts::Primary {
                signer: Some(Arc::new(self.signer())),
                recipients: vec![keys::load_recipient(&self.keys.recovery_public).unwrap()],
                resources: None,
            },
            Side::Recovery => SidePorts::Recovery {
                unwrapper: Arc::new(PemUnwrapper::load(&self.keys.recovery_key).unwrap()),
                vault: Arc::clone(&self.vault),
                place: self.vault_place(),
                stacks: None,
            },
        };
        let (role, context) = here.session(application);
        // Tokens need the system time, independent of the coordinator's clock.
        let clusters = Eks::new(
            &context,
            here.environment.clone(),
            Arc::new(SystemClock),
            Arc::new(SystemRandomness),
        );
        let delegate = Delegate {
            id: DelegateId::public(application),
            application: application.clone(),
            environment: here.environment.clone(),
            function: here.function(application),
            role,
            version: "0".to_owned(),
            scratch: Arc::clone(&here.scratch),
            coordinators: vec![self.signer().verifying_key().clone()],
            rotation: Rotation::default(),
            clusters: Arc::new(clusters),
            side: ports,
            private_delegates: None,
            clock: Arc::clone(&self.clock) as _,
            ids: Arc::new(SystemRandomness),
            page_size: lifeboat_capture::PAGE_SIZE,
        };
        let deadline = Deadline::new(self.clock.now() + SignedDuration::from_mins(15));
        self.runtime
            .block_on(delegate.run("invocation", deadline, None))
            .unwrap();
    }

    fn state(&self, application: &ApplicationName) -> State {
        let (bytes, _) = self
            .runtime
            .block_on(self.state.get(&state_key(application)))
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Returns the object in the vault with this key.
    pub(super) fn in_vault(&self, key: &lifeboat_model::ObjectKey) -> Vec<u8> {
        self.runtime.block_on(self.vault.get(key)).unwrap().0.to_vec()
    }

    /// Returns the shell of the administrator of the cluster that an issue concerns.
    pub(super) fn shell(&self, issue: &Issue) -> &Shell {
        match issue.id.as_str().contains(PRIMARY) {
            true => &self.primary.shell,
            false => &self.recovery.shell,
        }
    }
}

impl Here {
    fn set(aws: &LocalAws, folder: &tempfile::TempDir, environment: &str, side: Side) -> Self {
        let environment = EnvironmentId::parse(environment).unwrap();
        let home = folder.path().join(environment.to_string());
        std::fs::create_dir_all(&home).unwrap();
        let client = ensure_aws_client().unwrap();
        let shell = Shell {
            credentials: aws.create_account(environment.account.as_str()).unwrap(),
            endpoint: aws.endpoint(),
            region: environment.region.to_string(),
            path: format!(
                "{}:{}:/usr/bin:/bin",
                home.display(),
                client.parent().unwrap().display()
            ),
            home,
        };
        let mut here = Self {
            role: Arn::parse("arn:aws:iam::111111111111:role/none").unwrap(),
            shell,
            scratch: Arc::new(MemoryStore::new()),
            sessions: Mutex::default(),
            environment,
            side,
        };
        here.role = here.session(&ApplicationName::parse("shop").unwrap()).0;
        here
    }

    /// Returns the role of an application's delegate, which has no permissions yet, and a session of it.
    fn session(&self, application: &ApplicationName) -> (Arn, AwsContext) {
        let mut sessions = self.sessions.lock().unwrap();
        let made = sessions.entry(application.clone()).or_insert_with(|| {
            let name = delegate_role(application, self.side, &self.environment.region);
            let role = self.shell.role(self.environment.account.as_str(), &name);
            let session = self.shell.assume(&role, "lifeboat-shop").credentials;
            let session = aws_credential_types::Credentials::new(
                session.access_key_id,
                session.secret_access_key,
                session.session_token,
                None,
                "test",
            );
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(AwsRegion::new(self.environment.region.to_string()))
                .endpoint_url(&self.shell.endpoint)
                .credentials_provider(SharedCredentialsProvider::new(session))
                .build();
            (
                Arn::parse(role).unwrap(),
                AwsContext::from_config(config).unwrap(),
            )
        });
        made.clone()
    }

    fn function(&self, application: &ApplicationName) -> Arn {
        Arn::function(
            &self.environment,
            &format!("lifeboat-{application}-{}", self.side),
        )
        .unwrap()
    }
}
