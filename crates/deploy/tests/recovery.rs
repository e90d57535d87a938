//! The recovery stacks of the sample descriptions on the local AWS: built in an empty account, with control planes that
//! answer, and taken down again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::{AwsContext, EksClusters, EksError, EksTokenSource, testing};
use lifeboat_deploy::recovery::{Recovery, take_down};
use lifeboat_deploy::{CloudFormation, OnFailure, Outcome, StackSpec, Stacks as _, delete, deploy};
use lifeboat_infrastructure::{Descriptions, Mode, RecoveryFacts, Zone};
use lifeboat_local::{LocalAws, LocalAwsOptions};
use lifeboat_model::{AccountId, ApplicationName, Code, EnvironmentId};
use lifeboat_system::SystemClock;
use serde_json::{Value, json};

const ACCOUNT: &str = "222222222222";
const REGION: &str = "eu-central-1";
const DOCUMENT: &[u8] = include_bytes!("../../infrastructure/tests/fixtures/aws-descriptions-v1.json");

fn context(aws: &LocalAws) -> AwsContext {
    let keys = aws.create_account(ACCOUNT).unwrap();
    testing::context(
        &aws.endpoint(),
        REGION,
        &keys.access_key_id,
        &keys.secret_access_key,
    )
}

fn facts(principal: &str) -> RecoveryFacts {
    let zone = |letter: &str, id: &str| Zone {
        name: format!("{REGION}{letter}"),
        id: id.to_owned(),
    };
    let mut facts = RecoveryFacts::new(
        AccountId::parse(ACCOUNT).unwrap(),
        lifeboat_model::Region::parse(REGION).unwrap(),
        ApplicationName::parse("shop").unwrap(),
    );
    facts.zones = vec![
        zone("a", "euc1-az1"),
        zone("b", "euc1-az2"),
        zone("c", "euc1-az3"),
    ];
    facts.delegate_role = Some(principal.to_owned());
    facts
}

/// Returns the nodes of a cluster, read with a token of EKS.
async fn nodes(context: &AwsContext, clusters: &EksClusters, name: &str) -> usize {
    let endpoint = clusters.describe(name).await.unwrap().endpoint.unwrap();
    let address = Address {
        server: endpoint.url,
        ca_pem: endpoint.ca_pem,
        token: Arc::new(EksTokenSource::new(context, name, Arc::new(SystemClock))),
    };
    let (api, _) = Api::connect_to(&address, &AddressOptions::default())
        .await
        .unwrap();
    let nodes: Value = api.get_json("/api/v1/nodes").await.unwrap();
    nodes["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recovery_side_is_built_and_taken_down() {
    let aws = LocalAws::start(&LocalAwsOptions {
        controllers: false,
        ..LocalAwsOptions::default()
    })
    .unwrap();
    let context = context(&aws);
    let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
    let stacks = CloudFormation::new(&context, &environment);
    let clusters = EksClusters::new(&context);
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    let change_set = || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("lifeboat-{number}")
    };
    let tell = |line: &str| println!("{line}");
    let principal = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    let recovery = || Recovery {
        stacks: &stacks,
        descriptions: &descriptions,
        facts: facts(&principal),
        change_set: &change_set,
        tell: &tell,
    };

    let standby = recovery().deploy(Mode::Standby).await.unwrap();
    assert_eq!(standby.stacks.len(), 3, "{:?}", standby.stacks);
    assert_eq!(clusters.names().await.unwrap(), Vec::<String>::new());

    let plan = recovery().plan(Mode::Active).await.unwrap();
    let planned: Vec<(&str, bool)> = (plan.stacks.iter())
        .map(|stack| (stack.stack.as_str(), stack.exists))
        .collect();
    assert_eq!(
        planned,
        [
            ("network", true),
            ("identity", true),
            ("storage", true),
            ("cluster-orders", false),
            ("cluster-web", false)
        ]
    );
    assert_eq!(
        clusters.names().await.unwrap(),
        Vec::<String>::new(),
        "a plan builds nothing"
    );

    let built = recovery().deploy(Mode::Active).await.unwrap();
    assert_eq!(clusters.names().await.unwrap(), ["orders", "web"]);
    assert!(
        nodes(&context, &clusters, "orders").await > 0,
        "the cluster answers whoever built it, and has nodes"
    );
    assert_eq!(built.identities.faults(), []);
    let again = recovery().deploy(Mode::Active).await.unwrap();
    assert!(
        again
            .stacks
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Unchanged),
        "{:?}",
        again.stacks
    );
    assert_eq!(again.identities, built.identities);

    let changed = recovery().stand_down().await.unwrap();
    assert!(
        changed.contains(&"lifeboat-shop-cluster-web".to_owned()),
        "{changed:?}"
    );
    assert!(matches!(
        clusters.describe("web").await,
        Err(EksError::NotFound { .. })
    ));
    let shop = ApplicationName::parse("shop").unwrap();
    let deleted = take_down(&stacks, &shop, &tell, |_| true).await.unwrap();
    assert_eq!(
        deleted,
        [
            "lifeboat-shop-storage",
            "lifeboat-shop-identity",
            "lifeboat-shop-network"
        ]
    );
}

/// A repository of the name of one of ours, in a stack that is not ours.
const LANDING_ZONE: &str = r#"{"Resources": {"Cart": {"Type": "AWS::ECR::Repository", "Properties":
    {"RepositoryName": "shop/cart"}}}, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Cart", "Arn"]}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_of_somebody_else_with_a_name_of_ours_is_neither_adopted_nor_changed() {
    let aws = LocalAws::start(&LocalAwsOptions {
        controllers: false,
        ..LocalAwsOptions::default()
    })
    .unwrap();
    let context = context(&aws);
    let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
    let stacks = CloudFormation::new(&context, &environment);
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    let change_set = || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("lifeboat-{number}")
    };
    let tell = |line: &str| println!("{line}");
    let principal = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    let recovery = || Recovery {
        stacks: &stacks,
        descriptions: &descriptions,
        facts: facts(&principal),
        change_set: &change_set,
        tell: &tell,
    };
    let landing_zone = StackSpec {
        stack: "landing-zone".to_owned(),
        template: LANDING_ZONE.into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        change_set: "landing-zone".to_owned(),
        on_failure: OnFailure::RollBack,
    };
    deploy(&stacks, &landing_zone, &tell).await.unwrap();
    let theirs = stacks.describe("landing-zone").await.unwrap();

    for _ in 0..2 {
        let problem = recovery().deploy(Mode::Standby).await.unwrap_err();
        assert_eq!(problem.code, Code::NameTaken, "{problem}");
        assert!(problem.to_string().contains("shop/cart"), "{problem}");
        assert_eq!(stacks.describe("landing-zone").await.unwrap(), theirs);
    }
    // Once the name is free, the same deployment goes on.
    delete(&stacks, "landing-zone", &BTreeMap::new(), &tell)
        .await
        .unwrap();
    let built = recovery().deploy(Mode::Standby).await.unwrap();
    assert_eq!(built.identities.faults(), []);
}

/// The calls of a build.
const ACTIONS: &[&str] = &[
    "cloudformation:DescribeStacks",
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet",
];

/// Returns a template of a user for each action, who may do everything else.
fn users() -> String {
    let (mut resources, mut outputs) = (serde_json::Map::new(), serde_json::Map::new());
    for (number, action) in ACTIONS.iter().enumerate() {
        let statement =
            |effect: &str, action: &str| json!({"Effect": effect, "Action": action, "Resource": "*"});
        let document = json!({"Version": "2012-10-17", "Statement": [statement("Allow", "*"), statement("Deny", action)]});
        let user = json!({"Type": "AWS::IAM::User", "Properties": {"UserName": format!("without-{number}"),
            "Policies": [{"PolicyName": "all-but-one", "PolicyDocument": document}]}});
        let key = json!({"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": format!("User{number}")}}});
        resources.insert(format!("User{number}"), user);
        resources.insert(format!("Key{number}"), key);
        outputs.insert(
            format!("Id{number}"),
            json!({"Value": {"Ref": format!("Key{number}")}}),
        );
        let secret = json!({"Value": {"Fn::GetAtt": [format!("Key{number}"), "SecretAccessKey"]}});
        outputs.insert(format!("Secret{number}"), secret);
    }
    json!({"Resources": resources, "Outputs": outputs}).to_string()
}

/// IAM refuses each call of a build in turn. The build names the action, and goes on once it is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_is_named_and_the_build_goes_on_once_it_is_there() {
    let aws = LocalAws::start(&LocalAwsOptions {
        controllers: false,
        ..LocalAwsOptions::default()
    })
    .unwrap();
    let context = context(&aws);
    let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
    let admin = CloudFormation::new(&context, &environment);
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    let change_set = || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("lifeboat-{number}")
    };
    let tell = |line: &str| println!("{line}");
    let users = StackSpec {
        stack: "users".to_owned(),
        template: users().into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        change_set: "users".to_owned(),
        on_failure: OnFailure::RollBack,
    };
    let keys = deploy(&admin, &users, &tell).await.unwrap().outputs;
    let endpoint = aws.endpoint();
    let denied: Vec<CloudFormation> = (0..ACTIONS.len())
        .map(|number| {
            let (id, secret) = (&keys[&format!("Id{number}")], &keys[&format!("Secret{number}")]);
            let context = testing::context(&endpoint, REGION, id, secret);
            CloudFormation::new(&context, &environment)
        })
        .collect();
    let principal = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    let recovery = |stacks| Recovery {
        stacks,
        descriptions: &descriptions,
        facts: facts(&principal),
        change_set: &change_set,
        tell: &tell,
    };
    for (action, stacks) in ACTIONS.iter().zip(&denied) {
        let problem = recovery(stacks).deploy(Mode::Standby).await.unwrap_err();
        assert_eq!(problem.code, Code::AwsDenied, "{action}: {problem}");
        assert!(problem.guidance.contains(action), "{problem}");
    }
    let built = recovery(&admin).deploy(Mode::Standby).await.unwrap();
    let created = built
        .stacks
        .iter()
        .all(|(_, outcome)| *outcome == Outcome::Created);
    assert!(created, "{:?}", built.stacks);
}
