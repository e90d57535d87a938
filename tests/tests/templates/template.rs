//! A template as a tree without CloudFormation's short forms: `!Sub x` becomes `{"Fn::Sub": x}`.

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// One template.
pub(crate) struct Template {
    /// The file name without its extension.
    pub(crate) name: String,
    /// The text, for rules about comments.
    pub(crate) text: String,
    /// The content as a tree.
    pub(crate) root: Value,
}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let yaml: Yaml = serde_yaml_ng::from_str(text).unwrap();
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            root: plain(yaml),
        }
    }

    /// Iterates over the resources with their names.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.root["Resources"].as_object().into_iter().flatten();
        resources.map(|(name, resource)| (name.as_str(), resource))
    }

    /// Iterates over the resources of one type.
    pub(crate) fn of_type<'a>(&'a self, r#type: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.resources()
            .filter(move |(_, resource)| resource["Type"] == r#type)
    }

    /// Returns every statement of every policy, with the name of its resource.
    pub(crate) fn statements(&self) -> Vec<(&str, &Value)> {
        let mut found = Vec::new();
        for (name, resource) in self.resources() {
            gather(&resource["Properties"], &mut |statement| {
                found.push((name, statement))
            });
        }
        found
    }
}

fn gather<'a>(value: &'a Value, found: &mut impl FnMut(&'a Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "Statement" {
                    value.as_array().into_iter().flatten().for_each(&mut *found);
                } else {
                    gather(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}

/// Returns the items of a value that may be one item or a list.
pub(crate) fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn plain(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = match tag.trim_start_matches('!') {
                "Ref" => "Ref".to_owned(),
                other => format!("Fn::{other}"),
            };
            json!({name: plain(tagged.value)})
        }
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(plain).collect()),
        Yaml::Mapping(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), plain(value)))
                .collect::<Map<_, _>>(),
        ),
        Yaml::String(text) => Value::String(text),
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => json!(number.as_f64()),
        Yaml::Null => Value::Null,
    }
}
