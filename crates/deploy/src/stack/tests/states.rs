//! What a deployment does with a stack in each state that an earlier one, or somebody, has left it in.

use aws_sdk_cloudformation::types::StackStatus;

use super::*;

/// What a deployment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It changes the stack.
    Updates,
    /// It creates the stack.
    Creates,
    /// It deletes what is left, and creates the stack.
    CreatesAgain,
    /// It waits, and changes the stack then.
    WaitsAndUpdates,
    /// It changes nothing and says what to do.
    Refuses,
}

use Expected::*;

/// The states of <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>, with what is
/// done for a stack that keeps what was built, and for one that is rolled back.
const STATES: &[(&str, Expected, Expected)] = &[
    ("CREATE_COMPLETE", Updates, Updates),
    ("CREATE_FAILED", Updates, Refuses),
    ("CREATE_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
    ("DELETE_COMPLETE", Creates, Creates),
    ("DELETE_FAILED", CreatesAgain, Refuses),
    ("DELETE_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
    ("IMPORT_COMPLETE", Updates, Updates),
    ("IMPORT_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
    ("IMPORT_ROLLBACK_COMPLETE", Updates, Updates),
    ("IMPORT_ROLLBACK_FAILED", Refuses, Refuses),
    ("IMPORT_ROLLBACK_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
    ("REVIEW_IN_PROGRESS", Creates, Creates),
    ("ROLLBACK_COMPLETE", CreatesAgain, Refuses),
    ("ROLLBACK_FAILED", CreatesAgain, Refuses),
    ("ROLLBACK_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
    ("UPDATE_COMPLETE", Updates, Updates),
    (
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        WaitsAndUpdates,
        WaitsAndUpdates,
    ),
    ("UPDATE_FAILED", Updates, Refuses),
    ("UPDATE_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
    ("UPDATE_ROLLBACK_COMPLETE", Updates, Updates),
    (
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        WaitsAndUpdates,
        WaitsAndUpdates,
    ),
    ("UPDATE_ROLLBACK_FAILED", Refuses, Refuses),
    ("UPDATE_ROLLBACK_IN_PROGRESS", WaitsAndUpdates, WaitsAndUpdates),
];

/// Returns a script of a stack in this state, of which CloudFormation does what it is asked for.
fn script(status: &str, expected: Expected, on_failure: OnFailure) -> Script {
    let turns = match expected {
        Updates | Refuses => vec![stack(status), stack("UPDATE_COMPLETE")],
        Creates => vec![stack(status), stack("CREATE_COMPLETE")],
        // Looked at, looked at before the deletion, being deleted, gone, created.
        CreatesAgain => vec![
            stack(status),
            stack(status),
            stack("DELETE_IN_PROGRESS"),
            None,
            stack("CREATE_COMPLETE"),
        ],
        WaitsAndUpdates => vec![stack(status), stack("CREATE_COMPLETE"), stack("UPDATE_COMPLETE")],
    };
    let mut script = Script::new(turns, vec![Vec::new()]);
    script.tags = of_shop();
    script.on_failure = on_failure;
    script
}

#[tokio::test(start_paused = true)]
async fn every_state_of_a_stack_is_continued_created_again_or_refused() {
    let known: Vec<&str> = STATES.iter().map(|(status, ..)| *status).collect();
    assert_eq!(known, StackStatus::values(), "the states of the SDK");
    for (status, keeps, rolls_back) in STATES {
        for (on_failure, expected) in [(OnFailure::Keep, *keeps), (OnFailure::RollBack, *rolls_back)] {
            let script = script(status, expected, on_failure);
            let ended = script.deploy().await;
            let calls = script.calls.lock().unwrap().clone();
            let is_new: Vec<bool> = (script.changes.lock().unwrap().iter())
                .map(|change| change.is_new)
                .collect();
            let told = script.lines.lock().unwrap().join("\n");
            let found = (ended.map(|deployed| deployed.outcome), calls, is_new);
            let wanted = match expected {
                Updates | WaitsAndUpdates => (Ok(Outcome::Updated), vec!["execute"], vec![false]),
                Creates => (Ok(Outcome::Created), vec!["execute"], vec![true]),
                CreatesAgain => (Ok(Outcome::Created), vec!["delete-stack", "execute"], vec![true]),
                Refuses => {
                    let problem = found.0.clone().unwrap_err();
                    assert_eq!(problem.code, Code::StackNotUpdatable, "{status}: {problem}");
                    assert!(problem.guidance.contains("aws cloudformation "), "{problem}");
                    (Err(problem), Vec::new(), Vec::new())
                }
            };
            assert_eq!(found, wanted, "{status} {on_failure:?}");
            assert_eq!(
                told.contains("waiting for it to end"),
                expected == WaitsAndUpdates,
                "{status}: {told}"
            );
        }
    }
}

/// Nothing of somebody else is waited for, changed or deleted, whatever its state.
#[tokio::test(start_paused = true)]
async fn in_every_state_a_stack_of_somebody_else_is_left_alone() {
    let states = STATES.iter().map(|(status, ..)| *status);
    for status in states.filter(|status| *status != "DELETE_COMPLETE") {
        let mut foreign = stack(status);
        foreign.as_mut().unwrap().tags = [("owner", "payments")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let mut script = Script::new(vec![foreign], vec![Vec::new()]);
        script.tags = of_shop();
        script.on_failure = OnFailure::Keep;
        let tell = |_: &str| {};
        let name = "lifeboat-application-shop";
        for failure in [
            script.deploy().await.unwrap_err(),
            delete(&script, name, &script.tags, &tell).await.unwrap_err(),
        ] {
            assert_eq!(failure.code, Code::StackForeign, "{status}: {failure}");
        }
        assert!(script.calls.lock().unwrap().is_empty(), "{status}");
        assert!(script.changes.lock().unwrap().is_empty(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_deleted_is_left_to_the_user_with_the_command() {
    let mut script = script("ROLLBACK_COMPLETE", CreatesAgain, OnFailure::Keep);
    script.deletes = false;
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::StackNotUpdatable, "{failure}");
    let command = "aws cloudformation delete-stack --stack-name lifeboat-application-shop --region eu-west-1";
    assert!(failure.guidance.contains(command), "{failure}");
    assert!(
        failure.to_string().contains("failed to delete the stack"),
        "{failure}"
    );
    assert!(script.changes.lock().unwrap().is_empty());
}

/// A preview that was interrupted leaves an empty stack; another one may be somebody's.
#[tokio::test(start_paused = true)]
async fn a_preview_deletes_no_stack_that_was_there_before() {
    let mut empty = stack("REVIEW_IN_PROGRESS");
    empty.as_mut().unwrap().tags.clear();
    let script = Script::new(vec![empty], vec![Vec::new()]);
    let wanted = StackSpec {
        stack: "lifeboat-application-shop".to_owned(),
        template: APPLICATION.body.into(),
        parameters: BTreeMap::new(),
        tags: of_shop(),
        change_set: "lifeboat-1".to_owned(),
        on_failure: OnFailure::Keep,
    };
    preview(&script, &wanted, &|_| {}).await.unwrap();
    assert_eq!(*script.calls.lock().unwrap(), ["delete"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_stack_of_ours_is_deleted_too() {
    let script = Script::new(vec![stack("REVIEW_IN_PROGRESS")], vec![Vec::new()]);
    let name = "lifeboat-application-shop";
    assert!(delete(&script, name, &of_shop(), &|_| {}).await.unwrap());
    assert_eq!(*script.calls.lock().unwrap(), ["delete-stack"]);
}

#[tokio::test(start_paused = true)]
async fn changes_by_hand_that_were_detected_are_told_and_kept() {
    let mut drifted = stack("CREATE_COMPLETE");
    drifted.as_mut().unwrap().is_drifted = true;
    let script = Script::new(vec![drifted, stack("UPDATE_COMPLETE")], vec![Vec::new()]);
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Updated);
    let lines = script.lines.lock().unwrap().join("\n");
    assert!(lines.contains("were changed by hand"), "{lines}");
}
