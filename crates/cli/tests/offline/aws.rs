//! The commands for AWS against a server that simulates STS and Lambda by a script: what a user sees of answers,
//! refusals, throttling and functions that fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};

use lifeboat_cli::command::deploy::DeployDocument;
use serde_json::{Value, json};

use crate::run::Place;
use crate::schema;

/// An answer of Lambda: the status, the header with the name of an error, that of a function's error, and the body.
#[derive(Clone)]
struct Reply {
    status: u16,
    error: Option<&'static str>,
    function_error: bool,
    body: String,
}

impl Reply {
    fn of(answer: &Value) -> Self {
        Self {
            status: 200,
            error: None,
            function_error: false,
            body: answer.to_string(),
        }
    }

    fn error(status: u16, name: &'static str, message: &str) -> Self {
        Self {
            status,
            error: Some(name),
            function_error: false,
            body: json!({"Type": "User", "Message": message}).to_string(),
        }
    }
}

/// A server that runs as long as the test process.
struct Aws {
    endpoint: String,
    /// The payloads of the functions' calls.
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Aws {
    /// Starts a server that gives these replies in turn, then repeats the last one.
    fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, replies) = (Arc::clone(&asked), Arc::new(Mutex::new(replies)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (heard, replies) = (Arc::clone(&heard), Arc::clone(&replies));
                std::thread::spawn(move || serve(stream.unwrap(), &heard, &replies));
            }
        });
        Self { endpoint, asked }
    }

    fn run(&self, place: &Place, line: &str) -> Output {
        let words: Vec<&str> = line.split_whitespace().collect();
        place
            .command(&words)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "canary-secret")
            .env("AWS_REGION", "eu-central-1")
            .output()
            .unwrap()
    }
}

fn serve(stream: TcpStream, heard: &Mutex<Vec<Value>>, replies: &Mutex<Vec<Reply>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let is_invocation = first.contains("/functions/lifeboat-coordinator/invocations");
        let reply = if is_invocation || first.contains(" /clusters/") {
            if is_invocation {
                heard.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            }
            let mut replies = replies.lock().unwrap();
            match replies.len() {
                1 => replies[0].clone(),
                _ => replies.remove(0),
            }
        } else {
            Reply {
                body: "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                    <GetCallerIdentityResult><Arn>arn:aws:iam::222222222222:user/me</Arn><UserId>U</UserId>\
                    <Account>222222222222</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
                    .to_owned(),
                ..Reply::of(&Value::Null)
            }
        };
        let mut head = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\n",
            reply.status,
            reply.body.len()
        );
        if let Some(error) = reply.error {
            head.push_str(&format!("x-amzn-errortype: {error}\r\n"));
        }
        if reply.function_error {
            head.push_str("x-amz-function-error: Unhandled\r\n");
        }
        write!(stream, "{head}\r\n{}", reply.body).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!text.contains("canary"), "{text}");
    text
}

fn shop(issues: Value) -> Value {
    json!({
        "application": "shop", "primary": "111111111111-eu-west-1", "recovery": "222222222222-eu-central-1",
        "clusters": ["orders"], "schedule": "every 1h", "restores": [], "issues": issues,
        "lastGood": point("20261121T114800Z-7f3a9c"), "ageSeconds": 720, "nextBackup": "2026-11-21T12:48:00Z",
    })
}

fn point(id: &str) -> Value {
    json!({"point": id, "createdAt": "2026-11-21T11:48:00Z", "complete": true, "objects": 5, "bytes": 7,
        "vaultedAt": "2026-11-21T11:49:00Z", "verifiedAt": "2026-11-21T11:49:00Z", "keptBy": ["latest good"]})
}

fn status(issues: Value) -> Value {
    json!({"status": {"applications": [shop(issues)]}})
}

fn points(ids: &[&str]) -> Value {
    let points: Vec<Value> = ids.iter().map(|id| point(id)).collect();
    json!({"points": {"application": "shop", "points": points}})
}

fn accepted() -> Value {
    json!({"accepted": {"application": "shop", "token": "t-1", "repeated": false,
        "point": "20261121T114800Z-7f3a9c"}})
}

#[test]
fn answers_are_printed_as_their_schema_says() {
    let place = Place::new();
    let answer_schema: Value = serde_json::from_slice(&place.run("schema answer").stdout).unwrap();
    let request_schema: Value = serde_json::from_slice(&place.run("schema request").stdout).unwrap();
    let document = json!({"format": 1, "name": "shop", "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"}, "clusters": [{"name": "orders"}]});
    std::fs::write(place.path().join("shop.json"), document.to_string()).unwrap();
    for (line, answer, asked) in [
        ("status", status(json!([])), json!({"status": {}})),
        (
            "status shop",
            status(json!([])),
            json!({"status": {"application": "shop"}}),
        ),
        (
            "application points shop",
            points(&["20261121T114800Z-7f3a9c"]),
            json!({"points": {"application": "shop"}}),
        ),
        (
            "application list",
            json!({"applications": ["shop"]}),
            json!({"application": {"list": {}}}),
        ),
        (
            "application show shop",
            json!({"application": document}),
            json!({"application": {"get": {"application": "shop"}}}),
        ),
        (
            "application backup shop --token t-1",
            accepted(),
            json!({"backup": {"application": "shop", "token": "t-1"}}),
        ),
        (
            "application restore shop 2026 --cluster orders --into other --existing update --token t-1",
            accepted(),
            json!({"restore": {"application": "shop", "point": "2026", "cluster": "orders", "into": "other",
                "options": {"existing": "update"}, "token": "t-1"}}),
        ),
        (
            "application cancel shop --restore t-1 --token t-2",
            accepted(),
            json!({"cancel": {"application": "shop", "restore": "t-1", "token": "t-2"}}),
        ),
    ] {
        let aws = Aws::start(vec![Reply::of(&answer)]);
        let output = aws.run(&place, &format!("{line} -o json"));
        assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        schema::check(&answer_schema, &printed).unwrap_or_else(|wrong| panic!("{line}: {wrong}"));
        let heard = aws.asked.lock().unwrap().clone();
        assert_eq!(heard, std::slice::from_ref(&asked), "{line}");
        schema::check(&request_schema, &asked).unwrap_or_else(|wrong| panic!("{line}: {wrong}"));
    }
    // The coordinator answers with the document and its defaults filled in; what was sent must be what the file
    // contains.
    let aws = Aws::start(vec![Reply::of(&json!({"application": document}))]);
    let output = aws.run(&place, "application put shop.json");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let sent = aws.asked.lock().unwrap().remove(0);
    schema::check(&request_schema, &sent).unwrap();
    assert_eq!(sent["application"]["put"]["clusters"], document["clusters"]);
}

#[test]
fn a_status_with_an_issue_can_be_read_off_the_exit_code() {
    let place = Place::new();
    let issue = |severity: &str| {
        json!([{"id": "LB-0910", "code": "LB-0910", "severity": severity, "application": "shop", "message": "m",
            "guidance": "g", "since": "2026-11-21T09:00:00Z"}])
    };
    for (severity, code) in [("error", 11), ("warning", 0)] {
        let aws = Aws::start(vec![Reply::of(&status(issue(severity)))]);
        assert_eq!(aws.run(&place, "status").status.code(), Some(code), "{severity}");
    }
}

#[test]
fn a_coordinator_that_cannot_answer_is_told_apart() {
    let place = Place::new();
    let refused = json!({"refused": [{"code": "LB-0911", "message": "the application shop does not exist", "guidance": "list"}]});
    let failing = Reply {
        function_error: true,
        ..Reply::of(&json!({"errorType": "E", "errorMessage": "the state bucket is gone"}))
    };
    for (reply, exit, code, says) in [
        (
            Reply::of(&refused),
            2,
            "LB-0911",
            "the application shop does not exist",
        ),
        (failing, 12, "LB-1009", "the state bucket is gone"),
        (
            Reply::of(&json!({"riddle": 7})),
            12,
            "LB-1009",
            "lifeboat deploy recovery",
        ),
        (
            Reply::error(404, "ResourceNotFoundException", "Function not found"),
            12,
            "LB-1008",
            "Function not found",
        ),
        (
            Reply::error(429, "TooManyRequestsException", "Rate Exceeded."),
            12,
            "LB-1014",
            "--token",
        ),
        (
            Reply::error(403, "AccessDeniedException", "not authorized"),
            12,
            "LB-1003",
            "lambda:InvokeFunction",
        ),
        (
            Reply::error(403, "ExpiredTokenException", "expired"),
            12,
            "LB-1001",
            "AWS_SESSION_TOKEN",
        ),
    ] {
        let aws = Aws::start(vec![reply]);
        let output = aws.run(&place, "application backup shop");
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{code}: {shown}");
        assert!(shown.contains(code) && shown.contains(says), "{code}: {shown}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_throttled_request_is_sent_again_under_the_same_name() {
    let place = Place::new();
    let throttled = Reply::error(429, "TooManyRequestsException", "Rate Exceeded.");
    let aws = Aws::start(vec![throttled, Reply::of(&accepted())]);
    let output = aws.run(&place, "application backup shop");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let asked = aws.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    assert!(
        asked[0]["backup"]["token"].is_string() && asked[0] == asked[1],
        "{asked:?}"
    );
}

#[test]
fn credentials_of_another_account_are_refused_before_anything_is_asked() {
    let place = Place::new();
    let aws = Aws::start(vec![Reply::of(&status(json!([])))]);
    let output = aws.run(&place, "status --account 111111111111");
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{shown}");
    assert!(
        shown.contains("LB-1002") && shown.contains("arn:aws:iam::222222222222:user/me"),
        "{shown}"
    );
    assert!(aws.asked.lock().unwrap().is_empty());
}

#[test]
fn a_backup_is_followed_to_its_point() {
    let place = Place::new();
    let mut running = shop(json!([]));
    running["backup"] = json!({"point": "20261121T120000Z-aaaaaa", "startedAt": "2026-11-21T12:00:00Z",
        "phase": "capturing", "attempt": 1});
    let aws = Aws::start(
        [
            points(&["20261121T114800Z-7f3a9c"]),
            status(json!([])),
            accepted(),
            json!({"status": {"applications": [running]}}),
            points(&["20261121T114800Z-7f3a9c"]),
            status(json!([])),
            points(&["20261121T120000Z-aaaaaa", "20261121T114800Z-7f3a9c"]),
        ]
        .iter()
        .map(Reply::of)
        .collect(),
    );
    let output = aws.run(&place, "application backup shop --wait -o json");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, points(&["20261121T120000Z-aaaaaa"]));
    assert!(text(&output.stderr).contains("capturing"));
}

#[test]
fn a_restore_is_followed_to_its_end() {
    let place = Place::new();
    let restore = |state: &str| {
        let mut shop = shop(json!([]));
        shop["restores"] = json!([
            {"token": "t-1", "point": "20261121T114800Z-7f3a9c", "cluster": "orders", "into": "orders-dr",
                "requestedAt": "2026-11-21T11:58:00Z", "state": state},
            {"token": "t-0", "point": "20261121T114800Z-7f3a9c", "cluster": "orders", "into": "orders-dr",
                "requestedAt": "2026-11-21T10:58:00Z", "state": "failed"},
        ]);
        json!({"status": {"applications": [shop]}})
    };
    for (end, exit) in [("done", 0), ("incomplete", 4)] {
        let aws = Aws::start(
            [accepted(), restore("waiting"), restore(end)]
                .iter()
                .map(Reply::of)
                .collect(),
        );
        let output = aws.run(&place, "application restore shop --wait --token t-1 -o json");
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let restores = printed["status"]["applications"][0]["restores"]
            .as_array()
            .unwrap();
        assert_eq!(restores.len(), 1, "other restores were not asked for");
        assert_eq!(restores[0]["state"], end);
    }
}

#[test]
fn what_may_not_be_described_is_in_the_document_and_in_the_exit_code() {
    let place = Place::new();
    let aws = Aws::start(vec![Reply::error(403, "AccessDeniedException", "not allowed")]);
    let output = aws.run(&place, "infrastructure describe orders");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("eks:DescribeCluster failed: AccessDeniedException"));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        document["missing"],
        json!([{"resource": "arn:aws:eks:eu-central-1:222222222222:cluster/orders",
                "call": "eks:DescribeCluster", "code": "AccessDeniedException"}])
    );
    let described = place.run("schema descriptions");
    let described: Value = serde_json::from_slice(&described.stdout).unwrap();
    schema::check(&described, &document).unwrap();

    let output = aws.run(&place, "infrastructure describe orders --out shop.json");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
    let written = std::fs::read(place.path().join("shop.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), document);
    let output = aws.run(&place, "infrastructure describe orders --out none/shop.json");
    assert_eq!(output.status.code(), Some(8));
    assert!(text(&output.stderr).contains("LB-03"), "{}", text(&output.stderr));
}

#[test]
fn what_was_deployed_is_printed_as_its_schema_says() {
    let place = Place::new();
    let schema: Value = serde_json::from_slice(&place.run("schema deploy").stdout).unwrap();
    let document: DeployDocument = serde_json::from_value(json!({
        "format": "lifeboat.dev/deploy/v1",
        "stacks": [{"environment": "222222222222-eu-central-1", "stack": "lifeboat-control", "outcome": "created"}],
        "recoveryKey": {"fingerprint": "sha256:0a", "publicKey": "MIIC", "file": "recovery.pub.pem"},
        "coordinatorKey": {"fingerprint": "sha256:0c", "publicKey": "MFkw", "file": "coordinator.pub.pem"},
        "signingKey": "sha256:0b", "application": "shop", "example": "format: 1\n", "next": "lifeboat status",
    }))
    .unwrap();
    let printed = serde_json::to_value(&document).unwrap();
    schema::check(&schema, &printed).unwrap();
    let shortest = json!({"format": "lifeboat.dev/deploy/v1", "stacks": [], "next": "lifeboat status"});
    schema::check(&schema, &shortest).unwrap();
}
