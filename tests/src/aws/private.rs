//! Clusters without a public endpoint: one is backed up, and one is restored into, each by a delegate in its VPC.

use anyhow::{Context as _, Result, ensure};
use lifeboat_local::{Decision, has_network_namespaces, skip};
use serde_json::Value;

use super::client::Client;
use super::coordinator::CoordinatorCommands;
use super::deploy::Package;
use super::networks::break_and_repair;
use super::rebuild::Stand;
use super::{PRIMARY, RECOVERY, Scenario, text, zips};
use crate::environment::Reporter;

/// The cluster of the primary, whose delegate the public one deploys, and the jobs of its delegate in the scratch bucket.
const SOURCE: &str = "jobs-prod";
const JOBS: &str = "jobs/web.jobs-prod/";

/// The cluster that is restored into, whose delegate a command deploys.
const TARGET: &str = "jobs-private";

impl Scenario<'_> {
    /// Closes the public endpoint of a cluster of the application, backs it up, and restores it into a cluster that never had
    /// a public endpoint.
    ///
    /// # Errors
    /// If a step fails, or a private delegate needs more than the API server and S3.
    pub(super) fn private_clusters(
        &self,
        reporter: &mut Reporter,
        coordinator: &CoordinatorCommands,
        package: &Package,
    ) -> Result<()> {
        if !has_network_namespaces() {
            skip("private clusters", "this machine allows no network namespaces");
            return Ok(());
        }
        reporter.step(
            "private",
            "Close the public endpoint of a cluster, and back it up from its VPC",
        );
        self.create_private()?;
        let line = format!(
            "eks update-cluster-config --name {SOURCE} \
             --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true"
        );
        reporter.command(&format!("aws {line}"));
        self.primary.text(&line.split_whitespace().collect::<Vec<_>>())?;
        coordinator.show(reporter, "application backup web --profile recovery", 0)?;
        let scratch = format!("lifeboat-scratch-{}-{}", PRIMARY.0, PRIMARY.1);
        // The cluster has public subnets, which are no way to S3 for a function: the public delegate asks the private one.
        let issue = issue_with(reporter, coordinator, "LB-0830")?;
        lead_to_s3(reporter, &self.primary, text(&issue["command"]))?;
        coordinator.registered(reporter, &scratch, &format!("web.{SOURCE}"))?;
        self.used_the_service_role()?;
        reporter
            .say("the public delegate has deployed a delegate into its VPC, and said what its network lacks");
        coordinator.closed(reporter, &[issue])?;
        coordinator.show(reporter, "application backup web --wait --profile recovery", 0)?;
        let bucket = format!("s3://{scratch}/{JOBS}");
        let line = format!("s3 ls --recursive {bucket}");
        reporter.command(&format!("aws {line}"));
        let listed = self.primary.text(&line.split(' ').collect::<Vec<_>>())?;
        let is_capture = |line: &&str| line.contains("-capture-") && line.ends_with("/result.json");
        ensure!(
            listed.lines().any(|line| is_capture(&line)),
            "the private delegate captured nothing: {listed}"
        );

        reporter.step(
            "private-restore",
            "Restore into a cluster without a public endpoint",
        );
        let target = self.active(&self.recovery, RECOVERY.0, TARGET)?;
        let line = format!(
            "deploy application web.yaml --side recovery --recovery-profile recovery --private-delegates false {}",
            zips(package)
        );
        coordinator.show(reporter, &line, 0)?;
        let line = format!(
            "application restore web latest --cluster jobs --into {TARGET} -n jobs --token private --profile recovery"
        );
        coordinator.show(reporter, &line, 0)?;
        let issue = issue_with(reporter, coordinator, "LB-0812")?;
        let said = coordinator
            .show(reporter, &deployment(&issue, "recovery", package)?, 0)?
            .out;
        ensure!(said.contains("LB-0830"), "the network is not checked: {said}");
        let mut quoted = said.split('`');
        let command = quoted.find(|text| text.starts_with("aws ec2 create-vpc-endpoint "));
        let command = command.with_context(|| format!("no command is printed: {said}"))?;
        lead_to_s3(reporter, &self.recovery, command)?;
        reporter.say("the restore has waited for the delegate, and goes on");
        coordinator.show(reporter, &format!("{line} --wait"), 0)?;
        let look = ["get", "serviceaccount/mail", "--namespace=jobs", "--output=name"];
        let found = target.kubectl_output(&look)?;
        ensure!(found.trim() == "serviceaccount/mail", "{found}");

        reporter.step(
            "private-network",
            "Break the network of a private delegate in each way, and repair it",
        );
        let deploy = deployment(&issue, "recovery", package)?;
        break_and_repair(reporter, coordinator, &self.recovery, TARGET, &deploy)?;
        // The functions run in networks in which only the API server and S3 answer.
        let without_route = self.aws.requests_without_route();
        ensure!(
            without_route.is_empty(),
            "a private delegate needs more than S3: {without_route:?}"
        );
        reporter.say("the private delegates asked the API servers and S3, and nothing else");
        Ok(())
    }

    /// Checks that the public delegate changed the stack of the private one with the service role.
    fn used_the_service_role(&self) -> Result<()> {
        let delegate = format!("/LifeboatPrimaryK8sDel-web-{}/", PRIMARY.1);
        let role = format!(":role/LifeboatPrimaryStacks-web-{}", PRIMARY.1);
        let audit = self.aws.audit();
        let of_delegate = audit.iter().filter(|entry| entry.principal.contains(&delegate));
        let mut passed = of_delegate.filter(|entry| entry.action == "iam:PassRole");
        ensure!(
            passed.any(|entry| entry.resource.ends_with(&role) && entry.decision == Decision::Allowed),
            "the delegate has not passed {role}"
        );
        Ok(())
    }

    /// Creates the cluster that is restored into, without waiting for it.
    fn create_private(&self) -> Result<()> {
        let stand = Stand(&self.recovery);
        let vpc = stand.vpc("10.50", "app=private")?;
        let subnets = stand.subnets(&vpc, &stand.table(&vpc)?, "10.50", 0)?.join(",");
        let role = format!("arn:aws:iam::{}:role/eks", RECOVERY.0);
        let line = format!(
            "eks create-cluster --name {TARGET} --role-arn {role} \
             --resources-vpc-config subnetIds={subnets},endpointPublicAccess=false,endpointPrivateAccess=true \
             --access-config authenticationMode=API,bootstrapClusterCreatorAdminPermissions=true"
        );
        let arguments: Vec<&str> = line.split_whitespace().collect();
        self.recovery.json(&arguments).map(|_| ())
    }
}

/// Waits for an issue with this code, and shows it.
fn issue_with(reporter: &Reporter, coordinator: &CoordinatorCommands, code: &str) -> Result<Value> {
    let issue = coordinator.issue_with_command(reporter, code)?;
    reporter.say(&format!("{} {}", text(&issue["code"]), text(&issue["message"])));
    Ok(issue)
}

/// Returns the command of the issue, with the programs of this repository.
fn deployment(issue: &Value, profile: &str, package: &Package) -> Result<String> {
    let command = text(&issue["command"]).strip_prefix("lifeboat ");
    let command = command.context("the issue has another command")?;
    Ok(format!("{command} --profile {profile} {}", zips(package)))
}

/// Runs the command that the check of the network gave: the VPC leads nowhere until then, so that what follows proves that it
/// is the right one.
fn lead_to_s3(reporter: &Reporter, client: &Client, command: &str) -> Result<()> {
    ensure!(
        command.starts_with("aws ec2 create-vpc-endpoint "),
        "another command is given: {command}"
    );
    reporter.command(command);
    client.shell(command).map(|_| ())
}
