//! Writes JSON values as YAML.
//!
//! This is a small writer of our own, because numbers must keep the text that the API server sent
//! (`arbitrary_precision`), and a YAML library changes `1.10` or an integer beyond 64 bits. The output is the block
//! style that kubectl prints, which any YAML 1.2 parser accepts.

use serde_json::Value;

/// Renders a value as one YAML document.
#[must_use]
pub fn render(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, false, &mut text),
        Value::Array(list) if !list.is_empty() => block(value, 0, false, &mut text),
        scalar => {
            text.push_str(&inline(scalar, 0));
            text.push('\n');
        }
    }
    text
}

/// Writes a mapping or a sequence. `hanging` means that the text ends with `- `, so that the first line needs no
/// indentation.
fn block(value: &Value, indent: usize, hanging: bool, text: &mut String) {
    let mut first = hanging;
    let mut begin = |text: &mut String| {
        if !std::mem::take(&mut first) {
            text.push_str(&" ".repeat(indent));
        }
    };
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                begin(text);
                text.push_str(&scalar(key));
                text.push(':');
                match inner {
                    Value::Object(map) if !map.is_empty() => {
                        text.push('\n');
                        block(inner, indent + 2, false, text);
                    }
                    // A sequence has the indentation of its key, as kubectl prints it.
                    Value::Array(list) if !list.is_empty() => {
                        text.push('\n');
                        block(inner, indent, false, text);
                    }
                    plain => {
                        text.push(' ');
                        text.push_str(&inline(plain, indent + 2));
                        text.push('\n');
                    }
                }
            }
        }
        Value::Array(list) => {
            for inner in list {
                begin(text);
                text.push_str("- ");
                match inner {
                    Value::Object(map) if !map.is_empty() => block(inner, indent + 2, true, text),
                    Value::Array(list) if !list.is_empty() => block(inner, indent + 2, true, text),
                    plain => {
                        text.push_str(&inline(plain, indent + 2));
                        text.push('\n');
                    }
                }
            }
        }
        _ => {}
    }
}

fn inline(value: &Value, indent: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => literal(text, indent).unwrap_or_else(|| scalar(text)),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// Writes text of several lines as a literal block, if that keeps every character.
fn literal(text: &str, indent: usize) -> Option<String> {
    let body = text.trim_end_matches('\n');
    let trailing = text.len() - body.len();
    let safe = |c: char| c == '\n' || c == '\t' || (!c.is_control() && !is_special_break(c));
    if !body.contains('\n') || trailing > 1 || !text.chars().all(safe) || body.starts_with([' ', '\t', '\n'])
    {
        return None;
    }
    let mut block = String::from(if trailing == 1 { "|" } else { "|-" });
    for line in body.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(&" ".repeat(indent));
            block.push_str(line);
        }
    }
    Some(block)
}

/// Writes a scalar without quotes if every parser reads it as the same string, else in JSON's quotes, which are valid
/// YAML too.
fn scalar(text: &str) -> String {
    let plain_characters = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_./:@ +=,()$".contains(&b));
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let reserved = matches!(
        text.to_ascii_lowercase().as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf"
    );
    if plain_characters && begins_plain && !reserved && !text.contains(": ") && !text.ends_with([':', ' ']) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || is_special_break(c) => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reports whether a YAML parser may read a character as a line break or a byte order mark.
fn is_special_break(character: char) -> bool {
    matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Parses YAML with an independent parser; numbers are compared as text elsewhere.
    fn read(text: &str) -> Value {
        fn convert(value: serde_yaml_ng::Value) -> Value {
            use serde_yaml_ng::Value as Yaml;
            match value {
                Yaml::Null => Value::Null,
                Yaml::Bool(flag) => Value::Bool(flag),
                Yaml::Number(number) => serde_json::from_str(&number.to_string()).unwrap(),
                Yaml::String(text) => Value::String(text),
                Yaml::Sequence(list) => Value::Array(list.into_iter().map(convert).collect()),
                Yaml::Mapping(map) => Value::Object(
                    map.into_iter()
                        .map(|(key, inner)| (key.as_str().unwrap().to_owned(), convert(inner)))
                        .collect(),
                ),
                Yaml::Tagged(_) => panic!("no tags are written"),
            }
        }
        convert(serde_yaml_ng::from_str(text).unwrap())
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        for text in [
            r##"{"apiVersion":"v1","data":{"a":"1","b":"true","c":"","d":"x: y","e":"#no","yes":"on"}}"##,
            r#"{"list":[],"map":{},"nested":[[1,2],[{"a":[{"b":null}]}],"- x"],"n":-3}"#,
            r#"{"script":"set -e\necho hi\n","cut":"a\nb","indented":"  a\nb","blank":"a\n\nb\n","many":"a\n\n\n"}"#,
            r#"{"odd":"\u0001\u2028é\t\"\\","crlf":"a\r\nb","trail":"a ","colon":"a:","date":"2026-11-21","time":"12:30:45"}"#,
            r#""only a string""#,
            r#"[{"a":1,"b":2},{"a":3}]"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let yaml = render(&value);
            assert_eq!(read(&yaml), value, "{yaml}");
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        let value: Value =
            serde_json::from_str(r#"{"big":123456789012345678901234567890,"odd":1.10}"#).unwrap();
        assert_eq!(render(&value), "big: 123456789012345678901234567890\nodd: 1.10\n");
    }

    #[test]
    fn the_layout_is_that_of_kubectl() {
        let value = serde_json::json!({
            "metadata": { "name": "web", "labels": { "app": "web" } },
            "spec": { "containers": [{ "image": "nginx:1.27", "name": "web" }] },
        });
        assert_eq!(
            render(&value),
            "metadata:\n  labels:\n    app: web\n  name: web\nspec:\n  containers:\n  - image: nginx:1.27\n    name: web\n"
        );
    }
}
