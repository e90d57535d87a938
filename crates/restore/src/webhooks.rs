//! Names what to change when an admission webhook refuses a request.

use std::collections::BTreeSet;
use std::fmt;

use lifeboat_apiserver::api::Api;
use lifeboat_model::{Code, Problem};
use serde_json::Value;

use crate::wire::text;

/// The types of webhook configurations: the plural name, and the name that kubectl uses.
const CONFIGURATIONS: [(&str, &str); 2] = [
    ("mutatingwebhookconfigurations", "mutatingwebhookconfiguration"),
    (
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
    ),
];

/// A webhook that refuses requests, and the configurations that have to be changed before it no longer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusingWebhook {
    /// The name of the webhook, as in the API server's answer.
    pub name: String,
    /// The configurations that contain it, then those whose webhooks have the same backend and fail closed as well.
    pub configurations: Vec<WebhookConfiguration>,
    /// The Service of the backend, as `namespace/name`.
    pub backend: Option<String>,
}

/// A webhook configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebhookConfiguration {
    /// The type, as kubectl names it.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

impl fmt::Display for WebhookConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl RefusingWebhook {
    /// Finds the configurations of a webhook. Those that cannot be read are missing from the result: the refusal is
    /// reported in any case.
    pub async fn find(api: &Api, name: &str) -> Self {
        let mut configurations = Vec::new();
        for (plural, kind) in CONFIGURATIONS {
            let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
            if let Ok(mut list) = api.get_json::<Value>(&path).await
                && let Some(items) = list.get_mut("items").and_then(Value::as_array_mut)
            {
                configurations.extend(items.drain(..).map(|item| (kind, item)));
            }
        }
        Self::among(name, &configurations)
    }

    fn among(name: &str, configurations: &[(&'static str, Value)]) -> Self {
        let webhooks = |configuration: &Value| {
            let webhooks = configuration.get("webhooks").and_then(Value::as_array);
            webhooks.cloned().unwrap_or_default()
        };
        let backend = |webhook: &Value| {
            let service = webhook.pointer("/clientConfig/service")?;
            Some(format!(
                "{}/{}",
                text(service, "/namespace"),
                text(service, "/name")
            ))
        };
        let named: Vec<Value> = (configurations.iter())
            .flat_map(|(_, configuration)| webhooks(configuration))
            .filter(|webhook| text(webhook, "/name") == name)
            .collect();
        let backends: BTreeSet<String> = named.iter().filter_map(backend).collect();
        let with = |matches: &dyn Fn(&Value) -> bool| {
            let found = configurations
                .iter()
                .filter(|(_, configuration)| webhooks(configuration).iter().any(matches));
            let found: Vec<_> = found
                .map(|(kind, configuration)| WebhookConfiguration {
                    kind,
                    name: text(configuration, "/metadata/name").to_owned(),
                })
                .collect();
            found
        };
        let mut found = with(&|webhook| text(webhook, "/name") == name);
        let beside = with(&|webhook| {
            text(webhook, "/failurePolicy") != "Ignore"
                && backend(webhook).is_some_and(|backend| backends.contains(&backend))
        });
        for configuration in beside {
            if !found.contains(&configuration) {
                found.push(configuration);
            }
        }
        Self {
            name: name.to_owned(),
            configurations: found,
            backend: backends.into_iter().next(),
        }
    }

    /// Returns what to do so that requests are no longer refused.
    #[must_use]
    pub fn guidance(&self) -> String {
        if self.configurations.is_empty() {
            return format!(
                "find the configuration that contains {} with `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml`, and delete it or start its backend",
                self.name
            );
        }
        let delete = self.delete_commands();
        match &self.backend {
            Some(backend) => {
                format!("start its backend (Service {backend}), or delete the configuration: {delete}")
            }
            None => format!("start its backend, or delete the configuration: {delete}"),
        }
    }

    /// Returns the commands that delete the configurations.
    #[must_use]
    pub fn delete_commands(&self) -> String {
        let commands: Vec<String> = (self.configurations.iter())
            .map(|configuration| format!("`kubectl delete {configuration}`"))
            .collect();
        commands.join(" and ")
    }

    /// Returns where the webhook is configured, as a sentence.
    #[must_use]
    pub fn place(&self) -> String {
        let named: Vec<String> = self.configurations.iter().map(ToString::to_string).collect();
        match named.split_first() {
            None => format!(
                "no webhook configuration contains the webhook {} any more",
                self.name
            ),
            Some((first, [])) => format!("the webhook {} is in the {first}", self.name),
            Some((first, others)) => format!(
                "the webhook {} is in the {first}; its backend is used by the {} too",
                self.name,
                others.join(" and the ")
            ),
        }
    }

    /// Adds the place of the webhook and what to do to a problem that it causes.
    #[must_use]
    pub fn explain(&self, mut problem: Problem) -> Problem {
        problem.code = Code::WebhookRefuses;
        problem.causes.push(self.place());
        problem.guidance = self.guidance();
        problem
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configuration(name: &str, webhook: &str, service: &str, policy: &str) -> Value {
        json!({"metadata": {"name": name}, "webhooks": [{
            "name": webhook, "failurePolicy": policy,
            "clientConfig": {"service": {"namespace": "policy", "name": service}},
        }]})
    }

    #[test]
    fn the_configuration_and_those_with_the_same_backend_are_named() {
        let all = [
            (
                "mutatingwebhookconfiguration",
                configuration("all", "m.example.com", "policy", "Fail"),
            ),
            (
                "validatingwebhookconfiguration",
                configuration("all", "v.example.com", "policy", "Fail"),
            ),
            (
                "validatingwebhookconfiguration",
                configuration("soft", "s.example.com", "policy", "Ignore"),
            ),
            (
                "validatingwebhookconfiguration",
                configuration("other", "o.example.com", "other", "Fail"),
            ),
        ];
        let found = RefusingWebhook::among("v.example.com", &all);
        assert_eq!(
            found.guidance(),
            "start its backend (Service policy/policy), or delete the configuration: `kubectl delete validatingwebhookconfiguration all` and `kubectl delete mutatingwebhookconfiguration all`"
        );
        assert_eq!(
            found.place(),
            "the webhook v.example.com is in the validatingwebhookconfiguration all; its backend is used by the mutatingwebhookconfiguration all too"
        );
        let gone = RefusingWebhook::among("gone.example.com", &all);
        assert!(
            gone.configurations.is_empty() && gone.guidance().contains("kubectl get"),
            "{gone:?}"
        );
        let problem = found.explain(Problem::new(Code::ServerFails, "failed", "wait"));
        assert_eq!(problem.code, Code::WebhookRefuses);
        assert_eq!(problem.causes, [found.place()]);
    }
}
