//! IAM enforcement for the services that fakecloud does not check: the gateway calls the policy
//! simulator before it forwards a request.
//!
//! Session policies and conditions on resource tags are not enforced here, because the simulator
//! does not evaluate them.

use http::{Response, StatusCode};

use super::identity::Identity;
use super::operation::{Need, Scope};
use super::upstream::{Upstream, UpstreamError};
use super::wire::{Body, answer, element, form, json_error};

/// The services for which fakecloud enforces IAM itself.
const ENFORCED_BY_FAKECLOUD: &[&str] = &[
    "dynamodb",
    "ecs",
    "elasticloadbalancing",
    "iam",
    "kms",
    "lambda",
    "organizations",
    "s3",
    "scheduler",
    "sns",
    "sqs",
    "sts",
];

/// Returns whether the gateway must enforce IAM for this service.
pub(crate) fn is_open(service: &str) -> bool {
    !ENFORCED_BY_FAKECLOUD.contains(&service)
}

/// Returns whether the caller's policies allow this.
pub(crate) async fn allows(
    upstream: &Upstream,
    caller: &Identity,
    region: &str,
    need: &Need,
) -> Result<bool, UpstreamError> {
    let source = caller.policy_source();
    if source.ends_with(":root") {
        return Ok(true);
    }
    let mut ask = vec![
        ("Action", "SimulatePrincipalPolicy"),
        ("Version", "2010-05-08"),
        ("PolicySourceArn", &source),
        ("ActionNames.member.1", &need.action),
        ("ResourceArns.member.1", &need.resource),
        ("ContextEntries.member.1.ContextKeyName", "aws:RequestedRegion"),
        ("ContextEntries.member.1.ContextKeyType", "string"),
        ("ContextEntries.member.1.ContextKeyValues.member.1", region),
    ];
    let names: Vec<[String; 3]> = (2..need.conditions.len() + 2).map(context_entry).collect();
    for ([name, kind, values], (key, value)) in names.iter().zip(&need.conditions) {
        ask.extend([(&**name, *key), (&**kind, "string"), (&**values, &**value)]);
    }
    let answer = upstream
        .query_as_administrator(caller.account(), "iam", region, form(&ask))
        .await?;
    if !answer.is_success() {
        return Err(UpstreamError::Refused {
            status: answer.parts.status,
            body: answer.text(),
        });
    }
    Ok(element(&answer.text(), "EvalDecision") == Some("allowed"))
}

/// Returns the parameters with the name, the type and the value of a condition key.
fn context_entry(number: usize) -> [String; 3] {
    ["ContextKeyName", "ContextKeyType", "ContextKeyValues.member.1"]
        .map(|field| format!("ContextEntries.member.{number}.{field}"))
}

/// Returns the response of a service to a caller without permission.
pub(crate) fn denied(scope: &Scope, caller: &Identity, need: &Need, is_query: bool) -> Response<Body> {
    let message = format!(
        "User: {} is not authorized to perform: {} on resource: {} because no identity-based policy allows the {} action",
        caller.arn, need.action, need.resource, need.action
    );
    refusal(scope, is_query, "AccessDenied", &message)
}

/// Returns the response to unknown keys.
pub(crate) fn unknown_keys(scope: &Scope, is_query: bool) -> Response<Body> {
    let message = "The security token included in the request is invalid";
    refusal(scope, is_query, "InvalidClientTokenId", message)
}

fn refusal(scope: &Scope, is_query: bool, code: &str, message: &str) -> Response<Body> {
    let escaped = message.replace('&', "&amp;").replace('<', "&lt;");
    if scope.service == "ec2" {
        let code = if code == "AccessDenied" {
            "UnauthorizedOperation"
        } else {
            "AuthFailure"
        };
        let body = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{escaped}</Message></Error></Errors>\
             <RequestID>lifeboat-local</RequestID></Response>"
        );
        return answer(StatusCode::FORBIDDEN, "text/xml", body);
    }
    if is_query {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escaped}</Message></Error>\
             <RequestId>lifeboat-local</RequestId></ErrorResponse>"
        );
        return answer(StatusCode::FORBIDDEN, "text/xml", body);
    }
    let code = if code == "AccessDenied" {
        "AccessDeniedException"
    } else {
        "UnrecognizedClientException"
    };
    // EKS and EFS respond with 403, the services with the older JSON protocol with 400.
    let status = if matches!(scope.service.as_str(), "eks" | "elasticfilesystem") {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::BAD_REQUEST
    };
    json_error(status, code, message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[test]
    fn the_services_without_enforcement_are_asked_for() {
        for service in [
            "eks",
            "cloudformation",
            "events",
            "ec2",
            "ecr",
            "logs",
            "monitoring",
        ] {
            assert!(is_open(service), "{service}");
        }
        for service in ["s3", "kms", "lambda", "iam", "sts", "sns"] {
            assert!(!is_open(service), "{service}");
        }
    }

    #[tokio::test]
    async fn each_protocol_gets_its_own_words() {
        let caller = Identity {
            arn: "arn:aws:sts::111111111111:assumed-role/R/s".into(),
        };
        for (service, is_query, status, code) in [
            ("eks", false, 403, "AccessDeniedException"),
            ("elasticfilesystem", false, 403, "AccessDeniedException"),
            ("events", false, 400, "AccessDeniedException"),
            ("cloudformation", true, 403, "<Code>AccessDenied</Code>"),
            ("ec2", true, 403, "<Code>UnauthorizedOperation</Code>"),
        ] {
            let scope = Scope {
                access_key_id: "FSIA1".into(),
                region: "eu-west-1".into(),
                service: service.into(),
            };
            let need = Need {
                action: format!("{service}:Do"),
                resource: "*".into(),
                conditions: Vec::new(),
            };
            let answer = denied(&scope, &caller, &need, is_query);
            assert_eq!(answer.status().as_u16(), status, "{service}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains(code), "{body}");
            assert!(body.contains("is not authorized to perform"), "{body}");
        }
    }
}
