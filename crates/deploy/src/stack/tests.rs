//! Deployments against a CloudFormation whose answers are scripted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::template::APPLICATION;

mod failures;
mod states;

/// Returns answers in turn, then repeats the last one.
struct Turns<T>(Mutex<VecDeque<T>>);

impl<T: Clone> Turns<T> {
    fn new(turns: Vec<T>) -> Self {
        Self(Mutex::new(turns.into()))
    }

    fn next(&self) -> T {
        let mut turns = self.0.lock().unwrap();
        match turns.len() {
            1 => turns.front().unwrap().clone(),
            _ => turns.pop_front().unwrap(),
        }
    }
}

struct Script {
    environment: EnvironmentId,
    stacks: Turns<Option<Stack>>,
    change_sets: Turns<ChangeSet>,
    events: Turns<Vec<Event>>,
    executes: bool,
    deletes: bool,
    tags: BTreeMap<String, String>,
    on_failure: OnFailure,
    calls: Mutex<Vec<&'static str>>,
    /// What was asked for in case of a failure, in order.
    executed: Mutex<Vec<OnFailure>>,
    changes: Mutex<Vec<Change>>,
    lines: Mutex<Vec<String>>,
}

impl Script {
    fn new(stacks: Vec<Option<Stack>>, events: Vec<Vec<Event>>) -> Self {
        let made = ChangeSet {
            status: "CREATE_COMPLETE".to_owned(),
            reason: String::new(),
            changes: vec![resource_change("ScratchBucket")],
        };
        Self {
            environment: EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
            stacks: Turns::new(stacks),
            change_sets: Turns::new(vec![
                ChangeSet {
                    status: "CREATE_IN_PROGRESS".to_owned(),
                    ..ChangeSet::default()
                },
                made,
            ]),
            events: Turns::new(events),
            executes: true,
            deletes: true,
            tags: BTreeMap::new(),
            on_failure: OnFailure::RollBack,
            calls: Mutex::default(),
            executed: Mutex::default(),
            changes: Mutex::default(),
            lines: Mutex::default(),
        }
    }

    fn called(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    fn has_called(&self, call: &str) -> bool {
        self.calls.lock().unwrap().contains(&call)
    }

    async fn deploy(&self) -> Result<Deployed, Problem> {
        let wanted = StackSpec {
            stack: "lifeboat-application-shop".to_owned(),
            template: APPLICATION.body.into(),
            parameters: BTreeMap::from([("Application".to_owned(), "shop".to_owned())]),
            tags: self.tags.clone(),
            change_set: "lifeboat-1".to_owned(),
            on_failure: self.on_failure,
        };
        let tell = |line: &str| self.lines.lock().unwrap().push(line.to_owned());
        deploy(self, &wanted, &tell).await
    }
}

#[async_trait]
impl Stacks for Script {
    fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    async fn describe(&self, _: &str) -> Result<Option<Stack>, Problem> {
        Ok(self.stacks.next())
    }

    async fn resources(&self, _: &str) -> Result<Vec<StackResource>, Problem> {
        Ok(Vec::new())
    }

    async fn template(&self, _: &str) -> Result<String, Problem> {
        Ok(APPLICATION.body.to_owned())
    }

    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem> {
        let stack = self.stacks.next();
        Ok((stack.into_iter())
            .map(|stack| ("lifeboat-application-shop".to_owned(), stack))
            .collect())
    }

    async fn create_change_set(&self, change: &Change) -> Result<(), Problem> {
        self.changes.lock().unwrap().push(change.clone());
        Ok(())
    }

    async fn describe_change_set(&self, _: &str, _: &str) -> Result<ChangeSet, Problem> {
        Ok(self.change_sets.next())
    }

    async fn delete_change_set(&self, _: &str, _: &str) -> Result<(), Problem> {
        self.called("delete");
        Ok(())
    }

    async fn execute_change_set(&self, _: &str, _: &str, on_failure: OnFailure) -> Result<(), Problem> {
        self.called("execute");
        self.executed.lock().unwrap().push(on_failure);
        if self.executes {
            Ok(())
        } else {
            Err(Problem::of(Code::AwsDenied, "failed to deploy the stack"))
        }
    }

    async fn delete_stack(&self, _: &str) -> Result<(), Problem> {
        self.called("delete-stack");
        if self.deletes {
            Ok(())
        } else {
            Err(Problem::of(Code::AwsDenied, "failed to delete the stack"))
        }
    }

    async fn events(&self, _: &str) -> Result<Vec<Event>, Problem> {
        Ok(self.events.next())
    }
}

fn resource_change(resource: &str) -> ResourceChange {
    ResourceChange {
        resource: resource.to_owned(),
        r#type: "AWS::S3::Bucket".to_owned(),
        action: "Add".to_owned(),
        replacement: None,
        properties: Vec::new(),
    }
}

fn stack(status: &str) -> Option<Stack> {
    Some(Stack {
        status: status.to_owned(),
        reason: String::new(),
        outputs: BTreeMap::from([("DelegateArn".to_owned(), "arn".to_owned())]),
        parameters: [("LogDays", "30"), ("Application", "shop"), ("Former", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        tags: [("lifeboat.dev/application", "shop")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        is_drifted: false,
    })
}

fn event(id: &str, status: &str, resource: &str, reason: &str) -> Event {
    let kind = if resource == "lifeboat-application-shop" {
        "AWS::CloudFormation::Stack"
    } else {
        "AWS::S3::Bucket"
    };
    Event {
        id: id.to_owned(),
        at: Some("2026-11-21T12:00:03Z".parse().unwrap()),
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_stack_is_made_and_each_event_told_once_in_order() {
    let one = event("1", "CREATE_IN_PROGRESS", "Bucket", "");
    let two = event("2", "CREATE_COMPLETE", "Bucket", "");
    let script = Script::new(
        vec![None, stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE")],
        vec![
            vec![event("0", "REVIEW_IN_PROGRESS", "s", "")],
            vec![one.clone()],
            vec![two, one],
        ],
    );
    let deployed = script.deploy().await.unwrap();
    assert_eq!(deployed.outcome, Outcome::Created);
    assert_eq!(deployed.outputs["DelegateArn"], "arn");
    let change = script.changes.lock().unwrap().remove(0);
    assert!(change.is_new);
    assert_eq!(
        change.parameters,
        BTreeMap::from([("Application".to_owned(), Some("shop".to_owned()))])
    );
    let lines = script.lines.lock().unwrap().join("\n");
    assert_eq!(
        lines,
        "lifeboat-application-shop: creating\n\
         lifeboat-application-shop: 12:00:03 CREATE_IN_PROGRESS AWS::S3::Bucket Bucket\n\
         lifeboat-application-shop: 12:00:03 CREATE_COMPLETE AWS::S3::Bucket Bucket"
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_set_stays_set() {
    let script = Script::new(
        vec![stack("CREATE_COMPLETE"), stack("UPDATE_COMPLETE")],
        vec![Vec::new()],
    );
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Updated);
    let change = script.changes.lock().unwrap().remove(0);
    assert!(!change.is_new);
    assert_eq!(change.parameters["LogDays"], None);
    assert_eq!(change.parameters["Application"].as_deref(), Some("shop"));
    // CloudFormation would reject a parameter that the template does not have any more.
    assert!(!change.parameters.contains_key("Former"));
}

#[tokio::test(start_paused = true)]
async fn nothing_to_change_is_a_success() {
    for (status, reason) in [
        (
            "FAILED",
            "The submitted information didn't contain changes. Submit different information to create a change set.",
        ),
        ("FAILED", "No updates are to be performed."),
        ("CREATE_COMPLETE", ""),
    ] {
        let mut script = Script::new(vec![stack("CREATE_COMPLETE")], vec![Vec::new()]);
        script.change_sets = Turns::new(vec![ChangeSet {
            status: status.to_owned(),
            reason: reason.to_owned(),
            changes: Vec::new(),
        }]);
        assert_eq!(
            script.deploy().await.unwrap().outcome,
            Outcome::Unchanged,
            "{reason}"
        );
        assert!(script.has_called("delete") && !script.has_called("execute"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_planned_says_why() {
    let mut script = Script::new(vec![stack("CREATE_COMPLETE")], vec![Vec::new()]);
    script.change_sets = Turns::new(vec![ChangeSet {
        status: "FAILED".to_owned(),
        reason: "Parameters: [Colour] do not exist in the template".to_owned(),
        changes: Vec::new(),
    }]);
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::StackFailed);
    assert!(failure.to_string().contains("[Colour]"), "{failure}");
    assert!(!script.has_called("execute"));
}

fn failing_events() -> Vec<Event> {
    vec![
        event("6", "ROLLBACK_COMPLETE", "lifeboat-application-shop", ""),
        event(
            "5",
            "ROLLBACK_IN_PROGRESS",
            "lifeboat-application-shop",
            "The following resource(s) failed to create: [Bucket, Other].",
        ),
        event("4", "CREATE_FAILED", "Other", "Resource creation cancelled"),
        event("3", "CREATE_FAILED", "Bucket", "taken already"),
        event("2", "CREATE_IN_PROGRESS", "Bucket", ""),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_fails_names_what_failed_first() {
    let script = Script::new(
        vec![None, stack("ROLLBACK_IN_PROGRESS"), stack("ROLLBACK_COMPLETE")],
        vec![Vec::new(), failing_events()],
    );
    insta::assert_snapshot!("failed", script.deploy().await.unwrap_err().to_string());
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_leaves_the_former_stack() {
    let script = Script::new(
        vec![stack("CREATE_COMPLETE"), stack("UPDATE_ROLLBACK_COMPLETE")],
        vec![
            Vec::new(),
            vec![
                event("2", "UPDATE_ROLLBACK_COMPLETE", "lifeboat-application-shop", ""),
                event("1", "UPDATE_FAILED", "Bucket", "not allowed"),
            ],
        ],
    );
    insta::assert_snapshot!("not_updated", script.deploy().await.unwrap_err().to_string());
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_never_came_about_is_explained() {
    let script = Script::new(vec![stack("ROLLBACK_COMPLETE")], vec![failing_events()]);
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::StackNotUpdatable);
    insta::assert_snapshot!("creation_failed", failure.to_string());
    assert!(script.changes.lock().unwrap().is_empty());
    let script = Script::new(vec![stack("UPDATE_ROLLBACK_FAILED")], vec![Vec::new()]);
    let text = script.deploy().await.unwrap_err().to_string();
    assert!(text.contains("aws cloudformation continue-update-rollback --stack-name lifeboat-application-shop --region eu-west-1"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_an_interrupted_command_has_begun_is_waited_for() {
    let script = Script::new(
        vec![
            stack("UPDATE_IN_PROGRESS"),
            stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            stack("UPDATE_COMPLETE"),
        ],
        vec![Vec::new()],
    );
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Updated);
    let lines = script.lines.lock().unwrap();
    assert_eq!(
        lines.iter().filter(|line| line.contains("waiting")).count(),
        1,
        "{lines:?}"
    );
}

/// A change set that was never executed leaves a stack without resources, which must be created.
#[tokio::test(start_paused = true)]
async fn a_stack_in_review_is_made() {
    let script = Script::new(
        vec![stack("REVIEW_IN_PROGRESS"), stack("CREATE_COMPLETE")],
        vec![Vec::new()],
    );
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Created);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_is_no_failure_of_the_stack() {
    // The previous update of the stack failed; that must not be reported as the failure of this one.
    let mut script = Script::new(vec![stack("UPDATE_ROLLBACK_COMPLETE")], vec![Vec::new()]);
    script.executes = false;
    assert_eq!(script.deploy().await.unwrap_err().code, Code::AwsDenied);
    // If the operation fails during the call, the events must be reported instead of the error of the call.
    let mut script = Script::new(
        vec![None, stack("ROLLBACK_COMPLETE")],
        vec![Vec::new(), failing_events()],
    );
    script.executes = false;
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::StackFailed);
    assert!(failure.to_string().contains("taken already"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn where_no_resource_says_why_the_stack_does() {
    let mut ended = stack("ROLLBACK_COMPLETE");
    ended.as_mut().unwrap().reason = "The stack policy denies it".to_owned();
    let script = Script::new(vec![None, ended], vec![Vec::new()]);
    let text = script.deploy().await.unwrap_err().to_string();
    assert!(text.contains("because: The stack policy denies it"), "{text}");
}

fn of_shop() -> BTreeMap<String, String> {
    BTreeMap::from([("lifeboat.dev/application".to_owned(), "shop".to_owned())])
}

#[tokio::test(start_paused = true)]
async fn a_kept_stack_goes_on_from_what_was_built() {
    for status in ["CREATE_FAILED", "UPDATE_FAILED"] {
        let mut script = Script::new(vec![stack(status), stack("UPDATE_COMPLETE")], vec![Vec::new()]);
        script.on_failure = OnFailure::Keep;
        assert_eq!(
            script.deploy().await.unwrap().outcome,
            Outcome::Updated,
            "{status}"
        );
    }
    let mut script = Script::new(
        vec![None, stack("CREATE_FAILED")],
        vec![Vec::new(), failing_events()],
    );
    script.on_failure = OnFailure::Keep;
    let failure = script.deploy().await.unwrap_err();
    assert!(
        failure.guidance.contains("goes on with what was built"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_without_the_tag_is_neither_changed_nor_deleted() {
    let mut foreign = stack("CREATE_COMPLETE");
    foreign.as_mut().unwrap().tags.clear();
    let mut script = Script::new(vec![foreign], vec![Vec::new()]);
    script.tags = of_shop();
    let tell = |_: &str| {};
    let failures = [
        script.deploy().await.unwrap_err(),
        delete(&script, "lifeboat-application-shop", &script.tags, &tell)
            .await
            .unwrap_err(),
    ];
    for failure in failures {
        assert_eq!(failure.code, Code::StackForeign);
        assert!(
            failure.message.contains("lifeboat.dev/application=shop"),
            "{failure}"
        );
    }
    assert!(script.calls.lock().unwrap().is_empty() && script.changes.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_preview_changes_nothing() {
    let wanted = StackSpec {
        stack: "lifeboat-application-shop".to_owned(),
        template: APPLICATION.body.into(),
        parameters: BTreeMap::new(),
        tags: of_shop(),
        change_set: "lifeboat-1".to_owned(),
        on_failure: OnFailure::Keep,
    };
    let tell = |_: &str| {};
    for (before, calls) in [
        (None, vec!["delete", "delete-stack"]),
        (stack("CREATE_COMPLETE"), vec!["delete"]),
    ] {
        let script = Script::new(vec![before], vec![Vec::new()]);
        let changes = preview(&script, &wanted, &tell).await.unwrap();
        assert_eq!(changes, [resource_change("ScratchBucket")]);
        assert_eq!(*script.calls.lock().unwrap(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_followed_to_its_end() {
    let tell = |_: &str| {};
    let script = Script::new(
        vec![stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS"), None],
        vec![Vec::new()],
    );
    let name = "lifeboat-application-shop";
    assert!(delete(&script, name, &of_shop(), &tell).await.unwrap());
    let script = Script::new(vec![None], vec![Vec::new()]);
    assert!(!delete(&script, name, &of_shop(), &tell).await.unwrap());
    let script = Script::new(
        vec![stack("CREATE_COMPLETE"), stack("DELETE_FAILED")],
        vec![
            Vec::new(),
            vec![event("1", "DELETE_FAILED", "Bucket", "it is not empty")],
        ],
    );
    let failure = delete(&script, name, &of_shop(), &tell).await.unwrap_err();
    assert!(failure.to_string().contains("it is not empty"), "{failure}");
}
