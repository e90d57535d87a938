//! Recoveries with a CloudFormation in memory, which makes up the outputs of what it is told to build.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use async_trait::async_trait;
use lifeboat_infrastructure::{Prices, Zone};
use lifeboat_model::{AccountId, ApplicationName, EnvironmentId, Region};
use serde_json::Value;

use super::*;
use crate::stack::{Change, ChangeSet, Event, Stack, StackResource};

const DOCUMENT: &[u8] = include_bytes!("../../../infrastructure/tests/fixtures/aws-descriptions-v1.json");

struct Memory {
    environment: EnvironmentId,
    stacks: Mutex<BTreeMap<String, (Stack, Value)>>,
    pending: Mutex<BTreeMap<String, Change>>,
    /// What was done, in order: `create network`.
    done: Mutex<Vec<String>>,
    /// A stack whose operations fail.
    fails: Mutex<Option<String>>,
    /// What was deleted, as it was before.
    deleted: Mutex<BTreeMap<String, (Stack, Value)>>,
    /// The resources whose creation has failed.
    unbuilt: Mutex<BTreeSet<String>>,
    /// How often a stack is still described as in progress.
    busy: Mutex<BTreeMap<String, u32>>,
    /// The events of stacks, newest first.
    events: Mutex<BTreeMap<String, Vec<Event>>>,
}

/// The status of a stack of which no change set was executed yet.
const REVIEW: &str = "REVIEW_IN_PROGRESS";

/// How often a stack is described until an operation ends.
const STEPS: u32 = 2;

impl Memory {
    fn new() -> Self {
        Self {
            environment: EnvironmentId::parse("222222222222-eu-central-1").unwrap(),
            stacks: Mutex::default(),
            pending: Mutex::default(),
            done: Mutex::default(),
            fails: Mutex::default(),
            deleted: Mutex::default(),
            unbuilt: Mutex::default(),
            busy: Mutex::default(),
            events: Mutex::default(),
        }
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut self.done.lock().unwrap())
    }

    /// Returns a stack that was deleted, as it was before.
    fn deleted(&self, stack: &str) -> (Stack, Value) {
        self.deleted.lock().unwrap()[stack].clone()
    }

    fn template(&self, stack: &str) -> Value {
        self.stacks.lock().unwrap()[stack].1.clone()
    }

    fn names(&self) -> Vec<String> {
        self.stacks.lock().unwrap().keys().cloned().collect()
    }
}

/// Returns what an output of a stack holds.
fn made_up(stack: &str, name: &str) -> String {
    let digest = lifeboat_format::Sha256::of(format!("{stack} {name}").as_bytes()).to_string();
    let hex = |length: usize| digest[..length].to_owned();
    let id = |prefix: &str| format!("{prefix}-{}", hex(17));
    match name {
        "Issuer" => format!(
            "oidc.eks.eu-central-1.amazonaws.com/id/{}",
            hex(32).to_uppercase()
        ),
        "EndpointHost" => format!("{}.gr7.eu-central-1.eks.amazonaws.com", hex(32).to_uppercase()),
        _ if name.ends_with("SecurityGroup") || name.starts_with("SecurityGroup") => id("sg"),
        _ if name.starts_with("Subnet") => id("subnet"),
        _ if name.starts_with("Vpc") => id("vpc"),
        _ if name.starts_with("RouteTable") => id("rtb"),
        _ if name.starts_with("FileSystem") => id("fs"),
        _ if name.starts_with("AccessPoint") => id("fsap"),
        _ if name.starts_with("Key") => format!("{}-0000-4000-8000-000000000000", hex(8)),
        _ if name.starts_with("Role") => format!("arn:aws:iam::222222222222:role/{name}"),
        _ if name.starts_with("Policy") => format!("arn:aws:iam::222222222222:policy/{name}"),
        _ => name.to_owned(),
    }
}

#[async_trait]
impl Stacks for Memory {
    fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    async fn describe(&self, stack: &str) -> Result<Option<Stack>, Problem> {
        let known = self
            .stacks
            .lock()
            .unwrap()
            .get(stack)
            .map(|known| known.0.clone());
        let Some(mut known) = known else {
            return Ok(None);
        };
        if let Some(left) = self.busy.lock().unwrap().get_mut(stack)
            && *left > 0
        {
            *left -= 1;
            // Outputs exist once the operation has ended.
            "UPDATE_IN_PROGRESS".clone_into(&mut known.status);
            known.outputs.clear();
        }
        Ok(Some(known))
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Problem> {
        let (stacks, unbuilt) = (self.stacks.lock().unwrap(), self.unbuilt.lock().unwrap());
        let (_, template) = &stacks[stack];
        let resources = template["Resources"].as_object().unwrap().iter();
        Ok(resources
            .map(|(name, resource)| StackResource {
                resource: name.clone(),
                r#type: resource["Type"].as_str().unwrap().to_owned(),
                status: match unbuilt.contains(name) {
                    true => "CREATE_FAILED",
                    false => "CREATE_COMPLETE",
                }
                .to_owned(),
                id: made_up(stack, name),
            })
            .collect())
    }

    async fn template(&self, stack: &str) -> Result<String, Problem> {
        Ok(self.stacks.lock().unwrap()[stack].1.to_string())
    }

    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem> {
        let stacks = self.stacks.lock().unwrap();
        Ok(stacks
            .iter()
            .map(|(name, known)| (name.clone(), known.0.clone()))
            .collect())
    }

    async fn create_change_set(&self, change: &Change) -> Result<(), Problem> {
        let mut stacks = self.stacks.lock().unwrap();
        let known = stacks.get(&change.stack).map(|(known, _)| known.status.as_str());
        assert_eq!(
            change.is_new,
            matches!(known, None | Some(REVIEW)),
            "CloudFormation creates what does not exist, and updates what does"
        );
        if known.is_none() {
            let empty = Stack {
                status: REVIEW.to_owned(),
                ..Stack::default()
            };
            stacks.insert(change.stack.clone(), (empty, Value::Null));
        }
        let replaced = (self.pending.lock().unwrap()).insert(change.name.clone(), change.clone());
        assert_eq!(replaced, None, "the name of a change set is new");
        Ok(())
    }

    async fn describe_change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, Problem> {
        let change = self.pending.lock().unwrap()[name].clone();
        let template: Value = serde_json::from_str(&change.template).unwrap();
        let stacks = self.stacks.lock().unwrap();
        let before = stacks.get(stack);
        let parameters = values(change.parameters, before);
        let is_same = before.is_some_and(|(known, body)| {
            *body == template && known.parameters == parameters && !known.status.ends_with("_FAILED")
        });
        let resources = template["Resources"].as_object().unwrap();
        let of_before = |logical: &str| before.map(|(_, body)| &body["Resources"][logical]);
        let failed = before.is_some_and(|(known, _)| known.status.ends_with("_FAILED"));
        let added = (resources.iter())
            .filter(|(logical, resource)| failed || of_before(logical) != Some(*resource))
            .map(|(logical, resource)| ("Add", logical, resource));
        let former = before.and_then(|(_, body)| body["Resources"].as_object());
        let removed = (former.into_iter().flatten())
            .filter(|(logical, _)| !resources.contains_key(*logical))
            .map(|(logical, resource)| ("Remove", logical, resource));
        let changes = added
            .chain(removed)
            .map(|(action, logical, resource)| ResourceChange {
                resource: logical.clone(),
                r#type: resource["Type"].as_str().unwrap().to_owned(),
                action: action.to_owned(),
                replacement: None,
                properties: Vec::new(),
            });
        let status = if is_same { "FAILED" } else { "CREATE_COMPLETE" };
        Ok(ChangeSet {
            status: status.to_owned(),
            reason: "The submitted information didn't contain changes.".to_owned(),
            changes: changes.collect(),
        })
    }

    async fn delete_change_set(&self, _: &str, name: &str) -> Result<(), Problem> {
        self.pending.lock().unwrap().remove(name);
        Ok(())
    }

    async fn execute_change_set(&self, stack: &str, name: &str, _: OnFailure) -> Result<(), Problem> {
        let change = self.pending.lock().unwrap().remove(name).unwrap();
        let template: Value = serde_json::from_str(&change.template).unwrap();
        let verb = if change.is_new { "create" } else { "update" };
        self.done
            .lock()
            .unwrap()
            .push(format!("{verb} {}", change.tags[STACK_TAG]));
        let fails = self.fails.lock().unwrap().as_deref() == Some(stack);
        let outputs = template["Outputs"].as_object().into_iter().flatten();
        let parameters = values(change.parameters, self.stacks.lock().unwrap().get(stack));
        let described = Stack {
            status: if fails { "CREATE_FAILED" } else { "CREATE_COMPLETE" }.to_owned(),
            reason: String::new(),
            parameters,
            outputs: outputs
                .filter(|_| !fails)
                .map(|(name, _)| (name.clone(), made_up(stack, name)))
                .collect(),
            tags: change.tags,
            is_drifted: false,
        };
        self.busy.lock().unwrap().insert(stack.to_owned(), STEPS);
        self.stacks
            .lock()
            .unwrap()
            .insert(stack.to_owned(), (described, template));
        Ok(())
    }

    async fn delete_stack(&self, stack: &str) -> Result<(), Problem> {
        let mut stacks = self.stacks.lock().unwrap();
        if let Some((known, template)) = stacks.get_mut(stack)
            && template["Resources"]["Cluster"]["Properties"]["DeletionProtection"] == true
            && !self.unbuilt.lock().unwrap().contains("Cluster")
        {
            "DELETE_FAILED".clone_into(&mut known.status);
            let mut events = self.events.lock().unwrap();
            let events = events.entry(stack.to_owned()).or_default();
            let refused = Event {
                id: format!("refused-{}", events.len()),
                at: None,
                resource: "Cluster".to_owned(),
                kind: "AWS::EKS::Cluster".to_owned(),
                status: "DELETE_FAILED".to_owned(),
                reason: PROTECTED.to_owned(),
            };
            events.insert(0, refused);
            return Ok(());
        }
        if let Some(known) = stacks.remove(stack) {
            self.done
                .lock()
                .unwrap()
                .push(format!("delete {}", known.0.tags[STACK_TAG]));
            self.deleted.lock().unwrap().insert(stack.to_owned(), known);
        }
        Ok(())
    }

    async fn events(&self, stack: &str) -> Result<Vec<Event>, Problem> {
        let events = self.events.lock().unwrap();
        Ok(events.get(stack).cloned().unwrap_or_default())
    }
}

/// Why CloudFormation does not delete a cluster. The name of the error is that of the EKS user guide, "Protect EKS clusters
/// from accidental deletion".
const PROTECTED: &str = "Resource handler returned message: \"The cluster has deletion protection enabled (Service: Eks, \
     Status Code: 400, Error Code: InvalidRequestException)\" (HandlerErrorCode: InvalidRequest)";

/// Returns the values of parameters, of which some keep what they have.
fn values(
    parameters: BTreeMap<String, Option<String>>,
    before: Option<&(Stack, Value)>,
) -> BTreeMap<String, String> {
    let kept = |name: &String| before.unwrap().0.parameters[name].clone();
    parameters
        .into_iter()
        .map(|(name, value)| (name.clone(), value.unwrap_or_else(|| kept(&name))))
        .collect()
}

fn facts() -> RecoveryFacts {
    let zone = |letter: &str, id: &str| Zone {
        name: format!("eu-central-1{letter}"),
        id: id.to_owned(),
    };
    let mut facts = RecoveryFacts::new(
        AccountId::parse("222222222222").unwrap(),
        Region::parse("eu-central-1").unwrap(),
        ApplicationName::parse("shop").unwrap(),
    );
    facts.zones = vec![
        zone("a", "euc1-az2"),
        zone("b", "euc1-az3"),
        zone("c", "euc1-az1"),
    ];
    facts.delegate_role = Some("arn:aws:iam::222222222222:role/lifeboat-shop-recovery".to_owned());
    facts
}

/// Runs something with the recovery of the sample.
macro_rules! recovery {
    ($stacks:expr, $facts:expr) => {
        recovery!($stacks, $facts, &Descriptions::parse(DOCUMENT).unwrap())
    };
    ($stacks:expr, $facts:expr, $descriptions:expr) => {
        Recovery {
            stacks: $stacks,
            descriptions: $descriptions,
            facts: $facts,
            change_set: &numbered(),
            tell: &|_| {},
            expected_plan: None,
        }
    };
}

fn numbered() -> impl Fn() -> String + Send + Sync {
    numbered_from("lifeboat")
}

fn numbered_from(name: &'static str) -> impl Fn() -> String + Send + Sync {
    let number = std::sync::atomic::AtomicU32::new(0);
    move || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{name}-{number}")
    }
}

mod watched;

#[tokio::test(start_paused = true)]
async fn stacks_are_built_in_order_and_what_needs_a_later_one_in_a_second_pass() {
    let stacks = Memory::new();
    let built = recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    let done = stacks.done();
    let firsts = [
        "create network",
        "create identity",
        "create storage",
        "create cluster-orders",
        "create cluster-web",
    ];
    assert_eq!(done[..firsts.len()], firsts);
    assert!(done.contains(&"update identity".to_owned()), "{done:?}");
    let identity = stacks.template("lifeboat-shop-identity").to_string();
    let issuer = made_up("lifeboat-shop-cluster-orders", "Issuer");
    assert!(
        identity.contains(&issuer),
        "the trust policies name the issuers of the clusters"
    );
    let identities = serde_json::to_string(&built.identities).unwrap();
    assert!(
        identities.contains(&made_up("lifeboat-shop-network", "SubnetPrivateA"))
            && !identities.contains("${"),
        "{identities}"
    );
    // The same deployment again changes nothing.
    let again = recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    assert_eq!(stacks.done(), Vec::<String>::new());
    assert!(
        again
            .stacks
            .iter()
            .all(|built| built.outcome == Outcome::Unchanged)
    );
    assert_eq!(again.identities, built.identities);
}

#[tokio::test(start_paused = true)]
async fn a_plan_changes_nothing_and_has_symbols_for_what_does_not_exist() {
    let stacks = Memory::new();
    let plan = recovery!(&stacks, facts())
        .plan(Mode::Active, &Prices::built_in())
        .await
        .unwrap();
    assert_eq!((stacks.done(), stacks.names()), (Vec::new(), Vec::new()));
    let network = &plan.stacks[0];
    assert!(!network.exists && network.changes.len() > 10);
    let identities = serde_json::to_string(&plan.identities).unwrap();
    assert!(identities.contains("${network.SubnetPrivateA}"), "{identities}");
    recovery!(&stacks, facts()).deploy(Mode::Standby).await.unwrap();
    stacks.done();
    let plan = recovery!(&stacks, facts())
        .plan(Mode::Active, &Prices::built_in())
        .await
        .unwrap();
    assert_eq!(stacks.done(), Vec::<String>::new());
    let added: Vec<&str> = plan.stacks[0]
        .changes
        .iter()
        .map(|change| change.r#type.as_str())
        .collect();
    assert!(
        plan.stacks[0].exists && added.contains(&"AWS::EC2::NatGateway"),
        "{added:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn standing_down_deletes_clusters_and_keeps_the_rest() {
    let stacks = Memory::new();
    recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    stacks.done();
    let changed = recovery!(&stacks, facts()).stand_down().await.unwrap();
    assert_eq!(
        stacks.names(),
        [
            "lifeboat-shop-identity",
            "lifeboat-shop-network",
            "lifeboat-shop-storage"
        ]
    );
    assert!(
        changed.contains(&"lifeboat-shop-cluster-web".to_owned()),
        "{changed:?}"
    );
    let network = stacks.template("lifeboat-shop-network").to_string();
    assert!(!network.contains("AWS::EC2::NatGateway"));
    // Once more: there is nothing to do.
    assert_eq!(
        recovery!(&stacks, facts()).stand_down().await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test(start_paused = true)]
async fn taking_down_deletes_the_stacks_of_the_application_alone() {
    let stacks = Memory::new();
    recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    let mut other = facts();
    other.application = ApplicationName::parse("billing").unwrap();
    recovery!(&stacks, other).deploy(Mode::Standby).await.unwrap();
    stacks.done();
    let shop = ApplicationName::parse("shop").unwrap();
    let deleted = take_down(&stacks, &shop, &numbered_from("down"), &|_| {}, |_| true)
        .await
        .unwrap();
    assert_eq!(deleted.len(), 5);
    assert_eq!(
        stacks.done(),
        [
            "delete cluster-web",
            "delete cluster-orders",
            "delete storage",
            "delete identity",
            "delete network"
        ]
    );
    assert!(
        stacks
            .names()
            .iter()
            .all(|name| name.starts_with("lifeboat-billing-"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_fails_is_continued() {
    let stacks = Memory::new();
    *stacks.fails.lock().unwrap() = Some("lifeboat-shop-storage".to_owned());
    let problem = recovery!(&stacks, facts())
        .deploy(Mode::Active)
        .await
        .unwrap_err();
    assert_eq!(problem.code, Code::StackFailed);
    assert_eq!(
        stacks.done(),
        ["create network", "create identity", "create storage"]
    );
    *stacks.fails.lock().unwrap() = None;
    recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    let done = stacks.done();
    assert_eq!(done[..2], ["update storage", "create cluster-orders"], "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_built_if_something_cannot_be() {
    let stacks = Memory::new();
    let mut facts = facts();
    facts.delegate_role = None;
    let problem = recovery!(&stacks, facts).deploy(Mode::Active).await.unwrap_err();
    assert_eq!(problem.code, Code::PrincipalUnknown);
    assert_eq!(stacks.done(), Vec::<String>::new());
}

// Below the macro that they use.
mod events;
mod expected;
mod faults;
