//! Clusters with deletion protection, which EKS refuses to delete.

use super::*;

const ORDERS: &str = "lifeboat-shop-cluster-orders";

/// Returns the sample with a protected cluster.
fn protected() -> Descriptions {
    let mut document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    document["clusters"][0]["deletionProtection"] = true.into();
    serde_json::from_value(document).unwrap()
}

/// Returns the recovery side of the sample beside the stacks of others.
async fn built() -> State {
    let stacks = with(&of_others().await);
    let built = recovery!(&stacks, facts(), &protected())
        .deploy(Mode::Active)
        .await;
    built.unwrap();
    state(&stacks)
}

/// Deletes every stack of the application; `None` if the process is killed.
async fn tear_down(stacks: &dyn Stacks, name: &str) -> Option<Result<Vec<String>, Problem>> {
    let shop = ApplicationName::parse("shop").unwrap();
    let number = AtomicUsize::new(0);
    let change_set = || format!("{name}-{}", number.fetch_add(1, Ordering::Relaxed));
    let done = take_down(stacks, &shop, &change_set, &|_| {}, |_| true);
    // Longer than any teardown of this CloudFormation.
    tokio::time::timeout(Duration::from_secs(3600), done).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_teardown_takes_the_protection_off_and_changes_nothing_else() {
    let built = built().await;
    let stacks = with(&built);
    let changed = recovery!(&stacks, facts(), &protected()).stand_down().await;
    let changed = changed.unwrap();
    assert!(changed.contains(&ORDERS.to_owned()), "{changed:?}");
    let done = stacks.done();
    let expected = [
        "delete cluster-web",
        "update cluster-orders",
        "delete cluster-orders",
    ];
    assert_eq!(done[..3], expected, "{done:?}");
    let (stack, mut template) = built[ORDERS].clone();
    template["Resources"]["Cluster"]["Properties"]["DeletionProtection"] = false.into();
    let (changed, to) = stacks.deleted(ORDERS);
    assert!(to == template, "{to:#}");
    assert_eq!((changed.parameters, changed.tags), (stack.parameters, stack.tags));
}

/// Somebody else's cluster, and that of another application, keep theirs.
#[tokio::test(start_paused = true)]
async fn clusters_of_others_stay_protected() {
    let mut before = built().await;
    for (name, tags) in [
        (
            "lifeboat-billing-cluster-orders",
            [(TAG, "billing"), (STACK_TAG, "cluster-orders")],
        ),
        ("platform", [("owner", "platform"), (STACK_TAG, "cluster-orders")]),
    ] {
        let (mut stack, template) = before[ORDERS].clone();
        stack.tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        before.insert(name.to_owned(), (stack, template));
    }
    let stacks = with(&before);
    let untouched = others(&stacks);
    tear_down(&stacks, "down").await.unwrap().unwrap();
    assert!(state(&stacks) == untouched);
}

#[tokio::test(start_paused = true)]
async fn a_teardown_that_is_killed_or_refused_at_any_call_goes_on() {
    let built = built().await;
    let undisturbed = with(&built);
    let counting = Faulty::new(&undisturbed, Fault::KilledBefore, usize::MAX);
    tear_down(&counting, "undisturbed").await.unwrap().unwrap();
    let calls = counting.calls.load(Ordering::SeqCst);
    let mut actions = BTreeSet::new();
    for fault in [
        Fault::KilledBefore,
        Fault::KilledAfter,
        Fault::Refused(Code::AwsDenied),
    ] {
        for at in 0..calls {
            let stacks = with(&built);
            let faulty = Faulty::new(&stacks, fault, at);
            let ended = tear_down(&faulty, "first").await;
            let action = faulty.hit().unwrap();
            actions.insert(action);
            let what = format!("{fault:?} at {action} ({at})");
            if let Some(Err(problem)) = ended {
                assert!(problem.message.contains(action), "{what}: {problem}");
            }
            let next = tear_down(&stacks, "next").await.unwrap();
            next.unwrap_or_else(|problem| panic!("{what}: {problem}"));
            assert!(state(&stacks) == state(&undisturbed), "{what}");
        }
    }
    for action in [
        "GetTemplate",
        "ListStackResources",
        "CreateChangeSet",
        "ExecuteChangeSet",
    ] {
        assert!(actions.contains(action), "{actions:?}");
    }
}

/// What failed is not built again to be deleted, and a cluster that never became active is deleted as it is.
#[tokio::test(start_paused = true)]
async fn a_stack_that_has_failed_is_torn_down_without_being_completed() {
    let mut before = built().await;
    let (stack, template) = before.get_mut(ORDERS).unwrap();
    "CREATE_FAILED".clone_into(&mut stack.status);
    let resources = template["Resources"].as_object().unwrap();
    let nodes = resources
        .iter()
        .find(|(_, one)| one["Type"] == "AWS::EKS::Nodegroup");
    let nodes = nodes.unwrap().0.clone();
    template["Outputs"]["Nodes"] = serde_json::json!({"Value": {"Fn::GetAtt": [nodes, "Arn"]}});
    for (failed, is_updated) in [(nodes.as_str(), true), ("Cluster", false)] {
        let stacks = with(&before);
        stacks.unbuilt.lock().unwrap().insert(failed.to_owned());
        tear_down(&stacks, "down").await.unwrap().unwrap();
        let (_, last) = stacks.deleted(ORDERS);
        let has_nodes = last["Resources"].get(&nodes).is_some() || last["Outputs"].get("Nodes").is_some();
        assert_eq!(has_nodes, !is_updated, "{failed}: {last:#}");
        assert_eq!(
            stacks.done().contains(&"update cluster-orders".to_owned()),
            is_updated
        );
    }
}

/// CloudFormation updates no stack whose deletion has failed.
#[tokio::test(start_paused = true)]
async fn a_protection_that_cannot_be_taken_off_is_named_with_the_command() {
    let mut before = built().await;
    "DELETE_FAILED".clone_into(&mut before.get_mut(ORDERS).unwrap().0.status);
    let problem = tear_down(&with(&before), "down").await.unwrap().unwrap_err();
    assert_eq!(problem.code, Code::ClusterProtected, "{problem}");
    assert!(problem.guidance.contains("--no-deletion-protection"), "{problem}");
    assert!(problem.causes[0].contains("InvalidRequestException"), "{problem}");
}
