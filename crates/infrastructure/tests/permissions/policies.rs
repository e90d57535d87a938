//! The policies of the stacks `application` and `rebuild`, with the values of their parameters put in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// The template of the role of the delegate and of the permissions boundary.
const ROLE: &str = include_str!("../../../../cloudformation/application.yaml");
/// The template of the policies with which the delegate builds.
const POLICIES: &str = include_str!("../../../../cloudformation/rebuild.yaml");

/// The account and the Region of the recovery environment.
pub(crate) const ACCOUNT: &str = "222222222222";
pub(crate) const REGION: &str = "eu-central-1";
/// The application, and another one whose name begins with the same text.
pub(crate) const APPLICATION: &str = "shop";
pub(crate) const OTHER: &str = "shop-eu";
/// The permissions boundary that the stack creates.
pub(crate) const BOUNDARY: &str = "arn:aws:iam::222222222222:policy/LifeboatBuiltRoles-shop-eu-central-1";
/// The key that the access stack of the recovery side exports.
pub(crate) const RECOVERY_KEY: &str =
    "arn:aws:kms:eu-central-1:222222222222:key/0b9d3ad5-0000-4000-8000-000000000001";

/// The managed policies that let the delegate build.
pub(crate) const BUILDING: [&str; 4] = [
    "BuildNetworkPolicy",
    "BuildClustersPolicy",
    "BuildRolesPolicy",
    "BuildStoragePolicy",
];

/// The templates of the recovery side of an application that is rebuilt, as one.
pub(crate) struct Stack {
    root: Value,
    parameters: BTreeMap<String, String>,
}

/// Adds the parameters, conditions and resources of another template. What both have is the same in both.
fn add(root: &mut Value, other: &Value) {
    for section in ["Parameters", "Conditions", "Resources"] {
        for (name, value) in other[section].as_object().unwrap() {
            let same = ["Type", "Default", "AllowedPattern"];
            let known = &root[section][name];
            match section {
                _ if known.is_null() => root[section][name] = value.clone(),
                "Parameters" => assert!(same.iter().all(|key| known[key] == value[key]), "{name}"),
                _ => assert_eq!(known, value, "{name}"),
            }
        }
    }
}

/// Returns the resource that a template exports under this name.
fn exported(root: &Value, name: &str) -> Option<Value> {
    let mut outputs = root["Outputs"].as_object()?.values();
    let output = outputs.find(|output| output["Export"]["Name"]["Fn::Sub"] == name)?;
    Some(output["Value"]["Ref"].clone())
}

impl Stack {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// Returns the templates with parameters that are not the default.
    pub(crate) fn with(given: &[(&str, &str)]) -> Self {
        let mut root = plain(serde_yaml_ng::from_str(ROLE).unwrap());
        add(&mut root, &plain(serde_yaml_ng::from_str(POLICIES).unwrap()));
        let defaults = root["Parameters"].as_object().unwrap().iter();
        let mut parameters: BTreeMap<String, String> = defaults
            .filter_map(|(name, parameter)| Some((name.clone(), parameter.get("Default")?.to_string())))
            .map(|(name, value)| (name, value.trim_matches('"').to_owned()))
            .collect();
        for (name, value) in [
            ("Application", APPLICATION),
            ("Side", "recovery"),
            ("RebuildInfrastructure", "true"),
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Partition", "aws"),
            ("AWS::Region", REGION),
            ("AWS::URLSuffix", "amazonaws.com"),
            ("BuiltRolesBoundary", BOUNDARY),
        ]
        .iter()
        .chain(given)
        {
            parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        Self { root, parameters }
    }

    /// Returns the document of a managed policy; `None` if its condition does not hold.
    pub(crate) fn managed(&self, name: &str) -> Option<Value> {
        let resource = &self.root["Resources"][name];
        self.holds(&resource["Condition"])
            .then(|| self.resolved(&resource["Properties"]["PolicyDocument"]))
    }

    /// Returns the policies with which the delegate builds.
    pub(crate) fn building(&self) -> Vec<Value> {
        BUILDING.iter().map(|name| self.managed(name).unwrap()).collect()
    }

    /// Returns every policy of the role of the delegate.
    pub(crate) fn delegate(&self) -> Vec<Value> {
        let role = &self.root["Resources"]["RecoveryRole"]["Properties"];
        assert_eq!(role["ManagedPolicyArns"]["Fn::If"][0], "RebuildsInfrastructure");
        let attached = many(&role["ManagedPolicyArns"]["Fn::If"][1]).into_iter();
        let policies = plain(serde_yaml_ng::from_str(POLICIES).unwrap());
        let attached =
            attached.map(|import| exported(&policies, text(&import["Fn::ImportValue"]["Fn::Sub"])));
        assert!(attached.eq(BUILDING.map(|name| Some(json!(name)))));
        let role = self.resolved(role);
        let inline = many(&role["Policies"]).into_iter();
        let inline = inline.map(|policy| policy["PolicyDocument"].clone());
        self.building().into_iter().chain(inline).collect()
    }

    pub(crate) fn boundary(&self) -> Value {
        self.managed("BuiltRolesBoundary").unwrap()
    }

    fn holds(&self, condition: &Value) -> bool {
        let function = match condition {
            Value::Null => return true,
            Value::String(name) => return self.holds(&self.root["Conditions"][name]),
            Value::Object(map) => map.iter().next(),
            _ => None,
        };
        let (function, arguments) = function.unwrap();
        match function.as_str() {
            "Fn::Equals" => self.resolved(&arguments[0]) == self.resolved(&arguments[1]),
            "Fn::Not" => !self.holds(&arguments[0]),
            "Fn::And" => many(arguments).into_iter().all(|one| self.holds(one)),
            "Fn::Condition" => self.holds(arguments),
            other => panic!("the condition {other} is not evaluated"),
        }
    }

    /// Returns a value with the functions of CloudFormation evaluated. `null` stands for `AWS::NoValue`.
    fn resolved(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.resolved(item));
                items.filter(|item| !item.is_null()).collect()
            }
            Value::Object(fields) => {
                if let Some((function, arguments)) = fields.iter().next()
                    && let Some(result) = self.called(function, arguments)
                {
                    return result;
                }
                let fields = fields.iter();
                let fields = fields.map(|(name, field)| (name.clone(), self.resolved(field)));
                Value::Object(
                    fields
                        .filter(|(_, field)| !field.is_null())
                        .collect::<Map<_, _>>(),
                )
            }
            other => other.clone(),
        }
    }

    fn called(&self, function: &str, arguments: &Value) -> Option<Value> {
        Some(match function {
            "Ref" => match self.parameters.get(text(arguments)) {
                Some(value) => json!(value),
                None if arguments == "AWS::NoValue" => Value::Null,
                None => json!(format!("ref-{}", text(arguments))),
            },
            "Fn::Sub" => match arguments {
                Value::String(pattern) => json!(self.substituted(pattern, &Value::Null)),
                _ => json!(self.substituted(text(&arguments[0]), &self.resolved(&arguments[1]))),
            },
            "Fn::If" => match self.holds(&arguments[0]) {
                true => self.resolved(&arguments[1]),
                false => self.resolved(&arguments[2]),
            },
            "Fn::Split" => {
                let whole = self.resolved(&arguments[1]);
                text(&whole).split(text(&arguments[0])).collect()
            }
            "Fn::GetAtt" => json!(format!("arn:aws:attribute:::{}", text(arguments))),
            "Fn::ImportValue" => match text(&self.resolved(arguments)) {
                "lifeboat-recovery-key" => json!(RECOVERY_KEY),
                "lifeboat-recovery-control-account" => json!(ACCOUNT),
                "lifeboat-recovery-control-region" => json!(REGION),
                // The policies are taken from their template.
                name if name.starts_with("lifeboat-rebuild-") => json!(name),
                other => panic!("the value {other} is not exported"),
            },
            _ => return None,
        })
    }

    fn substituted(&self, pattern: &str, own: &Value) -> String {
        let mut parts = pattern.split("${");
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            match own.get(name) {
                Some(value) => out.push_str(text(value)),
                None => out.push_str(&self.parameters[name]),
            }
            out.push_str(rest);
        }
        out
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
            json!({ name: plain(tagged.value) })
        }
        Yaml::Sequence(items) => items.into_iter().map(plain).collect(),
        Yaml::Mapping(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(key, value)| (key.as_str().unwrap().to_owned(), plain(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Yaml::String(text) => Value::String(text),
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => serde_json::from_str(&number.to_string()).unwrap(),
        Yaml::Null => Value::Null,
    }
}

/// Returns the items of an element that is one item or a list of them.
pub(crate) fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, and not {value}"))
}
