//! Maps an AWS caller to a Kubernetes user, by access entries and `aws-auth`.

use serde_json::Value;

use crate::aws::arn;

/// The caller as STS reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The ARN; for a role, the ARN of the session.
    pub(crate) arn: String,
    /// The unique id from IAM (`AROA…:session`).
    pub(crate) user_id: String,
    /// The access key id of the signature.
    pub(crate) access_key_id: String,
}

impl Caller {
    pub(crate) fn account(&self) -> &str {
        arn::account(&self.arn)
    }

    pub(crate) fn canonical_arn(&self) -> Option<String> {
        arn::canonical(&self.arn)
    }

    /// Replaces the placeholders in a user or group name.
    pub(crate) fn fill(&self, template: &str) -> String {
        let session = arn::session_name(&self.arn);
        template
            .replace("{{AccountID}}", self.account())
            .replace("{{AccessKeyID}}", &self.access_key_id)
            .replace("{{SessionNameRaw}}", session)
            // A user name must not look like the e-mail address of another user.
            .replace("{{SessionName}}", &session.replace('@', "-"))
    }
}

/// A Kubernetes user, before the API server adds the group `system:authenticated`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
}

/// The authentication mode of a cluster: which of the two sources it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Api,
    ApiAndConfigMap,
    ConfigMap,
}

impl Mode {
    /// Parses the value of `authenticationMode`. As in EKS, a missing value means CONFIG_MAP.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        match text {
            Some("API") => Self::Api,
            Some("API_AND_CONFIG_MAP") => Self::ApiAndConfigMap,
            _ => Self::ConfigMap,
        }
    }

    pub(crate) fn reads_entries(self) -> bool {
        self != Self::ConfigMap
    }

    pub(crate) fn reads_config_map(self) -> bool {
        self != Self::Api
    }
}

/// Returns the user to which an access entry (in the form of DescribeAccessEntry) maps a caller.
pub(crate) fn by_entry(entry: &Value, caller: &Caller) -> Mapped {
    let default = default_username(entry["principalArn"].as_str().unwrap_or_default());
    let template = entry["username"]
        .as_str()
        .filter(|name| !name.is_empty())
        .unwrap_or(&default);
    Mapped {
        username: caller.fill(template),
        groups: strings(&entry["kubernetesGroups"]),
    }
}

/// Returns the default user name of EKS for an entry without one: the user's ARN, or the session's
/// ARN without the role's path.
fn default_username(principal: &str) -> String {
    match arn::Arn::parse(principal) {
        Some(parsed) if parsed.resource.starts_with("role/") => {
            let role = parsed.resource.rsplit('/').next().unwrap_or_default();
            format!(
                "arn:{}:sts::{}:assumed-role/{role}/{{{{SessionName}}}}",
                parsed.partition, parsed.account
            )
        }
        _ => principal.to_owned(),
    }
}

/// Returns the user to which the data of `aws-auth` maps a caller. As in aws-iam-authenticator, the
/// role must be written without its path, case is ignored, roles take precedence over users and
/// users over accounts, and a part that is not valid YAML is ignored.
pub(crate) fn by_config_map(data: &Value, caller: &Caller) -> Option<Mapped> {
    let canonical = caller.canonical_arn()?.to_lowercase();
    for (list, key) in [("mapRoles", "rolearn"), ("mapUsers", "userarn")] {
        let mappings = yaml(&data[list]);
        let found = mappings.as_array().into_iter().flatten().find(|mapping| {
            mapping[key]
                .as_str()
                .and_then(|written| arn::canonical(&written.to_lowercase()))
                .is_some_and(|written| written == canonical)
        });
        if let Some(mapping) = found {
            let username = mapping["username"].as_str().unwrap_or_default();
            return Some(Mapped {
                username: caller.fill(username),
                groups: strings(&mapping["groups"])
                    .iter()
                    .map(|group| caller.fill(group))
                    .collect(),
            });
        }
    }
    let accounts = yaml(&data["mapAccounts"]);
    accounts
        .as_array()
        .into_iter()
        .flatten()
        .any(|account| account.as_str() == Some(caller.account()))
        .then(|| Mapped {
            username: caller.canonical_arn().unwrap_or_default(),
            groups: Vec::new(),
        })
}

fn yaml(text: &Value) -> Value {
    text.as_str()
        .and_then(|text| serde_yaml_ng::from_str(text).ok())
        .unwrap_or(Value::Null)
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
