//! The cost of an idle application: the requests of some ticks, and their price.

use anyhow::{Result, ensure};
use serde_json::json;

use super::super::report::Report;
use super::{Invocation, reports, reports_since};
use crate::aws::Scenario;

/// The number of ticks that are invoked; the schedules of the stacks add some more in the meantime.
const TICKS: usize = 5;

/// One tick per minute, the default of the stacks.
const TICKS_PER_HOUR: f64 = 60.0;

/// The hours of a month that AWS uses for prices.
const HOURS_PER_MONTH: f64 = 730.0;

/// Dollars per request of the first tier of S3 Standard (PUT, COPY, POST, LIST): 0.005 per
/// thousand. List price of us-east-1, without the free tier, as of November 2026, as all prices
/// below: <https://aws.amazon.com/s3/pricing/>.
const S3_FIRST: f64 = 0.005 / 1_000.0;

/// Dollars per any other request to S3 (GET, HEAD): 0.0004 per thousand.
const S3_OTHER: f64 = 0.0004 / 1_000.0;

/// Dollars per request to KMS with an asymmetric key: 0.15 per ten thousand
/// (<https://aws.amazon.com/kms/pricing/>).
const KMS: f64 = 0.15 / 10_000.0;

/// Dollars per invocation: 0.20 per million (<https://aws.amazon.com/lambda/pricing/>).
const INVOCATION: f64 = 0.20 / 1_000_000.0;

/// Dollars per GiB-second of a function on arm64, the architecture that the stacks choose.
const GIB_SECOND: f64 = 0.000_013_333_4;

/// The functions, their accounts, and the prefixes of their roles' names.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("lifeboat-coordinator", "222222222222", "LifeboatCoordinator-"),
    ("lifeboat-shop-primary", "111111111111", "LifeboatPrimaryK8sDel-"),
    (
        "lifeboat-shop-recovery",
        "222222222222",
        "LifeboatRecoveryK8sDel-",
    ),
];

/// The requests and the duration of one tick of all functions.
#[derive(Debug, Default, PartialEq)]
struct Tick {
    first_tier: f64,
    other: f64,
    kms: f64,
    free: f64,
    invocations: f64,
    gib_seconds: f64,
}

impl Tick {
    /// Adds the requests of one function, divided by the number of its invocations.
    fn add<'a>(&mut self, actions: impl Iterator<Item = &'a str>, invocations: &[Invocation]) {
        let share = 1.0 / invocations.len().max(1) as f64;
        for action in actions {
            let counted = match action {
                "s3:ListBucket" | "s3:PutObject" => &mut self.first_tier,
                // DELETE requests are free.
                "s3:DeleteObject" => &mut self.free,
                _ if action.starts_with("s3:") => &mut self.other,
                _ if action.starts_with("kms:") => &mut self.kms,
                _ => &mut self.free,
            };
            *counted += share;
        }
        self.invocations += 1.0;
        let gib_seconds = invocations
            .iter()
            .map(|one| one.billed_seconds * one.memory_mib / 1024.0);
        self.gib_seconds += gib_seconds.sum::<f64>() * share;
    }

    fn requests(&self) -> f64 {
        self.first_tier + self.other + self.kms + self.free
    }

    fn dollars(&self) -> f64 {
        self.first_tier * S3_FIRST
            + self.other * S3_OTHER
            + self.kms * KMS
            + self.invocations * INVOCATION
            + self.gib_seconds * GIB_SECOND
    }
}

/// Counts the requests and calculates their price. The application is the tour's, whose next backup
/// is due in half an hour.
///
/// # Errors
/// If a function fails.
pub(super) fn measure(report: &mut Report, scenario: &Scenario<'_>) -> Result<()> {
    let play = || -> Result<()> {
        for (function, account, _) in FUNCTIONS {
            let region = if *account == "111111111111" {
                "eu-west-1"
            } else {
                "eu-central-1"
            };
            scenario
                .aws
                .invoke(account, region, function, &json!({"tick": {}}))?;
        }
        Ok(())
    };
    // First completes what the tour has left to do.
    play()?;
    let before: Vec<_> = FUNCTIONS
        .iter()
        .map(|(name, ..)| reports(scenario.aws, name))
        .collect();
    scenario.aws.clear_audit();
    for _ in 0..TICKS {
        play()?;
    }
    let audit = scenario.aws.audit();
    let mut tick = Tick::default();
    for ((function, _, role), before) in FUNCTIONS.iter().zip(before) {
        let invocations = reports_since(scenario.aws, function, &before);
        ensure!(invocations.len() >= TICKS, "{function} was not invoked");
        let own = audit.iter().filter(|entry| entry.principal.contains(role));
        tick.add(own.map(|entry| entry.action.as_str()), &invocations);
    }
    let hour = |figure: f64| figure * TICKS_PER_HOUR;
    report.add(
        "idle_requests_per_hour",
        hour(tick.requests()),
        None,
        &[
            ("s3_list_put", hour(tick.first_tier)),
            ("s3_get_head", hour(tick.other)),
            ("kms", hour(tick.kms)),
            ("invocations", hour(tick.invocations)),
            ("lambda_gib_s", hour(tick.gib_seconds)),
            ("usd_per_hour", hour(tick.dollars())),
            ("usd_per_month", hour(tick.dollars()) * HOURS_PER_MONTH),
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_the_mean_of_its_invocations() {
        let invocation = Invocation {
            billed_seconds: 0.5,
            memory_mib: 512.0,
            peak_mib: 30.0,
        };
        let mut tick = Tick::default();
        let actions = ["s3:ListBucket", "s3:ListBucket", "s3:GetObject", "kms:Sign"];
        tick.add(actions.into_iter(), &[invocation, invocation]);
        let expected = Tick {
            first_tier: 1.0,
            other: 0.5,
            kms: 0.5,
            free: 0.0,
            invocations: 1.0,
            gib_seconds: 0.25,
        };
        assert_eq!(tick, expected);
        let dollars = S3_FIRST + 0.5 * S3_OTHER + 0.5 * KMS + INVOCATION + 0.25 * GIB_SECOND;
        assert!((tick.dollars() - dollars).abs() < 1e-12);
    }
}
