#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn shown(answer: serde_json::Value) -> String {
    AnswerDocument::new(serde_json::from_value(answer).unwrap(), now()).table()
}

fn point(id: &str) -> serde_json::Value {
    json!({"point": id, "createdAt": "2026-11-21T11:48:00Z", "complete": true, "objects": 1234, "bytes": 5_300_000,
        "vaultedAt": "2026-11-21T11:49:00Z", "verifiedAt": "2026-11-21T11:49:00Z", "keptBy": ["latest good", "hourly 2026-11-21T11"]})
}

fn shop() -> serde_json::Value {
    json!({
        "application": "shop", "primary": "111111111111-eu-west-1", "recovery": "222222222222-eu-central-1",
        "clusters": ["orders", "payments"], "schedule": "every 1h", "signingKey": "sha256:0a0b",
        "lastGood": point("20261121T114800Z-7f3a9c"), "ageSeconds": 720, "nextBackup": "2026-11-21T12:48:00Z",
        "restores": [], "issues": [],
    })
}

#[test]
fn a_status_tells_at_a_glance() {
    let quiet = shown(json!({"status": {"applications": [shop()]}}));
    insta::assert_snapshot!("status_quiet", quiet);
    let mut busy = shop();
    busy["backup"] = json!({"point": "20261121T115900Z-aaaaaa", "startedAt": "2026-11-21T11:59:00Z",
        "phase": "capturing", "attempt": 2});
    busy["restores"] = json!([
        {"token": "t-2", "point": "20261121T114800Z-7f3a9c", "cluster": "orders", "into": "orders-dr",
            "requestedAt": "2026-11-21T11:58:00Z", "state": "running", "phase": "building clusters", "attempt": 2,
            "failedBefore": {"code": "LB-1237", "message": "AWS has no capacity for a resource", "guidance": "wait",
                "causes": ["the delegate reported: \"the stack lifeboat-shop-cluster-orders failed\""]}},
        {"token": "t-1", "point": "20261121T114800Z-7f3a9c", "cluster": "orders", "into": "orders-dr",
            "requestedAt": "2026-11-21T10:58:00Z", "state": "failed", "endedAt": "2026-11-21T11:00:00Z",
            "problems": [{"code": "LB-0103", "message": "no API server answers", "guidance": "look at it"}]},
    ]);
    busy["restores"][0]["progress"] =
        json!({"step": "apply", "wave": "workloads", "done": 120, "total": 300});
    busy["builds"] = json!([
        {"token": "t-2", "progress": {"stack": "lifeboat-shop-cluster-orders", "done": 12, "total": 20,
                "nodes": {"wanted": 5, "joined": 3}},
            "stacks": [{"stack": "lifeboat-shop-network", "outcome": "created"},
                {"stack": "lifeboat-shop-identity", "outcome": "unchanged"}],
            "warnings": [{"code": "LB-1218", "message": "a file system has no replica", "guidance": "set one up",
                "causes": ["the delegate reported: \"fs-1: it is built empty\""]}],
            "moreWarnings": 7},
        {"token": "t-0", "stacks": [{"stack": "lifeboat-shop-network", "outcome": "updated"}]},
    ]);
    busy["issues"] = json!([
        {"id": "LB-0903", "code": "LB-0903", "severity": "error", "application": "shop",
            "message": "the last good recovery point is too old", "guidance": "resolve the others",
            "since": "2026-11-21T09:00:00Z"},
        {"id": "LB-0805:orders", "code": "LB-0805", "severity": "error", "application": "shop", "cluster": "orders",
            "message": "the cluster does not know the role", "guidance": "give it access",
            "command": "aws eks create-access-entry --cluster-name orders\naws eks associate-access-policy",
            "alternatives": [{"what": "to give less", "command": "kubectl apply -f - <<'EOF'\nkind: ClusterRole\nEOF"}],
            "since": "2026-11-21T11:00:00Z"},
    ]);
    insta::assert_snapshot!(
        "status_busy",
        shown(json!({"status": {"applications": [busy, shop()]}}))
    );
    let none = shown(json!({"status": {"applications": []}}));
    assert!(none.contains("lifeboat application put"), "{none}");
}

#[test]
fn attention_is_needed_for_what_is_not_protected_and_nothing_else() {
    let status = |change: &dyn Fn(&mut serde_json::Value)| -> ApplicationStatus {
        let mut value = shop();
        change(&mut value);
        serde_json::from_value(value).unwrap()
    };
    let issue = |severity: &str| {
        json!([{"id": "LB-0910", "code": "LB-0910", "severity": severity, "application": "shop",
            "message": "m", "guidance": "g", "since": "2026-11-21T09:00:00Z"}])
    };
    assert!(!needs_attention(&status(&|_| {})));
    assert!(!needs_attention(&status(
        &|value| value["issues"] = issue("warning")
    )));
    assert!(needs_attention(
        &status(&|value| value["issues"] = issue("error"))
    ));
    assert!(needs_attention(&status(&|value| {
        value.as_object_mut().unwrap().remove("lastGood");
    })));
}

#[test]
fn points_say_why_they_are_kept() {
    let mut damaged = point("20261121T104800Z-000000");
    damaged["damaged"] =
        json!({"code": "LB-0905", "message": "a digest does not fit", "guidance": "use another"});
    let list =
        json!({"points": {"application": "shop", "points": [point("20261121T114800Z-7f3a9c"), damaged]}});
    insta::assert_snapshot!("points", shown(list));
    let none = shown(json!({"points": {"application": "shop", "points": []}}));
    assert_eq!(none, "no recovery points of application shop\n");
}

#[test]
fn other_answers_are_short() {
    let accepted = json!({"accepted": {"application": "shop", "token": "t-1", "repeated": false,
        "point": "20261121T114800Z-7f3a9c"}});
    insta::assert_snapshot!("accepted", shown(accepted));
    assert_eq!(shown(json!({"applications": ["shop", "web"]})), "shop\nweb\n");
}

/// The JSON of an answer must be what the coordinator sent, so that both have one schema.
#[test]
fn an_answer_is_passed_on_as_it_came() {
    let sent = json!({"status": {"applications": [shop()]}});
    let document = AnswerDocument::new(serde_json::from_value(sent.clone()).unwrap(), now());
    assert_eq!(serde_json::to_value(&document).unwrap(), sent);
}
