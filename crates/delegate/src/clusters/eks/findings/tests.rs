#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::BTreeMap;

use lifeboat_apiserver::{ApiError, Refusal};
use lifeboat_aws::eks::{AuthenticationMode, ClusterStatus};
use lifeboat_model::Arn;

use super::*;

fn cluster() -> ClusterAddress {
    ClusterAddress {
        name: "orders-prod".to_owned(),
        arn: Arn::parse("arn:aws:eks:eu-west-1:111111111111:cluster/orders-prod").unwrap(),
        kind: ClusterKind::Eks,
        status: ClusterStatus::Active,
        version: Some("1.33".to_owned()),
        endpoint: Some(Endpoint {
            url: "https://example.eks.amazonaws.com".to_owned(),
            ca_pem: "pem".to_owned(),
        }),
        authentication: AuthenticationMode::Api,
        endpoint_public: true,
        public_cidrs: vec!["0.0.0.0/0".to_owned()],
        endpoint_private: true,
        vpc: None,
        subnets: Vec::new(),
        security_group: None,
        oidc_issuer: None,
        tags: BTreeMap::new(),
    }
}

fn unknown() -> AddressError {
    AddressError::Api(ApiError::Refused(Box::new(Refusal {
        method: http::Method::GET,
        path: "/version".to_owned(),
        status: 401,
        reason: "Unauthorized".to_owned(),
        message: "Unauthorized".to_owned(),
        is_status: true,
        retry_after: None,
        continue_token: None,
        causes: Vec::new(),
    })))
}

fn silent() -> AddressError {
    AddressError::Api(ApiError::Unreachable {
        server: "https://example.eks.amazonaws.com".to_owned(),
        cause: "the connection timed out".into(),
    })
}

#[test]
fn each_reason_is_a_finding_of_its_own() {
    let found = |change: &dyn Fn(&mut ClusterAddress)| {
        let mut address = cluster();
        change(&mut address);
        let unreachable = usable(&address).unwrap_err();
        (unreachable.findings[0].clone(), unreachable.retry)
    };
    let not_active = |status: &str| AccessFinding::NotActive {
        said: Said::from(status.to_owned()),
    };
    let old = AccessFinding::OldVersion {
        minor: 27,
        oldest: OLDEST_MINOR,
    };
    assert_eq!(
        found(&|c| c.kind = ClusterKind::Outpost),
        (AccessFinding::Outpost {}, false)
    );
    assert_eq!(
        found(&|c| c.kind = ClusterKind::Connected),
        (AccessFinding::Connected {}, false)
    );
    assert_eq!(found(&|c| c.version = Some("1.27".to_owned())), (old, false));
    assert_eq!(
        found(&|c| c.endpoint_public = false),
        (AccessFinding::PrivateEndpoint {}, false)
    );
    assert_eq!(
        found(&|c| c.status = ClusterStatus::Creating),
        (not_active("Creating"), true)
    );
    assert_eq!(
        found(&|c| c.status = ClusterStatus::Failed),
        (not_active("Failed"), true)
    );
    assert_eq!(
        found(&|c| c.endpoint = None),
        (AccessFinding::NoEndpoint {}, true)
    );
    let found = |error: AddressError, change: &dyn Fn(&mut ClusterAddress)| {
        let mut address = cluster();
        change(&mut address);
        let unreachable = refused(&address, &error);
        (unreachable.findings[0].clone(), unreachable.retry)
    };
    for (mode, access_entries) in [
        (AuthenticationMode::ApiAndConfigMap, true),
        (AuthenticationMode::ConfigMap, false),
    ] {
        let finding = found(unknown(), &|c| c.authentication = mode);
        assert_eq!(finding, (AccessFinding::NoAccessEntry { access_entries }, false));
    }
    let office = |c: &mut ClusterAddress| c.public_cidrs = vec!["192.0.2.0/24".to_owned()];
    let (closed, retry) = found(silent(), &office);
    assert!(
        matches!(closed, AccessFinding::RestrictedEndpoint { .. }) && !retry,
        "{closed:?}"
    );
    assert!(closed.said().line().contains("192.0.2.0/24"), "{closed:?}");
    let (other, retry) = found(silent(), &|_| {});
    assert_eq!((other.code(), retry), (Code::ClusterUnreachable, true));
}

#[test]
fn what_can_be_worked_with_is_worked_with() {
    assert!(usable(&cluster()).is_ok());
    for version in [None, Some("1.28"), Some("1.36"), Some("2.0"), Some("whatever")] {
        let mut address = cluster();
        address.version = version.map(str::to_owned);
        address.status = ClusterStatus::Updating;
        assert!(usable(&address).is_ok(), "{version:?}");
    }
    // Without CIDRs all addresses are allowed.
    let mut address = cluster();
    address.public_cidrs.clear();
    assert!(!is_limited(&address));
}
