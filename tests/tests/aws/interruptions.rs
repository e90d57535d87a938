//! Tests of jobs that outlast an invocation, continue in the next one, and are cancelled there.

use anyhow::{Context, Result, ensure};
use lifeboat_tests::aws::client::Client;
use lifeboat_tests::environment::Reporter;
use serde_json::{Value, json};

use crate::accounts::{PRIMARY_SCRATCH, RECOVERY_SCRATCH, TestAccounts, list, text};

/// The shortest useful timeout of an invocation, in seconds: a delegate reserves 45 for its last
/// writes, so this leaves two.
const SHORT: &str = "47";

/// The timeout in the templates, in seconds.
const LONG: &str = "900";

/// Backs up a cluster whose API server has almost no processor time, with invocations too short for
/// the backup, and cancels it.
pub(crate) fn of_a_backup(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<()> {
    let source = (field.aws.cluster("111111111111", "orders-prod")).context("the source of the backup")?;
    timeout(field.primary, "lifeboat-shop-primary", SHORT)?;
    let throttled = source.throttle_api_server().context("an API server")?;
    field.ask(&json!({"backup": {"application": "shop", "token": "too-slow"}}))?;
    let checkpoint = first_checkpoint(field, field.primary, PRIMARY_SCRATCH, "-capture", || {
        ensure!(is_backing_up(field)?, "the backup has ended already");
        Ok(())
    })?;
    reporter.say(&format!("the first invocation came as far as {checkpoint}"));
    timeout(field.primary, "lifeboat-shop-primary", LONG)?;
    let claim = long_claim(field, field.primary, PRIMARY_SCRATCH, &checkpoint)?;
    field.ask(&json!({"cancel": {"application": "shop"}}))?;
    drop(throttled);
    field.until("wait for the end of the backup", || {
        field.tick()?;
        Ok((!is_backing_up(field)?).then_some(()))
    })?;
    reporter.say(&format!("then it was cancelled, in {claim}"));
    Ok(())
}

/// Waits until the job of a checkpoint has a claim that lasts longer than the rest of the test.
fn long_claim(field: &TestAccounts<'_>, who: &Client, bucket: &str, checkpoint: &str) -> Result<String> {
    let (folder, _) = checkpoint.rsplit_once('/').context("a key of a job")?;
    field.until("wait for the next invocation", || {
        field.tick()?;
        let keys = field.keys(who, bucket, &format!("{folder}/"))?;
        let Some(claim) = keys.iter().rfind(|key| key.contains("/claim-")) else {
            return Ok(None);
        };
        if keys.contains(&claim.replace("/claim-", "/checkpoint-")) {
            return Ok(None);
        }
        let document = field.document(who, bucket, claim)?;
        let time = |name: &str| text(&document[name]).parse::<jiff::Timestamp>();
        let lasts = time("deadline")?.duration_since(time("claimedAt")?);
        Ok((lasts > jiff::SignedDuration::from_mins(2)).then(|| claim.clone()))
    })
}

fn is_backing_up(field: &TestAccounts<'_>) -> Result<bool> {
    Ok(!field.status("shop")?["backup"].is_null())
}

/// Waits for the first checkpoint of a job of this kind. `holds` runs at every poll and must succeed.
fn first_checkpoint(
    field: &TestAccounts<'_>,
    who: &Client,
    bucket: &str,
    kind: &str,
    holds: impl Fn() -> Result<()>,
) -> Result<String> {
    field.until("wait for a checkpoint", || {
        field.tick()?;
        holds()?;
        let keys = field.keys(who, bucket, "jobs/shop/")?;
        let mut keys = keys.into_iter();
        Ok(keys.find(|key| key.contains(kind) && key.ends_with("/checkpoint-0001.json")))
    })
}

/// Restores into a cluster on which another holder has the Lease of a restore, with invocations too
/// short to wait for its expiry. Checks that the next invocation continues, and cancels the
/// restore.
pub(crate) fn of_a_restore(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<()> {
    let target = (field.aws.cluster("222222222222", "orders-dr")).context("the target of the restore")?;
    target.apply(FOREIGN)?;
    timeout(field.recovery, "lifeboat-shop-recovery", SHORT)?;
    field.ask(&json!({"restore": {"application": "shop", "token": "too-long"}}))?;
    let checkpoint = first_checkpoint(field, field.recovery, RECOVERY_SCRATCH, "-restore", || {
        let state = restore_state(field)?;
        ensure!(
            matches!(state.as_str(), "waiting" | "running"),
            "the restore is {state} already"
        );
        Ok(())
    })?;
    reporter.say(&format!("the first invocation came as far as {checkpoint}"));
    timeout(field.recovery, "lifeboat-shop-recovery", LONG)?;
    let claim = long_claim(field, field.recovery, RECOVERY_SCRATCH, &checkpoint)?;
    let step = field.until("wait for what the delegate tells", || {
        let step = restore(field)?["progress"]["step"].as_str().map(str::to_owned);
        Ok(step)
    })?;
    reporter.say(&format!("its step was {step}"));
    field.ask(&json!({"cancel": {"application": "shop", "restore": "too-long"}}))?;
    let state = field.until("wait for the end of the restore", || {
        field.tick()?;
        let state = restore_state(field)?;
        Ok((!matches!(state.as_str(), "waiting" | "running")).then_some(state))
    })?;
    ensure!(state == "cancelled", "the restore is {state}");
    target.kubectl_output(&["-n", "kube-system", "delete", "lease", "lifeboat-restore"])?;
    reporter.say(&format!("then it was cancelled, in {claim}"));
    Ok(())
}

/// The Lease of another holder that restores into the cluster. It is valid for two minutes without a renewal.
const FOREIGN: &str = "
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: lifeboat-restore, namespace: kube-system}
spec: {holderIdentity: somebody-else, leaseDurationSeconds: 120}
";

fn timeout(who: &Client, function: &str, seconds: &str) -> Result<()> {
    let arguments = [
        "lambda",
        "update-function-configuration",
        "--function-name",
        function,
        "--timeout",
        seconds,
    ];
    who.json(&arguments).map(|_| ())
}

fn restore_state(field: &TestAccounts<'_>) -> Result<String> {
    Ok(match &restore(field)?["state"] {
        Value::Null => "waiting".to_owned(),
        state => text(state).to_owned(),
    })
}

/// Returns the status of the restore; null while there is none.
fn restore(field: &TestAccounts<'_>) -> Result<Value> {
    let status = field.status("shop")?;
    let restores = list(&status["restores"]).iter();
    let mut found = restores.filter(|restore| text(&restore["token"]).starts_with("too-long"));
    Ok(found.next().cloned().unwrap_or_default())
}
