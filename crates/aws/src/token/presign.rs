//! The presigned URL in a token.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use lifeboat_model::{Redacted, Region};
use lifeboat_store::ports::BoxError;

/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// The value of `X-Amz-Expires`, the same as that of `aws eks get-token`. STS applies 15 minutes instead
/// (aws-iam-authenticator, `pkg/token/token.go`, `requestPresignParam`), and the authenticator rejects more than 15
/// minutes.
const EXPIRES: Duration = Duration::from_secs(60);

/// Returns the Regional endpoint of STS (<https://docs.aws.amazon.com/general/latest/gr/sts.html>).
pub(super) fn sts_endpoint(region: &Region) -> String {
    format!("https://sts.{region}.{}", region.partition().dns_suffix())
}

/// Returns the presigned URL of a `GetCallerIdentity` for `cluster`.
pub(super) fn caller_identity_url(
    endpoint: &str,
    region: &Region,
    cluster: &str,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<Redacted<String>, BoxError> {
    let url = format!(
        "{}/?Action=GetCallerIdentity&Version=2011-06-15",
        endpoint.trim_end_matches('/')
    );
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("sts")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let headers = [(CLUSTER_HEADER, cluster)];
    let request = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &params)?.into_parts();
    let mut request = http::Request::get(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(Redacted::new(request.uri().to_string()))
}
