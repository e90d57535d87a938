//! `lifeboat points`: lists the recovery points of an application.

use clap::Args;
use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::{Exit, Problem};
use lifeboat_recovery_point::{PointState, PointSummary, SignedSummary};
use lifeboat_store::ports::Clock;
use lifeboat_system::SystemClock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open::Vault;
use super::show::completeness;
use crate::arguments::PointArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::Table;
use crate::output::{Document, human};

const AFTER: &str = "Examples:
  lifeboat points --store points --verify-key keys/signing.pub.pem
  lifeboat points --store s3://lifeboat-vault-222222222222-eu-central-1 \\
      --application shop --verify-key signing.pub.pem --profile recovery

  A point whose manifest is not valid is listed as REFUSED, with the reason.

Exit codes: 0 listed, 8 the store failed, 9 the key cannot be used or is not named, 12 AWS
refused the request";

/// Options of `lifeboat points`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// Where they are.
    #[command(flatten)]
    pub from: PointArguments,
}

/// The recovery points of an application, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsDocument {
    /// Always `lifeboat.dev/points/v1`.
    pub format: String,
    /// The application.
    pub application: String,
    /// Its points.
    pub points: Vec<Point>,
    /// The time that ages are counted from.
    #[serde(skip)]
    now: Timestamp,
}

/// One recovery point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    /// Its id.
    pub point: String,
    /// What its manifest says; absent if the manifest cannot be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// Why its manifest cannot be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Problem>,
}

/// What a signed manifest says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signed {
    /// When the point was made.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// The size of its files in bytes.
    pub stored_bytes: u64,
    /// How many objects it holds.
    pub objects: u64,
    /// How many types or groups are missing.
    pub missing: u64,
    /// The names of its clusters.
    pub clusters: Vec<String>,
}

impl Document for PointsDocument {
    fn table(&self) -> String {
        if self.points.is_empty() {
            return format!("no recovery points of application {}\n", self.application);
        }
        let mut table = Table::new(&["POINT", ">AGE", "COMPLETENESS", ">OBJECTS", ">SIZE", "CLUSTERS"]);
        let mut refused = String::new();
        for point in &self.points {
            let id = point.point.clone();
            match (&point.signed, &point.refused) {
                (Some(signed), _) => {
                    let mut whole = completeness(signed.completeness).to_owned();
                    if signed.missing > 0 {
                        whole.push_str(&format!(" ({} missing)", signed.missing));
                    }
                    table.row([
                        id,
                        human::age(signed.created_at, self.now),
                        whole,
                        human::count(signed.objects),
                        human::bytes(signed.stored_bytes),
                        signed.clusters.join(", "),
                    ]);
                }
                (None, problem) => {
                    let dash = || "-".to_owned();
                    table.row([id.clone(), dash(), "REFUSED".to_owned(), dash(), dash(), dash()]);
                    if let Some(problem) = problem {
                        refused.push_str(&format!("\n{id} is refused\n  {problem}\n"));
                    }
                }
            }
        }
        format!("{}{refused}", table.render(0))
    }
}

/// Lists the recovery points.
///
/// # Errors
/// If the store or the key cannot be read. A point that is refused is listed and is not an error.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (vault, points) = context.block_on(async {
        let vault = Vault::open(&arguments.from).await?;
        let points = vault.repository().points(vault.key()).await?;
        if points.is_empty() {
            let others = vault.other_applications().await;
            if !others.is_empty() {
                let others = others.join(", ");
                (context.progress).warn(format!("the store contains points of {others} (--application)"));
            }
        }
        Ok((vault, points))
    })?;
    context.print(&PointsDocument {
        format: "lifeboat.dev/points/v1".to_owned(),
        application: vault.repository().application().to_string(),
        points: points.into_iter().map(point).collect(),
        now: SystemClock.now(),
    })?;
    Ok(Exit::Success)
}

fn point(summary: PointSummary) -> Point {
    let point = summary.point.to_string();
    match summary.state {
        PointState::Refused { problem } => Point {
            point,
            signed: None,
            refused: Some(problem),
        },
        PointState::Signed(SignedSummary {
            created_at,
            completeness,
            objects,
            bytes,
            clusters,
            ..
        }) => Point {
            point,
            signed: Some(Signed {
                created_at,
                completeness,
                stored_bytes: bytes,
                objects,
                missing: clusters.iter().map(|cluster| cluster.missing).sum(),
                clusters: clusters
                    .into_iter()
                    .map(|cluster| cluster.name.to_string())
                    .collect(),
            }),
            refused: None,
        },
    }
}
