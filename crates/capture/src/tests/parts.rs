//! A capture in several runs, sequential or concurrent, contains what a single run contains.

use std::sync::atomic::{AtomicUsize, Ordering};

use lifeboat_jobs::split::OBJECTS_PER_PART;

use crate::tests::*;

/// Cancels the capture after `left` events that `counts` accepts.
struct PullAt<'a, F> {
    cancellation: &'a CancellationToken,
    left: u32,
    counts: F,
}

impl<F: Fn(&CaptureEvent) -> bool> CaptureProgress for PullAt<'_, F> {
    fn event(&mut self, event: &CaptureEvent) {
        if (self.counts)(event) {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.cancellation.cancel();
            }
        }
    }
}

fn pages(event: &CaptureEvent) -> bool {
    matches!(event, CaptureEvent::Page { .. })
}

/// Runs until the capture is cancelled. The checkpoint is serialized and parsed, as between two epochs.
async fn run_until(
    api: &Api,
    options: &CaptureOptions,
    from: Option<ListingCheckpoint>,
    (after, counts): (u32, fn(&CaptureEvent) -> bool),
    kept: &mut Kept,
) -> Ended {
    let cancellation = CancellationToken::new();
    let mut watch = PullAt {
        cancellation: &cancellation,
        left: after,
        counts,
    };
    let ended = capture_part(api, options, from, &cancellation, kept, &mut watch)
        .await
        .unwrap();
    match ended {
        Ended::Stopped(Some(listing)) => {
            let text = serde_json::to_string(&listing).unwrap();
            Ended::Stopped(Some(serde_json::from_str(&text).unwrap()))
        }
        other => other,
    }
}

/// Captures in as many runs as needed, each cancelled after `pages_each` pages.
async fn in_runs(api: &Api, options: &CaptureOptions, pages_each: u32) -> (Captured, Kept, u32) {
    let (mut kept, mut from, mut runs) = (Kept::default(), None, 0);
    loop {
        runs += 1;
        assert!(runs < 500, "it never ends");
        match run_until(api, options, from.take(), (pages_each, pages), &mut kept).await {
            Ended::Complete(captured) => return (*captured, kept, runs),
            Ended::Stopped(listing) => from = listing.map(|listing| *listing),
        }
    }
}

fn shop() -> FakeCluster {
    let mut fitted = FakeType::grouped("shop.example", "v2", "carts", "Cart").with_objects(33);
    fitted.versions.push("v1".to_owned());
    let mut cluster = FakeCluster::with([
        carts(),
        FakeType::core("boxes", "Box").with_objects(3),
        FakeType::core("events", "Event").with_objects(71),
        FakeType::core("nodes", "Node").cluster_scoped(),
        FakeType::grouped("apps", "v1", "deployments", "Deployment").with_objects(10),
        fitted,
    ]);
    let crd = definition("shop.example", "carts", "v1", &["v2", "v1"]);
    cluster.types[1].objects.push(crd);
    for deployment in &mut cluster.types[6].objects {
        let image = format!(
            "registry.example/{}",
            deployment["metadata"]["name"].as_str().unwrap()
        );
        deployment["spec"] = json!({"containers": [{"image": image}]});
    }
    cluster
}

#[tokio::test]
async fn many_runs_store_what_one_run_stores() {
    let server = FakeServer::start(move |request: &Recorded, _| shop().answer(request))
        .await
        .unwrap();
    let api = server.api();
    let options = CaptureOptions {
        concurrency: 3,
        ..options()
    };
    let (whole, in_one, runs) = in_runs(&api, &options, u32::MAX).await;
    assert_eq!(runs, 1);
    assert_eq!(whole.dependencies["images"].len(), 10);
    assert_eq!(in_one.0["carts.shop.example"].len(), 33);
    for pages_each in [2, 3, 5] {
        let (again, in_many, runs) = in_runs(&api, &options, pages_each).await;
        assert!(runs > 3, "{runs} runs");
        assert_eq!(again, whole);
        assert_eq!(in_many.0, in_one.0, "each object once, in order");
    }
}

#[tokio::test]
async fn filters_by_namespace_and_label_hold_in_every_run() {
    let server = FakeServer::start(move |request: &Recorded, _| shop().answer(request))
        .await
        .unwrap();
    let filter = Filter {
        namespaces: vec!["shop".to_owned(), "kube-system".to_owned()],
        ..Filter::default()
    };
    let options = CaptureOptions { filter, ..options() };
    let (whole, in_one, _) = in_runs(&server.api(), &options, u32::MAX).await;
    let (again, in_many, runs) = in_runs(&server.api(), &options, 2).await;
    assert!(runs > 3, "{runs} runs");
    assert_eq!(again, whole);
    assert_eq!(in_many.0, in_one.0);
}

/// A run that crashes contributes nothing; the next run starts from the checkpoint of the run before it.
#[tokio::test]
async fn a_run_that_hands_nothing_on_is_done_again() {
    let server = FakeServer::start(move |request: &Recorded, _| shop().answer(request))
        .await
        .unwrap();
    let (api, options) = (server.api(), options());
    let mut kept = Kept::default();
    let Ended::Stopped(Some(first)) = run_until(&api, &options, None, (6, pages), &mut kept).await else {
        panic!("six pages are not all");
    };
    let mut lost = Kept::default();
    drop(run_until(&api, &options, Some(*first.clone()), (4, pages), &mut lost).await);
    let Ended::Complete(captured) =
        run_until(&api, &options, Some(*first), (u32::MAX, pages), &mut kept).await
    else {
        panic!("the capture was cancelled");
    };
    let (whole, in_one, _) = in_runs(&api, &options, u32::MAX).await;
    assert_eq!((*captured, kept.0), (whole, in_one.0));
}

/// Captures 35 carts in pages of ten, cancelled in the middle of a page. In the next run, the request for that page
/// fails as `fault` defines.
async fn stopped_in_the_middle_of_a_page<F>(fault: F) -> Captured
where
    F: Fn(&Recorded, Reply) -> Reply + Send + Sync + 'static,
{
    let cluster = FakeCluster::with([carts()]);
    let second_run = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&second_run);
    let server = FakeServer::start(move |request: &Recorded, _| {
        let reply = cluster.answer(request);
        match request.parameter("continue") {
            "1000:20" if request.path == "/api/v1/carts" && seen.load(Ordering::SeqCst) == 0 => {
                let half = reply.body_len() / 2;
                reply.cut_after(half)
            }
            _ if request.path == "/api/v1/carts" && seen.load(Ordering::SeqCst) == 1 => fault(request, reply),
            _ => reply,
        }
    })
    .await
    .unwrap();
    let (api, mut kept) = (server.api(), Kept::default());
    let retrying = |event: &CaptureEvent| matches!(event, CaptureEvent::Retrying { .. });
    let Ended::Stopped(Some(first)) = run_until(&api, &options(), None, (1, retrying), &mut kept).await
    else {
        panic!("a page was truncated");
    };
    let taken = kept.names("carts").len();
    assert!(
        (21..30).contains(&taken),
        "{taken} carts are not the middle of the third page"
    );
    second_run.store(1, Ordering::SeqCst);
    let Ended::Complete(captured) =
        run_until(&api, &options(), Some(*first), (u32::MAX, pages), &mut kept).await
    else {
        panic!("the capture was cancelled");
    };
    let expected: Vec<String> = (0..35).map(|n| format!("carts-{n:05}")).collect();
    assert_eq!(kept.names("carts"), expected);
    assert_eq!(captured.objects, 35 + 2);
    *captured
}

#[tokio::test]
async fn a_page_that_was_stopped_in_the_middle_doubles_nothing() {
    let captured = stopped_in_the_middle_of_a_page(|_, reply| reply).await;
    assert!(matches!(
        outcome(&captured, "carts"),
        TypeOutcome::Listed {
            pinned: true,
            objects: 35,
            ..
        }
    ));
}

#[tokio::test]
async fn a_list_that_expires_between_two_runs_goes_on_with_the_servers_token() {
    let captured = stopped_in_the_middle_of_a_page(|request, reply| match request.parameter("continue") {
        "1000:20" => Reply::json(
            410,
            &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired",
                    "code": 410, "message": "too old", "metadata": {"continue": "2000:20"}}),
        ),
        _ => reply,
    })
    .await;
    assert!(why(&captured, "carts").contains("expired after"), "{captured:?}");
}

#[tokio::test]
async fn a_list_that_expires_between_two_runs_without_a_token_begins_anew_and_doubles_nothing() {
    let captured = stopped_in_the_middle_of_a_page(|request, reply| {
        let token = request.parameter("continue");
        if token.starts_with("1000:") {
            return Reply::failure(410, "Expired", "too old");
        }
        if token.is_empty() && request.parameter("resourceVersionMatch").is_empty() {
            // The new list and its tokens are at a later resourceVersion.
            let mut body: Value = serde_json::from_slice(reply.body()).unwrap();
            body["metadata"]["resourceVersion"] = "1007".into();
            body["metadata"]["continue"] = "1007:10".into();
            return Reply::json(200, &body);
        }
        reply
    })
    .await;
    assert!(why(&captured, "carts").contains("expired after"), "{captured:?}");
}

#[tokio::test]
async fn before_the_definitions_are_read_nothing_is_worth_keeping() {
    let server = FakeServer::start(move |request: &Recorded, _| shop().answer(request))
        .await
        .unwrap();
    let mut kept = Kept::default();
    let started = |event: &CaptureEvent| matches!(event, CaptureEvent::TypeStarted { .. });
    let options = CaptureOptions {
        concurrency: 1,
        ..options()
    };
    let ended = run_until(&server.api(), &options, None, (1, started), &mut kept).await;
    assert_eq!(ended, Ended::Stopped(None));
    assert_eq!(kept.0.len(), 0);
}

#[tokio::test]
async fn another_cluster_under_the_same_name_is_not_gone_on_with() {
    let changed = Arc::new(AtomicUsize::new(0));
    let flag = Arc::clone(&changed);
    let server = FakeServer::start(move |request: &Recorded, _| {
        let mut cluster = shop();
        if flag.load(Ordering::SeqCst) == 1 {
            cluster.types[0].objects[0]["metadata"]["uid"] = "another".into();
        }
        cluster.answer(request)
    })
    .await
    .unwrap();
    let mut kept = Kept::default();
    let Ended::Stopped(first) = run_until(&server.api(), &options(), None, (6, pages), &mut kept).await
    else {
        panic!("six pages are not all");
    };
    changed.store(1, Ordering::SeqCst);
    let error = capture_part(
        &server.api(),
        &options(),
        first.map(|first| *first),
        &CancellationToken::new(),
        &mut kept,
        &mut Unwatched,
    )
    .await
    .unwrap_err();
    assert!(matches!(error, CaptureError::OtherCluster), "{error}");
}

/// Concurrent parts, split by type, at the resourceVersion of the count.
#[tokio::test]
async fn parts_by_type_hold_together_what_one_capture_holds() {
    let server = FakeServer::start(move |request: &Recorded, _| shop().answer(request))
        .await
        .unwrap();
    let api = server.api();
    let counted = count(&api, &options()).await.unwrap().unwrap();
    assert_eq!(counted.resource_version, "1000");
    let of = |name: &str| counted.types.get(&TypeName::from(name)).copied();
    assert_eq!(
        (of("events"), of("carts.shop.example"), of("namespaces")),
        (Some(71), Some(33), Some(2))
    );
    assert_eq!(of("nodes"), None, "types without objects are left out");
    assert!(counted.types.values().sum::<u64>() < OBJECTS_PER_PART);

    let (whole, in_one, _) = in_runs(&api, &options(), u32::MAX).await;
    let named = vec![TypeName::from("events"), TypeName::from("carts.shop.example")];
    let version = counted.resource_version;
    let of_types = |types| CaptureOptions { types, ..options() };
    let some = of_types(Types::Only {
        types: named.clone(),
        resource_version: version.clone(),
    });
    let others = of_types(Types::Except {
        types: named,
        resource_version: version,
    });
    let (some, mut lines, _) = in_runs(&api, &some, 3).await;
    let (others, other_lines, _) = in_runs(&api, &others, u32::MAX).await;
    assert_eq!(some.types.len(), 2);
    // The part that does not store the CustomResourceDefinitions finds the storage version, too.
    assert!(
        some.types
            .iter()
            .any(|t| t.name().as_str() == "carts.shop.example" && t.version == "v1" && t.custom)
    );
    let mut types = [some.types, others.types].concat();
    types.sort_by(|a, b| (&a.group, &a.resource).cmp(&(&b.group, &b.resource)));
    assert_eq!(types, whole.types);
    assert_eq!(some.objects + others.objects, whole.objects);
    assert_eq!(some.resource_version, whole.resource_version);
    for (name, objects) in other_lines.0 {
        assert!(lines.0.insert(name, objects).is_none(), "a type is in one part");
    }
    assert_eq!(lines.0, in_one.0);
}

#[tokio::test]
async fn a_type_that_is_gone_before_its_part_begins_is_missing_by_name() {
    let server = FakeServer::start(move |request: &Recorded, _| shop().answer(request))
        .await
        .unwrap();
    let options = CaptureOptions {
        types: Types::Only {
            types: vec![TypeName::from("boxes"), TypeName::from("gone.example")],
            resource_version: "1000".to_owned(),
        },
        ..options()
    };
    let (captured, _, _) = in_runs(&server.api(), &options, u32::MAX).await;
    assert_eq!(captured.completeness(), Completeness::Partial);
    assert_eq!(captured.missing[0].r#type, Some(TypeName::from("gone.example")));
}
