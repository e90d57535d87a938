//! Builds that end at a call: the process is killed there, or the call is refused. The next build goes on, and ends as
//! one that nothing disturbed.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The process ends before the call has an effect.
    KilledBefore,
    /// The process ends after the call had its effect, and before it knows of it.
    KilledAfter,
    /// The call is refused, and has no effect.
    Refused(Code),
}

/// CloudFormation with a fault at one of its calls.
struct Faulty<'a> {
    inner: &'a Memory,
    fault: Fault,
    at: usize,
    calls: AtomicUsize,
    /// The call at which the fault was.
    hit: Mutex<Option<&'static str>>,
}

impl<'a> Faulty<'a> {
    fn new(inner: &'a Memory, fault: Fault, at: usize) -> Self {
        Self {
            inner,
            fault,
            at,
            calls: AtomicUsize::new(0),
            hit: Mutex::new(None),
        }
    }

    async fn call<T: Send>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, Problem>> + Send,
    ) -> Result<T, Problem> {
        if self.calls.fetch_add(1, Ordering::SeqCst) != self.at {
            return call.await;
        }
        *self.hit.lock().unwrap() = Some(action);
        match self.fault {
            Fault::KilledBefore => std::future::pending().await,
            Fault::KilledAfter => {
                drop(call.await);
                std::future::pending().await
            }
            Fault::Refused(code) => Err(Problem::of(code, format!("failed to call {action}"))),
        }
    }

    fn hit(&self) -> Option<&'static str> {
        *self.hit.lock().unwrap()
    }
}

#[async_trait]
impl Stacks for Faulty<'_> {
    fn environment(&self) -> &EnvironmentId {
        self.inner.environment()
    }

    async fn describe(&self, stack: &str) -> Result<Option<Stack>, Problem> {
        self.call("DescribeStacks", self.inner.describe(stack)).await
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Problem> {
        self.call("ListStackResources", self.inner.resources(stack)).await
    }

    async fn template(&self, stack: &str) -> Result<String, Problem> {
        self.call("GetTemplate", Stacks::template(self.inner, stack))
            .await
    }

    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem> {
        self.call("DescribeStacks", self.inner.all()).await
    }

    async fn create_change_set(&self, change: &Change) -> Result<(), Problem> {
        let creating = self.inner.create_change_set(change);
        self.call("CreateChangeSet", creating).await
    }

    async fn describe_change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, Problem> {
        let describing = self.inner.describe_change_set(stack, name);
        self.call("DescribeChangeSet", describing).await
    }

    async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), Problem> {
        let deleting = self.inner.delete_change_set(stack, name);
        self.call("DeleteChangeSet", deleting).await
    }

    async fn execute_change_set(
        &self,
        stack: &str,
        name: &str,
        on_failure: OnFailure,
    ) -> Result<(), Problem> {
        let executing = self.inner.execute_change_set(stack, name, on_failure);
        self.call("ExecuteChangeSet", executing).await
    }

    async fn delete_stack(&self, stack: &str) -> Result<(), Problem> {
        self.call("DeleteStack", self.inner.delete_stack(stack)).await
    }

    async fn events(&self, stack: &str) -> Result<Vec<Event>, Problem> {
        self.call("DescribeStackEvents", self.inner.events(stack)).await
    }
}

/// The stacks by name, with their templates.
type State = BTreeMap<String, (Stack, Value)>;

fn state(stacks: &Memory) -> State {
    stacks.stacks.lock().unwrap().clone()
}

/// Returns a CloudFormation that has these stacks.
fn with(stacks: &State) -> Memory {
    let memory = Memory::new();
    *memory.stacks.lock().unwrap() = stacks.clone();
    memory
}

fn is_ours(name: &str) -> bool {
    name.starts_with("lifeboat-shop-")
}

/// Returns the stacks that are not the application's.
fn others(stacks: &Memory) -> State {
    let mut others = state(stacks);
    others.retain(|name, _| !is_ours(name));
    others
}

/// Another application's stacks, and one without any tag.
async fn of_others() -> State {
    let stacks = Memory::new();
    let mut other = facts();
    other.application = ApplicationName::parse("billing").unwrap();
    recovery!(&stacks, other).deploy(Mode::Standby).await.unwrap();
    let landing_zone = Stack {
        status: "CREATE_COMPLETE".to_owned(),
        ..Stack::default()
    };
    let mut state = state(&stacks);
    state.insert("landing-zone".to_owned(), (landing_zone, Value::Null));
    state
}

/// Builds, with names of change sets that no other build of the test has; `None` if the process is killed.
async fn build(stacks: &dyn Stacks, name: &str) -> Option<Result<Built, Problem>> {
    let number = AtomicUsize::new(0);
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let mut recovery = Recovery {
        stacks,
        descriptions: &descriptions,
        facts: facts(),
        change_set: &|| format!("{name}-{}", number.fetch_add(1, Ordering::Relaxed)),
        tell: &|_| {},
        expected_plan: None,
    };
    // Longer than any build of this CloudFormation.
    let built = tokio::time::timeout(Duration::from_secs(3600), recovery.deploy(Mode::Active));
    built.await.ok()
}

/// A build that nothing disturbs.
struct Undisturbed {
    before: State,
    calls: usize,
    built: Built,
    after: State,
}

impl Undisturbed {
    async fn run() -> Self {
        let before = of_others().await;
        let stacks = with(&before);
        let faulty = Faulty::new(&stacks, Fault::KilledBefore, usize::MAX);
        let built = build(&faulty, "undisturbed").await.unwrap().unwrap();
        Self {
            before,
            calls: faulty.calls.load(Ordering::SeqCst),
            built,
            after: state(&stacks),
        }
    }

    /// Builds, and compares everything with what the undisturbed build has left.
    async fn goes_on(&self, stacks: &Memory, what: &str) {
        let built = build(stacks, "next").await.unwrap();
        let built = built.unwrap_or_else(|problem| panic!("{what}: {problem}"));
        assert_eq!(built.identities, self.built.identities, "{what}");
        let after = state(stacks);
        let names: Vec<&String> = after.keys().collect();
        assert_eq!(names, self.after.keys().collect::<Vec<_>>(), "{what}");
        for (name, stack) in &after {
            assert!(stack == &self.after[name], "{what}: {name} differs");
        }
    }
}

/// Builds with a fault at each call, and goes on. `check` looks at how the build with the fault ended.
async fn at_each_call(fault: Fault, check: impl Fn(&str, Option<Result<Built, Problem>>)) {
    let undisturbed = Undisturbed::run().await;
    let mut actions = BTreeSet::new();
    for at in 0..undisturbed.calls {
        let stacks = with(&undisturbed.before);
        let faulty = Faulty::new(&stacks, fault, at);
        let ended = build(&faulty, "first").await;
        let action = faulty.hit().unwrap();
        actions.insert(action);
        check(action, ended);
        assert!(
            others(&stacks) == undisturbed.before,
            "{action} ({at}): stacks of others were changed"
        );
        let what = format!("{fault:?} at {action} ({at})");
        undisturbed.goes_on(&stacks, &what).await;
    }
    let used = [
        "CreateChangeSet",
        "DescribeChangeSet",
        "DescribeStackEvents",
        "DescribeStacks",
        "ExecuteChangeSet",
    ];
    assert_eq!(actions.into_iter().collect::<Vec<_>>(), used);
}

#[tokio::test(start_paused = true)]
async fn a_build_that_is_killed_before_any_call_ends_as_an_undisturbed_one() {
    at_each_call(Fault::KilledBefore, |action, ended| {
        assert!(ended.is_none(), "{action}: it was killed");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_build_that_is_killed_after_any_call_ends_as_an_undisturbed_one() {
    at_each_call(Fault::KilledAfter, |action, ended| {
        assert!(ended.is_none(), "{action}: it was killed");
    })
    .await;
}

/// The permissions of a build are missed one by one, at each of its calls.
#[tokio::test(start_paused = true)]
async fn a_build_that_is_refused_at_any_call_names_it_and_goes_on_afterwards() {
    at_each_call(Fault::Refused(Code::AwsDenied), |action, ended| {
        let problem = ended.unwrap().unwrap_err();
        assert_eq!(problem.code, Code::AwsDenied, "{problem}");
        assert!(problem.message.contains(action), "{problem}");
    })
    .await;
}

/// What an earlier try, or somebody at the console, has left of any stack is continued or created again.
#[tokio::test(start_paused = true)]
async fn a_build_goes_on_from_any_state_of_any_of_its_stacks() {
    let undisturbed = Undisturbed::run().await;
    for name in undisturbed.after.keys().filter(|name| is_ours(name)) {
        for (status, has_outputs) in [
            (REVIEW, false),
            ("CREATE_FAILED", false),
            ("ROLLBACK_COMPLETE", false),
            ("ROLLBACK_FAILED", false),
            ("DELETE_FAILED", true),
            ("UPDATE_FAILED", true),
        ] {
            let mut before = undisturbed.after.clone();
            let (stack, template) = before.get_mut(name).unwrap();
            if status == REVIEW {
                (*stack, *template) = (Stack::default(), Value::Null);
            }
            status.clone_into(&mut stack.status);
            if !has_outputs {
                stack.outputs.clear();
            }
            undisturbed
                .goes_on(&with(&before), &format!("{name} in {status}"))
                .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_was_deleted_by_hand_is_built_anew() {
    let undisturbed = Undisturbed::run().await;
    for name in undisturbed.after.keys().filter(|name| is_ours(name)) {
        let mut before = undisturbed.after.clone();
        before.remove(name);
        undisturbed.goes_on(&with(&before), name).await;
    }
}

/// Somebody else has a stack of the name of one of ours.
#[tokio::test(start_paused = true)]
async fn a_stack_of_somebody_else_with_a_name_of_ours_keeps_anything_from_being_changed() {
    for symbol in ["network", "identity", "storage", "cluster-web"] {
        let name = format!("lifeboat-shop-{symbol}");
        let foreign = Stack {
            status: "UPDATE_COMPLETE".to_owned(),
            tags: BTreeMap::from([("owner".to_owned(), "payments".to_owned())]),
            ..Stack::default()
        };
        let before = BTreeMap::from([(name.clone(), (foreign, Value::Null))]);
        let stacks = with(&before);
        let problem = build(&stacks, "first").await.unwrap().unwrap_err();
        assert_eq!(problem.code, Code::StackForeign);
        assert!(problem.message.contains(&name), "{problem}");
        assert!(state(&stacks) == before, "nothing was changed");
    }
}

/// EKS does not say why nodes do not join. What the descriptions lack is the likely cause.
#[test]
fn nodes_that_do_not_join_are_explained_by_the_descriptions() {
    let mut document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    document["routeTables"][0]["routes"] = serde_json::json!([]);
    let descriptions = Descriptions::parse(document.to_string().as_bytes()).unwrap();
    let orders = RecoveryStack::Cluster("orders".to_owned());
    let findings = generate(&descriptions, &facts(), &orders, Mode::Active).findings;
    let mut problem = Problem::of(Code::NodesNotJoined, "the stack failed");
    problem.causes = vec!["Nodes: NodeCreationFailure".to_owned(), "another".to_owned()];
    let explained = explained(problem, findings.iter());
    assert_eq!(explained.causes[0], "Nodes: NodeCreationFailure");
    assert!(explained.causes[1].starts_with("likely LB-1211: "), "{explained}");
    assert_eq!(explained.causes.last().unwrap(), "another");
    let other = Problem::of(Code::QuotaExceeded, "the stack failed");
    assert_eq!(
        super::explained(other, findings.iter()).causes,
        Vec::<String>::new()
    );
}

/// A cluster whose deletion failed, because it is protected, may be the new home. Nothing is taken from under it.
#[tokio::test(start_paused = true)]
async fn standby_changes_nothing_while_a_cluster_exists_in_any_state() {
    let undisturbed = Undisturbed::run().await;
    for status in [
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "ROLLBACK_FAILED",
        "DELETE_FAILED",
    ] {
        let mut before = undisturbed.after.clone();
        let (stack, _) = before.get_mut("lifeboat-shop-cluster-web").unwrap();
        status.clone_into(&mut stack.status);
        before.remove("lifeboat-shop-cluster-orders");
        let stacks = with(&before);
        let refreshed = recovery!(&stacks, facts()).refresh().await.unwrap();
        assert_eq!(refreshed, None, "{status}");
        assert!(state(&stacks) == before, "{status}");
    }
}

mod protection;
