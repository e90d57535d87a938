//! The guided tour on AWS: two accounts, their stacks, an issue and the command that resolves it,
//! the first scheduled recovery point, and a restore on demand.
//!
//! All requests are made as a user makes them: with `lifeboat` and, where its output contains
//! commands, with those; one stack and one request with the official AWS client alone. Only the
//! objects in the clusters are written and read by the clusters' administrator.

pub mod client;
mod coordinator;
mod deploy;
mod landing_zone;
mod networks;
mod permissions;
mod private;
pub mod program;
mod rebuild;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lifeboat_local::{CANARY, Cluster, LocalAws, LocalAwsOptions};
use serde_json::{Value, json};

use crate::environment::Reporter;
use client::Client;
use coordinator::{CoordinatorCommands, until};
pub use deploy::Package;
use deploy::{architecture, deploy, package};
use program::Program;
pub use rebuild::Rebuilt;

/// The account and Region of the primary clusters.
pub(crate) const PRIMARY: (&str, &str) = ("111111111111", "eu-west-1");

/// The account and Region of the recovery clusters and the control stack.
pub(crate) const RECOVERY: (&str, &str) = ("222222222222", "eu-central-1");

/// The primary cluster, and the cluster into which it is restored.
pub(crate) const SOURCE: &str = "orders-prod";
pub(crate) const TARGET: &str = "orders-dr";

/// The objects that the tour creates in the source cluster and expects in the target cluster.
const OBJECTS: &str = include_str!("aws/objects.yaml");

/// Objects of the application that are deleted in the target before the last restore.
const DELETED: &[&str] = &[
    "configmap/prices",
    "secret/payments",
    "service/orders",
    "deployment/orders",
];

/// The arguments of the `kubectl` command that lists these objects in the target.
const LOOK: &[&str] = &[
    "get",
    "--namespace=orders",
    "--output=name",
    "configmap/prices",
    "secret/payments",
    "serviceaccount/orders",
    "service/orders",
    "deployment/orders",
];

/// The number of objects that the command must list.
const WANTED: usize = 5;

/// How long the clusters' API servers cache responses about access, as by Kubernetes' default
/// (`--authentication-token-webhook-cache-ttl`).
const ACCESS_CACHE: Duration = Duration::from_secs(120);

/// A control plane starts in seconds; two of them take longer while the machine compiles.
const CLUSTERS_WITHIN: Duration = Duration::from_secs(240);

/// The number of log lines of each function that are shown if the tour fails.
const LOG_LINES: usize = 30;

/// Runs the tour with functions of this build profile: `release`, `dev`, or `built` (see `infra/package`). It ends with
/// an application that is rebuilt in an empty account, and with a restore after the function and the bucket of the
/// primary are gone.
///
/// # Errors
/// If a step fails; the ends of the functions' logs are printed before.
pub fn run(profile: &str) -> Result<i32> {
    run_with(profile, |scenario, reporter, package| {
        scenario.rebuild(reporter, package)?;
        scenario.lose_primary(reporter)
    })
}

/// Runs the tour and then `more`, with the accounts and clusters as the tour leaves them.
///
/// # Errors
/// If a step or `more` fails; the ends of the functions' logs are printed before.
pub fn run_with(
    profile: &str,
    more: impl FnOnce(&Scenario<'_>, &mut Reporter, &Package) -> Result<()>,
) -> Result<i32> {
    with_accounts(profile, |scenario, reporter, package| {
        scenario.play(reporter, package)?;
        more(scenario, reporter, package)
    })
}

/// Deploys Lifeboat, and restores an application into an account that has nothing of it.
///
/// # Errors
/// If a step fails; the ends of the functions' logs are printed before.
pub fn run_rebuild(profile: &str) -> Result<i32> {
    with_accounts(profile, |scenario, reporter, package| {
        scenario.deploy(reporter, package)?;
        scenario.rebuild(reporter, package).map(|_| ())
    })
}

/// Runs `steps` with two accounts that have nothing.
fn with_accounts(
    profile: &str,
    steps: impl FnOnce(&Scenario<'_>, &mut Reporter, &Package) -> Result<()>,
) -> Result<i32> {
    println!(
        "Lifeboat on a local AWS: two accounts, the real Lambda functions, and real API servers behind EKS.\n\
         S3, KMS, IAM, Lambda, CloudFormation and EventBridge are emulated on this machine."
    );
    let mut reporter = Reporter::default();
    reporter.step("package", "Build both functions");
    let package = package(profile)?;
    reporter.say(&package.output);
    reporter.step("start", "Create two AWS accounts");
    let aws = LocalAws::start(&LocalAwsOptions {
        controllers: false,
        access_cache: ACCESS_CACHE,
    })?;
    let scenario = Scenario::begin(&aws)?;
    for ((account, region), side) in [(PRIMARY, "primary"), (RECOVERY, "recovery and control")] {
        reporter.say(&format!("{account} in {region}: {side}"));
    }
    let ended = steps(&scenario, &mut reporter, &package);
    if ended.is_err() {
        last_words(&aws);
    }
    ended?;
    reporter.step("end", "Delete both accounts");
    drop(scenario);
    drop(aws);
    let timings = reporter.end();
    println!();
    for (name, seconds) in timings {
        println!("{name:>10} {seconds:6.1} s");
    }
    println!("\nDone in {:.0} seconds.", reporter.seconds());
    Ok(0)
}

/// Prints the ends of the functions' logs and the custom resources that failed, because the local
/// CloudFormation discards those.
fn last_words(aws: &LocalAws) {
    for log in aws.function_logs() {
        let lines: Vec<&str> = log.text.lines().collect();
        eprintln!("\nthe end of the log of {}:", log.function);
        for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
            eprintln!("    {line}");
        }
    }
    for asked in aws.custom_resources() {
        let answer = asked.answer.unwrap_or(Value::Null);
        if answer["Status"] != "SUCCESS" {
            eprintln!("\na custom resource failed: {answer}");
        }
    }
}

/// Both accounts and the clients of their administrators.
pub struct Scenario<'a> {
    /// The local AWS that has the accounts.
    pub aws: &'a LocalAws,
    /// The client of the administrator of the primary account.
    pub primary: Client,
    /// The client of the administrator of the recovery account.
    pub recovery: Client,
    coordinator: CoordinatorCommands,
    folder: PathBuf,
}

impl<'a> Scenario<'a> {
    fn begin(aws: &'a LocalAws) -> Result<Self> {
        let folder = aws.dir().join("demo");
        std::fs::create_dir_all(&folder)?;
        let (keys, other_keys) = (aws.create_account(PRIMARY.0)?, aws.create_account(RECOVERY.0)?);
        let profiles = [
            ("primary", PRIMARY.1, &keys),
            ("recovery", RECOVERY.1, &other_keys),
        ];
        let program = Program::new(aws, folder.clone(), &profiles)?;
        let primary = Client::new(aws, keys, PRIMARY.1, folder.clone())?;
        let recovery = Client::new(aws, other_keys, RECOVERY.1, folder.clone())?;
        Ok(Self {
            aws,
            coordinator: CoordinatorCommands::new(primary.clone(), recovery.clone(), program),
            folder,
            primary,
            recovery,
        })
    }

    fn play(&self, reporter: &mut Reporter, package: &Package) -> Result<()> {
        self.create(&self.primary, PRIMARY.0, SOURCE)?;
        self.create(&self.recovery, RECOVERY.0, TARGET)?;
        reporter.say(&format!(
            "the EKS clusters {SOURCE} and {TARGET} are being created"
        ));
        self.deploy(reporter, package)?;

        reporter.step("clusters", "Create the clusters and the application");
        let source = self.active(&self.primary, PRIMARY.0, SOURCE)?;
        source.apply(OBJECTS)?;
        let target = self.active(&self.recovery, RECOVERY.0, TARGET)?;
        reporter.say(&format!("an application runs in {SOURCE}; {TARGET} is empty"));

        reporter.step("application", "Deploy the application on both sides");
        self.third(reporter, package)?;

        reporter.step(
            "issues",
            "Fix the issues of the access check with the commands they print",
        );
        self.resolve_issues(reporter)?;

        reporter.step("backup", "Wait for the first scheduled recovery point");
        let good = self.coordinator.last_good(reporter)?;
        reporter.say(&format!("{} is in the vault", text(&good["point"])));
        self.coordinator
            .show(reporter, "application points shop --profile recovery", 0)?;

        reporter.step("restore", "Restore");
        let line = "application restore shop latest --wait --token tour --profile recovery";
        self.coordinator.show(reporter, line, 0)?;
        reporter.say("the same request with the AWS CLI: the same token does not start a second restore");
        let request = json!({"restore": {"application": "shop", "point": "latest", "token": "tour"}});
        let accepted = self.coordinator.invoke(reporter, &request)?;
        ensure!(accepted["accepted"]["repeated"] == true, "{accepted}");
        self.coordinator
            .show(reporter, "status shop --profile recovery", 0)?;

        reporter.step("look", "Check the application in the recovery account");
        reporter.command(&format!("kubectl {}", LOOK.join(" ")));
        let found = target.kubectl_output(LOOK)?;
        ensure!(found.lines().count() == WANTED, "objects are missing: {found}");
        for name in found.lines() {
            reporter.say(name);
        }
        let value = [
            "get",
            "configmap/prices",
            "--namespace=orders",
            "--output=jsonpath={.data.tea}",
        ];
        let (before, after) = (source.kubectl_output(&value)?, target.kubectl_output(&value)?);
        ensure!(
            before == "4.20" && before == after,
            "{before} differs from {after}"
        );
        // The value of the Secret contains this text. It must not appear in any log.
        let logs = self.aws.function_logs();
        let told_by = logs.iter().find(|log| log.text.contains(CANARY));
        ensure!(
            told_by.is_none() && !logs.is_empty(),
            "a function wrote the value of a Secret to its log"
        );
        reporter.say("no function wrote the value of the Secret to its log");
        Ok(())
    }

    /// Deletes the delegate and the bucket of the primary account, and restores what was deleted in the target.
    fn lose_primary(&self, reporter: &mut Reporter) -> Result<()> {
        reporter.step(
            "outage",
            "Lose the primary: its function and its bucket are deleted",
        );
        let bucket = format!("lifeboat-scratch-{}-{}", PRIMARY.0, PRIMARY.1);
        for line in [
            "lambda delete-function --function-name lifeboat-shop-primary".to_owned(),
            format!("s3api delete-bucket-policy --bucket {bucket}"),
            format!("s3 rb --force s3://{bucket}"),
        ] {
            reporter.command(&format!("aws {line}"));
            self.primary.text(&line.split(' ').collect::<Vec<_>>())?;
        }
        let target = self.active(&self.recovery, RECOVERY.0, TARGET)?;
        let delete = [&["delete", "--namespace=orders"], DELETED].concat();
        reporter.command(&format!("kubectl {}", delete.join(" ")));
        target.kubectl_output(&delete)?;
        // Exit code 11: the issue says that the primary does not answer.
        self.coordinator
            .show(reporter, "status shop --profile recovery", 11)?;
        let line = "application restore shop latest --wait --token bad-day --profile recovery";
        self.coordinator.show(reporter, line, 0)?;
        let found = target.kubectl_output(LOOK)?;
        ensure!(found.lines().count() == WANTED, "objects are missing: {found}");
        reporter.say("everything is back, without the primary");
        Ok(())
    }

    /// Creates an EKS cluster whose creator is its administrator, without waiting for it.
    fn create(&self, client: &Client, account: &str, name: &str) -> Result<()> {
        let role = format!("arn:aws:iam::{account}:role/eks");
        let arguments = [
            "eks",
            "create-cluster",
            "--name",
            name,
            "--role-arn",
            &role,
            "--resources-vpc-config",
            "subnetIds=subnet-1,subnet-2",
            "--access-config",
            "authenticationMode=API_AND_CONFIG_MAP,bootstrapClusterCreatorAdminPermissions=true",
        ];
        client.json(&arguments).map(|_| ())
    }

    /// Waits for a cluster and returns its control plane.
    fn active(&self, client: &Client, account: &str, name: &str) -> Result<Arc<Cluster>> {
        until(CLUSTERS_WITHIN, || {
            let described = client.json(&["eks", "describe-cluster", "--name", name])?;
            let status = text(&described["cluster"]["status"]).to_owned();
            ensure!(status != "FAILED", "the cluster {name} failed: {described}");
            Ok((status == "ACTIVE").then_some(()))
        })
        .with_context(|| format!("wait for the cluster {name}"))?;
        self.aws
            .cluster(account, name)
            .with_context(|| format!("{name} has no control plane"))
    }

    /// Runs the first two of the three commands that lead to the first recovery point.
    fn deploy(&self, reporter: &mut Reporter, package: &Package) -> Result<()> {
        reporter.step("recovery", "Deploy to the recovery account");
        let zips = zips(package);
        // A wrong account is detected before anything is created.
        let line = format!(
            "deploy recovery --profile primary --account {} {zips}",
            RECOVERY.0
        );
        let refused = self.coordinator.show(reporter, &line, 12)?;
        ensure!(refused.err.contains("LB-1002"), "{}", refused.err);
        reporter.say("refused: the profile belongs to another account");
        let said =
            self.coordinator
                .show(reporter, &format!("deploy recovery --profile recovery {zips}"), 0)?;

        reporter.step(
            "primary",
            "Deploy to the primary account, with the command printed by the first one",
        );
        let next = said
            .out
            .lines()
            .find_map(|line| line.trim().strip_prefix("lifeboat "));
        let next = next.context("the output has no next command")?;
        let next = next
            .replace("PRIMARY_PROFILE", "primary")
            .replace("PRIMARY_REGION", PRIMARY.1);
        self.coordinator.show(reporter, &next, 0)?;
        let key = self.public_key()?;
        let file = self
            .folder
            .join(format!("recovery-{}-{}.pub.pem", RECOVERY.0, RECOVERY.1));
        let pem = std::fs::read_to_string(&file).context("read the public half of the recovery key")?;
        let in_pem: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        ensure!(
            in_pem == key,
            "the file and the command of the stack have different keys"
        );
        Ok(())
    }

    /// Runs the third command, which deploys the delegates and writes the application's document.
    /// Then updates one stack with the AWS client alone.
    fn third(&self, reporter: &Reporter, package: &Package) -> Result<()> {
        self.write("shop.yaml", "1h")?;
        let line = format!(
            "deploy application shop.yaml --primary-profile primary --recovery-profile recovery {}",
            zips(package)
        );
        self.coordinator.show(reporter, &line, 0)?;
        // The other parameters keep the values that the program set.
        let stack = "lifeboat-application-shop";
        reporter.command(&format!(
            "aws cloudformation deploy --stack-name {stack} --parameter-overrides LogDays=30"
        ));
        deploy(&self.primary, stack, "application", &["LogDays=30".to_owned()])?;
        reporter.say("the logs of the delegate are kept for 30 days");
        Ok(())
    }

    /// Writes the application's document to a file.
    fn write(&self, file: &str, every: &str) -> Result<()> {
        let text = serde_json::to_string_pretty(&document(every))?;
        std::fs::write(self.folder.join(file), text)?;
        Ok(())
    }

    /// Runs the command in the output `PublicKeyCommand` of the stack `recovery-access` and returns
    /// what it prints.
    fn public_key(&self) -> Result<String> {
        let arguments = [
            "cloudformation",
            "describe-stacks",
            "--stack-name",
            "lifeboat-recovery-access",
            "--query",
            "Stacks[0].Outputs[?OutputKey=='PublicKeyCommand'].OutputValue",
            "--output",
            "text",
        ];
        let command = self.recovery.text(&arguments)?;
        Ok(self.recovery.shell(command.trim())?.trim().to_owned())
    }

    /// Waits for the issues of both clusters, runs their commands, and waits until the issues are closed.
    fn resolve_issues(&self, reporter: &Reporter) -> Result<()> {
        let issues = self.coordinator.issues_with_commands(reporter, 2)?;
        for issue in &issues {
            let command = text(&issue["command"]);
            reporter.say(&format!("{} {}", text(&issue["code"]), text(&issue["message"])));
            reporter.command(command);
            let client = if command.contains(SOURCE) {
                &self.primary
            } else {
                &self.recovery
            };
            client.shell(command)?;
        }
        reporter.say(
            "store the application again to check access at once; otherwise the next check takes up to five minutes",
        );
        self.write("shop.yaml", "30m")?;
        self.coordinator
            .show(reporter, "application put shop.yaml --profile recovery", 0)?;
        self.coordinator.closed(reporter, &issues)
    }
}

/// Returns the arguments of `lifeboat deploy` for the functions' zip files.
fn zips(package: &Package) -> String {
    format!(
        "--package {} --architecture {}",
        package.folder.display(),
        architecture()
    )
}

/// Returns the document of an application with a schedule.
fn document(every: &str) -> Value {
    json!({
        "format": 1,
        "name": "shop",
        "primary": {"account": PRIMARY.0, "region": PRIMARY.1},
        "recovery": {"account": RECOVERY.0, "region": RECOVERY.1},
        "clusters": [{"name": "orders", "cluster": SOURCE, "restoreInto": TARGET}],
        "schedule": {"every": every},
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
