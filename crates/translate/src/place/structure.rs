//! Structures that hold identifiers beside other texts: which part of them is an identifier, and of which kind.

use serde_json::Value;

use super::{IdentifierKind, Location};
use crate::identity::Kind;

/// The label of a namespace with its name, which the API server sets.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Environment variables that hold the name of a resource: the end of the variable's name.
const VARIABLES: &[(&str, Kind)] = &[
    // Karpenter, the VPC CNI plugin, aws-for-fluent-bit, the CloudWatch agent.
    ("CLUSTER_NAME", Kind::Cluster),
    ("CLUSTER_ID", Kind::Cluster),
    ("BUCKET", Kind::Bucket),
    ("BUCKET_NAME", Kind::Bucket),
    ("ROLE_NAME", Kind::Role),
];

/// Flags that hold the name of a resource, with one or two dashes: AWS Load Balancer Controller, cluster-autoscaler,
/// Karpenter.
const FLAGS: &[(&str, Kind)] = &[
    ("cluster-name", Kind::Cluster),
    ("aws-cluster-name", Kind::Cluster),
    ("eks-cluster-name", Kind::Cluster),
    // The CSI driver for EBS.
    ("k8s-tag-cluster-id", Kind::Cluster),
    ("bucket", Kind::Bucket),
];

/// Attributes of load balancers that hold the name of a resource
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>).
const ATTRIBUTES: &[(&str, Kind)] = &[
    ("access_logs.s3.bucket", Kind::Bucket),
    ("connection_logs.s3.bucket", Kind::Bucket),
    ("health_check_logs.s3.bucket", Kind::Bucket),
];

/// The beginning of the key of a tag that ends with the name of a cluster
/// (<https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html>).
const CLUSTER_TAG: &str = "kubernetes.io/cluster/";

type Visit<'a> = &'a mut dyn FnMut(&Location<'_>, IdentifierKind, &mut Value);

/// Returns the identifier in a part of a text: where it begins, its text and its kind.
type Find<'a> = &'a dyn for<'b> Fn(&'b str) -> Option<(usize, &'b str, IdentifierKind)>;

/// Calls `visit` for the identifiers in a value of the given kind.
pub(super) fn expand(at: &Location<'_>, holds: IdentifierKind, value: &mut Value, visit: Visit<'_>) {
    match holds {
        IdentifierKind::NamespaceSelector => selector(at, value, visit),
        IdentifierKind::EnvironmentVariable => pair(at, value, ("name", "value"), &variable, visit),
        IdentifierKind::BalancerAttribute => pair(at, value, ("key", "value"), &attribute, visit),
        IdentifierKind::BalancerAttributes => parts(at, value, ',', &attribute_of_pair, visit),
        IdentifierKind::Arguments => arguments(at, value, visit),
        IdentifierKind::Tags => tags(at, value, visit),
        IdentifierKind::Json(field, kind) => parts(
            at,
            value,
            '\0',
            &|text| {
                let (begin, name) = member(text, field)?;
                Some((begin, name, IdentifierKind::Aws(kind)))
            },
            visit,
        ),
        IdentifierKind::Aws(_) => match value {
            Value::Array(list) => {
                for (index, element) in list.iter_mut().enumerate() {
                    parts(
                        &Location::Index(at, index),
                        element,
                        ',',
                        &|text| Some((0, text, holds)),
                        visit,
                    );
                }
            }
            _ => parts(at, value, ',', &|text| Some((0, text, holds)), visit),
        },
        IdentifierKind::Namespace | IdentifierKind::NamespacedName | IdentifierKind::Principal => {
            visit(at, holds, value);
        }
    }
}

fn selector(at: &Location<'_>, selector: &mut Value, visit: Visit<'_>) {
    let labels = selector.get_mut("matchLabels").and_then(Value::as_object_mut);
    if let Some(value) = labels.and_then(|labels| labels.get_mut(NAME_LABEL)) {
        let at = Location::Key(at, "matchLabels");
        visit(&Location::Key(&at, NAME_LABEL), IdentifierKind::Namespace, value);
    }
    let expressions = selector.get_mut("matchExpressions").and_then(Value::as_array_mut);
    let at = Location::Key(at, "matchExpressions");
    for (index, expression) in expressions.into_iter().flatten().enumerate() {
        if expression.get("key").and_then(Value::as_str) != Some(NAME_LABEL) {
            continue;
        }
        let at = Location::Index(&at, index);
        let at = Location::Key(&at, "values");
        let values = expression.get_mut("values").and_then(Value::as_array_mut);
        for (index, value) in values.into_iter().flatten().enumerate() {
            visit(&Location::Index(&at, index), IdentifierKind::Namespace, value);
        }
    }
}

/// Visits the value of a map that has its name in another field.
fn pair(
    at: &Location<'_>,
    value: &mut Value,
    (name, field): (&str, &str),
    kind_of: &dyn Fn(&str) -> Option<Kind>,
    visit: Visit<'_>,
) {
    let Some(kind) = value.get(name).and_then(Value::as_str).and_then(kind_of) else {
        return;
    };
    if let Some(inner) = value.get_mut(field) {
        visit(&Location::Key(at, field), IdentifierKind::Aws(kind), inner);
    }
}

/// Visits an identifier in a part of a text: `part_of` returns where it begins in the part, its text and kind. Parts
/// are separated by `separator`, spaces around them do not count.
fn parts(at: &Location<'_>, value: &mut Value, separator: char, part_of: Find<'_>, visit: Visit<'_>) {
    let Some(text) = value.as_str() else { return };
    let mut new: Option<String> = None;
    // Everything before `done` is in `new`.
    let (mut done, mut begin) = (0, 0);
    for whole in text.split(separator) {
        let part = whole.trim();
        let start = begin + whole.len() - whole.trim_start().len();
        begin += whole.len() + separator.len_utf8();
        let Some((offset, inner, kind)) = part_of(part) else {
            continue;
        };
        let mut identifier = Value::from(inner);
        visit(at, kind, &mut identifier);
        if let Some(to) = identifier.as_str().filter(|to| *to != inner) {
            let new = new.get_or_insert_default();
            new.push_str(&text[done..start + offset]);
            new.push_str(to);
            done = start + offset + inner.len();
        }
    }
    if let Some(mut new) = new {
        new.push_str(&text[done..]);
        *value = Value::String(new);
    }
}

fn variable(name: &str) -> Option<Kind> {
    let holds = |end: &str| {
        let before = name.strip_suffix(end);
        before.is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    VARIABLES
        .iter()
        .find(|(end, _)| holds(end))
        .map(|(_, kind)| *kind)
}

fn attribute(key: &str) -> Option<Kind> {
    let known = ATTRIBUTES.iter().find(|(name, _)| *name == key);
    known.map(|(_, kind)| *kind)
}

fn attribute_of_pair(pair: &str) -> Option<(usize, &str, IdentifierKind)> {
    let (key, value) = pair.split_once('=')?;
    let begin = pair.len() - value.len();
    Some((begin, value, IdentifierKind::Aws(attribute(key.trim())?)))
}

/// Visits the values of flags in a list of arguments, `--cluster-name=orders` and `--cluster-name`, `orders` alike.
fn arguments(at: &Location<'_>, value: &mut Value, visit: Visit<'_>) {
    let mut named = None;
    for (index, argument) in value.as_array_mut().into_iter().flatten().enumerate() {
        let at = Location::Index(at, index);
        if let Some(kind) = named.take() {
            visit(&at, IdentifierKind::Aws(kind), argument);
            continue;
        }
        named = argument.as_str().and_then(flag);
        parts(&at, argument, '\0', &flag_with_value, visit);
    }
}

fn flag_with_value(argument: &str) -> Option<(usize, &str, IdentifierKind)> {
    let (name, value) = argument.split_once('=')?;
    Some((
        argument.len() - value.len(),
        value,
        IdentifierKind::Aws(flag(name)?),
    ))
}

/// Returns what the value of a flag names.
fn flag(argument: &str) -> Option<Kind> {
    let name = argument.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    let known = FLAGS.iter().find(|(flag, _)| *flag == name);
    known.map(|(_, kind)| *kind)
}

/// Visits the names of clusters at the end of the keys of tags.
fn tags(at: &Location<'_>, value: &mut Value, visit: Visit<'_>) {
    let Some(map) = value.as_object_mut() else { return };
    let keys: Vec<String> = map
        .keys()
        .filter(|key| key.starts_with(CLUSTER_TAG))
        .cloned()
        .collect();
    for key in keys {
        let name = &key[CLUSTER_TAG.len()..];
        let mut identifier = Value::from(name);
        visit(
            &Location::Key(at, &key),
            IdentifierKind::Aws(Kind::Cluster),
            &mut identifier,
        );
        if let Some(to) = identifier.as_str().filter(|to| *to != name)
            && let Some(value) = map.remove(&key)
        {
            map.insert(format!("{CLUSTER_TAG}{to}"), value);
        }
    }
}

/// Returns a text member of the JSON object that a text is: where its value begins, and the value. A value with escape
/// sequences is no name.
fn member<'a>(text: &'a str, field: &str) -> Option<(usize, &'a str)> {
    let key = format!("\"{field}\"");
    let mut found = text.match_indices(&key).map(|(at, _)| at + key.len());
    found.find_map(|end| {
        let rest = text[end..].trim_start().strip_prefix(':')?;
        let rest = rest.trim_start().strip_prefix('"')?;
        let value = &rest[..rest.find('"')?];
        (!value.contains('\\')).then_some((text.len() - rest.len(), value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn visited(holds: IdentifierKind, mut value: Value) -> (Value, Vec<(String, IdentifierKind)>) {
        let mut found = Vec::new();
        expand(
            &Location::At("/at"),
            holds,
            &mut value,
            &mut |at, kind, identifier| {
                found.push((at.pointer(), kind));
                if identifier == "old" {
                    *identifier = json!("new");
                }
            },
        );
        (value, found)
    }

    #[test]
    fn only_the_identifier_in_a_structure_is_visited() {
        let bucket = IdentifierKind::Aws(Kind::Bucket);
        let cluster = IdentifierKind::Aws(Kind::Cluster);
        for (holds, before, after, kind) in [
            (
                IdentifierKind::BalancerAttributes,
                json!("idle_timeout.timeout_seconds=60, access_logs.s3.bucket=old,access_logs.s3.prefix=old"),
                json!("idle_timeout.timeout_seconds=60, access_logs.s3.bucket=new,access_logs.s3.prefix=old"),
                bucket,
            ),
            (
                IdentifierKind::BalancerAttribute,
                json!({"key": "access_logs.s3.bucket", "value": "old"}),
                json!({"key": "access_logs.s3.bucket", "value": "new"}),
                bucket,
            ),
            (
                IdentifierKind::EnvironmentVariable,
                json!({"name": "EKS_CLUSTER_NAME", "value": "old"}),
                json!({"name": "EKS_CLUSTER_NAME", "value": "new"}),
                cluster,
            ),
            (
                IdentifierKind::Arguments,
                json!([
                    "--cluster-name=old",
                    "--cluster-name",
                    "old",
                    "old",
                    "--cluster-name"
                ]),
                json!([
                    "--cluster-name=new",
                    "--cluster-name",
                    "new",
                    "old",
                    "--cluster-name"
                ]),
                cluster,
            ),
            (
                IdentifierKind::Tags,
                json!({"kubernetes.io/cluster/old": "owned", "kubernetes.io/cluster/x": "old", "old": "old"}),
                json!({"kubernetes.io/cluster/new": "owned", "kubernetes.io/cluster/x": "old", "old": "old"}),
                cluster,
            ),
            (
                IdentifierKind::Json("name", Kind::Bucket),
                json!("{\n  \"rename\": \"old\", \"name\" : \"old\"\n}\n"),
                json!("{\n  \"rename\": \"old\", \"name\" : \"new\"\n}\n"),
                bucket,
            ),
            (bucket, json!("a, old ,b"), json!("a, new ,b"), bucket),
            (bucket, json!(["a", "old"]), json!(["a", "new"]), bucket),
        ] {
            let (value, found) = visited(holds, before);
            assert_eq!(value, after);
            assert!(found.iter().all(|(_, found)| *found == kind), "{found:?}");
        }
        let (_, found) = visited(
            IdentifierKind::EnvironmentVariable,
            json!({"name": "MYCLUSTER_NAMES", "value": "old"}),
        );
        assert_eq!(found, []);
    }
}
