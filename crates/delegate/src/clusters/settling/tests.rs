#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use async_trait::async_trait;
use lifeboat_apiserver::testing::{FakeServer, Reply};
use lifeboat_model::{Arn, ClusterName, Code, EnvironmentId, Problem};
use serde_json::json;

use super::*;

/// A cluster that cannot be reached in this way a number of times, and then answers.
struct Later {
    failures: Mutex<Vec<Unreachable>>,
    server: FakeServer,
}

#[async_trait]
impl Clusters for Later {
    async fn connect(&self, _: &ClusterTarget) -> Result<Api, Unreachable> {
        match self.failures.lock().unwrap().pop() {
            Some(failure) => Err(failure),
            None => Ok(self.server.api()),
        }
    }
}

/// Starts a cluster that denies everything as often as `denials` says.
async fn later(failures: Vec<Unreachable>, denials: u32) -> Later {
    let denials = Mutex::new(denials);
    let server = FakeServer::start(move |_, _| {
        let mut left = denials.lock().unwrap();
        let allowed = *left == 0;
        *left = left.saturating_sub(1);
        Reply::json(201, &json!({"status": {"allowed": allowed}}))
    })
    .await
    .unwrap();
    Later {
        failures: Mutex::new(failures),
        server,
    }
}

fn silent() -> Unreachable {
    let problem = Problem::of(Code::ClusterUnreachable, "the connection timed out");
    Unreachable {
        retry: true,
        ..Unreachable::unavailable(AccessFinding::from(&problem))
    }
}

fn unknown() -> Unreachable {
    Unreachable::unavailable(AccessFinding::NoAccessEntry { access_entries: true })
}

async fn connect(clusters: &Later, tries: u32) -> Result<(), Vec<Code>> {
    let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
    let target = ClusterTarget::new(
        ClusterName::parse("orders").unwrap(),
        Arn::cluster(&environment, "orders").unwrap(),
    );
    let settling = Settling {
        tries,
        pause: Duration::from_millis(1),
    };
    let connected = settling.connect(clusters, &target).await;
    connected.map(drop).map_err(|unreachable| {
        let findings = unreachable.findings.iter();
        findings.map(AccessFinding::code).collect()
    })
}

#[tokio::test]
async fn an_endpoint_and_an_access_entry_are_waited_for() {
    let clusters = later(vec![unknown(), unknown(), silent(), silent()], 2).await;
    assert_eq!(connect(&clusters, 7).await, Ok(()));
    assert_eq!(clusters.server.requests().len(), 3, "twice denied, then allowed");
}

#[tokio::test]
async fn the_limit_names_what_the_cluster_still_lacks() {
    let clusters = later(vec![silent(); 3], 0).await;
    assert_eq!(connect(&clusters, 3).await, Err(vec![Code::ClusterUnreachable]));
    let clusters = later(vec![unknown(); 3], 0).await;
    assert_eq!(connect(&clusters, 3).await, Err(vec![Code::NoAccessEntry]));
    // The restore names the permissions that are missing.
    let clusters = later(Vec::new(), 9).await;
    assert_eq!(connect(&clusters, 3).await, Ok(()));
}

#[tokio::test]
async fn what_does_not_pass_is_not_waited_for() {
    let clusters = later(
        vec![Unreachable::unavailable(AccessFinding::PrivateEndpoint {}); 2],
        0,
    )
    .await;
    assert_eq!(connect(&clusters, 3).await, Err(vec![Code::EndpointPrivate]));
    assert_eq!(clusters.failures.lock().unwrap().len(), 1);
}
