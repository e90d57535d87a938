use std::sync::Arc;

use lifeboat_model::{Code, ObjectRef};
use serde_json::{Value, json};

use crate::testing::{Fixture, find, left_out, redactor, rules};
use crate::{PlanError, RuleId, Severity};

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    let api_version = match kind {
        "Deployment" => "apps/v1",
        "StorageClass" => "storage.k8s.io/v1",
        _ => "v1",
    };
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata":
        {"name": name, "uid": format!("uid-{kind}-{namespace}-{name}"), "labels": {"app": name}}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn codes(result: Result<crate::Plan, PlanError>) -> Vec<(Code, String)> {
    result
        .err()
        .map(|e| e.problems.into_iter().map(|p| (p.code, p.message)).collect())
        .unwrap_or_default()
}

fn targets(fixture: &Fixture) -> Vec<String> {
    fixture
        .plan()
        .objects
        .iter()
        .map(|object| object.target.to_string())
        .collect()
}

#[test]
fn a_selection_takes_by_namespace_type_label_and_name() {
    let all = || {
        Fixture::new([
            object("ConfigMap", "shop", "a"),
            object("Secret", "shop", "b"),
            object("ConfigMap", "other", "a"),
            object("StorageClass", "", "fast"),
        ])
    };
    for (filter, expected) in [
        (
            json!({"filter": {"namespaces": ["shop"]}}),
            vec!["namespaces shop", "configmaps shop/a", "secrets shop/b"],
        ),
        (
            json!({"filter": {"excludeNamespaces": ["shop"]}}),
            vec![
                "namespaces other",
                "storageclasses.storage.k8s.io fast",
                "configmaps other/a",
            ],
        ),
        (
            json!({"filter": {"types": ["namespaces", "secret"]}}),
            vec!["namespaces other", "namespaces shop", "secrets shop/b"],
        ),
        (
            json!({"filter": {"labels": "app=fast"}}),
            vec!["storageclasses.storage.k8s.io fast"],
        ),
        (
            json!({"names": ["f*"]}),
            vec!["storageclasses.storage.k8s.io fast"],
        ),
    ] {
        let fixture = all().with(json!({"selection": filter.clone()}));
        assert_eq!(targets(&fixture), expected, "{filter}");
        assert_eq!(
            usize::try_from(fixture.plan().unselected).ok(),
            Some(6 - expected.len()),
            "{filter}"
        );
    }
}

#[test]
fn selectors_that_name_nothing_are_faults_all_at_once() {
    let fixture = Fixture::new([object("ConfigMap", "shop", "a")]).with(json!({
        "selection": {"filter": {"namespaces": ["shpo"], "types": ["deploymints"]}, "names": ["zz*"]},
        "namespaceMap": {"typo": "x", "shop": "Not_A_Name"}}));
    let found = codes(fixture.try_plan());
    let unknown = found
        .iter()
        .filter(|(code, _)| *code == Code::UnknownSelector)
        .count();
    assert_eq!(unknown, 4, "{found:?}");
    assert!(
        found
            .iter()
            .any(|(code, message)| *code == Code::Usage && message.contains("Not_A_Name")),
        "{found:?}"
    );
}

#[test]
fn dependencies_that_the_selection_leaves_out_are_named() {
    let mut deployment = object("Deployment", "shop", "cart");
    deployment["spec"] = json!({"template": {"spec": {"serviceAccountName": "robot", "priorityClassName": "never-existed",
        "volumes": [{"configMap": {"name": "settings"}}, {"configMap": {"name": "maybe", "optional": true}}]}}});
    let objects = [
        deployment,
        object("ServiceAccount", "shop", "robot"),
        object("ConfigMap", "shop", "settings"),
        object("ConfigMap", "shop", "maybe"),
    ];
    let mut fixture =
        Fixture::new(objects).with(json!({"selection": {"filter": {"types": ["deployments"]}}}));
    let plan = fixture.plan();
    let missing: Vec<String> = plan.missing.iter().map(|m| m.needed.to_string()).collect();
    assert_eq!(
        missing,
        [
            "configmaps shop/settings",
            "namespaces shop",
            "serviceaccounts shop/robot"
        ]
    );
    let errors: Vec<_> = plan
        .lint()
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("namespaces shop") && errors[0].code == Code::MissingDependency);

    let wanted = fixture.draft().wanted();
    let wants = |name: &str| {
        let namespaces = [None, Some("shop")];
        (wanted.iter()).any(|required| {
            namespaces
                .iter()
                .any(|namespace| required.contains(*namespace, name))
        })
    };
    assert!(wants("shop") && wants("robot") && wants("settings") && !wants("maybe"));
    let exists = crate::Existing {
        uid: "u".into(),
        managers: Arc::default(),
        created_by_this_run: false,
        body: None,
    };
    fixture.facts.existing = missing
        .iter()
        .filter_map(|text| {
            let (kind, name) = text.split_once(' ')?;
            let (namespace, name) = name.split_once('/').map_or((None, name), |(a, b)| (Some(a), b));
            Some((ObjectRef::new(kind.into(), namespace, name), exists.clone()))
        })
        .collect();
    assert_eq!(fixture.plan().missing, []);
}

#[test]
fn a_definition_that_the_selection_leaves_out_is_an_error() {
    let fixture = Fixture::new([super::owners::crd(), super::owners::order("o")])
        .with(json!({"selection": {"filter": {"excludeTypes": ["customresourcedefinitions"]}}}));
    let plan = fixture.plan();
    assert_eq!(
        left_out(&plan, "orders.shop.example.com shop/o").rule,
        RuleId::TypeNotServed
    );
    assert!(
        plan.lint()
            .iter()
            .any(|f| f.severity == Severity::Error && f.message.contains("orders.shop.example.com"))
    );
}

#[test]
fn a_namespace_gets_its_new_name_everywhere() {
    let fixture =
        Fixture::new([object("ConfigMap", "shop", "a")]).with(json!({"namespaceMap": {"shop": "shop-dr"}}));
    let plan = fixture.plan();
    assert_eq!(targets(&fixture), ["namespaces shop-dr", "configmaps shop-dr/a"]);
    let namespace = find(&plan, "namespaces shop-dr");
    assert_eq!(
        rules(namespace),
        [RuleId::MapNamespace, RuleId::NamespaceNameLabel]
    );
    assert_eq!(namespace.source().to_string(), "namespaces shop");
    let body = fixture.bodies(&plan, "namespaces shop-dr").create;
    assert_eq!(
        body["metadata"],
        json!({"name": "shop-dr", "labels": {"kubernetes.io/metadata.name": "shop-dr"}})
    );
}

#[test]
fn namespaces_merge_unless_two_objects_would_become_one() {
    let account = |namespace: &str| object("ServiceAccount", namespace, "default");
    let map = json!({"namespaceMap": {"b": "a"}});
    let merged = Fixture::new([
        object("ConfigMap", "a", "x"),
        object("ConfigMap", "b", "y"),
        account("a"),
        account("b"),
    ])
    .with(map.clone());
    let plan = merged.plan();
    assert_eq!(left_out(&plan, "namespaces b").rule, RuleId::NamespaceMerged);
    assert_eq!(
        left_out(&plan, "serviceaccounts b/default").rule,
        RuleId::DefaultAccountMerged
    );

    let collision = Fixture::new([object("ConfigMap", "a", "x"), object("ConfigMap", "b", "x")]).with(map);
    let found = codes(collision.try_plan());
    assert_eq!(
        found,
        [(
            Code::NameCollision,
            "configmaps a/x and configmaps b/x would all become configmaps a/x".to_owned()
        )]
    );
}

#[test]
fn free_text_with_the_old_name_is_noted() {
    let mut config = object("ConfigMap", "shop", "a");
    config["data"] = json!({"url": "http://cart.shop.svc:80"});
    let plan = Fixture::new([config])
        .with(json!({"namespaceMap": {"shop": "dr"}}))
        .plan();
    assert_eq!(plan.notes.len(), 1);
    assert!(plan.notes[0].text.contains("/data/url"));
}

#[test]
fn patches_change_what_they_select_and_show_both_values() {
    let mut deployment = object("Deployment", "shop", "cart");
    deployment["spec"] = json!({"replicas": 3});
    let fixture = Fixture::new([deployment]).with(json!({"patches": [
        {"name": "small", "when": {"types": ["deployments"]}, "merge": {"spec": {"replicas": 1}}},
        {"when": {"names": ["nothing"]}, "merge": {"a": 1}}]}));
    let plan = fixture.plan();
    let change = &find(&plan, "deployments.apps shop/cart").changes[0];
    assert_eq!(
        (
            change.rule,
            change.patch,
            change.from.as_deref(),
            change.to.as_deref()
        ),
        (RuleId::Patch, Some(0), Some("3"), Some("1"))
    );
    assert_eq!(
        fixture.bodies(&plan, "deployments.apps shop/cart").create["spec"]["replicas"],
        1
    );
    let unused: Vec<_> = plan
        .lint()
        .into_iter()
        .filter(|f| f.check == "patch-selects-nothing")
        .collect();
    assert_eq!(unused.len(), 1);
    assert!(unused[0].message.starts_with("patch 2 "));
}

#[test]
fn a_patch_that_does_not_apply_or_changes_the_identity_is_refused_with_object_and_pointer() {
    for (patch, pointer) in [
        (
            json!({"jsonPatch": [{"op": "remove", "path": "/spec/none"}]}),
            "/spec/none",
        ),
        (
            json!({"merge": {"metadata": {"name": "other"}}}),
            "/metadata/name",
        ),
        (
            json!({"merge": {"metadata": {"namespace": "other"}}}),
            "/metadata/namespace",
        ),
        (json!({"merge": {"status": {"x": 1}}}), "/status"),
    ] {
        let mut patch = patch;
        patch["when"] = json!({"types": ["configmaps"]});
        let fixture =
            Fixture::new([object("ConfigMap", "shop", "a")]).with(json!({"patches": [patch.clone()]}));
        let found = codes(fixture.try_plan());
        assert_eq!(found.len(), 1, "{patch}");
        assert!(
            found[0].0 == Code::PatchFailed
                && found[0].1.contains("configmaps shop/a")
                && found[0].1.contains(pointer),
            "{found:?}"
        );
    }
}

#[test]
fn no_value_of_a_secret_is_in_plan_table_lint_or_report() {
    let mut secret = object("Secret", "shop", "s");
    secret["data"] = json!({"password": "canary-data", "gone": "canary-gone"});
    secret["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "canary-annotation shop.svc \"namespace\":\"shop\""});
    let fixture = Fixture::new([secret]).with(json!({"namespaceMap": {"shop": "dr"}, "patches": [
        {"when": {"types": ["secrets"]}, "merge": {"data": {"password": "canary-patch", "gone": null, "new": "canary-new"}}},
        {"when": {"types": ["secrets"]}, "jsonPatch": [{"op": "test", "path": "/data/password", "value": "canary-patch"}]}]}));
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, "secrets dr/s");
    assert_eq!(bodies.create["data"]["password"], "canary-patch");
    let mut live = bodies.create.clone();
    live["data"]["password"] = json!("canary-live");
    let mut report = crate::Report::begin(&plan);
    let index = plan
        .objects
        .iter()
        .position(|o| &*o.target.name == "s")
        .unwrap_or_default();
    report.prove(
        index,
        crate::Proof {
            bodies: &bodies,
            answered: None,
            live: &live,
        },
    );
    let report = report.finish();
    let everything = format!(
        "{}{}{:?}{:?}{}{}{:?}{bodies:?}{:?}",
        serde_json::to_string(&plan).unwrap_or_default(),
        plan.table(),
        plan.lint(),
        plan,
        serde_json::to_string(&report).unwrap_or_default(),
        report.text(),
        report,
        fixture.draft(),
    );
    assert!(everything.contains("hmac-sha256:") && !everything.contains("canary"));

    let failing = Fixture {
        options: crate::testing::options(json!({"patches": [{"when": {"types": ["secrets"]},
        "jsonPatch": [{"op": "test", "path": "/data/password", "value": "canary-other"}]}]})),
        ..fixture
    };
    let error = failing.try_plan().err();
    assert!(error.is_some() && !format!("{error:?}").contains("canary"));
}

#[test]
fn bytes_that_are_no_object_are_refused_without_showing_them() {
    let types = crate::testing::types();
    let mut draft = crate::PlanBuilder::new(crate::RestoreOptions::default(), &types, "p", "c", redactor());
    let locator = crate::Locator {
        frame: 3,
        position: 7,
    };
    for (resource, raw) in [
        ("secrets", r#"{"data": canary"#),
        ("secrets", r#"{"data": {"x": "canary"}}"#),
        ("events", r#"["canary"]"#),
    ] {
        let Some(r#type) = types.iter().find(|t| t.resource.resource == resource) else {
            continue;
        };
        let error = draft
            .add(r#type, locator, raw.as_bytes())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(
            error.contains(resource) && error.contains("frame 3 at 7") && !error.contains("canary"),
            "{error}"
        );
    }
    let mut unknown = types[0].clone();
    unknown.resource.version = "v9".to_owned();
    assert!(draft.add(&unknown, locator, b"{}").is_err());
}

#[test]
fn schemas_name_what_the_documents_hold() {
    for (schema, words) in [
        (
            crate::Plan::schema(),
            ["formatVersion", "notRestored", "sourceUid"],
        ),
        (crate::Report::schema(), ["verdict", "unplanned", "summary"]),
        (
            schemars::schema_for!(crate::RestoreOptions),
            ["namespaceMap", "patches", "selection"],
        ),
    ] {
        let text = serde_json::to_string(&schema).unwrap_or_default();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}
