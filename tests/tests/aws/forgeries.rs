//! Attacks by a party that can write to the scratch buckets, but has neither the signing key nor
//! write access to the coordinator's state: a result from another account, invalid documents, a
//! recovery point that another key signed, and invalid events.
//!
//! Each attack has an application of its own, whose delegate is registered and never deployed: the
//! test itself acts as the delegate, so that no delegate runs concurrently.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_tests::environment::Reporter;
use lifeboat_tests::workspace::Workspace;
use serde_json::{Value, json};

use crate::accounts::{
    COORDINATOR, PRIMARY, PRIMARY_SCRATCH, RECOVERY, RECOVERY_SCRATCH, TestAccounts, VAULT, list, text,
};

/// The applications.
const OTHER_ACCOUNT: &str = "other-account";
const NONSENSE: &str = "nonsense";
const OTHER_KEY: &str = "other-key";

/// A job of an application with a delegate. Its name sorts after those of all real ones.
const OF_NOBODY: &str = "shop/20981231T000000Z-ffffff-restore";

/// A time long after any test.
const LATE: &str = "2099-01-01T00:00:00Z";

/// Twice the limit for a document of a job, in bytes.
const OVERSIZED: usize = 4 << 20;

/// The recovery points of another key that the attacks created.
pub(crate) struct Forgeries {
    /// A well-formed recovery point that another key signed, in the folder of the vault.
    planted: String,
    /// The recovery point whose place in the captures received the same files.
    swapped: String,
}

/// Runs every attack.
pub(crate) fn attempt(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<Forgeries> {
    for application in [OTHER_ACCOUNT, NONSENSE, OTHER_KEY] {
        register(field, application)?;
        field.ask(&json!({"application": {"put": document(application)}}))?;
    }
    result_from_another_account(field).context("a result from another account")?;
    reporter.say("a result from another account was put beside an assignment");
    documents_that_are_none(field).context("documents that are none")?;
    reporter.say("a claim that is no document and a checkpoint of four MiB were put beside an assignment");
    assignment_of_nobody(field).context("an assignment of nobody")?;
    reporter.say("a restore that the coordinator has not assigned was put into the recovery account");
    let forgeries = point_of_another_key(field).context("a point of another key")?;
    reporter.say("a recovery point that another key signed was put into the captures and into the vault");
    events_that_nobody_should_send(field).context("events that nobody should send")?;
    reporter.say("every function was sent events that nobody should send");
    Ok(forgeries)
}

/// Checks that every attack was refused and reported, and that it had no effect.
pub(crate) fn came_to_nothing(
    field: &TestAccounts<'_>,
    forgeries: &Forgeries,
    notices: &[String],
) -> Result<()> {
    for all in [
        ["jobs/other-account/", "/result.json", "environment"],
        ["jobs/nonsense/", "/claim-0001.json", "read"],
        ["jobs/nonsense/", "/checkpoint-0001.json", "bytes"],
        [forgeries.swapped.as_str(), "LB-", "sign"],
        [forgeries.planted.as_str(), "LB-0913", "shop"],
    ] {
        ensure!(
            notices
                .iter()
                .any(|notice| all.iter().all(|what| notice.contains(what))),
            "nobody was told of {all:?}: {notices:#?}"
        );
    }
    let beside = field.keys(field.recovery, RECOVERY_SCRATCH, &format!("jobs/{OF_NOBODY}/"))?;
    ensure!(
        beside.len() == 1,
        "a delegate worked on an assignment that nobody has signed: {beside:?}"
    );
    for application in [OTHER_ACCOUNT, NONSENSE, OTHER_KEY] {
        let vaulted = field.keys(field.recovery, VAULT, &format!("{application}/"))?;
        ensure!(
            vaulted.is_empty(),
            "{application} came into the vault: {vaulted:?}"
        );
        let status = field.status(application)?;
        ensure!(
            status["lastGood"].is_null(),
            "{application} has a point: {status}"
        );
    }
    let points = field.ask(&json!({"points": {"application": "shop"}}))?;
    let names = list(&points["points"]["points"])
        .iter()
        .map(|point| text(&point["point"]));
    ensure!(
        !names.into_iter().any(|name| name == forgeries.planted),
        "the planted point is in the catalogue: {points}"
    );
    let logs = field.aws.function_logs();
    for function in [COORDINATOR, "lifeboat-shop-primary", "lifeboat-shop-recovery"] {
        let mut own = logs.iter().filter(|log| log.function == function);
        ensure!(
            own.any(|log| log.text.contains("was refused")),
            "{function} has not told that it refused an event"
        );
    }
    Ok(())
}

/// Removes what would keep an issue open for ever, as an administrator would.
pub(crate) fn clean_up(field: &TestAccounts<'_>, forgeries: &Forgeries) -> Result<()> {
    let folder = format!("s3://{VAULT}/shop/points/{}/", forgeries.planted);
    field
        .recovery
        .text(&["s3", "rm", "--recursive", "--only-show-errors", &folder])
        .map(|_| ())
}

fn document(application: &str) -> Value {
    let place = |environment: &str| {
        let (account, region) = environment.split_once('-').unwrap_or_default();
        json!({"account": account, "region": region})
    };
    json!({
        "format": 1,
        "name": application,
        "primary": place(PRIMARY),
        "recovery": place(RECOVERY),
        "clusters": [{"name": "orders", "cluster": "orders-prod"}],
    })
}

fn register(field: &TestAccounts<'_>, application: &str) -> Result<()> {
    let own = field.document(field.primary, PRIMARY_SCRATCH, "delegates/shop.json")?;
    let registration = json!({
        "format": 1,
        "application": application,
        "environment": PRIMARY,
        "side": "primary",
        "function": function(application),
        "role": format!("arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-{application}-eu-west-1"),
        "key": own["key"],
        "version": "0.1.0",
        "registeredAt": "2026-11-01T00:00:00Z",
    });
    let key = format!("delegates/{application}.json");
    field.put(
        field.primary,
        PRIMARY_SCRATCH,
        &key,
        registration.to_string().as_bytes(),
    )?;
    let mut recovery = field.document(field.recovery, RECOVERY_SCRATCH, "delegates/shop.json")?;
    recovery["application"] = application.into();
    field.put(
        field.recovery,
        RECOVERY_SCRATCH,
        &key,
        recovery.to_string().as_bytes(),
    )
}

fn function(application: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:111111111111:function:lifeboat-{application}-primary")
}

/// Returns the capture that the coordinator assigned to an application's delegate.
fn assigned(field: &TestAccounts<'_>, application: &str) -> Result<Value> {
    field.until("wait for an assignment", || {
        for key in field.keys(field.primary, PRIMARY_SCRATCH, &format!("jobs/{application}/"))? {
            if key.ends_with("/assignment.json") {
                let assignment = payload(&field.document(field.primary, PRIMARY_SCRATCH, &key)?)?;
                if !assignment["work"]["capture"].is_null() {
                    return Ok(Some(assignment));
                }
            }
        }
        field.tick()?;
        Ok(None)
    })
}

/// Returns the document in a file that the coordinator signed.
fn payload(file: &Value) -> Result<Value> {
    let bytes = STANDARD.decode(text(&file["payload"]))?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn put(field: &TestAccounts<'_>, assignment: &Value, file: &str, bytes: &[u8]) -> Result<()> {
    let key = format!("jobs/{}/{file}", text(&assignment["job"]));
    field.put(field.primary, PRIMARY_SCRATCH, &key, bytes)
}

/// Returns a claim as the delegate would write it.
fn claim(assignment: &Value) -> Value {
    json!({
        "format": 2, "job": assignment["job"], "epoch": 1, "invocation": "nobody",
        "claimedAt": assignment["issuedAt"], "deadline": LATE,
    })
}

/// Returns a result that reports the recovery point as sealed.
fn result(assignment: &Value, environment: &str, manifest: &str) -> Value {
    let sealed = json!({"manifest": manifest, "completeness": "Complete", "objects": 1, "bytes": 1});
    json!({
        "format": 2, "job": assignment["job"], "epoch": 1, "at": assignment["issuedAt"],
        "outcome": {"done": {"capture": {"sealed": sealed}}},
        "access": [], "environment": environment, "delegate": function("nobody"),
    })
}

fn result_from_another_account(field: &TestAccounts<'_>) -> Result<()> {
    let assignment = assigned(field, OTHER_ACCOUNT)?;
    put(
        field,
        &assignment,
        "claim-0001.json",
        claim(&assignment).to_string().as_bytes(),
    )?;
    let forged = result(&assignment, RECOVERY, &"0".repeat(64));
    put(field, &assignment, "result.json", forged.to_string().as_bytes())
}

fn documents_that_are_none(field: &TestAccounts<'_>) -> Result<()> {
    let assignment = assigned(field, NONSENSE)?;
    put(
        field,
        &assignment,
        "claim-0001.json",
        b"{\"format\": 2, \"job\": ",
    )?;
    put(field, &assignment, "checkpoint-0001.json", &vec![b' '; OVERSIZED])
}

/// Writes a restore as the coordinator would, but without its key: with the wish of a stranger as the signer.
fn assignment_of_nobody(field: &TestAccounts<'_>) -> Result<()> {
    let (account, region) = RECOVERY.split_once('-').unwrap_or_default();
    let restore = json!({
        "point": "20981231T000000Z-ffffff",
        "vault": {"bucket": VAULT, "owner": account, "region": region},
        "cluster": "orders",
        "target": {"name": "orders", "arn": format!("arn:aws:eks:{region}:{account}:cluster/orders-dr")},
        "signer": "-----BEGIN PUBLIC KEY-----",
        "options": {},
    });
    let assignment = json!({
        "format": 2, "job": OF_NOBODY, "application": "shop", "epoch": 1, "issuedAt": "2026-11-01T00:00:00Z",
        "environment": RECOVERY, "work": {"restore": restore},
    });
    let file = json!({
        "format": 2,
        "payloadType": "application/vnd.lifeboat.assignment+json",
        "payload": STANDARD.encode(assignment.to_string()),
        "signatures": [{"keyid": "", "sig": STANDARD.encode("nobody")}],
    });
    let key = format!("jobs/{OF_NOBODY}/assignment.json");
    field.put(
        field.recovery,
        RECOVERY_SCRATCH,
        &key,
        file.to_string().as_bytes(),
    )
}

/// Creates a real recovery point of a real cluster with the command line and its own keys: it is
/// valid except for its signer. It is written to where the delegate of a running backup would write
/// its own, with a result that names it, and into the vault.
fn point_of_another_key(field: &TestAccounts<'_>) -> Result<Forgeries> {
    let assignment = assigned(field, OTHER_KEY)?;
    let point = text(&assignment["work"]["capture"]["point"]).to_owned();
    let workspace = Workspace::create()?;
    let cluster = field
        .aws
        .cluster("222222222222", "orders-dr")
        .context("a control plane")?;
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    workspace.json(
        &["backup", "--kubeconfig", &kubeconfig, "--cluster", "orders"],
        &[0],
    )?;
    let points = workspace.store().join("shop/points");
    let made = std::fs::read_dir(&points)?
        .next()
        .context("a recovery point")??
        .path();
    let name = made.file_name().context("a name")?.to_string_lossy().into_owned();
    let digest = format!("sha256sum '{}'", made.join("manifest.json").display());
    let digest = field.primary.shell(&digest)?;
    let digest = digest.split_whitespace().next().context("a digest")?;
    let upload = |who: &lifeboat_tests::aws::client::Client, to: &str| {
        let from = made.to_string_lossy().into_owned();
        who.text(&["s3", "cp", "--recursive", "--only-show-errors", &from, to])
            .map(|_| ())
    };
    let captures = format!("s3://{PRIMARY_SCRATCH}/captures/{OTHER_KEY}/points/{point}/");
    upload(field.primary, &captures)?;
    put(
        field,
        &assignment,
        "claim-0001.json",
        claim(&assignment).to_string().as_bytes(),
    )?;
    let forged = result(&assignment, PRIMARY, digest);
    put(field, &assignment, "result.json", forged.to_string().as_bytes())?;
    upload(field.recovery, &format!("s3://{VAULT}/shop/points/{name}/"))?;
    Ok(Forgeries {
        planted: name,
        swapped: point,
    })
}

fn events_that_nobody_should_send(field: &TestAccounts<'_>) -> Result<()> {
    for event in [
        json!({"capture": {"clusters": ["arn:aws:eks:eu-west-1:111111111111:cluster/orders-prod"]}}),
        json!({"RequestType": "Create", "ResourceProperties": {}}),
        json!(["tick"]),
    ] {
        for (who, function) in [
            (field.primary, "lifeboat-shop-primary"),
            (field.recovery, "lifeboat-shop-recovery"),
            (field.recovery, COORDINATOR),
        ] {
            let answer = who.invoke(function, &event)?;
            ensure!(
                !answer["refused"].is_null(),
                "{function} has not refused {event}: {answer}"
            );
        }
    }
    Ok(())
}
