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
use lifeboat_model::{Arn, Diagnostic as _, EnvironmentId, Problem, Side};
use lifeboat_store::ports::{BoxError, Clock, ObjectStore, Randomness};
use lifeboat_system::{SystemClock, SystemRandomness};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::clusters::Eks;
use crate::configuration::Configuration;
use crate::event::Event;
use crate::infrastructure::{AwsResources, AwsStacks};
use crate::metrics::invocation_ended;
use crate::registration::{
    Answer, CustomResourceRequest, DecryptionKeyCheck, KeyCheck, Registrar, ScratchBucket, SigningKeyCheck,
};
use crate::work::{Delegate, SidePorts};

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
    registrar: Registrar,
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
            Event::Unknown => {
                tracing::warn!("an unexpected event was refused");
                Ok(json!({"refused": true}))
            }
        }
    }

    async fn register(&self, request: &CustomResourceRequest) -> Result<(), BoxError> {
        let answer = match self.ports().await {
            Ok(ports) => ports.registrar.answer(request, SystemClock.now()).await,
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
        let Configuration {
            application,
            side,
            environment,
            role,
            key,
            coordinators,
            ..
        } = configuration.clone();
        let function = Arn::function(&environment, &configuration.function).map_err(|e| e.to_string())?;
        let location = S3Location::bucket(environment.scratch_bucket(), environment.account.clone());
        let scratch: Arc<dyn ObjectStore> = Arc::new(S3Store::new(&context, location, Arc::clone(&ids)));
        let (side_ports, check): (SidePorts, Box<dyn KeyCheck>) = match side {
            Side::Primary => {
                let signer =
                    (KmsSigner::open(&context, &key).await).map_err(|error| text(&error.problem()))?;
                let signer = Arc::new(signer);
                let public = configuration.recovery_public_key.as_deref().unwrap_or_default();
                let recipients = lifeboat_aws::kms::recipient_keys(public).map_err(|e| e.to_string())?;
                let ports = SidePorts::Primary {
                    signer: Arc::clone(&signer) as _,
                    recipients,
                    resources: (configuration.describe)
                        .then(|| Arc::new(AwsResources::new(context.clone(), environment.clone())) as _),
                };
                (ports, Box::new(SigningKeyCheck(signer)))
            }
            Side::Recovery => {
                let unwrapper =
                    (KmsUnwrapper::open(&context, &key).await).map_err(|error| text(&error.problem()))?;
                let unwrapper = Arc::new(unwrapper);
                let (vault, place) = vault(&context, configuration.vault.as_ref(), &ids)?;
                let recipient =
                    RecipientKey::from_pem(&unwrapper.recipient().to_pem()).map_err(|e| e.to_string())?;
                let check = DecryptionKeyCheck {
                    recipient: Box::new(recipient),
                    unwrapper: Arc::clone(&unwrapper) as _,
                    ids: Arc::clone(&ids),
                };
                let ports = SidePorts::Recovery {
                    unwrapper,
                    vault,
                    place,
                    stacks: configuration.rebuild.then(|| {
                        let (context, environment) = (context.clone(), environment.clone());
                        let (clock, ids) = (Arc::clone(&clock), Arc::clone(&ids));
                        let boundaries = configuration.boundaries.clone();
                        Arc::new(AwsStacks::new(context, environment, boundaries, clock, ids)) as _
                    }),
                };
                (ports, Box::new(check))
            }
        };
        let clusters = Eks::new(
            &context,
            environment.clone(),
            Arc::clone(&clock),
            Arc::clone(&ids),
        );
        Ok(Self {
            registrar: Registrar {
                application: application.clone(),
                side,
                environment: environment.clone(),
                function: function.clone(),
                role: role.clone(),
                key,
                version: VERSION.to_owned(),
                scratch: Arc::clone(&scratch),
                check,
                bucket: Box::new(ScratchBucket {
                    context: context.clone(),
                    environment: environment.clone(),
                }),
            },
            delegate: Delegate {
                application,
                environment,
                function,
                role,
                version: VERSION.to_owned(),
                scratch,
                coordinators,
                rotation: Rotation::default(),
                clusters: Arc::new(clusters),
                side: side_ports,
                clock,
                ids,
                page_size: lifeboat_capture::PAGE_SIZE,
            },
            context,
        })
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
