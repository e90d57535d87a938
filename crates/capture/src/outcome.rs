//! Failures to read a type, and their remediation.

use lifeboat_format::manifest::{MissingRecord, TypeOutcome};
use lifeboat_model::ResourceType;

use lifeboat_apiserver::list::PageError;

/// A type that could not be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeFailure {
    pub(super) status: Option<u16>,
    reason: String,
    message: String,
    remediation: Remediation,
}

/// The remediation of a failure. The user that needs a permission is known only after a SelfSubjectReview, so the
/// command is built at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Remediation {
    Grant {
        resource: String,
        namespace: Option<String>,
    },
    Text(String),
}

impl TypeFailure {
    /// Creates a failure from an error of the server or the connection.
    pub(super) fn of_page(resource: &ResourceType, namespace: Option<&str>, error: &PageError) -> Self {
        let refusal = error.refusal();
        let status = error.status();
        let message = match refusal {
            Some(refusal) if !refusal.message.is_empty() => refusal.message.clone(),
            _ => with_causes(error),
        };
        Self {
            status,
            reason: refusal.map(|refusal| refusal.reason.clone()).unwrap_or_default(),
            message,
            remediation: match refusal.and_then(|refusal| refusal.unconvertible_version()) {
                Some(version) => Remediation::Text(store_again(resource, version)),
                None => remediation(resource, namespace, status),
            },
        }
    }

    /// Creates a failure for a response that cannot be stored.
    pub(super) fn own(resource: &ResourceType, namespace: Option<&str>, why: &str) -> Self {
        Self {
            status: None,
            reason: String::new(),
            message: why.to_owned(),
            remediation: remediation(resource, namespace, None),
        }
    }

    /// Returns the outcome for the manifest; `user` is the name of the authenticated user, if known.
    pub(super) fn outcome(&self, user: Option<&str>) -> TypeOutcome {
        TypeOutcome::Failed {
            verb: "list".into(),
            status: self.status,
            reason: self.reason.clone(),
            message: self.message.clone(),
            remediation: self.remediation.command(user),
        }
    }

    /// Returns the record for the manifest's list of missing parts.
    pub(super) fn missing(&self, resource: &ResourceType, user: Option<&str>) -> MissingRecord {
        let status = self.status.map(|status| format!("{status} "));
        MissingRecord {
            r#type: Some(resource.name()),
            group: None,
            verb: "list".into(),
            answer: format!("{}{}", status.unwrap_or_default(), self.message),
            remediation: self.remediation.command(user),
        }
    }
}

fn with_causes(error: &PageError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Returns what mends a type whose objects are stored in a version that its definition no longer has.
fn store_again(resource: &ResourceType, version: &str) -> String {
    let definition = resource.name();
    format!(
        "serve or store the version again: some objects are stored as {version}, which the definition no longer has; add it to `spec.versions` with `kubectl edit crd {definition}` (`served: true`, `storage: false`), write each object once with `kubectl get {definition} -A -o json | kubectl replace -f -`, and run the backup again"
    )
}

fn remediation(resource: &ResourceType, namespace: Option<&str>, status: Option<u16>) -> Remediation {
    let path = resource.path_in(namespace);
    match status {
        Some(403) => Remediation::Grant {
            resource: resource.name().to_string(),
            namespace: namespace.map(str::to_owned),
        },
        Some(404) => Remediation::Text("run the backup again: the type was removed while it was read".into()),
        Some(405) => Remediation::Text(format!(
            "exclude the type with `--exclude-type {}`: the server advertises the list verb for it but does not allow it",
            resource.name()
        )),
        Some(503) if !resource.group.is_empty() => Remediation::Text(format!(
            "inspect `kubectl get apiservice {}.{} -o yaml`, start its backend, and run the backup again",
            resource.version, resource.group
        )),
        _ => Remediation::Text(format!(
            "run the backup again; if it fails again, check the output of `kubectl get --raw '{path}?limit=1'`"
        )),
    }
}

impl Remediation {
    fn command(&self, user: Option<&str>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Grant { resource, namespace } => grant(resource, namespace.as_deref(), user),
        }
    }
}

/// Returns the commands that grant permission to list a type.
fn grant(resource: &str, namespace: Option<&str>, user: Option<&str>) -> String {
    let name = format!("lifeboat-read-{}", resource.replace('.', "-"));
    let subject = match user.map(|user| (user, user.strip_prefix("system:serviceaccount:"))) {
        Some((_, Some(account))) => format!("--serviceaccount={account}"),
        Some((user, None)) => format!("--user={user}"),
        None => "--user=<the user that `kubectl auth whoami` shows>".into(),
    };
    match namespace {
        None => format!(
            "kubectl create clusterrole {name} --verb=get,list --resource={resource} && \
             kubectl create clusterrolebinding {name} --clusterrole={name} {subject}"
        ),
        Some(namespace) => format!(
            "kubectl create role {name} -n {namespace} --verb=get,list --resource={resource} && \
             kubectl create rolebinding {name} -n {namespace} --role={name} {subject}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use lifeboat_apiserver::{ApiError, Refusal};

    use super::*;

    #[test]
    fn a_dropped_version_is_to_be_served_or_stored_again() {
        let resource = ResourceType {
            group: "news.example.com".into(),
            version: "v1".into(),
            resource: "feeds".into(),
            kind: "Feed".into(),
            namespaced: true,
        };
        let refusal = Refusal {
            method: http::Method::GET,
            path: "/apis/news.example.com/v1/feeds".into(),
            status: 500,
            reason: "InternalError".into(),
            message: "request to convert CR from an invalid group/version: news.example.com/v1alpha1".into(),
            is_status: true,
            retry_after: None,
            continue_token: None,
            causes: Vec::new(),
        };
        let error = PageError::Api(ApiError::Refused(Box::new(refusal)));
        let missing = TypeFailure::of_page(&resource, None, &error).missing(&resource, None);
        assert!(
            missing
                .remediation
                .starts_with("serve or store the version again")
                && missing.remediation.contains("news.example.com/v1alpha1")
                && missing
                    .remediation
                    .contains("kubectl edit crd feeds.news.example.com"),
            "{missing:?}"
        );
    }

    #[test]
    fn grants_name_the_type_and_who_needs_it() {
        assert_eq!(
            grant("deployments.apps", None, Some("jane")),
            "kubectl create clusterrole lifeboat-read-deployments-apps --verb=get,list --resource=deployments.apps && \
             kubectl create clusterrolebinding lifeboat-read-deployments-apps --clusterrole=lifeboat-read-deployments-apps --user=jane"
        );
        assert!(grant("pods", Some("shop"), Some("system:serviceaccount:ops:backup")).ends_with(
            "kubectl create rolebinding lifeboat-read-pods -n shop --role=lifeboat-read-pods --serviceaccount=ops:backup"
        ));
    }
}
