use std::sync::Arc;

use lifeboat_model::ObjectRef;
use serde_json::{Value, json};

use super::owners::{crd, order};
use crate::testing::{Fixture, find, left_out, redactor, rules};
use crate::{Action, Existing, RuleId, ServedType, VersionServed};

fn config(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")}})
}

fn exists(fixture: &mut Fixture, r#type: &str, namespace: Option<&str>, name: &str, by_this_run: bool) {
    fixture.facts.existing.insert(
        ObjectRef::new(r#type.into(), namespace, name),
        Existing {
            uid: format!("live-{name}").as_str().into(),
            managers: Arc::default(),
            created_by_this_run: by_this_run,
            body: None,
        },
    );
}

fn checks(fixture: &Fixture) -> Vec<String> {
    fixture
        .plan()
        .lint()
        .into_iter()
        .map(|finding| finding.check)
        .collect()
}

fn serve(fixture: &mut Fixture, group: &str, resource: &str, kind: &str, version: &str) {
    fixture
        .facts
        .types
        .retain(|t| !(t.group == group && t.resource == resource));
    fixture.facts.types.push(ServedType {
        group: group.into(),
        resource: resource.into(),
        versions: vec![VersionServed {
            version: version.into(),
            kind: kind.into(),
            namespaced: true,
            verbs: vec!["create".into()],
        }],
    });
}

#[test]
fn what_exists_is_kept_updated_or_made_anew() {
    for (policy, action, rule) in [
        ("keep", Action::Keep, RuleId::ExistingKept),
        ("update", Action::Update, RuleId::ExistingUpdated),
        ("recreate", Action::Recreate, RuleId::ExistingRecreated),
    ] {
        let mut fixture = Fixture::new([config("c"), config("new")]).with(json!({"existing": policy}));
        exists(&mut fixture, "configmaps", Some("shop"), "c", false);
        let plan = fixture.plan();
        assert_eq!(find(&plan, "configmaps shop/c").action, action);
        assert_eq!(find(&plan, "configmaps shop/new").action, Action::Create);
        assert_eq!(plan.rules[&rule].objects, 1);
    }
}

#[test]
fn what_holds_other_objects_or_data_is_updated_and_never_made_anew() {
    let volume =
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv", "uid": "pv"}});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop", "uid": "pvc"}});
    let mut fixture = Fixture::new([config("c"), volume, claim, crd()]).with(json!({"existing": "recreate"}));
    exists(&mut fixture, "configmaps", Some("shop"), "c", false);
    exists(&mut fixture, "namespaces", None, "shop", false);
    exists(&mut fixture, "persistentvolumes", None, "pv", false);
    exists(
        &mut fixture,
        "persistentvolumeclaims",
        Some("shop"),
        "data",
        false,
    );
    exists(
        &mut fixture,
        "customresourcedefinitions.apiextensions.k8s.io",
        None,
        "orders.shop.example.com",
        false,
    );
    let plan = fixture.plan();
    assert_eq!(find(&plan, "configmaps shop/c").action, Action::Recreate);
    for safe in [
        "namespaces shop",
        "persistentvolumes pv",
        "persistentvolumeclaims shop/data",
        "customresourcedefinitions.apiextensions.k8s.io orders.shop.example.com",
    ] {
        assert_eq!(find(&plan, safe).action, Action::Update, "{safe}");
        let noted = plan.notes.iter().any(|note| {
            note.object
                .as_ref()
                .is_some_and(|object| object.to_string() == safe)
                && note.text == RuleId::ExistingNotRecreated.reason()
        });
        assert!(noted, "{safe}");
    }
    assert_eq!(plan.rules[&RuleId::ExistingNotRecreated].objects, 4);
}

#[test]
fn what_goes_with_an_object_that_is_made_anew_is_told_before() {
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop", "uid": "u"}});
    let mut fixture = Fixture::new([set, crd(), order("o")]).with(json!({"existing": "recreate"}));
    serve(&mut fixture, "shop.example.com", "orders", "Order", "v1");
    exists(&mut fixture, "orders.shop.example.com", Some("shop"), "o", false);
    exists(&mut fixture, "statefulsets.apps", Some("shop"), "db", false);
    assert_eq!(checks(&fixture), ["recreate-custom-resource"]);
    let name = ObjectRef::new("statefulsets.apps".into(), Some("shop"), "db");
    if let Some(mut known) = fixture.facts.existing.get(&name).cloned() {
        known.body = Some(Box::new(
            json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}}),
        ));
        fixture.facts.existing.insert(name, known);
    }
    assert_eq!(
        checks(&fixture),
        ["recreate-deletes-claims", "recreate-custom-resource"]
    );
    assert_eq!(fixture.plan().lint()[0].severity, crate::Severity::Error);
}

#[test]
fn a_replaced_volume_keeps_the_partner_that_the_target_gave_it() {
    let planned = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
        "spec": {"claimRef": {"namespace": "shop", "name": "data"}}});
    let mut live = json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "pv", "uid": "u", "resourceVersion": "9",
            "annotations": {"pv.kubernetes.io/bound-by-controller": "yes", "other": "x"}},
        "spec": {"claimRef": {"namespace": "shop", "name": "data", "uid": "c", "resourceVersion": "8"}}});
    let sent = crate::merge_into_live(&planned, &live);
    assert_eq!(sent["spec"], live["spec"]);
    assert_eq!(
        sent["metadata"],
        json!({"name": "pv", "uid": "u", "resourceVersion": "9",
            "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}})
    );
    // The binding to another claim is not copied.
    live["spec"]["claimRef"]["name"] = json!("other");
    assert_eq!(crate::merge_into_live(&planned, &live)["spec"], planned["spec"]);
    let claim = |spec: serde_json::Value| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "uid": "u",
            "annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": spec})
    };
    let live = claim(json!({"volumeName": "pv"}));
    let planned = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"volumeName": "pv"}});
    let sent = crate::merge_into_live(&planned, &live);
    assert_eq!(sent["metadata"], live["metadata"]);
}

#[test]
fn what_the_targets_own_controllers_make_is_brought_to_the_planned_state() {
    let mut fixture = Fixture::new([json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata":
        {"name": "default", "namespace": "kube-system", "uid": "u"}})]);
    for present in [false, true] {
        if present {
            exists(
                &mut fixture,
                "serviceaccounts",
                Some("kube-system"),
                "default",
                false,
            );
            exists(&mut fixture, "namespaces", None, "kube-system", false);
        }
        let plan = fixture.plan();
        assert_eq!(
            find(&plan, "serviceaccounts kube-system/default").action,
            Action::CreateOrUpdate
        );
        assert_eq!(
            find(&plan, "namespaces kube-system").action,
            Action::CreateOrUpdate
        );
    }
}

#[test]
fn planning_again_after_a_crash_gives_the_same_hash() {
    for policy in ["keep", "update", "recreate"] {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "shop", "uid": "uid-s"},
            "spec": {"clusterIPs": ["10.96.0.9"], "clusterIP": "10.96.0.9"}});
        let mut fixture = Fixture::new([config("a"), config("b"), service, crd(), order("o")])
            .with(json!({"existing": policy}));
        exists(&mut fixture, "configmaps", Some("shop"), "b", false);
        let first = fixture.plan().hash();
        exists(&mut fixture, "configmaps", Some("shop"), "a", true);
        exists(&mut fixture, "services", Some("shop"), "s", true);
        exists(&mut fixture, "namespaces", None, "shop", true);
        exists(
            &mut fixture,
            "customresourcedefinitions.apiextensions.k8s.io",
            None,
            "orders.shop.example.com",
            true,
        );
        serve(&mut fixture, "shop.example.com", "orders", "Order", "v1");
        fixture.facts.allocations = vec![crate::ServiceAllocation {
            service: ObjectRef::new("services".into(), Some("shop"), "s"),
            cluster_ips: vec!["10.96.0.9".into()],
            node_ports: Vec::new(),
        }];
        if policy == "recreate" {
            exists(&mut fixture, "configmaps", Some("shop"), "b", true);
        }
        assert_eq!(fixture.plan().hash(), first, "{policy}");
    }
}

#[test]
fn versions_are_negotiated_before_anything_is_written() {
    // A CustomResourceDefinition in the plan defines the type.
    let mut fixture = Fixture::new([crd(), order("o")]);
    assert!(!find(&fixture.plan(), "orders.shop.example.com shop/o").preflight);
    // The target keeps its own definition, with another version and no common version to convert to.
    exists(
        &mut fixture,
        "customresourcedefinitions.apiextensions.k8s.io",
        None,
        "orders.shop.example.com",
        false,
    );
    serve(&mut fixture, "shop.example.com", "orders", "Order", "v2");
    assert_eq!(
        left_out(&fixture.plan(), "orders.shop.example.com shop/o").rule,
        RuleId::VersionNotServed
    );
    assert!(checks(&fixture).contains(&"not-restorable".to_owned()));
    // The target does not serve the type.
    let fixture = Fixture::new([order("o")]);
    assert_eq!(
        left_out(&fixture.plan(), "orders.shop.example.com shop/o").rule,
        RuleId::TypeNotServed
    );
}

#[test]
fn a_common_version_is_taken_with_a_dry_run_for_built_in_types() {
    let mut types = crate::testing::types();
    for r#type in &mut types {
        if r#type.resource.resource == "cronjobs" {
            r#type.served_versions = vec!["v1".into(), "v1beta1".into()];
        }
    }
    let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "default", "uid": "u"}});
    let raw = serde_json::to_vec(&cron).unwrap_or_default();
    let mut fixture = Fixture::new([]);
    serve(&mut fixture, "batch", "cronjobs", "CronJob", "v1beta1");
    let mut draft = crate::PlanBuilder::new(Default::default(), &types, "p", "c", redactor());
    let Some(cron_type) = types.iter().find(|t| t.resource.resource == "cronjobs") else {
        return;
    };
    assert!(draft.add(cron_type, Default::default(), &raw).is_ok());
    let Ok(plan) = draft.plan(&fixture.facts) else {
        panic!("no plan")
    };
    let object = find(&plan, "cronjobs.batch default/c");
    assert!(object.preflight);
    assert_eq!(
        (rules(object), object.resource.version.as_str()),
        (vec![RuleId::OtherVersion], "v1beta1")
    );
    let body = crate::body(&plan, object, &raw, &|_| None).map(|b| b.create["apiVersion"].clone());
    assert_eq!(body, Ok(json!("batch/v1beta1")));
}

#[test]
fn a_type_that_the_target_does_not_let_create_is_not_restored() {
    let mut fixture = Fixture::new([config("c")]);
    for served in &mut fixture.facts.types {
        if served.resource == "configmaps" {
            served.versions[0].verbs = vec!["get".into(), "list".into()];
        }
    }
    assert_eq!(
        left_out(&fixture.plan(), "configmaps shop/c").rule,
        RuleId::ReadOnlyType
    );
}

#[test]
fn what_the_target_holds_against_the_restore_is_found() {
    let mut fixture = Fixture::new([config("c")]);
    assert_eq!(checks(&fixture), Vec::<String>::new());
    let webhook = |policy: &str, resource: &str| {
        json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "guard"}, "webhooks": [{"name": "g", "failurePolicy": policy,
            "rules": [{"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE"], "resources": [resource]}]}]})
    };
    fixture.facts.webhooks = vec![webhook("Ignore", "configmaps"), webhook("Fail", "secrets")];
    assert_eq!(checks(&fixture), Vec::<String>::new());
    fixture.facts.webhooks = vec![webhook("Fail", "configmaps")];
    fixture.facts.quotas = vec![
        json!({"metadata": {"name": "q", "namespace": "shop"}}),
        json!({"metadata": {"name": "q", "namespace": "other"}}),
    ];
    assert_eq!(checks(&fixture), ["quota-in-target", "webhook-in-target"]);
}

#[test]
fn what_acts_outside_the_cluster_is_warned_about() {
    let mut fixture = Fixture::new([
        json!({"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding", "metadata": {"name": "t", "namespace": "shop", "uid": "u"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb", "namespace": "shop", "uid": "v"}, "spec": {"type": "LoadBalancer"}}),
    ]);
    serve(
        &mut fixture,
        "elbv2.k8s.aws",
        "targetgroupbindings",
        "TargetGroupBinding",
        "v1beta1",
    );
    assert_eq!(checks(&fixture), ["acts-outside", "acts-outside"]);
}

#[test]
fn a_webhook_without_its_backend_is_warned_about() {
    let webhook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "w", "uid": "u"}, "webhooks": [{"name": "w", "failurePolicy": "Fail",
            "clientConfig": {"service": {"namespace": "shop", "name": "hook"}}}]});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook", "namespace": "shop", "uid": "s"}});
    assert_eq!(
        checks(&Fixture::new([webhook.clone()])),
        ["webhook-without-backend"]
    );
    assert_eq!(checks(&Fixture::new([webhook, service])), Vec::<String>::new());
}

#[test]
fn an_object_nested_too_deep_is_listed_and_stops_nothing() {
    let fixture = Fixture::new([config("c")]);
    for (levels, fits) in [(126, true), (127, false), (9_990, false)] {
        let mut draft = fixture.draft();
        let raw = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"deep","namespace":"shop","uid":"u"}},"x":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        );
        let r#type = crate::testing::type_of(&config("deep"));
        let locator = crate::Locator {
            frame: 1,
            position: 0,
        };
        assert_eq!(draft.add(&r#type, locator, raw.as_bytes()), Ok(()), "{levels}");
        let plan = draft.plan(&fixture.facts).map_err(|error| error.problems);
        let Ok(plan) = plan else { panic!("{plan:?}") };
        find(&plan, "configmaps shop/c");
        if fits {
            find(&plan, "configmaps shop/deep");
        } else {
            let left = left_out(&plan, "configmaps shop/deep");
            assert_eq!(left.rule, RuleId::NestedTooDeep);
            assert_eq!(plan.lint()[0].check, "not-restorable");
        }
    }
}

#[test]
fn an_updated_object_gets_its_former_owners_back() {
    let mut applied = config("c");
    applied["data"] = json!({"a": "1"});
    applied["metadata"]["managedFields"] = json!([{"manager": "flux", "operation": "Apply",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}]);
    let mut fixture = Fixture::new([applied]).with(json!({"existing": "update"}));
    let single = |fixture: &Fixture| {
        let plan = fixture.plan();
        let ownership = &find(&plan, "configmaps shop/c").ownership;
        matches!(ownership, crate::Ownership::Single { .. })
    };
    assert!(single(&fixture), "a new object needs one request");
    exists(&mut fixture, "configmaps", Some("shop"), "c", false);
    assert!(!single(&fixture));
    let plan = fixture.plan();
    assert_eq!(
        *find(&plan, "configmaps shop/c").after,
        [crate::Step::SetManagedFields]
    );
    let entries = fixture.bodies(&plan, "configmaps shop/c").managed_fields;
    assert_eq!(entries.unwrap_or_default()[0]["operation"], "Apply");
}
