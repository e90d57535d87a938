//! Checks an object against a schema, as an API server does when the object is created.
//!
//! The nulls of fields that are not `nullable` are removed before, and missing fields get their defaults
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable>).

use std::collections::BTreeSet;

use lifeboat_translate::identity::symbols_in;
use lifeboat_translate::pointer;
use serde_json::{Map, Value};

use super::{List, Number, Rule, Schema, Violation};

/// The greatest integer that every API server accepts as a number with a fraction or an exponent.
const GREATEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// The length of a rule in a message.
const SHOWN: usize = 80;

pub(super) fn violations(schema: &Schema, object: &Value) -> BTreeSet<Violation> {
    let mut walk = Walk {
        path: Vec::new(),
        found: Some(BTreeSet::new()),
        failed: false,
    };
    walk.value(schema, Some(schema), object);
    walk.found.unwrap_or_default()
}

struct Walk<'a> {
    path: Vec<&'a str>,
    /// What is broken; `None` if it is enough whether anything is.
    found: Option<BTreeSet<Violation>>,
    failed: bool,
}

/// Returns whether a null is removed before the object is checked, or replaced by the default.
fn is_removed(value: &Value, structure: Option<&Schema>) -> bool {
    value.is_null() && structure.is_some_and(|schema| !schema.nullable)
}

impl<'a> Walk<'a> {
    fn broken(&mut self, rule: impl FnOnce() -> String) {
        self.failed = true;
        if let Some(found) = &mut self.found {
            let mut rule = rule();
            if rule.chars().count() > SHOWN {
                rule = rule.chars().take(SHOWN).chain("…".chars()).collect();
            }
            let path = pointer::of(&self.path);
            found.insert(Violation { path, rule });
        }
    }

    fn inside(&mut self, name: &'a str, check: impl FnOnce(&mut Self)) {
        self.path.push(name);
        check(self);
        self.path.pop();
    }

    /// Checks a value against a schema. `structure` is what the schema says about the value outside `allOf`, `anyOf`,
    /// `oneOf` and `not`: nulls and defaults depend on it.
    fn value(&mut self, schema: &'a Schema, structure: Option<&'a Schema>, value: &'a Value) {
        if !schema.allows_type_of(value) {
            self.broken(|| format!("type {}", schema.types.names()));
        }
        let is_structure = structure.is_some_and(|structure| std::ptr::eq(structure, schema));
        match value {
            Value::Object(map) => self.object(schema, structure, map, is_structure),
            Value::Array(items) => self.list(schema, structure, items, is_structure),
            _ => {}
        }
        for rule in &schema.rules {
            self.rule(rule, structure, value);
        }
    }

    fn object(
        &mut self,
        schema: &'a Schema,
        structure: Option<&'a Schema>,
        map: &'a Map<String, Value>,
        is_structure: bool,
    ) {
        for (name, value) in map {
            let own = structure.and_then(|structure| structure.field(name));
            let Some(of_field) = schema.field(name) else {
                continue;
            };
            if is_removed(value, own) {
                continue;
            }
            // The keys of a map are data.
            let shown = if schema.properties.contains_key(&**name) {
                name
            } else {
                "*"
            };
            self.inside(shown, |walk| walk.value(of_field, own, value));
        }
        for (name, of_field) in &schema.properties {
            let own = structure.and_then(|structure| structure.properties.get(name));
            let default = own.and_then(|own| own.default.as_ref());
            let is_missing = map.get(&**name).is_none_or(|value| is_removed(value, own));
            if let Some(default) = default.filter(|_| is_missing) {
                self.inside(name, |walk| walk.value(of_field, own, default));
            }
        }
        for name in &schema.required {
            let own = structure.and_then(|structure| structure.field(name));
            let is_there = map.get(&**name).is_some_and(|value| !is_removed(value, own));
            if !is_there && !has_default(structure, name) {
                self.inside(name, |walk| walk.broken(|| "required".to_owned()));
            }
        }
        if is_structure && schema.embedded {
            for name in ["apiVersion", "kind"] {
                let text = map.get(name).and_then(Value::as_str);
                if text.is_none_or(str::is_empty) && !has_default(structure, name) {
                    let rule = "x-kubernetes-embedded-resource";
                    self.inside(name, |walk| walk.broken(|| rule.to_owned()));
                }
            }
        }
    }

    fn list(
        &mut self,
        schema: &'a Schema,
        structure: Option<&'a Schema>,
        items: &'a [Value],
        is_structure: bool,
    ) {
        let own = structure.and_then(|structure| structure.items.as_deref());
        if let Some(of_items) = schema.items.as_deref() {
            self.path.push("*");
            for item in items {
                // A null becomes the default. Without one it stays, unlike that of a field.
                let default = own.and_then(|own| own.default.as_ref());
                let default = default.filter(|_| is_removed(item, own));
                self.value(of_items, own, default.unwrap_or(item));
            }
            self.path.pop();
        }
        if !is_structure {
            return;
        }
        match &schema.list {
            List::Any => {}
            List::Set => {
                let mut seen = BTreeSet::new();
                if !items.iter().all(|item| seen.insert(text_of(item))) {
                    self.broken(|| "x-kubernetes-list-type set".to_owned());
                }
            }
            List::Map(keys) => {
                let mut seen = BTreeSet::new();
                let key = |item: &Value| -> Vec<Option<String>> {
                    keys.iter().map(|key| item.get(&**key).map(text_of)).collect()
                };
                let is_map = |item: &Value| item.is_object() || item.is_null();
                if !items.iter().all(|item| is_map(item) && seen.insert(key(item))) {
                    self.broken(|| "x-kubernetes-list-type map".to_owned());
                }
            }
        }
    }

    fn rule(&mut self, rule: &'a Rule, structure: Option<&'a Schema>, value: &'a Value) {
        let is_kept = match (rule, value) {
            // The identifier that takes the place of a symbol is not known yet.
            (
                Rule::Enum(_) | Rule::Pattern(_) | Rule::Format(_) | Rule::MinLength(_) | Rule::MaxLength(_),
                Value::String(text),
            ) if symbols_in(text).next().is_some() => true,
            (Rule::Enum(values), _) => values.iter().any(|one| is_same(one, value)),
            // A null that is allowed is subject to no other rule.
            (_, Value::Null) => true,
            (Rule::AllOf(schemas), _) => {
                for schema in schemas {
                    self.value(schema, structure, value);
                }
                true
            }
            (Rule::AnyOf(schemas), _) => schemas.iter().any(|one| accepts(one, structure, value)),
            (Rule::OneOf(schemas), _) => {
                let accepting = schemas.iter().filter(|one| accepts(one, structure, value));
                accepting.count() == 1
            }
            (Rule::Not(schema), _) => !accepts(schema, structure, value),
            (Rule::Pattern(pattern), Value::String(text)) => pattern.may_match(text),
            (Rule::Format(format), _) => format.accepts(value),
            (Rule::MinLength(least), Value::String(text)) => length(text) >= *least,
            (Rule::MaxLength(most), Value::String(text)) => length(text) <= *most,
            (Rule::Minimum(least, exclusive), Value::Number(number)) => {
                least.holds(number, |number, least| is_above(number, least, *exclusive))
            }
            (Rule::Maximum(most, exclusive), Value::Number(number)) => {
                most.holds(number, |number, most| is_above(most, number, *exclusive))
            }
            (Rule::MultipleOf(factor), Value::Number(number)) => factor.holds(number, is_multiple),
            (Rule::MinItems(least), Value::Array(items)) => count(items.len()) >= *least,
            (Rule::MaxItems(most), Value::Array(items)) => count(items.len()) <= *most,
            (Rule::UniqueItems, Value::Array(items)) => {
                let mut seen = BTreeSet::new();
                items.iter().all(|item| seen.insert(text_of(item)))
            }
            (Rule::MinProperties(least), Value::Object(map)) => fields(map, structure) >= *least,
            (Rule::MaxProperties(most), Value::Object(map)) => fields(map, structure) <= *most,
            _ => true,
        };
        if !is_kept {
            self.broken(|| rule.to_string());
        }
    }
}

/// Returns whether a schema accepts a value, without recording what it breaks.
fn accepts<'a>(schema: &'a Schema, structure: Option<&'a Schema>, value: &'a Value) -> bool {
    let mut walk = Walk {
        path: Vec::new(),
        found: None,
        failed: false,
    };
    walk.value(schema, structure, value);
    !walk.failed
}

impl Schema {
    fn allows_type_of(&self, value: &Value) -> bool {
        if self.types.is_any() {
            return true;
        }
        let has = |name| self.types.has(name);
        // The API server checks the format of a text instead of the type, and so lets lists pass.
        let is_formatted = || self.rules.iter().any(|rule| matches!(rule, Rule::Format(_)));
        match value {
            Value::Null => self.nullable,
            Value::Bool(_) => has("boolean"),
            Value::String(_) => has("string"),
            Value::Object(_) => has("object"),
            Value::Array(_) => has("array") || (has("string") && !has("integer") && is_formatted()),
            Value::Number(number) => has("number") || (has("integer") && is_integer(number)),
        }
    }
}

impl Number {
    /// Compares a value with the number as API servers do: with its integral part, if the value is an integer and the
    /// schema allows others. If it allows integers only, one that is none rejects every value.
    fn holds(self, value: &serde_json::Number, compare: impl Fn(f64, f64) -> bool) -> bool {
        let Some(float) = value.as_f64() else {
            return true;
        };
        let is_whole = self.value.fract().abs() <= 0.0;
        match (self.of_integers, value.as_i64().is_some()) {
            (true, _) => is_whole && compare(float, self.value),
            (false, true) => compare(float, self.value.trunc()),
            (false, false) => compare(float, self.value),
        }
    }
}

fn is_above(number: f64, limit: f64, exclusive: bool) -> bool {
    number > limit || (!exclusive && (number - limit).abs() <= 0.0)
}

fn is_integer(number: &serde_json::Number) -> bool {
    let whole = |number: f64| number.fract().abs() <= 0.0 && number.abs() <= GREATEST_EXACT;
    number.as_i64().is_some() || number.as_f64().is_some_and(whole)
}

fn is_multiple(number: f64, factor: f64) -> bool {
    let ratio = if factor < 1.0 {
        1.0 / factor * number
    } else {
        number / factor
    };
    factor > 0.0 && (ratio - ratio.round()).abs() < 1e-9
}

/// Returns whether a value is one of an `enum`.
fn is_same(one: &Value, value: &Value) -> bool {
    match (one, value) {
        // No API server takes a null for one of the values.
        (_, Value::Null) => false,
        (Value::Number(one), Value::Number(value)) => text_of_number(one) == text_of_number(value),
        (one, value) => one == value,
    }
}

/// Returns a text that equal scalars have in common.
fn text_of(value: &Value) -> String {
    match value {
        Value::Number(number) => text_of_number(number),
        other => other.to_string(),
    }
}

fn text_of_number(number: &serde_json::Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (None, Some(float)) if is_integer(number) => format!("{float:.0}"),
        (None, Some(float)) => float.to_string(),
        _ => number.to_string(),
    }
}

fn has_default(structure: Option<&Schema>, name: &str) -> bool {
    let property = structure.and_then(|structure| structure.properties.get(name));
    property.is_some_and(|property| property.default.is_some())
}

/// Returns the number of fields that an object has with its defaults and without the nulls that are removed.
fn fields(map: &Map<String, Value>, structure: Option<&Schema>) -> u64 {
    let stays = |(name, value): &(&String, &Value)| {
        !is_removed(value, structure.and_then(|structure| structure.field(name)))
            || has_default(structure, name)
    };
    let own = map.iter().filter(stays).count();
    let properties = structure.into_iter().flat_map(|structure| &structure.properties);
    let added =
        properties.filter(|(name, property)| property.default.is_some() && !map.contains_key(&***name));
    count(own + added.count())
}

/// Returns the number of characters. The API server counts code points.
fn length(text: &str) -> u64 {
    count(text.chars().count())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Enum(values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "enum [{}]", values.join(", "))
            }
            Self::Pattern(pattern) => write!(f, "pattern {pattern}"),
            Self::Format(format) => write!(f, "format {format}"),
            Self::Minimum(least, false) => write!(f, "minimum {}", least.value),
            Self::Minimum(least, true) => write!(f, "exclusiveMinimum {}", least.value),
            Self::Maximum(most, false) => write!(f, "maximum {}", most.value),
            Self::Maximum(most, true) => write!(f, "exclusiveMaximum {}", most.value),
            Self::MultipleOf(factor) => write!(f, "multipleOf {}", factor.value),
            Self::MinLength(least) => write!(f, "minLength {least}"),
            Self::MaxLength(most) => write!(f, "maxLength {most}"),
            Self::MinItems(least) => write!(f, "minItems {least}"),
            Self::MaxItems(most) => write!(f, "maxItems {most}"),
            Self::UniqueItems => f.write_str("uniqueItems"),
            Self::MinProperties(least) => write!(f, "minProperties {least}"),
            Self::MaxProperties(most) => write!(f, "maxProperties {most}"),
            Self::AllOf(_) => f.write_str("allOf"),
            Self::AnyOf(_) => f.write_str("anyOf"),
            Self::OneOf(_) => f.write_str("oneOf"),
            Self::Not(_) => f.write_str("not"),
        }
    }
}
