//! Corrections: STS accepts a presigned GetCallerIdentity, and allows GetCallerIdentity to every caller.
//!
//! The presigned request is signed over the hash of an empty body. fakecloud treats it as a request
//! to S3, whose body is unsigned, unless a header has the signed hash.
//!
//! The operation needs no permission in AWS, whatever the policies are. fakecloud checks IAM after
//! it verifies the signature. Its refusal contains the caller's ARN, from which the response of AWS
//! is built here.

use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use super::operation::Scope;
use super::upstream::{Answer, Upstream, UpstreamError};
use super::wire::{element, form, parameter};
use crate::aws::arn::{self, Arn};

/// The SHA-256 hash of empty input.
pub(crate) const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Adds the header where it is missing.
pub(crate) fn correct(scope: &Scope, parts: &mut Parts) {
    let presigned = parameter(parts.uri.query().unwrap_or_default(), "X-Amz-Signature").is_some();
    if scope.service == "sts" && presigned {
        parts
            .headers
            .insert("x-amz-content-sha256", HeaderValue::from_static(OF_NOTHING));
    }
}

/// Returns the response of AWS to a GetCallerIdentity that fakecloud refused for a missing
/// permission; any other response is returned unchanged.
pub(crate) async fn identify(
    upstream: &Upstream,
    region: &str,
    mut answer: Answer,
) -> Result<Answer, UpstreamError> {
    let text = answer.text();
    let Some(caller) = refused_caller(&text).filter(|_| answer.parts.status == StatusCode::FORBIDDEN) else {
        return Ok(answer);
    };
    let user_id = user_id(upstream, region, caller).await?;
    answer.body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{caller}</Arn><UserId>{user_id}</UserId><Account>{}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>lifeboat-local</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        arn::account(caller)
    )
    .into();
    answer.parts.status = StatusCode::OK;
    answer
        .parts
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Ok(answer)
}

/// Returns the caller's ARN from a refusal, if it is a refusal of this operation for this reason.
fn refused_caller(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("User: ")?;
    let (caller, rest) = rest.split_once(' ')?;
    rest.starts_with("is not authorized to perform: sts:GetCallerIdentity ")
        .then_some(caller)
}

/// Returns the unique id from IAM of a role or user, with the session's name appended for a role.
async fn user_id(upstream: &Upstream, region: &str, caller: &str) -> Result<String, UpstreamError> {
    let Some(parsed) = Arn::parse(caller) else {
        return Ok(String::new());
    };
    let mut segments = parsed.resource.split('/');
    let is_session = segments.next() == Some("assumed-role");
    let (action, parameter, id) = if is_session {
        ("GetRole", "RoleName", "RoleId")
    } else {
        ("GetUser", "UserName", "UserId")
    };
    let name = if is_session {
        segments.next()
    } else {
        segments.next_back()
    };
    let ask = form(&[
        ("Action", action),
        ("Version", "2010-05-08"),
        (parameter, name.unwrap_or_default()),
    ]);
    let found = upstream
        .query_as_administrator(parsed.account, "iam", region, ask)
        .await?;
    let text = found.text();
    let id = element(&text, id).unwrap_or_default();
    Ok(if is_session {
        format!("{id}:{}", arn::session_name(caller))
    } else {
        id.to_owned()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_of_this_operation_names_the_caller() {
        let arn = "arn:aws:sts::111111111111:assumed-role/R/me@x";
        let refusal = |action: &str| {
            format!("<Message>User: {arn} is not authorized to perform: {action} on resource: *</Message>")
        };
        assert_eq!(refused_caller(&refusal("sts:GetCallerIdentity")), Some(arn));
        assert_eq!(refused_caller(&refusal("sts:AssumeRole")), None);
        assert_eq!(refused_caller("<Code>SignatureDoesNotMatch</Code>"), None);
    }

    #[test]
    fn only_presigned_requests_of_sts_get_the_header() {
        for (service, uri, expected) in [
            ("sts", "/?Action=GetCallerIdentity&X-Amz-Signature=1", true),
            ("sts", "/", false),
            ("s3", "/b/k?X-Amz-Signature=1", false),
        ] {
            let mut parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
            let scope = Scope {
                access_key_id: "FSIA1".into(),
                region: "eu-west-1".into(),
                service: service.into(),
            };
            correct(&scope, &mut parts);
            assert_eq!(
                parts.headers.contains_key("x-amz-content-sha256"),
                expected,
                "{uri}"
            );
        }
    }
}
