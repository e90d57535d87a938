//! `lifeboat diff`: compares two recovery points, or a point and a live cluster.

use clap::Args;
use lifeboat_capture::{CaptureOptions, capture};
use lifeboat_model::{ClusterName, Exit, ObjectRef, TypeSelector};
use lifeboat_plan::{Difference, FieldDifference};
use lifeboat_system::SystemRandomness;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cat::find_type;
use super::open;
use crate::arguments::{ClusterArguments, PointArguments, RecoveryKeyArguments};
use crate::cluster;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Document, human};
use crate::progress::adapters::{CaptureLines, PointProgress};

mod engine;
mod owners;

use engine::{Engine, LiveSide, Scope};

const AFTER: &str = "Examples:
  lifeboat diff 20261120 latest --store points \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem
  lifeboat diff latest --context shop-eu --store points \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem

  Compares what a restore would write: metadata that only the API server sets and the
  status are ignored (--status compares it), and so are the owners of fields (--owners).
  Leases and Events always differ and are ignored (--volatile compares them). Values longer
  than 120 characters are cut (--full shows them). Values of Secrets are never shown.

Exit codes: 0 no difference, 1 differences, 2 no such point, 5 refused, 6 the cluster cannot
be used, 8 the store failed, 9 a key cannot be used or is not named, 12 AWS
refused the request";

/// Options of `lifeboat diff`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The earlier recovery point: `latest`, `latest-complete`, its id, or the beginning of its id
    pub point: String,
    /// The later recovery point; without it, the live cluster of the context
    #[arg(value_name = "POINT2", conflicts_with_all = ["kubeconfig", "context"])]
    pub other: Option<String>,
    /// The cluster of the point, if it has several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<ClusterName>,
    /// Where the points are.
    #[command(flatten)]
    pub from: PointArguments,
    /// What opens them.
    #[command(flatten)]
    pub key: RecoveryKeyArguments,
    /// The live cluster.
    #[command(flatten)]
    pub live: ClusterArguments,
    /// Only this namespace; may be repeated
    #[arg(
        short = 'n',
        long = "namespace",
        value_name = "NAME",
        help_heading = "Selection"
    )]
    pub namespaces: Vec<String>,
    /// Only this type, named as in kubectl; may be repeated
    #[arg(long = "type", value_name = "TYPE", help_heading = "Selection")]
    pub types: Vec<String>,
    /// Compare the status too
    #[arg(long, help_heading = "Selection")]
    pub status: bool,
    /// Compare the owners of fields (managedFields) too
    #[arg(long, help_heading = "Selection")]
    pub owners: bool,
    /// Show values of any length
    #[arg(long, help_heading = "Selection")]
    pub full: bool,
    /// Compare Leases and Events too
    #[arg(long, help_heading = "Selection")]
    pub volatile: bool,
}

/// What differs. The left side is the earlier point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiffDocument {
    /// Always `lifeboat.dev/diff/v1`.
    pub format: String,
    /// The recovery point on the left.
    pub left: String,
    /// The recovery point on the right, or the address of the live cluster.
    pub right: String,
    /// Whether there is no difference.
    pub same: bool,
    /// Objects only on the right.
    pub added: Vec<ObjectRef>,
    /// Objects only on the left.
    pub removed: Vec<ObjectRef>,
    /// Objects on both sides that differ.
    pub changed: Vec<ChangedObject>,
    /// How many objects are the same.
    pub unchanged: u64,
    /// What could not be compared, and why.
    pub not_compared: Vec<NotCompared>,
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangedObject {
    /// The object.
    pub object: ObjectRef,
    /// The fields: `planned` is the left value, `live` the right one.
    pub fields: Vec<FieldDifference>,
}

/// A type that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotCompared {
    /// The type, or several.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Document for DiffDocument {
    fn table(&self) -> String {
        let mut text = format!("--- {}\n+++ {}\n", self.left, self.right);
        for object in &self.removed {
            text.push_str(&format!("- {object}\n"));
        }
        for object in &self.added {
            text.push_str(&format!("+ {object}\n"));
        }
        for changed in &self.changed {
            text.push_str(&format!("~ {}\n", changed.object));
            for field in &changed.fields {
                text.push_str(&field_text(field));
            }
        }
        text.push_str(&format!(
            "{} added, {} removed, {} changed, {} the same\n",
            human::count(self.added.len() as u64),
            human::count(self.removed.len() as u64),
            human::count(self.changed.len() as u64),
            human::count(self.unchanged)
        ));
        for each in &self.not_compared {
            text.push_str(&format!("not compared: {}: {}\n", each.what, each.why));
        }
        text
    }
}

fn field_text(field: &FieldDifference) -> String {
    // One line per field, even if the value contains line breaks.
    let shown = |value: &Option<String>| value.as_deref().unwrap_or_default().replace('\n', "\\n");
    let (left, right) = (shown(&field.planned), shown(&field.live));
    match field.difference {
        Difference::Added => format!("    + {}: {right}\n", field.path),
        Difference::Missing => format!("    - {}: {left}\n", field.path),
        Difference::Changed => format!("    ~ {}: {left} -> {right}\n", field.path),
    }
}

/// Compares, and prints the differences.
///
/// # Errors
/// If one side cannot be read.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let document = context.block_on(compare(arguments, context))?;
    context.print(&document)?;
    Ok(if document.same {
        Exit::Success
    } else {
        Exit::Different
    })
}

async fn compare(arguments: &Arguments, context: &Context) -> Result<DiffDocument, Failure> {
    let (vault, unwrapper) = open::unlocked(&arguments.from, &arguments.key).await?;
    let opened = vault.point(&arguments.point, context).await?;
    let left = open::decrypt(&opened.point, unwrapper.as_ref(), &arguments.key).await?;
    let record = open::cluster(left.point(), arguments.cluster.as_ref())?.clone();
    let mut scope = Scope {
        namespaces: arguments.namespaces.clone(),
        types: Vec::new(),
        status: arguments.status,
        owners: arguments.owners,
        full: arguments.full,
        volatile: arguments.volatile,
    };
    for selector in &arguments.types {
        scope
            .types
            .push(find_type(&record, &TypeSelector(selector.clone()))?.name());
    }
    let progress = PointProgress::new(&context.progress);
    let index = left.index_with(&record.name, &progress).await?;
    let mut engine = Engine::new(&left, &index, &record, scope);
    let right = match &arguments.other {
        Some(other) => {
            let opened = vault.point(other, context).await?;
            let right = open::decrypt(&opened.point, unwrapper.as_ref(), &arguments.key).await?;
            let right_record = open::cluster(right.point(), arguments.cluster.as_ref())?;
            engine.with_point(&right, right_record, &progress).await?;
            right.point().point().to_string()
        }
        None => {
            let (api, _) = cluster::connect(&arguments.live, &SystemRandomness).await?;
            // Uses the filters of the point: what the point excluded must not be reported as added.
            let options = CaptureOptions {
                filter: record.filters.clone(),
                ..CaptureOptions::default()
            };
            let mut side = LiveSide::new(&mut engine);
            let mut lines = CaptureLines::new(&context.progress);
            let captured = capture(&api, &options, &mut side, &mut lines).await;
            if let Some(failure) = side.failure() {
                return Err(failure);
            }
            engine.judge_types(&captured?.types);
            api.server().to_owned()
        }
    };
    Ok(engine.finish(left.point().point().to_string(), right))
}
