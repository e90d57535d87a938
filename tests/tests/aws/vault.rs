//! Break glass: a vault bucket and its KMS key are all that is left of AWS. There is no primary account, no coordinator,
//! no delegate, no stack and no state; a user of the recovery account may read the bucket and use the key, and nothing
//! else.

use std::process::{Command, Stdio};

use lifeboat_local::{Cluster, ClusterOptions, Credentials, Decision, LocalAws, LocalAwsOptions};
use lifeboat_tests::aws::client::Client;
use lifeboat_tests::workspace::Workspace;
use serde_json::{Value, json};

use crate::{alone, has_client};

const ACCOUNT: &str = "222222222222";
const REGION: &str = "eu-central-1";
const VAULT: &str = "lifeboat-vault-222222222222-eu-central-1";

/// What the application consists of.
const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: orders}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prices, namespace: orders}
data: {tea: '4.20'}
---
apiVersion: v1
kind: Secret
metadata: {name: payments, namespace: orders}
stringData: {token: hunter2}
";

/// The recovery account, and the program as its users run it.
struct Account {
    aws: LocalAws,
    administrator: Credentials,
    client: Client,
    workspace: Workspace,
}

/// What a run of the program printed.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn refused(&self, code: i32, all: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        for what in all {
            assert!(self.err.contains(what), "{what}: {}", self.err);
        }
        assert!(self.out.is_empty(), "{}", self.out);
    }

    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Account {
    fn create() -> Self {
        let aws = LocalAws::start(&LocalAwsOptions {
            controllers: false,
            ..LocalAwsOptions::default()
        })
        .unwrap();
        let workspace = Workspace::create().unwrap();
        let administrator = aws.create_account(ACCOUNT).unwrap();
        let folder = workspace.path().to_owned();
        Self {
            client: Client::new(&aws, administrator.clone(), REGION, folder).unwrap(),
            administrator,
            aws,
            workspace,
        }
    }

    fn aws(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.client.text(&words).unwrap().trim().to_owned()
    }

    /// Creates an RSA-4096 key and returns its ARN.
    fn recovery_key(&self) -> String {
        let made = self.aws("kms create-key --key-spec RSA_4096 --key-usage ENCRYPT_DECRYPT");
        let made: Value = serde_json::from_str(&made).unwrap();
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    /// Puts a recovery point of a cluster into the vault bucket, encrypted for a key of KMS.
    fn fill(&self, source: &Cluster, key: &str) {
        self.aws(&format!("s3 mb s3://{VAULT} --region {REGION}"));
        let der = self.aws(&format!(
            "kms get-public-key --key-id {key} --query PublicKey --output text"
        ));
        let public = self.workspace.path().join("kms.pub.pem");
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
        std::fs::write(&public, pem).unwrap();
        let (kubeconfig, public) = (source.kubeconfig().to_string_lossy(), public.to_string_lossy());
        let backup = [
            "backup",
            "--kubeconfig",
            &kubeconfig,
            "--cluster",
            "orders",
            "--recovery-public-key",
            &public,
        ];
        self.workspace.json(&backup, &[0]).unwrap();
        let points = self.workspace.store().join("shop/points");
        let points = points.display();
        self.aws(&format!(
            "s3 cp --recursive --only-show-errors {points} s3://{VAULT}/shop/points"
        ));
        std::fs::remove_dir_all(self.workspace.store()).unwrap();
    }

    /// Creates a role with a policy or without any, and returns the keys of a session of it.
    fn role(&self, name: &str, statements: Option<Value>) -> Credentials {
        let policy =
            |statements: Value| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let trust = policy(json!([{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole",
        }]));
        let create = [
            "iam",
            "create-role",
            "--role-name",
            name,
            "--assume-role-policy-document",
            &trust,
        ];
        self.client.text(&create).unwrap();
        if let Some(statements) = statements {
            let policy = policy(statements);
            let put = [
                "iam",
                "put-role-policy",
                "--role-name",
                name,
                "--policy-name",
                "break-glass",
                "--policy-document",
                &policy,
            ];
            self.client.text(&put).unwrap();
        }
        let assumed = self.aws(&format!(
            "sts assume-role --role-arn arn:aws:iam::{ACCOUNT}:role/{name} --role-session-name test"
        ));
        let assumed: Value = serde_json::from_str(&assumed).unwrap();
        let text = |field: &str| assumed["Credentials"][field].as_str().unwrap().to_owned();
        Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            session_token: Some(text("SessionToken")),
        }
    }

    /// Runs the program with nothing in its environment but the keys of one caller, and a Region.
    fn run_in(&self, region: Option<&str>, who: &Credentials, line: &str) -> Said {
        let program = self.workspace.lifeboat(&[]).get_program().to_owned();
        let output = Command::new(program)
            .args(line.split_whitespace())
            .args(["--progress", "never"])
            .env_clear()
            .env("HOME", self.workspace.path())
            .env("AWS_ENDPOINT_URL", self.aws.endpoint())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(region.map(|region| ("AWS_REGION", region)))
            .envs(who.variables())
            .current_dir(self.workspace.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, who: &Credentials, line: &str) -> Said {
        self.run_in(Some(REGION), who, line)
    }
}

/// What a user of the recovery account needs, and no more.
fn break_glass(keys: &[&str]) -> Value {
    json!([
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("arn:aws:s3:::{VAULT}")},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{VAULT}/*")},
        {"Effect": "Allow", "Action": ["kms:GetPublicKey", "kms:Decrypt"], "Resource": keys},
    ])
}

#[test]
fn a_vault_bucket_and_its_kms_key_are_enough_to_restore() {
    let _alone = alone();
    if !has_client() {
        return;
    }
    let options = ["orders-prod", "orders-dr"].map(ClusterOptions::named).to_vec();
    let clusters = Cluster::start_all(options).unwrap();
    let [source, target] = clusters.as_slice() else {
        panic!("two clusters were started")
    };
    source.apply(OBJECTS).unwrap();
    let account = Account::create();
    let (key, other_key) = (account.recovery_key(), account.recovery_key());
    account.aws(&format!(
        "kms create-alias --alias-name alias/lifeboat-recovery --target-key-id {key}"
    ));
    account.fill(source, &key);
    let reader = account.role("reader", Some(break_glass(&[&key, &other_key])));
    let stranger = account.role("stranger", None);

    let vault = format!("--application shop --vault s3://{VAULT}");
    account.aws.clear_audit();
    let unnamed = account.run(&reader, &format!("points {vault}"));
    unnamed.refused(9, &["LB-0406", "was not verified", "--verify-key sha256:"]);
    let pem = account.run(
        &reader,
        &format!("verify latest {vault} --verify-key keys/signing.pub.pem -o json"),
    );
    let signer = pem.json()["signedBy"].as_str().unwrap().to_owned();
    let from = format!("{vault} --verify-key {signer}");
    let points = account.run(&reader, &format!("points {from} -o json")).json();
    assert_eq!(points["points"].as_array().unwrap().len(), 1, "{points}");
    let alias = "--recovery-key alias/lifeboat-recovery";
    let verified = account
        .run(&reader, &format!("verify latest {from} {alias} -o json"))
        .json();
    assert!(
        verified["contents"]["objects"].as_u64().unwrap() > 2,
        "{verified}"
    );
    account
        .run(&reader, &format!("show latest {from} -o json"))
        .json();
    let cat = account.run(
        &reader,
        &format!("cat latest configmap/prices -n orders {from} -o json"),
    );
    assert_eq!(cat.json()["data"]["tea"], "4.20");
    let diff = account
        .run(&reader, &format!("diff latest latest {from} -o json"))
        .json();
    assert_eq!(diff["same"], true);

    let kubeconfig = format!("--kubeconfig {}", target.kubeconfig().display());
    let plan = account
        .run(&reader, &format!("plan latest {kubeconfig} {from} -o json"))
        .json();
    let expected = plan["hash"].as_str().unwrap();
    let line = format!("restore latest {kubeconfig} {from} --expect-plan {expected} -o json");
    let restored = account.run(&reader, &line).json();
    assert_eq!(restored["verdict"], "matchesPlan", "{restored}");
    let value = target
        .kubectl_output(&[
            "-n",
            "orders",
            "get",
            "secret/payments",
            "-o=jsonpath={.data.token}",
        ])
        .unwrap();
    assert_eq!(value, "aHVudGVyMg==");

    // Everything was read with what a user of the recovery account has, in its own Region, and nothing was written.
    let audit = account.aws.audit();
    let own: Vec<_> = (audit.iter())
        .filter(|entry| entry.principal.contains("/reader/"))
        .collect();
    assert!(own.len() > 10, "{own:?}");
    for entry in own {
        let read = [
            "s3:ListBucket",
            "s3:GetObject",
            "kms:GetPublicKey",
            "kms:Decrypt",
            "sts:GetCallerIdentity",
        ];
        let allowed = entry.decision == Decision::Allowed && entry.region == REGION;
        assert!(allowed && read.contains(&entry.action.as_str()), "{entry:?}");
    }
    what_does_not_fit_is_refused(&account, &reader, &stranger, &from, &other_key);
    a_copy_on_a_disk_does_as_well(&account, &reader, &stranger, &signer);
}

/// Each refusal says what to change, and nothing is printed on standard output.
fn what_does_not_fit_is_refused(
    account: &Account,
    reader: &Credentials,
    stranger: &Credentials,
    from: &str,
    other_key: &str,
) {
    let cat = format!("cat latest configmap/prices -n orders {from}");
    for other in [other_key, "keys/recovery.key.pem"] {
        let said = account.run(reader, &format!("{cat} --recovery-key {other}"));
        said.refused(9, &["LB-0404", "sha256:"]);
    }
    let said = account.run(reader, &format!("{cat} --recovery-key alias/nobody"));
    said.refused(9, &["LB-0401", "alias/nobody", "--recovery-key"]);
    let said = account.run(stranger, &format!("points {from}"));
    said.refused(
        8,
        &[
            "LB-0302",
            "s3:ListBucket",
            "role/stranger",
            "--bucket-owner 222222222222",
        ],
    );
    let wrong = from.replace(VAULT, "lifeboat-vault-333333333333-eu-central-1");
    let said = account.run(&account.administrator, &format!("points {wrong}"));
    said.refused(8, &["LB-0301", "the bucket does not exist", "aws s3 ls"]);
    let said = account.run_in(None, reader, &format!("points {from}"));
    said.refused(12, &["LB-1001", "--region"]);
    let said = account.run(reader, &format!("points {from} --account 111111111111"));
    said.refused(12, &["LB-1002"]);
    let (vault, _) = from.split_once("--verify-key").unwrap();
    let stranger_key = format!("sha256:{}", "0a".repeat(32));
    let said = account.run(reader, &format!("points {vault} --verify-key {stranger_key}"));
    said.refused(9, &["LB-0406", &stranger_key]);
}

/// A copy of the bucket in a folder needs AWS only for the key.
fn a_copy_on_a_disk_does_as_well(
    account: &Account,
    reader: &Credentials,
    stranger: &Credentials,
    signer: &str,
) {
    account.aws(&format!(
        "s3 cp --recursive --only-show-errors s3://{VAULT} {}",
        account.workspace.path().join("copy").display()
    ));
    account.aws(&format!("s3 rb --force s3://{VAULT}"));
    let cat = format!(
        "cat latest configmap/prices -n orders --application shop --store copy --verify-key {signer} \
         --recovery-key alias/lifeboat-recovery -o json"
    );
    assert_eq!(account.run(reader, &cat).json()["data"]["tea"], "4.20");
    account
        .run(stranger, &cat)
        .refused(9, &["LB-0401", "kms:GetPublicKey"]);
}
