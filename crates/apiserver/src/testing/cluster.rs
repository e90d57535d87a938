//! A small in-memory cluster: discovery, and lists in pages at exact resourceVersions.

use serde_json::{Value, json};

use super::server::{Recorded, Reply};

/// One type of a [`FakeCluster`].
#[derive(Debug, Clone)]
pub struct FakeType {
    /// The group; empty for core.
    pub group: String,
    /// The served versions, preferred first.
    pub versions: Vec<String>,
    /// The plural name.
    pub resource: String,
    /// The kind.
    pub kind: String,
    /// Whether the type is namespaced.
    pub namespaced: bool,
    /// The objects, in the order of their keys.
    pub objects: Vec<Value>,
}

/// A cluster whose objects never change, at a given resourceVersion.
#[derive(Debug, Clone)]
pub struct FakeCluster {
    /// The types.
    pub types: Vec<FakeType>,
    /// The resourceVersion of all objects and lists.
    pub resource_version: u64,
}

impl FakeType {
    /// Creates a namespaced type of the core group at `v1` without objects.
    #[must_use]
    pub fn core(resource: &str, kind: &str) -> Self {
        Self::grouped("", "v1", resource, kind)
    }

    /// Creates a namespaced type of a group at one version, without objects.
    #[must_use]
    pub fn grouped(group: &str, version: &str, resource: &str, kind: &str) -> Self {
        Self {
            group: group.into(),
            versions: vec![version.into()],
            resource: resource.into(),
            kind: kind.into(),
            namespaced: true,
            objects: Vec::new(),
        }
    }

    /// Makes the type cluster-scoped.
    #[must_use]
    pub fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// Adds `count` objects, in the namespace `shop` if the type is namespaced.
    #[must_use]
    pub fn with_objects(mut self, count: usize) -> Self {
        for number in 0..count {
            let mut metadata = json!({
                "name": format!("{}-{number:05}", self.resource),
                "uid": format!("{}-uid-{number}", self.resource),
                "resourceVersion": "7",
                "labels": {"parity": if number % 2 == 0 { "even" } else { "odd" }},
            });
            if self.namespaced {
                metadata["namespace"] = "shop".into();
            }
            let padding = "x".repeat(number % 97);
            self.objects
                .push(json!({"metadata": metadata, "data": {"padding": padding}}));
        }
        self
    }
}

impl FakeCluster {
    /// Creates a cluster with the namespaces `kube-system` and `shop`, no CRD, and the given types.
    #[must_use]
    pub fn with(types: impl IntoIterator<Item = FakeType>) -> Self {
        let mut namespaces = FakeType::core("namespaces", "Namespace").cluster_scoped();
        for name in ["kube-system", "shop"] {
            let metadata = json!({"name": name, "uid": format!("uid-of-{name}"), "resourceVersion": "1"});
            namespaces.objects.push(json!({"metadata": metadata}));
        }
        let crds = FakeType::grouped(
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "CustomResourceDefinition",
        );
        let mut all = vec![namespaces, crds.cluster_scoped()];
        all.extend(types);
        Self {
            types: all,
            resource_version: 1000,
        }
    }

    /// Responds as an API server does: discovery, `/version`, lists and single reads.
    #[must_use]
    pub fn answer(&self, request: &Recorded) -> Reply {
        match request.path.as_str() {
            "/version" => Reply::json(
                200,
                &json!({"gitVersion": "v1.36.3", "major": "1", "minor": "36", "platform": "linux/amd64"}),
            ),
            "/api" => self.discovery(|group| group.is_empty()),
            "/apis" => self.discovery(|group| !group.is_empty()),
            path => self.read(path, request),
        }
    }

    fn discovery(&self, wanted: impl Fn(&str) -> bool) -> Reply {
        let mut groups: Vec<&str> = self
            .types
            .iter()
            .map(|t| t.group.as_str())
            .filter(|g| wanted(g))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        let items: Vec<Value> = groups.iter().map(|group| self.group(group)).collect();
        let body = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
        Reply::json(200, &body)
    }

    fn group(&self, group: &str) -> Value {
        let types: Vec<&FakeType> = self.types.iter().filter(|t| t.group == group).collect();
        let mut versions: Vec<&str> = Vec::new();
        for version in types.iter().flat_map(|t| &t.versions) {
            if !versions.contains(&version.as_str()) {
                versions.push(version);
            }
        }
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let served = types.iter().filter(|t| t.versions.iter().any(|v| v == version));
                let resources: Vec<Value> = served.map(|t| t.describe(version)).collect();
                json!({"version": version, "freshness": "Current", "resources": resources})
            })
            .collect();
        json!({"metadata": {"name": group}, "versions": versions})
    }

    fn read(&self, path: &str, request: &Recorded) -> Reply {
        let not_found = || {
            Reply::failure(
                404,
                "NotFound",
                "the server could not find the requested resource",
            )
        };
        for known in &self.types {
            for version in &known.versions {
                let root = if known.group.is_empty() {
                    format!("/api/{version}/")
                } else {
                    format!("/apis/{}/{version}/", known.group)
                };
                let Some(rest) = path.strip_prefix(&root) else {
                    continue;
                };
                let segments: Vec<&str> = rest.split('/').collect();
                let (namespace, tail) = match segments.as_slice() {
                    ["namespaces", namespace, tail @ ..] if known.namespaced => (Some(*namespace), tail),
                    all => (None, all),
                };
                match tail {
                    [resource] if *resource == known.resource => {
                        return known.list(version, namespace, request, self.resource_version);
                    }
                    [resource, name] if *resource == known.resource => {
                        return match known.objects.iter().find(|o| o["metadata"]["name"] == **name) {
                            Some(object) => Reply::json(200, object),
                            None => not_found(),
                        };
                    }
                    _ => {}
                }
            }
        }
        not_found()
    }
}

impl FakeType {
    fn describe(&self, version: &str) -> Value {
        json!({
            "resource": self.resource,
            "responseKind": {"group": self.group, "version": version, "kind": self.kind},
            "scope": if self.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": self.kind.to_ascii_lowercase(),
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        })
    }

    fn list(&self, version: &str, namespace: Option<&str>, request: &Recorded, at: u64) -> Reply {
        let wanted: Vec<&Value> = self
            .objects
            .iter()
            .filter(|o| namespace.is_none_or(|n| o["metadata"]["namespace"] == n))
            .collect();
        // The token contains the resourceVersion and the position, as that of a real API server contains the
        // resourceVersion and the key.
        let token = request.parameter("continue");
        let at = token
            .split(':')
            .next()
            .and_then(|version| version.parse().ok())
            .unwrap_or(at);
        let start: usize = token.split(':').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        let limit = request.parameter("limit").parse().unwrap_or(usize::MAX);
        let end = start.saturating_add(limit).min(wanted.len());
        let mut metadata = json!({"resourceVersion": at.to_string()});
        if end < wanted.len() {
            metadata["continue"] = format!("{at}:{end}").into();
            metadata["remainingItemCount"] = (wanted.len() - end).into();
        }
        let api_version = if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        };
        let items: Vec<&Value> = wanted[start.min(end)..end].to_vec();
        let body = json!({"kind": format!("{}List", self.kind), "apiVersion": api_version, "metadata": metadata, "items": items});
        Reply::json(200, &body)
    }
}
