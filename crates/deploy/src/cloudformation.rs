//! The implementation of the port for stacks with AWS CloudFormation.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{self, Capability, ChangeSetType, Parameter, StackDriftStatus, Tag};
use jiff::Timestamp;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_model::{EnvironmentId, Problem};

use crate::artifacts::{self, Artifact};
use crate::stack::{Change, ChangeSet, Event, OnFailure, ResourceChange, Stack, StackResource, Stacks};

/// The size of a template in bytes above which it must be in a bucket
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>).
pub(crate) const LARGEST_INLINE: usize = 51_200;

/// CloudFormation in an account and a Region.
#[derive(Debug, Clone)]
pub struct CloudFormation {
    client: Client,
    context: AwsContext,
    environment: EnvironmentId,
    /// Whether the bucket of artifacts exists, and is not created or protected again.
    has_bucket: bool,
    /// The ARN of the role with which CloudFormation changes resources; that of the caller without one.
    service_role: Option<String>,
}

impl CloudFormation {
    /// Creates a client of CloudFormation in the Region of `context`, which is that of `environment`.
    #[must_use]
    pub fn new(context: &AwsContext, environment: &EnvironmentId) -> Self {
        Self {
            client: Client::new(&context.patient()),
            context: context.clone(),
            environment: environment.clone(),
            has_bucket: false,
            service_role: None,
        }
    }

    /// Lets CloudFormation change the resources of stacks with a service role instead of the permissions of the caller
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html>).
    #[must_use]
    pub fn with_service_role(mut self, role: String) -> Self {
        self.service_role = Some(role);
        self
    }

    /// Uses the bucket of artifacts as it is: a function of Lifeboat came out of it, and may not change its settings.
    #[must_use]
    pub fn with_bucket(mut self) -> Self {
        self.has_bucket = true;
        self
    }

    /// Puts a template into the bucket of artifacts, and returns its address there.
    async fn upload(&self, template: &str) -> Result<String, Problem> {
        let artifact = Artifact::template(template.as_bytes().to_vec());
        let (bucket, key) = if self.has_bucket {
            artifacts::upload_template(&self.context, &self.environment, &artifact).await?
        } else {
            let (bucket, keys) =
                artifacts::upload(&self.context, &self.environment, &[&artifact], &|_| {}).await?;
            (bucket, keys.concat())
        };
        let region = &self.environment.region;
        let suffix = region.partition().dns_suffix();
        Ok(format!("https://{bucket}.s3.{region}.{suffix}/{key}"))
    }
}

/// Returns a stack as the port has it.
fn described(stack: &types::Stack) -> Stack {
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    let tags = stack.tags().iter();
    Stack {
        status: stack
            .stack_status()
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        reason: stack.stack_status_reason().unwrap_or_default().to_owned(),
        parameters: parameters
            .filter_map(|p| Some((p.parameter_key()?.to_owned(), p.parameter_value()?.to_owned())))
            .collect(),
        outputs: outputs
            .filter_map(|o| Some((o.output_key()?.to_owned(), o.output_value()?.to_owned())))
            .collect(),
        tags: tags
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
            .collect(),
        is_drifted: stack
            .drift_information()
            .is_some_and(|drift| drift.stack_drift_status() == Some(&StackDriftStatus::Drifted)),
    }
}

/// Returns a change as the port has it.
fn resource_change(change: &types::ResourceChange) -> ResourceChange {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let details = change.details().iter();
    let mut properties: Vec<String> = details
        .filter_map(|detail| {
            let target = detail.target()?;
            Some(
                target
                    .name()
                    .or(target.attribute().map(types::ResourceAttribute::as_str))?
                    .to_owned(),
            )
        })
        .collect();
    properties.sort();
    properties.dedup();
    ResourceChange {
        resource: text(change.logical_resource_id()),
        r#type: text(change.resource_type()),
        action: text(change.action().map(types::ChangeAction::as_str)),
        replacement: change.replacement().map(|one| one.as_str().to_owned()),
        properties,
    }
}

#[async_trait]
impl Stacks for CloudFormation {
    fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    async fn describe(&self, stack: &str) -> Result<Option<Stack>, Problem> {
        let answer = self.client.describe_stacks().stack_name(stack).send().await;
        let answer = match answer.map_err(|e| AwsError::new("cloudformation:DescribeStacks", stack, e)) {
            Ok(answer) => answer,
            // CloudFormation has no error code for a stack that does not exist.
            Err(error)
                if error.code() == Some("ValidationError")
                    && error.to_string().contains("does not exist") =>
            {
                return Ok(None);
            }
            Err(error) => {
                return Err(self
                    .context
                    .problem(&format!("describe the stack {stack}"), &error));
            }
        };
        Ok(answer.stacks().first().map(described))
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Problem> {
        let request = self.client.list_stack_resources().stack_name(stack);
        let pages = request.into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(|e| {
            let error = AwsError::new("cloudformation:ListStackResources", stack, e);
            self.context
                .problem(&format!("list the resources of the stack {stack}"), &error)
        })?;
        let resources = found.into_iter().filter_map(|one| {
            Some(StackResource {
                resource: one.logical_resource_id?,
                r#type: one.resource_type?,
                status: one.resource_status?.as_str().to_owned(),
                id: one.physical_resource_id?,
            })
        });
        Ok(resources.collect())
    }

    async fn template(&self, stack: &str) -> Result<String, Problem> {
        let answer = self.client.get_template().stack_name(stack).send().await;
        let answer = answer.map_err(|e| {
            let error = AwsError::new("cloudformation:GetTemplate", stack, e);
            self.context
                .problem(&format!("read the template of the stack {stack}"), &error)
        })?;
        Ok(answer.template_body.unwrap_or_default())
    }

    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem> {
        let mut all = BTreeMap::new();
        let mut pages = self.client.describe_stacks().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| {
                let error = AwsError::new("cloudformation:DescribeStacks", "all stacks", e);
                self.context.problem("describe the stacks", &error)
            })?;
            let stacks = page.stacks().iter();
            all.extend(stacks.filter_map(|stack| Some((stack.stack_name()?.to_owned(), described(stack)))));
        }
        Ok(all)
    }

    async fn create_change_set(&self, change: &Change) -> Result<(), Problem> {
        let parameters = change.parameters.iter().map(|(name, value)| {
            let parameter = Parameter::builder().parameter_key(name);
            match value {
                Some(value) => parameter.parameter_value(value),
                None => parameter.use_previous_value(true),
            }
            .build()
        });
        let kind = if change.is_new {
            ChangeSetType::Create
        } else {
            ChangeSetType::Update
        };
        let tags = (change.tags.iter()).map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request = self.client.create_change_set();
        let request = if change.template.len() <= LARGEST_INLINE {
            request.template_body(change.template.as_ref())
        } else {
            request.template_url(self.upload(&change.template).await?)
        };
        let sent = request
            .stack_name(&change.stack)
            .change_set_name(&change.name)
            .change_set_type(kind)
            .set_tags(Some(tags.collect()))
            // The roles have fixed names: the bucket policies of other accounts refer to them.
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(parameters.collect()))
            .set_role_arn(self.service_role.clone())
            .send()
            .await;
        sent.map(drop).map_err(|e| {
            let error = AwsError::new("cloudformation:CreateChangeSet", &change.stack, e);
            self.context.problem(
                &format!("create a change set for the stack {}", change.stack),
                &error,
            )
        })
    }

    async fn describe_change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, Problem> {
        let mut set = ChangeSet::default();
        let mut next = None;
        loop {
            let answer = (self.client.describe_change_set())
                .stack_name(stack)
                .change_set_name(name)
                .set_next_token(next)
                .send()
                .await
                .map_err(|e| {
                    let error = AwsError::new("cloudformation:DescribeChangeSet", stack, e);
                    self.context
                        .problem(&format!("describe the change set of the stack {stack}"), &error)
                })?;
            set.status = answer.status().map(|s| s.as_str().to_owned()).unwrap_or_default();
            answer
                .status_reason()
                .unwrap_or_default()
                .clone_into(&mut set.reason);
            let changes = answer.changes().iter();
            set.changes
                .extend(changes.filter_map(|change| change.resource_change().map(resource_change)));
            next = answer.next_token;
            if next.is_none() {
                return Ok(set);
            }
        }
    }

    async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), Problem> {
        let sent = (self.client.delete_change_set())
            .stack_name(stack)
            .change_set_name(name)
            .send()
            .await;
        sent.map(drop).map_err(|e| {
            let error = AwsError::new("cloudformation:DeleteChangeSet", stack, e);
            self.context
                .problem(&format!("delete the change set of the stack {stack}"), &error)
        })
    }

    async fn execute_change_set(
        &self,
        stack: &str,
        name: &str,
        on_failure: OnFailure,
    ) -> Result<(), Problem> {
        let sent = (self.client.execute_change_set())
            .stack_name(stack)
            .change_set_name(name)
            .disable_rollback(on_failure == OnFailure::Keep)
            .send()
            .await;
        sent.map(drop).map_err(|e| {
            let error = AwsError::new("cloudformation:ExecuteChangeSet", stack, e);
            self.context.problem(&format!("deploy the stack {stack}"), &error)
        })
    }

    async fn delete_stack(&self, stack: &str) -> Result<(), Problem> {
        let request = self.client.delete_stack().stack_name(stack);
        // A stack that somebody deployed without a service role has none.
        let sent = request.set_role_arn(self.service_role.clone()).send().await;
        sent.map(drop).map_err(|e| {
            let error = AwsError::new("cloudformation:DeleteStack", stack, e);
            self.context.problem(&format!("delete the stack {stack}"), &error)
        })
    }

    async fn events(&self, stack: &str) -> Result<Vec<Event>, Problem> {
        // One page contains a hundred events, more than occur between two requests.
        let answer = (self.client.describe_stack_events().stack_name(stack).send().await).map_err(|e| {
            let error = AwsError::new("cloudformation:DescribeStackEvents", stack, e);
            self.context
                .problem(&format!("read the events of the stack {stack}"), &error)
        })?;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let events = answer.stack_events().iter();
        Ok(events
            .map(|event| Event {
                id: text(event.event_id()),
                at: event
                    .timestamp()
                    .and_then(|at| Timestamp::from_second(at.secs()).ok()),
                resource: text(event.logical_resource_id()),
                kind: text(event.resource_type()),
                status: text(event.resource_status().map(|status| status.as_str())),
                reason: text(event.resource_status_reason()),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests;
