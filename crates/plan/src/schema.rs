//! The schema of a custom resource, and the rules of it that an object breaks.
//!
//! An API server checks a new custom resource against the schema of its version, after it has removed nulls and added
//! defaults (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation>).
//! The schema is OpenAPI 3.0 with extensions and not JSON Schema: `nullable`, `x-kubernetes-int-or-string`, patterns in
//! the syntax of RE2, formats of its own. Rules in CEL (`x-kubernetes-validations`) are not evaluated.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_translate::pointer;
use serde_json::Value;

mod check;
mod format;
mod pattern;
#[cfg(test)]
mod tests;

use format::Format;
use pattern::Pattern;

/// A rule that an object breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// A JSON pointer, in which `*` stands for any element of a list and any key of a map. It contains no value.
    pub(crate) path: String,
    /// The rule as it is in the schema.
    pub(crate) rule: String,
}

/// A schema, or a part of one.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    types: Types,
    nullable: bool,
    default: Option<Value>,
    /// Whether values are whole objects of Kubernetes.
    embedded: bool,
    list: List,
    properties: BTreeMap<Box<str>, Schema>,
    additional: Option<Box<Schema>>,
    items: Option<Box<Schema>>,
    required: Box<[Box<str>]>,
    rules: Box<[Rule]>,
}

/// The types that a schema allows; none means all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Types(u8);

/// The names of types, by their bit in [`Types`].
const TYPE_NAMES: [&str; 6] = ["object", "array", "string", "number", "integer", "boolean"];

/// The extension of a list.
#[derive(Debug, Default)]
enum List {
    #[default]
    Any,
    Set,
    /// With the names of its keys.
    Map(Box<[Box<str>]>),
}

/// A keyword that rejects values.
#[derive(Debug)]
enum Rule {
    Enum(Box<[Value]>),
    Pattern(Pattern),
    Format(Format),
    Minimum(Number, Exclusive),
    Maximum(Number, Exclusive),
    MultipleOf(Number),
    MinLength(u64),
    MaxLength(u64),
    MinItems(u64),
    MaxItems(u64),
    UniqueItems,
    MinProperties(u64),
    MaxProperties(u64),
    AllOf(Box<[Schema]>),
    AnyOf(Box<[Schema]>),
    OneOf(Box<[Schema]>),
    Not(Box<Schema>),
}

/// Whether a limit itself is rejected.
type Exclusive = bool;

/// The number of a rule.
#[derive(Debug, Clone, Copy)]
struct Number {
    value: f64,
    /// Whether `integer` is the only type of the schema.
    of_integers: bool,
}

impl Types {
    fn of(schema: &Value) -> Self {
        if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
            return Self::named("integer").or(Self::named("string"));
        }
        schema
            .get("type")
            .and_then(Value::as_str)
            .map_or(Self(0), Self::named)
    }

    fn named(name: &str) -> Self {
        Self(
            TYPE_NAMES
                .iter()
                .position(|known| *known == name)
                .map_or(0, |bit| 1 << bit),
        )
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, name: &str) -> bool {
        self.0 & Self::named(name).0 != 0
    }

    fn is_any(self) -> bool {
        self.0 == 0
    }

    fn names(self) -> String {
        let names: Vec<&str> = TYPE_NAMES.into_iter().filter(|name| self.has(name)).collect();
        names.join(" or ")
    }
}

impl Schema {
    /// Compiles a schema as it is in a CustomResourceDefinition.
    pub(crate) fn compile(schema: &Value) -> Self {
        let types = Types::of(schema);
        let one = |keyword| schema.get(keyword).map(|schema| Box::new(Self::compile(schema)));
        let is_true = |keyword| schema.get(keyword) == Some(&Value::Bool(true));
        let properties = schema.get("properties").and_then(Value::as_object);
        Self {
            types,
            nullable: is_true("nullable"),
            default: schema
                .get("default")
                .filter(|default| !default.is_null())
                .cloned(),
            embedded: is_true("x-kubernetes-embedded-resource"),
            list: match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
                Some("set") => List::Set,
                Some("map") => List::Map(texts(schema, "/x-kubernetes-list-map-keys")),
                _ => List::Any,
            },
            properties: (properties.into_iter().flatten())
                .map(|(name, schema)| (name.as_str().into(), Self::compile(schema)))
                .collect(),
            additional: one("additionalProperties"),
            items: one("items"),
            required: texts(schema, "/required"),
            rules: rules(schema, types),
        }
    }

    /// Returns the rules that a new object breaks, each once for every place in the schema.
    pub(crate) fn violations(&self, object: &Value) -> BTreeSet<Violation> {
        check::violations(self, object)
    }

    /// Returns the schema of a field of an object.
    fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.additional.as_deref())
    }
}

fn texts(schema: &Value, path: &str) -> Box<[Box<str>]> {
    pointer::list(schema, path)
        .filter_map(|text| Some(text.as_str()?.into()))
        .collect()
}

/// Returns the keywords of a schema that reject values, other than types and required fields.
fn rules(schema: &Value, types: Types) -> Box<[Rule]> {
    let text = |keyword| schema.get(keyword).and_then(Value::as_str);
    let of_integers = types == Types::named("integer");
    let number = |keyword| {
        let value = schema.get(keyword).and_then(Value::as_f64)?;
        Some(Number { value, of_integers })
    };
    let is_true = |keyword| schema.get(keyword) == Some(&Value::Bool(true));
    let size = |keyword| schema.get(keyword).and_then(Value::as_u64);
    let several = |keyword| -> Option<Box<[Schema]>> {
        let schemas = schema.get(keyword)?.as_array()?;
        (!schemas.is_empty()).then(|| schemas.iter().map(Schema::compile).collect())
    };
    let values = schema.get("enum").and_then(Value::as_array);
    let values = values.filter(|values| !values.is_empty());
    let not = schema.get("not").map(|schema| Box::new(Schema::compile(schema)));
    let found = [
        values.map(|values| Rule::Enum(values.clone().into())),
        text("pattern").map(|pattern| Rule::Pattern(Pattern::new(pattern))),
        text("format")
            .and_then(|format| Format::of(format, types))
            .map(Rule::Format),
        number("minimum").map(|least| Rule::Minimum(least, is_true("exclusiveMinimum"))),
        number("maximum").map(|most| Rule::Maximum(most, is_true("exclusiveMaximum"))),
        number("multipleOf").map(Rule::MultipleOf),
        size("minLength").map(Rule::MinLength),
        size("maxLength").map(Rule::MaxLength),
        size("minItems").map(Rule::MinItems),
        size("maxItems").map(Rule::MaxItems),
        is_true("uniqueItems").then_some(Rule::UniqueItems),
        size("minProperties").map(Rule::MinProperties),
        size("maxProperties").map(Rule::MaxProperties),
        several("allOf").map(Rule::AllOf),
        several("anyOf").map(Rule::AnyOf),
        several("oneOf").map(Rule::OneOf),
        not.map(Rule::Not),
    ];
    found.into_iter().flatten().collect()
}

/// Keywords that no check needs and that are most of a large definition.
const TEXTS: [&str; 5] = [
    "description",
    "title",
    "example",
    "externalDocs",
    "x-kubernetes-validations",
];

/// Removes from a schema what [`Schema::compile`] does not read. Definitions may be large.
pub(crate) fn trim(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for text in TEXTS {
        map.remove(text);
    }
    for keyword in ["additionalProperties", "items", "not"] {
        map.get_mut(keyword).map(trim);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let schemas = map.get_mut(keyword).and_then(Value::as_array_mut);
        schemas.into_iter().flatten().for_each(trim);
    }
    let properties = map.get_mut("properties").and_then(Value::as_object_mut);
    for (_, property) in properties.into_iter().flatten() {
        trim(property);
    }
}
