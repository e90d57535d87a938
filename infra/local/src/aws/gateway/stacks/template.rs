//! A minimal reader of CloudFormation templates.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;

/// A CloudFormation template, in YAML or JSON.
pub(super) struct Template(Value);

impl Template {
    /// Parses a template. A text that is not a template has no resources.
    pub(super) fn parse(text: &str) -> Self {
        Self(serde_yaml_ng::from_str(text).unwrap_or(Value::Null))
    }

    /// Returns the logical ids of the custom resources.
    pub(super) fn custom_resources(&self) -> Vec<String> {
        self.resources()
            .filter(|(_, resource)| {
                let kind = resource["Type"].as_str().unwrap_or_default();
                kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource"
            })
            .map(|(name, _)| name)
            .collect()
    }

    /// Returns the memory size of each function that sets it, by the function's name.
    pub(super) fn memory(&self, given: &BTreeMap<String, String>, region: &str) -> BTreeMap<String, u64> {
        let functions = self
            .resources()
            .filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Function");
        functions
            .filter_map(|(_, function)| {
                let properties = &function["Properties"];
                let name = self.text(&properties["FunctionName"], given, region)?;
                let memory = self.text(&properties["MemorySize"], given, region)?;
                Some((name, memory.parse().ok()?))
            })
            .collect()
    }

    fn resources(&self) -> impl Iterator<Item = (String, &Value)> {
        let resources = self.0["Resources"].as_mapping().into_iter().flatten();
        resources.filter_map(|(name, resource)| Some((name.as_str()?.to_owned(), resource)))
    }

    /// Resolves a scalar, a reference to a parameter, or a string with such references.
    fn text(&self, value: &Value, given: &BTreeMap<String, String>, region: &str) -> Option<String> {
        let (function, argument) = match value {
            Value::String(text) => return Some(text.clone()),
            Value::Number(number) => return Some(number.to_string()),
            Value::Tagged(tagged) => (tagged.tag.to_string(), &tagged.value),
            Value::Mapping(fields) => {
                let (name, argument) = fields.iter().next()?;
                (name.as_str()?.to_owned(), argument)
            }
            _ => return None,
        };
        let argument = argument.as_str()?;
        match function.trim_start_matches('!').trim_start_matches("Fn::") {
            "Ref" => self.parameter(argument, given, region),
            "Sub" => {
                let mut parts = argument.split("${");
                let mut text = parts.next()?.to_owned();
                for part in parts {
                    let (name, rest) = part.split_once('}')?;
                    text.push_str(&self.parameter(name, given, region)?);
                    text.push_str(rest);
                }
                Some(text)
            }
            _ => None,
        }
    }

    fn parameter(&self, name: &str, given: &BTreeMap<String, String>, region: &str) -> Option<String> {
        if name == "AWS::Region" {
            return Some(region.to_owned());
        }
        match given.get(name) {
            Some(value) => Some(value.clone()),
            None => match &self.0["Parameters"][name]["Default"] {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}
