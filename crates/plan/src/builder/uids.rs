//! The uids in the fields of an object. Owner references are resolved, and cleansing removes uids from the places that
//! Kubernetes defines; what is left was written by users and operators for readers that nobody knows here.

use lifeboat_model::Uid;
use lifeboat_translate::place::Location;
use serde_json::Value;

/// The length of a uid as Kubernetes writes it (RFC 4122).
const LENGTH: usize = 36;

/// A uid in a field of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UidReference {
    /// The index of the object in [`super::PlanBuilder::items`].
    pub(crate) item: usize,
    /// The path of the field; of the map, if the uid is in a key.
    pub(crate) path: Box<str>,
    pub(crate) uid: Uid,
}

/// Returns every uid of a body with its path.
pub(super) fn find(body: &Value) -> Vec<(String, Uid)> {
    let mut found = Vec::new();
    walk(body, &Location::At(""), &mut found);
    found
}

fn walk(value: &Value, at: &Location<'_>, found: &mut Vec<(String, Uid)>) {
    match value {
        Value::String(text) => in_text(text, at, found),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, &Location::Index(at, index), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                in_text(name, at, found);
                walk(value, &Location::Key(at, name), found);
            }
        }
        _ => {}
    }
}

/// Finds the uids that stand in a text as whole words.
fn in_text(text: &str, at: &Location<'_>, found: &mut Vec<(String, Uid)>) {
    let bytes = text.as_bytes();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let is_part = |at: usize| bytes.get(at).is_some_and(is_word);
    let mut start = 0_usize;
    while let Some(end) = start.checked_add(LENGTH).filter(|end| *end <= bytes.len()) {
        let before = start.checked_sub(1).is_some_and(is_part);
        let uid = text.get(start..end).filter(|_| !before && !is_part(end));
        match uid.and_then(Uid::of_uuid) {
            Some(uid) => {
                found.push((at.pointer(), uid));
                start = end;
            }
            // The next word begins after the next byte that is not part of this one.
            None => match bytes[start..].iter().position(|byte| !is_word(byte)) {
                Some(next) => start += next + 1,
                None => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID: &str = "0a1b2c3d-0000-4000-8000-00000000beef";

    fn paths(body: &Value) -> Vec<String> {
        find(body).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn a_uid_is_found_in_values_keys_and_texts() {
        let body = json!({
            "metadata": {"labels": {"example.com/owner": UID}, "annotations": {format!("seen/{UID}"): "yes"}},
            "spec": {"items": [{"id": format!("configmaps/web/{UID}")}, {"id": format!("a {UID}, {UID}.")}]},
        });
        assert_eq!(
            paths(&body),
            [
                "/metadata/annotations",
                "/metadata/labels/example.com~1owner",
                "/spec/items/0/id",
                "/spec/items/1/id",
                "/spec/items/1/id",
            ]
        );
        assert!(find(&body).iter().all(|(_, uid)| *uid == Uid::from(UID)));
    }

    #[test]
    fn a_uid_is_found_in_any_case() {
        let body = json!({"spec": {"id": UID.to_uppercase()}});
        assert_eq!(find(&body), [("/spec/id".to_owned(), Uid::from(UID))]);
    }

    #[test]
    fn a_part_of_a_longer_word_is_not_a_uid() {
        for text in [
            format!("pvc-{UID}"),
            format!("{UID}-a"),
            format!("{UID}0"),
            "0a1b2c3d_0000-4000-8000-00000000beef".to_owned(),
            "0a1b2c3d-0000-4000-8000-00000000bee".to_owned(),
            "ü".repeat(40),
        ] {
            assert_eq!(paths(&json!({"text": text})), Vec::<String>::new(), "{text}");
        }
    }
}
