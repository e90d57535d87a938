//! The implementation of the port for stacks with AWS CloudFormation.

use async_trait::async_trait;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter};
use jiff::Timestamp;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_model::{EnvironmentId, Problem};

use crate::stack::{Change, ChangeSet, Event, Stack, Stacks};

/// CloudFormation in an account and a Region.
#[derive(Debug, Clone)]
pub struct CloudFormation {
    client: Client,
    context: AwsContext,
    environment: EnvironmentId,
}

impl CloudFormation {
    /// Creates a client of CloudFormation in the Region of `context`, which is that of `environment`.
    #[must_use]
    pub fn new(context: &AwsContext, environment: &EnvironmentId) -> Self {
        Self {
            client: Client::new(&context.patient()),
            context: context.clone(),
            environment: environment.clone(),
        }
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
        Ok(answer.stacks().first().map(|stack| {
            let parameters = stack.parameters().iter();
            let outputs = stack.outputs().iter();
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
            }
        }))
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
        let sent = (self.client.create_change_set())
            .stack_name(&change.stack)
            .change_set_name(&change.name)
            .change_set_type(kind)
            .template_body(change.template)
            // The roles have fixed names: the bucket policies of other accounts refer to them.
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(parameters.collect()))
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
        let answer = (self.client.describe_change_set())
            .stack_name(stack)
            .change_set_name(name)
            .send()
            .await
            .map_err(|e| {
                let error = AwsError::new("cloudformation:DescribeChangeSet", stack, e);
                self.context
                    .problem(&format!("describe the change set of the stack {stack}"), &error)
            })?;
        Ok(ChangeSet {
            status: answer.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
            reason: answer.status_reason().unwrap_or_default().to_owned(),
            changes: answer.changes().len(),
        })
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

    async fn execute_change_set(&self, stack: &str, name: &str) -> Result<(), Problem> {
        let sent = (self.client.execute_change_set())
            .stack_name(stack)
            .change_set_name(name)
            .send()
            .await;
        sent.map(drop).map_err(|e| {
            let error = AwsError::new("cloudformation:ExecuteChangeSet", stack, e);
            self.context.problem(&format!("deploy the stack {stack}"), &error)
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
