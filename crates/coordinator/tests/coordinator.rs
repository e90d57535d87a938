//! Requests and ticks with in-memory buckets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_aws::custom_resource::{ResourceAnswer, ResourceRequest};
use lifeboat_coordinator::execute::Verification;
use lifeboat_coordinator::lambda::Coordinator;
use lifeboat_coordinator::lambda::coordinator::TickSummary;
use lifeboat_coordinator::ports::{Notifier, Ports};
use lifeboat_coordinator::sign::AssignmentKey;
use lifeboat_coordinator::state::{Notice, PointEntry, State};
use lifeboat_coordinator::state_key;
use lifeboat_filesystem::PemSigner;
use lifeboat_format::manifest::Completeness;
use lifeboat_jobs::VaultPlace;
use lifeboat_model::request::{Answer, Request};
use lifeboat_model::{ApplicationName, Code, EnvironmentId, ObjectKey, RecoveryPointId};
use lifeboat_recovery_point::layout::manifest_key;
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{Clock, ObjectStore};
use lifeboat_system::{SystemClock, SystemRandomness};
use serde_json::{Value, json};

struct Heard(Mutex<Vec<Notice>>);

#[async_trait]
impl Notifier for Heard {
    async fn notify(&self, notice: &Notice) -> bool {
        self.0.lock().unwrap().push(notice.clone());
        true
    }
}

struct Fixture {
    coordinator: Coordinator,
    state: Arc<MemoryStore>,
    heard: Arc<Heard>,
}

fn signer() -> PemSigner {
    let file = "../recovery-point/tests/fixtures/point-v1/keys/signing.key.pem";
    PemSigner::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn fixture() -> Fixture {
    let state = Arc::new(MemoryStore::new());
    let scratch: Mutex<BTreeMap<EnvironmentId, Arc<dyn ObjectStore>>> = Mutex::default();
    let heard = Arc::new(Heard(Mutex::default()));
    let ports = Ports {
        state: Arc::clone(&state) as _,
        vault: Arc::new(MemoryStore::new()),
        scratch: Box::new(move |environment| {
            let mut scratch = scratch.lock().unwrap();
            let made = || Arc::new(MemoryStore::new()) as Arc<dyn ObjectStore>;
            Arc::clone(scratch.entry(environment.clone()).or_insert_with(made))
        }),
        vault_place: VaultPlace {
            bucket: "lifeboat-vault-222222222222-eu-central-1".to_owned(),
            owner: "222222222222".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            prefix: String::new(),
        },
        clock: Arc::new(SystemClock),
        timer: Arc::new(SystemClock),
        ids: Arc::new(SystemRandomness),
        verification: Verification::default(),
        assignment_key: Arc::new(AssignmentKey::opened(Arc::new(signer()))),
        notifier: Arc::clone(&heard) as _,
    };
    Fixture {
        coordinator: Coordinator { ports },
        state,
        heard,
    }
}

impl Fixture {
    async fn ask(&self, request: Value) -> Answer {
        let request: Request = serde_json::from_value(request).unwrap();
        self.coordinator.answer(request, later()).await
    }
}

fn later() -> Timestamp {
    SystemClock.now() + SignedDuration::from_mins(10)
}

fn shop() -> Value {
    json!({"format": 1, "name": "shop",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "clusters": [{"name": "orders", "cluster": "orders-prod", "restoreInto": "orders-dr"}],
        "schedule": {"every": "1h"}})
}

fn put(document: &Value) -> Value {
    json!({"application": {"put": document}})
}

#[tokio::test]
async fn an_application_is_put_shown_and_listed() {
    let fixture = fixture();
    assert!(matches!(fixture.ask(put(&shop())).await, Answer::Application(_)));
    // Repeating it changes nothing.
    assert!(matches!(fixture.ask(put(&shop())).await, Answer::Application(_)));
    let Answer::Applications(names) = fixture.ask(json!({"application": {"list": {}}})).await else {
        panic!("a list is answered by a list");
    };
    assert_eq!(
        names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["shop"]
    );
    let Answer::Application(document) = fixture
        .ask(json!({"application": {"get": {"application": "shop"}}}))
        .await
    else {
        panic!("the document is shown");
    };
    assert_eq!(
        serde_json::to_value(document).unwrap()["clusters"][0]["cluster"],
        "orders-prod"
    );
}

#[tokio::test]
async fn a_document_that_cannot_be_used_is_refused_with_everything_that_is_wrong() {
    let fixture = fixture();
    let mut document = shop();
    document["name"] = json!("Shop!");
    document["schedule"] = json!({"every": "soon"});
    let Answer::Refused(problems) = fixture.ask(put(&document)).await else {
        panic!("it is refused");
    };
    assert!(problems.len() >= 2, "{problems:?}");
    assert!(fixture.state.list("", None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn requests_about_nothing_are_refused_and_leave_nothing() {
    let fixture = fixture();
    for request in [
        json!({"restore": {"application": "ghost"}}),
        json!({"backup": {"application": "ghost"}}),
        json!({"points": {"application": "ghost"}}),
        json!({"status": {"application": "ghost"}}),
    ] {
        let Answer::Refused(problems) = fixture.ask(request.clone()).await else {
            panic!("{request} is refused");
        };
        assert_eq!(problems[0].code, Code::RequestRefused);
    }
    assert!(fixture.state.list("", None, 10).await.unwrap().is_empty());
}

impl Fixture {
    /// Runs a tick of every application.
    async fn tick(&self) -> TickSummary {
        let names = self.coordinator.applications().await.unwrap();
        self.coordinator.tick(names, later()).await
    }
}

/// Without registrations an issue is opened and notified, and the application counts as overdue.
#[tokio::test]
async fn what_is_missing_becomes_an_issue_that_somebody_hears_of() {
    let fixture = fixture();
    fixture.ask(put(&shop())).await;
    let round = fixture.tick().await;
    assert_eq!((round.applications, round.overdue), (1, 1));
    let Answer::Status(status) = fixture.ask(json!({"status": {}})).await else {
        panic!("the status is answered");
    };
    let issues = &status.applications[0].issues;
    assert!(
        issues.iter().any(|issue| issue.code == Code::NotRegistered),
        "{issues:?}"
    );
    let heard = fixture.heard.0.lock().unwrap();
    assert!(
        heard
            .iter()
            .any(|notice| notice.opened && notice.issue.code == Code::NotRegistered)
    );
}

#[tokio::test]
async fn one_broken_application_stops_no_other() {
    let fixture = fixture();
    fixture.ask(put(&shop())).await;
    let key = ObjectKey::parse("applications/broken.json").unwrap();
    fixture.state.put_new(&key, "{".into()).await.unwrap();
    let round = fixture.tick().await;
    assert_eq!((round.applications, round.problems.len()), (2, 1));
    let states = fixture.state.list("state/", None, 10).await.unwrap();
    assert_eq!(states.len(), 1, "the other one was gone on with");
    let Answer::Status(status) = fixture.ask(json!({"status": {}})).await else {
        panic!("the status of the other one is answered");
    };
    assert_eq!((status.applications.len(), status.problems.len()), (1, 1));
}

/// A repeated token starts nothing new.
#[tokio::test]
async fn a_repeated_request_is_the_same_request() {
    let fixture = fixture();
    fixture.ask(put(&shop())).await;
    let backup = json!({"backup": {"application": "shop", "token": "once"}});
    let Answer::Accepted(first) = fixture.ask(backup.clone()).await else {
        panic!("it is accepted");
    };
    let Answer::Accepted(second) = fixture.ask(backup).await else {
        panic!("it is accepted again");
    };
    assert_eq!((first.repeated, second.repeated), (false, true));
    let other = fixture
        .ask(json!({"restore": {"application": "shop", "token": "once"}}))
        .await;
    assert!(
        matches!(other, Answer::Refused(_)),
        "a token belongs to one request"
    );
}

/// Sends a request as CloudFormation does, and returns the response.
async fn resource(fixture: &Fixture, kind: &str, former: Option<&str>, document: &str) -> ResourceAnswer {
    let mut request = json!({
        "RequestType": kind, "ResourceType": "Custom::LifeboatApplication", "RequestId": "r", "StackId": "s",
        "LogicalResourceId": "Shop", "ResponseURL": "https://example.com",
        "ResourceProperties": {"ServiceToken": "arn", "Document": document},
    });
    if let Some(former) = former {
        request["PhysicalResourceId"] = former.into();
    }
    let request: ResourceRequest = serde_json::from_value(request).unwrap();
    lifeboat_coordinator::lambda::resource::answer(&fixture.coordinator, &request, later()).await
}

const DOCUMENT: &str = "
format: 1
name: shop
primary: {account: '111111111111', region: eu-west-1}
recovery: {account: '222222222222', region: eu-central-1}
clusters: [{name: orders, cluster: orders-prod}]
schedule: {every: 1h}
";

#[tokio::test]
async fn a_stack_makes_changes_and_removes_an_application() {
    let fixture = fixture();
    let made = resource(&fixture, "Create", None, DOCUMENT).await;
    assert_eq!(
        (made.status, made.physical_resource_id.as_str()),
        ("SUCCESS", "shop"),
        "{}",
        made.reason
    );
    // Lambda may deliver an event twice.
    assert_eq!(resource(&fixture, "Create", None, DOCUMENT).await, made);
    let changed = DOCUMENT.replace("1h", "2h");
    assert_eq!(
        resource(&fixture, "Update", Some("shop"), &changed).await.status,
        "SUCCESS"
    );
    let get = json!({"application": {"get": {"application": "shop"}}});
    let Answer::Application(document) = fixture.ask(get.clone()).await else {
        panic!("the document is shown");
    };
    assert_eq!(serde_json::to_value(document).unwrap()["schedule"]["every"], "2h");
    for _ in 0..2 {
        assert_eq!(
            resource(&fixture, "Delete", Some("shop"), &changed).await.status,
            "SUCCESS"
        );
    }
    assert!(matches!(fixture.ask(get).await, Answer::Refused(_)));
    let states = fixture.state.list("state/", None, 10).await.unwrap();
    assert_eq!(states.len(), 1, "what is known of its points stays");
}

#[tokio::test]
async fn a_stack_takes_no_application_that_is_not_its_own() {
    let fixture = fixture();
    fixture.ask(put(&shop())).await;
    let taken = resource(&fixture, "Create", None, DOCUMENT).await;
    assert_eq!(taken.status, "FAILED");
    assert!(
        taken.reason.contains("an application named shop already exists"),
        "{}",
        taken.reason
    );
    // CloudFormation rolls back by deleting the resource that it considers created.
    let deleted = resource(&fixture, "Delete", Some(&taken.physical_resource_id), DOCUMENT).await;
    assert_eq!(deleted.status, "SUCCESS");
    let renamed = resource(&fixture, "Update", Some("cart"), DOCUMENT).await;
    assert_eq!(
        (renamed.status, renamed.physical_resource_id.as_str()),
        ("FAILED", "cart")
    );
    assert_eq!(
        fixture.coordinator.applications().await.unwrap().len(),
        1,
        "it is still there"
    );
}

#[tokio::test]
async fn a_stack_hears_everything_that_is_wrong_with_its_document() {
    let fixture = fixture();
    for (document, said) in [
        ("name: [", "the property Document"),
        ("format: 1\nname: shop", "primary"),
        (&DOCUMENT.replace("shop", "Shop!"), "application name \"Shop!\""),
    ] {
        let failed = resource(&fixture, "Create", None, document).await;
        assert_eq!(failed.status, "FAILED", "{document}");
        assert!(failed.reason.contains(said), "{}", failed.reason);
    }
    assert!(fixture.state.list("", None, 10).await.unwrap().is_empty());
}

/// A segment is read as it was written.
#[tokio::test]
async fn the_entries_of_a_large_catalogue_are_read_again_by_the_next_tick() {
    let fixture = fixture();
    let mut document = shop();
    document["retention"] = json!({"last": u32::MAX});
    fixture.ask(put(&document)).await;
    let (name, now) = (ApplicationName::parse("shop").unwrap(), SystemClock.now());
    let load = async || -> State {
        let (bytes, _) = fixture.state.get(&state_key(&name)).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let mut state = load().await;
    for number in 0..700_u32 {
        let at = now - SignedDuration::from_mins(i64::from(number) + 1);
        let id = RecoveryPointId::new(&at.strftime("%Y%m%dT%H%M%SZ").to_string(), [0, 0, 1]).unwrap();
        let manifest = manifest_key(&name, &id);
        fixture
            .coordinator
            .ports
            .vault
            .put_new(&manifest, "{}".into())
            .await
            .unwrap();
        let entry = PointEntry {
            created_at: at,
            order: u64::from(1000 - number),
            signer: None,
            completeness: Completeness::Complete,
            objects: 7,
            bytes: 7,
            clusters: Vec::new(),
            vaulted_at: at,
            verified_at: now,
            damaged: None,
            kept_by: BTreeSet::new(),
        };
        state.points.insert(id, entry);
    }
    let (_, tag) = fixture.state.get(&state_key(&name)).await.unwrap();
    let bytes = serde_json::to_vec(&state).unwrap();
    fixture
        .state
        .replace(&state_key(&name), &tag, bytes.into())
        .await
        .unwrap();
    for _ in 0..3 {
        fixture.tick().await;
        let state = load().await;
        let archived: u64 = state.archive.iter().map(|record| record.points).sum();
        assert_eq!((archived, state.points.len()), (600, 100));
        assert!(
            state
                .issues
                .values()
                .all(|issue| issue.code == Code::NotRegistered || issue.code == Code::BackupOverdue),
            "{:?}",
            state.issues
        );
    }
    let page = json!({"points": {"application": "shop", "from": load().await.archive[0].last}});
    let Answer::Points(page) = fixture.ask(page).await else {
        panic!("the points are listed");
    };
    assert_eq!((page.points.len(), page.next), (600, None));
}
