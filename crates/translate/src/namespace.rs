//! Namespaces that are renamed in the target.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::place::{self, IdentifierKind};
use crate::pointer;

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The new names of namespaces. All are renamed at once, so two namespaces can swap their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceMap(BTreeMap<String, String>);

/// An identifier that was rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The location, as a JSON pointer.
    pub path: String,
    /// The text before the change.
    pub from: String,
    /// The text after the change.
    pub to: String,
}

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
        let mut rewritten = Vec::new();
        if self.is_empty() {
            return rewritten;
        }
        place::visit(group, resource, object, &mut |path, holds, value| match holds {
            IdentifierKind::NamespaceSelector => self.selector(&path, value, &mut rewritten),
            IdentifierKind::Namespace => replace(
                path,
                value,
                |text| self.get(text).map(str::to_owned),
                &mut rewritten,
            ),
            IdentifierKind::Principal => replace(path, value, |text| self.principal(text), &mut rewritten),
            IdentifierKind::NamespacedName => replace(
                path,
                value,
                |text| {
                    let (namespace, name) = text.split_once('/')?;
                    Some(format!("{}/{name}", self.get(namespace)?))
                },
                &mut rewritten,
            ),
        });
        rewritten
    }

    fn selector(&self, path: &str, selector: &mut Value, rewritten: &mut Vec<Rewritten>) {
        let new = |text: &str| self.get(text).map(str::to_owned);
        let label = pointer::of(&["matchLabels", NAME_LABEL]);
        if let Some(value) = selector.pointer_mut(&label) {
            replace(format!("{path}{label}"), value, new, rewritten);
        }
        let expressions = selector.get_mut("matchExpressions").and_then(Value::as_array_mut);
        for (index, expression) in expressions.into_iter().flatten().enumerate() {
            if expression.get("key").and_then(Value::as_str) != Some(NAME_LABEL) {
                continue;
            }
            let values = expression.get_mut("values").and_then(Value::as_array_mut);
            for (place, value) in values.into_iter().flatten().enumerate() {
                replace(
                    format!("{path}/matchExpressions/{index}/values/{place}"),
                    value,
                    new,
                    rewritten,
                );
            }
        }
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

fn replace(
    path: String,
    value: &mut Value,
    new: impl Fn(&str) -> Option<String>,
    rewritten: &mut Vec<Rewritten>,
) {
    let Some(to) = value.as_str().and_then(new) else {
        return;
    };
    let from = std::mem::replace(value, Value::String(to.clone()));
    let Value::String(from) = from else { return };
    rewritten.push(Rewritten { path, from, to });
}

#[cfg(test)]
mod tests;
