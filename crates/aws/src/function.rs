//! Asynchronous invocations of a Lambda function.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;

use crate::{AwsContext, AwsError};

/// A Lambda function of the context's account and Region.
#[derive(Debug, Clone)]
pub struct LambdaFunction {
    client: Client,
    name: String,
}

impl LambdaFunction {
    /// Creates a client of the function with this name.
    #[must_use]
    pub fn new(context: &AwsContext, name: impl Into<String>) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            name: name.into(),
        }
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
