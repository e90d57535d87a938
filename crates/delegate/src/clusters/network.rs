//! What the network of a private delegate lacks, as findings of the public one.

use lifeboat_describe::NetworkLook;
use lifeboat_jobs::AccessFinding;

/// The maximum number of causes of a report: more than one network has at a time, and fewer than a report may have findings.
const CAUSES: usize = 12;

/// Adds to the findings on a cluster what the network of its private delegate lacks. The finding that no delegate is registered is
/// left out if one is deployed, and only its network keeps it from registering.
pub(crate) fn add_network(findings: &mut Vec<AccessFinding>, look: &NetworkLook) {
    let is_private = |finding: &AccessFinding| matches!(finding, AccessFinding::PrivateEndpoint {});
    // A cluster whose public endpoint is restricted may never need a private delegate.
    if look.inside.is_none() && !findings.iter().any(is_private) {
        return;
    }
    let mut causes = look.causes();
    causes.truncate(CAUSES);
    let is_cut_off = (look.inside.as_ref()).is_some_and(|inside| inside.s3.failure.is_some());
    if is_cut_off && causes.iter().any(|cause| !cause.is_warning()) {
        findings.retain(|finding| !is_private(finding));
    }
    findings.extend(causes.into_iter().map(AccessFinding::Network));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_jobs::network::observations;
    use lifeboat_model::Code;
    use serde_json::{Value, json};

    use super::*;

    fn inside(failure: &Value) -> NetworkLook {
        let mut answer = json!({"s3": {"host": "s3.eu-west-1.amazonaws.com", "port": 443}});
        if !failure.is_null() {
            answer["s3"]["failure"] = failure.clone();
        }
        NetworkLook {
            inside: Some(observations(answer.to_string().as_bytes()).unwrap()),
            ..NetworkLook::default()
        }
    }

    fn codes(mut findings: Vec<AccessFinding>, look: &NetworkLook) -> Vec<Code> {
        add_network(&mut findings, look);
        findings.iter().map(AccessFinding::code).collect()
    }

    #[test]
    fn a_delegate_that_is_deployed_and_cut_off_need_not_be_deployed() {
        let private = || vec![AccessFinding::PrivateEndpoint {}];
        let nothing = NetworkLook::default();
        assert_eq!(codes(private(), &nothing), [Code::EndpointPrivate]);
        assert_eq!(codes(private(), &inside(&Value::Null)), [Code::EndpointPrivate]);
        let cut_off = inside(&json!({"timedOut": {}}));
        assert_eq!(codes(private(), &cut_off), [Code::PrivateNetworkSilent]);
        let restricted = AccessFinding::RestrictedEndpoint {
            said: Default::default(),
        };
        assert_eq!(
            codes(vec![restricted], &cut_off),
            [Code::EndpointRestricted, Code::PrivateNetworkSilent]
        );
    }
}
