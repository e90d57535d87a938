//! Calls that only read, and what they were refused.
//!
//! A description of an account is useful without the parts that the caller may not read, if it says which these are.
//! [`Reads::call`] turns such an answer into a [`Refusal`] and goes on; throttling, an outage or invalid credentials
//! concern every call, and end the walk.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use lifeboat_model::ErrorKind;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde_json::{Map, Value};

use crate::AwsError;

/// The code of a refusal for a value that this version does not know, such as a new type of image of nodes.
pub const UNKNOWN_VALUE: &str = "UnknownValue";
/// The code of a refusal for a policy that is not JSON, as IAM calls it.
pub const MALFORMED_POLICY: &str = "MalformedPolicyDocument";
/// The code of a refusal for an answer that lacks a field that it must have.
pub const INCOMPLETE_ANSWER: &str = "IncompleteAnswer";
/// The code of a refusal for a resource that an answer lacks, though it was asked for.
pub const NOT_FOUND: &str = "NotFound";

/// An action of IAM, which one call of a service needs: `ec2:DescribeVpcs`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(&'static str);

impl Action {
    /// Names an action. [`crate::actions!`] makes the table of a crate.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Returns the name of the action.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Defines constants of [`Action`] for a crate, and the list of their names.
#[macro_export]
macro_rules! actions {
    ($(#[$doc:meta])* $vis:vis $list:ident { $($name:ident = $action:literal,)* }) => {
        $(pub(crate) const $name: $crate::reads::Action = $crate::reads::Action::new($action);)*
        $(#[$doc])*
        $vis const $list: &[&str] = &[$($action,)*];
    };
}

/// What a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The ARN or id of the resource, or the type as CloudFormation names it, such as `AWS::IAM::Role`.
    pub resource: String,
    /// The action, such as `iam:GetRole`.
    pub call: &'static str,
    /// The error code of the service, such as `AccessDenied`, or one of this module.
    pub code: String,
}

/// Calls that only read, and what they were refused.
#[derive(Debug, Default)]
pub struct Reads {
    refused: Mutex<BTreeSet<Refusal>>,
}

impl Reads {
    /// Creates a reader that was refused nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request. `None` if the service refuses it, which is noted under `on`: the ARN or id of the resource, or
    /// its type.
    ///
    /// # Errors
    /// [`AwsError`] if the service throttles or does not answer, after the retries of the SDK, or if the credentials
    /// are missing or invalid.
    pub async fn call<T, E>(
        &self,
        action: Action,
        on: &str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, AwsError>
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        self.call_unless(action, on, &[], request).await
    }

    /// Like [`Reads::call`], where the error codes `absent` only say that there is no such thing: a repository without
    /// a policy. They are not noted.
    ///
    /// # Errors
    /// As [`Reads::call`].
    pub async fn call_unless<T, E>(
        &self,
        action: Action,
        on: &str,
        absent: &[&str],
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, AwsError>
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let error = match request.await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => AwsError::new(action.name(), on, error),
        };
        let code = match error.code() {
            Some(code) if absent.contains(&code) => return Ok(None),
            Some(code) => code.to_owned(),
            // No answer of the service, or one that names no error.
            None if error.status().is_none() => return Err(error),
            None => format!("HttpStatus{}", error.status().unwrap_or_default()),
        };
        if error.kind() == ErrorKind::Retry || error.is_about_credentials() {
            return Err(error);
        }
        self.refuse(action, on, code);
        Ok(None)
    }

    /// Notes that a resource cannot be described.
    pub fn refuse(&self, action: Action, on: impl Into<String>, code: impl Into<String>) {
        let refusal = Refusal {
            resource: on.into(),
            call: action.name(),
            code: code.into(),
        };
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(refusal);
    }

    /// Returns the place where the conversion of an answer notes values that it cannot keep.
    #[must_use]
    pub fn answer<'a>(&'a self, action: Action, on: &'a str) -> Answer<'a> {
        Answer {
            reads: self,
            action,
            on,
        }
    }

    /// Returns what was refused, sorted.
    #[must_use]
    pub fn refused(&self) -> Vec<Refusal> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().cloned().collect()
    }
}

/// The answer of a call about one resource, while it is converted.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    reads: &'a Reads,
    action: Action,
    on: &'a str,
}

impl Answer<'_> {
    /// Converts a value of an enumeration by its spelling in the API. A value that is not known is noted.
    #[must_use]
    pub fn spelled<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let known = spelled(text);
        if known.is_none() {
            self.reads.refuse(self.action, self.on, UNKNOWN_VALUE);
        }
        known
    }

    /// Parses a policy. One that is not JSON is noted; its text is not, because policies may hold secrets.
    #[must_use]
    pub fn policy(&self, text: &str) -> Option<Value> {
        let policy = serde_json::from_str(text).ok();
        if policy.is_none() {
            self.reads.refuse(self.action, self.on, MALFORMED_POLICY);
        }
        policy
    }

    /// Returns what was converted. Nothing means that the answer lacks what it must have, which is noted.
    #[must_use]
    pub fn needed<T>(&self, converted: Option<T>) -> Option<T> {
        if converted.is_none() {
            self.incomplete();
        }
        converted
    }

    /// Notes that the answer lacks what it must have.
    pub fn incomplete(&self) {
        self.reads.refuse(self.action, self.on, INCOMPLETE_ANSWER);
    }
}

/// Returns the value of an enumeration that has this spelling in the API.
#[must_use]
pub fn spelled<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<ValueError>::new(text)).ok()
}

/// Returns a copy that the description owns.
#[must_use]
pub fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Returns a number that the API cannot return as negative.
#[must_use]
pub fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

/// Returns an object of the fields that are present. `None` if none is.
#[must_use]
pub fn fields<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Option<Value> {
    let present = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let present: Map<String, Value> = present.collect();
    (!present.is_empty()).then_some(Value::Object(present))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_sdk_s3::primitives::SdkBody;
    use serde::Deserialize;

    use super::*;

    const ACTION: Action = Action::new("s3:GetObject");

    fn refusal(status: u16, code: Option<&str>) -> SdkError<GetObjectError, HttpResponse> {
        let metadata = ErrorMetadata::builder().message("hunter2");
        let metadata = match code {
            Some(code) => metadata.code(code).build(),
            None => metadata.build(),
        };
        let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        SdkError::service_error(GetObjectError::generic(metadata), raw)
    }

    fn now<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(work)
    }

    #[test]
    fn what_is_refused_is_noted_and_what_concerns_every_call_is_an_error() {
        for (status, code, is_error) in [
            (403, Some("AccessDenied"), false),
            (403, Some("UnauthorizedOperation"), false),
            (400, Some("AccessDeniedException"), false),
            (400, Some("InvalidVpcID.NotFound"), false),
            (404, Some("NoSuchEntity"), false),
            (400, Some("ValidationException"), false),
            (418, None, false),
            (400, Some("ThrottlingException"), true),
            (503, Some("RequestLimitExceeded"), true),
            (500, None, true),
            (403, Some("ExpiredToken"), true),
            (401, Some("AuthFailure"), true),
        ] {
            let reads = Reads::new();
            let answer = now(reads.call(ACTION, "key", async { Err::<(), _>(refusal(status, code)) }));
            assert_eq!(answer.is_err(), is_error, "{status} {code:?}");
            let expected = Refusal {
                resource: "key".to_owned(),
                call: "s3:GetObject",
                code: code.unwrap_or("HttpStatus418").to_owned(),
            };
            let expected = if is_error { vec![] } else { vec![expected] };
            assert_eq!(reads.refused(), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn what_does_not_exist_is_not_noted_where_it_need_not_exist() {
        let reads = Reads::new();
        let missing = async { Err::<(), _>(refusal(404, Some("NoSuchKey"))) };
        let answer = now(reads.call_unless(ACTION, "key", &["NoSuchKey"], missing));
        assert!(answer.unwrap().is_none());
        assert!(reads.refused().is_empty());
    }

    #[test]
    fn values_that_cannot_be_kept_are_noted_without_their_text() {
        #[derive(Debug, PartialEq, Deserialize)]
        enum Known {
            #[serde(rename = "AL2023_x86_64_STANDARD")]
            Al2023,
        }
        let reads = Reads::new();
        let answer = reads.answer(ACTION, "key");
        assert_eq!(answer.spelled("AL2023_x86_64_STANDARD"), Some(Known::Al2023));
        assert!(answer.policy("{}").is_some() && reads.refused().is_empty());
        assert_eq!(answer.spelled::<Known>("AL2033"), None);
        assert_eq!(answer.policy("hunter2"), None);
        let codes: Vec<String> = reads.refused().into_iter().map(|refusal| refusal.code).collect();
        assert_eq!(codes, [MALFORMED_POLICY, UNKNOWN_VALUE]);
    }
}
