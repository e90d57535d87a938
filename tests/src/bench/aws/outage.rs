//! The start of a restore while no request to the primary Region is answered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::super::floor::Bare;
use super::super::report::{Report, median};
use super::PATIENCE;
use crate::aws::{PRIMARY, RECOVERY, Scenario, TARGET};
use crate::environment::pause;

/// The limit for the time from the request to the first object in the target, in seconds.
const START_SECONDS: f64 = 10.0;

/// An object of the tour's application that is deleted before each restore. It is restored before its namespace's
/// workloads.
const OBJECT: (&str, &str) = ("configmap/prices", "/api/v1/namespaces/orders/configmaps/prices");

/// The interval at which the target is asked for the object.
const LOOK: Duration = Duration::from_millis(50);

/// Cuts the primary Region off and measures restores of the recovery point that the tour has made.
///
/// # Errors
/// If a restore does not start.
pub(super) fn measure(report: &mut Report, scenario: &Scenario<'_>, repetitions: usize) -> Result<()> {
    let ask = |request: &Value| -> Result<Value> {
        let answer = (scenario.aws).invoke(RECOVERY.0, RECOVERY.1, "lifeboat-coordinator", request)?;
        ensure!(answer["refused"].is_null(), "{request} was refused: {answer}");
        Ok(answer)
    };
    let target = scenario
        .aws
        .cluster(RECOVERY.0, TARGET)
        .context("a control plane")?;
    let bare = Handle::current().block_on(Bare::connect(target.kubeconfig()))?;
    let points = ask(&json!({"points": {"application": "shop"}}))?;
    // The first one is of the tour; the others have the objects of the large cluster.
    let oldest = points["points"]["points"]
        .as_array()
        .and_then(|points| points.last());
    let point = oldest.and_then(|point| point["point"].as_str());
    let point = point.with_context(|| format!("no recovery point: {points}"))?;
    scenario.aws.cut_off(PRIMARY.1);
    let (mut starts, mut answers) = (Vec::new(), Vec::new());
    for repetition in 0..repetitions {
        target.kubectl_output(&["delete", "--namespace=orders", OBJECT.0])?;
        let token = format!("outage-{repetition}");
        let began = Instant::now();
        ask(&json!({"restore": {"application": "shop", "point": point, "token": token}}))?;
        answers.push(began.elapsed().as_secs_f64());
        while !Handle::current().block_on(bare.exists(OBJECT.1))? {
            ensure!(began.elapsed() < PATIENCE, "the restore {token} does not start");
            pause(LOOK);
        }
        starts.push(began.elapsed().as_secs_f64());
        ended(&ask, &token)?;
    }
    report.add(
        "restore_start_s_primary_gone",
        median(starts.clone()),
        Some(START_SECONDS),
        &[
            ("answer_s", median(answers)),
            ("first_s", starts.first().copied().unwrap_or_default()),
        ],
    );
    Ok(())
}

/// Waits for the end of a restore, so that the next one is not refused.
fn ended(ask: &dyn Fn(&Value) -> Result<Value>, token: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let answer = ask(&json!({"status": {"application": "shop"}}))?;
        let restores = &answer["status"]["applications"][0]["restores"];
        let mut own = restores.as_array().into_iter().flatten();
        let state = own.find(|restore| restore["token"] == token);
        let state = state
            .and_then(|restore| restore["state"].as_str())
            .unwrap_or_default();
        match state {
            "done" => return Ok(()),
            "failed" | "cancelled" | "incomplete" => {
                anyhow::bail!("the restore {token} is {state}: {restores}")
            }
            _ => {}
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "the restore {token} does not end: {answer}"
        );
        pause(Duration::from_secs(1));
    }
}
