//! An HTTP client that answers as AWS does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use lifeboat_aws::AwsContext;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answers;

/// What is different from an account in which all is well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    /// Lists are answered in the reverse order.
    pub(crate) is_reversed: bool,
    /// The actions that the caller may not do.
    pub(crate) refused: Vec<String>,
    /// An action that fails with this status and code.
    pub(crate) failing: Option<(String, u16, String)>,
}

/// A scripted AWS with one account.
#[derive(Clone)]
pub(crate) struct Scripted {
    behaviour: Arc<Behaviour>,
    calls: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

/// A request, as the operation reads it.
pub(crate) struct Call {
    /// The action, such as `ec2:DescribeVpcs`.
    pub(crate) action: String,
    /// The segments of the path, the parameters of the query or the form, the fields of a JSON body.
    path: Vec<String>,
    text: String,
}

impl Call {
    fn of(request: &HttpRequest) -> Self {
        let uri = request.uri();
        let (host, rest) = uri
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .unwrap();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path: Vec<String> = path.split('/').map(decode).collect();
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        let target = request.headers().get("x-amz-target");
        let target = target
            .and_then(|target| target.rsplit('.').next())
            .map(str::to_owned);
        let form = || {
            let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
            action.unwrap().to_owned()
        };
        let (service, operation) = match host.trim_start_matches("api.").split('.').next().unwrap() {
            "elasticfilesystem" => ("elasticfilesystem", efs(&path)),
            "eks" => ("eks", eks(&path)),
            "ec2" => ("ec2", form()),
            "iam" => ("iam", form()),
            "ecr" => ("ecr", target.unwrap()),
            "kms" => ("kms", target.unwrap()),
            "acm" => ("acm", target.unwrap()),
            "elasticloadbalancing" => ("elasticloadbalancing", form()),
            "wafv2" => ("wafv2", target.unwrap()),
            // The only operation on no bucket.
            "s3" => ("s3", "ListAllMyBuckets".to_owned()),
            other => panic!("no service {other}"),
        };
        Self {
            action: format!("{service}:{operation}"),
            path,
            text: format!("{}&{}", decode(query), decode(&body)),
        }
    }

    /// Returns whether the request names this, in its path, query or body.
    pub(crate) fn names(&self, text: &str) -> bool {
        self.path.iter().any(|segment| segment == text) || self.text.contains(text)
    }
}

/// EKS tells operations by their paths.
fn eks(path: &[String]) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["cluster-versions"] => "DescribeClusterVersions",
        ["clusters", _] => "DescribeCluster",
        ["clusters", _, "node-groups"] => "ListNodegroups",
        ["clusters", _, "node-groups", _] => "DescribeNodegroup",
        ["clusters", _, "fargate-profiles"] => "ListFargateProfiles",
        ["clusters", _, "fargate-profiles", _] => "DescribeFargateProfile",
        ["clusters", _, "addons"] => "ListAddons",
        ["clusters", _, "addons", _] => "DescribeAddon",
        ["clusters", _, "access-entries"] => "ListAccessEntries",
        ["clusters", _, "access-entries", _] => "DescribeAccessEntry",
        ["clusters", _, "access-entries", _, "access-policies"] => "ListAssociatedAccessPolicies",
        ["clusters", _, "pod-identity-associations"] => "ListPodIdentityAssociations",
        ["clusters", _, "pod-identity-associations", _] => "DescribePodIdentityAssociation",
        ["clusters", _, "identity-provider-configs"] => "ListIdentityProviderConfigs",
        ["clusters", _, "identity-provider-configs", "describe"] => "DescribeIdentityProviderConfig",
        other => panic!("no operation of EKS: {other:?}"),
    }
    .to_owned()
}

/// EFS tells operations by their paths.
fn efs(path: &[String]) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["2015-02-01", "file-systems"] => "DescribeFileSystems",
        ["2015-02-01", "file-systems", _, "policy"] => "DescribeFileSystemPolicy",
        ["2015-02-01", "file-systems", _, "lifecycle-configuration"] => "DescribeLifecycleConfiguration",
        ["2015-02-01", "file-systems", _, "backup-policy"] => "DescribeBackupPolicy",
        ["2015-02-01", "file-systems", "replication-configurations"] => "DescribeReplicationConfigurations",
        ["2015-02-01", "access-points"] => "DescribeAccessPoints",
        ["2015-02-01", "mount-targets"] => "DescribeMountTargets",
        ["2015-02-01", "mount-targets", _, "security-groups"] => "DescribeMountTargetSecurityGroups",
        other => panic!("no operation of EFS: {other:?}"),
    }
    .to_owned()
}

impl Scripted {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour: Arc::new(behaviour),
            calls: Arc::default(),
        }
    }

    pub(crate) fn context(&self) -> AwsContext {
        let connector = SharedHttpConnector::new(self.clone());
        let client: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
        let keys = Credentials::new("AKID", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .http_client(client)
            .build();
        AwsContext::from_config(config).unwrap()
    }

    /// Returns the actions that the calls needed.
    pub(crate) fn called(&self) -> BTreeSet<String> {
        self.calls.lock().unwrap().keys().cloned().collect()
    }

    /// Returns how often a call was sent.
    pub(crate) fn count(&self, action: &str) -> u32 {
        self.calls
            .lock()
            .unwrap()
            .get(action)
            .copied()
            .unwrap_or_default()
    }

    fn answer(&self, call: &Call) -> (u16, String) {
        let action = call.action.as_str();
        *self.calls.lock().unwrap().entry(action.to_owned()).or_default() += 1;
        if self.behaviour.refused.iter().any(|refused| refused == action) {
            return match action.split(':').next().unwrap() {
                "ec2" => (403, error_of(action, "UnauthorizedOperation")),
                "iam" | "elasticloadbalancing" | "s3" => (403, error_of(action, "AccessDenied")),
                "eks" | "elasticfilesystem" => (403, error_of(action, "AccessDeniedException")),
                _ => (400, error_of(action, "AccessDeniedException")),
            };
        }
        if let Some((failing, status, code)) = &self.behaviour.failing
            && failing == action
        {
            return (*status, error_of(action, code));
        }
        let answer = answers::answer(call);
        if !self.behaviour.is_reversed {
            return (200, answer);
        }
        if answer.starts_with('<') {
            return (200, reversed_items(&answer));
        }
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        reverse(&mut answer);
        (200, answer.to_string())
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::of(&request);
        let (status, body) = self.answer(&call);
        let is_xml = body.starts_with('<');
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into());
        let kind = if is_xml { "text/xml" } else { "application/json" };
        response.headers_mut().insert("content-type", kind);
        if !is_xml
            && status != 200
            && let Some(bytes) = response.body().bytes()
        {
            let error: Value = serde_json::from_slice(bytes).unwrap();
            let code = error["__type"].as_str().unwrap().to_owned();
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn error_of(action: &str, code: &str) -> String {
    let message = format!("not authorized to perform {action}");
    match action.split(':').next().unwrap() {
        "ec2" => format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>1</RequestID></Response>"
        ),
        "s3" => format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
        "iam" | "elasticloadbalancing" => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>1</RequestId></ErrorResponse>"
        ),
        "elasticfilesystem" => json!({"__type": code, "ErrorCode": code, "Message": message}).to_string(),
        _ => json!({"__type": code, "message": message}).to_string(),
    }
}

/// Reverses each list, except those whose order has a meaning.
fn reverse(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(reverse);
            items.reverse();
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if !matches!(name.as_str(), "instanceTypes" | "SecondaryGids") {
                    reverse(value);
                }
            }
        }
        _ => {}
    }
}

/// Reverses the items of the outermost list of an answer in XML, each on a line of its own.
fn reversed_items(answer: &str) -> String {
    let (items, rest): (Vec<&str>, Vec<&str>) = answer
        .lines()
        .partition(|line| line.starts_with("<item>") || line.starts_with("<member>"));
    let first = answer
        .lines()
        .position(|line| items.contains(&line))
        .unwrap_or_default();
    let mut lines: Vec<&str> = rest[..first].to_vec();
    lines.extend(items.iter().rev());
    lines.extend(&rest[first..]);
    lines.join("\n")
}
