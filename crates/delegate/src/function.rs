//! The function: its clients, created once, and its invocations.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use lifeboat_aws::custom_resource::Responder;
use lifeboat_aws::{AwsContext, KmsSigner, KmsUnwrapper, S3Location, S3Store};
use lifeboat_format::RecipientKey;
use lifeboat_jobs::VaultPlace;
use lifeboat_jobs::pending::Rotation;
use lifeboat_jobs::worker::Deadline;
use lifeboat_model::environment::{DelegateRegistration, FORMAT, delegate_key};
use lifeboat_model::{Arn, ClusterName, Diagnostic as _, EnvironmentId, Problem, Side};
use lifeboat_store::ports::{BoxError, Clock, ObjectStore, Randomness};
use lifeboat_system::{SystemClock, SystemRandomness};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::clusters::{Caller, Clusters, Eks, PrivateCluster, PrivateNetworks};
use crate::configuration::Configuration;
use crate::event::Event;
use crate::infrastructure::{AwsResources, AwsStacks};
use crate::metrics::invocation_ended;
use crate::network::{Limits, NetworkProbe, SystemResolver, system_authorities};
use crate::private_delegates::{PrivateDelegateStacks, PrivateDelegates};
use crate::registration::{
    Answer, CustomResourceRequest, DecryptionKeyCheck, KeyCheck, PrivateRegistrar, Registrar, ScratchBucket,
    SigningKeyCheck,
};
use crate::work::{Delegate, EpochKeys, SidePorts};

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The function, ready for invocations.
pub struct Function {
    variables: BTreeMap<String, String>,
    ports: OnceCell<Ports>,
    responder: Result<Responder, BoxError>,
}

struct Ports {
    context: AwsContext,
    delegate: Delegate,
    registration: Registration,
}

/// How the delegate registers.
enum Registration {
    /// When CloudFormation asks it to.
    Public(Box<Registrar>),
    /// By itself, in each invocation; and what it observes in its network, whether it can register or not.
    Private(Box<PrivateRegistrar>, Box<NetworkProbe>),
}

impl Function {
    /// Reads the configuration and opens the key. Failures are reported by each invocation, after a retry: a
    /// Lambda execution environment lives for hours, and a key that was throttled or disabled may work by
    /// then.
    pub async fn start(variables: &BTreeMap<String, String>) -> Self {
        let function = Self {
            variables: variables.clone(),
            ports: OnceCell::new(),
            responder: Responder::new(),
        };
        drop(function.ports().await);
        function
    }

    async fn ports(&self) -> Result<&Ports, String> {
        self.ports.get_or_try_init(|| Ports::make(&self.variables)).await
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// An error of the function as Lambda counts it: it is not configured, or requests to its bucket fail.
    /// The failure of a job is written into its result.
    pub async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Value, BoxError> {
        let (payload, context) = event.into_parts();
        let deadline = Timestamp::from_millisecond(i64::try_from(context.deadline)?)?;
        match Event::read(payload) {
            Event::Tick(named) => {
                let ports = self.ports().await?;
                if let Registration::Private(registrar, _) = &ports.registration {
                    let renewed = registrar.renew(SystemClock.now()).await;
                    renewed.map_err(|error| error.problem().to_string())?;
                }
                let summary = ports
                    .delegate
                    .run(&context.request_id, Deadline::new(deadline), named.as_ref())
                    .await;
                // Printed without the log format: CloudWatch extracts metrics only from lines that are a
                // single JSON document.
                println!(
                    "{}",
                    invocation_ended(
                        &ports.delegate.application,
                        ports.context.take_s3_requests(),
                        SystemClock.now()
                    )
                );
                Ok(json!(summary.map_err(|error| error.problem().to_string())?))
            }
            Event::CustomResourceRequest(request) => {
                self.register(&request).await?;
                Ok(json!({"registered": true}))
            }
            Event::NetworkCheck(check) => match &self.ports().await?.registration {
                Registration::Private(_, probe) => Ok(json!(probe.observe(&check).await)),
                Registration::Public(_) => {
                    tracing::warn!("only a private delegate checks its network");
                    Ok(json!({"refused": true}))
                }
            },
            Event::Unknown => {
                tracing::warn!("an unexpected event was refused");
                Ok(json!({"refused": true}))
            }
        }
    }

    async fn register(&self, request: &CustomResourceRequest) -> Result<(), BoxError> {
        let answer = match self.ports().await {
            Ok(Ports {
                registration: Registration::Public(registrar),
                ..
            }) => registrar.answer(request, SystemClock.now()).await,
            Ok(_) => Answer::failed(request, "a private delegate registers itself"),
            Err(reason) => Answer::failed(request, &reason),
        };
        if answer.status == "FAILED" {
            tracing::error!(reason = %answer.reason, "the registration failed");
        }
        let responder = self.responder.as_ref().map_err(ToString::to_string)?;
        responder.put(&request.response_url, &answer).await
    }
}

impl Ports {
    async fn make(variables: &BTreeMap<String, String>) -> Result<Self, String> {
        let configuration = Configuration::read(variables).map_err(|error| format!("failed to {error}"))?;
        let context = AwsContext::load().await.map_err(|error| text(&error.problem()))?;
        let (clock, ids): (Arc<dyn Clock>, Arc<dyn Randomness>) =
            (Arc::new(SystemClock), Arc::new(SystemRandomness));
        let function =
            Arn::function(&configuration.environment, &configuration.function).map_err(|e| e.to_string())?;
        let location = S3Location::bucket(
            configuration.environment.scratch_bucket(),
            configuration.environment.account.clone(),
        );
        let common = Common {
            variables: variables.clone(),
            function,
            scratch: Arc::new(S3Store::new(&context, location, Arc::clone(&ids))),
            configuration,
            context,
            clock,
            ids,
        };
        match (
            common.configuration.cluster.clone(),
            common.configuration.key.clone(),
        ) {
            (Some(cluster), _) => common.private(cluster),
            (None, Some(key)) => common.public(key).await,
            (None, None) => Err("LIFEBOAT_KEY is not set".to_owned()),
        }
    }
}

/// What public and private delegates are made of.
struct Common {
    variables: BTreeMap<String, String>,
    configuration: Configuration,
    function: Arn,
    context: AwsContext,
    scratch: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Randomness>,
}

impl Common {
    /// Creates the delegate of a private cluster. Nothing here may need another service than S3: the function cannot
    /// reach any.
    fn private(self, cluster: ClusterName) -> Result<Ports, String> {
        let caller = Caller {
            context: self.context.clone(),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
        };
        let environment = self.configuration.environment.clone();
        let clusters = PrivateCluster::new(caller, environment, cluster.clone());
        let side = match self.configuration.side {
            Side::Primary => SidePorts::Primary {
                signer: None,
                recipients: self.recipients()?,
                resources: None,
            },
            Side::Recovery => {
                let (vault, place) = vault(&self.context, self.configuration.vault.as_ref(), &self.ids)?;
                SidePorts::PrivateRecovery {
                    keys: EpochKeys::default(),
                    vault,
                    place,
                }
            }
        };
        let registration = DelegateRegistration {
            format: FORMAT,
            application: self.configuration.application.clone(),
            environment: self.configuration.environment.clone(),
            side: self.configuration.side,
            cluster: Some(cluster),
            function: self.function.clone(),
            role: self.configuration.role.clone(),
            key: None,
            deploys_private_delegates: false,
            version: VERSION.to_owned(),
            registered_at: Timestamp::UNIX_EPOCH,
        };
        let registrar = PrivateRegistrar {
            registration,
            scratch: Arc::clone(&self.scratch),
        };
        let probe = NetworkProbe {
            endpoint: self.context.s3_endpoint(),
            scratch: Arc::clone(&self.scratch),
            key: delegate_key(&self.configuration.id()),
            jobs: format!("jobs/{}/", self.configuration.id()),
            variables: self.variables.clone(),
            resolver: Arc::new(SystemResolver),
            authorities: system_authorities(),
            limits: Limits::default(),
        };
        let registration = Registration::Private(Box::new(registrar), Box::new(probe));
        Ok(self.ports(side, Arc::new(clusters), registration))
    }

    /// Creates the delegate of all other clusters, with the application's key on its side.
    async fn public(self, key: Arn) -> Result<Ports, String> {
        let (side, check): (SidePorts, Box<dyn KeyCheck>) = match self.configuration.side {
            Side::Primary => self.primary(&key).await?,
            Side::Recovery => self.recovery(&key).await?,
        };
        let Configuration {
            application,
            side: of,
            environment,
            role,
            ..
        } = self.configuration.clone();
        let registrar = Registrar {
            application,
            side: of,
            environment: environment.clone(),
            function: self.function.clone(),
            role,
            key,
            deploys_private_delegates: self.configuration.private_delegates.is_some(),
            version: VERSION.to_owned(),
            scratch: Arc::clone(&self.scratch),
            check,
            bucket: Box::new(ScratchBucket {
                context: self.context.clone(),
                environment: environment.clone(),
            }),
        };
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let private = PrivateNetworks {
            application: self.configuration.application.clone(),
            side: self.configuration.side,
            role: self.configuration.role.clone(),
        };
        let clusters = Eks::new(&self.context, environment, clock, ids).checking(private);
        let registration = Registration::Public(Box::new(registrar));
        Ok(self.ports(side, Arc::new(clusters), registration))
    }

    async fn primary(&self, key: &Arn) -> Result<(SidePorts, Box<dyn KeyCheck>), String> {
        let signer = KmsSigner::open(&self.context, key).await;
        let signer = Arc::new(signer.map_err(|error| text(&error.problem()))?);
        let environment = self.configuration.environment.clone();
        let ports = SidePorts::Primary {
            signer: Some(Arc::clone(&signer) as _),
            recipients: self.recipients()?,
            resources: (self.configuration.describe)
                .then(|| Arc::new(AwsResources::new(self.context.clone(), environment)) as _),
        };
        Ok((ports, Box::new(SigningKeyCheck(signer))))
    }

    async fn recovery(&self, key: &Arn) -> Result<(SidePorts, Box<dyn KeyCheck>), String> {
        let unwrapper = KmsUnwrapper::open(&self.context, key).await;
        let unwrapper = Arc::new(unwrapper.map_err(|error| text(&error.problem()))?);
        let (vault, place) = vault(&self.context, self.configuration.vault.as_ref(), &self.ids)?;
        let recipient = RecipientKey::from_pem(&unwrapper.recipient().to_pem()).map_err(|e| e.to_string())?;
        let check = DecryptionKeyCheck {
            recipient: Box::new(recipient),
            unwrapper: Arc::clone(&unwrapper) as _,
            ids: Arc::clone(&self.ids),
        };
        let ports = SidePorts::Recovery {
            unwrapper,
            vault,
            place,
            stacks: self.configuration.rebuild.then(|| {
                let (context, environment) = (self.context.clone(), self.configuration.environment.clone());
                let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
                let boundaries = self.configuration.boundaries.clone();
                Arc::new(AwsStacks::new(context, environment, boundaries, clock, ids)) as _
            }),
        };
        Ok((ports, Box::new(check)))
    }

    /// Returns the keys that captures are encrypted for.
    fn recipients(&self) -> Result<Vec<RecipientKey>, String> {
        let public = self.configuration.recovery_public_key.as_deref();
        lifeboat_aws::kms::recipient_keys(public.unwrap_or_default()).map_err(|e| e.to_string())
    }

    /// Returns what deploys private delegates, if the function was deployed with the permissions.
    fn private_delegates(&self) -> Option<Arc<dyn PrivateDelegates>> {
        let granted = self.configuration.private_delegates.as_ref()?;
        Some(Arc::new(PrivateDelegateStacks {
            context: self.context.clone(),
            application: self.configuration.application.clone(),
            environment: self.configuration.environment.clone(),
            side: self.configuration.side,
            stack: granted.stack.clone(),
            service_role: granted.service_role.to_string(),
            scratch: Arc::clone(&self.scratch),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
        }))
    }

    fn ports(self, side: SidePorts, clusters: Arc<dyn Clusters>, registration: Registration) -> Ports {
        let id = self.configuration.id();
        let private_delegates = self.private_delegates();
        Ports {
            registration,
            delegate: Delegate {
                id,
                application: self.configuration.application,
                environment: self.configuration.environment,
                function: self.function,
                role: self.configuration.role,
                version: VERSION.to_owned(),
                scratch: self.scratch,
                coordinators: self.configuration.coordinators,
                rotation: Rotation::default(),
                clusters,
                side,
                private_delegates,
                clock: self.clock,
                ids: self.ids,
                page_size: lifeboat_capture::PAGE_SIZE,
            },
            context: self.context,
        }
    }
}

fn vault(
    context: &AwsContext,
    environment: Option<&EnvironmentId>,
    ids: &Arc<dyn Randomness>,
) -> Result<(Arc<dyn ObjectStore>, VaultPlace), String> {
    let environment = environment.ok_or("the recovery side requires the vault")?;
    let place = VaultPlace {
        bucket: environment.vault_bucket(),
        owner: environment.account.clone(),
        region: environment.region.clone(),
        prefix: String::new(),
    };
    let location = S3Location::bucket(place.bucket.clone(), place.owner.clone());
    let context = context.in_region(&environment.region);
    Ok((Arc::new(S3Store::new(&context, location, Arc::clone(ids))), place))
}

fn text(problem: &Problem) -> String {
    let causes: String = problem.causes.iter().map(|cause| format!(": {cause}")).collect();
    format!(
        "{} {}{causes}. {}",
        problem.code, problem.message, problem.guidance
    )
}
