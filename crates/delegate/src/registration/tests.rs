#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_aws::BucketFacts;
use lifeboat_aws::custom_resource::LONGEST_REASON;
use lifeboat_model::Code;
use lifeboat_store::failing::{FailingStore, Fault, Moment};
use lifeboat_store::memory::MemoryStore;

use super::*;

struct Works;

#[async_trait]
impl KeyCheck for Works {
    async fn check(&self) -> Result<String, Problem> {
        Ok("-----BEGIN PUBLIC KEY-----".to_owned())
    }
}

struct Broken;

#[async_trait]
impl KeyCheck for Broken {
    async fn check(&self) -> Result<String, Problem> {
        Err(Problem::new(
            Code::KeyUnreadable,
            "failed to use the key",
            "grant kms:Sign",
        ))
    }
}

struct SafeBucket;

#[async_trait]
impl BucketCheck for SafeBucket {
    async fn look(&self) -> Result<BucketFacts, Problem> {
        Ok(BucketFacts {
            closed: true,
            owns_objects: true,
            now: Some(now()),
        })
    }
}

/// A bucket with public access, and a clock that differs.
struct UnsafeBucket;

#[async_trait]
impl BucketCheck for UnsafeBucket {
    async fn look(&self) -> Result<BucketFacts, Problem> {
        Ok(BucketFacts {
            closed: false,
            owns_objects: true,
            now: Some(now() + jiff::SignedDuration::from_mins(5)),
        })
    }
}

fn registrar(side: Side, scratch: Arc<dyn ObjectStore>, check: Box<dyn KeyCheck>) -> Registrar {
    let arn = |text: &str| Arn::parse(text).unwrap();
    Registrar {
        application: ApplicationName::parse("shop").unwrap(),
        side,
        environment: EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
        function: arn("arn:aws:lambda:eu-west-1:111111111111:function:lifeboat-shop-primary"),
        role: arn("arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1"),
        key: arn("arn:aws:kms:eu-west-1:111111111111:key/1"),
        deploys_private_delegates: true,
        version: "0.1.0".to_owned(),
        scratch,
        check,
        bucket: Box::new(SafeBucket),
    }
}

fn request(kind: &str, existing: Option<&str>) -> CustomResourceRequest {
    serde_json::from_value(json!({
        "RequestType": kind, "ResponseURL": "https://signed.example/?secret=canary", "StackId": "stack",
        "RequestId": "request", "LogicalResourceId": "Registration", "PhysicalResourceId": existing,
        "ResourceType": "Custom::LifeboatRegistration",
        "ResourceProperties": {"ServiceToken": "arn", "Application": "shop", "Side": "primary", "Code": "delegate-1.zip"}
    }))
    .unwrap()
}

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

async fn read<T: serde::de::DeserializeOwned>(store: &dyn ObjectStore, key: &ObjectKey) -> T {
    serde_json::from_slice(&store.get(key).await.unwrap().0).unwrap()
}

#[tokio::test]
async fn a_stack_registers_updates_and_goes() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let registrar = registrar(Side::Primary, Arc::clone(&store), Box::new(Works));
    let made = registrar.answer(&request("Create", None), now()).await;
    assert_eq!((made.status, made.reason.as_str()), ("SUCCESS", ""));
    assert_eq!(made.data["Environment"], "111111111111-eu-west-1");
    let key = delegate_key(&DelegateId::public(&registrar.application));
    let delegate: DelegateRegistration = read(store.as_ref(), &key).await;
    assert_eq!(delegate.role, registrar.role);
    assert_eq!(delegate.key.unwrap().arn, registrar.key);

    let existing = Some(made.physical_resource_id.as_str());
    let updated = registrar.answer(&request("Update", existing), now()).await;
    assert_eq!(
        updated.physical_resource_id, made.physical_resource_id,
        "a new name would remove the former resource"
    );
    let gone = registrar.answer(&request("Delete", existing), now()).await;
    assert_eq!(gone.status, "SUCCESS");
    assert!(
        store.list("", None, 10).await.unwrap().is_empty(),
        "nothing is left"
    );
}

/// Everything that a delegate writes when it registers is its own: the role of an application may write nothing else.
#[tokio::test]
async fn each_application_registers_a_key_of_its_own() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    for name in ["shop", "stock"] {
        let mut registrar = registrar(Side::Primary, Arc::clone(&store), Box::new(Works));
        registrar.application = ApplicationName::parse(name).unwrap();
        registrar.key = Arn::parse(format!("arn:aws:kms:eu-west-1:111111111111:key/{name}")).unwrap();
        let mut request = request("Create", None);
        request
            .resource_properties
            .insert("Application".to_owned(), json!(name));
        assert_eq!(registrar.answer(&request, now()).await.status, "SUCCESS");
    }
    let listed = store.list("", None, 10).await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|listed| listed.key.as_str()).collect();
    assert_eq!(keys, ["delegates/shop.json", "delegates/stock.json"]);
    for listed in &listed {
        let delegate: DelegateRegistration = read(store.as_ref(), &listed.key).await;
        let key = delegate.key.unwrap();
        assert!(
            key.arn.as_str().ends_with(delegate.application.as_str()),
            "{}",
            key.arn
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_and_nothing_is_registered() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let broken = registrar(Side::Primary, Arc::clone(&store), Box::new(Broken));
    let answer = broken.answer(&request("Create", None), now()).await;
    assert_eq!(answer.status, "FAILED");
    assert_eq!(answer.reason, "LB-0401 failed to use the key. grant kms:Sign");
    assert!(store.list("", None, 10).await.unwrap().is_empty());
    let other = registrar(Side::Recovery, store, Box::new(Works));
    let answer = other.answer(&request("Create", None), now()).await;
    assert_eq!(
        answer.reason,
        "Side of the resource differs from that of the function, recovery"
    );
}

#[tokio::test]
async fn everything_that_is_wrong_comes_to_the_console_at_once() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let mut registrar = registrar(Side::Primary, Arc::clone(&store), Box::new(Broken));
    registrar.bucket = Box::new(UnsafeBucket);
    let answer = registrar.answer(&request("Create", None), now()).await;
    assert_eq!(answer.status, "FAILED");
    for part in [
        "LB-0815 ",
        "LB-0816 ",
        "LB-0401 ",
        "aws s3api put-public-access-block",
    ] {
        assert!(answer.reason.contains(part), "{part}: {}", answer.reason);
    }
    assert!(answer.reason.len() <= LONGEST_REASON);
    assert!(
        store.list("", None, 10).await.unwrap().is_empty(),
        "nothing is registered"
    );
    // The same deployment after all problems are fixed.
    registrar.bucket = Box::new(SafeBucket);
    registrar.check = Box::new(Works);
    assert_eq!(
        registrar.answer(&request("Create", None), now()).await.status,
        "SUCCESS"
    );
}

#[test]
fn a_long_reason_is_cut_where_a_letter_ends() {
    let long = shortened(&"ä".repeat(LONGEST_REASON));
    assert!(
        long.len() <= LONGEST_REASON && long.ends_with("ä [...]"),
        "{long}"
    );
    assert_eq!(shortened("short"), "short");
}

/// A stack whose bucket or key is gone must still be deletable.
#[tokio::test]
async fn a_stack_can_always_be_deleted() {
    let failing = FailingStore::new(MemoryStore::new(), Fault::at(0, Moment::Before));
    let broken = registrar(Side::Primary, Arc::new(failing), Box::new(Broken));
    let answer = broken
        .answer(
            &request("Delete", Some("111111111111-eu-west-1/shop/primary")),
            now(),
        )
        .await;
    assert_eq!(answer.status, "SUCCESS");
}

#[test]
fn the_signed_address_is_never_shown() {
    let request = request("Create", None);
    assert!(request.response_url.expose().contains("canary"));
    assert!(!format!("{request:?}").contains("canary"));
}
