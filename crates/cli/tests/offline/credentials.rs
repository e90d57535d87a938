//! Each kind of credentials that the AWS CLI supports, against a server that simulates STS, IAM Identity Center and the
//! metadata endpoints of containers and instances: which credentials are used, and what is reported when they are not
//! valid.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use lifeboat_apiserver::testing::{FakeServer, Recorded, Reply};
use serde_json::json;

use crate::run::Place;

/// The name of the file with the cached token of the sso-session `corp`: the SHA-1 of its name.
const TOKEN_FILE: &str = "ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

const FUTURE: &str = "2126-01-01T00:00:00Z";
const PAST: &str = "2020-01-01T00:00:00Z";

const CONFIG: &str = "
[profile keys]
region = eu-central-1
[profile old]
region = eu-central-1
[profile sso]
sso_session = corp
sso_account_id = 222222222222
sso_role_name = Admin
region = eu-central-1
[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://corp.awsapps.com/start
[profile process]
credential_process = ./credentials.sh
region = eu-central-1
[profile broken]
credential_process = ./missing.sh
region = eu-central-1
[profile role]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = keys
region = eu-central-1
[profile role-of-sso]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = sso
region = eu-central-1
[profile mfa]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = keys
mfa_serial = arn:aws:iam::222222222222:mfa/me
region = eu-central-1
[profile web]
role_arn = arn:aws:iam::222222222222:role/admin
web_identity_token_file = ./token
region = eu-central-1
[profile console]
login_session = arn:aws:iam::222222222222:user/me
region = eu-central-1
";

const KEYS: &str = "
[keys]
aws_access_key_id = AKIDKEYS
aws_secret_access_key = canary-secret
[old]
aws_access_key_id = AKIDEXPIRED
aws_secret_access_key = canary-secret
";

/// Returns what `credential_process` and `aws configure export-credentials` print.
fn process(key: &str) -> String {
    let credentials = json!({"Version": 1, "AccessKeyId": key, "SecretAccessKey": "canary-secret"});
    format!("#!/bin/sh\necho '{credentials}'\n")
}

fn role(key: &str, action: &str) -> Reply {
    Reply::bytes(
        200,
        "text/xml",
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey>\
             <SessionToken>canary-token</SessionToken><Expiration>{FUTURE}</Expiration></Credentials>\
             <AssumedRoleUser><Arn>arn:aws:sts::222222222222:assumed-role/admin/x</Arn><AssumedRoleId>A:x</AssumedRoleId>\
             </AssumedRoleUser></{action}Result></{action}Response>"
        ),
    )
}

fn answer(request: &Recorded, _: usize) -> Reply {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let machine = |key: &str| {
        let body = json!({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": key, "SecretAccessKey": "canary-secret",
            "Token": "canary-token", "Expiration": FUTURE, "LastUpdated": PAST});
        Reply::json(200, &body)
    };
    match request.path.as_str() {
        "/federation/credentials" if header("x-amz-sso_bearer_token") == "canary-token" => {
            let keys = json!({"accessKeyId": "AKIDSSO", "secretAccessKey": "canary-secret",
                "sessionToken": "canary-token", "expiration": 4_922_899_200_000_i64});
            Reply::json(200, &json!({"roleCredentials": keys}))
        }
        "/container" => machine("AKIDCONTAINER"),
        "/latest/api/token" => {
            Reply::bytes(200, "text/plain", "token").header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        }
        "/latest/meta-data/iam/security-credentials/" => Reply::bytes(200, "text/plain", "node"),
        "/latest/meta-data/iam/security-credentials/node" => machine("AKIDINSTANCE"),
        "/" => sts(request, &header("authorization")),
        _ => Reply::bytes(404, "text/plain", "not found"),
    }
}

fn sts(request: &Recorded, authorization: &str) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let key = authorization
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest);
    let key = key.split('/').next().unwrap_or_default();
    if key == "AKIDEXPIRED" {
        let error = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
            <Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error>\
            <RequestId>r-1</RequestId></ErrorResponse>";
        return Reply::bytes(403, "text/xml", error);
    }
    if body.contains("Action=AssumeRoleWithWebIdentity") {
        return role("AKIDWEB", "AssumeRoleWithWebIdentity");
    }
    if body.contains("Action=AssumeRole") {
        return role(&format!("ROLEOF{key}"), "AssumeRole");
    }
    Reply::bytes(
        200,
        "text/xml",
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::222222222222:user/{key}</Arn><UserId>U</UserId><Account>222222222222</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
}

/// A user's machine with the profiles above, and a server that simulates AWS.
struct Machine {
    place: Place,
    server: FakeServer,
    runtime: tokio::runtime::Runtime,
}

impl Machine {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(FakeServer::start(answer)).unwrap();
        let machine = Self {
            place: Place::new(),
            server,
            runtime,
        };
        machine.write(".aws/config", CONFIG);
        machine.write(".aws/credentials", KEYS);
        machine.write("token", "canary-web-token");
        machine.script("credentials.sh", &process("AKIDPROCESS"));
        machine.signed_in(FUTURE);
        machine
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.place.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, text);
        let file = self.place.path().join(name);
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes the cached token that `aws sso login` writes.
    fn signed_in(&self, until: &str) {
        let token = json!({"accessToken": "canary-token", "expiresAt": until, "region": "eu-central-1",
            "startUrl": "https://corp.awsapps.com/start"});
        self.write(&format!(".aws/sso/cache/{TOKEN_FILE}"), &token.to_string());
    }

    /// Requests the status from another account than that of the credentials, so that the error names the credentials.
    fn run(&self, profile: Option<&str>, environment: &[(&str, &str)]) -> Output {
        let mut words = vec!["status", "--account", "333333333333"];
        if let Some(profile) = profile {
            words.extend(["--profile", profile]);
        }
        let path = format!("{}:/usr/bin:/bin", self.place.path().display());
        let mut command = self.place.command(&words);
        command
            .env("PATH", path)
            .env("AWS_ENDPOINT_URL", self.server.url())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(environment.iter().copied()).output().unwrap()
    }

    /// Returns the access key that signed the request.
    fn key(&self, profile: Option<&str>, environment: &[(&str, &str)]) -> String {
        let shown = shown(&self.run(profile, environment));
        let key = shown.split_once(":user/").map(|(_, rest)| rest);
        let key = key.and_then(|rest| rest.split(')').next());
        key.unwrap_or_else(|| panic!("{profile:?}: {shown}")).to_owned()
    }

    fn end(self) {
        drop(self.server);
        self.runtime.shutdown_background();
    }
}

fn shown(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!text.contains("canary"), "{text}");
    text
}

#[test]
fn each_kind_of_credentials_of_the_aws_cli_is_used() {
    let machine = Machine::new();
    machine.script("aws", &process("AKIDLOGIN"));
    for (profile, key) in [
        ("keys", "AKIDKEYS"),
        ("sso", "AKIDSSO"),
        ("process", "AKIDPROCESS"),
        ("role", "ROLEOFAKIDKEYS"),
        ("role-of-sso", "ROLEOFAKIDSSO"),
        ("web", "AKIDWEB"),
        ("console", "AKIDLOGIN"),
    ] {
        assert_eq!(machine.key(Some(profile), &[]), key, "--profile {profile}");
        assert_eq!(
            machine.key(None, &[("AWS_PROFILE", profile)]),
            key,
            "AWS_PROFILE={profile}"
        );
    }
    let region = ("AWS_REGION", "eu-central-1");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
        region,
    ];
    assert_eq!(machine.key(None, &keys), "AKIDENV");
    assert_eq!(
        machine.key(Some("sso"), &keys),
        "AKIDSSO",
        "--profile counts more than the environment"
    );
    let container = format!("{}/container", machine.server.url());
    let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()), region];
    assert_eq!(machine.key(None, &container), "AKIDCONTAINER");
    let metadata = machine.server.url();
    let instance = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str()),
        region,
    ];
    assert_eq!(machine.key(None, &instance), "AKIDINSTANCE");
    machine.end();
}

#[test]
fn refused_credentials_name_their_profile_and_the_command() {
    let machine = Machine::new();
    machine.signed_in(PAST);
    for (profile, source, command) in [
        (
            "sso",
            "the profile sso (IAM Identity Center, sso-session corp)",
            "`aws sso login --profile sso`",
        ),
        (
            "role-of-sso",
            "the profile role-of-sso (IAM Identity Center, sso-session corp of the profile sso)",
            "`aws sso login --profile sso`",
        ),
        (
            "old",
            "the profile old (access keys)",
            "`aws configure --profile old`",
        ),
        (
            "broken",
            "the profile broken (credential_process)",
            "the credential_process of the profile broken",
        ),
        (
            "mfa",
            "the profile mfa (access keys of the profile keys, with MFA)",
            "arn:aws:iam::222222222222:mfa/me",
        ),
        (
            "console",
            "the profile console (aws login)",
            "`aws login --profile console`",
        ),
        (
            "nobody",
            "the profile nobody (not configured)",
            "`aws configure list-profiles`",
        ),
    ] {
        // A profile that does not exist has no Region either.
        let shown = shown(&machine.run(Some(profile), &[("AWS_REGION", "eu-central-1")]));
        assert!(shown.contains("LB-1001"), "{profile}: {shown}");
        assert!(
            shown.contains(source) && shown.contains(command),
            "{profile}: {shown}"
        );
    }
    let shown = shown(&machine.run(None, &[("AWS_REGION", "eu-central-1")]));
    assert!(
        shown.contains("LB-1001") && shown.contains("aws sso login"),
        "{shown}"
    );
    machine.end();
}
