use std::sync::Arc;

use lifeboat_model::ObjectRef;
use serde_json::{Value, json};

use crate::report::ChangedBy;
use crate::testing::{Fixture, find, left_out};
use crate::{Action, Existing, Ownership, Proof, Report, RuleId, Verdict, additions};

const BINDING: &str = "clusterrolebindings.rbac.authorization.k8s.io cluster-admin";
const ROLE: &str = "clusterroles.rbac.authorization.k8s.io system:discovery";

fn default_of_server(kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name,
        "uid": format!("uid-{name}"), "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        "managedFields": [{"manager": "kube-apiserver", "operation": "Update",
            "apiVersion": "rbac.authorization.k8s.io/v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:rules": {}}}]}});
    for (key, value) in rest.as_object().cloned().unwrap_or_default() {
        object[key] = value;
    }
    object
}

fn group(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name})
}

fn url(path: &str) -> Value {
    json!({"nonResourceURLs": [path], "verbs": ["get"]})
}

fn binding(groups: &[&str]) -> Value {
    let subjects: Vec<Value> = groups.iter().map(|name| group(name)).collect();
    default_of_server(
        "ClusterRoleBinding",
        "cluster-admin",
        json!({"subjects": subjects, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}),
    )
}

fn role(rules: &[Value]) -> Value {
    default_of_server("ClusterRole", "system:discovery", json!({ "rules": rules }))
}

/// Returns a fixture in which the target has these objects.
fn fixture(captured: &[Value], live: &[Value]) -> Fixture {
    let mut fixture = Fixture::new(captured);
    for object in live {
        let resource = match object["kind"].as_str() {
            Some("ClusterRole") => "clusterroles.rbac.authorization.k8s.io",
            _ => "clusterrolebindings.rbac.authorization.k8s.io",
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let existing = Existing {
            uid: "live".into(),
            managers: Arc::default(),
            created_by_this_run: false,
            body: Some(Box::new(object.clone())),
        };
        fixture
            .facts
            .existing
            .insert(ObjectRef::new(resource.into(), None, name), existing);
    }
    fixture
}

fn extended() -> Fixture {
    let mut extended = binding(&["system:masters", "oncall-admins"]);
    extended["metadata"]["annotations"]["example.com/approved-by"] = json!("change 4711");
    extended["metadata"]["managedFields"][0]["manager"] = json!("kubectl");
    // The rules of the target are written in another order, and allow more.
    let live = [
        binding(&["system:masters", "target-admins"]),
        role(&[json!({"nonResourceURLs": ["/version", "/api"], "verbs": ["get"]})]),
    ];
    fixture(&[extended, role(&[url("/api"), url("/metrics/slis")])], &live)
}

#[test]
fn additions_to_default_roles_and_bindings_are_added_to_those_of_the_target() {
    let fixture = extended();
    let plan = fixture.plan();
    let binding = find(&plan, BINDING);
    assert_eq!(binding.action, Action::Merge);
    assert_eq!(
        binding.ownership,
        Ownership::Single {
            manager: "kubectl".into(),
            operation: crate::Operation::Update
        }
    );
    let paths: Vec<&str> = binding
        .changes
        .iter()
        .map(|change| change.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["/metadata/annotations/example.com~1approved-by", "/subjects"]
    );
    assert!(
        binding
            .changes
            .iter()
            .all(|change| change.rule == RuleId::DefaultRbacAdded)
    );
    let bodies = fixture.bodies(&plan, BINDING);
    assert_eq!(
        additions(binding, &bodies),
        json!({"metadata": {"annotations": {"example.com/approved-by": "change 4711"}},
            "subjects": [group("system:masters"), group("target-admins"), group("oncall-admins")]})
    );
    let role = find(&plan, ROLE);
    assert_eq!(
        additions(role, &fixture.bodies(&plan, ROLE)),
        json!({"rules": [{"nonResourceURLs": ["/version", "/api"], "verbs": ["get"]}, url("/metrics/slis")]})
    );
    assert_eq!(plan.rules[&RuleId::DefaultRbacAdded].objects, 2);
}

#[test]
fn default_roles_without_additions_stay_as_they_are() {
    let aggregated = |rules: &[Value]| {
        let mut admin = role(rules);
        admin["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
        admin
    };
    for (captured, live) in [
        (role(&[url("/api")]), role(&[url("/api"), url("/healthz")])),
        (aggregated(&[url("/custom")]), aggregated(&[])),
    ] {
        let plan = fixture(std::slice::from_ref(&captured), &[live]).plan();
        assert_eq!(left_out(&plan, ROLE).rule, RuleId::BootstrapRbac);
        let plan = fixture(&[captured], &[]).plan();
        assert_eq!(
            left_out(&plan, ROLE).detail.as_deref(),
            Some("the target does not have it")
        );
    }
    let selectors = |plan: &crate::Plan| find(plan, ROLE).changes[0].path.clone();
    let mut more = aggregated(&[]);
    more["aggregationRule"]["clusterRoleSelectors"] = json!([{"matchLabels": {"team": "x"}}]);
    let plan = fixture(&[more], &[aggregated(&[])]).plan();
    assert_eq!(selectors(&plan), "/aggregationRule/clusterRoleSelectors");
}

#[test]
fn a_continued_run_makes_the_same_plan_after_it_added_something() {
    let mut fixture = extended();
    let plan = fixture.plan();
    for object in [BINDING, ROLE] {
        let target = find(&plan, object).target.clone();
        let body = fixture.bodies(&plan, object).create;
        let existing = fixture.facts.existing.get(&target).cloned();
        let existing = Existing {
            created_by_this_run: true,
            body: Some(Box::new(body)),
            ..existing.expect("it exists")
        };
        fixture.facts.existing.insert(target, existing);
    }
    let continued = fixture.plan();
    assert_eq!(continued.hash(), plan.hash());
    let order = |plan: &crate::Plan| -> Vec<String> {
        plan.objects
            .iter()
            .map(|object| object.target.to_string())
            .collect()
    };
    assert_eq!(order(&continued), order(&plan));
}

#[test]
fn a_subject_or_annotation_that_is_not_added_is_reported_whoever_removed_it() {
    let fixture = extended();
    let plan = fixture.plan();
    let proven = |edit: &dyn Fn(&mut Value)| {
        let mut builder = Report::begin(&plan);
        for (index, object) in plan.objects.iter().enumerate() {
            let bodies = fixture.bodies(&plan, &object.target.to_string());
            let mut live = bodies.create.clone();
            live["metadata"]["managedFields"] = json!([{"manager": "edit", "operation": "Update", "fieldsV1":
                {"f:subjects": {}, "f:rules": {}, "f:metadata": {"f:annotations": {"f:example.com/approved-by": {}}}}}]);
            edit(&mut live);
            let proof = Proof {
                bodies: &bodies,
                answered: Some(&live),
                live: &live,
            };
            builder.prove(index, proof);
        }
        builder.finish()
    };
    assert_eq!(proven(&|_| {}).verdict, Verdict::MatchesPlan);
    let edits: [&dyn Fn(&mut Value); 3] = [
        &|live| {
            if live["kind"] == "ClusterRoleBinding" {
                live["subjects"] = json!([group("system:masters")]);
            }
        },
        &|live| {
            if live["kind"] == "ClusterRole" {
                live["rules"] = json!([url("/api"), url("/other")]);
            }
        },
        &|live| {
            if let Some(annotations) = live["metadata"]["annotations"].as_object_mut() {
                annotations.remove("example.com/approved-by");
            }
        },
    ];
    for edit in edits {
        let report = proven(edit);
        assert_eq!(report.verdict, Verdict::DiffersFromPlan);
        assert!(
            report
                .changed
                .iter()
                .any(|change| change.by == ChangedBy::Unexplained)
        );
    }
    let more = proven(&|live| {
        if let Some(subjects) = live["subjects"].as_array_mut() {
            subjects.push(group("later"));
        }
    });
    assert_eq!(more.verdict, Verdict::MatchesPlan, "others may add more");
}

#[test]
fn a_default_object_that_its_administrator_took_over_is_restored_over_that_of_the_target() {
    let mut role = role(&[url("/only")]);
    role["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = json!("false");
    let schema = json!({"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
        "metadata": {"name": "probes", "uid": "u", "annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}, "spec": {}});
    let mut fixture = fixture(&[role.clone(), schema], &[role]);
    let flow = ObjectRef::new("flowschemas.flowcontrol.apiserver.k8s.io".into(), None, "probes");
    let cluster_role = ObjectRef::new(
        "clusterroles.rbac.authorization.k8s.io".into(),
        None,
        ROLE.rsplit(' ').next().unwrap_or_default(),
    );
    let existing = fixture.facts.existing.get(&cluster_role);
    let existing = existing.cloned().expect("it exists");
    fixture.facts.existing.insert(flow, existing);
    let plan = fixture.plan();
    let action = |name: &str| find(&plan, name).action;
    assert_eq!(action(ROLE), Action::CreateOrUpdate);
    assert_eq!(
        action("flowschemas.flowcontrol.apiserver.k8s.io probes"),
        Action::CreateOrUpdate
    );
}
