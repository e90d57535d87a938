//! Errors of requests, by type and status.

use std::error::Error as StdError;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use lifeboat_store::ports::TokenError;
use lifeboat_system::retry::Backoff;
use serde::Deserialize;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A request without a usable response.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection could be made, so the request was not sent.
    #[error("connect to {server}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// The network error.
        #[source]
        cause: BoxError,
    },
    /// The server's certificate is not trusted by the kubeconfig.
    #[error("trust the certificate of {server}")]
    UntrustedCertificate {
        /// The server's address.
        server: String,
        /// What is wrong with the certificate.
        #[source]
        cause: rustls::Error,
    },
    /// The connection was closed during the response. Whether a write took effect is unknown.
    #[error("receive the complete response to {path}")]
    Interrupted {
        /// The path of the request.
        path: String,
        /// The network error.
        #[source]
        cause: BoxError,
    },
    /// The server responded with a status other than 2xx.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A proxy has compressed the response, although compression was not requested.
    #[error(
        "read {path}: the response has the unexpected content-encoding {encoding}; a proxy may have added it"
    )]
    Encoded {
        /// The path of the request.
        path: String,
        /// The content encoding.
        encoding: String,
    },
    /// The response is not that of a Kubernetes API server.
    #[error("read {path} as a response of a Kubernetes API server: {why}")]
    NotKubernetes {
        /// The path of the request.
        path: String,
        /// The form of the response; never its content.
        why: String,
    },
    /// The response exceeds the size limit for responses in memory.
    #[error("read {path}: the response is larger than {cap} bytes")]
    TooLarge {
        /// The path of the request.
        path: String,
        /// The limit in bytes.
        cap: usize,
    },
    /// The credentials of the kubeconfig could not be used.
    #[error("use the credentials of the kubeconfig: {why}")]
    Credentials {
        /// What is wrong, without anything that a credential plugin printed: that may be a token.
        why: String,
    },
    /// A request that cannot be built.
    #[error("build a request for {path}")]
    Request {
        /// The path as given by the caller.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: http::Error,
    },
}

/// An error response of an API server: a `Status` object, or another body in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {path}: the API server answered {status}{}{}", verb(.method, .path), space(.reason), colon(.message))]
pub struct Refusal {
    /// The method of the request.
    pub method: Method,
    /// The path of the request.
    pub path: String,
    /// The HTTP status.
    pub status: u16,
    /// The reason of the `Status` object, such as `Forbidden`; empty without one.
    pub reason: String,
    /// The message of the `Status` object; empty without one.
    pub message: String,
    /// Whether the body was a `Status` object. A proxy or load balancer sends other bodies.
    pub is_status: bool,
    /// The delay that the server asks for.
    pub retry_after: Option<Duration>,
    /// The token with which an expired list can continue at a newer resourceVersion (`metadata.continue` of
    /// the `Status`).
    pub continue_token: Option<String>,
    /// The reasons in `details.causes`, such as `ResourceVersionTooLarge`.
    pub causes: Vec<String>,
}

fn verb<'a>(method: &'a Method, _path: &str) -> &'a str {
    match *method {
        Method::GET => "read",
        Method::POST => "create in",
        Method::PUT => "replace",
        Method::PATCH => "change",
        Method::DELETE => "delete",
        _ => method.as_str(),
    }
}

fn space(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(" {reason}")
    }
}

fn colon(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusBody {
    kind: String,
    reason: String,
    message: String,
    metadata: StatusMetadata,
    details: Option<StatusDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusMetadata {
    r#continue: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct StatusDetails {
    retry_after_seconds: Option<u64>,
    causes: Vec<StatusCause>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusCause {
    reason: String,
}

impl Refusal {
    pub(super) fn read(
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let parsed: Option<StatusBody> =
            (serde_json::from_slice(body).ok()).filter(|parsed: &StatusBody| parsed.kind == "Status");
        let is_status = parsed.is_some();
        let parsed = parsed.unwrap_or_default();
        let details = parsed.details.unwrap_or_default();
        Self {
            method: method.clone(),
            path: path.to_owned(),
            status: status.as_u16(),
            reason: parsed.reason,
            message: parsed.message,
            is_status,
            retry_after: super::retry_after(headers).or(details.retry_after_seconds.map(Duration::from_secs)),
            continue_token: parsed.metadata.r#continue.filter(|token| !token.is_empty()),
            causes: details.causes.into_iter().map(|cause| cause.reason).collect(),
        }
    }

    /// Returns how a caller reacts to the response. A webhook that cannot be called is not waited for: it answers
    /// within its own timeout, and whether its backend will ever run is not known here.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        if self.webhook().is_some() {
            return ErrorKind::Denied;
        }
        match self.status {
            401 | 403 => ErrorKind::Denied,
            404 | 410 => ErrorKind::Gone,
            409 => ErrorKind::Conflict,
            408 | 429 | 500 | 502 | 503 | 504 => ErrorKind::Retry,
            _ => ErrorKind::Invalid,
        }
    }
}

impl Diagnostic for ApiError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } => ErrorKind::Retry,
            Self::UntrustedCertificate { .. } | Self::Credentials { .. } => ErrorKind::Denied,
            Self::Refused(refusal) => refusal.kind(),
            Self::Encoded { .. } | Self::NotKubernetes { .. } | Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::Request { .. } => ErrorKind::Bug,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } => Code::ClusterUnreachable,
            Self::UntrustedCertificate { .. } => Code::UntrustedCertificate,
            Self::Credentials { .. } => Code::Unauthenticated,
            Self::Refused(refusal) if refusal.webhook().is_some() => Code::WebhookRefuses,
            Self::Refused(refusal) => match refusal.status {
                401 => Code::Unauthenticated,
                403 => Code::Forbidden,
                // A load balancer without a backend answers so.
                502..=504 if !refusal.is_status => Code::ClusterUnreachable,
                408 | 429 | 500.. => Code::ServerFails,
                _ => Code::NotKubernetes,
            },
            Self::Encoded { .. } | Self::NotKubernetes { .. } | Self::TooLarge { .. } => Code::NotKubernetes,
            Self::Request { .. } => Code::Bug,
        }
    }

    fn guidance(&self) -> String {
        match self.code() {
            Code::ClusterUnreachable => {
                "check the address and the network with `kubectl cluster-info`".into()
            }
            Code::UntrustedCertificate => {
                "check `certificate-authority-data` of the cluster in the kubeconfig; it must be the CA that signed the API server's certificate"
                    .into()
            }
            Code::Unauthenticated if matches!(self, Self::Credentials { .. }) => {
                "renew the credentials of the context (where its user runs `aws eks get-token`, with `aws sso login` or `aws login`), and check them with `kubectl auth whoami`".into()
            }
            Code::Unauthenticated => {
                "renew the credentials of the context, and check them with `kubectl auth whoami`".into()
            }
            Code::WebhookRefuses => match self.refusal().and_then(Refusal::webhook) {
                Some(webhook) => webhook_guidance(webhook),
                None => Code::WebhookRefuses.explanation().remedy.to_owned(),
            },
            Code::ServerFails => Code::ServerFails.explanation().remedy.to_owned(),
            Code::Forbidden => {
                "grant the missing permission, and check with `kubectl auth can-i --list`".into()
            }
            Code::Bug => "report this as a bug with the output of the same command run with `--log-level debug`".into(),
            _ => "check that the `server` of the context is the address of a Kubernetes API server, not of a proxy or load balancer".into(),
        }
    }
}

fn webhook_guidance(webhook: &str) -> String {
    format!(
        "find the configuration that contains {webhook} with `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml`, then start its backend, or delete the configuration"
    )
}

impl ApiError {
    pub(super) fn interrupted(path: &str, cause: impl Into<BoxError>) -> Self {
        Self::Interrupted {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// Converts an error of kube by the types in its chain of causes.
    pub(crate) fn from_kube(server: &str, path: &str, error: kube::Error) -> Self {
        if let kube::Error::Auth(auth) = &error {
            return Self::Credentials {
                why: describe_auth(auth),
            };
        }
        let mut connecting = false;
        let mut untrusted = None;
        let mut no_token = None;
        walk(&error, &mut |cause| {
            if let Some(token) = cause.downcast_ref::<TokenError>() {
                // Nothing was sent.
                connecting = true;
                no_token = (token.kind() == ErrorKind::Denied).then(|| chain(token));
            }
            if let Some(client) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
                connecting |= client.is_connect();
            }
            if let Some(rustls::Error::InvalidCertificate(_)) = cause.downcast_ref::<rustls::Error>() {
                untrusted = cause.downcast_ref::<rustls::Error>().cloned();
            }
        });
        if let Some(why) = no_token {
            return Self::Credentials { why };
        }
        let server = server.to_owned();
        if let Some(cause) = untrusted {
            return Self::UntrustedCertificate { server, cause };
        }
        // kube's message repeats its cause; the cause alone is clearer.
        let cause: BoxError = match error {
            kube::Error::Service(cause) => cause,
            kube::Error::HyperError(cause) => cause.into(),
            other => other.into(),
        };
        if connecting {
            Self::Unreachable { server, cause }
        } else {
            Self::interrupted(path, cause)
        }
    }

    /// Returns the error response, if the server sent one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns the status of the error response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Pauses before the next attempt of the call.
    ///
    /// # Errors
    /// The error itself, if the call must not be repeated.
    pub async fn pause(self, backoff: &mut Backoff) -> Result<(), Self> {
        tracing::debug!(attempt = backoff.attempts(), error = %self, "an attempt failed");
        match backoff.pause(self.kind(), self.retry_after()).await {
            true => Ok(()),
            false => Err(self),
        }
    }

    /// Returns the delay that the server asks for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }

    /// Returns whether a request of this method may be retried after this error without a double effect.
    pub(super) fn may_repeat(&self, method: &Method) -> bool {
        if self.kind() != ErrorKind::Retry {
            return false;
        }
        let read = matches!(*method, Method::GET | Method::HEAD);
        match self {
            Self::Interrupted { .. } => *method != Method::POST,
            Self::Refused(refusal) => match refusal.status {
                429 | 503 => true,
                502 | 504 | 408 => *method != Method::POST,
                // A 500 for a write can come from a failing webhook, among others: the caller decides.
                _ => read,
            },
            _ => true,
        }
    }
}

/// Formats an error and its causes in one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut texts = Vec::new();
    walk(error, &mut |cause| texts.push(cause.to_string()));
    texts.join(": ")
}

/// Visits an error and all its causes. An `io::Error` hides the error that it wraps from `source()`, so that
/// the wrapped error is visited as well.
fn walk(error: &(dyn StdError + 'static), visit: &mut dyn FnMut(&(dyn StdError + 'static))) {
    let mut next = Some(error);
    while let Some(cause) = next {
        visit(cause);
        if let Some(wrapped) = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            return walk(wrapped, visit);
        }
        next = cause.source();
    }
}

/// The maximum length of a line of a credential plugin in messages.
const PLUGIN_STDERR: usize = 200;

/// Describes a failure of the credentials. The standard output of a credential plugin is omitted: if the
/// plugin fails after it printed its response, the output contains a token. The command is omitted too,
/// because its arguments and environment belong to the user. The plugin's standard error gives the reason;
/// without `interactiveMode: Never` it goes to the terminal and is not available here.
fn describe_auth(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            let why = stderr.lines().rev().find(|line| !line.trim().is_empty());
            let why: String = why.map_or_else(String::new, |line| format!(": {}", line.trim()));
            let why: String = why.chars().take(PLUGIN_STDERR).collect();
            format!("the credential plugin exited with {}{why}", out.status)
        }
        AuthError::AuthExecStart(cause) => format!("the credential plugin cannot be started: {cause}"),
        AuthError::AuthExecParse(_) => "the output of the credential plugin is not an ExecCredential".into(),
        AuthError::ReadTokenFile(cause, path) => {
            format!("the token file {} cannot be read: {cause}", path.display())
        }
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "a user name, password or token contains characters that are not allowed in an HTTP header".into()
        }
        AuthError::AuthExec(_) | AuthError::AuthExecSerialize(_) | AuthError::ExecPluginFailed => {
            "the credential plugin returned no credentials".into()
        }
        AuthError::MissingCommand => "the credential plugin has no command".into(),
        AuthError::UnrefreshableTokenResponse | AuthError::MalformedTokenExpirationDate(_) => {
            "the token of the credential plugin has expired, or its expirationTimestamp is not valid".into()
        }
        _ => "the authentication method of the kubeconfig is not supported".into(),
    }
}
