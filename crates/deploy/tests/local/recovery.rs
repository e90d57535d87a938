//! The recovery stacks of the sample descriptions: built in an empty account, with control planes that answer, and taken
//! down again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use lifeboat_aws::{AwsContext, EksError};
use lifeboat_deploy::recovery::take_down;
use lifeboat_deploy::{CloudFormation, OnFailure, Outcome, StackSpec, Stacks as _, delete, deploy};
use lifeboat_describe::{Wanted, candidates, describe};
use lifeboat_infrastructure::{Adoption, Descriptions, MatchRule, Mode, Prices};
use lifeboat_model::{AccountId, BuiltStack, Code, SharedStack};
use serde_json::{Value, json};

use crate::account::{ACCOUNT, Account, DOCUMENT, REGION, change_set, facts, recovery, shop, tell};

#[tokio::test(flavor = "multi_thread")]
async fn the_recovery_side_is_built_and_taken_down() {
    let account = Account::start();
    let (stacks, clusters) = (&account.stacks, &account.clusters);
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let recovery = || recovery(stacks, &descriptions, facts());

    let standby = recovery().deploy(Mode::Standby).await.unwrap();
    assert_eq!(standby.stacks.len(), 3, "{:?}", standby.stacks);
    assert_eq!(clusters.names().await.unwrap(), Vec::<String>::new());

    let plan = recovery().plan(Mode::Active, &Prices::built_in()).await.unwrap();
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
    let nodes = account.read("orders", "/api/v1/nodes").await;
    assert!(
        !nodes["items"].as_array().unwrap().is_empty(),
        "the cluster answers whoever built it, and has nodes"
    );
    assert_eq!(built.identities.faults(), []);
    let again = recovery().deploy(Mode::Active).await.unwrap();
    assert!(
        again
            .stacks
            .iter()
            .all(|built| built.outcome == Outcome::Unchanged),
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
    let deleted = take_down(stacks, &shop(), &change_set, &tell, |_| true)
        .await
        .unwrap();
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
    let account = Account::start();
    let stacks = &account.stacks;
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let recovery = || recovery(stacks, &descriptions, facts());
    let landing_zone = StackSpec {
        stack: "landing-zone".to_owned(),
        template: LANDING_ZONE.into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        change_set: "landing-zone".to_owned(),
        on_failure: OnFailure::RollBack,
    };
    deploy(stacks, &landing_zone, &tell).await.unwrap();
    let theirs = stacks.describe("landing-zone").await.unwrap();

    for _ in 0..2 {
        let problem = recovery().deploy(Mode::Standby).await.unwrap_err();
        assert_eq!(problem.code, Code::NameTaken, "{problem}");
        assert!(problem.to_string().contains("shop/cart"), "{problem}");
        assert_eq!(stacks.describe("landing-zone").await.unwrap(), theirs);
    }
    // Once the name is free, the same deployment goes on.
    delete(stacks, "landing-zone", &BTreeMap::new(), &tell)
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
    let account = Account::start();
    let admin = &account.stacks;
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let users = StackSpec {
        stack: "users".to_owned(),
        template: users().into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        change_set: "users".to_owned(),
        on_failure: OnFailure::RollBack,
    };
    let keys = deploy(admin, &users, &tell).await.unwrap().outputs;
    let denied: Vec<CloudFormation> = (0..ACTIONS.len())
        .map(|number| {
            let (id, secret) = (&keys[&format!("Id{number}")], &keys[&format!("Secret{number}")]);
            account.stacks_of(id, secret)
        })
        .collect();
    let recovery = |stacks| recovery(stacks, &descriptions, facts());
    for (action, stacks) in ACTIONS.iter().zip(&denied) {
        let problem = recovery(stacks).deploy(Mode::Standby).await.unwrap_err();
        assert_eq!(problem.code, Code::AwsDenied, "{action}: {problem}");
        assert!(problem.guidance.contains(action), "{problem}");
    }
    let built = recovery(admin).deploy(Mode::Standby).await.unwrap();
    let created = built.stacks.iter().all(|built| built.outcome == Outcome::Created);
    assert!(created, "{:?}", built.stacks);
}

/// Creates a VPC with subnets that have the names of those of the primary, as the stack of another team. Returns the ids of
/// the VPC and of the subnets.
async fn landing_zone(context: &AwsContext, name: &str, range: &str) -> (String, Vec<String>) {
    let mut resources = json!({"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {
        "CidrBlock": format!("{range}.0.0/16"), "Tags": [{"Key": "app", "Value": "shop"}]}}});
    let mut outputs = json!({"Vpc": {"Value": {"Ref": "Vpc"}}});
    let subnets = ["private-a", "private-b", "public-a", "public-b"];
    for (number, subnet) in subnets.into_iter().enumerate() {
        let logical = format!("Subnet{number}");
        let letter = &subnet[subnet.len() - 1..];
        resources[&logical] = json!({"Type": "AWS::EC2::Subnet", "Properties": {
            "VpcId": {"Ref": "Vpc"}, "CidrBlock": format!("{range}.{number}.0/24"),
            "AvailabilityZone": format!("{REGION}{letter}"), "Tags": [{"Key": "Name", "Value": subnet}]}});
        outputs[&logical] = json!({"Value": {"Ref": logical}});
    }
    let client = Client::new(context.sdk_config());
    let template = json!({"Resources": resources, "Outputs": outputs}).to_string();
    let created = client.create_stack().stack_name(name).template_body(template);
    created.send().await.unwrap();
    loop {
        let answer = client.describe_stacks().stack_name(name).send().await.unwrap();
        let stack = &answer.stacks()[0];
        let status = stack.stack_status().unwrap().as_str();
        if status == "CREATE_COMPLETE" {
            let output = |key: &str| {
                let mut outputs = stack.outputs().iter();
                let output = outputs.find(|output| output.output_key() == Some(key));
                output.unwrap().output_value().unwrap().to_owned()
            };
            let subnets = (0..4).map(|number| output(&format!("Subnet{number}")));
            return (output("Vpc"), subnets.collect());
        }
        assert_eq!(status, "CREATE_IN_PROGRESS");
        lifeboat_system::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_stand_in_the_vpc_of_a_landing_zone() {
    let account = Account::start();
    let (context, stacks) = (&account.context, &account.stacks);
    let mut document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    document["vpcs"][0]["tags"] = json!({"Name": "shop", "app": "shop"});
    let mut descriptions: Descriptions = serde_json::from_value(document).unwrap();
    descriptions.clusters.retain(|cluster| cluster.name == "web");
    let recovery = async || {
        let mut facts = facts();
        facts.adopt_existing = SharedStack::ALL.into();
        candidates(context, &descriptions, &mut facts).await.unwrap();
        recovery(stacks, &descriptions, facts)
    };

    let (vpc, subnets) = landing_zone(context, "platform", "10.40").await;
    let plan = recovery()
        .await
        .plan(Mode::Active, &Prices::built_in())
        .await
        .unwrap();
    assert_eq!(plan.errors(), Vec::<&lifeboat_infrastructure::Finding>::new());
    let network = &plan.stacks[0];
    let found = |from: &str| network.adopted.iter().find(|one| one.from == from).cloned();
    let old = &descriptions.vpcs[0].vpc_id;
    assert_eq!(
        found(old),
        Some(Adoption {
            rule: MatchRule::Tags,
            ..Adoption::mapped(old, &vpc)
        })
    );
    for (subnet, to) in descriptions.subnets.iter().zip(&subnets) {
        assert_eq!(
            found(&subnet.subnet_id),
            Some(Adoption {
                rule: MatchRule::Name,
                ..Adoption::mapped(&subnet.subnet_id, to)
            })
        );
    }

    recovery().await.deploy(Mode::Active).await.unwrap();
    let wanted = Wanted::new(AccountId::parse(ACCOUNT).unwrap(), ["web".to_owned()]);
    let built = describe(context, &wanted).await.unwrap();
    let config = &built.clusters[0].resources_vpc_config;
    assert_eq!(config.vpc_id.as_deref(), Some(vpc.as_str()));
    assert!(!config.subnet_ids.is_empty());
    for subnet in &config.subnet_ids {
        assert!(subnets.contains(subnet), "{subnet} is none of {subnets:?}");
    }
    let network = stacks.resources("lifeboat-shop-network").await.unwrap();
    let types: BTreeSet<&str> = network.iter().map(|one| one.r#type.as_str()).collect();
    assert!(
        types
            .iter()
            .all(|name| name.starts_with("AWS::EC2::SecurityGroup")),
        "{types:?}"
    );

    // What the stacks have built is there now, and is not adopted.
    let again = recovery().await.deploy(Mode::Active).await.unwrap();
    let is_unchanged = |built: &BuiltStack| built.outcome == Outcome::Unchanged;
    assert!(again.stacks.iter().all(is_unchanged), "{:?}", again.stacks);

    let (other, _) = landing_zone(context, "other", "10.41").await;
    let plan = recovery()
        .await
        .plan(Mode::Active, &Prices::built_in())
        .await
        .unwrap();
    let ambiguous = plan
        .errors()
        .into_iter()
        .find(|error| error.code == Code::AdoptionAmbiguous);
    let ambiguous = ambiguous.unwrap();
    assert_eq!(ambiguous.resource, *old);
    assert!(
        ambiguous.what.contains(&vpc) && ambiguous.what.contains(&other),
        "{}",
        ambiguous.what
    );
}
