//! The stack that lets an application be rebuilt, beside the stack of the application, which imports its policies.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lifeboat_deploy::template::{APPLICATION, REBUILD};
use lifeboat_deploy::{OnFailure, Outcome, StackSpec, Stacks as _, delete, deploy};
use serde_yaml_ng::{Mapping, Value};

use crate::account::{Account, change_set, shop, tell};

const ROLE: &str = "LifeboatRecoveryK8sDel-shop-eu-central-1";
const BOUNDARY: &str = "arn:aws:iam::222222222222:policy/LifeboatBuiltRoles-shop-eu-central-1";

/// What the access stack of the recovery side exports.
const ACCESS: &str = r#"{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {
    "Key": {"Value": "arn:aws:kms:eu-central-1:222222222222:key/0b9d3ad5-0000-4000-8000-000000000001",
        "Export": {"Name": "lifeboat-recovery-key"}},
    "Account": {"Value": "222222222222", "Export": {"Name": "lifeboat-recovery-control-account"}},
    "Region": {"Value": "eu-central-1", "Export": {"Name": "lifeboat-recovery-control-region"}}}}"#;

/// A role as a rebuild makes it.
const BUILT: &str = r#"{"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "cart",
    "PermissionsBoundary": "arn:aws:iam::222222222222:policy/LifeboatBuiltRoles-shop-eu-central-1",
    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}}}"#;

/// Returns the part of the stack of the application that is about permissions.
fn application() -> Value {
    let mut template: Value = serde_yaml_ng::from_str(APPLICATION.body).unwrap();
    let kept = [
        "RecoveryRole",
        "BuiltRolesBoundary",
        "LogGroup",
        "FailedInvocations",
    ];
    let is_kept = |name: &Value| kept.contains(&name.as_str().unwrap());
    resources(&mut template).retain(|name, _| is_kept(name));
    template.as_mapping_mut().unwrap().remove("Outputs");
    template
}

/// Returns the same of a former version, which held the policies itself.
fn former() -> Value {
    let mut template = application();
    let policies: Value = serde_yaml_ng::from_str(REBUILD.body).unwrap();
    let policies = policies["Resources"].as_mapping().unwrap();
    let attached: Value = serde_yaml_ng::from_str(
        "!If [RebuildsInfrastructure, [!Ref BuildNetworkPolicy, !Ref BuildClustersPolicy, !Ref BuildRolesPolicy, \
         !Ref BuildStoragePolicy], !Ref AWS::NoValue]",
    )
    .unwrap();
    resources(&mut template).extend(policies.clone());
    template["Resources"]["RecoveryRole"]["Properties"]["ManagedPolicyArns"] = attached;
    template
}

fn resources(template: &mut Value) -> &mut Mapping {
    template["Resources"].as_mapping_mut().unwrap()
}

fn spec(stack: &str, template: Cow<'static, str>, parameters: &[(&str, &str)]) -> StackSpec {
    let parameters = parameters.iter();
    StackSpec {
        stack: stack.to_owned(),
        template,
        parameters: parameters
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        tags: BTreeMap::new(),
        change_set: change_set(),
        on_failure: OnFailure::RollBack,
    }
}

fn of_application(template: &Value, rebuilds: &str) -> StackSpec {
    let template = serde_yaml_ng::to_string(template).unwrap().into();
    let parameters = [
        ("Application", "shop"),
        ("Side", "recovery"),
        ("CodeBucket", "code"),
        ("DelegateKey", "delegate.zip"),
        ("RebuildInfrastructure", rebuilds),
    ];
    spec(&APPLICATION.stack_of(&shop()), template, &parameters)
}

impl Account {
    async fn deploy(&self, wanted: &StackSpec) -> Outcome {
        let deployed = deploy(&self.stacks, wanted, &tell).await;
        deployed.unwrap_or_else(|problem| panic!("{problem}")).outcome
    }

    /// Returns the ARNs of the policies that the role of the delegate has besides its own, sorted.
    async fn attached(&self) -> Vec<String> {
        let iam = aws_sdk_iam::Client::new(self.context.sdk_config());
        let answer = iam.list_attached_role_policies().role_name(ROLE).send().await;
        let answer = answer.unwrap();
        let arns = answer.attached_policies().iter();
        let mut arns: Vec<String> = arns.map(|one| one.policy_arn().unwrap().to_owned()).collect();
        arns.sort();
        arns
    }

    /// Returns the document of the boundary of the role that was built.
    async fn boundary(&self) -> String {
        let iam = aws_sdk_iam::Client::new(self.context.sdk_config());
        let role = iam.get_role().role_name("cart").send().await.unwrap();
        let boundary = role.role().unwrap().permissions_boundary().unwrap();
        assert_eq!(boundary.permissions_boundary_arn(), Some(BOUNDARY));
        let policy = iam.get_policy_version().policy_arn(BOUNDARY).version_id("v1");
        let version = policy.send().await.unwrap();
        version.policy_version().unwrap().document().unwrap().to_owned()
    }
}

/// As `lifeboat deploy application` does it, from a stack that holds the policies itself to none at all.
#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_to_build_move_to_a_stack_of_their_own_and_go_with_it() {
    let account = Account::start();
    account
        .deploy(&spec("lifeboat-recovery-access", ACCESS.into(), &[]))
        .await;
    account.deploy(&of_application(&former(), "true")).await;
    account
        .deploy(&spec("lifeboat-shop-identity", BUILT.into(), &[]))
        .await;
    let (own, boundary) = (account.attached().await, account.boundary().await);
    assert_eq!(own.len(), 4, "{own:?}");

    let rebuild = REBUILD.stack_of(&shop());
    let policies = spec(&rebuild, REBUILD.body.into(), &[("Application", "shop")]);
    assert_eq!(account.deploy(&policies).await, Outcome::Created);
    assert_eq!(
        account.deploy(&of_application(&application(), "true")).await,
        Outcome::Updated
    );
    let outputs = account.stacks.describe(&rebuild).await.unwrap().unwrap().outputs;
    let mut moved: Vec<String> = outputs.into_values().collect();
    moved.sort();
    assert_eq!(account.attached().await, moved);
    assert!(moved.iter().all(|arn| !own.contains(arn)), "{moved:?}");
    assert_eq!(
        account.boundary().await,
        boundary,
        "built roles keep their boundary"
    );

    account.deploy(&of_application(&application(), "false")).await;
    delete(&account.stacks, &rebuild, &BTreeMap::new(), &tell)
        .await
        .unwrap();
    assert_eq!(account.attached().await, Vec::<String>::new());
    assert_eq!(
        account.boundary().await,
        boundary,
        "built roles keep their boundary"
    );
}
