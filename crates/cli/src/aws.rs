//! What the commands ask of AWS themselves, beyond what the adapters of the functions do: who they are
//! ([`session`]), code in a bucket ([`artifacts`]), stacks ([`stack`]), requests to the coordinator ([`coordinator`]).

use lifeboat_aws::AwsError;
use lifeboat_model::{Code, ErrorKind};

use crate::failure::Failure;

pub mod artifacts;
pub mod cloudformation;
pub mod coordinator;
pub mod session;
pub mod stack;
pub mod template;

/// Codes by which services say that the credentials themselves are no good, whatever is asked.
const BAD_CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthFailure",
];

/// A call that failed, as a user reads it. `doing` reads well after "failed to".
#[must_use]
pub fn failure(doing: &str, error: &AwsError) -> Failure {
    let named = error.code().is_some_and(|code| BAD_CREDENTIALS.contains(&code));
    // Refused without an answer: the SDK found nothing to sign with.
    let unsigned = error.kind() == ErrorKind::Denied && error.status().is_none();
    let told = format!("failed to {doing}");
    if named || unsigned {
        return Failure::of(Code::NoCredentials, told, error);
    }
    if error.kind() == ErrorKind::Denied {
        return Failure::of(Code::AwsDenied, told, error).remedy(format!(
            "allow these credentials {}, or use others with --profile, then run the same command again",
            error.action()
        ));
    }
    Failure::of(Code::AwsFailed, told, error)
}
