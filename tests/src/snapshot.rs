//! The contents of a cluster, read without any of Lifeboat's own code: every object of every type
//! that can be listed, by plain HTTP.
//!
//! The proofs of this crate compare two snapshots, so they must share nothing with the code that
//! they judge: discovery, listing and the choice of the version to read are implemented here again,
//! as simply as possible and without regard for speed or memory.

pub mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};
use futures::{StreamExt, stream};
use serde_json::Value;

use self::http::Http;

/// The number of concurrent lists: enough to keep an API server on two cores busy.
const LISTS_IN_FLIGHT: usize = 8;

/// Objects per page, as in kubectl.
const PAGE: usize = 500;

/// The name of an object: `deployments.apps shop/cart`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The plural name and the group, as kubectl prints them.
    pub type_name: String,
    /// The namespace; empty for cluster-scoped types.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Key {
    /// Creates a key from its parts.
    #[must_use]
    pub fn new(type_name: &str, namespace: &str, name: &str) -> Self {
        Self {
            type_name: type_name.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.type_name, self.name)
        } else {
            write!(f, "{} {}/{}", self.type_name, self.namespace, self.name)
        }
    }
}

/// A type that can be listed, at the version that was read.
#[derive(Debug, Clone)]
pub struct Type {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version that was read.
    pub version: String,
    /// The plural name of the type.
    pub resource: String,
    /// The kind of the objects.
    pub kind: String,
    /// Whether objects can be created.
    pub creatable: bool,
    /// Whether the status is a subresource, which only controllers write. Otherwise `status` is a
    /// field like any other.
    pub has_status: bool,
}

impl Type {
    /// Returns the plural name and the group.
    #[must_use]
    pub fn name(&self) -> String {
        if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    /// Returns the path that lists all objects of the type.
    #[must_use]
    pub fn path(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}/{}", self.version, self.resource)
        } else {
            format!("/apis/{}/{}/{}", self.group, self.version, self.resource)
        }
    }
}

/// Every object of a cluster at about one time.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    /// The types by name.
    pub types: BTreeMap<String, Type>,
    /// The objects. An object that several types serve is here once, under the first type.
    pub objects: BTreeMap<Key, Value>,
    /// Further keys of these objects, under the other types that serve them.
    pub aliases: BTreeMap<Key, Key>,
    /// Groups (`group/version`) and types that could not be read, with the response.
    pub unreadable: BTreeMap<String, String>,
}

impl Snapshot {
    /// Reads the whole cluster.
    ///
    /// # Errors
    /// If the API server does not respond at all. What it refuses is in [`Snapshot::unreadable`].
    pub async fn take(http: &Http) -> Result<Self> {
        let mut snapshot = Self::default();
        let storage = storage_versions(http).await?;
        snapshot.discover(http, &storage).await?;
        let types: Vec<Type> = snapshot.types.values().cloned().collect();
        let lists: Vec<(Type, Result<Vec<Value>>)> = stream::iter(types.into_iter().map(|seen| async move {
            let items = list(http, &seen.path()).await;
            (seen, items)
        }))
        .buffered(LISTS_IN_FLIGHT)
        .collect()
        .await;
        let mut by_uid: BTreeMap<String, Key> = BTreeMap::new();
        for (seen, items) in lists {
            match items {
                Ok(items) => snapshot.keep(&seen, items, &mut by_uid),
                Err(error) => {
                    snapshot.unreadable.insert(seen.name(), format!("{error:#}"));
                }
            }
        }
        Ok(snapshot)
    }

    fn keep(&mut self, seen: &Type, items: Vec<Value>, by_uid: &mut BTreeMap<String, Key>) {
        for mut item in items {
            if let Some(object) = item.as_object_mut() {
                object.insert("kind".into(), seen.kind.clone().into());
                let api_version = if seen.group.is_empty() {
                    seen.version.clone()
                } else {
                    format!("{}/{}", seen.group, seen.version)
                };
                object.insert("apiVersion".into(), api_version.into());
            }
            let key = Key::new(
                &seen.name(),
                text(&item, "/metadata/namespace"),
                text(&item, "/metadata/name"),
            );
            let uid = text(&item, "/metadata/uid").to_owned();
            match by_uid.get(&uid) {
                Some(first) if !uid.is_empty() => {
                    self.aliases.insert(key, first.clone());
                }
                _ => {
                    by_uid.insert(uid, key.clone());
                    self.objects.insert(key, item);
                }
            }
        }
    }

    async fn discover(&mut self, http: &Http, storage: &BTreeMap<String, String>) -> Result<()> {
        let mut versions = vec![(String::new(), "v1".to_owned())];
        let groups = http.get("/apis").await?;
        for group in array(&groups, "/groups") {
            let name = text(group, "/name").to_owned();
            let preferred = text(group, "/preferredVersion/version").to_owned();
            versions.push((name.clone(), preferred.clone()));
            for version in array(group, "/versions") {
                let version = text(version, "/version");
                if version != preferred {
                    versions.push((name.clone(), version.to_owned()));
                }
            }
        }
        for (group, version) in versions {
            let root = if group.is_empty() {
                format!("/api/{version}")
            } else {
                format!("/apis/{group}/{version}")
            };
            let resources = match http.get(&root).await {
                Ok(resources) => resources,
                Err(error) => {
                    self.unreadable
                        .insert(format!("{group}/{version}"), format!("{error:#}"));
                    continue;
                }
            };
            let subresources: BTreeSet<&str> = array(&resources, "/resources")
                .filter_map(|resource| text(resource, "/name").strip_suffix("/status"))
                .collect();
            for resource in array(&resources, "/resources") {
                let verb = |wanted: &str| array(resource, "/verbs").any(|verb| verb == wanted);
                if text(resource, "/name").contains('/') || !verb("list") {
                    continue;
                }
                let seen = Type {
                    group: group.clone(),
                    version: version.clone(),
                    resource: text(resource, "/name").to_owned(),
                    kind: text(resource, "/kind").to_owned(),
                    creatable: verb("create"),
                    has_status: subresources.contains(text(resource, "/name")),
                };
                let name = seen.name();
                // The preferred version comes first. Only the storage version of a custom resource
                // replaces it, because it can be read while a conversion webhook has no backend.
                if storage.get(&name) == Some(&version) || !self.types.contains_key(&name) {
                    self.types.insert(name, seen);
                }
            }
        }
        Ok(())
    }

    /// Returns the object with this key, also if it is stored under another type.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects
            .get(key)
            .or_else(|| self.objects.get(self.aliases.get(key)?))
    }

    /// Iterates over the objects of one type.
    pub fn of_type<'a>(&'a self, type_name: &'a str) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.objects
            .iter()
            .filter(move |(key, _)| key.type_name == type_name)
    }

    /// Returns the type that serves a kind of a group, as owner references name it.
    #[must_use]
    pub fn type_of(&self, api_version: &str, kind: &str) -> Option<&Type> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.types
            .values()
            .find(|seen| seen.group == group && seen.kind == kind)
    }

    /// Returns whether only controllers write the status of an object.
    #[must_use]
    pub fn has_status(&self, key: &Key) -> bool {
        self.types.get(&key.type_name).is_some_and(|seen| seen.has_status)
    }

    /// Returns the UIDs of all objects.
    #[must_use]
    pub fn uids(&self) -> BTreeSet<&str> {
        self.objects
            .values()
            .map(|object| text(object, "/metadata/uid"))
            .collect()
    }
}

/// Returns the storage version of each custom resource type.
async fn storage_versions(http: &Http) -> Result<BTreeMap<String, String>> {
    let definitions = list(http, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        .await
        .context("list the custom resource definitions")?;
    Ok(definitions
        .iter()
        .filter_map(|definition| {
            let version = array(definition, "/spec/versions").find(|version| version["storage"] == true)?;
            Some((
                text(definition, "/metadata/name").to_owned(),
                text(version, "/name").to_owned(),
            ))
        })
        .collect())
}

/// Lists every object of a collection. If the server reports that the continue token has expired,
/// the last pages are from a later time than the first. The proof waits for quiet clusters, where
/// that makes no difference.
async fn list(http: &Http, path: &str) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let page = http.get(&format!("{path}?limit={PAGE}&continue={token}")).await?;
        items.extend(array(&page, "/items").cloned());
        match text(&page, "/metadata/continue") {
            "" => return Ok(items),
            next => next.clone_into(&mut token),
        }
    }
}

/// Returns the string at a JSON pointer; empty if there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Iterates over the array at a JSON pointer; yields nothing if there is no array.
pub fn array<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
