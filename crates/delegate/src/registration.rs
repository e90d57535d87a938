//! The custom resource of the stack `application`: registers a delegate with its key, and fails the
//! stack with a reason if they could not work.
//!
//! The protocol is that of CloudFormation custom resources: the request contains a presigned URL, to which
//! one response is put (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html>).

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use lifeboat_aws::custom_resource::{redacted, shortened};
use lifeboat_model::environment::{DelegateRegistration, FORMAT, RegisteredKey, Side, delegate_key};
use lifeboat_model::{
    ApplicationName, Arn, DelegateId, Diagnostic as _, EnvironmentId, ErrorKind, ObjectKey, Problem, Redacted,
};
use lifeboat_store::ports::{ObjectStore, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

mod environment_check;
mod keys;
mod private;

pub use environment_check::{BucketCheck, ScratchBucket};
pub use keys::{DecryptionKeyCheck, SigningKeyCheck};
pub use private::PrivateRegistrar;

/// A custom resource request of CloudFormation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CustomResourceRequest {
    /// `Create`, `Update` or `Delete`.
    pub request_type: String,
    /// The URL to put the response to. It is presigned and therefore a secret until it expires.
    #[serde(rename = "ResponseURL", deserialize_with = "redacted")]
    pub response_url: Redacted<String>,
    /// The stack's ARN.
    pub stack_id: String,
    /// The request ID.
    pub request_id: String,
    /// The logical ID of the resource in the template.
    pub logical_resource_id: String,
    /// The physical ID of the resource; absent for `Create`.
    #[serde(default)]
    pub physical_resource_id: Option<String>,
    /// The resource properties in the template.
    #[serde(default)]
    pub resource_properties: Map<String, Value>,
}

/// The response to CloudFormation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    /// `SUCCESS` or `FAILED`.
    pub status: &'static str,
    /// Why it failed; shown in the console.
    pub reason: String,
    /// The physical ID of the resource.
    pub physical_resource_id: String,
    /// As in the request.
    pub stack_id: String,
    /// As in the request.
    pub request_id: String,
    /// As in the request.
    pub logical_resource_id: String,
    /// The attributes for `Fn::GetAtt`.
    pub data: Value,
}

impl Answer {
    /// Returns the response of a function that is not configured. Deletion succeeds nevertheless: a stack can
    /// always be deleted.
    #[must_use]
    pub fn failed(request: &CustomResourceRequest, reason: &str) -> Self {
        let removing = request.request_type == "Delete";
        Self {
            status: if removing { "SUCCESS" } else { "FAILED" },
            reason: shortened(reason),
            physical_resource_id: request
                .physical_resource_id
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
            stack_id: request.stack_id.clone(),
            request_id: request.request_id.clone(),
            logical_resource_id: request.logical_resource_id.clone(),
            data: json!({}),
        }
    }
}

/// Checks the key of the environment: that it has the required type, and that this role may use it.
#[async_trait]
pub trait KeyCheck: Send + Sync {
    /// Uses the key and returns its public key (PEM).
    ///
    /// # Errors
    /// The problem of the key.
    async fn check(&self) -> Result<String, Problem>;
}

/// Registers a delegate.
pub struct Registrar {
    /// The application.
    pub application: ApplicationName,
    /// The side of the application.
    pub side: Side,
    /// The environment of the function.
    pub environment: EnvironmentId,
    /// The function's ARN.
    pub function: Arn,
    /// The ARN of the function's role.
    pub role: Arn,
    /// The ARN of the application's key on this side.
    pub key: Arn,
    /// Whether the delegate deploys the private delegates of its environment.
    pub deploys_private_delegates: bool,
    /// The version of Lifeboat.
    pub version: String,
    /// The scratch bucket.
    pub scratch: Arc<dyn ObjectStore>,
    /// Checks the key.
    pub check: Box<dyn KeyCheck>,
    /// Checks the scratch bucket.
    pub bucket: Box<dyn BucketCheck>,
}

impl Registrar {
    /// Handles a CloudFormation request. Deletion never fails: a stack can always be deleted.
    pub async fn answer(&self, request: &CustomResourceRequest, now: Timestamp) -> Answer {
        let outcome = match request.request_type.as_str() {
            "Delete" => {
                // A registration that remains is only outdated; the coordinator notices that the delegate
                // does not respond.
                if let Err(error) = self.remove(request).await {
                    tracing::warn!(%error, "the registration is kept");
                }
                Ok(())
            }
            "Create" | "Update" => self.register(request, now).await,
            other => Err(format!(
                "{other:?} is not a supported CloudFormation request type"
            )),
        };
        let (status, reason) = match outcome {
            Ok(()) => ("SUCCESS", String::new()),
            Err(reason) => ("FAILED", shortened(&reason)),
        };
        Answer {
            status,
            reason,
            // The same physical ID for the same function: with a changed ID, CloudFormation would delete the
            // previous resource, which is this registration.
            physical_resource_id: request
                .physical_resource_id
                .clone()
                .unwrap_or_else(|| format!("{}/{}/{}", self.environment, self.application, self.side)),
            stack_id: request.stack_id.clone(),
            request_id: request.request_id.clone(),
            logical_resource_id: request.logical_resource_id.clone(),
            data: json!({"RoleArn": self.role.as_str(), "Environment": self.environment.to_string()}),
        }
    }

    async fn register(&self, request: &CustomResourceRequest, now: Timestamp) -> Result<(), String> {
        for (name, own) in [
            ("Application", self.application.to_string()),
            ("Side", self.side.to_string()),
        ] {
            if request
                .resource_properties
                .get(name)
                .is_some_and(|asked| *asked != own.as_str())
            {
                return Err(format!(
                    "{name} of the resource differs from that of the function, {own}"
                ));
            }
        }
        // All problems are reported at once, because each attempt takes a deployment. The clock is checked
        // first, because the other checks take time.
        let environment_check =
            environment_check::problems(self.bucket.as_ref(), &self.environment, now).await;
        let key = self.check.check().await;
        let mut problems = environment_check;
        let public_key = key.map_err(|problem| problems.push(problem)).unwrap_or_default();
        if !problems.is_empty() {
            let messages: Vec<String> = problems.iter().map(text).collect();
            return Err(messages.join(" / "));
        }
        let key = RegisteredKey {
            arn: self.key.clone(),
            public_key,
        };
        let delegate = DelegateRegistration {
            format: FORMAT,
            application: self.application.clone(),
            environment: self.environment.clone(),
            side: self.side,
            cluster: None,
            function: self.function.clone(),
            role: self.role.clone(),
            key: Some(key),
            deploys_private_delegates: self.deploys_private_delegates,
            version: self.version.clone(),
            registered_at: now,
        };
        let bytes = serde_json::to_vec(&delegate).map_err(|e| e.to_string())?;
        put(self.scratch.as_ref(), &delegate_key(&delegate.id()), &bytes)
            .await
            .map_err(|e| self.bucket(&e))
    }

    async fn remove(&self, request: &CustomResourceRequest) -> Result<(), StoreError> {
        // A failed creation has registered nothing.
        if request.physical_resource_id.is_none() {
            return Ok(());
        }
        let id = DelegateId::public(&self.application);
        self.scratch.delete(&delegate_key(&id)).await
    }

    fn bucket(&self, error: &StoreError) -> String {
        format!(
            "the scratch bucket {} cannot be used: {}",
            self.environment.scratch_bucket(),
            text(&error.problem())
        )
    }
}

/// Formats a problem in one line.
fn text(problem: &Problem) -> String {
    let causes: String = problem.causes.iter().map(|cause| format!(": {cause}")).collect();
    format!(
        "{} {}{causes}. {}",
        problem.code, problem.message, problem.guidance
    )
}

/// The number of attempts to write a document that other writers change at the same moment.
const RACES: usize = 5;

/// Creates or replaces a document.
async fn put(store: &dyn ObjectStore, key: &ObjectKey, bytes: &[u8]) -> Result<(), StoreError> {
    let mut races = 0;
    loop {
        let written = match store.get(key).await {
            Ok((_, tag)) => store.replace(key, &tag, bytes.to_vec().into()).await,
            Err(StoreError::NotFound { .. }) => store.put_new(key, bytes.to_vec().into()).await,
            Err(error) => return Err(error),
        };
        races += 1;
        match written {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Conflict && races < RACES => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
