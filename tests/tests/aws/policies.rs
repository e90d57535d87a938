//! The policies in force, as the AWS APIs return them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lifeboat_tests::aws::client::Client;
use serde_json::Value;

use crate::accounts::{TOPIC, TestAccounts, list, text};
use crate::grants::Grant;

/// Statements that are in force only if a parameter asks for them, which the tour does not do.
const OPTIONAL: &[&str] = &[
    "RecoveryDelegateReadVault",
    "RecoveryDelegateListVault",
    "UseEncryptionKey",
    // Only a private cluster has a delegate with them.
    "AttachToVpc",
    "DenyCodeOfFunction",
    // The permissions boundary of its role.
    "BoundJobs",
    "BoundLists",
    "BoundLogs",
    "BoundVault",
    "BoundVpc",
    "BoundEncryptionKey",
    "EncryptPrivateDelegates",
    // Only an application that is rebuilt has them.
    "AllowAllButIdentities",
    "AllowInstanceProfiles",
    "AllowPassRoleToInstances",
    "BuildFileSystems",
    "BuildInstanceProfiles",
    "BuildNetwork",
    "BuildPolicies",
    "BuildRepositories",
    "ChangeBuiltClusters",
    "ChangeBuiltNetwork",
    "ChangeBuiltProviders",
    "ChangeBuiltRoles",
    "ChangeBuiltStorage",
    "ChangeClusterSecurityGroups",
    "ChangeMountTargets",
    "CreateBoundedRoles",
    "CreateClusters",
    "CreateKeys",
    "CreateServiceLinkedRoles",
    "DeployStacks",
    "EndReplication",
    "FindCertificates",
    "GrantToBoundedRoles",
    "KeepOwnRoles",
    "ListCounterparts",
    "ListFileSystems",
    "NameKeys",
    "PassRolesToEks",
    "ReadClusters",
    "ReadNetwork",
    "ReadRoles",
    "ReadVersions",
    "ReplicateKeys",
    "TagCreatedClusters",
    "TagCreatedRoles",
    "TagCreatedStorage",
    "UploadTemplates",
    "UseKeys",
];

/// Returns every grant of every role, bucket, key, queue and topic that the stacks created.
pub(crate) fn grants(field: &TestAccounts<'_>) -> Result<Vec<Grant>> {
    let mut grants = Vec::new();
    for who in [field.primary, field.recovery] {
        roles(who, &mut grants)?;
        buckets(who, &mut grants)?;
        keys(who, &mut grants)?;
        queues(field, who, &mut grants)?;
    }
    topic(field.recovery, &mut grants)?;
    let found: BTreeSet<&str> = grants.iter().map(|grant| grant.statement.as_str()).collect();
    for wanted in named_in_templates()? {
        ensure!(
            found.contains(wanted.as_str()) || OPTIONAL.contains(&wanted.as_str()),
            "no policy has the statement {wanted} of the templates"
        );
    }
    Ok(grants)
}

fn roles(who: &Client, grants: &mut Vec<Grant>) -> Result<()> {
    for role in list(&who.json(&["iam", "list-roles"])?["Roles"]) {
        let name = text(&role["RoleName"]);
        if !name.starts_with("Lifeboat") {
            continue;
        }
        let attached = who.json(&["iam", "list-attached-role-policies", "--role-name", name])?;
        ensure!(
            list(&attached["AttachedPolicies"]).is_empty(),
            "{name} has policies that no template shows: {attached}"
        );
        for policy in list(&who.json(&["iam", "list-role-policies", "--role-name", name])?["PolicyNames"]) {
            let policy = text(policy);
            let got = who.json(&[
                "iam",
                "get-role-policy",
                "--role-name",
                name,
                "--policy-name",
                policy,
            ])?;
            grants.extend(Grant::of_role(text(&role["Arn"]), &got["PolicyDocument"]));
        }
    }
    Ok(())
}

fn buckets(who: &Client, grants: &mut Vec<Grant>) -> Result<()> {
    const OURS: &[&str] = &["lifeboat-scratch-", "lifeboat-vault-", "lifeboat-state-"];
    for bucket in list(&who.json(&["s3api", "list-buckets"])?["Buckets"]) {
        let name = text(&bucket["Name"]);
        if OURS.iter().any(|ours| name.starts_with(ours)) {
            let got = who.json(&["s3api", "get-bucket-policy", "--bucket", name])?;
            let arn = format!("arn:aws:s3:::{name}");
            grants.extend(Grant::of_resource(
                &format!("bucket {name}"),
                &arn,
                &policy(&got["Policy"])?,
            ));
        }
    }
    Ok(())
}

fn keys(who: &Client, grants: &mut Vec<Grant>) -> Result<()> {
    for alias in list(&who.json(&["kms", "list-aliases"])?["Aliases"]) {
        let name = text(&alias["AliasName"]);
        if !name.starts_with("alias/lifeboat-") {
            continue;
        }
        let id = text(&alias["TargetKeyId"]);
        let described = who.json(&["kms", "describe-key", "--key-id", id])?;
        let arn = text(&described["KeyMetadata"]["Arn"]);
        let got = who.json(&[
            "kms",
            "get-key-policy",
            "--key-id",
            id,
            "--policy-name",
            "default",
        ])?;
        grants.extend(Grant::of_resource(
            &format!("key {name}"),
            arn,
            &policy(&got["Policy"])?,
        ));
    }
    Ok(())
}

fn queues(field: &TestAccounts<'_>, who: &Client, grants: &mut Vec<Grant>) -> Result<()> {
    // The client builds the URLs of queues by an older rule than all other endpoints.
    let endpoint = ["--endpoint-url", &field.aws.endpoint()];
    let listed = who.json(&[&["sqs", "list-queues"][..], &endpoint].concat())?;
    for queue in list(&listed["QueueUrls"]) {
        let asked = [
            "sqs",
            "get-queue-attributes",
            "--queue-url",
            text(queue),
            "--attribute-names",
            "All",
        ];
        let got = who.json(&[&asked[..], &endpoint].concat())?;
        let (arn, document) = (text(&got["Attributes"]["QueueArn"]), &got["Attributes"]["Policy"]);
        // The queue that listens to the topic has no policy.
        if document.is_string() {
            grants.extend(Grant::of_resource(
                &format!("queue {arn}"),
                arn,
                &policy(document)?,
            ));
        }
    }
    Ok(())
}

fn topic(who: &Client, grants: &mut Vec<Grant>) -> Result<()> {
    let got = who.json(&["sns", "get-topic-attributes", "--topic-arn", TOPIC])?;
    grants.extend(Grant::of_resource(
        "topic lifeboat-issues",
        TOPIC,
        &policy(&got["Attributes"]["Policy"])?,
    ));
    Ok(())
}

fn policy(text: &Value) -> Result<Value> {
    let text = text.as_str().context("a policy is a text")?;
    serde_json::from_str(text).with_context(|| format!("this is no policy: {text}"))
}

/// Returns the `Sid` of every statement that grants something, in all templates.
fn named_in_templates() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let template = std::fs::read_to_string(entry?.path())?;
        let mut lines = template.lines().peekable();
        while let Some(line) = lines.next() {
            let name = line.trim().strip_prefix("- Sid: ");
            let grants = lines.peek().is_some_and(|next| next.trim() == "Effect: Allow");
            names.extend(name.filter(|_| grants).map(str::to_owned));
        }
    }
    ensure!(names.len() > 20, "the templates were not found: {names:?}");
    Ok(names)
}
