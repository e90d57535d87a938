//! Namespaces that get another name in the target.

use std::collections::BTreeMap;

/// Which namespace becomes which; all at once, so that two can swap their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceMap(BTreeMap<String, String>);

impl NamespaceMap {
    /// A map from names in the source to names in the target.
    #[must_use]
    pub fn new(map: BTreeMap<String, String>) -> Self {
        Self(map)
    }

    /// Whether every namespace keeps its name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The new name, where there is one.
    #[must_use]
    pub fn get(&self, namespace: &str) -> Option<&str> {
        self.0.get(namespace).map(String::as_str)
    }

    /// The name in the target.
    #[must_use]
    pub fn map<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.get(namespace).unwrap_or(namespace)
    }

    /// The mapped names of the source, in order.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
