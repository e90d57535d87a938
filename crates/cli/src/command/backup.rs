//! `lifeboat backup`: captures a cluster and seals it into a recovery point.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use jiff::SignedDuration;
use lifeboat_capture::CaptureOptions;
use lifeboat_capture::backup::{BackedUp, Backup, SourceCluster};
use lifeboat_filesystem::{FolderStore, PemSigner, keys};
use lifeboat_format::RecipientKey;
use lifeboat_format::manifest::{Completeness, TypeOutcome};
use lifeboat_model::{ClusterName, Code, Exit, RecoveryPointId};
use lifeboat_recovery_point::PointRepository;
use lifeboat_store::ports::{ObjectStore, Signer};
use lifeboat_system::{SystemClock, SystemRandomness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::missing::MissingPart;
use super::show::completeness;
use crate::arguments::source::StoreLocation;
use crate::arguments::{ClusterArguments, FilterArguments, SealingKeyArguments, StoreArguments};
use crate::cluster;
use crate::context::Context;
use crate::failure::Failure;
use crate::measure::{Measured, Stopwatch};
use crate::output::{Document, human, print_failure};
use crate::progress::adapters::BackupLines;

const AFTER: &str = "Example:
  lifeboat backup --store points --context shop-eu \\
      --recovery-public-key keys/recovery.pub.pem --signing-key keys/signing.key.pem

  With --eks-cluster, the point also describes the AWS resources that the cluster stands on:
  network, roles, repositories, file systems.

  Needs only the public recovery key: this machine cannot read what it wrote.
  Needs permission to get and list all types. A type that cannot be read makes the point
  Partial and is listed in it.

Exit codes: 0 Complete, 2 an unknown filter, 3 Partial (the point exists and lists what is
missing), 6 the cluster cannot be used, 7 another backup of this application is running, 8 the
store failed, 9 a key cannot be used, 130 interrupted (no point was created)";

/// Options of `lifeboat backup`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// Where the point is stored. The folder is created if only its last part is missing.
    #[command(flatten)]
    pub store: StoreArguments,
    /// What it is sealed with.
    #[command(flatten)]
    pub keys: SealingKeyArguments,
    /// The cluster.
    #[command(flatten)]
    pub from: ClusterArguments,
    /// The cluster's name in the application; defaults to that of the kubeconfig
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub cluster: Option<ClusterName>,
    /// The AWS resources that the cluster stands on.
    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub infrastructure: crate::aws::DescribeArguments,
    /// What is taken.
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Objects per page of a list
    #[arg(long, value_name = "N", default_value_t = lifeboat_capture::PAGE_SIZE, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Speed")]
    pub page_size: u32,
    /// Number of types to list in parallel
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = clap::value_parser!(u8).range(1..=64), help_heading = "Speed")]
    pub concurrency: u8,
    /// Maximum duration of the capture, such as 30m or 2h
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration, help_heading = "Speed")]
    pub deadline: std::time::Duration,
}

/// The value of [`lifeboat_capture::CONCURRENCY`], in a type whose range clap can check.
const DEFAULT_CONCURRENCY: u8 = 6;

/// Parses a duration as it is written on the command line.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "expected a duration such as 90s, 30m or 2h".to_owned();
    let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
    let parsed = std::time::Duration::try_from(parsed).map_err(|_| wrong())?;
    if parsed.is_zero() {
        Err(wrong())
    } else {
        Ok(parsed)
    }
}

/// What was backed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupDocument {
    /// Always `lifeboat.dev/backup/v1`.
    pub format: String,
    /// The application.
    pub application: String,
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The cluster's name in the application.
    pub cluster: ClusterName,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// The version of the whole cluster; absent where the server names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// How many objects it holds.
    pub objects: u64,
    /// How many types were listed.
    pub types: u64,
    /// The size of the objects in bytes.
    pub bytes: u64,
    /// The size of the point's packs in bytes.
    pub stored_bytes: u64,
    /// How many AWS resources are described.
    #[serde(default)]
    pub resources: u64,
    /// What is missing, and how to fix it.
    pub missing: Vec<MissingPart>,
    /// What a user should know beside that.
    pub notes: Vec<String>,
    /// Unfinished points of earlier runs that were removed.
    pub removed: Vec<RecoveryPointId>,
    /// Time and memory.
    pub measured: Measured,
}

impl BackupDocument {
    fn new(made: BackedUp) -> Self {
        let stored_bytes = made.sealed.summary().bytes;
        let predicate = made.sealed.statement.predicate;
        let described = predicate.infrastructure.as_ref();
        let unread = described.iter().flat_map(|record| &record.missing);
        let resources = described.map_or(0, |record| record.resources.len() as u64);
        let unread: Vec<MissingPart> = unread.map(MissingPart::from).collect();
        let clusters = predicate.clusters.into_iter();
        let cluster = clusters.last().expect("the backup was of one cluster");
        let mut missing: Vec<MissingPart> = cluster.missing.iter().map(MissingPart::from).collect();
        missing.extend(unread);
        let listed = |outcome: &TypeOutcome| matches!(outcome, TypeOutcome::Listed { .. });
        Self {
            format: "lifeboat.dev/backup/v1".to_owned(),
            application: predicate.application.to_string(),
            point: predicate.point,
            completeness: predicate.completeness,
            resource_version: cluster.resource_version,
            objects: cluster.objects,
            types: cluster.types.iter().filter(|t| listed(&t.outcome)).count() as u64,
            bytes: cluster.bytes,
            resources,
            stored_bytes,
            missing,
            notes: made.notes,
            removed: Vec::new(),
            measured: Measured::default(),
            cluster: cluster.name,
        }
    }
}

impl Document for BackupDocument {
    fn table(&self) -> String {
        let mut text = format!(
            "recovery point {} of application {} is {}\n  cluster  {}, {} of {}{}\n  size     {} stored for {} of objects\n  took     {}\n",
            self.point,
            self.application,
            completeness(self.completeness),
            self.cluster,
            human::counted(self.objects, "object", "objects"),
            human::counted(self.types, "type", "types"),
            self.resource_version
                .as_ref()
                .map_or_else(String::new, |version| format!(" at resourceVersion {version}")),
            human::bytes(self.stored_bytes),
            human::bytes(self.bytes),
            human::seconds(self.measured.seconds.get("total").copied().unwrap_or_default()),
        );
        if self.resources > 0 {
            text.push_str(&format!(
                "  AWS      {} described\n",
                human::counted(self.resources, "resource", "resources")
            ));
        }
        for note in &self.notes {
            text.push_str(&format!("  note     {note}\n"));
        }
        if !self.missing.is_empty() {
            text.push_str("  missing:\n");
            for missing in &self.missing {
                text.push_str(&missing.text());
            }
        }
        text
    }
}

/// Creates a recovery point.
///
/// # Errors
/// If no point was created. A Partial point is not an error: it is printed, and the exit code reports it.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut recipients = Vec::new();
    for file in &arguments.keys.recovery_public_key {
        recipients.extend(keys::load_recipients(file)?);
    }
    let signer = PemSigner::load(&arguments.keys.signing_key)?;
    let document = context.block_on(make(arguments, &recipients, &signer, context))?;
    context.print(&document)?;
    Ok(match document.completeness {
        Completeness::Complete => Exit::Success,
        Completeness::Partial => {
            let missing = human::counted(document.missing.len() as u64, "part is", "parts are");
            let failure = Failure::new(
                Code::PartialPoint,
                format!("{} is Partial: {missing} missing", document.point),
            );
            print_failure(&failure, context.output);
            failure.exit()
        }
    })
}

async fn make(
    arguments: &Arguments,
    recipients: &[RecipientKey],
    signer: &dyn Signer,
    context: &Context,
) -> Result<BackupDocument, Failure> {
    let mut watch = Stopwatch::start();
    let application = &arguments.store.application;
    let folder = folder(&arguments.store.store)?;
    let lock = folder.lock(application, &SystemClock).await?;
    let store: Arc<dyn ObjectStore> = Arc::new(folder);
    let (api, _) = cluster::connect(&arguments.from, &SystemRandomness).await?;
    let name = arguments
        .cluster
        .clone()
        .unwrap_or_else(|| cluster::name(&arguments.from));
    watch.lap("connect");
    let vault = PointRepository::new(Arc::clone(&store), application.clone());
    let removed = vault.prune_incomplete(&lock).await?;
    if !removed.points.is_empty() {
        context.progress.note(format!(
            "removed the files of {}",
            human::counted(removed.points.len() as u64, "unfinished run", "unfinished runs")
        ));
    }
    watch.lap("clean");

    #[cfg(feature = "aws")]
    let resources = Box::pin(arguments.infrastructure.open()).await?;
    #[cfg(feature = "aws")]
    let infrastructure = (resources.as_ref()).map(|(resources, clusters)| (resources as _, clusters.clone()));
    #[cfg(not(feature = "aws"))]
    let infrastructure = None;
    let options = CaptureOptions {
        filter: arguments.filter.filter(),
        page_size: arguments.page_size,
        concurrency: usize::from(arguments.concurrency),
        deadline: Some(arguments.deadline),
        ..CaptureOptions::default()
    };
    let backup = Backup {
        store,
        application,
        clusters: vec![SourceCluster {
            name,
            api: &api,
            options,
        }],
        infrastructure,
        recipients,
        signer,
        version: env!("CARGO_PKG_VERSION"),
        clock: &SystemClock,
        randomness: &SystemRandomness,
    };
    let made = backup
        .run(&mut BackupLines::new(&context.progress, &mut watch))
        .await;
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            // Otherwise a full disk would stay full because of files that no command shows. An error of this cleanup is
            // ignored, because the first error is the one to report; the next run removes what remains.
            drop(vault.prune_incomplete(&lock).await);
            return Err(error.into());
        }
    };
    drop(lock);
    let mut document = BackupDocument::new(made);
    document.removed = removed.points;
    document.measured = watch.finish();
    Ok(document)
}

/// Opens the folder that a backup writes to.
fn folder(location: &StoreLocation) -> Result<FolderStore, Failure> {
    let StoreLocation::Folder(path) = location else {
        return Err(Failure::new(
            Code::Usage,
            format!("a backup writes to a folder, not to {location}"),
        )
        .remedy("name a folder with --store; on AWS the coordinator writes the vault: `lifeboat application backup NAME`"));
    };
    make_store(path)?;
    Ok(FolderStore::open(path)?)
}

/// Creates the last folder of the store's path. Missing parents are not created: they more likely mean a share that is
/// not mounted.
fn make_store(path: &Path) -> Result<(), Failure> {
    use std::io::ErrorKind;
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let code = match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Code::StoreNotFound,
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Code::StoreDenied,
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StoreFull,
                _ => Code::StoreFailed,
            };
            Err(Failure::of(
                code,
                format!("failed to create the store {}", path.display()),
                &error,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_default_concurrency_is_that_of_the_capture() {
        assert_eq!(usize::from(DEFAULT_CONCURRENCY), lifeboat_capture::CONCURRENCY);
    }

    #[test]
    fn durations_are_written_as_people_do() {
        assert_eq!(duration("30m").unwrap().as_secs(), 1800);
        assert_eq!(duration("1h30m").unwrap().as_secs(), 5400);
        for wrong in ["", "0s", "-5m", "soon", "5"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_store_is_made_but_not_its_parents() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("points");
        make_store(&store).unwrap();
        make_store(&store).unwrap();
        let deep = make_store(&folder.path().join("a/b")).unwrap_err();
        assert_eq!(deep.problem().code, Code::StoreNotFound);
    }

    #[test]
    fn a_backup_does_not_write_to_a_bucket() {
        let refused = super::folder(&"s3://vault-of-ours".parse().unwrap()).unwrap_err();
        assert_eq!(refused.problem().code, Code::Usage);
    }
}
