//! Addition: the deletion of a stack fails if EKS does not delete a cluster of it.
//!
//! fakecloud deletes what EKS protects. CloudFormation ends such a deletion with `DELETE_FAILED`; of a stack in this state
//! nothing but another deletion is possible
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>). It has deleted what depends on
//! the cluster before; here everything stays.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Stacks, escaped, named};
use crate::aws::gateway::Gateway;
use crate::aws::gateway::eks::protection;
use crate::aws::gateway::upstream::{Answer, UpstreamError};
use crate::aws::gateway::wire::element;

/// Why a stack was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Undeleted {
    /// The logical id of the cluster.
    pub(super) resource: String,
    /// The message of the resource's handler.
    pub(super) reason: String,
    /// The number of the deletion: each has an event of its own.
    pub(super) attempt: u32,
}

impl Stacks {
    /// Answers a request to delete a stack with a protected cluster, and one to change a stack whose deletion has failed.
    pub(crate) async fn protect(
        gateway: &Gateway,
        account: &str,
        region: &str,
        action: &str,
        form: &str,
    ) -> Result<Option<Answer>, UpstreamError> {
        let name = named(form, "StackName");
        let key = (region.to_owned(), name.clone());
        let Some(stack) = gateway.stacks.lock().get(&key).cloned() else {
            return Ok(None);
        };
        match action {
            "cloudformation:DeleteStack" => {}
            "cloudformation:CreateChangeSet" | "cloudformation:UpdateStack" if stack.undeleted.is_some() => {
                let message = format!("Stack:{name} is in DELETE_FAILED state and can not be updated.");
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>{message}</Message>\
                     </Error><RequestId>lifeboat-local</RequestId></ErrorResponse>"
                );
                return Ok(Some(answer(StatusCode::BAD_REQUEST, body)));
            }
            _ => return Ok(None),
        }
        let mut undeleted = None;
        for cluster in &stack.clusters {
            if let Some(message) = protection::refusal(gateway, account, region, &cluster.name).await? {
                undeleted = Some(Undeleted {
                    resource: cluster.resource.clone(),
                    attempt: stack.undeleted.as_ref().map_or(1, |before| before.attempt + 1),
                    reason: format!(
                        "Resource handler returned message: \"{message} (Service: Eks, Status Code: 400, Error Code: {})\" \
                         (HandlerErrorCode: InvalidRequest)",
                        protection::ERROR
                    ),
                });
            }
        }
        let is_refused = undeleted.is_some();
        if let Some(stack) = gateway.stacks.lock().get_mut(&key) {
            stack.undeleted = undeleted;
        }
        let body = "<DeleteStackResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
                    <ResponseMetadata><RequestId>lifeboat-local</RequestId></ResponseMetadata></DeleteStackResponse>";
        Ok(is_refused.then(|| answer(StatusCode::OK, body.to_owned())))
    }

    /// Returns a stack of a response as one whose deletion has failed; `None` if it has not.
    pub(super) fn undeleted_stack(&self, region: &str, member: &str) -> Option<String> {
        let undeleted = self.undeleted(region, member)?;
        let status = element(member, "StackStatus")?;
        let from = format!("<StackStatus>{status}</StackStatus>");
        let to = format!(
            "<StackStatus>DELETE_FAILED</StackStatus><StackStatusReason>The following resource(s) failed to delete: [{}]. \
             </StackStatusReason>",
            undeleted.resource
        );
        Some(member.replacen(&from, &to, 1))
    }

    /// Returns the events of a stack with that of its cluster, if its deletion has failed.
    pub(super) fn with_undeleted_event(&self, region: &str, xml: &str) -> Option<String> {
        let undeleted = self.undeleted(region, xml)?;
        let text = |name: &str| element(xml, name).unwrap_or_default();
        let event = format!(
            "<StackEvents><member><EventId>{resource}-DELETE_FAILED-{}</EventId><StackId>{}</StackId><StackName>{}</StackName>\
             <LogicalResourceId>{resource}</LogicalResourceId><ResourceType>AWS::EKS::Cluster</ResourceType>\
             <ResourceStatus>DELETE_FAILED</ResourceStatus><ResourceStatusReason>{}</ResourceStatusReason>\
             <Timestamp>{}</Timestamp></member>",
            undeleted.attempt,
            text("StackId"),
            text("StackName"),
            escaped(&undeleted.reason),
            text("Timestamp"),
            resource = undeleted.resource
        );
        Some(xml.replacen("<StackEvents>", &event, 1))
    }

    /// Returns why the stack that a response names first was not deleted.
    fn undeleted(&self, region: &str, xml: &str) -> Option<Undeleted> {
        let key = (region.to_owned(), element(xml, "StackName")?.to_owned());
        self.lock().get(&key)?.undeleted.clone()
    }
}

fn answer(status: StatusCode, body: String) -> Answer {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let (mut parts, ()) = response.into_parts();
    let xml = http::HeaderValue::from_static("text/xml");
    parts.headers.insert(http::header::CONTENT_TYPE, xml);
    Answer {
        parts,
        body: Bytes::from(body),
    }
}
