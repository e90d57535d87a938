#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::time::Duration;

use lifeboat_model::{Code, Diagnostic as _, ErrorKind};
use serde_json::{Value, json};

use crate::api::*;
use crate::testing::{FailAt, FakeServer, Moment, Recorded, Reply, failing_at};

fn quick() -> RetryPolicy {
    RetryPolicy {
        attempts: 3,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        deadline: Duration::from_secs(5),
    }
}

async fn server<F>(handler: F) -> (FakeServer, Api)
where
    F: Fn(&Recorded, usize) -> Reply + Send + Sync + 'static,
{
    let server = FakeServer::start(handler).await.unwrap();
    let api = server.api().with_retry(quick());
    (server, api)
}

fn write(method: Method) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri("/api/v1/things")
        .body(Bytes::from("{}"))
        .unwrap()
}

#[tokio::test]
async fn reads_are_repeated_after_passing_failures() {
    for fault in [
        Reply::failure(429, "TooManyRequests", ""),
        Reply::failure(500, "InternalError", ""),
        Reply::failure(503, "ServiceUnavailable", ""),
        Reply::json(200, &json!({"a": 1})).cut_after(3),
    ] {
        let (_server, api) = server(move |_, earlier| {
            if earlier < 2 {
                fault.clone()
            } else {
                Reply::json(200, &json!({"a": 1}))
            }
        })
        .await;
        let answer = api.get("/x", "application/json").await.unwrap();
        assert_eq!(answer.attempts, 3);
        assert_eq!(answer.json::<Value>().unwrap()["a"], 1);
    }
}

#[tokio::test]
async fn a_post_whose_connection_broke_is_not_sent_again() {
    let (server, api) = server(|_, _| Reply::json(201, &json!({"kind": "Thing"})).cut_after(2)).await;
    let error = api.request(write(Method::POST)).await.unwrap_err();
    assert!(matches!(error, ApiError::Interrupted { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 1);
    api.request(write(Method::PUT)).await.unwrap_err();
    assert_eq!(
        server.requests().len(),
        4,
        "a PUT has the same effect the second time"
    );
}

#[tokio::test]
async fn a_write_is_repeated_where_the_server_did_nothing() {
    for (status, sent) in [(429, 3), (503, 3), (500, 1), (409, 1), (403, 1), (422, 1)] {
        let (server, api) = server(move |_, _| Reply::failure(status, "Reason", "words")).await;
        let error = api.request(write(Method::POST)).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(server.requests().len(), sent, "{status}");
    }
}

#[tokio::test]
async fn refusals_carry_what_the_server_said() {
    let (_server, api) = server(|_, _| Reply::failure(403, "Forbidden", "User \"jane\" cannot list")).await;
    let error = api.get_json::<Value>("/api/v1/pods?limit=1").await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Denied, Code::Forbidden));
    assert_eq!(
        error.to_string(),
        "read /api/v1/pods: the API server answered 403 Forbidden: User \"jane\" cannot list"
    );
}

#[tokio::test]
async fn what_is_no_api_server_is_called_so_without_quoting_it() {
    for (reply, words) in [
        (
            Reply::bytes(200, "text/html", "<html>hunter2</html>"),
            "a web page (text/html",
        ),
        (
            Reply::bytes(200, "application/json", "{\"password\":\"hunter2\""),
            "JSON of another form",
        ),
        (Reply::bytes(200, "text/plain", ""), "an empty body"),
    ] {
        let (_server, api) = server(move |_, _| reply.clone()).await;
        let error = api.get_json::<BTree>("/version").await.unwrap_err();
        assert_eq!(error.code(), Code::NotKubernetes);
        let shown = format!("{error} {error:?} {}", error.problem());
        assert!(shown.contains(words), "{shown}");
        assert!(!shown.contains("hunter2"));
    }
}

type BTree = std::collections::BTreeMap<String, String>;

#[tokio::test]
async fn compression_that_nobody_asked_for_is_refused_by_name() {
    let (server, api) = server(|_, _| {
        Reply::bytes(200, "application/json", [0x1f, 0x8b].to_vec()).header("content-encoding", "gzip")
    })
    .await;
    let error = api.get("/api", "application/json").await.unwrap_err();
    assert!(matches!(&error, ApiError::Encoded { encoding, .. } if encoding == "gzip"));
    assert!(!server.requests()[0].headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn a_stream_that_ends_early_is_an_error_and_not_an_end() {
    let (_server, api) =
        server(|_, _| Reply::json(200, &json!({"long": "x".repeat(5000)})).cut_after(2000)).await;
    let mut stream = api.open_stream("/x").await.unwrap();
    let error = loop {
        match stream.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("taken for the end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Retry);
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let server = FakeServer::start(|_, _| Reply::bytes(200, "text/plain", ""))
        .await
        .unwrap();
    let api = server.api().with_retry(quick());
    drop(server);
    // The port is released shortly after the server's task ends.
    lifeboat_system::sleep(Duration::from_millis(50)).await;
    let error = api.get("/version", "application/json").await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.code(), Code::ClusterUnreachable);
    assert!(
        error.problem().causes.iter().any(|c| c.contains("refused")),
        "{}",
        error.problem()
    );
}

#[tokio::test]
async fn a_failing_transport_dies_before_or_after_the_effect() {
    for (moment, arrived) in [(Moment::Before, 1), (Moment::After, 2)] {
        let (server, api) = server(|_, _| Reply::json(201, &json!({}))).await;
        let (failing, counter) = failing_at(
            &api,
            FailAt {
                request: 1,
                moment,
                only_writes: true,
            },
        );
        failing.request(write(Method::POST)).await.unwrap();
        failing.get("/x", "application/json").await.unwrap();
        failing.request(write(Method::POST)).await.unwrap_err();
        failing.request(write(Method::POST)).await.unwrap_err();
        failing.get("/x", "application/json").await.unwrap_err();
        let writes = server.requests().iter().filter(|r| r.method == "POST").count();
        assert_eq!(writes, arrived, "{moment:?}");
        assert!(counter.get() >= 2);
    }
}
