//! Resource types and references to objects, in the terms of the Kubernetes API
//! ("API Concepts", <https://kubernetes.io/docs/reference/using-api/api-concepts/>).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A resource type without a version, as kubectl prints it: `deployments.apps`, or `pods` for the
/// core group.
// A clone shares the text. The doc comment is in the published schemas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TypeName(Arc<str>);

impl TypeName {
    /// Returns the name of `resource` (a plural) in `group` (empty for the core group).
    #[must_use]
    pub fn new(group: &str, resource: &str) -> Self {
        if group.is_empty() {
            Self(resource.into())
        } else {
            Self(format!("{resource}.{group}").into())
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the plural name of the resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.0.split_once('.').map_or(&*self.0, |(resource, _)| resource)
    }

    /// Returns the API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, group)| group)
    }
}

impl From<&str> for TypeName {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource type at one version: everything that is needed to build a request path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceType {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version, such as `v1`.
    pub version: String,
    /// The plural name in paths, such as `deployments`.
    pub resource: String,
    /// The kind of one object, such as `Deployment`.
    pub kind: String,
    /// Whether the type is namespaced.
    pub namespaced: bool,
}

impl ResourceType {
    /// Returns the `apiVersion` of objects of this type: `apps/v1`, or `v1` for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Returns the type without its version.
    #[must_use]
    pub fn name(&self) -> TypeName {
        TypeName::new(&self.group, &self.resource)
    }

    /// Returns the path that lists all objects of this type in the cluster, or creates an object of a
    /// cluster-scoped type.
    #[must_use]
    pub fn collection_path(&self) -> String {
        format!("{}/{}", self.root(), self.resource)
    }

    /// Returns the path of the collection in a namespace. The namespace is ignored for a cluster-scoped type.
    #[must_use]
    pub fn path_in(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) if self.namespaced => {
                format!("{}/namespaces/{namespace}/{}", self.root(), self.resource)
            }
            _ => self.collection_path(),
        }
    }

    /// Returns the path of one object. Characters that need escaping in a URL are percent-encoded: names of
    /// RBAC objects may contain `:` and `%`, as in `system:controller:x`. Kubernetes rejects names that
    /// contain `/`.
    #[must_use]
    pub fn object_path(&self, namespace: Option<&str>, name: &str) -> String {
        format!(
            "{}/{}",
            self.path_in(namespace),
            utf8_percent_encode(name, &SEGMENT)
        )
    }

    fn root(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }
}

/// The characters besides letters and digits that are allowed in a path segment (RFC 3986, `pchar`).
const SEGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// A reference to one object, without a version: `deployments.apps shop/cart`. A clone shares the texts: a plan refers
/// to each of 300,000 objects several times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRef {
    /// The type of the object.
    pub r#type: TypeName,
    /// The namespace; absent for cluster-scoped types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// The name of the object.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// Creates a reference. An empty namespace counts as none.
    #[must_use]
    pub fn new(r#type: TypeName, namespace: Option<&str>, name: &str) -> Self {
        Self {
            r#type,
            namespace: namespace.filter(|n| !n.is_empty()).map(Into::into),
            name: name.into(),
        }
    }
}

/// Returns `text` as it is in `known`, where it is added if it is new, so that equal texts share their memory.
#[must_use]
pub fn shared(known: &mut BTreeSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(same) = known.get(text) {
        return same.clone();
    }
    let new: Arc<str> = text.into();
    known.insert(new.clone());
    new
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.r#type, self.name),
            None => write!(f, "{} {}", self.r#type, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployments() -> ResourceType {
        ResourceType {
            group: "apps".into(),
            version: "v1".into(),
            resource: "deployments".into(),
            kind: "Deployment".into(),
            namespaced: true,
        }
    }

    #[test]
    fn paths_follow_the_api_conventions() {
        let deployments = deployments();
        assert_eq!(deployments.collection_path(), "/apis/apps/v1/deployments");
        assert_eq!(
            deployments.object_path(Some("shop"), "cart"),
            "/apis/apps/v1/namespaces/shop/deployments/cart"
        );
        let roles = ResourceType {
            group: "rbac.authorization.k8s.io".into(),
            resource: "clusterroles".into(),
            kind: "ClusterRole".into(),
            namespaced: false,
            ..deployments
        };
        assert_eq!(
            roles.object_path(None, "system:a b"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a%20b"
        );
    }

    #[test]
    fn type_names_read_as_kubectl_prints_them() {
        let name = TypeName::new("networking.k8s.io", "ingresses");
        assert_eq!(name.as_str(), "ingresses.networking.k8s.io");
        assert_eq!(
            (name.resource(), name.group()),
            ("ingresses", "networking.k8s.io")
        );
        let core = TypeName::new("", "pods");
        assert_eq!((core.resource(), core.group()), ("pods", ""));
        assert_eq!(
            ObjectRef::new(core, Some("shop"), "cart").to_string(),
            "pods shop/cart"
        );
    }
}
