#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

const WHOLE: &str = r#"
format: 1
name: shop
primary: { account: "111111111111", region: eu-west-1 }
recovery: { account: "222222222222", region: eu-central-1 }
clusters:
  - { name: payments }
  - { name: orders, cluster: orders-prod, restoreInto: orders-dr }
schedule: { cron: "0 * * * *" }
retention: { last: 3, daily: 7 }
filter: { excludeNamespaces: [scratch] }
rules: { namespaceMap: { shop: shop-dr } }
"#;

fn document(text: &str) -> ApplicationDocument {
    serde_yaml_ng::from_str(text).unwrap()
}

#[test]
fn a_document_means_an_application() {
    let document = document(WHOLE);
    let application = document.parse().unwrap();
    assert_eq!(application.primary.to_string(), "111111111111-eu-west-1");
    let names: Vec<&str> = application.clusters.iter().map(|c| c.cluster.as_str()).collect();
    assert_eq!(names, ["orders-prod", "payments"]);
    assert_eq!(
        application.retention,
        Retention {
            last: 3,
            daily: 7,
            ..Retention::default()
        },
        "what is not said keeps its default"
    );
    assert_eq!(application.rules["namespaceMap"]["shop"], "shop-dr");
    let json = serde_json::to_string(&document).unwrap();
    assert_eq!(
        serde_json::from_str::<ApplicationDocument>(&json).unwrap(),
        document
    );
}

#[test]
fn the_smallest_document_is_enough() {
    let text = r#"{"format":1,"name":"shop","primary":{"account":"111111111111","region":"eu-west-1"},
        "recovery":{"account":"222222222222","region":"eu-west-1"},"clusters":[{"name":"orders"}]}"#;
    let application = document(text).parse().unwrap();
    assert_eq!(application.schedule, Schedule::DEFAULT);
    assert_eq!(application.clusters[0].cluster.as_str(), "orders");
}

#[test]
fn clusters_found_by_tag_have_a_rule_for_their_targets() {
    let by_tag = |clusters: &str| {
        let head = WHOLE.split("clusters:").next().unwrap();
        document(&format!("{head}{clusters}"))
    };
    let found = by_tag("clusterTags: { team: shop }\nrestoreInto: \"{cluster}-dr\"\n")
        .parse()
        .unwrap();
    assert_eq!(found.restore_into.unwrap().to_string(), "{cluster}-dr");
    for (clusters, says) in [
        (
            "clusterTags: { team: shop }\nrestoreInto: dr\n",
            "restoreInto: pattern \"dr\"",
        ),
        (
            "clusters: [{ name: a }]\nrestoreInto: \"{cluster}\"\n",
            "restoreInto: needs `clusterTags`",
        ),
    ] {
        let problems = by_tag(clusters).check();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message.starts_with(says), "{}", problems[0]);
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let text = r#"
format: 2
name: Shop!
primary: { account: "1", region: eu-west, signingKey: abc }
recovery: { account: "222222222222", region: mars }
clusters:
  - { name: a, cluster: x, restoreInto: "?" }
  - { name: b, cluster: y }
  - { name: b, cluster: y }
schedule: { every: 1h, cron: "* * * * *" }
retention: { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 }
"#;
    let problems: Vec<String> = document(text).check().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn places_must_be_apart_and_in_reach() {
    for (account, region, says) in [
        (
            "111111111111",
            "eu-west-1",
            "recovery: is the same as the primary",
        ),
        (
            "222222222222",
            "cn-north-1",
            "recovery.region: cn-north-1 is in partition aws-cn",
        ),
    ] {
        let mut document = document(WHOLE);
        document.recovery = EnvironmentDocument {
            account: account.to_owned(),
            region: region.to_owned(),
        };
        let problems = document.check();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with(says), "{}", problems[0]);
    }
}

#[test]
fn permissions_boundaries_are_policies_of_the_recovery_account_or_of_aws() {
    for (boundary, is_valid) in [
        ("arn:aws:iam::222222222222:policy/zone/boundary", true),
        ("arn:aws:iam::aws:policy/PowerUserAccess", true),
        ("arn:aws:iam::111111111111:policy/boundary", false),
        ("arn:aws:iam::222222222222:role/boundary", false),
        ("arn:aws:iam::222222222222:policy/one,two", false),
        ("boundary", false),
    ] {
        let infrastructure = format!("infrastructure: {{ permissionsBoundaries: [\"{boundary}\"] }}");
        let problems = document(&format!("{WHOLE}{infrastructure}")).check();
        assert_eq!(problems.is_empty(), is_valid, "{boundary}: {problems:?}");
    }
}

#[test]
fn a_typing_error_is_not_overlooked() {
    let error =
        serde_yaml_ng::from_str::<ApplicationDocument>(&WHOLE.replace("retention", "retain")).unwrap_err();
    assert!(error.to_string().contains("retain"), "{error}");
}

#[test]
fn the_schema_names_every_field() {
    let schema = schema();
    let fields: Vec<&str> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        [
            "clusterTags",
            "clusters",
            "filter",
            "format",
            "infrastructure",
            "name",
            "primary",
            "recovery",
            "restoreInto",
            "retention",
            "rules",
            "schedule"
        ]
    );
}

#[test]
fn stacks_that_use_what_exists_are_named() {
    let with = |infrastructure: &str| format!("{WHOLE}infrastructure: {infrastructure}\n");
    let text = with("{ rebuild: true, adoptExisting: [storage, network], adoptTags: [app] }");
    let application = document(&text).parse().unwrap();
    let stacks = application.infrastructure.adopt_existing.into_iter();
    let stacks: Vec<&str> = stacks.map(SharedStack::as_str).collect();
    assert_eq!(stacks, ["network", "storage"]);

    let error =
        serde_yaml_ng::from_str::<ApplicationDocument>(&with("{ adoptExisting: [cluster] }")).unwrap_err();
    assert!(
        error.to_string().contains("`network`, `identity`, `storage`"),
        "{error}"
    );
    assert_eq!("identity".parse(), Ok(SharedStack::Identity));
    assert!("clusters".parse::<SharedStack>().is_err());

    let problems = document(&with("{ adoptTags: [app] }")).check();
    assert!(
        problems[0].message.starts_with("infrastructure.adoptTags"),
        "{}",
        problems[0]
    );
}
