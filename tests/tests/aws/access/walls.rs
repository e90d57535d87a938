//! What the policies of the stacks deny: to administrators of an account, to the coordinator, and to the delegates of
//! other applications. Nothing here needs a cluster or a function.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::environment::{Environment, Shell};

pub(super) const VAULT: &str = "lifeboat-vault-222222222222-eu-central-1";
const STATE: &str = "lifeboat-state-222222222222-eu-central-1";
const SCRATCH: &str = "lifeboat-scratch-222222222222-eu-central-1";
const PRIMARY_SCRATCH: &str = "lifeboat-scratch-111111111111-eu-west-1";

/// An application whose name is too long for the name of a role.
const LONG: &str = "customer-facing-storefront-production-eu";
const SHORT: &str = "customer-facing--8ff72ec7";

/// How long the local CloudFormation may take to create a role.
const WITHIN: Duration = Duration::from_secs(120);

/// The DER of an RSA-4096 public key has this many characters in base64 and begins so; no key is needed here.
fn public_key() -> String {
    format!("MIIC{}", "A".repeat(732))
}

fn template(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../cloudformation/{name}.yaml"));
    file.display().to_string()
}

/// Deploys a stack of the template, and waits for it.
fn deploy(shell: &Shell, name: &str, parameters: &str) {
    shell.run(&format!(
        "aws cloudformation deploy --stack-name lifeboat-{name} --capabilities CAPABILITY_NAMED_IAM \
         --no-fail-on-empty-changeset --template-file '{}' --parameter-overrides {parameters}",
        template(name)
    ));
}

/// Puts code that is never run into a bucket.
fn code(shell: &Shell, bucket: &str) {
    shell.run(&format!(
        "aws s3 mb s3://{bucket} && echo nothing > $HOME/nothing && aws s3 cp $HOME/nothing s3://{bucket}/zip"
    ));
}

/// Deploys the stack `control` with these parameters and code that is never run.
pub(super) fn deploy_control(shell: &Shell, parameters: &str) {
    if !shell.succeeds("aws s3api head-bucket --bucket code-222222222222") {
        code(shell, "code-222222222222");
    }
    deploy(
        shell,
        "control",
        &format!("CodeBucket=code-222222222222 CoordinatorKey=zip TickMinutes=15 {parameters}"),
    );
}

/// A session of the role, whatever its trust policy says now.
fn session(admin: &Shell, account: &str, role: &str) -> Shell {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "sts:AssumeRole",
    }]});
    admin.run(&format!(
        "aws iam update-assume-role-policy --role-name {role} --policy-document '{trust}'"
    ));
    admin.assume(&format!("arn:aws:iam::{account}:role/{role}"), "wall")
}

/// The command must be denied by a policy, and by nothing else.
fn denied(shell: &Shell, line: &str) {
    let error = shell.fails(line);
    assert!(
        error.contains("AccessDenied") || error.contains("Forbidden"),
        "{line}: {error}"
    );
}

fn put(bucket: &str, key: &str, more: &str) -> String {
    format!(
        "echo bytes > $HOME/bytes && aws s3api put-object --bucket {bucket} --key {key} --body $HOME/bytes {more}"
    )
}

fn versions(shell: &Shell, bucket: &str, key: &str) -> Vec<Value> {
    let listed = shell.json(&format!(
        "aws s3api list-object-versions --bucket {bucket} --prefix {key}"
    ));
    listed["Versions"].as_array().cloned().unwrap_or_default()
}

#[test]
fn nobody_takes_recovery_points_or_pins_away() {
    if !crate::has_client() {
        return;
    }
    let _alone = crate::alone();
    let stage = Environment::set();
    let admin = &stage.recovery.shell;
    let warden = admin.user("222222222222", "warden");
    deploy_control(admin, &format!("BreakGlassPrincipals={}", warden.caller()));
    let coordinator = session(admin, "222222222222", "LifeboatCoordinator-eu-central-1");
    let key = "shop/points/1";

    // The coordinator creates an object once, and deletes it by a delete marker.
    let once = "--if-none-match '*'";
    coordinator.run(&put(VAULT, key, once));
    let again = coordinator.fails(&put(VAULT, key, once));
    assert!(again.contains("PreconditionFailed"), "{again}");
    denied(&coordinator, &put(VAULT, "shop/points/2", ""));
    let upload = coordinator.json(&format!(
        "aws s3api create-multipart-upload --bucket {VAULT} --key shop/points/3"
    ));
    let upload = upload["UploadId"].as_str().unwrap();
    let part = coordinator.json(&format!(
        "aws s3api upload-part --bucket {VAULT} --key shop/points/3 --upload-id {upload} --part-number 1 --body $HOME/bytes"
    ));
    let parts = json!({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]});
    let complete = format!(
        "aws s3api complete-multipart-upload --bucket {VAULT} --key shop/points/3 --upload-id {upload} \
         --multipart-upload '{parts}'"
    );
    denied(&coordinator, &complete);
    coordinator.run(&format!("{complete} {once}"));
    coordinator.run(&format!("aws s3api delete-object --bucket {VAULT} --key {key}"));
    // On AWS the coordinator may create it anew: a delete marker is no object for If-None-Match (S3 User Guide, "How to
    // prevent object overwrites with conditional writes"). The local AWS takes it for one.
    warden.run(&put(VAULT, key, ""));

    // What was deleted is there as a version, which is locked for two weeks.
    let versions = versions(admin, VAULT, key);
    assert_eq!(versions.len(), 2, "{versions:?}");
    let version = versions[1]["VersionId"].as_str().unwrap();
    let retention = admin.json(&format!(
        "aws s3api get-object-retention --bucket {VAULT} --key {key} --version-id {version}"
    ));
    assert_eq!(retention["Retention"]["Mode"], "GOVERNANCE", "{retention}");

    let delete = format!("aws s3api delete-object --bucket {VAULT} --key {key} --version-id {version}");
    let bypass = "--bypass-governance-retention";
    denied(&coordinator, &delete);
    for bucket in [VAULT, STATE] {
        let settings = format!("--bucket {bucket}");
        for line in [
            put(bucket, "shop/planted", once),
            format!("aws s3api delete-object {settings} --key {key}"),
            format!("aws s3api delete-object {settings} --key {key} --version-id {version} {bypass}"),
            format!("aws s3api delete-bucket-policy {settings}"),
            format!(
                "aws s3api put-bucket-policy {settings} --policy '{{\"Version\": \"2012-10-17\", \"Statement\": []}}'"
            ),
            format!("aws s3api put-bucket-versioning {settings} --versioning-configuration Status=Suspended"),
            format!(
                "aws s3api put-bucket-lifecycle-configuration {settings} --lifecycle-configuration \
                 '{{\"Rules\": [{{\"ID\": \"all\", \"Status\": \"Enabled\", \"Prefix\": \"\", \"Expiration\": {{\"Days\": 1}}}}]}}'"
            ),
            format!(
                "aws s3api put-object-lock-configuration {settings} \
                 --object-lock-configuration ObjectLockEnabled=Enabled"
            ),
        ] {
            denied(admin, &line);
        }
    }
    denied(
        admin,
        &format!(
            "aws s3api put-object-retention --bucket {VAULT} --key {key} --version-id {version} {bypass} \
             --retention Mode=GOVERNANCE,RetainUntilDate=2099-01-01T00:00:00Z"
        ),
    );

    // The state is replaced by compare-and-swap only.
    let made = coordinator.json(&put(STATE, "state/shop.json", once));
    denied(&coordinator, &put(STATE, "state/shop.json", ""));
    let tag = made["ETag"].as_str().unwrap();
    coordinator.run(&put(STATE, "state/shop.json", &format!("--if-match '{tag}'")));

    // A break-glass principal passes the policies; the lock still asks for the bypass.
    denied(&warden, &delete);
    warden.run(&format!("{delete} {bypass}"));
    warden.run(&put(VAULT, "shop/points/4", ""));

    // The stack itself changes settings.
    deploy_control(admin, "LockDays=30");
    let lock = admin.json(&format!(
        "aws s3api get-object-lock-configuration --bucket {VAULT}"
    ));
    let rule = &lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"];
    assert_eq!(rule["Days"], 30, "{lock}");
}

#[test]
fn nobody_else_gives_orders_or_answers_and_no_application_reaches_another() {
    if !crate::has_client() {
        return;
    }
    let _alone = crate::alone();
    let stage = Environment::set();
    let (primary, recovery) = (&stage.primary.shell, &stage.recovery.shell);
    let warden = recovery.user("222222222222", "warden");
    deploy_control(recovery, "");
    let control = "ControlAccount=222222222222 ControlRegion=eu-central-1";
    deploy(
        recovery,
        "recovery-access",
        &format!("{control} BreakGlassPrincipals={}", warden.caller()),
    );
    deploy(
        primary,
        "primary-access",
        &format!("{control} RecoveryPublicKey={}", public_key()),
    );

    // Assignments are the coordinator's, in both accounts.
    let coordinator = session(recovery, "222222222222", "LifeboatCoordinator-eu-central-1");
    let (assignment, result) = ("jobs/shop/x/assignment.json", "jobs/shop/x/result.json");
    for (admin, bucket, owner) in [
        (primary, PRIMARY_SCRATCH, "111111111111"),
        (recovery, SCRATCH, "222222222222"),
    ] {
        for key in [
            assignment,
            "jobs/shop/x/cancel.json",
            result,
            "jobs/shop/x/claim-0001.json",
            "jobs/shop/x/progress-0001.json",
            "delegates/shop.json",
        ] {
            denied(admin, &put(bucket, key, ""));
        }
        let owned = format!("--expected-bucket-owner {owner}");
        coordinator.run(&put(bucket, assignment, &owned));
        denied(&coordinator, &put(bucket, result, &owned));
    }
    warden.run(&put(SCRATCH, "jobs/shop/y/assignment.json", ""));

    // The recovery key.
    let keys = recovery.json("aws kms list-aliases");
    let aliases = keys["Aliases"].as_array().unwrap();
    let key = aliases
        .iter()
        .find(|alias| alias["AliasName"] == "alias/lifeboat-recovery")
        .unwrap();
    let key = key["TargetKeyId"].as_str().unwrap();
    denied(recovery, &format!("aws kms disable-key --key-id {key}"));
    denied(recovery, &format!("aws kms schedule-key-deletion --key-id {key}"));
    warden.run(&format!(
        "aws kms disable-key --key-id {key} && aws kms enable-key --key-id {key}"
    ));

    // Two applications of one account, one with a name that is too long for a role. Their functions never run.
    code(primary, "code-111111111111");
    let parameter = |name: &str, value: &str| format!("ParameterKey={name},ParameterValue={value}");
    for (application, short) in [("shop", ""), (LONG, SHORT)] {
        let parameters = [
            parameter("Application", application),
            parameter("ShortName", short),
            parameter("Side", "primary"),
            parameter("CodeBucket", "code-111111111111"),
            parameter("DelegateKey", "zip"),
            parameter("TickMinutes", "15"),
        ];
        // A change set that is not waited for: the stack waits for its function, which never answers.
        let names = format!("--stack-name lifeboat-application-{application} --change-set-name first");
        primary.run(&format!(
            "aws cloudformation create-change-set {names} --change-set-type CREATE \
             --capabilities CAPABILITY_NAMED_IAM --template-body 'file://{}' --parameters {}",
            template("application"),
            parameters.join(" ")
        ));
        let began = Instant::now();
        while !primary.succeeds(&format!("aws cloudformation execute-change-set {names}")) {
            assert!(
                began.elapsed() < WITHIN,
                "the change set of {application} was not created"
            );
        }
    }
    let role = |name: &str| {
        let (role, began) = (format!("LifeboatPrimaryK8sDel-{name}-eu-west-1"), Instant::now());
        while !primary.succeeds(&format!("aws iam get-role --role-name {role}")) {
            assert!(began.elapsed() < WITHIN, "{role} was not created");
        }
        session(primary, "111111111111", &role)
    };
    let (shop, long) = (role("shop"), role(SHORT));
    let owned = "--expected-bucket-owner 111111111111";
    for (own, delegate, other) in [("shop", &shop, LONG), (LONG, &long, "shop")] {
        for key in [
            "jobs/NAME/x/claim-0001.json",
            "jobs/NAME/x/result.json",
            "captures/NAME/points/1/p",
            "delegates/NAME.json",
        ] {
            delegate.run(&put(PRIMARY_SCRATCH, &key.replace("NAME", own), owned));
            denied(
                delegate,
                &put(PRIMARY_SCRATCH, &key.replace("NAME", other), owned),
            );
        }
        denied(
            delegate,
            &put(PRIMARY_SCRATCH, &format!("jobs/{own}/x/assignment.json"), owned),
        );
        let read = |name: &str| {
            format!(
                "aws s3api get-object --bucket {PRIMARY_SCRATCH} --key captures/{name}/points/1/p {owned} $HOME/read"
            )
        };
        delegate.run(&read(own));
        denied(delegate, &read(other));
        let sign = |name: &str| {
            format!(
                "aws kms sign --key-id alias/lifeboat-signing-{name} --message-type DIGEST \
                 --signing-algorithm ECDSA_SHA_256 --message 01234567890123456789012345678901"
            )
        };
        delegate.run(&sign(own));
        denied(delegate, &sign(other));
    }
}
