//! From a caller of AWS to a user of Kubernetes: access entries and `aws-auth`.

use serde_json::Value;

use crate::aws::arn;

/// Who asks, as STS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The ARN, of a session where the caller is a role.
    pub(crate) arn: String,
    /// The id that IAM gave (`AROA…:session`).
    pub(crate) user_id: String,
    /// The key that signed.
    pub(crate) access_key_id: String,
}

impl Caller {
    pub(crate) fn account(&self) -> &str {
        arn::account(&self.arn)
    }

    pub(crate) fn canonical_arn(&self) -> Option<String> {
        arn::canonical(&self.arn)
    }

    /// Fills the placeholders of a user or group name.
    pub(crate) fn fill(&self, template: &str) -> String {
        let session = arn::session_name(&self.arn);
        template
            .replace("{{AccountID}}", self.account())
            .replace("{{AccessKeyID}}", &self.access_key_id)
            .replace("{{SessionNameRaw}}", session)
            // Names of users must not look like an e-mail address of somebody else.
            .replace("{{SessionName}}", &session.replace('@', "-"))
    }
}

/// A user of Kubernetes, before the API server adds `system:authenticated`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
}

/// Which of the two sources a cluster reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Api,
    ApiAndConfigMap,
    ConfigMap,
}

impl Mode {
    /// The value of `authenticationMode`; EKS takes a missing one for CONFIG_MAP.
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

/// The user that an access entry (as DescribeAccessEntry gives it) makes of a caller.
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

/// The name that EKS gives where the entry names none: the user's ARN, or the
/// session's with the role's path left out.
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

/// The user that the data of `aws-auth` makes of a caller. As in the real one, the
/// role must be written without its path, letters of either case are the same,
/// roles come before users, users before accounts, and a part that is not YAML
/// counts for nothing.
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
