//! Compares two objects, without the fields that a server writes itself.

pub mod owners;

use std::fmt;

use serde_json::{Map, Value};

/// Fields of `metadata` that each API server writes itself. Owners (`managedFields`,
/// `ownerReferences`) are compared separately: by their meaning, not by their text.
const SERVER_OWNED: [&str; 9] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "ownerReferences",
    "selfLink",
];

/// A place in an object: the field names and list indexes that lead to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place(pub Vec<String>);

impl Place {
    /// Parses a JSON pointer (RFC 6901), or a path with dots and brackets as people write it.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        if path.starts_with('/') {
            return Self(
                path.split('/')
                    .skip(1)
                    .map(|part| part.replace("~1", "/").replace("~0", "~"))
                    .collect(),
            );
        }
        let mut parts = Vec::new();
        let mut part = String::new();
        let mut bracket = false;
        for character in path.chars() {
            match character {
                '.' if !bracket => parts.push(std::mem::take(&mut part)),
                '[' if !bracket => {
                    parts.push(std::mem::take(&mut part));
                    bracket = true;
                }
                ']' if bracket => bracket = false,
                '"' | '\'' if bracket => {}
                other => part.push(other),
            }
        }
        parts.push(part);
        parts.retain(|part| !part.is_empty());
        Self(parts)
    }

    /// Returns whether one of the two places contains the other: a change reported for a map covers
    /// differences inside it, and a change reported inside a list covers a different length of the
    /// list.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(ours, theirs)| ours == theirs)
    }

    fn with(&self, part: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.to_owned());
        Self(parts)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            write!(f, "/{}", part.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// A place in which two objects differ, without the values, because they may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The place of the difference.
    pub place: Place,
    /// Whether the first object has a value there.
    pub in_source: bool,
    /// Whether the second object has a value there.
    pub in_target: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (self.in_source, self.in_target) {
            (true, false) => "is gone",
            (false, true) => "is new",
            _ => "differs",
        };
        write!(f, "{} {what}", self.place)
    }
}

/// Returns all differences of two objects, without the server's own fields, the owners, and the
/// status where it is a subresource.
#[must_use]
pub fn differences(source: &Value, target: &Value, has_status: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(
        &Place::default(),
        Some(&own(source, has_status)),
        Some(&own(target, has_status)),
        &mut found,
    );
    found
}

/// Returns the part of an object that its authors wrote.
fn own(object: &Value, has_status: bool) -> Value {
    let mut copy = object.clone();
    if let Some(fields) = copy.as_object_mut() {
        if has_status {
            fields.remove("status");
        }
        // The two servers may prefer different versions of a type, so only the content is compared.
        fields.remove("apiVersion");
    }
    if let Some(metadata) = copy.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in SERVER_OWNED {
            metadata.remove(name);
        }
    }
    copy
}

fn walk(place: &Place, source: Option<&Value>, target: Option<&Value>, found: &mut Vec<Difference>) {
    let empty = Map::new();
    match (source, target) {
        (source, target) if source == target => {}
        (Some(Value::Object(source)), Some(Value::Object(target))) => walk_maps(place, source, target, found),
        // A map that one side lacks is reported field by field, so that each field can be explained.
        (Some(Value::Object(source)), None) if !source.is_empty() => {
            walk_maps(place, source, &empty, found);
        }
        (None, Some(Value::Object(target))) if !target.is_empty() => {
            walk_maps(place, &empty, target, found);
        }
        (Some(Value::Array(source)), Some(Value::Array(target))) if source.len() == target.len() => {
            for (index, (source, target)) in source.iter().zip(target).enumerate() {
                walk(&place.with(&index.to_string()), Some(source), Some(target), found);
            }
        }
        (source, target) => found.push(Difference {
            place: place.clone(),
            in_source: source.is_some(),
            in_target: target.is_some(),
        }),
    }
}

fn walk_maps(
    place: &Place,
    source: &Map<String, Value>,
    target: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    for (name, value) in source {
        walk(&place.with(name), Some(value), target.get(name), found);
    }
    for (name, value) in target {
        if !source.contains_key(name) {
            walk(&place.with(name), None, Some(value), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn places(source: &Value, target: &Value) -> Vec<String> {
        differences(source, target, true)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_a_server_writes_does_not_count() {
        let source = json!({"apiVersion": "a/v1", "kind": "Kind", "metadata": {"name": "x", "uid": "1", "resourceVersion": "5"}, "spec": {"a": 1}, "status": {"ready": true}});
        let target = json!({"apiVersion": "a/v2", "kind": "Kind", "metadata": {"name": "x", "uid": "2", "resourceVersion": "9"}, "spec": {"a": 1}});
        assert!(places(&source, &target).is_empty());
    }

    #[test]
    fn each_field_that_differs_is_named_once() {
        let source =
            json!({"metadata": {"labels": {"a/b": "1"}}, "spec": {"list": [1, {"x": 1}], "gone": null}});
        let target = json!({"metadata": {}, "spec": {"list": [1, {"x": 2}], "extra": []}});
        assert_eq!(
            places(&source, &target),
            [
                "/metadata/labels/a~1b is gone",
                "/spec/gone is gone",
                "/spec/list/1/x differs",
                "/spec/extra is new"
            ]
        );
    }

    #[test]
    fn big_numbers_are_not_rounded() {
        let source: Value =
            serde_json::from_str(r#"{"spec":{"n":9007199254740993,"o":1.10}}"#).expect("valid JSON");
        let target: Value =
            serde_json::from_str(r#"{"spec":{"n":9007199254740992,"o":1.10}}"#).expect("valid JSON");
        assert_eq!(places(&source, &target), ["/spec/n differs"]);
    }

    #[test]
    fn a_status_that_is_no_subresource_counts() {
        let source = json!({"status": "x"});
        assert_eq!(differences(&source, &json!({}), false).len(), 1);
        assert!(differences(&source, &json!({}), true).is_empty());
    }

    #[test]
    fn both_spellings_of_a_place_are_read() {
        let pointer = Place::parse("/metadata/annotations/a~1b.c/0");
        assert_eq!(pointer.0, ["metadata", "annotations", "a/b.c", "0"]);
        assert_eq!(Place::parse(".metadata.annotations[\"a/b.c\"][0]").0, pointer.0);
        assert!(Place::parse("/spec").touches(&Place::parse("/spec/a")));
        assert!(!Place::parse("/spec/a").touches(&Place::parse("/spec/ab")));
    }
}
