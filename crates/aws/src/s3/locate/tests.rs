#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use lifeboat_model::{AccountId, Code, Diagnostic as _, ObjectKey};
use lifeboat_store::ports::ObjectStore as _;
use lifeboat_system::SystemRandomness;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// The Region of the bucket.
const THERE: &str = "eu-central-1";

/// Answers as S3 does for a bucket in another Region than that of the request, or with one status for every request.
async fn answer(mut stream: TcpStream, status: Option<u16>, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    // The endpoint has a name of its own, which does not begin with that of the bucket.
    let path = request.split(' ').nth(1).unwrap();
    assert!(path.starts_with("/vault-of-ours"), "{request}");
    // The credential scope of the signature: `<key>/<date>/<region>/s3/aws4_request`.
    let scope = request.split("Credential=").nth(1).unwrap();
    let region = scope.split('/').nth(2).unwrap().to_owned();
    let right = region == THERE;
    asked.lock().unwrap().push(region);
    let status = status.unwrap_or(if right { 200 } else { 301 });
    let head = format!(
        "HTTP/1.1 {status} x\r\nx-amz-bucket-region: {THERE}\r\netag: \"e\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).await;
}

/// Opens a bucket at a server, from the Region `eu-west-1`. Returns the Regions of the requests too.
async fn open(status: Option<u16>) -> (Result<S3Store, StoreError>, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, status, Arc::clone(&heard)));
        }
    });
    let keys = Credentials::new("AKID", "hunter2", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    let context = AwsContext::from_config(config).unwrap();
    let owner = AccountId::parse("222222222222").unwrap();
    let location = S3Location::bucket("vault-of-ours", owner);
    let opened = S3Store::open(&context, location, Arc::new(SystemRandomness)).await;
    (opened, asked)
}

#[tokio::test]
async fn a_bucket_is_opened_in_the_region_that_s3_names() {
    let (opened, asked) = open(None).await;
    let store = opened.unwrap();
    store.head(&ObjectKey::parse("a/b").unwrap()).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["eu-west-1", THERE, THERE]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_from_one_that_is_denied() {
    for (status, code) in [(404, Code::StoreNotFound), (403, Code::StoreDenied)] {
        let (opened, asked) = open(Some(status)).await;
        let error = opened.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains("vault-of-ours"), "{error}");
        // S3 names the Region even where it refuses, so that the refusal is that of the bucket's own Region.
        assert_eq!(*asked.lock().unwrap(), ["eu-west-1", THERE]);
    }
}
