//! Turns the responses of EKS and of the API server into findings.

use lifeboat_apiserver::connect::AddressError;
use lifeboat_aws::ClusterAddress;
use lifeboat_aws::eks::{ClusterKind, Endpoint};
use lifeboat_jobs::AccessFinding;
use lifeboat_model::{Arn, Code, Diagnostic as _, ErrorKind, Problem, Side};

use crate::clusters::Unreachable;
use crate::commands;

/// The oldest supported minor version of Kubernetes 1. It is the first one with all features in use:
/// aggregated discovery (default since 1.27) and `SelfSubjectReview` v1 (since 1.28). EKS has upgraded older
/// clusters (<https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html>).
const OLDEST_MINOR: u32 = 28;

/// The identity and the target of a connection.
pub(super) struct AccessQuery<'a> {
    pub(super) cluster: &'a Arn,
    pub(super) role: &'a Arn,
    pub(super) side: Side,
}

/// Returns the endpoint, if type and state of the cluster are supported.
pub(super) fn usable(address: &ClusterAddress) -> Result<&Endpoint, Unreachable> {
    let name = &address.name;
    match address.kind {
        ClusterKind::Eks => {}
        ClusterKind::Outpost => {
            return Err(missing(
                Code::UnsupportedCluster,
                format!(
                    "{name} is a local cluster on an Outpost, whose API server is reachable only from the Outpost"
                ),
                "remove the cluster from the application, or move it to the Region",
            ));
        }
        ClusterKind::Connected => {
            return Err(missing(
                Code::ExternalCluster,
                format!("{name} is an external cluster registered with EKS Connector"),
                "remove the cluster from the application, and back it up by `lifeboat backup` with a kubeconfig",
            ));
        }
    }
    if let Some(version) = address.version.as_deref().filter(|version| is_too_old(version)) {
        return Err(missing(
            Code::UnsupportedVersion,
            format!("{name} runs Kubernetes {version}; the oldest supported version is 1.{OLDEST_MINOR}"),
            "upgrade the cluster with `aws eks update-cluster-version`, one minor version at a time",
        ));
    }
    if !address.status.is_up() {
        return Err(not_yet(
            format!("{name} is {:?}", address.status),
            "wait until the cluster is ACTIVE; if it does not change, check the cluster's health in the EKS console",
        ));
    }
    if !address.endpoint_public {
        let problem = Problem::new(
            Code::EndpointPrivate,
            format!("{name} has no public endpoint, and the delegate does not run in its VPC"),
            "run the command to open the public endpoint (the cluster still authenticates every request), or remove the cluster from the application",
        );
        let finding = AccessFinding::new(problem).with_command(commands::open(&address.arn));
        return Err(Unreachable::unavailable(finding));
    }
    (address.endpoint.as_ref()).ok_or_else(|| {
        not_yet(
            format!("{name} has no endpoint yet"),
            "wait until EKS has created it",
        )
    })
}

/// Returns the findings for a refused connection, with the command that fixes it.
pub(super) fn refused(
    asked: &AccessQuery<'_>,
    address: &ClusterAddress,
    error: &AddressError,
) -> Unreachable {
    let problem = error.problem();
    let name = &address.name;
    match problem.code {
        // EKS reports ACTIVE before an access entry takes effect, so a retry may succeed.
        Code::Unauthenticated => {
            let guidance = match asked.side {
                Side::Primary => "run the command; it takes effect within a minute",
                Side::Recovery => {
                    "run the command; a restore writes objects of every type, so it needs cluster-admin"
                }
            };
            let problem = Problem::new(
                Code::NoAccessEntry,
                format!("{name} has no access entry for the role {}", asked.role),
                guidance,
            );
            Unreachable::unavailable(commands::grant_entry(
                problem,
                address,
                asked.cluster,
                asked.role,
                asked.side,
            ))
        }
        Code::ClusterUnreachable if is_limited(address) => {
            let problem = Problem::new(
                Code::EndpointRestricted,
                format!(
                    "the public endpoint of {name} allows only {}",
                    address.public_cidrs.join(", ")
                ),
                "run the command to allow all addresses (a Lambda function has no fixed address, and the cluster still authenticates every request)",
            )
            .caused_by(error);
            Unreachable::unavailable(AccessFinding::new(problem).with_command(commands::open(asked.cluster)))
        }
        _ => Unreachable {
            findings: vec![AccessFinding::new(problem)],
            retry: error.kind() == ErrorKind::Retry,
        },
    }
}

/// Returns a finding without a command that fixes it.
pub(super) fn missing(code: Code, message: String, guidance: &str) -> Unreachable {
    Unreachable::unavailable(AccessFinding::new(Problem::new(code, message, guidance)))
}

/// Returns a finding for a cluster that may become usable without a change by the user.
fn not_yet(message: String, guidance: &str) -> Unreachable {
    Unreachable {
        findings: vec![AccessFinding::new(Problem::new(
            Code::ClusterNotActive,
            message,
            guidance,
        ))],
        retry: true,
    }
}

/// Returns whether the version is too old; a version in another format counts as supported.
fn is_too_old(version: &str) -> bool {
    let minor = version
        .strip_prefix("1.")
        .and_then(|minor| minor.parse::<u32>().ok());
    minor.is_some_and(|minor| minor < OLDEST_MINOR)
}

/// Returns whether the public access CIDRs are restricted. Without CIDRs EKS allows all addresses.
fn is_limited(address: &ClusterAddress) -> bool {
    let cidrs = &address.public_cidrs;
    !cidrs.is_empty() && !cidrs.iter().any(|cidr| cidr == "0.0.0.0/0" || cidr == "::/0")
}

#[cfg(test)]
mod tests;
