#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_model::Diagnostic as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_config::SdkConfig;
use aws_credential_types::provider::future;

use super::*;

/// A clock that shows the time that a test sets.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// 2026-11-21T11:22:33Z
const START: i64 = 1_795_260_153;

/// Provides keys that are valid for this number of seconds, and counts the calls.
#[derive(Debug, Default)]
struct Role {
    seconds: Option<u64>,
    asked: Arc<AtomicU64>,
    fails: Option<fn() -> CredentialsError>,
}

impl aws_credential_types::provider::ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(error) = self.fails {
            return future::ProvideCredentials::ready(Err(error()));
        }
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START.unsigned_abs());
        let expiry = self.seconds.map(|seconds| start + Duration::from_secs(seconds));
        let session = Some(format!("session/{number}"));
        future::ProvideCredentials::ready(Ok(Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session,
            expiry,
            "test",
        )))
    }
}

fn source(role: Role) -> (EksTokenSource, Arc<ManualClock>) {
    let config = SdkConfig::builder()
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(role));
    let context = AwsContext::from_config(config.build()).unwrap();
    let clock = Arc::new(ManualClock::default());
    clock.0.store(START, Ordering::SeqCst);
    (EksTokenSource::new(&context, "orders-prod", clock.clone()), clock)
}

fn url(token: &Redacted<String>) -> String {
    let body = token.expose().strip_prefix("k8s-aws-v1.").unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// The expected signature was computed with botocore (`RequestSigner.generate_presigned_url` with the header
/// `x-k8s-aws-id`, as `aws eks get-token` does) for the same keys and time. Only the order of the last two parameters
/// differs, which has no effect.
#[tokio::test]
async fn a_token_is_the_one_that_the_aws_client_makes() {
    let (source, _) = source(Role::default());
    let token = source.token().await.unwrap();
    assert_eq!(
        url(&token),
        "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
         &X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIDEXAMPLE%2F20261121%2Feu-west-1%2Fsts%2Faws4_request\
         &X-Amz-Date=20261121T112233Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
         &X-Amz-Signature=549ad6f8b6df826566b5822e89e8b7340f16c3ddc8c3c51667e99b641e5a8fe8\
         &X-Amz-Security-Token=session%2F0"
    );
    for shown in [format!("{source:?}"), format!("{token:?}"), token.to_string()] {
        assert!(!shown.contains("session") && !shown.contains("AKID"), "{shown}");
    }
}

#[tokio::test]
async fn a_token_is_kept_for_ten_minutes() {
    let role = Role::default();
    let asked = Arc::clone(&role.asked);
    let (source, clock) = source(role);
    let first = source.token().await.unwrap();
    clock.0.store(START + 599, Ordering::SeqCst);
    assert!(source.token().await.unwrap() == first);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    clock.0.store(START + 600, Ordering::SeqCst);
    let second = source.token().await.unwrap();
    assert!(url(&second).contains("X-Amz-Date=20261121T113233Z"));
    // After the clock was set back, the token must be replaced.
    clock.0.store(START, Ordering::SeqCst);
    assert!(url(&source.token().await.unwrap()).contains("X-Amz-Date=20261121T112233Z"));
}

#[tokio::test]
async fn a_token_does_not_outlive_its_credentials() {
    let role = Role {
        seconds: Some(300),
        ..Role::default()
    };
    let (source, clock) = source(role);
    let first = source.token().await.unwrap();
    clock.0.store(START + 239, Ordering::SeqCst);
    assert!(source.token().await.unwrap() == first);
    clock.0.store(START + 240, Ordering::SeqCst);
    assert!(source.token().await.unwrap() != first);
}

#[tokio::test]
async fn without_credentials_there_is_no_token_and_the_kind_says_whether_to_wait() {
    for (fails, kind) in [
        (
            (|| CredentialsError::not_loaded("no provider had any")) as fn() -> CredentialsError,
            lifeboat_model::ErrorKind::Denied,
        ),
        (
            || CredentialsError::provider_timed_out(Duration::from_secs(5)),
            lifeboat_model::ErrorKind::Retry,
        ),
    ] {
        let role = Role {
            fails: Some(fails),
            ..Role::default()
        };
        let error = source(role).0.token().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.problem());
    }
}

#[test]
fn every_partition_has_its_endpoint() {
    for (region, endpoint) in [
        ("eu-central-1", "https://sts.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "https://sts.us-iso-east-1.c2s.ic.gov"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
    ] {
        assert_eq!(sts_endpoint(&Region::parse(region).unwrap()), endpoint);
    }
}
