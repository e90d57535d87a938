//! The network of a private delegate, broken in each way: the cause is named, and the command that is printed repairs it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::client::Client;
use super::coordinator::CoordinatorCommands;
use super::text;
use crate::environment::Reporter;

/// What a network consists of.
struct Network {
    vpc: String,
    group: String,
    acl: String,
    endpoint: String,
    route_table: String,
}

/// A breakage: the code of its cause, and the codes that may come with it.
struct Breakage {
    command: String,
    code: &'static str,
    with: &'static [&'static str],
}

impl Network {
    /// Reads the network of a cluster, whose VPC has one endpoint.
    fn of(client: &Client, cluster: &str) -> Result<Self> {
        let described = client.json(&["eks", "describe-cluster", "--name", cluster])?;
        let config = &described["cluster"]["resourcesVpcConfig"];
        let vpc = text(&config["vpcId"]).to_owned();
        let filter = format!("Name=vpc-id,Values={vpc}");
        let read = |command: &str| client.json(&["ec2", command, "--filters", &filter]);
        let endpoint = read("describe-vpc-endpoints")?["VpcEndpoints"][0].clone();
        let acl = read("describe-network-acls")?["NetworkAcls"][0].clone();
        let found = |value: &Value| value.as_str().map(str::to_owned).context("an id");
        Ok(Self {
            group: found(&config["clusterSecurityGroupId"])?,
            acl: found(&acl["NetworkAclId"])?,
            endpoint: found(&endpoint["VpcEndpointId"])?,
            route_table: found(&endpoint["RouteTableIds"][0])?,
            vpc,
        })
    }

    fn breakages(&self) -> Vec<Breakage> {
        let Self {
            vpc,
            group,
            acl,
            endpoint,
            route_table,
        } = self;
        let breakage = |code, with, command| Breakage { command, code, with };
        vec![
            breakage(
                "LB-0831",
                &[],
                format!("aws ec2 modify-vpc-attribute --vpc-id {vpc} --no-enable-dns-support"),
            ),
            breakage(
                "LB-0830",
                &[],
                format!(
                    "aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint} --remove-route-table-ids {route_table}"
                ),
            ),
            // The API server is reached by the same rule.
            breakage(
                "LB-0832",
                &["LB-0842"],
                format!(
                    "aws ec2 revoke-security-group-egress --group-id {group} --ip-permissions 'IpProtocol=-1,IpRanges=[{{CidrIp=0.0.0.0/0}}]'"
                ),
            ),
            // So are its interfaces in other subnets.
            breakage(
                "LB-0832",
                &["LB-0842"],
                format!(
                    "aws ec2 create-network-acl-entry --network-acl-id {acl} --egress --rule-number 50 --protocol tcp --port-range From=443,To=443 --cidr-block 0.0.0.0/0 --rule-action deny"
                ),
            ),
            breakage(
                "LB-0842",
                &[],
                format!(
                    "aws ec2 revoke-security-group-ingress --group-id {group} --ip-permissions 'IpProtocol=-1,UserIdGroupPairs=[{{GroupId={group}}}]'"
                ),
            ),
            breakage(
                "LB-0833",
                &[],
                format!(
                    "aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint} --policy-document '{{\"Statement\":[]}}'"
                ),
            ),
        ]
    }
}

/// Breaks the network of a private delegate in each way. `deploy` is the command that deploys it, and says what its network
/// lacks.
///
/// # Errors
/// If a cause is not named, or another one is, or the printed command does not repair it.
pub(super) fn break_and_repair(
    reporter: &Reporter,
    coordinator: &CoordinatorCommands,
    client: &Client,
    cluster: &str,
    deploy: &str,
) -> Result<()> {
    let look = || -> Result<String> { Ok(coordinator.show(reporter, deploy, 0)?.out) };
    for breakage in Network::of(client, cluster)?.breakages() {
        reporter.command(&breakage.command);
        client.shell(&breakage.command)?;
        let said = look()?;
        let named = codes(&said);
        let others = named.iter().filter(|code| **code != breakage.code);
        ensure!(
            named.contains(breakage.code) && others.clone().all(|code| breakage.with.contains(code)),
            "{} is {}, and not {named:?}: {said}",
            breakage.command,
            breakage.code
        );
        let repairs: Vec<&str> = said
            .split('`')
            .filter(|text| text.starts_with("aws ec2 "))
            .collect();
        ensure!(!repairs.is_empty(), "no command is printed: {said}");
        for repair in repairs {
            reporter.command(repair);
            client.shell(repair)?;
        }
    }
    let said = look()?;
    ensure!(
        codes(&said).is_empty(),
        "the commands have not repaired it: {said}"
    );
    Ok(())
}

/// Returns the codes of a text that are about networks of private delegates.
fn codes(said: &str) -> BTreeSet<&str> {
    let found = said
        .match_indices("LB-08")
        .filter_map(|(at, _)| said.get(at..at + 7));
    found
        .filter(|code| ("LB-0830"..="LB-0842").contains(code))
        .collect()
}
