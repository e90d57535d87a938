//! A survey falls back on the answers on which a capture falls back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::time::Duration;

use lifeboat_apiserver::testing::{FakeCluster, FakeServer, FakeType, Recorded, Reply};
use lifeboat_system::retry::RetryPolicy;
use serde_json::json;

use super::*;

const PATH: &str = "/api/v1/carts";

/// Lists 2,500 carts whose lists fail as `fault` defines. Each must be found once.
async fn every_cart_once<F>(fault: F) -> FakeServer
where
    F: Fn(&Recorded, usize, Reply) -> Reply + Send + Sync + 'static,
{
    let cluster = FakeCluster::with([FakeType::core("carts", "Cart").with_objects(2_500)]);
    let handler = move |request: &Recorded, earlier: usize| {
        let reply = cluster.answer(request);
        if request.path == PATH {
            fault(request, earlier, reply)
        } else {
            reply
        }
    };
    let server = FakeServer::start(handler).await.unwrap();
    let api = server.api().with_retry(RetryPolicy {
        attempts: 4,
        base: Duration::from_millis(2),
        cap: Duration::from_millis(10),
        deadline: Duration::from_secs(10),
    });
    let at = pin(&api).await.unwrap();
    let found: Vec<String> = collect(&api, PATH, Some(&at), |found: &mut Vec<String>, _, seen| {
        found.push(seen.name.clone().into_owned());
    })
    .await
    .unwrap();
    let expected: Vec<String> = (0..2_500).map(|number| format!("carts-{number:05}")).collect();
    assert_eq!(found, expected);
    server
}

#[tokio::test]
async fn a_server_that_refuses_or_has_forgotten_the_version_is_listed_at_its_newest() {
    for status in [400, 410, 422, 500, 501, 504] {
        every_cart_once(move |request, _, reply| {
            if request.parameter("resourceVersionMatch") == "Exact" {
                Reply::failure(status, "Refused", "not at this version")
            } else {
                reply
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_list_that_expires_continues_where_it_was() {
    let server = every_cart_once(|request, _, reply| match request.parameter("continue") {
        "1000:2000" => Reply::json(
            410,
            &json!({"kind": "Status", "code": 410, "reason": "Expired", "metadata": {"continue": "1001:2000"}}),
        ),
        _ => reply,
    })
    .await;
    let first_pages = server.requests().into_iter();
    let first_pages = first_pages.filter(|r| r.path == PATH && r.parameter("continue").is_empty());
    assert_eq!(first_pages.count(), 1, "it does not start again");
}

#[tokio::test]
async fn pages_that_are_too_large_for_the_server_shrink() {
    every_cart_once(|request, _, reply| {
        let size: u32 = request.parameter("limit").parse().unwrap();
        match size {
            400.. => reply.cut_after(20_000),
            200.. => Reply::failure(504, "Timeout", "the page takes too long"),
            _ => reply,
        }
    })
    .await;
}

#[tokio::test]
async fn a_throttled_list_waits_and_is_complete() {
    every_cart_once(|_, earlier, reply| match earlier {
        0 => Reply::failure(429, "TooManyRequests", "slow down").header("retry-after", "0"),
        _ => reply,
    })
    .await;
}

#[tokio::test]
async fn a_type_that_cannot_be_listed_yet_is_listed_a_moment_later() {
    every_cart_once(|request, earlier, reply| {
        if earlier < 2 && request.parameter("continue").is_empty() {
            Reply::failure(
                404,
                "NotFound",
                "the server could not find the requested resource",
            )
        } else {
            reply
        }
    })
    .await;
}
