#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lifeboat_format::Decompressor;
use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::{Diagnostic as _, LabelSelector, TypeName};
use serde_json::{Value, json};

use crate::*;
use lifeboat_apiserver::testing::{FakeCluster, FakeServer, FakeType, Recorded, Reply};

mod pages;
mod parts;
mod unlisted;

/// A sink that keeps all objects in memory, by type.
#[derive(Default)]
struct Kept(BTreeMap<String, Vec<Value>>);

#[async_trait]
impl BatchSink for Kept {
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        let mut lines = Vec::new();
        Decompressor::new()
            .unwrap()
            .decompress(&batch.compressed, &mut lines)
            .unwrap();
        let kept = self.0.entry(batch.type_name.to_string()).or_default();
        for line in lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            kept.push(serde_json::from_slice(line).unwrap());
        }
        Ok(())
    }
}

impl Kept {
    fn names(&self, type_name: &str) -> Vec<String> {
        let objects = self.0.get(type_name).map(Vec::as_slice).unwrap_or_default();
        objects
            .iter()
            .map(|o| o["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[derive(Default)]
struct Events(Vec<CaptureEvent>);

impl CaptureProgress for Events {
    fn event(&mut self, event: &CaptureEvent) {
        self.0.push(event.clone());
    }
}

fn options() -> CaptureOptions {
    let retry = RetryPolicy {
        attempts: 4,
        base: Duration::from_millis(2),
        cap: Duration::from_millis(10),
        deadline: Duration::from_secs(10),
    };
    CaptureOptions {
        page_size: 10,
        retry,
        ..CaptureOptions::default()
    }
}

fn carts() -> FakeType {
    FakeType::core("carts", "Cart").with_objects(35)
}

async fn run_with<F>(
    handler: F,
    options: &CaptureOptions,
) -> (Result<Captured, CaptureError>, Kept, FakeServer)
where
    F: Fn(&Recorded, usize) -> Reply + Send + Sync + 'static,
{
    let server = FakeServer::start(handler).await.unwrap();
    let api = server.api().with_retry(options.retry);
    let mut kept = Kept::default();
    let captured = capture(&api, options, &mut kept, &mut Unwatched).await;
    (captured, kept, server)
}

/// Captures a cluster with 35 carts whose lists fail as `fault` defines, and asserts that every object is stored
/// once.
async fn every_cart_once<F>(fault: F) -> Captured
where
    F: Fn(&Recorded, usize, Reply) -> Reply + Send + Sync + 'static,
{
    let cluster = FakeCluster::with([carts(), FakeType::core("boxes", "Box").with_objects(3)]);
    let handler = move |request: &Recorded, earlier: usize| {
        let reply = cluster.answer(request);
        if request.path == "/api/v1/carts" {
            fault(request, earlier, reply)
        } else {
            reply
        }
    };
    let (captured, kept, _server) = run_with(handler, &options()).await;
    let captured = captured.unwrap();
    let expected: Vec<String> = (0..35).map(|n| format!("carts-{n:05}")).collect();
    assert_eq!(kept.names("carts"), expected);
    assert_eq!(kept.names("boxes").len(), 3);
    assert_eq!(captured.completeness(), Completeness::Complete);
    assert_eq!(
        captured.objects,
        kept.0.values().map(|v| v.len() as u64).sum::<u64>()
    );
    captured
}

fn outcome<'a>(captured: &'a Captured, type_name: &str) -> &'a TypeOutcome {
    &captured
        .types
        .iter()
        .find(|t| t.name().as_str() == type_name)
        .unwrap()
        .outcome
}

fn why(captured: &Captured, type_name: &str) -> String {
    match outcome(captured, type_name) {
        TypeOutcome::Listed {
            pinned: false,
            why: Some(why),
            ..
        } => why.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn everything_is_read_once_at_one_version() {
    let captured = every_cart_once(|_, _, reply| reply).await;
    assert_eq!(captured.resource_version.as_deref(), Some("1000"));
    for known in &captured.types {
        assert!(
            matches!(&known.outcome, TypeOutcome::Listed { pinned: true, why: None, resource_version, .. } if resource_version.as_deref() == Some("1000")),
            "{known:?}"
        );
    }
    assert_eq!(
        captured.server.kube_system_uid.as_deref(),
        Some("uid-of-kube-system")
    );
}

#[tokio::test]
async fn throttling_is_obeyed_and_costs_nothing() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = asked.clone();
    every_cart_once(move |request, earlier, reply| {
        if !request.parameter("continue").is_empty() {
            return reply;
        }
        if request.parameter("limit") == "10" {
            times.lock().unwrap().push(std::time::Instant::now());
        }
        if earlier == 0 {
            Reply::failure(429, "TooManyRequests", "slow down").header("retry-after", "1")
        } else {
            reply
        }
    })
    .await;
    let asked = asked.lock().unwrap();
    assert!(
        asked[1] - asked[0] >= Duration::from_secs(1),
        "the server asked for a second"
    );
}

#[tokio::test]
async fn passing_server_errors_are_tried_again() {
    for status in [500, 502, 503, 504] {
        let captured = every_cart_once(move |_, earlier, reply| {
            if earlier < 2 {
                Reply::failure(status, "InternalError", "not now")
            } else {
                reply
            }
        })
        .await;
        assert!(
            matches!(
                outcome(&captured, "carts"),
                TypeOutcome::Listed { pinned: true, .. }
            ),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_drops_in_the_middle_of_a_page_doubles_nothing() {
    // The connection of every page breaks twice, at different bytes: in the first item, between items, near the end.
    for (first, second) in [(0, 1), (90, 700), (700, 300), (1200, 1201)] {
        let captured = every_cart_once(move |_, earlier, reply| match earlier {
            0 => reply.cut_after(first),
            1 => reply.cut_after(second),
            _ => reply,
        })
        .await;
        assert!(matches!(
            outcome(&captured, "carts"),
            TypeOutcome::Listed { pinned: true, .. }
        ));
    }
}

#[tokio::test]
async fn a_list_cut_short_by_a_proxy_is_read_again() {
    // The proxy completes the HTTP response, but the list in it is truncated.
    every_cart_once(|_, earlier, reply| {
        if earlier == 0 {
            Reply::bytes(
                200,
                "application/json",
                reply.body()[..reply.body_len() - 40].to_vec(),
            )
        } else {
            reply
        }
    })
    .await;
}

#[tokio::test]
async fn an_expired_list_goes_on_with_the_servers_token() {
    let captured = every_cart_once(|request, _, reply| {
        if request.parameter("continue") == "1000:20" {
            let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
                "message": "The provided continue parameter is too old", "metadata": {"continue": "1001:20"}});
            Reply::json(410, &body)
        } else {
            reply
        }
    })
    .await;
    assert_eq!(
        why(&captured, "carts"),
        "the list expired after 20 objects (410); the rest is from a later resourceVersion"
    );
}

#[tokio::test]
async fn an_expired_list_without_a_token_begins_anew_and_doubles_nothing() {
    let captured = every_cart_once(|request, _, reply| {
        let pinned = request.parameter("resourceVersionMatch") == "Exact";
        if request.parameter("continue") == "1000:20" && !pinned {
            // Old tokens stay expired; the new list is at another resourceVersion.
            return Reply::failure(410, "Expired", "too old");
        }
        if request.parameter("continue").is_empty() && !pinned {
            // Pages of the new list have other boundaries, so that no position matches by chance.
            let mut body: Value = serde_json::from_slice(reply.body()).unwrap();
            body["metadata"]["resourceVersion"] = "1007".into();
            if let Some(token) = body["metadata"].get_mut("continue") {
                *token = token.as_str().unwrap().replace("1000:", "1007:").into();
            }
            return Reply::json(200, &body);
        }
        reply
    })
    .await;
    assert!(why(&captured, "carts").starts_with("the list expired after 20 objects"));
}

#[tokio::test]
async fn a_page_that_breaks_and_then_expires_doubles_nothing() {
    let captured = every_cart_once(|request, earlier, reply| match request.parameter("continue") {
        // Some items of the page are taken, then its token expires; the new token starts at the same key.
        "1000:20" if earlier == 0 => reply.cut_after(900),
        "1000:20" => {
            let body = json!({"kind": "Status", "code": 410, "reason": "Expired", "metadata": {"continue": "1001:20"}});
            Reply::json(410, &body)
        }
        // The connection of the page at the new token breaks as well.
        "1001:20" if earlier == 0 => reply.cut_after(1200),
        _ => reply,
    })
    .await;
    assert!(why(&captured, "carts").contains("expired"));
}

#[tokio::test]
async fn a_page_that_breaks_and_then_fails_at_the_pinned_version_doubles_nothing() {
    every_cart_once(|request, earlier, reply| {
        let exact = request.parameter("resourceVersionMatch") == "Exact";
        match earlier {
            0 if exact => reply.cut_after(900),
            _ if exact => Reply::failure(500, "InternalError", "no such revision"),
            _ => reply,
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_that_expires_out_of_order_fails_by_name_and_doubles_nothing() {
    let mut carts = carts();
    carts.objects.swap(3, 30);
    let cluster = FakeCluster::with([carts]);
    let handler = move |request: &Recorded, _: usize| {
        if request.parameter("continue") == "1000:20" {
            return Reply::failure(410, "Expired", "too old");
        }
        cluster.answer(request)
    };
    let (captured, kept, _server) = run_with(handler, &options()).await;
    let captured = captured.unwrap();
    assert_eq!(captured.completeness(), Completeness::Partial);
    assert!(
        captured.missing[0].answer.contains("not sorted"),
        "{}",
        captured.missing[0].answer
    );
    assert_eq!(kept.names("carts").len(), 20, "what was taken is there");
    assert_eq!(
        captured.objects,
        kept.0.values().map(|v| v.len() as u64).sum::<u64>()
    );
}

#[tokio::test]
async fn a_break_in_the_first_unpinned_page_doubles_nothing() {
    // The server refuses exact versions, so the first page may differ when it is read again.
    let captured = every_cart_once(|request, earlier, reply| {
        if request.parameter("resourceVersionMatch") == "Exact" {
            Reply::failure(400, "BadRequest", "resourceVersionMatch is not supported")
        } else if request.parameter("continue").is_empty()
            && request.parameter("limit") == "10"
            && earlier == 0
        {
            reply.cut_after(900)
        } else {
            reply
        }
    })
    .await;
    assert_eq!(
        why(&captured, "carts"),
        "the server refuses to list at exactly resourceVersion 1000 (400)"
    );
}

#[tokio::test]
async fn a_version_that_is_gone_or_too_new_for_the_type_falls_back() {
    for (reply, expected) in [
        (
            Reply::failure(410, "Expired", "compacted"),
            "resourceVersion 1000 has expired (410)",
        ),
        (
            Reply::json(
                504,
                &json!({"kind": "Status", "code": 504, "reason": "Timeout", "message": "Too large resource version",
                "details": {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1}}),
            ),
            "the server refuses to list at exactly resourceVersion 1000 (504)",
        ),
        (
            Reply::failure(
                500,
                "InternalError",
                "etcdserver: mvcc: required revision is a future revision",
            ),
            "the server fails to list at exactly the pinned resourceVersion (500)",
        ),
    ] {
        let captured = every_cart_once(move |request, _, usual| {
            if request.parameter("resourceVersionMatch") == "Exact" {
                reply.clone()
            } else {
                usual
            }
        })
        .await;
        assert_eq!(why(&captured, "carts"), expected);
    }
}

#[tokio::test]
async fn a_server_that_ignores_the_exact_version_is_found_out() {
    let captured = every_cart_once(|_, _, reply| {
        let mut body: Value = serde_json::from_slice(reply.body()).unwrap();
        body["metadata"]["resourceVersion"] = "2000".into();
        Reply::json(200, &body)
    })
    .await;
    assert_eq!(
        why(&captured, "carts"),
        "the server listed at resourceVersion 2000 instead of the requested one"
    );
}

/// Captures a cluster where the list of carts always fails, and asserts that everything except the carts is stored.
async fn without_carts(fault: Reply) -> Captured {
    let cluster = FakeCluster::with([carts(), FakeType::core("boxes", "Box").with_objects(3)]);
    let handler = move |request: &Recorded, _: usize| match request.path.as_str() {
        "/api/v1/carts" => fault.clone(),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => Reply::json(
            201,
            &json!({"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "jane"}}}),
        ),
        _ => cluster.answer(request),
    };
    let (captured, kept, _server) = run_with(handler, &options()).await;
    let captured = captured.unwrap();
    assert_eq!(captured.completeness(), Completeness::Partial);
    assert_eq!(kept.names("boxes").len(), 3, "the other types are there");
    assert_eq!(captured.missing.len(), 1);
    assert_eq!(captured.missing[0].r#type, Some(TypeName::from("carts")));
    captured
}

#[tokio::test]
async fn a_refused_type_is_named_with_the_command_that_mends_it() {
    let captured = without_carts(Reply::failure(
        403,
        "Forbidden",
        "carts is forbidden: User \"jane\" cannot list",
    ))
    .await;
    let missing = &captured.missing[0];
    assert_eq!(missing.verb, "list");
    assert!(
        missing.answer.starts_with("403 carts is forbidden"),
        "{}",
        missing.answer
    );
    assert!(
        missing.remediation.contains("--resource=carts") && missing.remediation.ends_with("--user=jane"),
        "{}",
        missing.remediation
    );
    let TypeOutcome::Failed { status, reason, .. } = outcome(&captured, "carts") else {
        panic!()
    };
    assert_eq!((*status, reason.as_str()), (Some(403), "Forbidden"));
}

#[tokio::test]
async fn other_lasting_failures_of_a_type_are_named_as_well() {
    for (reply, words) in [
        (
            Reply::failure(
                404,
                "NotFound",
                "the server could not find the requested resource",
            ),
            "404 the server could not find",
        ),
        (
            Reply::failure(405, "MethodNotAllowed", "not here"),
            "405 not here",
        ),
        (
            Reply::failure(503, "ServiceUnavailable", "no endpoints"),
            "503 no endpoints",
        ),
        (
            Reply::bytes(200, "text/html", "<html>login</html>"),
            "the opening brace of a list",
        ),
        (
            Reply::json(
                200,
                &json!({"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": "no"}),
            ),
            "403",
        ),
        // A proxy that compresses although the client did not accept it, and truncates the compressed body.
        (
            Reply::bytes(200, "application/json", [0x1f, 0x8b, 8, 0, 0].to_vec())
                .header("content-encoding", "gzip"),
            "content-encoding gzip",
        ),
        (
            Reply::json(
                200,
                &json!({"kind": "CartList", "apiVersion": "v1", "metadata": {"resourceVersion": "1000"}, "items": [{"metadata": {}}]}),
            ),
            "name",
        ),
    ] {
        let captured = without_carts(reply).await;
        assert!(
            captured.missing[0].answer.contains(words),
            "{} lacks {words}",
            captured.missing[0].answer
        );
    }
}

#[tokio::test]
async fn credentials_that_end_in_the_middle_end_the_run() {
    let cluster = FakeCluster::with([carts()]);
    let handler = move |request: &Recorded, _: usize| {
        if request.parameter("continue").is_empty() {
            cluster.answer(request)
        } else {
            Reply::failure(401, "Unauthorized", "Unauthorized")
        }
    };
    let (captured, ..) = run_with(handler, &options()).await;
    let error = captured.unwrap_err();
    assert_eq!(error.code(), lifeboat_model::Code::Unauthenticated);
}

#[tokio::test]
async fn a_stale_group_makes_the_point_partial_by_name() {
    let cluster = FakeCluster::with([carts()]);
    let handler = move |request: &Recorded, _: usize| {
        let reply = cluster.answer(request);
        if request.path != "/apis" {
            return reply;
        }
        let mut body: Value = serde_json::from_slice(reply.body()).unwrap();
        let stale = json!({"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale", "resources": []}]});
        body["items"].as_array_mut().unwrap().push(stale);
        Reply::json(200, &body)
    };
    let (captured, ..) = run_with(handler, &options()).await;
    let captured = captured.unwrap();
    assert_eq!(captured.completeness(), Completeness::Partial);
    assert_eq!(
        captured.missing[0].group.as_deref(),
        Some("metrics.k8s.io/v1beta1")
    );
    assert_eq!(captured.missing[0].verb, "discover");
    assert!(
        captured.missing[0]
            .remediation
            .contains("kubectl get apiservice v1beta1.metrics.k8s.io")
    );
}

fn definition(group: &str, plural: &str, stored: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|v| json!({"name": v, "served": true, "storage": *v == stored}))
        .collect();
    json!({"metadata": {"name": format!("{plural}.{group}")}, "spec": {"group": group, "names": {"plural": plural}, "versions": versions}})
}

#[tokio::test]
async fn custom_resources_are_read_at_their_storage_version() {
    let mut gadgets = FakeType::grouped("shop.example", "v2", "gadgets", "Gadget").with_objects(12);
    gadgets.versions.push("v1".into());
    let mut unserved = FakeType::grouped("shop.example", "v2", "widgets", "Widget").with_objects(2);
    unserved.versions.push("v1".into());
    let mut cluster = FakeCluster::with([gadgets, unserved]);
    let definitions = cluster
        .types
        .iter_mut()
        .find(|t| t.resource == "customresourcedefinitions")
        .unwrap();
    definitions
        .objects
        .push(definition("shop.example", "gadgets", "v1", &["v1", "v2"]));
    definitions
        .objects
        .push(definition("shop.example", "widgets", "v0", &["v0", "v1", "v2"]));
    for labels in ["", "parity"] {
        let cluster = cluster.clone();
        let mut options = options();
        options.filter.labels = labels.parse::<LabelSelector>().unwrap();
        let (captured, kept, _server) = run_with(move |r, _| cluster.answer(r), &options).await;
        let captured = captured.unwrap();
        let version = |name: &str| {
            captured
                .types
                .iter()
                .find(|t| t.resource == name)
                .map(|t| (t.version.clone(), t.custom))
                .unwrap()
        };
        assert_eq!(version("gadgets"), ("v1".into(), true));
        assert_eq!(version("widgets"), ("v2".into(), true));
        assert!(
            captured.notes[0].contains("widgets.shop.example is stored at version v0"),
            "{:?}",
            captured.notes
        );
        let gadgets = &kept.0["gadgets.shop.example"];
        assert!(
            gadgets
                .iter()
                .all(|g| g["apiVersion"] == "shop.example/v1" && g["kind"] == "Gadget")
        );
        assert_eq!(gadgets.len(), 12);
    }
}

#[tokio::test]
async fn an_internal_error_that_stays_the_same_is_not_asked_for_many_times() {
    let cluster =
        FakeCluster::with([FakeType::grouped("shop.example", "v1", "feeds", "Feed").with_objects(2)]);
    let why = "request to convert CR from an invalid group/version: shop.example/v1alpha1";
    let path = "/apis/shop.example/v1/feeds";
    let options = CaptureOptions {
        retry: RetryPolicy {
            attempts: 8,
            ..options().retry
        },
        ..options()
    };
    let answer = move |request: &Recorded, _: usize| match request.path == path {
        true => Reply::failure(500, "InternalError", why),
        false => cluster.answer(request),
    };
    let (captured, _, server) = run_with(answer, &options).await;
    let captured = captured.unwrap();
    let [missing] = captured.missing.as_slice() else {
        panic!("{:?}", captured.missing);
    };
    assert_eq!(missing.answer, format!("500 {why}"));
    // Four times at the pinned version, and once at the newest one.
    let asked = server.requests().iter().filter(|r| r.path == path).count();
    assert_eq!(asked, 5);
}

#[tokio::test]
async fn objects_that_two_groups_serve_are_stored_once() {
    let cluster = FakeCluster::with([
        FakeType::core("events", "Event").with_objects(5),
        FakeType::grouped("events.k8s.io", "v1", "events", "Event").with_objects(5),
    ]);
    let (captured, kept, _server) = run_with(move |r, _| cluster.answer(r), &options()).await;
    let captured = captured.unwrap();
    assert_eq!(kept.names("events").len(), 5);
    assert!(!kept.0.contains_key("events.events.k8s.io"));
    assert_eq!(
        outcome(&captured, "events.events.k8s.io"),
        &TypeOutcome::SameAs {
            r#type: "events".into()
        }
    );
}

#[tokio::test]
async fn an_unknown_name_in_a_filter_is_an_error_before_anything_is_read() {
    let unknown_type = Filter {
        types: vec![TypeSelector("cartz".into())],
        ..Filter::default()
    };
    let unknown_excluded = Filter {
        exclude_types: vec![TypeSelector("cartz".into())],
        ..Filter::default()
    };
    let unknown_namespace = Filter {
        namespaces: vec!["shopp".into()],
        ..Filter::default()
    };
    for filter in [unknown_type, unknown_excluded, unknown_namespace] {
        let cluster = FakeCluster::with([carts()]);
        let options = CaptureOptions { filter, ..options() };
        let (captured, kept, server) = run_with(move |r, _| cluster.answer(r), &options).await;
        let error = captured.unwrap_err();
        assert_eq!(error.code(), lifeboat_model::Code::UnknownFilter, "{error}");
        assert!(kept.0.is_empty());
        assert!(
            server.requests().iter().all(|r| r.parameter("limit").is_empty()),
            "nothing was listed"
        );
    }
}

#[tokio::test]
async fn named_namespaces_are_listed_one_by_one_and_what_is_left_out_is_recorded() {
    let cluster = FakeCluster::with([
        carts(),
        FakeType::core("racks", "Rack").cluster_scoped().with_objects(2),
    ]);
    let filter = Filter {
        namespaces: vec!["shop".into()],
        exclude_types: vec![TypeSelector("Box".into())],
        ..Filter::default()
    };
    let filter = Filter {
        exclude_types: Vec::new(),
        ..filter
    };
    let options = CaptureOptions { filter, ..options() };
    let (captured, kept, server) = run_with(move |r, _| cluster.answer(r), &options).await;
    let captured = captured.unwrap();
    assert_eq!(kept.names("carts").len(), 35);
    assert!(kept.names("racks").is_empty());
    assert!(matches!(
        outcome(&captured, "racks"),
        TypeOutcome::Excluded { .. }
    ));
    let asked = |path: &str| server.requests().iter().any(|r| r.path == path);
    assert!(asked("/api/v1/namespaces/shop/carts") && !asked("/api/v1/carts"));
    let own =
        |r: &Recorded| r.path == "/api/v1/namespaces" && r.parameter("fieldSelector") == "metadata.name=shop";
    assert!(
        server.requests().iter().any(own),
        "the Namespace itself comes along"
    );
}

#[tokio::test]
async fn excluded_namespaces_are_left_out_with_their_namespace_objects() {
    let cluster = FakeCluster::with([carts()]);
    let filter = Filter {
        exclude_namespaces: vec!["shop".into()],
        ..Filter::default()
    };
    let options = CaptureOptions { filter, ..options() };
    let (captured, kept, _server) = run_with(move |r, _| cluster.answer(r), &options).await;
    captured.unwrap();
    assert!(kept.names("carts").is_empty());
    assert_eq!(kept.names("namespaces"), ["kube-system"]);
}

#[tokio::test]
async fn an_excluded_namespace_need_not_exist() {
    let cluster = FakeCluster::with([carts()]);
    let filter = Filter {
        exclude_namespaces: vec!["ghost".into()],
        ..Filter::default()
    };
    let options = CaptureOptions { filter, ..options() };
    let (captured, kept, _server) = run_with(move |r, _| cluster.answer(r), &options).await;
    assert_eq!(
        captured.unwrap().notes,
        ["the excluded namespace ghost does not exist"]
    );
    assert!(!kept.names("carts").is_empty());
}

#[tokio::test]
async fn labels_are_asked_of_the_server() {
    let cluster = FakeCluster::with([carts()]);
    let mut options = options();
    options.filter.labels = "parity in (even),!old".parse().unwrap();
    let (captured, _, server) = run_with(move |r, _| cluster.answer(r), &options).await;
    captured.unwrap();
    let lists = server.requests();
    let first = lists
        .iter()
        .find(|r| r.path == "/api/v1/carts" && r.parameter("limit") == "10")
        .unwrap();
    assert_eq!(first.parameter("labelSelector"), "parity in (even),!old");
}

#[tokio::test]
async fn a_capture_ends_at_its_deadline() {
    let cluster = FakeCluster::with([carts()]);
    let handler = move |request: &Recorded, _: usize| {
        let reply = cluster.answer(request);
        if request.path == "/api/v1/carts" && request.parameter("limit") == "10" {
            reply.after(Duration::from_secs(30))
        } else {
            reply
        }
    };
    let options = CaptureOptions {
        deadline: Some(Duration::from_millis(300)),
        ..options()
    };
    let (captured, ..) = run_with(handler, &options).await;
    let error = captured.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (
            lifeboat_model::Code::CaptureDeadlineExceeded,
            lifeboat_model::ErrorKind::Deadline
        )
    );
}

struct Full;

#[async_trait]
impl BatchSink for Full {
    async fn append(&mut self, _: Batch) -> Result<(), WriteError> {
        Err(WriteError::Broken)
    }
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_capture() {
    let cluster = FakeCluster::with([carts()]);
    let server = FakeServer::start(move |r, _| cluster.answer(r)).await.unwrap();
    let error = capture(&server.api(), &options(), &mut Full, &mut Unwatched)
        .await
        .unwrap_err();
    assert!(matches!(error, CaptureError::Write(WriteError::Broken)));
}

#[tokio::test]
async fn progress_tells_each_type_and_page() {
    let cluster = FakeCluster::with([carts()]);
    let server = FakeServer::start(move |r, _| cluster.answer(r)).await.unwrap();
    let mut events = Events::default();
    capture(&server.api(), &options(), &mut Kept::default(), &mut events)
        .await
        .unwrap();
    let of_carts: Vec<&CaptureEvent> = events
        .0
        .iter()
        .filter(|e| format!("{e:?}").contains("\"carts\""))
        .collect();
    assert!(matches!(of_carts[0], CaptureEvent::TypeStarted { .. }));
    let pages: Vec<u64> = of_carts
        .iter()
        .filter_map(|e| {
            if let CaptureEvent::Page { objects, .. } = e {
                Some(*objects)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(pages, [10, 20, 30, 35]);
    assert!(matches!(
        of_carts.last().unwrap(),
        CaptureEvent::TypeFinished { .. }
    ));
}
