//! Deployments that fail, with the diagnosis of the failure.

use super::*;

/// Returns a script of a new stack, of which the creation of a resource fails with this reason.
fn failing(reason: &str, turns: Vec<Option<Stack>>) -> Script {
    let failed = event("1", "CREATE_FAILED", "Nodes", reason);
    let mut script = Script::new(turns, vec![Vec::new(), vec![failed]]);
    script.on_failure = OnFailure::Keep;
    script
}

#[tokio::test(start_paused = true)]
async fn a_failed_resource_is_diagnosed_and_the_next_deployment_goes_on() {
    let joined = "Nodegroup general failed to stabilize: [{Code: NodeCreationFailure,Message: Instances failed to join the kubernetes cluster,ResourceIds: [i-02d2213bead380a29]}]";
    let script = failing(joined, vec![None, stack("CREATE_FAILED")]);
    insta::assert_snapshot!("diagnosed", script.deploy().await.unwrap_err().to_string());
    let script = failing(joined, vec![stack("CREATE_FAILED"), stack("UPDATE_COMPLETE")]);
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Updated);
}

/// The first failure that is known counts, not what follows from it.
#[tokio::test(start_paused = true)]
async fn the_first_failure_that_is_known_gives_the_code() {
    let events = vec![
        event(
            "3",
            "CREATE_FAILED",
            "Other",
            "The maximum number of VPCs has been reached.",
        ),
        event("2", "CREATE_FAILED", "Vpc", "Resource creation cancelled"),
        event("1", "CREATE_FAILED", "Role", "something that nobody knows"),
    ];
    let mut script = Script::new(vec![None, stack("CREATE_FAILED")], vec![Vec::new(), events]);
    script.on_failure = OnFailure::Keep;
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::QuotaExceeded);
    assert!(
        failure.causes[0].contains("something that nobody knows"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_effective_yet_is_tried_again_at_once() {
    let reason = "Role with arn: arn:aws:iam::222222222222:role/orders, could not be assumed because it does not exist or the trusted entity is not correct";
    let turns = vec![
        None,
        stack("CREATE_FAILED"),
        stack("CREATE_FAILED"),
        stack("UPDATE_COMPLETE"),
    ];
    let script = failing(reason, turns);
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Updated);
    let names: Vec<String> = (script.changes.lock().unwrap().iter())
        .map(|change| change.name.clone())
        .collect();
    assert_eq!(
        names,
        ["lifeboat-1", "lifeboat-1-2"],
        "each has a name of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_role_that_never_becomes_effective_ends_the_deployment() {
    let reason = "Invalid principal in policy: \"AWS\":\"arn:aws:iam::222222222222:role/cart\"";
    let failed = |id: &str| vec![event(id, "UPDATE_FAILED", "Role", reason)];
    let mut script = Script::new(
        vec![stack("CREATE_FAILED")],
        vec![
            Vec::new(),
            failed("1"),
            failed("1"),
            failed("2"),
            failed("2"),
            failed("3"),
        ],
    );
    script.on_failure = OnFailure::Keep;
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::NotYetConsistent);
    assert_eq!(script.executed.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_deleted_while_it_is_built_is_named() {
    for turns in [
        vec![None, stack("CREATE_IN_PROGRESS"), None],
        vec![None, stack("CREATE_IN_PROGRESS"), stack("DELETE_IN_PROGRESS")],
    ] {
        let script = failing("", turns);
        let failure = script.deploy().await.unwrap_err();
        assert_eq!(failure.code, Code::StackDeleted, "{failure}");
        assert!(failure.guidance.contains("builds the stack anew"), "{failure}");
    }
    // And afterwards it is built anew.
    let script = failing("", vec![None, stack("CREATE_COMPLETE")]);
    assert_eq!(script.deploy().await.unwrap().outcome, Outcome::Created);
}

/// CloudFormation refuses to replace resources while it keeps what was built.
#[tokio::test(start_paused = true)]
async fn an_update_that_replaces_a_resource_is_rolled_back_if_it_fails() {
    let replaced = |replacement: Option<&str>| ChangeSet {
        status: "CREATE_COMPLETE".to_owned(),
        reason: String::new(),
        changes: vec![ResourceChange {
            replacement: replacement.map(str::to_owned),
            ..resource_change("Nodes")
        }],
    };
    for (status, replacement, on_failure) in [
        ("CREATE_COMPLETE", Some("True"), OnFailure::RollBack),
        ("CREATE_COMPLETE", Some("Conditional"), OnFailure::RollBack),
        ("CREATE_COMPLETE", Some("False"), OnFailure::Keep),
        ("CREATE_COMPLETE", None, OnFailure::Keep),
        // A stack that has failed is only updated if it goes on to keep what was built.
        ("UPDATE_FAILED", Some("True"), OnFailure::Keep),
    ] {
        let mut script = Script::new(vec![stack(status), stack("UPDATE_COMPLETE")], vec![Vec::new()]);
        script.on_failure = OnFailure::Keep;
        script.change_sets = Turns::new(vec![replaced(replacement)]);
        script.deploy().await.unwrap();
        assert_eq!(
            *script.executed.lock().unwrap(),
            [on_failure],
            "{status} {replacement:?}"
        );
    }
}

/// CloudFormation finds names that are taken before it executes a change set.
#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_found_before_anything_is_changed() {
    let mut script = Script::new(vec![None], vec![Vec::new()]);
    script.change_sets = Turns::new(vec![ChangeSet {
        status: "FAILED".to_owned(),
        reason: "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information.".to_owned(),
        changes: Vec::new(),
    }]);
    let failure = script.deploy().await.unwrap_err();
    assert_eq!(failure.code, Code::NameTaken);
    assert!(
        failure
            .guidance
            .contains("aws cloudformation describe-events --stack-name lifeboat-application-shop"),
        "{failure}"
    );
    assert!(!script.has_called("execute"));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_is_diagnosed() {
    let denied = "User: arn:aws:iam::222222222222:user/dr is not authorized to perform: ec2:DeleteVpc on resource: arn:aws:ec2:eu-central-1:222222222222:vpc/vpc-1 because no identity-based policy allows the ec2:DeleteVpc action";
    let script = Script::new(
        vec![stack("CREATE_COMPLETE"), stack("DELETE_FAILED")],
        vec![Vec::new(), vec![event("1", "DELETE_FAILED", "Vpc", denied)]],
    );
    let failure = delete(&script, "lifeboat-application-shop", &of_shop(), &|_| {})
        .await
        .unwrap_err();
    assert_eq!(failure.code, Code::ResourceDenied);
    assert!(
        failure.guidance.starts_with("allow ec2:DeleteVpc to "),
        "{failure}"
    );
}

/// Neither a new stack nor a failed one is as it should be when CloudFormation finds nothing to change.
#[tokio::test(start_paused = true)]
async fn nothing_to_change_is_no_success_for_a_stack_that_is_not_there_or_has_failed() {
    for (before, code) in [
        (None, Code::StackFailed),
        (stack("CREATE_FAILED"), Code::StackNotUpdatable),
    ] {
        let mut script = Script::new(vec![before], vec![Vec::new()]);
        script.on_failure = OnFailure::Keep;
        script.change_sets = Turns::new(vec![ChangeSet {
            status: "FAILED".to_owned(),
            reason: "No updates are to be performed.".to_owned(),
            changes: Vec::new(),
        }]);
        assert_eq!(script.deploy().await.unwrap_err().code, code);
        assert!(!script.has_called("execute"));
    }
}
