//! What the stack `control` does so that recovery points and the state of the coordinator stay.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Template, many};
use crate::templates;

fn control() -> Template {
    let mut templates = templates().into_iter();
    templates.find(|template| template.name == "control").unwrap()
}

/// The statement of a bucket's policy with this `Sid`.
fn statement<'a>(template: &'a Template, policy: &str, sid: &str) -> &'a Value {
    let statements = &template.root["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"];
    let mut statements = statements.as_array().unwrap().iter();
    let found = statements.find(|statement| statement["Sid"] == sid);
    found.unwrap_or_else(|| panic!("{policy} has no statement {sid}"))
}

/// The ARNs that a condition exempts, as the template writes them before the list is split.
fn exempt(statement: &Value) -> &str {
    let split = &statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]["Fn::Split"];
    assert_eq!(split[0], ",");
    split[1]["Fn::Sub"][0].as_str().unwrap()
}

const ROOT: &str = "arn:${AWS::Partition}:iam::${AWS::AccountId}:root";

#[test]
fn vault_and_state_are_locked_by_default() {
    let control = control();
    let parameters = &control.root["Parameters"];
    assert_eq!(parameters["LockDays"]["Default"], 14.0);
    assert_eq!(parameters["LockMode"]["Default"], "GOVERNANCE");
    for bucket in ["Vault", "State"] {
        let properties = &control.root["Resources"][bucket]["Properties"];
        assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
        assert_eq!(
            properties["ObjectLockEnabled"]["Fn::If"],
            json!(["EnableObjectLock", true, {"Ref": "AWS::NoValue"}])
        );
        let retention = &properties["ObjectLockConfiguration"]["Fn::If"][1]["Rule"]["DefaultRetention"];
        assert_eq!(
            *retention,
            json!({"Mode": {"Ref": "LockMode"}, "Days": {"Ref": "LockDays"}})
        );
    }
}

#[test]
fn buckets_and_their_policies_outlive_the_stack() {
    let control = control();
    for (bucket, policy) in [("Vault", "VaultPolicy"), ("State", "StatePolicy")] {
        let resources = &control.root["Resources"];
        assert_eq!(resources[bucket]["DeletionPolicy"], "Retain");
        assert_eq!(resources[policy]["DeletionPolicy"], "RetainExceptOnCreate");
        for resource in [bucket, policy] {
            assert_eq!(resources[resource]["UpdateReplacePolicy"], "Retain", "{resource}");
        }
    }
}

#[test]
fn nobody_but_the_coordinator_writes_to_vault_and_state() {
    for policy in ["VaultPolicy", "StatePolicy"] {
        let control = control();
        let denial = statement(&control, policy, "DenyWritesOfOthers");
        let actions: BTreeSet<&str> = many(&denial["Action"])
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(
            actions.is_superset(&["s3:PutObject", "s3:DeleteObject"].into()),
            "{actions:?}"
        );
        assert_eq!(
            exempt(denial),
            format!("{ROOT},${{CoordinatorRole.Arn}}${{BreakGlass}}")
        );
    }
}

#[test]
fn objects_of_the_vault_are_written_once_and_the_state_by_compare_and_swap() {
    let control = control();
    for (policy, null) in [
        ("VaultPolicy", json!({"s3:if-none-match": "true"})),
        (
            "StatePolicy",
            json!({"s3:if-none-match": "true", "s3:if-match": "true"}),
        ),
    ] {
        let denial = statement(&control, policy, "DenyUnconditionalWrites");
        assert_eq!(denial["Condition"]["Null"], null);
        assert_eq!(
            denial["Condition"]["Bool"],
            json!({"s3:ObjectCreationOperation": "true"})
        );
        assert_eq!(exempt(denial), format!("{ROOT}${{BreakGlass}}"));
    }
}

#[test]
fn only_break_glass_principals_remove_versions_and_only_stacks_change_settings() {
    let control = control();
    for policy in ["VaultPolicy", "StatePolicy"] {
        let versions = statement(&control, policy, "DenyLossOfVersions");
        assert_eq!(
            versions["Action"],
            json!([
                "s3:DeleteObjectVersion",
                "s3:BypassGovernanceRetention",
                "s3:PutObjectRetention"
            ])
        );
        assert_eq!(exempt(versions), format!("{ROOT}${{BreakGlass}}"));
        let settings = statement(&control, policy, "DenyConfiguration");
        let actions: BTreeSet<&str> = many(&settings["Action"])
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        for action in [
            "s3:DeleteBucketPolicy",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketPolicy",
            "s3:PutBucketVersioning",
            "s3:PutLifecycleConfiguration",
        ] {
            assert!(actions.contains(action), "{policy} does not deny {action}");
        }
        assert_eq!(exempt(settings), format!("{ROOT}${{BreakGlass}}${{Deployment}}"));
        assert_eq!(
            settings["Condition"]["StringNotEquals"]["Fn::If"],
            json!(["HasDeploymentRoles", {"Ref": "AWS::NoValue"}, {"aws:CalledViaLast": "cloudformation.amazonaws.com"}])
        );
    }
}
