//! The AWS clients of the function, and the dispatch of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::execute::Verification;
use crate::lambda::notification::SnsNotifier;
use crate::ports::Ports;
use crate::sign::{AssignmentKey, OpenKey};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::LambdaEvent;
use lifeboat_aws::custom_resource::{ResourceRequest, Responder};
use lifeboat_aws::variables::{ConfigurationError, Strings, wanted};
use lifeboat_aws::{AwsContext, KmsSigner, LambdaFunction, S3Location, S3Store, SnsTopic};
use lifeboat_jobs::{JobFile, VaultPlace};
use lifeboat_model::request::{Answer, Request};
use lifeboat_model::{
    AccountId, ApplicationName, Arn, Code, Diagnostic as _, EnvironmentId, Problem, Region,
};
use lifeboat_store::ports::{BoxError, Clock, ObjectStore, Randomness, Signer};
use lifeboat_system::{SystemClock, SystemRandomness};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::lambda::coordinator::{Coordinator, TickSummary};
use crate::lambda::{metrics, resource};

/// The time before the end of an invocation at which its actions stop, so that their results are still written.
const RESERVE: SignedDuration = SignedDuration::from_secs(30);

/// The number of invocations that are started concurrently.
const STARTS_AT_ONCE: usize = 16;

/// The function, ready for invocations.
pub struct Function {
    context: AwsContext,
    coordinator: Coordinator,
    /// This function, which is invoked for each application on its own.
    this: LambdaFunction,
    responder: Result<Responder, BoxError>,
}

impl Function {
    /// Reads the configuration. Sends no request to AWS.
    ///
    /// # Errors
    /// A description of what is wrong with the configuration.
    pub async fn start(variables: &BTreeMap<String, String>) -> Result<Self, String> {
        let Configuration {
            environment,
            topic,
            function,
            assignment_key,
        } = configuration(variables).map_err(|error| format!("failed to {error}"))?;
        let context = AwsContext::load()
            .await
            .map_err(|error| error.problem().to_string())?;
        let (clock, ids): (Arc<dyn Clock>, Arc<dyn Randomness>) =
            (Arc::new(SystemClock), Arc::new(SystemRandomness));
        let own = |bucket: String| -> Arc<dyn ObjectStore> {
            let location = S3Location::bucket(bucket, environment.account.clone());
            Arc::new(S3Store::new(&context, location, Arc::clone(&ids)))
        };
        let scratch = {
            let (context, ids) = (context.clone(), Arc::clone(&ids));
            move |environment: &EnvironmentId| -> Arc<dyn ObjectStore> {
                let location = S3Location::bucket(environment.scratch_bucket(), environment.account.clone());
                let context = context.in_region(&environment.region);
                Arc::new(S3Store::new(&context, location, Arc::clone(&ids)))
            }
        };
        Ok(Self {
            responder: Responder::new(),
            this: LambdaFunction::new(&context, function),
            coordinator: Coordinator {
                ports: Ports {
                    state: own(environment.state_bucket()),
                    vault: own(environment.vault_bucket()),
                    scratch: Box::new(scratch),
                    vault_place: VaultPlace {
                        bucket: environment.vault_bucket(),
                        owner: environment.account.clone(),
                        region: environment.region.clone(),
                        prefix: String::new(),
                    },
                    clock,
                    timer: Arc::new(SystemClock),
                    ids,
                    verification: Verification::default(),
                    assignment_key: Arc::new(AssignmentKey::new(Box::new(KmsKey {
                        context: context.clone(),
                        key: assignment_key,
                    }))),
                    notifier: Arc::new(SnsNotifier(SnsTopic::new(&context, topic))),
                },
            },
            context,
        })
    }

    /// Handles one invocation: processes a request; any other event runs a tick of one application, or starts one
    /// for each.
    ///
    /// # Errors
    /// An error of the function as Lambda counts it: the state bucket cannot be used.
    pub async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Value, BoxError> {
        let (payload, context) = event.into_parts();
        let deadline = Timestamp::from_millisecond(i64::try_from(context.deadline)?)?;
        let until = deadline.saturating_sub(RESERVE)?;
        match read(payload) {
            Event::Tick(Some(application)) => {
                let summary = self.coordinator.tick([application], until).await;
                Ok(self.report(&summary, None))
            }
            Event::Tick(None) => {
                let names = self.coordinator.applications().await;
                let names = names.map_err(|error| error.problem().to_string())?;
                let count = names.len();
                let here = self.start_others(names).await;
                Ok(self.report(&self.coordinator.tick(here, until).await, Some(count)))
            }
            Event::Request(request) => Ok(serde_json::to_value(
                self.coordinator.answer(*request, until).await,
            )?),
            Event::Resource(request) => {
                let answer = resource::answer(&self.coordinator, &request, until).await;
                let responder = self.responder.as_ref().map_err(ToString::to_string)?;
                responder.put(&request.response_url, &answer).await?;
                Ok(json!({"answered": answer.status}))
            }
            Event::Unknown(problem) => {
                tracing::warn!(problem = %problem.message, "an event was refused");
                Ok(serde_json::to_value(Answer::Refused(vec![problem]))?)
            }
        }
    }
}

impl Function {
    /// Invokes this function for each application, so that none takes the time or the memory of another. Returns the
    /// applications that are left for this invocation: a single one, and those whose invocation cannot be started.
    async fn start_others(&self, names: Vec<ApplicationName>) -> Vec<ApplicationName> {
        if names.len() < 2 {
            return names;
        }
        let starts = stream::iter(names).map(|name| async move {
            let started = self.this.start(&json!({"tick": {"application": name}})).await;
            started.map_err(|error| (name, error))
        });
        let started: Vec<_> = starts.buffer_unordered(STARTS_AT_ONCE).collect().await;
        let failed = started.into_iter().filter_map(Result::err).map(|(name, error)| {
            tracing::warn!(application = %name, %error, "the invocation for the application was not started");
            name
        });
        failed.collect()
    }

    /// Emits the metrics of a tick, and returns the answer to its event. `applications` is the number of all
    /// applications, where this invocation has listed them.
    fn report(&self, summary: &TickSummary, applications: Option<usize>) -> Value {
        let now = self.coordinator.ports.clock.now();
        // Printed without the log format: CloudWatch extracts metrics only from lines that are a single JSON
        // document.
        for line in metrics::of_tick(summary, applications, self.context.take_s3_requests(), now) {
            println!("{line}");
        }
        json!({"applications": summary.applications, "overdue": summary.overdue, "problems": summary.problems})
    }
}

/// The coordinator's key in KMS.
struct KmsKey {
    context: AwsContext,
    key: Arn,
}

#[async_trait]
impl OpenKey for KmsKey {
    async fn open(&self) -> Result<Arc<dyn Signer>, Problem> {
        let opened = KmsSigner::open(&self.context, &self.key).await;
        let opened = opened.map_err(|error| error.problem())?;
        Ok(Arc::new(opened))
    }
}

/// The environment variables that the stack `control` sets.
#[derive(Debug)]
struct Configuration {
    environment: EnvironmentId,
    topic: Arn,
    /// The name of this function.
    function: String,
    /// The key that signs assignments.
    assignment_key: Arn,
}

fn configuration(strings: &dyn Strings) -> Result<Configuration, ConfigurationError> {
    let mut problems = Vec::new();
    let account = wanted(strings, "LIFEBOAT_ACCOUNT", &mut problems, AccountId::parse);
    let region = wanted(strings, "AWS_REGION", &mut problems, Region::parse);
    let topic = wanted(strings, "LIFEBOAT_TOPIC", &mut problems, Arn::parse);
    // Set by Lambda (Lambda Developer Guide, "Defined runtime environment variables").
    let function = wanted(strings, "AWS_LAMBDA_FUNCTION_NAME", &mut problems, |name| {
        Ok::<_, std::convert::Infallible>(name.to_owned())
    });
    let key = wanted(strings, "LIFEBOAT_ASSIGNMENT_KEY", &mut problems, Arn::parse);
    match (account, region, topic, function, key) {
        (Some(account), Some(region), Some(topic), Some(function), Some(assignment_key)) => {
            Ok(Configuration {
                environment: EnvironmentId { account, region },
                topic,
                function,
                assignment_key,
            })
        }
        _ => Err(ConfigurationError { problems }),
    }
}

/// The parsed event of an invocation.
#[derive(Debug, PartialEq)]
enum Event {
    /// A scheduled tick or a notification: a tick of one application, or of all.
    Tick(Option<ApplicationName>),
    /// A user's request.
    Request(Box<Request>),
    /// CloudFormation creates, updates or deletes an application.
    Resource(Box<ResourceRequest>),
    /// An unknown event.
    Unknown(Problem),
}

fn read(payload: Value) -> Event {
    if payload["source"] == "aws.s3" && payload["detail-type"] == "Object Created" {
        let key = payload["detail"]["object"]["key"].as_str().unwrap_or_default();
        return Event::Tick(JobFile::of_key(key).map(|(job, _)| job.application()));
    }
    if let Some(tick) = payload.get("tick") {
        let name = tick["application"].as_str();
        return Event::Tick(name.and_then(|name| ApplicationName::parse(name).ok()));
    }
    if payload.get("RequestType").is_some()
        && let Ok(request) = ResourceRequest::deserialize(&payload)
    {
        return Event::Resource(Box::new(request));
    }
    match serde_json::from_value(payload) {
        Ok(request) => Event::Request(Box::new(request)),
        Err(error) => Event::Unknown(Problem::new(
            Code::RequestRefused,
            format!("failed to read the request: {error}"),
            "send one of restore, backup, status, points, cancel and application, such as \
             {\"restore\": {\"application\": \"shop\", \"point\": \"latest\"}}",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn requests_are_told_from_events() {
        let shop = ApplicationName::parse("shop").unwrap();
        assert_eq!(read(json!({"tick": {}})), Event::Tick(None));
        assert_eq!(
            read(json!({"tick": {"application": "shop"}})),
            Event::Tick(Some(shop.clone()))
        );
        let created =
            |detail: Value| json!({"source": "aws.s3", "detail-type": "Object Created", "detail": detail});
        assert_eq!(read(created(json!({}))), Event::Tick(None));
        let result = json!({"object": {"key": "jobs/shop/20261121T112233Z-7f3a9c-seal/result.json"}});
        assert_eq!(read(created(result)), Event::Tick(Some(shop)));
        let Event::Request(request) = read(json!({"restore": {"application": "shop"}})) else {
            panic!("a restore is a request");
        };
        let Request::Restore(restore) = *request else {
            panic!("it is a restore")
        };
        assert_eq!(restore.point, "latest");
        for wrong in [
            json!({}),
            json!(null),
            json!({"restore": {"application": "Shop!"}}),
            json!({"format": "disk"}),
            json!({"RequestType": "Create"}),
        ] {
            assert!(matches!(read(wrong.clone()), Event::Unknown(_)), "{wrong}");
        }
    }

    #[test]
    fn the_environment_must_be_whole() {
        let one: BTreeMap<String, String> = [("AWS_REGION".to_owned(), "eu-central-1".to_owned())].into();
        let problems = configuration(&one).err().unwrap().problems;
        assert_eq!(
            problems,
            [
                "LIFEBOAT_ACCOUNT is not set",
                "LIFEBOAT_TOPIC is not set",
                "AWS_LAMBDA_FUNCTION_NAME is not set",
                "LIFEBOAT_ASSIGNMENT_KEY is not set"
            ]
        );
    }
}
