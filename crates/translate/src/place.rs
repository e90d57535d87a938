//! The locations of identifiers in Kubernetes objects, as data. A location consists of a path pattern in
//! objects of some types and the kind of identifier at that path. A [`crate::Translation`] is a function from an
//! identifier to its new text. Namespaces and the resources of AWS are translated by the same walk.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::glob;
use crate::identity::Kind;
use crate::pointer;

mod aws;
mod structure;
mod table;

pub use aws::{AWS_PLACES, AWS_POD_PLACES};
pub use table::{PLACES, POD_PLACES, POD_SPECS};

/// Where a value is in an object. It becomes a JSON pointer only where something is found.
#[derive(Debug, Clone, Copy)]
pub enum Location<'a> {
    /// At a JSON pointer.
    At(&'a str),
    /// At a key of a map.
    Key(&'a Location<'a>, &'a str),
    /// At an index of a list.
    Index(&'a Location<'a>, usize),
}

impl Location<'_> {
    /// Returns the JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            Self::At(at) => (*at).to_owned(),
            Self::Key(parent, key) => pointer::join(&parent.pointer(), key),
            Self::Index(parent, index) => pointer::join(&parent.pointer(), &index.to_string()),
        }
    }
}

/// The kind of identifier at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierKind {
    /// The name of a namespace.
    Namespace,
    /// A namespace and a name, `namespace/name`.
    NamespacedName,
    /// A user or group name that may be that of a ServiceAccount: `system:serviceaccount:NS:NAME`,
    /// `system:serviceaccounts:NS`.
    Principal,
    /// A label selector for namespaces, which may select them by the label `kubernetes.io/metadata.name`.
    NamespaceSelector,
    /// A resource of AWS, by its id or name; several are separated by commas.
    Aws(Kind),
    /// An environment variable of a container: `name` and `value`. Some hold the name of a cluster or bucket.
    EnvironmentVariable,
    /// The arguments of a container. Some flags hold the name of a cluster, behind `=` or in the next argument.
    Arguments,
    /// Tags of AWS resources. The key of some ends with the name of a cluster.
    Tags,
    /// A text that is a JSON object, one field of which holds a name.
    Json(&'static str, Kind),
    /// The attributes of a load balancer, `key=value,key=value`. One of them names the bucket of the access logs.
    BalancerAttributes,
    /// One attribute of a load balancer: `key` and `value`.
    BalancerAttribute,
}

/// A location of an identifier.
#[derive(Debug, Clone, Copy)]
pub struct FieldPath {
    /// The API group; `*` for all groups.
    pub group: &'static str,
    /// The plural names of the types; `*` for all types.
    pub resources: &'static [&'static str],
    /// The path: segments of a JSON pointer, where `*` matches any element or key.
    pub path: &'static str,
    /// The kind of identifier at the path.
    pub holds: IdentifierKind,
}

/// Creates a row of a table.
const fn place(
    group: &'static str,
    resources: &'static [&'static str],
    path: &'static str,
    holds: IdentifierKind,
) -> FieldPath {
    FieldPath {
        group,
        resources,
        path,
        holds,
    }
}

impl FieldPath {
    fn has(&self, resource: &str) -> bool {
        self.resources.iter().any(|r| *r == "*" || *r == resource)
    }
}

/// Which identifiers a walk visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Namespaces, and names that contain one.
    Namespaces,
    /// Names of resources of AWS.
    Aws,
}

/// The locations by API group, so that those of other groups cost nothing.
type ByGroup = BTreeMap<&'static str, Vec<&'static FieldPath>>;

static NAMESPACES: LazyLock<ByGroup> = LazyLock::new(|| by_group(PLACES));
static AWS: LazyLock<ByGroup> = LazyLock::new(|| by_group(AWS_PLACES));

fn by_group(places: &'static [FieldPath]) -> ByGroup {
    let mut groups = ByGroup::new();
    for place in places {
        groups.entry(place.group).or_default().push(place);
    }
    groups
}

/// Calls `visit` for every identifier of a family at a known location in an object of the given type. Structures that
/// may hold several identifiers, such as selectors, are taken apart: `visit` gets the identifiers in them.
pub fn visit(
    family: Family,
    (group, resource): (&str, &str),
    object: &mut Value,
    visit: &mut dyn FnMut(&Location<'_>, IdentifierKind, &mut Value),
) {
    let (places, in_pods) = match family {
        Family::Namespaces => (&*NAMESPACES, POD_PLACES),
        Family::Aws => (&*AWS, AWS_POD_PLACES),
    };
    let places = ["*", group]
        .into_iter()
        .filter_map(|group| places.get(group))
        .flatten();
    for place in places.filter(|place| place.has(resource)) {
        at(object, place.path, place.holds, visit);
    }
    for (in_group, resources, spec) in POD_SPECS {
        if *in_group != group || !resources.contains(&resource) {
            continue;
        }
        let Some(spec_value) = object.pointer_mut(spec) else {
            continue;
        };
        for (path, holds) in in_pods {
            walk(spec_value, path, &Location::At(spec), &mut |at, value| {
                structure::expand(at, *holds, value, visit);
            });
        }
    }
}

/// Whether the name of objects of a type is an identifier of AWS.
pub(crate) fn translates_name(group: &str, resource: &str) -> bool {
    let mut places = AWS.get(group).into_iter().flatten();
    places.any(|place| place.path == "/metadata/name" && place.has(resource))
}

/// Calls `visit` for the identifiers at the values that a path pattern matches.
pub(crate) fn at(
    object: &mut Value,
    pattern: &str,
    holds: IdentifierKind,
    visit: &mut dyn FnMut(&Location<'_>, IdentifierKind, &mut Value),
) {
    walk(object, pattern, &Location::At(""), &mut |at, value| {
        structure::expand(at, holds, value, visit);
    });
}

/// Returns the path of the Pod specification in objects of a type, if the type has one.
#[must_use]
pub fn pod_spec_of(group: &str, resource: &str) -> Option<&'static str> {
    POD_SPECS
        .iter()
        .find(|(in_group, resources, _)| *in_group == group && resources.contains(&resource))
        .map(|(_, _, path)| *path)
}

/// Calls `visit` for the values that a path pattern matches.
fn walk(
    value: &mut Value,
    pattern: &str,
    at: &Location<'_>,
    visit: &mut dyn FnMut(&Location<'_>, &mut Value),
) {
    let Some(tail) = pattern.strip_prefix('/') else {
        visit(at, value);
        return;
    };
    let (segment, rest) = tail.find('/').map_or((tail, ""), |end| tail.split_at(end));
    match value {
        Value::Array(list) if segment == "*" => {
            for (index, element) in list.iter_mut().enumerate() {
                walk(element, rest, &Location::Index(at, index), visit);
            }
        }
        Value::Object(map) if segment.contains('*') => {
            let every = segment == "*";
            let pattern_of_key = pointer::unescaped(segment);
            for (key, element) in map.iter_mut() {
                if every || glob::matches(&pattern_of_key, key) {
                    walk(element, rest, &Location::Key(at, key), visit);
                }
            }
        }
        Value::Object(map) => {
            let key = pointer::unescaped(segment);
            if let Some(element) = map.get_mut(&*key) {
                walk(element, rest, &Location::Key(at, &key), visit);
            }
        }
        _ => {}
    }
}
