#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::BTreeMap;
use std::fmt::Write as _;

use lifeboat_apiserver::{ApiError, Refusal};
use lifeboat_aws::eks::{AuthenticationMode, ClusterStatus};

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

fn tell(all: &mut String, what: &str, unreachable: &Unreachable) {
    let again = if unreachable.retry {
        ", tried again by itself"
    } else {
        ""
    };
    writeln!(all, "## {what}{again}").unwrap();
    for finding in &unreachable.findings {
        writeln!(all, "{}", finding.problem).unwrap();
        if let Some(command) = &finding.command {
            writeln!(all, "  $ {command}").unwrap();
        }
        for alternative in &finding.alternatives {
            writeln!(all, "  or, {}\n  $ {}", alternative.what, alternative.command).unwrap();
        }
    }
    all.push('\n');
}

#[test]
fn each_reason_has_a_code_and_says_what_to_do() {
    let mut all = String::new();
    let mut found = |what: &str, change: &dyn Fn(&mut ClusterAddress)| {
        let mut address = cluster();
        change(&mut address);
        tell(&mut all, what, &usable(&address).unwrap_err());
    };
    found("on an Outpost", &|c| c.kind = ClusterKind::Outpost);
    found("connected from elsewhere", &|c| c.kind = ClusterKind::Connected);
    found("of an old version", &|c| c.version = Some("1.27".to_owned()));
    found("private only", &|c| c.endpoint_public = false);
    found("being created", &|c| c.status = ClusterStatus::Creating);
    found("broken", &|c| c.status = ClusterStatus::Failed);
    found("without an endpoint", &|c| c.endpoint = None);
    let role = Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1");
    let role = role.unwrap();
    let arn = cluster().arn;
    let mut found = |what: &str, side: Side, error: AddressError, change: &dyn Fn(&mut ClusterAddress)| {
        let mut address = cluster();
        change(&mut address);
        let asked = AccessQuery {
            cluster: &arn,
            role: &role,
            side,
        };
        tell(&mut all, what, &refused(&asked, &address, &error));
    };
    let (api, map) = (
        |c: &mut ClusterAddress| c.authentication = AuthenticationMode::ApiAndConfigMap,
        |c: &mut ClusterAddress| c.authentication = AuthenticationMode::ConfigMap,
    );
    found("unknown, entries", Side::Primary, unknown(), &api);
    found("unknown, entries, to be written", Side::Recovery, unknown(), &api);
    found("unknown, aws-auth", Side::Primary, unknown(), &map);
    found(
        "unknown, aws-auth, to be written",
        Side::Recovery,
        unknown(),
        &map,
    );
    let office = |c: &mut ClusterAddress| c.public_cidrs = vec!["192.0.2.0/24".to_owned()];
    found("closed to most", Side::Primary, silent(), &office);
    found("silent", Side::Primary, silent(), &|_| {});
    insta::assert_snapshot!(all);
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
