//! Checks a document against its JSON schema. Supports the part of JSON Schema that our schemas use, and panics at any
//! other keyword.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Map, Value, json};

/// Keywords that are not checked. Identifiers with a pattern are parsed by their own types in other tests.
const SILENT: [&str; 12] = [
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "format",
    "minimum",
    "maximum",
    "examples",
    "pattern",
    "minLength",
    "maxLength",
];

/// Returns an error with the path to the first place where the document does not match.
pub(crate) fn check(schema: &Value, document: &Value) -> Result<(), String> {
    Checker { root: schema }.check(schema, document, "")
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
        let rules = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return Err(format!("{path} must not be there")),
            other => other.as_object().unwrap(),
        };
        for (word, rule) in rules {
            self.word(word, rule, rules, value, path)?;
        }
        Ok(())
    }

    fn word(
        &self,
        word: &str,
        rule: &Value,
        rules: &Map<String, Value>,
        value: &Value,
        path: &str,
    ) -> Result<(), String> {
        let fail = |why: String| Err(format!("{path}: {why}"));
        match word {
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                self.check(self.root.pointer(pointer).unwrap(), value, path)?;
            }
            "type" => {
                let one = |name: &Value| is_a(name.as_str().unwrap(), value);
                if !rule
                    .as_array()
                    .map_or_else(|| one(rule), |all| all.iter().any(one))
                {
                    return fail(format!("{value} is not {rule}"));
                }
            }
            "const" if rule != value => return fail(format!("{value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                return fail(format!("{value} is not one of {rule}"));
            }
            "anyOf" | "oneOf" => {
                let tried = rule.as_array().unwrap().iter();
                let faults: Vec<String> = tried
                    .clone()
                    .filter_map(|schema| self.check(schema, value, path).err())
                    .collect();
                let fitting = tried.len() - faults.len();
                if fitting == 0 || (word == "oneOf" && fitting > 1) {
                    return fail(format!("{fitting} of {word} fit: {}", faults.join("; ")));
                }
            }
            "allOf" => {
                for schema in rule.as_array().unwrap() {
                    self.check(schema, value, path)?;
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    if value.is_object() && value.get(name).is_none() {
                        return fail(format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        self.check(schema, value, &format!("{path}/{name}"))?;
                    }
                }
            }
            "patternProperties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    for (pattern, schema) in rule.as_object().unwrap() {
                        if matches(pattern, name) {
                            self.check(schema, value, &format!("{path}/{name}"))?;
                        }
                    }
                }
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                let patterns = rules.get("patternProperties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    let fits = |patterns: &Map<String, Value>| patterns.keys().any(|p| matches(p, name));
                    if !known.is_some_and(|known| known.contains_key(name)) && !patterns.is_some_and(fits) {
                        self.check(rule, value, &format!("{path}/{name}"))?;
                    }
                }
            }
            "items" => {
                for (at, value) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(rule, value, &format!("{path}/{at}"))?;
                }
            }
            "const" | "enum" => {}
            word if SILENT.contains(&word) => {}
            word => panic!("teach this test the word {word}: {rule}"),
        }
        Ok(())
    }
}

/// Checks the only pattern that our schemas have for names of fields: lowercase words with hyphens.
fn matches(pattern: &str, name: &str) -> bool {
    assert_eq!(pattern, "^[a-z]+(-[a-z]+)*$", "teach this test the pattern");
    name.split('-')
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("there is no type {other} in JSON Schema"),
    }
}

#[test]
fn a_document_that_is_not_as_its_schema_says_is_found_out() {
    let schema = json!({
        "type": "object",
        "required": ["a"],
        "additionalProperties": false,
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"anyOf": [{"const": 1}, {"type": "null"}]}},
        "$defs": {"A": {"type": "array", "items": {"enum": ["x", "y"]}}},
    });
    check(&schema, &json!({"a": ["x", "y"], "b": null})).unwrap();
    for (wrong, why) in [
        (json!([]), "is not \"object\""),
        (json!({}), "a is missing"),
        (json!({"a": [], "c": 1}), "/c must not be there"),
        (json!({"a": ["z"]}), "/a/0: \"z\" is not one of"),
        (json!({"a": [], "b": 2}), "0 of anyOf fit"),
    ] {
        let fault = check(&schema, &wrong).unwrap_err();
        assert!(fault.contains(why), "{fault}");
    }
}
