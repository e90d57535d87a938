//! A guided tour on AWS: two accounts, their stacks, an issue and the command that mends it, the first recovery
//! point by the schedule, a restore on demand.
//!
//! Everything is asked as a user asks it, by the official client; only the objects in the clusters are put and
//! looked at by their administrator.

pub mod client;
mod deploy;
mod office;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lifeboat_local::{CANARY, Cluster, LocalAws, LocalAwsOptions};
use serde_json::{Value, json};

use crate::stage::Narrator;
use client::Client;
use deploy::{Package, architecture, deploy, package, upload};
use office::{Office, until};

/// The account and Region of the clusters that are protected.
const PRIMARY: (&str, &str) = ("111111111111", "eu-west-1");

/// The account and Region in which they are recovered; the control stack is there, too.
const RECOVERY: (&str, &str) = ("222222222222", "eu-central-1");

/// The cluster that is protected, and the one that is restored into.
const SOURCE: &str = "orders-prod";
const TARGET: &str = "orders-dr";

/// What is in the source, and must be in the target at the end.
const OBJECTS: &str = include_str!("aws/objects.yaml");

/// What is looked for in the target.
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

/// How many objects that names.
const WANTED: usize = 5;

/// A control plane starts in seconds; two that share a machine with a compiler need longer.
const CLUSTERS_WITHIN: Duration = Duration::from_secs(240);

/// How many lines of each function's log are shown where the tour fails.
const LOG_LINES: usize = 30;

/// Tells the story with functions that are packaged so: `release`, `dev`, or `built` (see `infra/package`).
///
/// # Errors
/// If a step fails; the functions' last words are printed before.
pub fn tell(profile: &str) -> Result<i32> {
    tell_and(profile, |_, _| Ok(()))
}

/// Tells the story and goes on with what stands at its end.
///
/// # Errors
/// If a step fails, or what follows; the functions' last words are printed before.
pub fn tell_and(
    profile: &str,
    more: impl FnOnce(&Story<'_>, &mut Narrator) -> Result<()>,
) -> Result<i32> {
    println!(
        "Lifeboat on AWS: two accounts, real functions, real API servers behind EKS. Local are only the clouds:\n\
         S3, KMS, IAM, Lambda, CloudFormation and EventBridge are played on this machine."
    );
    let mut told = Narrator::default();
    told.step("package", "Both functions as zips");
    let package = package(profile)?;
    told.say(&package.told);
    told.step("start", "Two AWS accounts");
    let aws = LocalAws::start(&LocalAwsOptions { controllers: false })?;
    let story = Story::begin(&aws)?;
    let ended = story
        .tell(&mut told, &package)
        .and_then(|()| more(&story, &mut told));
    if ended.is_err() {
        last_words(&aws);
    }
    ended?;
    told.step("end", "The end of both accounts");
    drop(story);
    drop(aws);
    let timings = told.end();
    println!();
    for (name, seconds) in timings {
        println!("{name:>10} {seconds:6.1} s");
    }
    println!("\nDone in {:.0} seconds.", told.seconds());
    Ok(0)
}

/// What the functions wrote last, and custom resources that failed: CloudFormation of this machine forgets those.
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

/// Both accounts and who administrates them.
pub struct Story<'a> {
    /// Where they are.
    pub aws: &'a LocalAws,
    /// The administrator of the account that is protected.
    pub primary: Client,
    /// The administrator of the account that it is recovered in.
    pub recovery: Client,
    office: Office,
}

impl<'a> Story<'a> {
    fn begin(aws: &'a LocalAws) -> Result<Self> {
        let folder = aws.dir().join("demo");
        std::fs::create_dir_all(&folder)?;
        let client = |(account, region): (&str, &str), folder: &Path| -> Result<Client> {
            Client::new(aws, aws.create_account(account)?, region, folder.to_owned())
        };
        let primary = client(PRIMARY, &folder)?;
        let recovery = client(RECOVERY, &folder)?;
        Ok(Self {
            aws,
            office: Office::new(primary.clone(), recovery.clone()),
            primary,
            recovery,
        })
    }

    fn tell(&self, told: &mut Narrator, package: &Package) -> Result<()> {
        for ((account, region), side) in [(PRIMARY, "primary"), (RECOVERY, "recovery and control")] {
            told.say(&format!("{account} in {region}: {side}"));
        }
        self.create(&self.primary, PRIMARY.0, SOURCE)?;
        self.create(&self.recovery, RECOVERY.0, TARGET)?;
        told.say(&format!(
            "the EKS clusters {SOURCE} and {TARGET} are being created"
        ));
        self.deploy(told, package)?;

        told.step("clusters", "Something to protect");
        let source = self.active(&self.primary, PRIMARY.0, SOURCE)?;
        source.apply(OBJECTS)?;
        let target = self.active(&self.recovery, RECOVERY.0, TARGET)?;
        told.say(&format!("an application runs in {SOURCE}; {TARGET} is empty"));

        told.step("put", "The application's document");
        self.office.put(told, &document("1h"))?;

        told.step(
            "issues",
            "What the access check finds, and the commands that mend it",
        );
        self.mend(told)?;

        told.step("backup", "The first recovery point, by the schedule");
        let good = self.office.last_good(told)?;
        told.say(&format!(
            "{} with {} objects in {} bytes is in the vault",
            text(&good["point"]),
            good["objects"],
            good["bytes"]
        ));
        let points = self
            .office
            .ask(told, &json!({"points": {"application": "shop"}}))?;
        for point in list(&points["points"]["points"]) {
            told.say(&format!(
                "{} complete: {}, kept as {}",
                text(&point["point"]),
                point["complete"],
                point["keptBy"]
            ));
        }

        told.step("restore", "A restore on demand");
        let wish = json!({"restore": {"application": "shop", "point": "latest"}});
        let accepted = self.office.ask(told, &wish)?;
        let token = text(&accepted["accepted"]["token"]).to_owned();
        let restore = self.office.restored(told, &token)?;
        told.say(&format!(
            "{} of {} into {}: {}",
            text(&restore["cluster"]),
            text(&restore["point"]),
            text(&restore["into"]),
            text(&restore["state"])
        ));
        ensure!(restore["state"] == "done", "the restore ended so: {restore}");

        told.step("look", "The application in the other account");
        told.command(&format!("kubectl {}", LOOK.join(" ")));
        let found = target.kubectl_output(LOOK)?;
        ensure!(
            found.lines().count() == WANTED,
            "not everything is there: {found}"
        );
        for name in found.lines() {
            told.say(name);
        }
        let value = [
            "get",
            "configmap/prices",
            "--namespace=orders",
            "--output=jsonpath={.data.tea}",
        ];
        let (before, after) = (source.kubectl_output(&value)?, target.kubectl_output(&value)?);
        ensure!(before == "4.20" && before == after, "{before} is not {after}");
        // The value of the Secret begins so. It went from one cluster to the other, and nowhere else.
        let logs = self.aws.function_logs();
        let told_by = logs.iter().find(|log| log.text.contains(CANARY));
        ensure!(
            told_by.is_none() && !logs.is_empty(),
            "a function has written the value of a Secret into its log"
        );
        told.say("no function has written the value of the Secret into its log");
        Ok(())
    }

    /// Begins an EKS cluster whose creator is its administrator.
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

    /// Waits for a cluster and gives its control plane.
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

    fn deploy(&self, told: &mut Narrator, package: &Package) -> Result<()> {
        told.step("upload", "The zips in a bucket of each account");
        let delegate = ("delegate.zip", package.delegate.as_path());
        let coordinator = ("coordinator.zip", package.coordinator.as_path());
        let primary_code = upload(&self.primary, PRIMARY.0, &[delegate])?;
        let recovery_code = upload(&self.recovery, RECOVERY.0, &[delegate, coordinator])?;
        told.say(&format!("{primary_code}, {recovery_code}"));

        told.step("deploy", "The stacks, by `aws cloudformation deploy`");
        let (control_account, control_region) = RECOVERY;
        let control = [
            format!("ControlAccount={control_account}"),
            format!("ControlRegion={control_region}"),
        ];
        let architecture = format!("Architecture={}", architecture());
        let recovery = |told: &Narrator, stack: &str, template: &str, parameters: &[String]| {
            deploy(&self.recovery, stack, template, parameters)?;
            told.say(&format!("{stack} in {control_account}"));
            anyhow::Ok(())
        };
        let primary = |told: &Narrator, stack: &str, template: &str, parameters: &[String]| {
            deploy(&self.primary, stack, template, parameters)?;
            told.say(&format!("{stack} in {}", PRIMARY.0));
            anyhow::Ok(())
        };
        recovery(
            told,
            "lifeboat-control",
            "control",
            &[
                format!("CodeBucket={recovery_code}"),
                "CoordinatorKey=coordinator.zip".to_owned(),
                architecture.clone(),
                format!("Accounts={},{control_account}", PRIMARY.0),
            ],
        )?;
        recovery(told, "lifeboat-recovery-access", "recovery-access", &control)?;
        let mut access = control.to_vec();
        access.push(format!("RecoveryPublicKey={}", self.public_key()?));
        primary(told, "lifeboat-primary-access", "primary-access", &access)?;
        let application = |side: &str, bucket: &str| {
            vec![
                "Application=shop".to_owned(),
                format!("Side={side}"),
                format!("CodeBucket={bucket}"),
                "DelegateKey=delegate.zip".to_owned(),
                architecture.clone(),
            ]
        };
        let (stack, template) = ("lifeboat-application-shop", "application");
        primary(told, stack, template, &application("primary", &primary_code))?;
        recovery(told, stack, template, &application("recovery", &recovery_code))
    }

    /// What the output `PublicKeyCommand` of the stack `recovery-access` prints when it is run.
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

    /// Waits for the issues of both clusters, runs their commands, and sees the issues close.
    fn mend(&self, told: &Narrator) -> Result<()> {
        let issues = self.office.issues_with_commands(told, 2)?;
        for issue in &issues {
            let command = text(&issue["command"]);
            told.say(&format!("{} {}", text(&issue["code"]), text(&issue["message"])));
            told.command(command);
            let client = if command.contains(SOURCE) {
                &self.primary
            } else {
                &self.recovery
            };
            client.shell(command)?;
        }
        told.say(
            "an application that changes is looked at once more; by itself that takes up to five minutes",
        );
        self.office.put(told, &document("30m"))?;
        self.office.closed(told, &issues)
    }
}

/// The application with a schedule.
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
