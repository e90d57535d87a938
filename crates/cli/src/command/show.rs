//! `lifeboat show`: shows the contents of a recovery point. Needs no private key.

use lifeboat_model::Exit;
use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use jiff::Timestamp;
use lifeboat_format::Fingerprint;
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, InfrastructureRecord, Predicate, TypeOutcome, TypeRecord,
};
use lifeboat_store::ports::Clock;
use lifeboat_system::SystemClock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::missing::MissingPart;
use super::open::Vault;
use crate::arguments::PointArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::Table;
use crate::output::{Document, human};

const AFTER: &str = "Example:
  lifeboat show latest --store points --verify-key keys/signing.pub.pem

  Checks the signature, but does not read the packs; `lifeboat verify` does.

Exit codes: 0 shown, 2 no such point, 5 the signature or manifest was rejected, 8 the store
failed, 9 the key cannot be used or is not named, 12 AWS refused the request";

/// Options of `lifeboat show`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The recovery point: `latest`, `latest-complete`, its id, or the beginning of its id
    pub point: String,
    /// Where it is.
    #[command(flatten)]
    pub from: PointArguments,
    /// List the types without objects too
    #[arg(long)]
    pub all_types: bool,
}

/// A recovery point as its signed manifest describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowDocument {
    /// Always `lifeboat.dev/show/v1`.
    pub format: String,
    /// The fingerprint of the key that signed it, which is the pinned one.
    pub signed_by: String,
    /// The size of its packs in bytes.
    pub stored_bytes: u64,
    /// What the manifest says.
    pub manifest: Predicate,
    /// Whether the table lists types without objects.
    #[serde(skip)]
    all_types: bool,
    /// The time that ages are counted from.
    #[serde(skip)]
    now: Timestamp,
}

/// Shows a recovery point.
///
/// # Errors
/// If there is no such point, or its manifest is refused.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (opened, signed_by) = context.block_on(async {
        let vault = Vault::open(&arguments.from).await?;
        let opened = vault.point(&arguments.point, context).await?;
        Ok((opened.point.statement().predicate.clone(), opened.signed_by))
    })?;
    context.print(&ShowDocument {
        format: "lifeboat.dev/show/v1".to_owned(),
        signed_by,
        stored_bytes: stored_bytes(&opened),
        manifest: opened,
        all_types: arguments.all_types,
        now: SystemClock.now(),
    })?;
    Ok(Exit::Success)
}

/// Returns the size of all packs of a point, in bytes.
pub(super) fn stored_bytes(manifest: &Predicate) -> u64 {
    manifest.packs().map(|pack| pack.bytes).sum()
}

/// Returns the word for a completeness.
pub(super) fn completeness(completeness: Completeness) -> &'static str {
    match completeness {
        Completeness::Complete => "Complete",
        Completeness::Partial => "Partial",
    }
}

impl Document for ShowDocument {
    fn table(&self) -> String {
        let manifest = &self.manifest;
        let recipients: BTreeSet<&str> = (manifest.keys.iter())
            .flat_map(|key| key.fingerprints().map(Fingerprint::as_str))
            .collect();
        let recipients: Vec<&str> = recipients.into_iter().collect();
        let bytes: u64 = manifest.clusters.iter().map(|cluster| cluster.bytes).sum();
        let mut text = String::new();
        let mut line = |name: &str, value: String| text.push_str(&format!("{name:<15}{value}\n"));
        line("recovery point", manifest.point.to_string());
        line("application", manifest.application.to_string());
        let age = human::age(manifest.created_at, self.now);
        line("created", format!("{} ({age} ago)", manifest.created_at));
        line("completeness", completeness(manifest.completeness).to_owned());
        line("signed by", format!("{} (verified)", self.signed_by));
        line("encrypted for", recipients.join(", "));
        line(
            "size",
            format!(
                "{} stored for {} of objects",
                human::bytes(self.stored_bytes),
                human::bytes(bytes)
            ),
        );
        line(
            "made by",
            format!(
                "{} {}, format {}",
                manifest.tool.name, manifest.tool.version, manifest.format_version
            ),
        );
        for cluster in &manifest.clusters {
            text.push('\n');
            text.push_str(&cluster_text(cluster, self.all_types));
        }
        if let Some(record) = &manifest.infrastructure {
            text.push('\n');
            text.push_str(&infrastructure_text(record));
        }
        text
    }
}

fn infrastructure_text(record: &InfrastructureRecord) -> String {
    let count = record.resources.len() as u64;
    let mut text = format!(
        "infrastructure: {} of {} in {}, described at {}\n",
        human::counted(count, "AWS resource", "AWS resources"),
        record.account,
        record.region,
        record.described_at
    );
    let mut sorts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in &record.resources {
        sorts.entry(&resource.r#type).or_default().push(&resource.id);
    }
    for (sort, ids) in sorts {
        text.push_str(&format!("\n  {sort}: {}\n", human::count(ids.len() as u64)));
        for id in ids {
            text.push_str(&format!("    {id}\n"));
        }
    }
    if !record.missing.is_empty() {
        text.push_str("\n  missing:\n");
        for missing in &record.missing {
            text.push_str(&MissingPart::from(missing).text());
        }
    }
    if !record.absent.is_empty() {
        text.push_str("\n  named by the clusters, and not in AWS:\n");
        for absent in &record.absent {
            text.push_str(&format!("    {} ({})\n", absent.resource, absent.call));
        }
    }
    text
}

fn cluster_text(cluster: &ClusterRecord, all_types: bool) -> String {
    let server = &cluster.server;
    let mut text = format!(
        "cluster {}: Kubernetes {} on {}, {}\n",
        cluster.name,
        server.version,
        server.platform,
        human::counted(cluster.objects, "object", "objects")
    );
    let at = cluster.resource_version.as_ref().map_or_else(
        || "at no common resourceVersion".to_owned(),
        |version| format!("at resourceVersion {version}"),
    );
    let took = cluster
        .finished_at
        .duration_since(cluster.started_at)
        .as_secs_f64();
    text.push_str(&format!("  captured {at}, in {}\n", human::seconds(took)));
    if !cluster.filters.is_empty() {
        let filters = serde_json::to_string(&cluster.filters).unwrap_or_default();
        text.push_str(&format!("  filtered by {filters}\n"));
    }
    text.push('\n');
    text.push_str(&types_text(cluster, all_types));
    if !cluster.missing.is_empty() {
        text.push_str("\n  missing:\n");
        for missing in &cluster.missing {
            text.push_str(&MissingPart::from(missing).text());
        }
    }
    for (sort, list) in &cluster.dependencies {
        if !list.is_empty() {
            text.push_str(&format!("\n  {sort}: {}\n", human::count(list.len() as u64)));
            for each in list {
                text.push_str(&format!("    {each}\n"));
            }
        }
    }
    text
}

fn types_text(cluster: &ClusterRecord, all_types: bool) -> String {
    let mut table = Table::new(&["TYPE", "VERSION", ">OBJECTS", ">SIZE", "NOTE"]);
    let mut hidden = 0_u64;
    for record in &cluster.types {
        match row(record, all_types) {
            Some(cells) => table.row(cells),
            None => hidden += 1,
        }
    }
    let mut text = table.render(2);
    if hidden > 0 {
        text.push_str(&format!(
            "  and {} (--all-types)\n",
            human::counted(hidden, "type without objects", "types without objects")
        ));
    }
    text
}

fn row(record: &TypeRecord, all_types: bool) -> Option<[String; 5]> {
    let (objects, bytes, note) = match &record.outcome {
        TypeOutcome::Listed { objects: 0, .. } if !all_types => return None,
        TypeOutcome::Listed {
            objects, bytes, why, ..
        } => {
            let note = why.as_ref().map_or_else(String::new, |why| {
                format!("not at the common resourceVersion: {why}")
            });
            (human::count(*objects), human::bytes(*bytes), note)
        }
        TypeOutcome::Failed {
            status,
            reason,
            message,
            ..
        } => {
            let why = match status {
                Some(status) => format!("{status} {reason}"),
                None if message.is_empty() => "no response".to_owned(),
                None => message.clone(),
            };
            ("-".to_owned(), "-".to_owned(), format!("MISSING: {why}"))
        }
        TypeOutcome::Excluded { .. } | TypeOutcome::SameAs { .. } if !all_types => return None,
        TypeOutcome::Excluded { why } => ("-".to_owned(), "-".to_owned(), format!("excluded: {why}")),
        TypeOutcome::SameAs { r#type } => (
            "-".to_owned(),
            "-".to_owned(),
            format!("the same objects as {type}"),
        ),
    };
    Some([
        record.name().to_string(),
        record.version.clone(),
        objects,
        bytes,
        note,
    ])
}
