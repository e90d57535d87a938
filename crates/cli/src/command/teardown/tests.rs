#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::{Value, json};

use super::*;

/// A change of a status.
type Change<'a> = &'a dyn Fn(&mut Value);

/// Returns the status of an application whose primary answers, with these changes.
fn status(change: impl Fn(&mut Value)) -> ApplicationStatus {
    let mut status = json!({
        "application": "shop", "primary": "111111111111-eu-west-1", "recovery": "222222222222-eu-central-1",
        "clusters": ["orders"], "schedule": "every 1h", "overdueAt": "2026-11-21T13:00:00Z",
        "lastGood": {"point": "20261121T114800Z-7f3a9c", "createdAt": "2026-11-21T11:48:00Z", "complete": true,
            "objects": 1, "bytes": 1, "vaultedAt": "2026-11-21T11:49:00Z", "verifiedAt": "2026-11-21T11:49:00Z",
            "keptBy": []},
        "restores": [], "issues": [],
    });
    change(&mut status);
    serde_json::from_value(status).unwrap()
}

fn restore(requested: &str, state: &str) -> Value {
    json!({"token": "t-1", "point": "20261121T104800Z-7f3a9c", "cluster": "orders", "into": "orders-dr",
        "requestedAt": requested, "state": state})
}

fn issue(code: &str, about: &str) -> Value {
    json!({"id": format!("{code}:{about}"), "code": code, "severity": "error", "application": "shop",
        "message": "m", "guidance": "g", "since": "2026-11-21T11:55:00Z"})
}

fn refused(change: impl Fn(&mut Value)) -> Option<String> {
    let problem = in_use(&status(change), "2026-11-21T12:00:00Z".parse().unwrap())?;
    assert_eq!(problem.code, Code::RecoveryInUse);
    Some(problem.message)
}

#[test]
fn a_primary_that_backs_up_after_a_restore_runs_the_application() {
    assert_eq!(refused(|_| {}), None);
    assert_eq!(
        refused(|status| status["restores"] = json!([restore("2026-11-21T11:00:00Z", "done")])),
        None,
        "a drill, and a recovery point after it"
    );
    assert_eq!(
        refused(|status| status["issues"] = json!([
            issue("LB-0817", "222222222222-eu-central-1"),
            issue("LB-0919", "standby"),
        ])),
        None,
        "nothing of these is about the primary"
    );
}

#[test]
fn the_new_home_is_not_taken_down() {
    let changes: [(&str, Change<'_>); 8] = [
        ("has not made a recovery point since the restore t-1", &|status| {
            status["restores"] = json!([restore("2026-11-21T11:50:00Z", "done")]);
        }),
        ("has not made a recovery point since the restore t-1", &|status| {
            status["restores"] = json!([restore("2026-11-21T11:50:00Z", "failed")]);
        }),
        ("the restore t-1 into orders-dr has not ended", &|status| {
            status["restores"] = json!([restore("2026-11-21T11:00:00Z", "running")]);
        }),
        ("has not made a recovery point", &|status| {
            status.as_object_mut().unwrap().remove("lastGood");
        }),
        ("LB-0817", &|status| {
            status["issues"] = json!([issue("LB-0817", "111111111111-eu-west-1")])
        }),
        ("LB-0909", &|status| {
            status["issues"] = json!([issue("LB-0909", "111111111111-eu-west-1")])
        }),
        ("LB-0903", &|status| {
            status["issues"] = json!([issue("LB-0903", "")])
        }),
        ("is overdue since", &|status| {
            status["overdueAt"] = json!("2026-11-21T11:59:00Z")
        }),
    ];
    for (why, change) in changes {
        let said = refused(change).unwrap_or_else(|| panic!("{why} is no reason"));
        assert!(said.contains(why), "{said}");
    }
}
