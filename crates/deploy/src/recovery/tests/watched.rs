//! What a build tells while it runs.

use jiff::Timestamp;
use lifeboat_model::NodeProgress;

use super::*;

const NAME: &str = "lifeboat-shop-cluster-orders";

fn at(time: &str) -> Timestamp {
    format!("2026-11-21T{time}Z").parse().unwrap()
}

fn event(id: &str, time: &str, (resource, kind): (&str, &str), status: &str) -> Event {
    Event {
        id: id.to_owned(),
        at: Some(at(time)),
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: match status.ends_with("_IN_PROGRESS") {
            true => "Resource creation Initiated".to_owned(),
            false => String::new(),
        },
    }
}

/// Returns the template of an active cluster.
async fn template() -> Value {
    let stacks = Memory::new();
    recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    stacks.template(NAME)
}

fn lines(watch: &BuildWatch) -> Vec<String> {
    let progress = watch.progress().unwrap();
    progress.events.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_build_tells_its_stack_its_resources_and_its_nodes() {
    let template = template().await;
    let resources = template["Resources"].as_object().unwrap();
    let groups = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::EKS::Nodegroup");
    let groups: Vec<(&str, u64)> = groups
        .map(|(name, group)| {
            let size = &group["Properties"]["ScalingConfig"]["DesiredSize"];
            (name.as_str(), size.as_u64().unwrap())
        })
        .collect();
    let wanted: u64 = groups.iter().map(|(_, size)| size).sum();
    let (group, size) = groups[0];

    let stacks = Memory::new();
    let watch = BuildWatch::new(at("12:00:00"));
    let watched = Watched {
        stacks: &stacks,
        watch: &watch,
    };
    assert_eq!(watch.progress(), None);
    let change = Change {
        stack: NAME.to_owned(),
        name: "lifeboat-0".to_owned(),
        is_new: true,
        template: template.to_string().into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::from([(STACK_TAG.to_owned(), "cluster-orders".to_owned())]),
    };
    watched.create_change_set(&change).await.unwrap();
    watched.describe_change_set(NAME, "lifeboat-0").await.unwrap();
    assert_eq!(watch.progress(), None, "nothing changes yet");
    let executed = watched.execute_change_set(NAME, "lifeboat-0", OnFailure::Keep);
    executed.await.unwrap();
    let progress = watch.progress().unwrap();
    assert_eq!(progress.stack.as_ref().unwrap().as_str(), NAME);
    assert_eq!((progress.done, progress.total), (0, Some(resources.len() as u64)));
    assert_eq!(progress.nodes, Some(NodeProgress { wanted, joined: 0 }));

    let of_group = (group, "AWS::EKS::Nodegroup");
    let newest_first = vec![
        event("2", "12:01:00", of_group, "CREATE_COMPLETE"),
        event("1", "12:00:30", of_group, "CREATE_IN_PROGRESS"),
        event(
            "0",
            "11:59:59",
            (NAME, "AWS::CloudFormation::Stack"),
            "DELETE_COMPLETE",
        ),
    ];
    stacks
        .events
        .lock()
        .unwrap()
        .insert(NAME.to_owned(), newest_first);
    let told = [
        format!(
            "{NAME}: 12:00:30 CREATE_IN_PROGRESS AWS::EKS::Nodegroup {group}: \"Resource creation Initiated\""
        ),
        format!("{NAME}: 12:01:00 CREATE_COMPLETE AWS::EKS::Nodegroup {group}"),
    ];
    for _ in 0..2 {
        watched.events(NAME).await.unwrap();
        assert_eq!(
            lines(&watch),
            told,
            "each once, and nothing of an earlier operation"
        );
    }
    let progress = watch.progress().unwrap();
    assert_eq!(progress.done, 1);
    assert_eq!(progress.nodes, Some(NodeProgress { wanted, joined: size }));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_invocation_has_begun_is_told_too() {
    let stacks = Memory::new();
    recovery!(&stacks, facts()).deploy(Mode::Active).await.unwrap();
    stacks.busy.lock().unwrap().insert(NAME.to_owned(), 1);
    let cluster = ("Cluster", "AWS::EKS::Cluster");
    let events = vec![event("1", "12:00:30", cluster, "CREATE_COMPLETE")];
    stacks.events.lock().unwrap().insert(NAME.to_owned(), events);

    let watch = BuildWatch::new(at("12:00:00"));
    let watched = Watched {
        stacks: &stacks,
        watch: &watch,
    };
    watched.describe("lifeboat-shop-network").await.unwrap();
    assert_eq!(watch.progress(), None, "it does not change");
    watched.describe(NAME).await.unwrap();
    let progress = watch.progress().unwrap();
    assert_eq!((progress.done, progress.total, progress.nodes), (1, None, None));
    assert_eq!(
        lines(&watch),
        [format!(
            "{NAME}: 12:00:30 CREATE_COMPLETE AWS::EKS::Cluster Cluster"
        )]
    );
    assert_eq!(
        progress.to_string(),
        format!("{NAME}: what began earlier goes on")
    );
}
