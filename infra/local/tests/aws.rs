//! Tests of the local AWS through the official client, where fakecloud alone would differ from AWS.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod aws {
    pub(crate) mod client;
    mod networks;
    mod objects;
}

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws::client::Client;
use lifeboat_local::{Decision, LocalAws, LocalAwsOptions};
use serde_json::{Value, json};

const PRIMARY: &str = "111111111111";
const REGION: &str = "eu-west-1";
const READER: &str = "arn:aws:iam::111111111111:role/Reader";
const VIEW: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy";

fn start() -> (LocalAws, Client) {
    let aws = LocalAws::start(&LocalAwsOptions {
        controllers: false,
        ..LocalAwsOptions::default()
    })
    .unwrap();
    let credentials = aws.create_account(PRIMARY).unwrap();
    let admin = Client::new(&aws, credentials, REGION);
    (aws, admin)
}

/// Creates a cluster with this authentication mode, without waiting until it is active.
fn create_cluster(admin: &Client, name: &str, access: &str) {
    create_cluster_in(admin, name, "subnet-1,subnet-2", access);
}

fn create_cluster_in(admin: &Client, name: &str, subnets: &str, access: &str) {
    let created = admin.ok(&format!(
        "eks create-cluster --name {name} --role-arn arn:aws:iam::{PRIMARY}:role/eks \
         --resources-vpc-config subnetIds={subnets} --access-config {access}"
    ));
    assert_eq!(created["cluster"]["status"], "CREATING");
    assert!(created["cluster"]["endpoint"].is_null(), "{created}");
}

fn await_cluster(admin: &Client, name: &str) {
    let began = Instant::now();
    loop {
        let described = admin.ok(&format!("eks describe-cluster --name {name}"));
        match described["cluster"]["status"].as_str().unwrap() {
            "ACTIVE" => return,
            "CREATING" => assert!(began.elapsed() < Duration::from_secs(180), "{described}"),
            _ => panic!("{described}"),
        }
    }
}

/// Returns the user and the groups of a token in a cluster, or nothing if the token is refused.
fn who(aws: &LocalAws, cluster: &str, token: &str) -> Option<(String, Vec<String>)> {
    let cluster = aws.cluster(PRIMARY, cluster).unwrap();
    let output = cluster
        .kubectl(&["auth", "whoami", "--output=json"])
        .env("KUBECONFIG", "/dev/null")
        .args(["--token", token])
        .output()
        .unwrap();
    let review: Value = serde_json::from_slice(&output.stdout).ok()?;
    let user = &review["status"]["userInfo"];
    let groups = user["groups"].as_array().unwrap().iter();
    Some((
        user["username"].as_str().unwrap().to_owned(),
        groups.map(|group| group.as_str().unwrap().to_owned()).collect(),
    ))
}

/// Polls until the result is as expected: an API server caches tokens for a second.
fn eventually<T: PartialEq + std::fmt::Debug>(expected: &T, mut ask: impl FnMut() -> T) {
    let began = Instant::now();
    loop {
        let found = ask();
        if found == *expected {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{found:?} instead of {expected:?}"
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn token(client: &Client, cluster: &str) -> String {
    client.ok(&format!("eks get-token --cluster-name {cluster}"))["status"]["token"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn clusters_of_eks_know_callers_as_eks_does() {
    let (aws, admin) = start();
    create_cluster(
        &admin,
        "api",
        "authenticationMode=API,bootstrapClusterCreatorAdminPermissions=false",
    );
    create_cluster(
        &admin,
        "map",
        "authenticationMode=CONFIG_MAP,bootstrapClusterCreatorAdminPermissions=true",
    );
    let reader = admin.role("Reader", "me@example.com");
    await_cluster(&admin, "api");
    await_cluster(&admin, "map");
    by_access_entry(&aws, &admin, &reader);
    by_config_map(&aws, &admin, &reader);
    // A token is valid for one cluster only, and every change invalidates it.
    let good = token(&reader, "api");
    assert!(who(&aws, "api", &good).is_some());
    assert_eq!(who(&aws, "api", &token(&reader, "map")), None);
    let (start, end) = good.split_at(good.len() - 8);
    let changed = format!("{start}{}", end.chars().rev().collect::<String>());
    assert_eq!(who(&aws, "api", &changed), None);
    // Clusters belong to their Region, and no longer exist after they are deleted.
    let elsewhere = admin.in_region("eu-central-1");
    assert_eq!(elsewhere.ok("eks list-clusters")["clusters"], json!([]));
    let missing = elsewhere.fails("eks describe-cluster --name api");
    assert!(missing.contains("ResourceNotFoundException"), "{missing}");
    // Nobody deletes a cluster with deletion protection.
    admin.ok("eks update-cluster-config --name api --deletion-protection");
    let refused = admin.fails("eks delete-cluster --name api");
    assert!(refused.contains("InvalidRequestException"), "{refused}");
    admin.ok("eks update-cluster-config --name api --no-deletion-protection");
    let server = aws.cluster(PRIMARY, "api").unwrap().server().to_owned();
    let deleted = admin.ok("eks delete-cluster --name api");
    assert_eq!(deleted["cluster"]["status"], "DELETING");
    eventually(&true, || {
        TcpStream::connect(server.trim_start_matches("https://")).is_err()
    });
}

fn by_access_entry(aws: &LocalAws, admin: &Client, reader: &Client) {
    // The creator did not ask for administrator access.
    assert_eq!(who(aws, "api", &token(admin, "api")), None);
    assert_eq!(who(aws, "api", &token(reader, "api")), None);
    admin.ok(&format!(
        "eks create-access-entry --cluster-name api --principal-arn {READER} --kubernetes-groups readers"
    ));
    let user = format!("arn:aws:sts::{PRIMARY}:assumed-role/Reader/me-example.com");
    let groups = ["readers", "system:authenticated"].map(str::to_owned).to_vec();
    let expected = Some((user, groups));
    eventually(&expected, || who(aws, "api", &token(reader, "api")));
    // aws-auth is ignored in this mode.
    assert!(!reads(aws, reader, "secrets"));
    admin.ok(&format!(
        "eks associate-access-policy --cluster-name api --principal-arn {READER} --policy-arn {VIEW} --access-scope type=cluster"
    ));
    eventually(&true, || reads(aws, reader, "secrets"));
    // The policy adds no group: EKS uses its own authorizer.
    assert_eq!(who(aws, "api", &token(reader, "api")), expected);
    admin.ok(&format!(
        "eks associate-access-policy --cluster-name api --principal-arn {READER} --policy-arn {VIEW} --access-scope type=namespace,namespaces=kube-*"
    ));
    eventually(&false, || reads(aws, reader, "secrets"));
    assert!(reads(aws, reader, "secrets --namespace=kube-system"));
    let reserved = admin.fails(&format!(
        "eks update-access-entry --cluster-name api --principal-arn {READER} --kubernetes-groups system:masters"
    ));
    assert!(reserved.contains("InvalidParameterException"), "{reserved}");
}

fn reads(aws: &LocalAws, client: &Client, what: &str) -> bool {
    let what = if what.contains("namespace") {
        what.to_owned()
    } else {
        format!("{what} --namespace=default")
    };
    let token = token(client, "api");
    let mut arguments = vec!["auth", "can-i", "list"];
    arguments.extend(what.split(' '));
    arguments.extend(["--token", &token]);
    let cluster = aws.cluster(PRIMARY, "api").unwrap();
    cluster.kubectl(&arguments).output().unwrap().status.success()
}

fn by_config_map(aws: &LocalAws, admin: &Client, reader: &Client) {
    let creator = (
        "kubernetes-admin".to_owned(),
        vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
    );
    assert_eq!(who(aws, "map", &token(admin, "map")), Some(creator));
    let refused = admin.fails(&format!(
        "eks create-access-entry --cluster-name map --principal-arn {READER}"
    ));
    assert!(refused.contains("authentication mode must be set"), "{refused}");
    assert_eq!(who(aws, "map", &token(reader, "map")), None);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\ndata:\n  mapRoles: |\n    - rolearn: arn:aws:iam::111111111111:role/Reader\n      username: boat:{{SessionName}}\n      groups: [from-map]\n";
    aws.cluster(PRIMARY, "map").unwrap().apply(map).unwrap();
    let groups = |group: &str| vec![group.to_owned(), "system:authenticated".to_owned()];
    let mapped = Some(("boat:me-example.com".to_owned(), groups("from-map")));
    eventually(&mapped, || who(aws, "map", &token(reader, "map")));
    // Both sources: the map still applies, the creator has an access entry, and an entry takes precedence.
    admin.ok("eks update-cluster-config --name map --access-config authenticationMode=API_AND_CONFIG_MAP");
    eventually(&mapped, || who(aws, "map", &token(reader, "map")));
    let entries = admin.ok("eks list-access-entries --cluster-name map");
    assert_eq!(
        entries["accessEntries"],
        json!([format!("arn:aws:iam::{PRIMARY}:user/admin")])
    );
    admin.ok(&format!(
        "eks create-access-entry --cluster-name map --principal-arn {READER} --username entry --kubernetes-groups from-entry"
    ));
    let entry = Some(("entry".to_owned(), groups("from-entry")));
    eventually(&entry, || who(aws, "map", &token(reader, "map")));
    // Access entries only: a caller without an entry gets no access from the map.
    admin.ok("eks update-cluster-config --name map --access-config authenticationMode=API");
    admin.ok(&format!(
        "eks delete-access-entry --cluster-name map --principal-arn {READER}"
    ));
    eventually(&None, || who(aws, "map", &token(reader, "map")));
    let back =
        admin.fails("eks update-cluster-config --name map --access-config authenticationMode=CONFIG_MAP");
    assert!(back.contains("Unsupported authentication mode update"), "{back}");
}

#[test]
fn kms_and_iam_answer_as_aws_does() {
    let (aws, admin) = start();
    let reader = admin.role("Reader", "session");
    // GetCallerIdentity needs no permission, and the audit has the ARN of each caller.
    let identity = reader.ok("sts get-caller-identity");
    assert_eq!(
        identity["Arn"],
        format!("arn:aws:sts::{PRIMARY}:assumed-role/Reader/session")
    );
    // The gateway also enforces IAM for services that fakecloud does not check.
    for command in [
        "eks list-clusters",
        "cloudformation list-stacks",
        "events list-rules",
        "ec2 describe-vpcs",
        "ecr describe-repositories",
    ] {
        admin.ok(command);
        let refused = reader.fails(command);
        assert!(refused.contains("is not authorized to perform"), "{refused}");
    }
    let allowed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:ListClusters","Resource":"*"}]}"#;
    admin.ok_with(
        "iam put-role-policy --role-name Reader --policy-name list --policy-document",
        &[allowed],
    );
    reader.ok("eks list-clusters");
    let decisions: Vec<Decision> = aws
        .audit()
        .into_iter()
        .filter(|entry| entry.action == "eks:ListClusters" && entry.principal.contains("Reader"))
        .map(|entry| entry.decision)
        .collect();
    assert_eq!(decisions, [Decision::Denied, Decision::Allowed]);
    // A ciphertext created with the public key alone.
    let folder = tempfile::tempdir().unwrap();
    let key = admin.ok("kms create-key --key-spec RSA_4096 --key-usage ENCRYPT_DECRYPT");
    let key = key["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let public = admin.ok(&format!("kms get-public-key --key-id {key}"));
    let ciphertext = folder.path().join("ciphertext");
    encrypt(public["PublicKey"].as_str().unwrap(), b"data key", &ciphertext);
    let decrypt = format!(
        "kms decrypt --key-id {key} --encryption-algorithm RSAES_OAEP_SHA_256 --ciphertext-blob fileb://{}",
        ciphertext.display()
    );
    assert_eq!(admin.ok(&decrypt)["Plaintext"], "ZGF0YSBrZXk=");
    let refused = reader.fails(&decrypt);
    assert!(refused.contains("kms:Decrypt"), "{refused}");
    // fakecloud's control endpoints are not part of AWS.
    let mut lever = TcpStream::connect(aws.endpoint().trim_start_matches("http://")).unwrap();
    lever
        .write_all(b"POST /_fakecloud/iam/create-admin HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    lever.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("404 Not Found"), "{answer}");
}

/// Encrypts with RSA-OAEP with SHA-256, for which the public key is enough.
fn encrypt(public_key: &str, plaintext: &[u8], to: &Path) {
    use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD
        .decode(public_key)
        .unwrap();
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).unwrap()).unwrap();
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let written = key
        .encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, None)
        .unwrap();
    std::fs::write(to, written).unwrap();
}

/// A function that uses the Runtime API with curl and does what its event requests.
const BOOTSTRAP: &str = r#"#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
    event=$(curl -s -D "$TMPDIR/head" "$api/next") || exit 3
    id=$(grep -i ^lambda-runtime-aws-request-id "$TMPDIR/head" | tr -d '\r' | cut -d' ' -f2)
    echo "working on $event"
    case $event in
        *ResponseURL*)
            url=$(echo "$event" | sed 's/.*"ResponseURL":"\([^"]*\)".*/\1/')
            case $event in *'"Wanted":"wrong"'*) status=FAILED ;; *) status=SUCCESS ;; esac
            curl -s -o /dev/null -X PUT -d "{\"Status\":\"$status\",\"Reason\":\"the answer is $status\",\"PhysicalResourceId\":\"r\"}" "$url"
            curl -s -o /dev/null -d null "$api/$id/response" ;;
        *sleep*) sleep 60 ;;
        *memory*) tail /dev/zero ;; # it waits for the end of a line that has none
        *exit*) exit 9 ;;
        *error*) curl -s -o /dev/null -d '{"errorType":"Own","errorMessage":"as asked"}' "$api/$id/error" ;;
        *environment*) curl -s -o /dev/null -d "\"$(env | sort | tr '\n' ' ')\"" "$api/$id/response" ;;
        *) curl -s -o /dev/null -d "{\"got\": $event, \"arn\": \"$(grep -i ^lambda-runtime-invoked "$TMPDIR/head" | tr -d '\r' | cut -d' ' -f2)\"}" "$api/$id/response" ;;
    esac
done
"#;

#[test]
fn functions_run_with_what_lambda_gives_and_no_more() {
    let (aws, admin) = start();
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("bootstrap");
    std::fs::write(&bootstrap, BOOTSTRAP).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&bootstrap, executable).unwrap();
    let zipped = Command::new("python3")
        .args(["-m", "zipfile", "-c", "code.zip", "bootstrap"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(zipped.success());
    admin.role_for("Function", "lambda.amazonaws.com");
    admin.ok(&format!(
        "lambda create-function --function-name f --runtime provided.al2023 --handler bootstrap --timeout 5 --memory-size 256 \
         --role arn:aws:iam::{PRIMARY}:role/Function --environment Variables={{OWN=mine}} --zip-file fileb://{}",
        folder.path().join("code.zip").display()
    ));
    let invoke = |event: &str| -> (Value, Value) {
        let out = folder.path().join("out");
        let answer = admin.ok_with(
            "lambda invoke --function-name f --payload",
            &[event, out.to_str().unwrap()],
        );
        let body = std::fs::read(&out).unwrap();
        (
            answer["FunctionError"].clone(),
            serde_json::from_slice(&body).unwrap(),
        )
    };
    let (error, answer) = invoke(r#"{"hello":1}"#);
    assert!(error.is_null(), "{answer}");
    assert_eq!(answer["got"], json!({"hello": 1}));
    assert_eq!(
        answer["arn"],
        format!("arn:aws:lambda:{REGION}:{PRIMARY}:function:f")
    );
    let (_, environment) = invoke(r#""environment""#);
    let environment = environment.as_str().unwrap();
    for expected in [
        "OWN=mine",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
        "AWS_REGION=eu-west-1",
        "AWS_SESSION_TOKEN=",
        &format!("AWS_ENDPOINT_URL={}", aws.endpoint()),
    ] {
        assert!(environment.contains(expected), "{expected}: {environment}");
    }
    assert!(!environment.contains("HOME=") && !environment.contains("CARGO"));
    for (event, kind, message) in [
        (r#""error""#, "Own", "as asked"),
        (r#""exit""#, "Runtime.ExitError", "exit status 9"),
        (
            r#""sleep""#,
            "Sandbox.Timedout",
            "Task timed out after 5.00 seconds",
        ),
        (r#""memory""#, "Runtime.OutOfMemory", "signal: killed"),
    ] {
        let (error, answer) = invoke(event);
        assert_eq!(error, "Unhandled", "{event}: {answer}");
        assert_eq!(answer["errorType"], kind, "{answer}");
        assert!(
            answer["errorMessage"].as_str().unwrap().contains(message),
            "{answer}"
        );
    }
    // After each of these failures the function handles the next event.
    let (error, _) = invoke(r#"{"again":1}"#);
    assert!(error.is_null());
    let logs: String = aws.function_logs().into_iter().map(|log| log.text).collect();
    for expected in [
        "START RequestId",
        "working on",
        "REPORT RequestId",
        "Max Memory Used",
    ] {
        assert!(logs.contains(expected), "{expected}: {logs}");
    }
    stacks_wait_for_their_custom_resources(&admin, folder.path());
    let root = aws.dir().to_owned();
    drop(aws);
    assert!(!root.exists());
}

const STACK: &str = "
Parameters:
  Wanted: {Type: String, AllowedValues: [right, wrong]}
  Memory: {Type: Number, Default: 384}
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub 'answers-${Wanted}'
      Runtime: provided.al2023
      Handler: bootstrap
      Code: {S3Bucket: code, S3Key: code.zip}
      Role: arn:aws:iam::111111111111:role/Function
      MemorySize: !Ref Memory
      Timeout: 20
  Answer:
    Type: Custom::Answer
    Properties:
      ServiceToken: !GetAtt Function.Arn
      Wanted: !Ref Wanted
";

/// A stack completes when its custom resource responds, and fails if the resource fails.
fn stacks_wait_for_their_custom_resources(admin: &Client, folder: &Path) {
    let template = folder.join("stack.yaml");
    std::fs::write(&template, STACK).unwrap();
    let zip = folder.join("code.zip");
    admin.done("s3 mb s3://code");
    admin.done(&format!(
        "s3 cp --only-show-errors {} s3://code/code.zip",
        zip.display()
    ));
    let deploy = |wanted: &str| {
        format!(
            "cloudformation deploy --stack-name {wanted} --template-file {} --parameter-overrides Wanted={wanted}",
            template.display()
        )
    };
    admin.done(&deploy("right"));
    let out = folder.join("out");
    admin.ok_with(
        "lambda invoke --function-name answers-right --payload",
        &[r#""environment""#, out.to_str().unwrap()],
    );
    let environment = std::fs::read_to_string(&out).unwrap();
    assert!(
        environment.contains("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=384"),
        "{environment}"
    );
    let failed = admin.fails(&deploy("wrong"));
    assert!(failed.contains("Failed to create/update the stack"), "{failed}");
    let stack = admin.ok("cloudformation describe-stacks --stack-name wrong");
    assert_eq!(stack["Stacks"][0]["StackStatus"], "ROLLBACK_COMPLETE", "{stack}");
    let events = admin
        .ok("cloudformation describe-stack-events --stack-name wrong")
        .to_string();
    assert!(
        events.contains("Message returned: the answer is FAILED"),
        "{events}"
    );
    admin.done("cloudformation delete-stack --stack-name wrong");
}
