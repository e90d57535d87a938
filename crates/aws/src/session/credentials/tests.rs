#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_config::BehaviorVersion;
use lifeboat_apiserver::testing::{FakeServer, Reply};

use super::*;

const CONFIG: &str = "
[profile admin]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = keys
mfa_serial = arn:aws:iam::222222222222:mfa/me
external_id = e-1
[profile above]
role_arn = arn:aws:iam::333333333333:role/above
source_profile = admin
[profile keys]
aws_access_key_id = AKIDKEYS
aws_secret_access_key = canary-secret
[profile loop]
role_arn = arn:aws:iam::222222222222:role/loop
source_profile = pool
[profile pool]
role_arn = arn:aws:iam::222222222222:role/pool
source_profile = loop
[profile bare]
region = eu-west-1
";

async fn profiles(named: Option<&str>, environment: &[(&str, &str)]) -> Profiles {
    let mut all = vec![("HOME", "/home/me"), ("AWS_CONFIG_FILE", "/config")];
    all.extend(environment);
    let files = Fs::from_slice(&[("/config", CONFIG)]);
    Profiles::load_from(&files, Env::from_slice(&all), named)
        .await
        .unwrap()
}

/// Answers each AssumeRole with a key that contains the signing key, the MFA code and the external id of the request.
fn sts(request: &lifeboat_apiserver::testing::Recorded, _: usize) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let field = |name: &str| {
        let found = body
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or("none").to_owned()
    };
    let authorization = request.headers.get("authorization").unwrap();
    let key = authorization
        .split_once("Credential=")
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap();
    let key = format!("{}-{}-{key}", field("TokenCode"), field("ExternalId"));
    Reply::bytes(
        200,
        "text/xml",
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>2126-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

#[tokio::test]
async fn a_role_with_mfa_is_assumed_with_the_code() {
    let server = FakeServer::start(sts).await.unwrap();
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .endpoint_url(server.url())
        .build();
    let ask: Arc<AskMfaCode> = Arc::new(|serial: &str| {
        assert_eq!(serial, "arn:aws:iam::222222222222:mfa/me");
        Some("123456".to_owned())
    });
    for (name, key) in [
        ("admin", "123456-e-1-AKIDKEYS"),
        ("above", "none-none-123456-e-1-AKIDKEYS"),
    ] {
        let provider = profiles(Some(name), &[]).await.provider(&sdk, &ask).unwrap();
        let given = provider.provide_credentials().await.unwrap();
        assert_eq!(given.access_key_id(), key, "{name}");
        assert!(given.expiry().is_some());
    }
    let nobody: Arc<AskMfaCode> = Arc::new(|_: &str| None);
    let provider = profiles(Some("admin"), &[])
        .await
        .provider(&sdk, &nobody)
        .unwrap();
    let refused = provider.provide_credentials().await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("mfa/me") && cause.contains("terminal"), "{cause}");
}

#[tokio::test]
async fn sources_are_named_as_a_user_knows_them() {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
    ];
    let mut table = String::new();
    for (named, environment) in [
        (Some("admin"), &keys[..0]),
        (Some("above"), &[]),
        (Some("loop"), &[]),
        (Some("bare"), &[]),
        (Some("nobody"), &[]),
        (None, &[]),
        (None, &keys),
        (None, &[("AWS_PROFILE", "keys")]),
        (Some("admin"), &keys),
    ] {
        let source = profiles(named, environment).await.source();
        table.push_str(&format!("{source}\n  {}\n", source.remedy()));
    }
    insta::assert_snapshot!(table);
}
