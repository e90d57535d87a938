//! Credentials for the local AWS, and request signing.

use std::fmt;
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::Request;

/// The keys of a user or of a role session. They are valid only in the local AWS, yet their `Debug`
/// output has no secrets, so that tests can check the logs for them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id, which identifies the caller.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The token of a role session; nothing for a user.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Returns the environment variables that every AWS client reads, for a command that runs as this caller.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", self.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.as_str()),
        ];
        if let Some(token) = &self.session_token {
            variables.push(("AWS_SESSION_TOKEN", token));
        }
        variables
    }
}

/// The error of signing a request.
#[derive(Debug, thiserror::Error)]
#[error("failed to sign the request")]
pub(crate) struct SignError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Signs a request in its headers (Signature Version 4). The request must have a `Host` header,
/// because the signature covers it.
pub(crate) fn sign_request(
    request: &mut Request<Bytes>,
    credentials: &Credentials,
    service: &str,
    region: &str,
) -> Result<(), SignError> {
    let wrap = |error: Box<dyn std::error::Error + Send + Sync>| SignError(error);
    let identity = aws_credential_types::Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        credentials.session_token.clone(),
        None,
        "lifeboat-local",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| wrap(error.into()))?
        .into();
    let headers: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let uri = request.uri().to_string();
    let signable = SignableRequest::new(
        request.method().as_str(),
        &uri,
        headers.into_iter(),
        SignableBody::Bytes(request.body()),
    )
    .map_err(|error| wrap(error.into()))?;
    let (instructions, _) = sign(signable, &params)
        .map_err(|error| wrap(error.into()))?
        .into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

/// Returns the time of this machine, which is also the time of the local AWS.
pub(crate) fn now() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the local AWS plays the outside world, whose clock is the machine's"
    )]
    SystemTime::now()
}

/// Returns the seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "FKIAEXAMPLE".into(),
            secret_access_key: "verysecret".into(),
            session_token: Some("alsosecret".into()),
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", credentials());
        assert!(shown.contains("FKIAEXAMPLE"));
        assert!(!shown.contains("secret") || !shown.contains("verysecret"));
        assert!(!shown.contains("alsosecret"));
    }

    #[test]
    fn a_signed_request_names_its_signer_and_scope() {
        let mut request = Request::post("http://127.0.0.1:1/")
            .header("host", "127.0.0.1:1")
            .body(Bytes::from_static(b"Action=GetCallerIdentity"))
            .unwrap();
        sign_request(&mut request, &credentials(), "sts", "eu-west-1").unwrap();
        let header = request.headers()["authorization"].to_str().unwrap();
        assert!(header.contains("Credential=FKIAEXAMPLE/"), "{header}");
        assert!(header.contains("/eu-west-1/sts/aws4_request"), "{header}");
        assert_eq!(request.headers()["x-amz-security-token"], "alsosecret");
    }
}
