#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::{Value, json};

use crate::discovery::*;
use crate::testing::{FakeCluster, FakeServer, FakeType, Recorded, Reply};

async fn discover<F>(handler: F) -> Result<Discovery, DiscoveryError>
where
    F: Fn(&Recorded, usize) -> Reply + Send + Sync + 'static,
{
    let server = FakeServer::start(handler).await.unwrap();
    server
        .api()
        .with_retry(lifeboat_system::retry::RetryPolicy::ONCE)
        .discover()
        .await
}

fn names(discovery: &Discovery) -> Vec<String> {
    discovery.types.iter().map(|t| t.name().to_string()).collect()
}

#[tokio::test]
async fn all_groups_and_versions_are_found_preferred_first() {
    let mut gadgets = FakeType::grouped("shop.example", "v2", "gadgets", "Gadget");
    gadgets.versions.push("v1".into());
    let cluster = FakeCluster::with([gadgets]);
    let discovery = discover(move |r, _| cluster.answer(r)).await.unwrap();
    assert_eq!(
        names(&discovery),
        [
            "namespaces",
            "customresourcedefinitions.apiextensions.k8s.io",
            "gadgets.shop.example"
        ]
    );
    let gadgets = &discovery.types[2];
    assert_eq!(gadgets.resource.version, "v2");
    assert_eq!(gadgets.at("v1").unwrap().api_version(), "shop.example/v1");
    assert_eq!(discovery.server_version.git_version, "v1.36.3");
    assert_eq!(discovery.kube_system_uid.as_deref(), Some("uid-of-kube-system"));
    assert!(discovery.failed_groups.is_empty());
}

#[tokio::test]
async fn a_legacy_answer_is_never_taken_for_an_empty_cluster() {
    let cluster = FakeCluster::with([]);
    let handler = move |request: &Recorded, _: usize| {
        let resource = |name: &str, kind: &str| json!({"name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["list", "create"], "shortNames": ["s"]});
        let list = |resources: Vec<Value>| {
            Reply::json(200, &json!({"kind": "APIResourceList", "resources": resources}))
        };
        match request.path.as_str() {
            "/api" => Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
            "/apis" => Reply::json(
                200,
                &json!({"kind": "APIGroupList", "groups": [
                    {"name": "apps", "versions": [{"version": "v1beta1"}, {"version": "v1"}], "preferredVersion": {"version": "v1"}},
                    {"name": "dead.example", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}},
                ]}),
            ),
            "/api/v1" => list(vec![resource("pods", "Pod"), resource("pods/status", "Pod")]),
            "/apis/apps/v1" | "/apis/apps/v1beta1" => list(vec![resource("deployments", "Deployment")]),
            "/apis/dead.example/v1" => Reply::failure(
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            _ => cluster.answer(request),
        }
    };
    let discovery = discover(handler).await.unwrap();
    assert_eq!(names(&discovery), ["pods", "deployments.apps"]);
    assert_eq!(discovery.types[0].versions[0].subresources, ["status"]);
    assert_eq!(
        discovery.types[1].resource.version, "v1",
        "the preferred version is first"
    );
    let failed = &discovery.failed_groups[0];
    assert_eq!(
        (failed.group.as_str(), failed.version.as_str()),
        ("dead.example", "v1")
    );
    assert!(failed.answer.contains("503"), "{}", failed.answer);
}

#[tokio::test]
async fn a_stale_group_is_incomplete_and_named() {
    let cluster = FakeCluster::with([]);
    let handler = move |request: &Recorded, _: usize| {
        if request.path == "/apis" {
            return Reply::json(
                200,
                &json!({"kind": "APIGroupDiscoveryList", "items": [
                {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]}]}),
            );
        }
        cluster.answer(request)
    };
    let discovery = discover(handler).await.unwrap();
    assert_eq!(discovery.failed_groups.len(), 1);
    assert_eq!(discovery.failed_groups[0].group, "metrics.k8s.io");
}

#[tokio::test]
async fn documents_of_another_kind_are_refused() {
    for wrong in [
        json!({"kind": "Status"}),
        json!({"items": []}),
        json!({"kind": "PodList", "items": []}),
    ] {
        let cluster = FakeCluster::with([]);
        let handler = move |request: &Recorded, _: usize| {
            if request.path == "/apis" {
                Reply::json(200, &wrong)
            } else {
                cluster.answer(request)
            }
        };
        let error = discover(handler).await.unwrap_err();
        assert_eq!(error.code(), Code::NotKubernetes);
    }
}

#[tokio::test]
async fn types_are_found_by_the_names_that_users_give() {
    let cluster = FakeCluster::with([FakeType::grouped("apps", "v1", "deployments", "Deployment")]);
    let discovery = discover(move |r, _| cluster.answer(r)).await.unwrap();
    for name in ["deployments", "Deployment", "deployments.apps"] {
        assert_eq!(
            discovery.resolve(&TypeSelector(name.into())).unwrap().len(),
            1,
            "{name}"
        );
    }
    let error = discovery
        .resolve(&TypeSelector("deploymentz".into()))
        .unwrap_err();
    assert_eq!(error.code(), Code::UnknownFilter);
    assert_eq!(
        error.to_string(),
        "find a type named \"deploymentz\" on the cluster"
    );
}

/// Discovers two groups that both serve widgets, with these storage version hashes. `aggregated` are the groups that
/// an APIService forwards to a service; without them the APIServices cannot be read. Returns which type each of the
/// two is the same as.
async fn two_groups(
    hashes: (&'static str, &'static str),
    aggregated: Option<&'static [&'static str]>,
) -> [Option<String>; 2] {
    let pair = |group: &str| FakeType::grouped(group, "v1", "widgets", "Widget");
    let cluster = FakeCluster::with([pair("a.example"), pair("b.example")]);
    let handler = move |request: &Recorded, _: usize| {
        let hash = match (request.path.as_str(), aggregated) {
            ("/apis/a.example/v1", _) => hashes.0,
            ("/apis/b.example/v1", _) => hashes.1,
            ("/apis/apiregistration.k8s.io/v1/apiservices", None) => {
                return Reply::failure(403, "Forbidden", "no");
            }
            ("/apis/apiregistration.k8s.io/v1/apiservices", Some(aggregated)) => {
                let of = |group: &str| {
                    let mut spec = json!({"group": group, "version": "v1"});
                    if aggregated.contains(&group) {
                        spec["service"] = json!({"namespace": "evil", "name": "evil"});
                    }
                    json!({"spec": spec})
                };
                return Reply::json(
                    200,
                    &json!({"kind": "APIServiceList", "items": [of("a.example"), of("b.example")]}),
                );
            }
            _ => return cluster.answer(request),
        };
        Reply::json(
            200,
            &json!({"kind": "APIResourceList", "resources": [{"name": "widgets", "kind": "Widget", "storageVersionHash": hash}]}),
        )
    };
    let discovery = discover(handler).await.unwrap();
    ["widgets.a.example", "widgets.b.example"].map(|name| {
        let found = discovery.find(&TypeName::from(name)).unwrap();
        found.same_as.as_ref().map(ToString::to_string)
    })
}

#[tokio::test]
async fn an_unknown_pair_of_groups_with_one_storage_is_kept_once() {
    for (hashes, expected) in [
        (("same", "same"), Some("widgets.a.example")),
        (("one", "two"), None),
        (("", ""), None),
    ] {
        let [_, second] = two_groups(hashes, Some(&[])).await;
        assert_eq!(second.as_deref(), expected, "{hashes:?}");
    }
}

#[tokio::test]
async fn an_aggregated_api_that_copies_a_storage_hash_hides_no_type() {
    let same = ("same", "same");
    // The first type in the order of names would be kept.
    assert_eq!(
        two_groups(same, Some(&["a.example"])).await,
        [Some("widgets.b.example".to_owned()), None],
        "the one that the API server stores is read"
    );
    assert_eq!(
        two_groups(same, Some(&["a.example", "b.example"])).await,
        [None, None],
        "neither is known to own the storage"
    );
    assert_eq!(two_groups(same, None).await, [None, None], "nothing is known");
}

#[tokio::test]
async fn a_user_who_may_not_read_kube_system_can_still_discover() {
    let cluster = FakeCluster::with([]);
    let handler = move |request: &Recorded, _: usize| {
        if request.path.ends_with("/kube-system") {
            Reply::failure(403, "Forbidden", "no")
        } else {
            cluster.answer(request)
        }
    };
    assert_eq!(discover(handler).await.unwrap().kube_system_uid, None);
}
