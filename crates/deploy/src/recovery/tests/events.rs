//! What somebody sees who waits for a build.

use super::*;

/// CloudFormation whose stacks and events are known.
struct Known {
    environment: EnvironmentId,
    stacks: Mutex<BTreeMap<String, Stack>>,
    events: Mutex<BTreeMap<String, Vec<Event>>>,
}

#[async_trait]
impl Stacks for Known {
    fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    async fn describe(&self, stack: &str) -> Result<Option<Stack>, Problem> {
        Ok(self.stacks.lock().unwrap().get(stack).cloned())
    }

    async fn resources(&self, _: &str) -> Result<Vec<StackResource>, Problem> {
        panic!("who waits reads stacks and events alone")
    }

    async fn template(&self, _: &str) -> Result<String, Problem> {
        panic!("who waits reads stacks and events alone")
    }

    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem> {
        Ok(self.stacks.lock().unwrap().clone())
    }

    async fn create_change_set(&self, _: &Change) -> Result<(), Problem> {
        panic!("who waits changes nothing")
    }

    async fn describe_change_set(&self, _: &str, _: &str) -> Result<ChangeSet, Problem> {
        panic!("who waits changes nothing")
    }

    async fn delete_change_set(&self, _: &str, _: &str) -> Result<(), Problem> {
        panic!("who waits changes nothing")
    }

    async fn execute_change_set(&self, _: &str, _: &str, _: OnFailure) -> Result<(), Problem> {
        panic!("who waits changes nothing")
    }

    async fn delete_stack(&self, _: &str) -> Result<(), Problem> {
        panic!("who waits changes nothing")
    }

    async fn events(&self, stack: &str) -> Result<Vec<Event>, Problem> {
        Ok(self.events.lock().unwrap()[stack].clone())
    }
}

fn event(id: &str, at: &str, status: &str, resource: &str, reason: &str) -> Event {
    Event {
        id: id.to_owned(),
        at: Some(format!("2026-11-21T{at}Z").parse().unwrap()),
        resource: resource.to_owned(),
        kind: "AWS::EKS::Nodegroup".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn events_of_the_stacks_that_are_built_are_told_once_and_in_order() {
    let stack = |status: &str, application: &str| Stack {
        status: status.to_owned(),
        tags: BTreeMap::from([(TAG.to_owned(), application.to_owned())]),
        ..Stack::default()
    };
    let (orders, billing) = ("lifeboat-shop-cluster-orders", "lifeboat-billing-network");
    let known = Known {
        environment: EnvironmentId::parse("222222222222-eu-central-1").unwrap(),
        stacks: Mutex::new(BTreeMap::from([
            (orders.to_owned(), stack("UPDATE_IN_PROGRESS", "shop")),
            (
                "lifeboat-shop-network".to_owned(),
                stack("CREATE_COMPLETE", "shop"),
            ),
            (billing.to_owned(), stack("CREATE_IN_PROGRESS", "billing")),
        ])),
        events: Mutex::new(BTreeMap::from([(
            orders.to_owned(),
            vec![
                event("2", "12:00:03", "CREATE_IN_PROGRESS", "Nodes", ""),
                event("1", "11:00:00", "CREATE_COMPLETE", "Cluster", ""),
            ],
        )])),
    };
    let shop = ApplicationName::parse("shop").unwrap();
    let since = "2026-11-21T12:00:00Z".parse().unwrap();
    let mut events = SeenEvents::default();
    let first = "lifeboat-shop-cluster-orders: 12:00:03 CREATE_IN_PROGRESS AWS::EKS::Nodegroup Nodes";
    assert_eq!(events.next(&known, &shop, since).await.unwrap(), [first]);
    assert_eq!(
        events.next(&known, &shop, since).await.unwrap(),
        Vec::<String>::new()
    );
    // The stack ends: why it failed is told, although nothing is in progress any more.
    known
        .stacks
        .lock()
        .unwrap()
        .insert(orders.to_owned(), stack("UPDATE_FAILED", "shop"));
    let failed = event(
        "3",
        "12:20:00",
        "CREATE_FAILED",
        "Nodes",
        "InsufficientInstanceCapacity",
    );
    known
        .events
        .lock()
        .unwrap()
        .get_mut(orders)
        .unwrap()
        .insert(0, failed);
    assert_eq!(
        events.next(&known, &shop, since).await.unwrap(),
        [
            "lifeboat-shop-cluster-orders: 12:20:00 CREATE_FAILED AWS::EKS::Nodegroup Nodes: InsufficientInstanceCapacity"
        ]
    );
    assert_eq!(
        events.next(&known, &shop, since).await.unwrap(),
        Vec::<String>::new()
    );
}
