//! Invocations of a Lambda function.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;

use crate::{AwsContext, AwsError};

/// The time limit of a synchronous invocation: a network check takes half a minute, and the start of a function in a VPC some
/// seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of attempts of a synchronous invocation: one more, if Lambda throttles or starts the function anew.
const ATTEMPTS: u32 = 2;

/// How a function answers a synchronous invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionAnswer {
    /// There is no such function.
    Absent,
    /// The function failed.
    Failed,
    /// The answer of the function.
    Answered(Vec<u8>),
}

/// A Lambda function of the context's account and Region.
#[derive(Debug, Clone)]
pub struct LambdaFunction {
    client: Client,
    patient: Client,
    name: String,
}

impl LambdaFunction {
    /// Creates a client of the function with this name.
    #[must_use]
    pub fn new(context: &AwsContext, name: impl Into<String>) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            patient: Client::new(&context.with_limits(PATIENCE, ATTEMPTS)),
            name: name.into(),
        }
    }

    /// Invokes the function, and waits for its answer.
    ///
    /// # Errors
    /// If Lambda refuses or cannot be reached, or if the function does not answer within a minute.
    pub async fn ask(&self, event: &Value) -> Result<FunctionAnswer, AwsError> {
        let sent = (self.patient.invoke())
            .function_name(&self.name)
            .payload(Blob::new(event.to_string()))
            .send()
            .await;
        let sent = sent.map_err(|error| AwsError::new("lambda:InvokeFunction", self.name.as_str(), error));
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                return Ok(FunctionAnswer::Absent);
            }
            Err(error) => return Err(error),
        };
        let is_failure = answer.function_error().is_some();
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        Ok(match is_failure {
            true => FunctionAnswer::Failed,
            false => FunctionAnswer::Answered(payload),
        })
    }

    /// Queues an event for the function, which Lambda invokes soon after.
    ///
    /// # Errors
    /// If Lambda refuses or cannot be reached.
    pub async fn start(&self, event: &Value) -> Result<(), AwsError> {
        (self.client.invoke())
            .function_name(&self.name)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(event.to_string()))
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsError::new("lambda:InvokeFunction", self.name.as_str(), error))
    }
}
