//! A holder against an API server that keeps one Lease and fails on purpose.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use lifeboat_apiserver::testing::{FakeServer, Recorded, Reply};
use lifeboat_system::retry::RetryPolicy;

use super::*;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// An API server with one Lease. While `fails` is set, writes to it fail.
#[derive(Default)]
struct Server {
    lease: StdMutex<Option<(u64, Value)>>,
    fails: AtomicBool,
    hangs: AtomicBool,
}

impl Server {
    fn answer(&self, request: &Recorded) -> Reply {
        let mut kept = self.lease.lock().unwrap();
        let not_found = || Reply::failure(404, "NotFound", "not found");
        if request.method == "GET" {
            return kept
                .as_ref()
                .map_or_else(not_found, |(_, lease)| Reply::json(200, lease));
        }
        if self.fails.load(Ordering::SeqCst) {
            return Reply::failure(500, "InternalError", "etcdserver: request timed out");
        }
        if self.hangs.load(Ordering::SeqCst) {
            return Reply::failure(500, "InternalError", "too late").after(Duration::from_secs(60));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        match request.method.as_str() {
            "POST" => {
                let mut lease = body;
                lease["metadata"]["uid"] = "uid".into();
                lease["metadata"]["creationTimestamp"] = "2026-11-29T00:00:00Z".into();
                lease["metadata"]["resourceVersion"] = "1".into();
                *kept = Some((1, lease.clone()));
                Reply::json(201, &lease)
            }
            "PATCH" => match kept.as_mut() {
                None => not_found(),
                Some((version, lease)) => {
                    if body["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"] {
                        return Reply::failure(409, "Conflict", "the object has been modified");
                    }
                    *version += 1;
                    lease["metadata"]["resourceVersion"] = version.to_string().into();
                    Reply::json(200, lease)
                }
            },
            "DELETE" => {
                let wanted = &body["preconditions"]["resourceVersion"];
                match kept.as_ref() {
                    None => not_found(),
                    Some((_, lease)) if *wanted != lease["metadata"]["resourceVersion"] => {
                        Reply::failure(409, "Conflict", "the precondition failed")
                    }
                    Some(_) => {
                        *kept = None;
                        Reply::json(200, &json!({"kind": "Status", "status": "Success"}))
                    }
                }
            }
            other => panic!("{other}"),
        }
    }

    fn steal(&self) {
        if let Some((version, lease)) = self.lease.lock().unwrap().as_mut() {
            *version += 1;
            lease["metadata"]["resourceVersion"] = version.to_string().into();
            lease["spec"]["holderIdentity"] = "thief/1/1".into();
        }
    }
}

const TIMES: Renewal = Renewal {
    every: Duration::from_millis(50),
    // Longer than a busy machine keeps a task waiting.
    deadline: Duration::from_secs(2),
};

async fn held() -> (Arc<Server>, FakeServer, Lease) {
    let server = Arc::new(Server::default());
    let answers = Arc::clone(&server);
    let fake = FakeServer::start(move |request, _| answers.answer(request))
        .await
        .unwrap();
    let api = fake.api().with_retry(RetryPolicy {
        attempts: 3,
        base: Duration::from_millis(5),
        cap: Duration::from_millis(10),
        deadline: Duration::from_secs(60),
    });
    let request = LeaseRequest {
        holder: LeaseHolder::this_process(),
        ended: None,
        inputs: "a".into(),
        clock: Arc::new(Fixed),
    };
    let lease = Lease::acquire_with(&api, request, TIMES).await.unwrap();
    (server, fake, lease)
}

#[tokio::test]
async fn a_holder_that_cannot_renew_stops_at_the_deadline_and_not_before() {
    for hangs in [false, true] {
        let (server, _fake, lease) = held().await;
        sleep(TIMES.deadline + TIMES.every * 2).await;
        assert_eq!(lease.end(), None, "it is renewed");
        if hangs {
            server.hangs.store(true, Ordering::SeqCst);
        } else {
            server.fails.store(true, Ordering::SeqCst);
        }
        let end = tokio::time::timeout(Duration::from_secs(10), lease.lost())
            .await
            .unwrap();
        let LeaseEnd::NotRenewed { .. } = end else {
            panic!("{end}")
        };
        assert!(
            lease.held.renewed().elapsed() >= TIMES.deadline,
            "it stops too early"
        );
        assert!(lease.is_lost());
        assert_eq!(
            (end.code(), end.kind()),
            (Code::LeaseNotRenewed, ErrorKind::Retry)
        );
    }
}

#[tokio::test]
async fn a_short_failure_of_the_api_server_stops_nothing() {
    let (server, _fake, lease) = held().await;
    server.fails.store(true, Ordering::SeqCst);
    sleep(TIMES.deadline / 10).await;
    server.fails.store(false, Ordering::SeqCst);
    sleep(TIMES.deadline + TIMES.every * 2).await;
    assert_eq!(lease.end(), None);
    lease.release().await.unwrap();
    assert!(server.lease.lock().unwrap().is_none());
}

#[tokio::test]
async fn a_lease_that_is_deleted_or_stolen_stops_its_holder() {
    let (server, _fake, lease) = held().await;
    *server.lease.lock().unwrap() = None;
    let end = tokio::time::timeout(TIMES.deadline, lease.lost()).await.unwrap();
    assert_eq!(
        (end.clone(), end.code()),
        (LeaseEnd::Deleted, Code::LeaseNotRenewed)
    );

    let (server, _fake, lease) = held().await;
    server.steal();
    let end = tokio::time::timeout(TIMES.deadline, lease.lost()).await.unwrap();
    let holder = "thief/1/1".to_owned();
    assert_eq!(
        (end.clone(), end.code()),
        (LeaseEnd::Taken { holder }, Code::TargetBusy)
    );
    lease.release().await.unwrap();
    assert!(
        server.lease.lock().unwrap().is_some(),
        "it belongs to another process"
    );
}

#[tokio::test]
async fn a_process_that_was_suspended_holds_the_lease_only_if_nobody_took_it() {
    for stolen in [false, true] {
        let (server, _fake, lease) = held().await;
        // Nothing renews while the only thread is blocked.
        std::thread::sleep(TIMES.deadline + TIMES.every);
        assert!(lease.is_lost(), "nothing may be written now");
        if stolen {
            server.steal();
        }
        assert_eq!(lease.confirm().await.is_err(), stolen);
        assert_eq!(lease.is_lost(), stolen);
    }
}
