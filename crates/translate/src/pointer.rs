//! JSON pointers (RFC 6901) and edits of values by pointer.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Appends an escaped segment to a pointer.
#[must_use]
pub fn join(pointer: &str, segment: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + segment.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for character in segment.chars() {
        match character {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// Returns the pointer with these segments.
#[must_use]
pub fn of(segments: &[&str]) -> String {
    segments
        .iter()
        .fold(String::new(), |pointer, segment| join(&pointer, segment))
}

/// Splits a pointer into the part before the last segment and the unescaped last segment; `None` without a
/// `/`.
#[must_use]
pub fn split_last(pointer: &str) -> Option<(&str, String)> {
    let (parent, last) = pointer.rsplit_once('/')?;
    Some((parent, unescaped(last).into_owned()))
}

/// Returns a segment without its escapes.
#[must_use]
pub fn unescaped(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') {
        Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(segment)
    }
}

/// Whether `text` is a valid JSON pointer.
#[must_use]
pub fn is_pointer(text: &str) -> bool {
    let well_begun = text.is_empty() || text.starts_with('/');
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    well_begun && escapes
}

/// Removes the value at a pointer and returns it.
pub fn remove(value: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, last) = split_last(pointer)?;
    match value.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&last),
        Value::Array(list) => {
            let index = last.parse().ok().filter(|index| *index < list.len())?;
            Some(list.remove(index))
        }
        _ => None,
    }
}

/// Removes the value at a pointer, and its parent if that is then an empty map: an API server omits empty
/// `labels` and `annotations`.
pub fn remove_and_prune(value: &mut Value, pointer: &str) -> Option<Value> {
    let removed = remove(value, pointer)?;
    if let Some((parent, _)) = split_last(pointer)
        && value
            .pointer(parent)
            .and_then(Value::as_object)
            .is_some_and(Map::is_empty)
    {
        remove(value, parent);
    }
    Some(removed)
}

/// Sets the value at a pointer and creates missing maps on the way. Returns whether that was possible.
pub fn set(value: &mut Value, pointer: &str, new: Value) -> bool {
    let mut here = value;
    let mut rest = pointer;
    while let Some(tail) = rest.strip_prefix('/') {
        let (segment, next) = match tail.find('/') {
            Some(at) => tail.split_at(at),
            None => (tail, ""),
        };
        let key = unescaped(segment).into_owned();
        here = match here {
            Value::Object(map) => map.entry(key).or_insert_with(|| Value::Object(Map::new())),
            Value::Array(list) => match key.parse::<usize>().ok().and_then(|index| list.get_mut(index)) {
                Some(element) => element,
                None => return false,
            },
            _ => return false,
        };
        rest = next;
    }
    *here = new;
    true
}

/// Returns the string at a pointer.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Returns the elements of the list at a pointer; empty if there is no list.
pub fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edits_reach_escaped_keys_and_prune_empty_maps() {
        let mut object = json!({"metadata": {"labels": {"a/b~c": "1"}, "name": "x"}});
        let pointer = of(&["metadata", "labels", "a/b~c"]);
        assert_eq!(pointer, "/metadata/labels/a~1b~0c");
        assert_eq!(text(&object, &pointer), Some("1"));
        assert_eq!(remove_and_prune(&mut object, &pointer), Some(json!("1")));
        assert_eq!(object, json!({"metadata": {"name": "x"}}));
        assert!(set(&mut object, &pointer, json!("2")));
        assert_eq!(object["metadata"]["labels"]["a/b~c"], "2");
    }

    #[test]
    fn edits_do_not_go_through_scalars_or_past_the_end_of_a_list() {
        let mut object = json!({"a": "text", "b": [1]});
        assert!(!set(&mut object, "/a/b", json!(1)));
        assert!(!set(&mut object, "/b/1", json!(1)));
        assert_eq!(remove(&mut object, "/b/7"), None);
        assert_eq!(object, json!({"a": "text", "b": [1]}));
    }

    #[test]
    fn pointers_are_told_from_other_text() {
        assert!(is_pointer("") && is_pointer("/a~1b") && !is_pointer("a/b") && !is_pointer("/a~2"));
    }
}
