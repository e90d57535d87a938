#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::{Value, json};

use super::*;

fn status(build: Value, restore: Value) -> ApplicationStatus {
    let mut building =
        json!({"token": "t-1", "progress": {"stack": "lifeboat-shop-network", "done": 1, "total": 9}});
    building["progress"]["events"] = build;
    let status = json!({
        "application": "shop", "primary": "111111111111-eu-west-1", "recovery": "222222222222-eu-central-1",
        "clusters": ["orders"], "schedule": "every 1h", "issues": [], "builds": [building],
        "restores": [{"token": "t-1", "point": "20261121T114800Z-7f3a9c", "cluster": "orders", "into": "orders-dr",
            "requestedAt": "2026-11-21T11:58:00Z", "state": "running", "phase": "restoring objects and building nodes",
            "attempt": 1, "progress": restore}],
    });
    serde_json::from_value(status).unwrap()
}

fn event(resource: &str) -> Value {
    json!({"at": "2026-11-21T11:59:00Z", "stack": "lifeboat-shop-network", "resource": resource,
        "type": "AWS::EC2::Subnet", "status": "CREATE_COMPLETE"})
}

#[test]
fn events_that_the_delegate_tells_are_shown_once() {
    let mut events = BuildEvents::default();
    let line =
        |name: &str| format!("lifeboat-shop-network: 11:59:00 CREATE_COMPLETE AWS::EC2::Subnet {name}");
    let first = status(json!([event("A"), event("B")]), Value::Null);
    assert_eq!(events.told(&first), [line("A"), line("B")]);
    let second = status(json!([event("B"), event("C")]), Value::Null);
    assert_eq!(events.told(&second), [line("C")]);
    assert_eq!(events.told(&second), Vec::<String>::new());
}

#[test]
fn stacks_and_waves_are_told_with_their_numbers() {
    let restore = json!({"step": "apply", "wave": "workloads", "done": 3, "total": 7});
    assert_eq!(
        progress_lines(&status(json!([]), restore)),
        [
            "t-1: lifeboat-shop-network: 1 of 9 resources are complete",
            "t-1: orders-dr: writing objects, 3 of 7 objects are restored, wave \"workloads\"",
        ]
    );
}
