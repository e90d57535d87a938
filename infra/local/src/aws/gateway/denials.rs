//! Correction: what a bucket policy denies.
//!
//! fakecloud does not know the condition keys `s3:if-none-match`, `s3:if-match`, `s3:ObjectCreationOperation` and
//! `s3:TlsVersion`, and it takes the deletion of a version for that of an object. So the gateway evaluates the Deny
//! statements of a bucket's policy itself, before it forwards a request; a condition with an unknown operator counts as
//! met. So the message also says that a policy of the bucket denies, as that of AWS does.

use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::Value;

use super::identity::Identity;
use super::operation::Need;
use super::wire::{Body, answer, parameter};

/// Returns the `Sid` of a statement that denies the request, if any.
pub(crate) fn denying(policy: &Value, caller: &Identity, needs: &[Need], parts: &Parts) -> Option<String> {
    let caller = Some(caller);
    let mut statements = Statement::all(policy);
    let found = statements.find(|statement| {
        statement.has_effect("Deny")
            && is_named(statement.principal(), caller)
            && needs.iter().any(|need| {
                statement.concerns(need) && conditions_hold(statement.condition(), caller, need, parts, true)
            })
    })?;
    Some(found.0["Sid"].as_str().unwrap_or_default().to_owned())
}

/// Returns the response of S3 to a request that a policy denies. `why` is the end of the message, which names the kind of the
/// policy (IAM User Guide, "Troubleshoot access denied error messages").
pub(crate) fn refusal(caller: Option<&Identity>, need: &Need, why: &str) -> Response<Body> {
    let message = format!(
        "User: {} is not authorized to perform: {} on resource: \"{}\" {why}",
        caller.map_or("anonymous", |caller| caller.arn.as_str()),
        need.action,
        need.resource,
    );
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    );
    answer(StatusCode::FORBIDDEN, "application/xml", body)
}

/// A statement of a policy.
#[derive(Clone, Copy)]
pub(super) struct Statement<'a>(&'a Value);

impl<'a> Statement<'a> {
    /// Iterates over the statements of a policy. A single one needs no list.
    pub(super) fn all(policy: &'a Value) -> impl Iterator<Item = Self> {
        items(&policy["Statement"]).iter().map(Self)
    }

    pub(super) fn has_effect(self, effect: &str) -> bool {
        self.0["Effect"] == effect
    }

    pub(super) fn principal(self) -> &'a Value {
        &self.0["Principal"]
    }

    pub(super) fn condition(self) -> &'a Value {
        &self.0["Condition"]
    }

    /// Returns whether the statement is about this action on this resource.
    pub(super) fn concerns(self, need: &Need) -> bool {
        // Names of actions are not case-sensitive.
        let action = need.action.to_ascii_lowercase();
        let is_action = |pattern: &str| is_like(&action, &pattern.to_ascii_lowercase());
        let is_resource = |pattern: &str| is_like(&need.resource, pattern);
        let is_in = |name: &str, is: &dyn Fn(&str) -> bool| match &self.0[format!("Not{name}")] {
            Value::Null => texts(&self.0[name]).any(is),
            excluded => !texts(excluded).any(is),
        };
        is_in("Action", &is_action) && is_in("Resource", &is_resource)
    }
}

/// Returns whether a principal is everybody, or the caller by its account, its role or itself.
pub(super) fn is_named(principal: &Value, caller: Option<&Identity>) -> bool {
    if *principal == "*" {
        return true;
    }
    let is_caller = |named: &str, caller: &Identity| {
        let account = caller.account();
        named == account
            || named == caller.arn
            || named == caller.policy_source()
            || named.ends_with(&format!("::{account}:root"))
    };
    texts(&principal["AWS"])
        .any(|named| named == "*" || caller.is_some_and(|caller| is_caller(named, caller)))
}

/// Returns whether all conditions of a statement are met. One with an operator that is not known here is met if `unknown` is
/// true.
pub(super) fn conditions_hold(
    condition: &Value,
    caller: Option<&Identity>,
    need: &Need,
    parts: &Parts,
    unknown: bool,
) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    let mut entries = operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, wanted)| (operator.as_str(), key, wanted))
    });
    entries.all(|(operator, key, wanted)| {
        let value = value_of(key, caller, need, parts);
        let wanted = texts(wanted).collect::<Vec<_>>();
        holds(operator, value.as_deref(), &wanted).unwrap_or(unknown)
    })
}

/// Returns the value of a condition key in the context of the request.
fn value_of(key: &str, caller: Option<&Identity>, need: &Need, parts: &Parts) -> Option<String> {
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let account = || Some(caller?.account().to_owned());
    match key.to_ascii_lowercase().as_str() {
        "aws:principalarn" => Some(caller?.policy_source()),
        "aws:principalaccount" => account(),
        // The bucket is in the account that the request expects, else in that of the caller.
        "s3:resourceaccount" | "aws:resourceaccount" => {
            header("x-amz-expected-bucket-owner").or_else(account)
        }
        // Clients use TLS with AWS, and plain HTTP on this machine.
        "aws:securetransport" => Some("true".to_owned()),
        "s3:tlsversion" => Some("1.3".to_owned()),
        "s3:if-none-match" => header("if-none-match"),
        "s3:if-match" => header("if-match"),
        "s3:objectcreationoperation" if need.action == "s3:PutObject" => {
            Some(creates_object(parts).to_string())
        }
        _ => None,
    }
}

/// Returns whether an operation that needs `s3:PutObject` makes an object visible, and takes a conditional header.
fn creates_object(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let is_part = parameter(query, "uploadId").is_some();
    match parts.method {
        Method::POST => is_part,
        _ => !is_part,
    }
}

/// Evaluates one condition as IAM does: a negated operator holds for a key that is absent, every other one does not
/// (IAM User Guide, "Condition operators"). Returns nothing for an operator that is not known here.
fn holds(operator: &str, value: Option<&str>, wanted: &[&str]) -> Option<bool> {
    let any = |is: &dyn Fn(&str, &str) -> bool| {
        value.is_some_and(|value| wanted.iter().any(|wanted| is(value, wanted)))
    };
    let is_met = match operator {
        "Null" => wanted.contains(&if value.is_none() { "true" } else { "false" }),
        "Bool" | "StringEquals" => any(&|value, wanted| value == wanted),
        "StringLike" | "ArnLike" | "ArnEquals" => any(&is_like),
        "StringNotEquals" => !any(&|value, wanted| value == wanted),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !any(&is_like),
        "NumericLessThan" => any(&|value, wanted| {
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
            number(value) < number(wanted)
        }),
        _ => return None,
    };
    Some(is_met)
}

/// Returns whether a text matches an IAM pattern: `*` is any text, `?` any character.
fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| is_like(&text[at..], rest))
        }
        Some(wanted) => {
            let mut characters = text.chars();
            characters
                .next()
                .is_some_and(|found| wanted == '?' || found == wanted)
                && is_like(characters.as_str(), &pattern[wanted.len_utf8()..])
        }
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).iter().filter_map(Value::as_str)
}

/// Returns the items of a list; a single value is a list of itself.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::super::operation::{Scope, needs};
    use super::*;

    const WRITER: &str = "arn:aws:sts::222222222222:assumed-role/Writer/f";

    fn policy() -> Value {
        let bucket = "arn:aws:s3:::vault";
        json!({"Statement": [
            {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [bucket, format!("{bucket}/*")],
             "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
            {"Sid": "Others", "Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject", "s3:DeleteObject"],
             "Resource": format!("{bucket}/*"),
             "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/Writer"}}},
            {"Sid": "Once", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("{bucket}/*"),
             "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}},
            {"Sid": "Versions", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:DeleteObjectVersion",
             "Resource": format!("{bucket}/*")},
            {"Sid": "Settings", "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketPolicy", "Resource": bucket,
             "Condition": {"StringNotEquals": {"aws:CalledViaLast": "cloudformation.amazonaws.com"}}},
            {"Sid": "Reads", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{bucket}/*")},
        ]})
    }

    fn found(arn: &str, method: Method, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::builder().method(method).uri(uri).header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=K/20261121/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        );
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let needs = needs(&Scope::of(&parts).unwrap(), "", &parts, &[]);
        let caller = Identity { arn: arn.to_owned() };
        denying(&policy(), &caller, &needs, &parts)
    }

    #[test]
    fn a_policy_denies_what_aws_would_deny() {
        let stranger = "arn:aws:iam::222222222222:user/Writer";
        let once = [("if-none-match", "*")];
        for (arn, method, uri, headers, denied) in [
            (WRITER, Method::PUT, "/vault/k", &once[..], None),
            (WRITER, Method::PUT, "/vault/k", &[], Some("Once")),
            (
                WRITER,
                Method::PUT,
                "/vault/k",
                &[("if-match", "\"1\"")],
                Some("Once"),
            ),
            (WRITER, Method::POST, "/vault/k?uploads", &[], None),
            (WRITER, Method::PUT, "/vault/k?partNumber=1&uploadId=u", &[], None),
            (WRITER, Method::POST, "/vault/k?uploadId=u", &[], Some("Once")),
            (WRITER, Method::POST, "/vault/k?uploadId=u", &once, None),
            (WRITER, Method::DELETE, "/vault/k", &[], None),
            (
                WRITER,
                Method::DELETE,
                "/vault/k?versionId=v",
                &[],
                Some("Versions"),
            ),
            (WRITER, Method::PUT, "/vault?policy", &[], Some("Settings")),
            (WRITER, Method::GET, "/vault/k", &[], None),
            (stranger, Method::PUT, "/vault/k", &once, Some("Others")),
            (stranger, Method::DELETE, "/vault/k", &[], Some("Others")),
            (stranger, Method::GET, "/vault/k", &[], None),
            (stranger, Method::PUT, "/other/k", &[], None),
        ] {
            let what = format!("{arn} {method} {uri}");
            assert_eq!(found(arn, method, uri, headers).as_deref(), denied, "{what}");
        }
    }

    #[test]
    fn a_negated_operator_holds_for_a_key_that_is_absent() {
        assert_eq!(holds("IpAddress", None, &["192.0.2.0/24"]), None);
        assert_eq!(holds("StringNotEquals", None, &["a"]), Some(true));
        assert_eq!(holds("StringEquals", None, &["a"]), Some(false));
        assert_eq!(holds("NumericLessThan", Some("1.1"), &["1.2"]), Some(true));
        assert_eq!(holds("NumericLessThan", Some("1.3"), &["1.2"]), Some(false));
    }
}
