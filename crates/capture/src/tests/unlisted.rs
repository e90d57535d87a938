//! Definitions whose types discovery does not show.

use crate::tests::*;

fn established(group: &str, plural: &str, served: bool) -> Value {
    let mut made = definition(group, plural, "v1", &["v1"]);
    made["spec"]["versions"][0]["served"] = served.into();
    made["spec"]["scope"] = "Namespaced".into();
    made["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
    made
}

async fn captured_with(definitions: Vec<Value>, options: &CaptureOptions) -> Captured {
    let mut cluster = FakeCluster::with([carts()]);
    cluster.types[1].objects = definitions;
    let (captured, ..) = run_with(move |r, _| cluster.answer(r), options).await;
    captured.unwrap()
}

fn missing(captured: &Captured) -> Vec<(String, String)> {
    let named = captured.missing.iter().map(|missing| {
        let name = missing.r#type.as_ref().unwrap().to_string();
        (name, missing.answer.clone())
    });
    named.collect()
}

#[tokio::test]
async fn a_definition_that_discovery_does_not_show_makes_the_point_partial_by_name() {
    let new = established("shop.example", "gadgets", true);
    let unserved = established("shop.example", "widgets", false);
    let captured = captured_with(vec![new, unserved], &options()).await;
    assert_eq!(captured.completeness(), Completeness::Partial);
    let missing = missing(&captured);
    assert_eq!(missing.len(), 2);
    assert_eq!(missing[0].0, "gadgets.shop.example");
    assert!(missing[0].1.contains("did not show its type"), "{missing:?}");
    assert_eq!(missing[1].0, "widgets.shop.example");
    assert!(missing[1].1.contains("serves no version"), "{missing:?}");
    assert!(
        captured.missing[1]
            .remediation
            .contains("kubectl edit crd widgets.shop.example")
    );
    for name in ["gadgets.shop.example", "widgets.shop.example"] {
        assert!(matches!(outcome(&captured, name), TypeOutcome::Failed { verb, .. } if verb == "discover"));
    }
}

#[tokio::test]
async fn a_definition_without_objects_is_not_missed() {
    let mut not_established = established("shop.example", "gadgets", true);
    not_established["status"]["conditions"][0]["status"] = "False".into();
    let mut fresh = established("shop.example", "fresh", true);
    fresh.as_object_mut().unwrap().remove("status");
    let mut going = established("shop.example", "going", true);
    going["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z".into();
    let captured = captured_with(vec![not_established, fresh, going], &options()).await;
    assert_eq!(
        captured.completeness(),
        Completeness::Complete,
        "{:?}",
        captured.missing
    );
}

#[tokio::test]
async fn a_definition_that_the_filter_does_not_select_is_not_missed() {
    let definitions = || vec![established("shop.example", "gadgets", true)];
    let selector = |text: &str| vec![TypeSelector(text.into())];
    for filter in [
        Filter {
            types: selector("carts"),
            ..Filter::default()
        },
        Filter {
            exclude_types: selector("carts"),
            ..Filter::default()
        },
    ] {
        let expected = usize::from(filter.types.is_empty());
        let options = CaptureOptions { filter, ..options() };
        let captured = captured_with(definitions(), &options).await;
        assert_eq!(captured.missing.len(), expected, "{:?}", options.filter);
    }
    // With labels, the definitions are read by a job of their own.
    let mut options = options();
    options.filter.labels = "parity".parse::<LabelSelector>().unwrap();
    assert_eq!(captured_with(definitions(), &options).await.missing.len(), 1);
}

/// Of several parts, the one that lists everything that no other part lists names the type.
#[tokio::test]
async fn one_part_names_the_missing_type() {
    let named = vec![TypeName::from("carts")];
    let resource_version = "1000".to_owned();
    let parts = [
        Types::Only {
            types: named.clone(),
            resource_version: resource_version.clone(),
        },
        Types::Except {
            types: named,
            resource_version,
        },
    ];
    let mut missing = Vec::new();
    for types in parts {
        let options = CaptureOptions { types, ..options() };
        let definitions = vec![established("shop.example", "gadgets", true)];
        missing.push(captured_with(definitions, &options).await.missing.len());
    }
    assert_eq!(missing, [0, 1]);
}
