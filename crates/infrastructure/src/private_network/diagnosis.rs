//! Explains what a function observes in its VPC by what is seen of the VPC from outside. A VPC drops packets silently, so from
//! inside a missing route, a security group and a network ACL look the same.

use lifeboat_model::network::{
    DeniedBy, NetworkCause, NetworkFailure, NetworkObservations, NetworkTarget, TargetObservation,
};

use super::NetworkView;

/// Returns what keeps a function from what it needs, each cause once. What the function reaches, nothing keeps it from, whatever
/// the view says; what it does not reach is explained by the view, and otherwise by what was observed. Without observations,
/// everything that is seen from outside counts.
#[must_use]
pub fn diagnose(inside: Option<&NetworkObservations>, outside: Option<&NetworkView>) -> Vec<NetworkCause> {
    let seen = outside.map_or(&[][..], |view| &view.causes);
    let Some(observed) = inside else {
        return seen.to_vec();
    };
    let mut found = Vec::new();
    let s3 = Explanation {
        target: NetworkTarget::S3,
        observed: &observed.s3,
        seen,
        view: outside,
    };
    match &observed.proxy {
        Some(variable) if observed.s3.failure.is_some() => found.push(NetworkCause::Proxy {
            variable: variable.clone(),
        }),
        _ => found.extend(s3.causes()),
    }
    match &observed.api_server {
        Some(api_server) => found.extend(
            Explanation {
                target: NetworkTarget::ApiServer,
                observed: api_server,
                seen,
                view: outside,
            }
            .causes(),
        ),
        // It was not asked for.
        None => found.extend(of_target(seen, NetworkTarget::ApiServer).cloned()),
    }
    let lasting = seen.iter().filter(|cause| {
        matches!(
            cause,
            NetworkCause::OneZone { .. } | NetworkCause::FewAddresses { .. } | NetworkCause::Ipv6Only { .. }
        )
    });
    found.extend(lasting.cloned());
    let mut once: Vec<NetworkCause> = Vec::new();
    for cause in found {
        if !once.contains(&cause) {
            once.push(cause.bounded());
        }
    }
    once
}

fn of_target(seen: &[NetworkCause], target: NetworkTarget) -> impl Iterator<Item = &NetworkCause> {
    seen.iter().filter(move |cause| cause.target() == Some(target))
}

/// What is known of one server.
struct Explanation<'a> {
    target: NetworkTarget,
    observed: &'a TargetObservation,
    seen: &'a [NetworkCause],
    view: Option<&'a NetworkView>,
}

impl Explanation<'_> {
    fn causes(&self) -> Vec<NetworkCause> {
        let Some(failure) = &self.observed.failure else {
            return Vec::new();
        };
        let (target, host) = (self.target, self.observed.host.clone());
        match failure {
            NetworkFailure::NameNotFound {} | NetworkFailure::ResolverSilent {} => {
                self.or(self.seen_of(is_of_names), || NetworkCause::NameNotResolved {
                    target,
                    host,
                    silent: matches!(failure, NetworkFailure::ResolverSilent {}),
                })
            }
            NetworkFailure::OtherName {} => vec![self.elsewhere()],
            NetworkFailure::UnknownIssuer {} | NetworkFailure::Interrupted { .. } => {
                match self.is_elsewhere() {
                    true => vec![self.elsewhere()],
                    false => vec![NetworkCause::Intercepted { target, host }],
                }
            }
            NetworkFailure::TimedOut {} | NetworkFailure::Unreachable {} | NetworkFailure::Refused {} => {
                self.lost(matches!(failure, NetworkFailure::Refused {}))
            }
            NetworkFailure::Denied { by, explicit, .. } => self.denied(*by, explicit.unwrap_or_default()),
            NetworkFailure::OtherAnswer { status, .. } => match self.is_elsewhere() {
                true => vec![self.elsewhere()],
                false => vec![NetworkCause::OtherAnswer {
                    target,
                    host,
                    status: *status,
                }],
            },
        }
    }

    /// Returns the causes seen from outside of one kind.
    fn seen_of(&self, is: fn(&NetworkCause) -> bool) -> Vec<NetworkCause> {
        let concerns = |cause: &&NetworkCause| cause.target().is_none_or(|target| target == self.target);
        let found = self.seen.iter().filter(concerns).filter(|cause| is(cause));
        found.cloned().collect()
    }

    fn or(&self, seen: Vec<NetworkCause>, observed: impl FnOnce() -> NetworkCause) -> Vec<NetworkCause> {
        match seen.is_empty() {
            true => vec![observed()],
            false => seen,
        }
    }

    fn is_elsewhere(&self) -> bool {
        let is = |view: &NetworkView| view.is_elsewhere(&self.observed.addresses);
        self.target == NetworkTarget::S3 && self.view.is_some_and(is)
    }

    fn elsewhere(&self) -> NetworkCause {
        NetworkCause::LeadsElsewhere {
            target: self.target,
            host: self.observed.host.clone(),
            addresses: self.observed.addresses.clone(),
        }
    }

    /// Explains that connections are not made. Nothing in a VPC refuses one, so that only a name that leads elsewhere, or what
    /// is outside of the VPC explains that.
    fn lost(&self, refused: bool) -> Vec<NetworkCause> {
        let seen = match refused {
            true => Vec::new(),
            false => self.seen_of(is_of_ways),
        };
        match seen.is_empty() && self.is_elsewhere() {
            true => vec![self.elsewhere()],
            false => self.or(seen, || NetworkCause::Silent {
                target: self.target,
                host: self.observed.host.clone(),
                addresses: self.observed.addresses.clone(),
                refused,
                seen: self.view.is_some(),
            }),
        }
    }

    fn denied(&self, by: DeniedBy, explicit: bool) -> Vec<NetworkCause> {
        let policies = self.seen_of(is_of_policies);
        match by {
            DeniedBy::EndpointPolicy => {
                let endpoint = policies.iter().find_map(|cause| match cause {
                    NetworkCause::EndpointConditions { endpoint, .. } => Some(endpoint.clone()),
                    _ => None,
                });
                let known = policies
                    .into_iter()
                    .filter(|cause| matches!(cause, NetworkCause::EndpointPolicy { .. }));
                // What the conditions decide is known by now.
                self.or(known.collect(), || NetworkCause::EndpointPolicy {
                    endpoint,
                    explicit,
                })
            }
            // S3 does not name the policy if the caller is of another account, and in some Regions.
            DeniedBy::Unknown => self.or(policies, || NetworkCause::PolicyDenies { by, explicit }),
            _ => vec![NetworkCause::PolicyDenies { by, explicit }],
        }
    }
}

fn is_of_names(cause: &NetworkCause) -> bool {
    matches!(
        cause,
        NetworkCause::NoResolver { .. } | NetworkCause::NoHostNames { .. }
    )
}

fn is_of_ways(cause: &NetworkCause) -> bool {
    matches!(
        cause,
        NetworkCause::NoRoute { .. }
            | NetworkCause::PrivateNamesOff { .. }
            | NetworkCause::GroupHoldsBack { .. }
            | NetworkCause::AclHoldsBack { .. }
            | NetworkCause::EndpointHoldsBack { .. }
            | NetworkCause::ClusterHoldsBack { .. }
    )
}

fn is_of_policies(cause: &NetworkCause) -> bool {
    matches!(
        cause,
        NetworkCause::EndpointPolicy { .. } | NetworkCause::EndpointConditions { .. }
    )
}

#[cfg(test)]
mod tests;
