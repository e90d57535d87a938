//! One vault for several recovery accounts: the roles that the stack `control` names read it, and no others.

use serde_json::{Value, json};

use super::environment::{Environment, Shell};
use super::walls::{VAULT, deploy_control};

const OTHERS: [&str; 2] = ["333333333333", "444444444444"];
const STRANGER: &str = "555555555555";

/// The role that is named in each of the other accounts, and one that a holder of the account may create.
const NAMED: &str = "LifeboatRecoveryK8sDel-shop-eu-central-1";
const SIMILAR: &str = "LifeboatRecoveryK8sDel-stock-eu-central-1";

/// A role of this name in the account, which its own account allows to read the vault, and which reads an object of it.
fn reads(admin: &Shell, account: &str, role: &str) -> bool {
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
}

/// The named role of each of two accounts can read the vault; other roles of theirs and a third account cannot.
pub(super) fn named_roles_of_other_accounts_read_one_vault(stage: &Environment) {
    let shell = &stage.recovery.shell;
    let roles = OTHERS.map(|account| format!("arn:aws:iam::{account}:role/{NAMED}"));
    let admin = shell.caller();
    deploy_control(
        shell,
        &format!(
            "RecoveryAccounts={} RecoveryRoles={} BreakGlassPrincipals={admin}",
            OTHERS.join(","),
            roles.join(",")
        ),
    );
    // As a break-glass principal.
    shell.run(&format!(
        "echo point > $HOME/point && aws s3 cp $HOME/point s3://{VAULT}/shop/points/1"
    ));
    for account in OTHERS {
        let admin = stage.elsewhere(account);
        assert!(reads(&admin, account, NAMED), "{account}");
        assert!(!reads(&admin, account, SIMILAR), "{account}");
    }
    assert!(!reads(&stage.elsewhere(STRANGER), STRANGER, NAMED));
    let policy = shell.json(&format!("aws s3api get-bucket-policy --bucket {VAULT}"));
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    let mut statements = policy["Statement"].as_array().unwrap().iter();
    let reads = statements
        .find(|statement| statement["Sid"] == "RecoveryDelegateReadVault")
        .unwrap();
    assert_eq!(
        reads["Principal"]["AWS"].as_array().map(Vec::len),
        Some(2),
        "{reads}"
    );
}
