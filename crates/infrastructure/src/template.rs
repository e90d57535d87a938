//! CloudFormation templates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::stack::Stack;

mod limits;

pub(crate) use limits::check;

/// A template of one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// What the stack is, for people.
    pub description: String,
    /// The parameters, by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// The resources, by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// The outputs, by name.
    pub outputs: BTreeMap<String, Value>,
}

/// A parameter: the output of another stack of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The type, as CloudFormation names it.
    pub r#type: &'static str,
    /// The stack whose output is the value.
    pub stack: Stack,
    /// The name of the output.
    pub output: String,
}

/// A resource of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The type, such as `AWS::EC2::Subnet`.
    pub r#type: &'static str,
    /// The properties.
    pub properties: Map<String, Value>,
    /// The resources that must exist before, as far as no property refers to them.
    pub depends_on: BTreeSet<String>,
    /// Whether it is kept when the stack no longer has it, because data would be lost.
    pub is_retained: bool,
}

impl Resource {
    pub(crate) fn new(r#type: &'static str) -> Self {
        Self {
            r#type,
            properties: Map::new(),
            depends_on: BTreeSet::new(),
            is_retained: false,
        }
    }

    /// Sets a property. `null` and empty lists and objects are left out.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let is_empty = match &value {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.properties.insert(name.to_owned(), value);
        }
        self
    }

    pub(crate) fn after(mut self, logical: impl Into<String>) -> Self {
        self.depends_on.insert(logical.into());
        self
    }

    pub(crate) fn retained(mut self) -> Self {
        self.is_retained = true;
        self
    }

    fn json(&self) -> Value {
        let mut out = json!({ "Type": self.r#type });
        if !self.properties.is_empty() {
            out["Properties"] = Value::Object(self.properties.clone());
        }
        if !self.depends_on.is_empty() {
            out["DependsOn"] = json!(self.depends_on);
        }
        if self.is_retained {
            out["DeletionPolicy"] = json!("Retain");
            out["UpdateReplacePolicy"] = json!("Retain");
        }
        out
    }
}

impl Template {
    pub(crate) fn new(description: String) -> Self {
        Self {
            description,
            parameters: BTreeMap::new(),
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// Returns the template as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let parameters = self.parameters.iter().map(|(name, parameter)| {
            let description = format!(
                "The output {} of the stack {}",
                parameter.output,
                parameter.stack.symbol()
            );
            (
                name.clone(),
                json!({"Type": parameter.r#type, "Description": description}),
            )
        });
        let resources = self
            .resources
            .iter()
            .map(|(name, resource)| (name.clone(), resource.json()));
        let outputs = self
            .outputs
            .iter()
            .map(|(name, value)| (name.clone(), json!({ "Value": value })));
        let mut out = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.description,
            "Resources": resources.collect::<Map<_, _>>(),
        });
        let parts: [(&str, Map<String, Value>); 2] = [
            ("Parameters", parameters.collect()),
            ("Outputs", outputs.collect()),
        ];
        for (name, part) in parts {
            if !part.is_empty() {
                out[name] = Value::Object(part);
            }
        }
        out
    }

    /// Returns the text that is sent to CloudFormation. The same template has the same bytes.
    #[must_use]
    pub fn body(&self) -> String {
        self.json().to_string()
    }
}

/// Returns a reference to a resource or parameter.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

/// Returns a reference to an attribute of a resource.
pub(crate) fn attribute(name: &str, attribute: &str) -> Value {
    json!({ "Fn::GetAtt": [name, attribute] })
}

/// Returns a value with the keys of its objects as CloudFormation spells them: `maxSize` as `MaxSize`.
pub(crate) fn pascal_keys(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let renamed = map.into_iter().map(|(key, value)| {
                let mut letters = key.chars();
                let first = letters.next().map(|first| first.to_ascii_uppercase());
                (
                    first.into_iter().chain(letters).collect::<String>(),
                    pascal_keys(value),
                )
            });
            Value::Object(renamed.collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(pascal_keys).collect()),
        other => other,
    }
}
