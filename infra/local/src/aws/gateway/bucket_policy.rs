//! Corrections: a bucket policy is evaluated as in AWS.
//!
//! - Clients use TLS with AWS, and plain HTTP on this machine. The gateway adds a header that says
//!   that TLS was terminated here, so that a policy of a bucket or a queue that denies
//!   `aws:SecureTransport` `false` allows them.
//! - The condition key `aws:PrincipalArn` of a role session is the ARN of the role (IAM User Guide,
//!   "AWS global condition context keys"). fakecloud compares the ARN of the session. So the
//!   gateway adds that form to the policy of a bucket at the first request of a role session to the
//!   bucket. A reader of such a policy sees both forms.
//! - A parameter of the type CommaDelimitedList is a list where a template refers to it
//!   (CloudFormation User Guide, "Parameters"). fakecloud writes it as one string, so a list of
//!   accounts in a principal is split at the same time.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::Value;

use super::identity::Identity;
use super::s3_actions::add_names;
use super::upstream::{Upstream, UpstreamError};
use super::wire::decode;
use crate::aws::arn::Arn;

/// Marks a request as received through TLS.
pub(crate) fn came_by_tls(headers: &mut HeaderMap) {
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
}

/// Reads the policy of the bucket that a request names; nothing if the bucket does not exist or has no policy.
pub(crate) async fn read(
    upstream: &Upstream,
    region: &str,
    parts: &Parts,
) -> Result<Option<(String, Value)>, UpstreamError> {
    let Some(bucket) = parts.uri.path().trim_start_matches('/').split('/').next() else {
        return Ok(None);
    };
    if bucket.is_empty() {
        return Ok(None);
    }
    let bucket = decode(bucket);
    let answer = upstream
        .ask_unchecked("s3", region, Request::get(format!("/{bucket}?policy")), "")
        .await?;
    Ok(answer.is_success().then(|| (bucket, answer.json())))
}

/// Adds the session's form and the names of [`super::s3_actions`] to the policy of a bucket where they are missing, if
/// the caller is the session of a role.
pub(crate) async fn admit_sessions(
    upstream: &Upstream,
    region: &str,
    caller: Option<&Identity>,
    (bucket, policy): (&str, &mut Value),
) -> Result<(), UpstreamError> {
    let is_session = caller.is_some_and(|caller| {
        Arn::parse(&caller.arn).is_some_and(|arn| arn.resource.starts_with("assumed-role/"))
    });
    if !is_session {
        return Ok(());
    }
    let changed = [add_sessions(policy), add_names(policy), split_principals(policy)];
    if changed == [false; 3] {
        return Ok(());
    }
    let path = format!("/{bucket}?policy");
    let answer = upstream
        .ask_unchecked("s3", region, Request::put(&path), policy.to_string())
        .await?;
    match answer.parts.status {
        status if status.is_success() => Ok(()),
        // The bucket was deleted in the meantime.
        StatusCode::NOT_FOUND => Ok(()),
        status => Err(UpstreamError::Refused {
            status,
            body: answer.text(),
        }),
    }
}

/// Adds the session's form of each role to the conditions with that role. Returns whether any was missing.
fn add_sessions(policy: &mut Value) -> bool {
    let mut changed = false;
    let Some(statements) = policy["Statement"].as_array_mut() else {
        return false;
    };
    for statement in statements {
        let Some(condition) = statement.get_mut("Condition").and_then(Value::as_object_mut) else {
            continue;
        };
        let keys = condition
            .values_mut()
            .filter_map(Value::as_object_mut)
            .flat_map(|keys| keys.iter_mut())
            .filter(|(key, _)| key.eq_ignore_ascii_case("aws:PrincipalArn"));
        for (_, value) in keys {
            let mut texts: Vec<Value> = match &*value {
                Value::Array(texts) => texts.clone(),
                text => vec![text.clone()],
            };
            let missing: Vec<Value> = texts
                .iter()
                .filter_map(|text| sessions_of(text.as_str()?).map(Value::from))
                .filter(|session| !texts.contains(session))
                .collect();
            changed |= !missing.is_empty();
            texts.extend(missing);
            *value = Value::Array(texts);
        }
    }
    changed
}

/// Splits a comma-separated string of accounts into a list. Returns whether there was any.
fn split_principals(policy: &mut Value) -> bool {
    let mut changed = false;
    for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
        let Some(named) = statement.pointer_mut("/Principal/AWS") else {
            continue;
        };
        let accounts: Vec<Value> = match named.as_str() {
            Some(text) if text.contains(',') => text.split(',').map(|id| id.trim().into()).collect(),
            _ => continue,
        };
        *named = Value::Array(accounts);
        changed = true;
    }
    changed
}

/// Returns a pattern that matches the sessions of a role; nothing if the ARN is not a role's.
fn sessions_of(role: &str) -> Option<String> {
    let arn = Arn::parse(role).filter(|arn| arn.service == "iam")?;
    // The ARN of a session does not include the path of its role.
    let name = arn.resource.strip_prefix("role/")?.rsplit('/').next()?;
    Some(format!(
        "arn:{}:sts::{}:assumed-role/{name}/*",
        arn.partition, arn.account
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_gets_its_sessions_once() {
        let mut policy = json!({ "Statement": [
            { "Condition": { "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::222222222222:role/path/R" } } },
            { "Condition": { "ArnLike": { "aws:PrincipalArn": ["arn:aws:iam::*:role/D-*"], "aws:SourceArn": "arn:aws:iam::1:role/x" } } },
            { "Condition": { "Bool": { "aws:SecureTransport": "false" } } },
            { "Effect": "Allow" },
        ]});
        assert!(add_sessions(&mut policy));
        let statements = &policy["Statement"];
        assert_eq!(
            statements[0]["Condition"]["ArnEquals"]["aws:PrincipalArn"],
            json!([
                "arn:aws:iam::222222222222:role/path/R",
                "arn:aws:sts::222222222222:assumed-role/R/*"
            ])
        );
        assert_eq!(
            statements[1]["Condition"]["ArnLike"]["aws:PrincipalArn"],
            json!(["arn:aws:iam::*:role/D-*", "arn:aws:sts::*:assumed-role/D-*/*"])
        );
        assert_eq!(
            statements[1]["Condition"]["ArnLike"]["aws:SourceArn"],
            "arn:aws:iam::1:role/x"
        );
        let before = policy.clone();
        assert!(!add_sessions(&mut policy));
        assert_eq!(policy, before);
    }

    #[test]
    fn a_list_of_accounts_is_one() {
        let mut policy = json!({"Statement": [
            {"Principal": {"AWS": "111111111111,222222222222"}},
            {"Principal": {"AWS": "arn:aws:iam::111111111111:root"}},
            {"Principal": "*"},
        ]});
        assert!(split_principals(&mut policy));
        assert_eq!(
            policy["Statement"][0]["Principal"]["AWS"],
            json!(["111111111111", "222222222222"])
        );
        assert_eq!(policy["Statement"][2]["Principal"], "*");
        assert!(!split_principals(&mut policy));
    }
}
