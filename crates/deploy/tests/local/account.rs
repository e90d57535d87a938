//! An account of the local AWS that has nothing, and the recovery side that is built there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::{AwsContext, EksClusters, EksTokenSource, testing};
use lifeboat_deploy::recovery::Recovery;
use lifeboat_deploy::{CloudFormation, Stacks};
use lifeboat_infrastructure::{Descriptions, RecoveryFacts, Zone};
use lifeboat_local::{LocalAws, LocalAwsOptions};
use lifeboat_model::{AccountId, ApplicationName, EnvironmentId, Region};
use lifeboat_system::SystemClock;
use serde_json::Value;

pub(crate) const ACCOUNT: &str = "222222222222";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const DOCUMENT: &[u8] =
    include_bytes!("../../../infrastructure/tests/fixtures/aws-descriptions-v1.json");

/// The account, with the keys of its administrator.
pub(crate) struct Account {
    aws: LocalAws,
    pub(crate) context: AwsContext,
    pub(crate) stacks: CloudFormation,
    pub(crate) clusters: EksClusters,
}

impl Account {
    pub(crate) fn start() -> Self {
        let aws = LocalAws::start(&LocalAwsOptions {
            controllers: false,
            ..LocalAwsOptions::default()
        })
        .unwrap();
        let keys = aws.create_account(ACCOUNT).unwrap();
        let context = testing::context(
            &aws.endpoint(),
            REGION,
            &keys.access_key_id,
            &keys.secret_access_key,
        );
        Self {
            aws,
            stacks: stacks(&context),
            clusters: EksClusters::new(&context),
            context,
        }
    }

    /// Returns CloudFormation as somebody else uses it.
    pub(crate) fn stacks_of(&self, key: &str, secret: &str) -> CloudFormation {
        stacks(&testing::context(&self.aws.endpoint(), REGION, key, secret))
    }

    /// Reads from a cluster with a token of EKS, as the principal that built it.
    pub(crate) async fn read(&self, cluster: &str, path: &str) -> Value {
        let endpoint = self.clusters.describe(cluster).await.unwrap().endpoint.unwrap();
        let address = Address {
            server: endpoint.url,
            ca_pem: endpoint.ca_pem,
            token: Arc::new(EksTokenSource::new(&self.context, cluster, Arc::new(SystemClock))),
        };
        let (api, _) = Api::connect_to(&address, &AddressOptions::default())
            .await
            .unwrap();
        api.get_json(path).await.unwrap()
    }
}

fn stacks(context: &AwsContext) -> CloudFormation {
    let environment = EnvironmentId::parse(format!("{ACCOUNT}-{REGION}")).unwrap();
    CloudFormation::new(context, &environment)
}

/// Returns the ARN of the administrator, who builds.
pub(crate) fn principal() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/admin")
}

pub(crate) fn facts() -> RecoveryFacts {
    let zone = |letter: &str, id: &str| Zone {
        name: format!("{REGION}{letter}"),
        id: id.to_owned(),
    };
    let mut facts = RecoveryFacts::new(
        AccountId::parse(ACCOUNT).unwrap(),
        Region::parse(REGION).unwrap(),
        shop(),
    );
    facts.zones = vec![
        zone("a", "euc1-az1"),
        zone("b", "euc1-az2"),
        zone("c", "euc1-az3"),
    ];
    facts.delegate_role = Some(principal());
    facts
}

pub(crate) fn shop() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

pub(crate) fn recovery<'a>(
    stacks: &'a dyn Stacks,
    descriptions: &'a Descriptions,
    facts: RecoveryFacts,
) -> Recovery<'a> {
    Recovery {
        stacks,
        descriptions,
        facts,
        change_set: &change_set,
        tell: &tell,
        expected_plan: None,
    }
}

/// Returns a name that no other change set has.
pub(crate) fn change_set() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("lifeboat-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn tell(line: &str) {
    println!("{line}");
}
