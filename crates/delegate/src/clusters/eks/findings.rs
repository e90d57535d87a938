//! Turns the responses of EKS and of the API server into findings.

use lifeboat_apiserver::connect::AddressError;
use lifeboat_aws::ClusterAddress;
use lifeboat_aws::eks::{ClusterKind, Endpoint};
use lifeboat_jobs::finding::Said;
use lifeboat_jobs::{AccessFinding, ClusterEndpoint, PrivateEndpoint};
use lifeboat_model::{Code, Diagnostic as _, ErrorKind};

use crate::clusters::Unreachable;

/// The oldest supported minor version of Kubernetes 1. It is the first one with all features in use:
/// aggregated discovery (default since 1.27) and `SelfSubjectReview` v1 (since 1.28). EKS has upgraded older
/// clusters (<https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html>).
const OLDEST_MINOR: u32 = 28;

/// Returns the endpoint, if type and state of the cluster are supported.
pub(super) fn usable(address: &ClusterAddress) -> Result<&Endpoint, Unreachable> {
    match address.kind {
        ClusterKind::Eks => {}
        ClusterKind::Outpost => return Err(Unreachable::unavailable(AccessFinding::Outpost {})),
        ClusterKind::Connected => return Err(Unreachable::unavailable(AccessFinding::Connected {})),
    }
    if let Some(minor) = address.version.as_deref().and_then(old_minor) {
        let oldest = OLDEST_MINOR;
        return Err(Unreachable::unavailable(AccessFinding::OldVersion {
            minor,
            oldest,
        }));
    }
    if !address.status.is_up() {
        let said = Said::from(format!("{:?}", address.status));
        return Err(not_yet(AccessFinding::NotActive { said }));
    }
    if !address.endpoint_public {
        return Err(Unreachable {
            private: private(address),
            ..Unreachable::unavailable(AccessFinding::PrivateEndpoint {})
        });
    }
    (address.endpoint.as_ref()).ok_or_else(|| not_yet(AccessFinding::NoEndpoint {}))
}

/// Returns the findings for a refused connection.
pub(super) fn refused(address: &ClusterAddress, error: &AddressError) -> Unreachable {
    let problem = error.problem();
    match problem.code {
        // EKS reports ACTIVE before an access entry takes effect, so a retry may succeed.
        Code::Unauthenticated => Unreachable::unavailable(AccessFinding::NoAccessEntry {
            access_entries: address.authentication.has_access_entries(),
        }),
        Code::ClusterUnreachable if is_limited(address) => {
            let mut limited = problem;
            limited.message = format!("only {} are allowed", address.public_cidrs.join(", "));
            let said = Said::from(&limited);
            Unreachable {
                private: private(address),
                ..Unreachable::unavailable(AccessFinding::RestrictedEndpoint { said })
            }
        }
        _ => Unreachable {
            retry: error.kind() == ErrorKind::Retry,
            ..Unreachable::unavailable(AccessFinding::from(&problem))
        },
    }
}

/// Returns the private endpoint of a cluster, if it has one. Each cluster has its network in EKS's description; one that is
/// not complete cannot be used.
fn private(address: &ClusterAddress) -> Option<Box<PrivateEndpoint>> {
    if !address.endpoint_private {
        return None;
    }
    let endpoint = address.endpoint.as_ref()?;
    Some(Box::new(PrivateEndpoint {
        endpoint: ClusterEndpoint {
            url: endpoint.url.clone(),
            ca: endpoint.ca_pem.clone(),
            access_entries: address.authentication.has_access_entries(),
        },
        vpc: address.vpc.clone()?,
        subnets: address.subnets.clone(),
        security_group: address.security_group.clone()?,
    }))
}

/// Returns a finding for a cluster that may become usable without a change by the user.
fn not_yet(finding: AccessFinding) -> Unreachable {
    Unreachable {
        retry: true,
        ..Unreachable::unavailable(finding)
    }
}

/// Returns the minor version if it is too old; a version in another format counts as supported.
fn old_minor(version: &str) -> Option<u32> {
    let minor: u32 = version.strip_prefix("1.")?.parse().ok()?;
    (minor < OLDEST_MINOR).then_some(minor)
}

/// Returns whether the public access CIDRs are restricted. Without CIDRs EKS allows all addresses.
fn is_limited(address: &ClusterAddress) -> bool {
    let cidrs = &address.public_cidrs;
    !cidrs.is_empty() && !cidrs.iter().any(|cidr| cidr == "0.0.0.0/0" || cidr == "::/0")
}

#[cfg(test)]
mod tests;
