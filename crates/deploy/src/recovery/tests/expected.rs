//! Builds that expect a plan.

use super::*;

async fn planned(stacks: &Memory, facts: RecoveryFacts) -> Option<Sha256> {
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let name = numbered();
    let mut recovery = recovery(stacks, &descriptions, facts, &name);
    let plan = recovery.plan(Mode::Active, &Prices::built_in()).await.unwrap();
    stacks.pending.lock().unwrap().clear();
    plan.hash
}

fn recovery<'a>(
    stacks: &'a Memory,
    descriptions: &'a Descriptions,
    facts: RecoveryFacts,
    change_set: ChangeSetName<'a>,
) -> Recovery<'a> {
    Recovery {
        stacks,
        descriptions,
        facts,
        change_set,
        tell: &|_| {},
        expected_plan: None,
    }
}

async fn build(stacks: &Memory, mut facts: RecoveryFacts, plan: Option<Sha256>) -> Result<Built, Problem> {
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    let name = numbered();
    facts.hold_nodes = true;
    let mut recovery = Recovery {
        expected_plan: plan,
        ..recovery(stacks, &descriptions, facts, &name)
    };
    recovery.deploy(Mode::Active).await
}

#[tokio::test(start_paused = true)]
async fn a_plan_has_the_same_hash_before_while_and_after_it_is_built() {
    let stacks = Memory::new();
    let hash = planned(&stacks, facts()).await;
    assert!(hash.is_some());
    recovery!(&stacks, facts()).deploy(Mode::Standby).await.unwrap();
    assert_eq!(planned(&stacks, facts()).await, hash, "the stacks are in standby");
    *stacks.fails.lock().unwrap() = Some("lifeboat-shop-cluster-orders".to_owned());
    let failed = build(&stacks, facts(), hash).await.unwrap_err();
    assert_eq!(failed.code, Code::StackFailed);
    assert_eq!(planned(&stacks, facts()).await, hash, "the build was aborted");
    *stacks.fails.lock().unwrap() = None;
    let built = build(&stacks, facts(), hash).await.unwrap();
    assert_eq!(planned(&stacks, facts()).await, hash, "everything is built");
    // What objects are translated to is what was planned.
    assert!(built.symbols.is_symbolic() && !built.identities.is_symbolic());
    let descriptions = Descriptions::parse(DOCUMENT).unwrap();
    assert_eq!(built.symbols, symbols(&descriptions, &facts()));
}

#[tokio::test(start_paused = true)]
async fn another_plan_than_the_expected_one_builds_nothing() {
    let stacks = Memory::new();
    let hash = planned(&stacks, facts()).await;
    let mut other = facts();
    other.managed_addons = true;
    let found = planned(&stacks, other.clone()).await;
    stacks.stacks.lock().unwrap().clear();
    let refused = build(&stacks, other, hash).await.unwrap_err();
    assert_eq!(refused.code, Code::PlanChanged);
    for hash in [hash, found] {
        let hash = hash.unwrap().to_string();
        assert!(refused.message.contains(&hash), "{refused}");
    }
    assert_eq!((stacks.done(), stacks.names()), (Vec::new(), Vec::new()));
    build(&stacks, facts(), hash).await.unwrap();
}
