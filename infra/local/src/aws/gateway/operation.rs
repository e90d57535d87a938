//! Maps a request to IAM actions and resources.

mod efs;
mod eks;
mod lambda;
mod s3;

use http::request::Parts;
use serde_json::Value;

use super::stacks;
use super::wire::{decode, parameter};

pub(crate) use eks::{Operation as EksOperation, operation as eks_operation};

/// The scope of a signature. It is in the header of a signed request or in the query of a presigned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// Returns nothing for a request without a signature.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let header = parts
            .headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        match header {
            Some(header) => {
                let credential = header.split("Credential=").nth(1)?.split(',').next()?;
                Self::parse(credential.trim())
            }
            None => Self::parse(&parameter(parts.uri.query()?, "X-Amz-Credential")?),
        }
    }

    fn parse(credential: &str) -> Option<Self> {
        let mut parts = credential.split('/');
        let access_key_id = parts.next()?.to_owned();
        let _date = parts.next()?;
        let region = parts.next()?.to_owned();
        let service = parts.next()?.to_owned();
        Some(Self {
            access_key_id,
            region,
            service,
        })
    }
}

/// One permission that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The condition keys of the request that policies of Lifeboat use, with their values.
    pub(crate) conditions: Vec<(&'static str, String)>,
}

impl Need {
    fn new(action: &str, resource: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.into(),
            conditions: Vec::new(),
        }
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.conditions.push((key, value.to_owned()));
        self
    }
}

/// Returns the permissions that a request needs. An operation that is not known here is named
/// `service:Unknown`, which only a grant with a wildcard allows.
pub(crate) fn needs(scope: &Scope, account: &str, parts: &Parts, body: &[u8]) -> Vec<Need> {
    match scope.service.as_str() {
        "s3" => return s3::needs(parts),
        "lambda" => return vec![lambda::need(&scope.region, account, parts)],
        "elasticfilesystem" => return vec![efs::need(&scope.region, account, parts)],
        "eks" => {
            let need = eks::need(&scope.region, account, parts);
            return vec![need];
        }
        _ => {}
    }
    let prefix = prefix(&scope.service);
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    // The newest protocol (RPC v2 CBOR) has the operation in the path.
    let in_path = parts
        .uri
        .path()
        .split_once("/operation/")
        .map(|(_, operation)| operation.to_owned());
    let form = std::str::from_utf8(body).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    if let Some(target) = target {
        let operation = target.rsplit('.').next().unwrap_or(target);
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        // Of several resources, the first decides.
        let text = |name: &str| {
            let value = &body[name];
            let text = value.as_str().or_else(|| value[0].as_str());
            text.map(str::to_owned)
        };
        let resource = resource(&scope.service, &scope.region, account, text);
        return vec![Need::new(&format!("{prefix}:{operation}"), resource)];
    }
    if let Some(operation) = in_path {
        return vec![Need::new(&format!("{prefix}:{operation}"), "*")];
    }
    let text = |name: &str| parameter(form, name).or_else(|| parameter(query, name));
    let operation = text("Action").unwrap_or_else(|| "Unknown".to_owned());
    let template = text("TemplateURL").filter(|_| scope.service == "cloudformation");
    let service_role = text("RoleARN").filter(|_| scope.service == "cloudformation");
    let resource = resource(&scope.service, &scope.region, account, text);
    let mut needs = vec![Need::new(&format!("{prefix}:{operation}"), resource)];
    // The caller passes the service role, which changes the resources of a stack instead of the caller.
    if let Some(role) = service_role {
        needs = vec![
            needs.remove(0).with("cloudformation:RoleArn", &role),
            Need::new("iam:PassRole", &*role).with("iam:PassedToService", "cloudformation.amazonaws.com"),
        ];
    }
    // CloudFormation reads a template by its address with the permissions of its caller.
    if let Some((bucket, key)) = template.as_deref().and_then(stacks::template_object) {
        needs.push(Need::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}")));
    }
    needs
}

/// Returns the prefix of a service's actions, where it differs from the name in the signature.
fn prefix(service: &str) -> &str {
    match service {
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        "email" => "ses",
        other => other,
    }
}

/// Returns the resource for the services that Lifeboat uses; `*` for all others.
fn resource(service: &str, region: &str, account: &str, text: impl Fn(&str) -> Option<String>) -> String {
    let found = match service {
        "kms" => text("KeyId").map(|key| kms_key(region, account, &key)),
        "acm" => text("CertificateArn"),
        "cloudformation" => text("StackName").map(|name| {
            if name.starts_with("arn:") {
                name
            } else {
                format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/*")
            }
        }),
        "events" => text("Name")
            .or_else(|| text("Rule"))
            .map(|name| format!("arn:aws:events:{region}:{account}:rule/{name}")),
        "logs" => text("logGroupName")
            .map(|name| format!("arn:aws:logs:{region}:{account}:log-group:{name}:*"))
            .or_else(|| text("logGroupIdentifier")),
        "sns" => text("TopicArn").or_else(|| text("ResourceArn")),
        "sts" => text("RoleArn"),
        "iam" => text("RoleName")
            .map(|name| format!("arn:aws:iam::{account}:role/{name}"))
            .or_else(|| text("UserName").map(|name| format!("arn:aws:iam::{account}:user/{name}")))
            .or_else(|| {
                text("InstanceProfileName")
                    .map(|name| format!("arn:aws:iam::{account}:instance-profile/{name}"))
            })
            .or_else(|| text("OpenIDConnectProviderArn"))
            .or_else(|| text("PolicyArn")),
        "ecr" => text("repositoryName")
            .or_else(|| text("repositoryNames"))
            .map(|name| format!("arn:aws:ecr:{region}:{account}:repository/{name}"))
            .or_else(|| text("resourceArn")),
        _ => None,
    };
    found.unwrap_or_else(|| "*".to_owned())
}

/// Returns the ARN of a key that is given in any form. An alias is not resolved: only KMS has the
/// key that it refers to.
fn kms_key(region: &str, account: &str, key: &str) -> String {
    if key.starts_with("arn:") {
        key.to_owned()
    } else if key.starts_with("alias/") {
        format!("arn:aws:kms:{region}:{account}:{key}")
    } else {
        format!("arn:aws:kms:{region}:{account}:key/{key}")
    }
}

/// Returns the segments of a path. Each is decoded separately, so that an encoded slash does not split it.
fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect()
}

#[cfg(test)]
mod tests;
