//! Pages shrink where the server cannot send them, and grow back.

use crate::tests::*;

/// The largest page in bytes in these tests.
const MOST: u64 = 64_000;

/// Returns the sizes of the pages of carts that the server sent, in order.
fn sent(server: &FakeServer, failed: impl Fn(&Recorded) -> bool) -> Vec<u32> {
    let requests = server.requests();
    let of_carts = requests.iter().filter(|r| r.path == "/api/v1/carts");
    let sent = of_carts.filter(|request| !failed(request));
    sent.map(|request| request.parameter("limit").parse().unwrap())
        .collect()
}

fn size(request: &Recorded) -> u32 {
    request.parameter("limit").parse().unwrap_or(u32::MAX)
}

#[tokio::test]
async fn pages_that_a_server_cannot_send_shrink_until_it_can_and_double_nothing() {
    type Fault = fn(Reply) -> Reply;
    let faults: [(&str, Fault); 5] = [
        ("500", |_| {
            Reply::failure(500, "InternalError", "etcdserver: request is too large")
        }),
        ("504", |_| {
            Reply::failure(504, "Timeout", "request did not complete within 60s")
        }),
        ("cut in the first item", |reply| reply.cut_after(90)),
        ("cut in the middle", |reply| {
            let half = reply.body_len() / 2;
            reply.cut_after(half)
        }),
        ("a proxy ends it", |reply| {
            let body = reply.body()[..reply.body_len() - 40].to_vec();
            Reply::bytes(200, "application/json", body)
        }),
    ];
    for (name, fault) in faults {
        let cluster = FakeCluster::with([carts()]);
        let handler = move |request: &Recorded, _: usize| {
            let reply = cluster.answer(request);
            if request.path == "/api/v1/carts" && size(request) > 3 {
                fault(reply)
            } else {
                reply
            }
        };
        let options = CaptureOptions {
            page_size: 20,
            ..options()
        };
        let (captured, kept, server) = run_with(handler, &options).await;
        let captured = captured.unwrap();
        let expected: Vec<String> = (0..35).map(|n| format!("carts-{n:05}")).collect();
        assert_eq!(kept.names("carts"), expected, "{name}");
        assert_eq!(captured.completeness(), Completeness::Complete, "{name}");
        let pinned = matches!(
            outcome(&captured, "carts"),
            TypeOutcome::Listed { pinned: true, .. }
        );
        assert!(pinned, "{name}: continue tokens are valid in every size");
        let sent = sent(&server, |request| size(request) > 3);
        assert!(sent.iter().all(|size| (1..=3).contains(size)), "{name}: {sent:?}");
    }
}

#[tokio::test]
async fn pages_grow_back_slowly_after_the_server_has_recovered() {
    let cluster = FakeCluster::with([FakeType::core("carts", "Cart").with_objects(400)]);
    let handler = move |request: &Recorded, earlier: usize| {
        let reply = cluster.answer(request);
        let first = request.parameter("continue").is_empty() && request.path == "/api/v1/carts";
        if first && earlier < 3 {
            Reply::failure(503, "ServiceUnavailable", "starting")
        } else {
            reply
        }
    };
    let options = CaptureOptions {
        page_size: 40,
        ..options()
    };
    let (captured, kept, server) = run_with(handler, &options).await;
    captured.unwrap();
    assert_eq!(kept.names("carts").len(), 400);
    let sizes = sent(&server, |_| false);
    assert_eq!(
        sizes,
        [
            40, 20, 10, 5, 5, 5, 5, 10, 10, 10, 10, 20, 20, 20, 20, 40, 40, 40, 40, 40, 40, 40
        ]
    );
}

#[tokio::test]
async fn a_throttled_page_keeps_its_size() {
    let cluster = FakeCluster::with([carts()]);
    let handler = move |request: &Recorded, earlier: usize| {
        if request.path == "/api/v1/carts" && earlier == 0 {
            Reply::failure(429, "TooManyRequests", "slow down")
        } else {
            cluster.answer(request)
        }
    };
    let (captured, kept, server) = run_with(handler, &options()).await;
    captured.unwrap();
    assert_eq!(kept.names("carts").len(), 35);
    assert!(sent(&server, |_| false).iter().all(|size| *size == 10));
}

#[tokio::test]
async fn an_answer_above_the_limit_in_bytes_is_not_read_further_and_asked_for_in_smaller_pages() {
    let mut releases = FakeType::core("carts", "Cart").with_objects(90);
    for release in &mut releases.objects {
        release["data"] = json!({"release": "x".repeat(1_000)});
    }
    let cluster = FakeCluster::with([releases]);
    let (captured, kept, server) = run_with(
        move |r, _| cluster.answer(r),
        &CaptureOptions {
            page_size: 80,
            page_bytes: MOST,
            ..options()
        },
    )
    .await;
    let captured = captured.unwrap();
    assert_eq!(kept.names("carts").len(), 90);
    let pinned = matches!(
        outcome(&captured, "carts"),
        TypeOutcome::Listed { pinned: true, .. }
    );
    assert!(pinned);
    let sizes = sent(&server, |_| false);
    let most = u32::try_from(MOST / 1_000).unwrap();
    assert_eq!(sizes[0], 80);
    assert!(sizes[1..].iter().all(|size| *size <= most), "{sizes:?}");
    assert_eq!(sizes.len(), 4, "{sizes:?}");
}

#[tokio::test]
async fn a_server_that_ignores_the_size_of_pages_is_read_to_its_end() {
    let mut releases = FakeType::core("carts", "Cart").with_objects(70);
    for release in &mut releases.objects {
        release["data"] = json!({"release": "x".repeat(1_000)});
    }
    let cluster = FakeCluster::with([releases]);
    let handler = move |request: &Recorded, _: usize| {
        let mut all = request.clone();
        if request.path == "/api/v1/carts" {
            all.query.remove("limit");
        }
        cluster.answer(&all)
    };
    let options = CaptureOptions {
        page_bytes: MOST,
        ..options()
    };
    let (captured, kept, server) = run_with(handler, &options).await;
    captured.unwrap();
    assert_eq!(kept.names("carts").len(), 70);
    assert_eq!(sent(&server, |_| false).len(), 1);
}
