//! One vault for several recovery accounts: the list of accounts in the stack `control` becomes a
//! list of principals in the bucket policy.

use std::path::Path;

use serde_json::{Value, json};

use super::environment::Environment;

const OTHERS: [&str; 2] = ["333333333333", "444444444444"];
const STRANGER: &str = "555555555555";
const VAULT: &str = "lifeboat-vault-222222222222-eu-central-1";

/// The delegates of three accounts can read the vault; their other roles and a fourth account cannot.
pub(super) fn three_accounts_read_one_vault(stage: &Environment) {
    let shell = &stage.recovery.shell;
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation/control.yaml");
    // No event arrives during this test, so the code is never run.
    shell.run("aws s3 mb s3://code-222222222222 && echo nothing > $HOME/nothing && aws s3 cp $HOME/nothing s3://code-222222222222/zip");
    shell.run(&format!(
        "aws cloudformation deploy --stack-name control --capabilities CAPABILITY_NAMED_IAM --template-file '{}' \
         --parameter-overrides CodeBucket=code-222222222222 CoordinatorKey=zip TickMinutes=15 \
         Accounts=222222222222,{},{}",
        template.display(),
        OTHERS[0],
        OTHERS[1]
    ));
    shell.run(&format!(
        "echo point > $HOME/point && aws s3 cp $HOME/point s3://{VAULT}/shop/points/1"
    ));
    let mut every = OTHERS.to_vec();
    every.push(STRANGER);
    for account in every {
        let admin = stage.elsewhere(account);
        let read = |role: &str| {
            let arn = admin.role(account, role);
            let allow = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{VAULT}/*"),
            }]});
            admin.run(&format!(
                "aws iam put-role-policy --role-name {role} --policy-name read --policy-document '{allow}'"
            ));
            let session = admin.assume(&arn, "lifeboat-shop-recovery");
            session.succeeds(&format!(
                "aws s3api get-object --bucket {VAULT} --key shop/points/1 --expected-bucket-owner 222222222222 $HOME/{account}"
            ))
        };
        let delegate = format!("LifeboatRecoveryK8sDel-{account}-eu-central-1");
        assert_eq!(read(&delegate), account != STRANGER, "{account}");
        assert!(!read("Somebody"), "{account}");
    }
    let policy = shell.json(&format!("aws s3api get-bucket-policy --bucket {VAULT}"));
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    let mut statements = policy["Statement"].as_array().unwrap().iter();
    let reads = statements
        .find(|statement| statement["Sid"] == "RecoveryDelegateReadVault")
        .unwrap();
    assert_eq!(
        reads["Principal"]["AWS"].as_array().map(Vec::len),
        Some(3),
        "{reads}"
    );
}
