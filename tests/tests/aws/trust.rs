//! Uses the features of Lifeboat that the tour leaves out, each once, and then checks its security:
//! each permission is needed and sufficient, no secret leaked, and no forged document was accepted.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use lifeboat_local::{AuditEntry, Decision};
use lifeboat_tests::aws::Scenario;
use lifeboat_tests::aws::client::Client;
use lifeboat_tests::environment::Reporter;
use serde_json::{Value, json};

use crate::accounts::{PRIMARY_SCRATCH, RECOVERY_SCRATCH, STATE, TOPIC, TestAccounts, VAULT, list, text};
use crate::forgeries::{self, Forgeries};
use crate::grants::{Call, Grant, compare};
use crate::secrets::{self, Secrets};
use crate::{interruptions, logs, policies};

/// A time before any safety period or retention.
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// Grants that no call of this run can use, each with the reason why it stays. An action `*` stands
/// for all actions of a statement.
const UNUSED: &[(&str, &str, &str)] = &[
    (
        "WriteLogs",
        "*",
        "the Lambda service writes the logs with the role of the function; here they are files",
    ),
    (
        "PublishKeyEvents",
        "sns:Publish",
        "EventBridge publishes what CloudTrail reports of the recovery key; there is no CloudTrail here",
    ),
    (
        "SendFailedInvocations",
        "sqs:SendMessage",
        "the Lambda service sends with the role of the function what failed; nothing fails so here",
    ),
    (
        "SendUndeliveredEvents",
        "sqs:SendMessage",
        "EventBridge sends what it cannot deliver; every event is delivered here",
    ),
    (
        "PublishAlarms",
        "sns:Publish",
        "CloudWatch publishes its alarms with it; no alarm is evaluated here",
    ),
    (
        "AbortMultipartUpload",
        "s3:AbortMultipartUpload",
        "only a pack of more than 8 MiB that cannot be finished is given up; the tests of the crate aws do it",
    ),
    (
        "DeleteCatalogueSegments",
        "s3:DeleteObject",
        "only a catalogue of more than 300 recovery points has segments; the tests of the coordinator do it",
    ),
    (
        "ReadJobsOfPrivateDelegates",
        "s3:GetObject",
        "only an application with a private cluster has such jobs; the tour of a rebuilt application seals one",
    ),
    (
        "ReadOwnStack",
        "*",
        "only an application with a private cluster needs it; the tour of a rebuilt application deploys one",
    ),
    (
        "ChangePrivateDelegates",
        "*",
        "only an application with a private cluster needs it; the tour of a rebuilt application deploys one",
    ),
    (
        "FollowPrivateDelegates",
        "*",
        "only an application with a private cluster needs it; the tour of a rebuilt application deploys one",
    ),
    (
        "PassPrivateDelegatesRole",
        "*",
        "only an application with a private cluster needs it; the tour of a rebuilt application deploys one",
    ),
    (
        "DeletePrivateRegistrations",
        "*",
        "only an application with a private cluster needs it; the tour of a rebuilt application deploys one",
    ),
    (
        "MakePrivateRoles",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "ChangePrivateRoles",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "MakePrivateDelegates",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "AskPrivateDelegates",
        "lambda:InvokeFunction",
        "only an application with a private cluster has such functions; the tour of a rebuilt application asks two",
    ),
    (
        "ReadPrivateNetworks",
        "*",
        "only an application with a private cluster needs them; the tour of a rebuilt application does it",
    ),
    (
        "ReadNetworks",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "ReadPrivateCode",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "CreatePrivateAccess",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "ChangePrivateAccess",
        "*",
        "CloudFormation calls it for a private delegate, inside AWS",
    ),
    (
        "DescribeClustersAndNodes",
        "*",
        "only a cluster with node groups, profiles, add-ons and associations needs all; the tests of describe do it",
    ),
    (
        "DescribeNetwork",
        "*",
        "only a VPC with all sorts of gateways and endpoints needs all; the tests of describe do it",
    ),
    (
        "DescribeRoles",
        "*",
        "only roles with policies and profiles need all; the tests of describe do it",
    ),
    (
        "DescribeRepositories",
        "*",
        "only objects with images of ECR need it; the tests of describe do it",
    ),
    (
        "DescribeRegistry",
        "*",
        "only objects with images of ECR need it; the tests of describe do it",
    ),
    (
        "DescribeFileSystems",
        "*",
        "only objects with volumes of EFS need it; the tests of describe do it",
    ),
    (
        "DescribeCertificates",
        "*",
        "only objects that name certificates need it; the tests of describe do it",
    ),
    (
        "DescribeTargetGroups",
        "*",
        "only objects that name target groups need it; the tests of describe do it",
    ),
    (
        "DescribeKeys",
        "*",
        "only encrypted clusters, repositories and file systems need it; the tests of describe do it",
    ),
    (
        "ListKeyAliases",
        "*",
        "only encrypted clusters, repositories and file systems need it; the tests of describe do it",
    ),
    (
        "ListClusters",
        "eks:ListClusters",
        "only an application that names its clusters by tag looks for them; the tests of access do it",
    ),
    (
        "WriteVault",
        "s3:AbortMultipartUpload",
        "only a pack of more than 8 MiB that cannot be finished is given up; the tests of the crate aws do it",
    ),
    // Without these a key could never be disabled, described, tagged or deleted, not even by the
    // root user (AWS KMS Developer Guide, "Default key policy"). CloudFormation calls some of them,
    // inside AWS.
    ("EnableIamPolicies", "kms:CancelKeyDeletion", "administration"),
    ("EnableIamPolicies", "kms:CreateAlias", "CloudFormation"),
    ("EnableIamPolicies", "kms:DeleteAlias", "CloudFormation"),
    ("EnableIamPolicies", "kms:DisableKey", "administration"),
    ("EnableIamPolicies", "kms:EnableKey", "administration"),
    ("EnableIamPolicies", "kms:ListResourceTags", "CloudFormation"),
    ("EnableIamPolicies", "kms:PutKeyPolicy", "CloudFormation"),
    ("EnableIamPolicies", "kms:ScheduleKeyDeletion", "administration"),
    ("EnableIamPolicies", "kms:TagResource", "CloudFormation"),
    ("EnableIamPolicies", "kms:UntagResource", "CloudFormation"),
    ("EnableIamPolicies", "kms:UpdateAlias", "CloudFormation"),
    ("EnableIamPolicies", "kms:UpdateKeyDescription", "CloudFormation"),
];

/// Continues where the tour ends until only what must outlive the stacks is left, and checks
/// permissions, secrecy and verification.
pub(crate) fn go_on(scenario: &Scenario<'_>, reporter: &mut Reporter) -> Result<()> {
    let field = TestAccounts::of(scenario)?;
    reporter.step(
        "walls",
        "What an administrator may not do, and a break-glass principal may",
    );
    break_glass(&field, reporter)?;
    let mut said = use_everything(&field, reporter)?;

    reporter.step("update", "New code by an update of the stacks");
    update(&field, reporter)?;
    for request in [
        json!({"status": {}}),
        json!({"points": {"application": "shop"}}),
        json!({"application": {"list": {}}}),
        json!({"application": {"get": {"application": "shop"}}}),
    ] {
        said.push((
            format!("the answer to {request}"),
            field.ask(&request)?.to_string(),
        ));
    }
    let secrets = Secrets::gather(&field)?;
    let grants = policies::grants(&field)?;
    let while_deployed = field.aws.audit().len();

    reporter.step("delete", "The end of the stacks");
    said.extend(delete(&field, field.primary, reporter)?);
    restore_without_primary(&field, reporter)?;
    said.extend(delete(&field, field.recovery, reporter)?);
    stays(&field)?;
    reporter.say("keys, buckets and recovery points have outlived their stacks");

    reporter.step("trust", "What was trusted, and what was told");
    // A run takes minutes, so it reports all failures at once.
    let found: Vec<String> = [
        nothing_refused(&field, while_deployed),
        needed_and_enough(&field, &grants, reporter),
        logs::are_structured(&field.aws.function_logs()),
        secrets::are_kept(&field, &secrets, &said).map(|objects| {
            reporter.say(&format!(
                "no secret in any log, answer, event or notice, nor in the clear in {objects} objects of the buckets"
            ));
        }),
    ]
    .into_iter()
    .filter_map(Result::err)
    .map(|error| format!("{error:#}"))
    .collect();
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// Makes the administrators break-glass principals by an update of the stacks: the attacks after this step are those of
/// somebody whom no policy of a bucket stops.
fn break_glass(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<()> {
    for (who, bucket, key) in [
        (
            field.primary,
            PRIMARY_SCRATCH,
            "jobs/shop/planted/assignment.json",
        ),
        (
            field.recovery,
            RECOVERY_SCRATCH,
            "jobs/shop/planted/assignment.json",
        ),
        (field.recovery, VAULT, "shop/points/planted"),
        (field.recovery, STATE, "state/shop.json"),
    ] {
        let refused = field.put(who, bucket, key, b"planted");
        ensure!(refused.is_err(), "an administrator wrote {key} to {bucket}");
    }
    reporter.say("administrators cannot write to the vault, the state, or assignments of jobs");
    for (who, name) in [
        (field.primary, "primary-access"),
        (field.recovery, "recovery-access"),
        (field.recovery, "control"),
    ] {
        let stack = format!("lifeboat-{name}");
        let caller = who.json(&["sts", "get-caller-identity"])?;
        let stacks = stacks(who)?;
        let found = stacks.iter().find(|(found, _)| *found == stack);
        let (_, parameters) = found.with_context(|| format!("there is no stack {stack}"))?;
        let change = (name, "BreakGlassPrincipals", text(&caller["Arn"]));
        self::change(field, who, &stack, parameters, change)?;
        complete(field, who, &stack, "UPDATE_COMPLETE")?;
    }
    reporter.say("an update of the stacks made them break-glass principals");
    Ok(())
}

/// Uses the features that the tour leaves out. Returns the output on the way, with its source.
fn use_everything(field: &TestAccounts<'_>, reporter: &mut Reporter) -> Result<Vec<(String, String)>> {
    reporter.step("forge", "Forgeries of somebody who can write into the buckets");
    let queue = listen(field)?;
    let forgeries = forgeries::attempt(field, reporter)?;

    reporter.step("retain", "A second recovery point, and the end of the first");
    retain(field, reporter)?;

    reporter.step("verify", "A week later, the vault is checked again");
    verify_again(field)?;
    reporter.say("the point in the vault was verified again");

    reporter.step(
        "cancel",
        "A backup and a restore that outlast their invocations, and are cancelled",
    );
    interruptions::of_a_backup(field, reporter)?;
    interruptions::of_a_restore(field, reporter)?;

    reporter.step("refuse", "What came of the forgeries");
    let notices = settle(field, &queue, &forgeries)?;
    reporter.say(&format!(
        "nothing; {} notices tell of them and of the rest",
        notices.len()
    ));
    Ok(notices
        .into_iter()
        .map(|notice| ("a notice".to_owned(), notice))
        .collect())
}

/// Restores the latest recovery point after the primary side was deleted. Its bucket denies the coordinator then,
/// because the bucket policy went with the stack.
fn restore_without_primary(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<()> {
    let before = field.aws.audit().len();
    field.ask(&json!({"restore": {"application": "shop", "token": "bad-day"}}))?;
    let status = field.until("wait for the restore without the primary", || {
        field.tick()?;
        let status = field.status("shop")?;
        let ended = list(&status["restores"]).iter().any(|restore| {
            text(&restore["token"]) == "bad-day" && !matches!(text(&restore["state"]), "waiting" | "running")
        });
        Ok(ended.then_some(status))
    })?;
    let restores = list(&status["restores"]).iter();
    let mut states = restores.filter(|restore| text(&restore["token"]) == "bad-day");
    ensure!(
        states
            .next()
            .is_some_and(|restore| text(&restore["state"]) == "done"),
        "the restore without the primary: {status}"
    );
    ensure!(
        list(&status["issues"])
            .iter()
            .any(|issue| text(&issue["code"]) == "LB-0817"),
        "no issue says that the primary does not answer: {status}"
    );
    let audit = field.aws.audit();
    let of_the_delegate = audit[before..]
        .iter()
        .filter(|call| call.principal.contains("LifeboatRecoveryK8sDel-"));
    let calls: Vec<_> = of_the_delegate.collect();
    ensure!(
        !calls.is_empty(),
        "the delegate sent no request during the restore"
    );
    for call in &calls {
        let of_the_primary = call.region == "eu-west-1" || call.resource.contains("111111111111");
        ensure!(
            !of_the_primary,
            "a request of the restore goes to the primary: {call:?}"
        );
    }
    reporter.say(&format!(
        "the latest recovery point was restored although the primary does not answer; none of {} requests went to its Region or account",
        calls.len()
    ));
    Ok(())
}

/// The client builds the URLs of queues by an older rule than all other endpoints.
fn sqs(field: &TestAccounts<'_>, arguments: &[&str]) -> Result<Value> {
    let endpoint = field.aws.endpoint();
    let mut all = vec!["sqs"];
    all.extend(arguments);
    all.extend(["--endpoint-url", &endpoint]);
    field.recovery.json(&all)
}

/// Creates a queue that receives every notice.
fn listen(field: &TestAccounts<'_>) -> Result<String> {
    let made = sqs(field, &["create-queue", "--queue-name", "lifeboat-issues"])?;
    let queue = text(&made["QueueUrl"]).to_owned();
    let names = [
        "get-queue-attributes",
        "--queue-url",
        &queue,
        "--attribute-names",
        "QueueArn",
    ];
    let found = sqs(field, &names)?;
    let arn = text(&found["Attributes"]["QueueArn"]);
    let subscribe = [
        "sns",
        "subscribe",
        "--topic-arn",
        TOPIC,
        "--protocol",
        "sqs",
        "--notification-endpoint",
        arn,
    ];
    field.recovery.json(&subscribe)?;
    Ok(queue)
}

/// Returns the messages that the queue received since the last call.
fn heard(field: &TestAccounts<'_>, queue: &str) -> Result<Vec<String>> {
    let mut notices = Vec::new();
    loop {
        let receive = [
            "receive-message",
            "--queue-url",
            queue,
            "--max-number-of-messages",
            "10",
        ];
        let got = sqs(field, &receive)?;
        let messages = list(&got["Messages"]);
        if messages.is_empty() {
            return Ok(notices);
        }
        for message in messages {
            notices.push(text(&message["Body"]).to_owned());
            let handle = text(&message["ReceiptHandle"]);
            sqs(
                field,
                &["delete-message", "--queue-url", queue, "--receipt-handle", handle],
            )?;
        }
    }
}

/// Waits until the forgeries are reported, and checks that they had no effect.
fn settle(field: &TestAccounts<'_>, queue: &str, forgeries: &Forgeries) -> Result<Vec<String>> {
    field.tick()?;
    let notices = heard(field, queue)?;
    forgeries::came_to_nothing(field, forgeries, &notices)?;
    forgeries::clean_up(field, forgeries)?;
    Ok(notices)
}

fn points(field: &TestAccounts<'_>) -> Result<Vec<String>> {
    let answer = field.ask(&json!({"points": {"application": "shop"}}))?;
    let points = list(&answer["points"]["points"]).iter();
    Ok(points.map(|point| text(&point["point"]).to_owned()).collect())
}

/// Keeps one recovery point only, and creates another.
fn retain(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<()> {
    let before = points(field)?;
    ensure!(!before.is_empty(), "the tour has left no recovery point");
    // A recovery point younger than a day is never deleted.
    age(field, "createdAt")?;
    let got = field.ask(&json!({"application": {"get": {"application": "shop"}}}))?;
    let mut document = got["application"].clone();
    document["retention"] = json!({"last": 1, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0});
    field.ask(&json!({"application": {"put": document}}))?;
    field.ask(&json!({"backup": {"application": "shop", "token": "second"}}))?;
    let after = field.until("wait for the second point alone", || {
        let now = points(field)?;
        Ok((now.len() == 1 && !before.contains(&now[0])).then_some(now))
    })?;
    field.until("wait for the end of the first point", || {
        let left = field.keys(field.recovery, VAULT, &format!("shop/points/{}/", before[0]))?;
        if !left.is_empty() {
            field.tick()?;
        }
        Ok(left.is_empty().then_some(()))
    })?;
    reporter.say(&format!(
        "{} is kept, {} is gone from the vault",
        after[0], before[0]
    ));
    Ok(())
}

/// Changes a time in the coordinator's state of each recovery point to a time long ago.
fn age(field: &TestAccounts<'_>, what: &str) -> Result<()> {
    let file = field.file("state").to_string_lossy().into_owned();
    let key = ["--bucket", STATE, "--key", "state/shop.json"];
    field.until("age the points", || {
        let mut get = vec!["s3api", "get-object"];
        get.extend(key);
        get.push(&file);
        let tag = text(&field.recovery.json(&get)?["ETag"]).to_owned();
        let mut state: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let points = state["points"].as_object_mut().context("a catalogue")?;
        for point in points.values_mut() {
            ensure!(point[what].is_string(), "a point has no {what}: {point}");
            point[what] = LONG_AGO.into();
        }
        std::fs::write(&file, state.to_string())?;
        let mut put = vec!["s3api", "put-object"];
        put.extend(key);
        put.extend(["--body", &file, "--if-match", &tag]);
        // If a coordinator changed the state first, the write is retried with the new state.
        Ok(field.recovery.text(&put).ok().map(|_| ()))
    })
}

/// Sets the verification time in the state to a time long ago, and waits until the recovery points
/// are verified again.
fn verify_again(field: &TestAccounts<'_>) -> Result<()> {
    age(field, "verifiedAt")?;
    field.until("wait for the check", || {
        field.tick()?;
        let answer = field.ask(&json!({"points": {"application": "shop"}}))?;
        let points = list(&answer["points"]["points"]);
        let is_checked = points.iter().all(|point| text(&point["verifiedAt"]) > LONG_AGO);
        ensure!(points.iter().all(|point| point["damaged"].is_null()), "{answer}");
        Ok(is_checked.then_some(()))
    })
}

/// Returns the existing stacks with their parameters.
fn stacks(who: &Client) -> Result<Vec<(String, Value)>> {
    let described = who.json(&["cloudformation", "describe-stacks"])?;
    let stacks = list(&described["Stacks"]).iter();
    let is_there = |stack: &&Value| !text(&stack["StackStatus"]).starts_with("DELETE");
    Ok(stacks
        .filter(is_there)
        .map(|stack| (text(&stack["StackName"]).to_owned(), stack["Parameters"].clone()))
        .collect())
}

fn parameter<'a>(parameters: &'a Value, name: &str) -> &'a str {
    let found = list(parameters)
        .iter()
        .find(|parameter| parameter["ParameterKey"] == name);
    found.map_or("", |parameter| text(&parameter["ParameterValue"]))
}

/// Deploys the delegates again from another key, so that each registers itself again.
fn update(field: &TestAccounts<'_>, reporter: &Reporter) -> Result<()> {
    for who in [field.primary, field.recovery] {
        let stacks = stacks(who)?;
        let (stack, parameters) = stacks
            .iter()
            .find(|(_, parameters)| !parameter(parameters, "DelegateKey").is_empty())
            .context("a stack with a delegate")?;
        let (bucket, key) = (
            parameter(parameters, "CodeBucket"),
            parameter(parameters, "DelegateKey"),
        );
        let next = "next/delegate.zip";
        reporter.say(&format!("{stack}: {bucket}/{key} becomes {next}"));
        let (from, to) = (format!("s3://{bucket}/{key}"), format!("s3://{bucket}/{next}"));
        who.text(&["s3", "cp", "--only-show-errors", &from, &to])?;
        change(
            field,
            who,
            stack,
            parameters,
            ("application", "DelegateKey", next),
        )?;
        complete(field, who, stack, "UPDATE_COMPLETE")?;
        reporter.say(&format!("{stack} has new code from {bucket}"));
    }
    field.until("wait for both delegates to register again", || {
        let asked = field.aws.custom_resources();
        let updates = asked
            .iter()
            .filter(|asked| asked.event["RequestType"] == "Update");
        let answers: Vec<&Value> = updates.filter_map(|asked| asked.answer.as_ref()).collect();
        for answer in &answers {
            ensure!(answer["Status"] == "SUCCESS", "{answer}");
        }
        Ok((answers.len() == 2).then_some(()))
    })?;
    let template = field.file("cart.yaml");
    std::fs::write(&template, CART)?;
    let file = template.to_string_lossy().into_owned();
    let body = format!("file://{file}");
    let create = [
        "cloudformation",
        "create-stack",
        "--stack-name",
        "cart-application",
        "--template-body",
        &body,
    ];
    field.recovery.text(&create)?;
    complete(field, field.recovery, "cart-application", "CREATE_COMPLETE")?;
    let cart = field.ask(&json!({"application": {"get": {"application": "cart"}}}))?;
    ensure!(
        cart["application"]["schedule"]["every"] == "6h",
        "the stack has put {cart}"
    );
    reporter.say("a stack has made an application by Custom::LifeboatApplication");
    Ok(())
}

/// Changes one parameter with a change set, as `aws cloudformation deploy` does, which itself polls
/// only every thirty seconds. `(template, changed, value)` name the template, the parameter and its new value.
fn change(
    field: &TestAccounts<'_>,
    who: &Client,
    stack: &str,
    parameters: &Value,
    (template, changed, value): (&str, &str, &str),
) -> Result<()> {
    let kept = list(parameters)
        .iter()
        .map(|parameter| text(&parameter["ParameterKey"]))
        // The local AWS also shows pseudo parameters.
        .filter(|name| !name.contains("::"))
        .map(|name| match name {
            name if name == changed => format!("ParameterKey={name},ParameterValue={value}"),
            _ => format!("ParameterKey={name},UsePreviousValue=true"),
        });
    let kept: Vec<String> = kept.collect();
    let body = format!(
        "file://{}/../cloudformation/{template}.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    let names = ["--stack-name", stack, "--change-set-name", "next"];
    let mut create = vec!["cloudformation", "create-change-set"];
    create.extend(names);
    create.extend(["--change-set-type", "UPDATE", "--template-body", &body]);
    create.extend(["--capabilities", "CAPABILITY_NAMED_IAM", "--parameters"]);
    create.extend(kept.iter().map(String::as_str));
    who.text(&create)?;
    let mut describe = vec!["cloudformation", "describe-change-set"];
    describe.extend(names);
    field.until("wait for a change set", || {
        let described = who.json(&describe)?;
        let status = text(&described["Status"]);
        ensure!(status != "FAILED", "the change of {stack} failed: {described}");
        Ok((status == "CREATE_COMPLETE").then_some(()))
    })?;
    let mut execute = vec!["cloudformation", "execute-change-set"];
    execute.extend(names);
    who.text(&execute).map(|_| ())
}

/// Waits until a stack has the wanted status.
fn complete(field: &TestAccounts<'_>, who: &Client, stack: &str, wanted: &str) -> Result<()> {
    field.until("wait for a stack", || {
        let described = who.json(&["cloudformation", "describe-stacks", "--stack-name", stack])?;
        let status = text(&described["Stacks"][0]["StackStatus"]);
        ensure!(
            !status.contains("FAILED") && !status.contains("ROLLBACK"),
            "the stack {stack} is {}",
            described["Stacks"][0]
        );
        Ok((status == wanted).then_some(()))
    })
}

/// The local CloudFormation deletes the function of a custom resource before the function can
/// handle the Delete event. So the test sends that event, built from the resource's last event.
fn play_end(field: &TestAccounts<'_>, who: &Client, stack: &str) -> Result<()> {
    let described = who.json(&["cloudformation", "describe-stacks", "--stack-name", stack])?;
    let id = text(&described["Stacks"][0]["StackId"]);
    let asked = field.aws.custom_resources();
    let last = asked.iter().rfind(|asked| text(&asked.event["StackId"]) == id);
    let Some(last) = last else {
        return Ok(());
    };
    let mut event = last.event.clone();
    event["RequestType"] = "Delete".into();
    event["RequestId"] = format!("delete-{stack}-{}", who.region()).into();
    // The previous response URL is used up; the function host sets a new one.
    event["ResponseURL"] = Value::Null;
    let function = text(&event["ServiceToken"]).to_owned();
    who.invoke(&function, &event).map(|_| ())
}

/// An application as a resource of a stack.
const CART: &str = "
Resources:
  Cart:
    Type: Custom::LifeboatApplication
    Properties:
      ServiceToken: !ImportValue lifeboat-coordinator
      Document: |
        format: 1
        name: cart
        primary: {account: '111111111111', region: eu-west-1}
        recovery: {account: '222222222222', region: eu-central-1}
        clusters: [{name: orders, cluster: orders-prod}]
        schedule: {every: 6h}
";

/// Deletes every stack of an account, those that import from others first, and returns their events.
fn delete(field: &TestAccounts<'_>, who: &Client, reporter: &Reporter) -> Result<Vec<(String, String)>> {
    let mut events = Vec::new();
    let mut names: Vec<String> = stacks(who)?.into_iter().map(|(name, _)| name).collect();
    // A stack with an imported export cannot be deleted: the application's stack goes first.
    names.sort_by_key(|name| !name.contains("application"));
    for name in &names {
        play_end(field, who, name)?;
        who.text(&["cloudformation", "delete-stack", "--stack-name", name])?;
        field.until("wait for the end of a stack", || {
            let left = stacks(who)?;
            Ok((!left.iter().any(|(left, _)| left == name)).then_some(()))
        })?;
        if let Ok(reporter) = who.text(&["cloudformation", "describe-stack-events", "--stack-name", name]) {
            events.push((format!("an event of {name}"), reporter));
        }
        reporter.say(&format!("{name} is deleted"));
    }
    let deleted = field.aws.custom_resources();
    ensure!(
        deleted.iter().any(|asked| asked.event["RequestType"] == "Delete"),
        "no delegate was asked to end its registration"
    );
    Ok(events)
}

/// Checks what must outlive the stacks.
fn stays(field: &TestAccounts<'_>) -> Result<()> {
    for (who, bucket) in [
        (field.primary, PRIMARY_SCRATCH),
        (field.recovery, RECOVERY_SCRATCH),
    ] {
        let left = field.keys(who, bucket, "delegates/shop.json")?;
        ensure!(
            left.is_empty(),
            "a delegate that is gone is still registered in {bucket}"
        );
    }
    let applications = field.keys(field.recovery, STATE, "applications/")?;
    ensure!(
        applications.contains(&"applications/shop.json".to_owned())
            && !applications.contains(&"applications/cart.json".to_owned()),
        "an application goes with the stack that made it, and no other: {applications:?}"
    );
    let points = field.keys(field.recovery, VAULT, "shop/points/")?;
    ensure!(
        points.iter().any(|key| key.ends_with("/manifest.json")),
        "no recovery point is left: {points:?}"
    );
    for who in [field.primary, field.recovery] {
        let listed = who.json(&["kms", "list-keys"])?;
        ensure!(
            !list(&listed["Keys"]).is_empty(),
            "the key went with its stack: {listed}"
        );
    }
    Ok(())
}

/// Checks that IAM refused nothing. Among the calls after the first `while_deployed`, the
/// coordinator's calls to a bucket whose policy was deleted with its stack are allowed to fail.
fn nothing_refused(field: &TestAccounts<'_>, while_deployed: usize) -> Result<()> {
    let is_of_the_end = |at: usize, entry: &AuditEntry| {
        at >= while_deployed
            && entry.principal.contains("/LifeboatCoordinator-")
            && entry
                .resource
                .starts_with(&format!("arn:aws:s3:::{PRIMARY_SCRATCH}"))
    };
    let audit = field.aws.audit();
    let refused: BTreeSet<String> = audit
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.decision == Decision::Denied && entry.principal.contains("/Lifeboat"))
        .filter(|(at, entry)| !is_of_the_end(*at, entry))
        .map(|(_, entry)| format!("{} {} on {}", entry.principal, entry.action, entry.resource))
        .collect();
    ensure!(
        refused.is_empty(),
        "IAM has refused what Lifeboat does: {refused:#?}"
    );
    Ok(())
}

/// Compares the calls in the audit with the grants of the policies.
fn needed_and_enough(field: &TestAccounts<'_>, grants: &[Grant], reporter: &Reporter) -> Result<()> {
    let audit = field.aws.audit();
    let calls: BTreeSet<Call> = audit
        .iter()
        .filter(|entry| entry.decision == Decision::Allowed)
        .map(|entry| Call::new(&entry.principal, &entry.action, &entry.resource))
        .collect();
    let (unused, uncovered) = compare(grants, &calls);
    let is_known = |grant: &Grant| {
        let mut known = UNUSED.iter();
        known.any(|(statement, action, _)| {
            grant.statement == *statement && ["*", &grant.action].contains(action)
        })
    };
    let superfluous: Vec<String> = unused
        .iter()
        .filter(|grant| !is_known(grant))
        .map(Grant::describe)
        .collect();
    // An entry for a grant that is used or no longer exists would hide the next grant of that name.
    let needless: Vec<_> = UNUSED
        .iter()
        .filter(|(statement, action, _)| {
            let mut names = unused.iter();
            !names.any(|grant| grant.statement == *statement && ["*", &grant.action].contains(action))
        })
        .collect();
    ensure!(
        uncovered.is_empty(),
        "no grant covers what was done: {uncovered:#?}; nothing used what is granted: {superfluous:#?}"
    );
    ensure!(
        superfluous.is_empty() && needless.is_empty(),
        "nothing used what is granted: {superfluous:#?}; used or gone, so that no reason is needed: {needless:#?}"
    );
    reporter.say(&format!(
        "{} calls of {} kinds; {} grants used, {} that only AWS itself uses, none too many, none too few",
        audit.len(),
        calls.len(),
        grants.len() - unused.len(),
        unused.len()
    ));
    Ok(())
}
