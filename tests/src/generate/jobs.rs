//! Jobs that complete, wait, fail or are open, and Jobs that somebody made from a CronJob.

use serde_json::{Value, json};

use super::workloads::{image, pod_spec};
use super::{Draft, Phase, uid_of};

fn job_object(draft: &mut Draft, name: &str) -> Value {
    let namespace = draft.namespace();
    let mut spec = pod_spec(draft, &image(name, 1));
    spec["restartPolicy"] = json!("Never");
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {"spec": spec}}
    })
}

/// A Job that completes, perhaps an Indexed one, perhaps one that would be removed later.
pub(super) fn job(draft: &mut Draft) {
    let name = draft.name("job");
    let mut object = job_object(draft, &name);
    if draft.once_in(2) {
        object["spec"]["completionMode"] = json!("Indexed");
        object["spec"]["completions"] = json!(3);
        object["spec"]["parallelism"] = json!(2);
    }
    if draft.once_in(4) {
        object["spec"]["ttlSecondsAfterFinished"] = json!(86400);
    }
    if draft.once_in(4) {
        // Its Pods find no node.
        object["spec"]["template"]["spec"]["nodeSelector"] = json!({"example.com/none": "true"});
    }
    let (phase, manager) = (draft.age(), draft.manager());
    draft.create(phase, manager, object);
}

/// A Job that is suspended, or was and goes on.
pub(super) fn suspended_job(draft: &mut Draft) {
    let name = draft.name("waiting");
    let mut object = job_object(draft, &name);
    object["spec"]["suspend"] = json!(true);
    let (phase, manager) = (draft.age(), draft.manager());
    draft.create(phase, manager, object.clone());
    if draft.once_in(3) {
        draft.merge(Phase::Changes, &object, "", json!({"spec": {"suspend": false}}));
    }
}

/// A Job that fails by its deadline.
pub(super) fn failed_job(draft: &mut Draft) {
    let name = draft.name("late");
    let mut object = job_object(draft, &name);
    object["spec"]["activeDeadlineSeconds"] = json!(1);
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"example.com/none": "true"});
    draft.create(Phase::Old, "kubectl", object);
}

/// A CronJob that runs once a year, and a Job that somebody made from it.
pub(super) fn job_by_hand(draft: &mut Draft) {
    let name = draft.name("yearly");
    let mut job = job_object(draft, &name);
    let namespace = job["metadata"]["namespace"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let runs = draft.once_in(2);
    if !runs {
        job["spec"]["template"]["spec"]["nodeSelector"] = json!({"example.com/none": "true"});
    }
    draft.apply(
        Phase::Begin,
        "kubectl",
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "schedule": "0 3 1 1 *", "concurrencyPolicy": "Forbid", "suspend": runs,
                "jobTemplate": {"spec": job["spec"]}
            }
        }),
    );
    job["metadata"] = json!({
        "name": format!("{name}-by-hand"), "namespace": namespace,
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
        "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "CronJob", "name": name, "controller": true,
            "uid": uid_of(&format!("/apis/batch/v1/namespaces/{namespace}/cronjobs/{name}"))
        }]
    });
    let phase = draft.age();
    draft.create(phase, "kubectl-create", job);
}
