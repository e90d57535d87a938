#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::Mutex;

use async_trait::async_trait;
use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_model::Redacted;
use lifeboat_store::ports::TokenError;

use crate::connect::address::*;

/// Returns these tokens, one for each request, and then repeats the last one.
struct Tokens(Mutex<Vec<Answer>>);

/// A token, or the error of its creation.
type Answer = Result<String, fn() -> TokenError>;

impl Tokens {
    fn new<'a>(tokens: impl IntoIterator<Item = Result<&'a str, fn() -> TokenError>>) -> Arc<Self> {
        let owned = tokens.into_iter().map(|token| token.map(str::to_owned));
        Arc::new(Self(Mutex::new(owned.collect())))
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<Redacted<String>, TokenError> {
        let mut tokens = self.0.lock().unwrap();
        let next = if tokens.len() > 1 {
            tokens.remove(0)
        } else {
            tokens[0].clone()
        };
        next.map(Redacted::new).map_err(|fail| fail())
    }
}

fn address(cluster: &Cluster, token: Arc<dyn TokenSource>) -> Address {
    Address {
        server: cluster.server().to_owned(),
        ca_pem: cluster.ca_pem().to_owned(),
        token,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_api_server_knows_who_asks_by_each_token() {
    let started = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start(ClusterOptions::named("address")).unwrap();
        (cluster.kubectl_output(&["create", "serviceaccount", "ben"])).unwrap();
        let ben = cluster.kubectl_output(&["create", "token", "ben"]).unwrap();
        (cluster, ben)
    });
    let (cluster, ben) = started.await.unwrap();
    let (admin, ben): (&str, &str) = (cluster.token(), ben.trim());

    let source = Tokens::new([Ok(admin), Ok(admin), Ok(ben), Ok("hunter2")]);
    let address = address(&cluster, source);
    let (api, version) = Api::connect_to(&address, &AddressOptions::default())
        .await
        .unwrap();
    assert!(version.git_version.starts_with('v'));
    assert_eq!(api.server(), cluster.server());
    let ben = "system:serviceaccount:default:ben";
    assert_ne!(who_am_i(&api).await.unwrap(), ben);
    assert_eq!(who_am_i(&api).await.unwrap(), ben);
    let error = who_am_i(&api).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "{error:?}");
    for shown in [format!("{error} {error:?}"), format!("{address:?} {api:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let wrong = Address {
        ca_pem: other.to_owned(),
        ..address
    };
    Api::connect_to(&wrong, &AddressOptions::default())
        .await
        .unwrap_err();
}

async fn who_am_i(api: &Api) -> Result<String, ApiError> {
    let review = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let request = Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header(header::CONTENT_TYPE, "application/json")
        .body(bytes::Bytes::from_static(review.as_bytes()))
        .unwrap();
    let answer: serde_json::Value = api.request(request).await?.json()?;
    Ok(answer["status"]["userInfo"]["username"]
        .as_str()
        .unwrap()
        .to_owned())
}

fn nowhere(token: Arc<dyn TokenSource>) -> Address {
    Address {
        server: "https://127.0.0.1:1".to_owned(),
        ca_pem: include_str!("authority.pem").to_owned(),
        token,
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_kind_says_whether_to_wait() {
    let denied: fn() -> TokenError = || TokenError::Denied {
        cluster: "orders".into(),
        source: "no keys".into(),
    };
    let unavailable: fn() -> TokenError = || TokenError::Unavailable {
        cluster: "orders".into(),
        source: "a pause".into(),
    };
    for (fails, kind) in [(denied, ErrorKind::Denied), (unavailable, ErrorKind::Retry)] {
        let error = Api::connect_to(&nowhere(Tokens::new([Err(fails)])), &AddressOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(
            error.problem().to_string().contains("orders"),
            "{}",
            error.problem()
        );
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused_before_a_token_is_asked_for() {
    let good = nowhere(Tokens::new([Ok("hunter2")]));
    for server in ["", "127.0.0.1:1", "http://127.0.0.1:1", "https://", "ftp://x"] {
        let wrong = Address {
            server: server.to_owned(),
            ..good.clone()
        };
        let error = Api::at(&wrong, &AddressOptions::default()).unwrap_err();
        assert!(
            matches!(error, AddressError::Unusable { .. }),
            "{server}: {error}"
        );
    }
    for ca_pem in [
        "",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        let wrong = Address {
            ca_pem: ca_pem.to_owned(),
            ..good.clone()
        };
        Api::at(&wrong, &AddressOptions::default()).unwrap_err();
    }
    Api::at(&good, &AddressOptions::default()).unwrap();
}

#[test]
fn every_certificate_of_a_bundle_is_read() {
    let one = include_str!("authority.pem");
    assert_eq!(certificates(one).len(), 1);
    assert_eq!(certificates(&format!("{one}\ncomment\n{one}")).len(), 2);
    assert!(certificates("").is_empty());
}
