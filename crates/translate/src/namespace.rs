//! Namespaces that are renamed in the target.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::place::{Family, IdentifierKind};
use crate::pointer;
use crate::rule::Rule;
use crate::translation::{Rewritten, Translated, Translation, at_places};

/// The new names of namespaces. All are renamed at once, so two namespaces can swap their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceMap(BTreeMap<String, String>);

impl NamespaceMap {
    /// Creates a map from names in the source to names in the target.
    #[must_use]
    pub fn new(map: BTreeMap<String, String>) -> Self {
        Self(map)
    }

    /// Whether no namespace is renamed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the new name, if the namespace is renamed.
    #[must_use]
    pub fn get(&self, namespace: &str) -> Option<&str> {
        self.0.get(namespace).map(String::as_str)
    }

    /// Returns the name in the target.
    #[must_use]
    pub fn map<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.get(namespace).unwrap_or(namespace)
    }

    /// Returns the names in the source that are renamed, in order.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the new user or group name for a ServiceAccount or for all ServiceAccounts of a namespace.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<String> {
        if let Some(rest) = name.strip_prefix("system:serviceaccount:") {
            let (namespace, account) = rest.split_once(':')?;
            return Some(format!(
                "system:serviceaccount:{}:{account}",
                self.get(namespace)?
            ));
        }
        let namespace = name.strip_prefix("system:serviceaccounts:")?;
        Some(format!("system:serviceaccounts:{}", self.get(namespace)?))
    }

    /// Rewrites all structural fields of an object of the given type.
    pub fn apply(&self, group: &str, resource: &str, object: &mut Value) -> Vec<Rewritten> {
        if self.is_empty() {
            return Vec::new();
        }
        at_places(self, group, resource, object)
    }

    /// Returns where an already translated object still seems to refer to a renamed namespace: a field whose
    /// key contains "namespace" and whose value is an old name, or text that contains the DNS name of a
    /// Service, the user name of a ServiceAccount or a JSON member `namespace` with an old name. Returns at
    /// most `limit` paths, never values.
    #[must_use]
    pub fn residual_references(&self, object: &Value, limit: usize) -> Vec<String> {
        let mut found = Vec::new();
        if !self.is_empty() {
            self.scan(String::new(), object, limit, &mut found);
        }
        found
    }

    fn scan(&self, at: String, value: &Value, limit: usize, found: &mut Vec<String>) {
        if found.len() >= limit {
            return;
        }
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let named = key.to_ascii_lowercase().contains("namespace")
                        && value.as_str().is_some_and(|text| self.get(text).is_some());
                    // The translation itself sets this field, so a swapped or reused name is correct there.
                    let is_identity = at == "/metadata" && key == "namespace";
                    if named && !is_identity && !self.0.values().any(|new| value.as_str() == Some(new)) {
                        found.push(pointer::join(&at, key));
                    } else {
                        self.scan(pointer::join(&at, key), value, limit, found);
                    }
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.scan(pointer::join(&at, &index.to_string()), value, limit, found);
                }
            }
            Value::String(text) => {
                let speaks = self.0.keys().any(|old| {
                    text.contains(&format!(".{old}.svc"))
                        || text.contains(&format!("system:serviceaccount:{old}:"))
                        || text.contains(&format!("\"namespace\":\"{old}\""))
                });
                if speaks {
                    found.push(at);
                }
            }
            _ => {}
        }
    }
}

impl Translation for NamespaceMap {
    fn family(&self) -> Family {
        Family::Namespaces
    }

    fn translate(&self, kind: IdentifierKind, text: &str) -> Option<Translated> {
        let to = match kind {
            IdentifierKind::Namespace => self.get(text)?.to_owned(),
            IdentifierKind::Principal => self.principal(text)?,
            IdentifierKind::NamespacedName => {
                let (namespace, name) = text.split_once('/')?;
                format!("{}/{name}", self.get(namespace)?)
            }
            _ => return None,
        };
        Some(Translated {
            to,
            rule: Rule::Namespace,
        })
    }
}

#[cfg(test)]
mod tests;
