use serde_json::{Value, json};

use crate::testing::Fixture;
use crate::{Plan, Proof, Report, Verdict};

fn fixture() -> Fixture {
    let object = |name: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"),
            "managedFields": [{"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {}}}]}, "spec": {"replicas": 3, "paused": true}})
    };
    let mut fixture = Fixture::new([object("a"), object("b")]);
    fixture.objects.retain(|o| o["kind"] != "Namespace");
    fixture
}

/// Returns the plan and its report with a proof for both objects. `live` edits what is read back of `a`, `answered`
/// the response to the write request.
fn report(live: impl Fn(&mut Value), answered: Option<fn(&mut Value)>) -> (Plan, Report) {
    let fixture = fixture();
    let plan = fixture.plan();
    let mut builder = Report::begin(&plan);
    for (index, object) in plan.objects.iter().enumerate() {
        let bodies = fixture.bodies(&plan, &object.target.to_string());
        let (mut now, mut answer) = (bodies.create.clone(), bodies.create.clone());
        if &*object.target.name == "a" {
            live(&mut now);
            if let Some(change) = answered {
                change(&mut answer);
            }
        }
        builder.prove(
            index,
            Proof {
                bodies: &bodies,
                answered: Some(&answer),
                live: &now,
            },
        );
    }
    let report = builder.finish();
    (plan, report)
}

#[test]
fn the_plan_came_true_only_if_every_object_was_proven() {
    let (plan, proven) = report(|_| {}, None);
    assert_eq!(
        (proven.verdict, proven.summary.restored),
        (Verdict::MatchesPlan, 2)
    );
    let nothing = Report::begin(&plan).finish();
    assert_eq!(
        (nothing.verdict, nothing.summary.failed),
        (Verdict::DiffersFromPlan, 2)
    );
    let mut one_failed = Report::begin(&plan);
    one_failed.fail(0, "LB-0702: refused by a webhook");
    assert!(one_failed.finish().text().contains("refused by a webhook"));
}

#[test]
fn additions_and_changes_by_admission_are_listed_and_do_not_fail() {
    fn change(object: &mut Value) {
        object["spec"]["replicas"] = json!(5);
        object["spec"]["strategy"] = json!({"type": "RollingUpdate"});
    }
    let (_, report) = report(change, Some(change));
    assert_eq!(
        (report.verdict, report.summary.changed_by_target),
        (Verdict::MatchesPlan, 2)
    );
}

#[test]
fn a_change_by_a_manager_that_owns_the_field_now_is_a_controllers() {
    let (_, report) = report(
        |object| {
            object["spec"]["replicas"] = json!(9);
            object["metadata"]["managedFields"] = json!([{"manager": "hpa", "operation": "Update", "subresource": "scale",
                "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        },
        None,
    );
    assert_eq!(report.verdict, Verdict::MatchesPlan);
    assert_eq!(report.changed[0].who.as_deref(), Some("hpa"));
}

#[test]
fn a_planned_field_that_is_gone_or_changed_by_nobody_fails_the_proof() {
    let (_, changed) = report(|object| object["spec"]["replicas"] = json!(9), None);
    assert_eq!(
        (changed.verdict, changed.summary.unexplained),
        (Verdict::DiffersFromPlan, 1)
    );
    fn lose(object: &mut Value) {
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("paused");
        }
    }
    let (_, lost) = report(lose, Some(lose));
    assert_eq!(
        lost.verdict,
        Verdict::DiffersFromPlan,
        "also where the server dropped it at once"
    );
}

#[test]
fn a_report_reads_the_verdict_first() {
    let (_, mut lost) = report(
        |object| {
            object["spec"]["replicas"] = json!(9);
            object["spec"]["strategy"] = json!({"type": "RollingUpdate"});
        },
        None,
    );
    lost.plan = "0".repeat(64);
    insta::assert_snapshot!(lost.text());
    let json = serde_json::to_string(&lost).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Report>(&json).ok(), Some(lost));
}

#[test]
fn a_finished_job_is_compared_with_its_end_state() {
    let fixture = Fixture::new([
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default", "uid": "u"},
        "spec": {}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
    ]);
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, "jobs.batch default/j");
    let index = plan
        .objects
        .iter()
        .position(|o| &*o.target.name == "j")
        .unwrap_or_default();
    let mut live = bodies.create.clone();
    live["spec"]["suspend"] = json!(false);
    live["status"] = bodies.status.clone().unwrap_or_default();
    let mut builder = Report::begin(&plan);
    builder.prove(
        index,
        Proof {
            bodies: &bodies,
            answered: None,
            live: &live,
        },
    );
    let summary = builder.finish().summary;
    assert_eq!((summary.restored, summary.unexplained), (1, 0));
}
