//! A minimal reader of CloudFormation templates.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;

use super::clusters::{FollowUp, StackCluster, completion};
use super::networks::Attachment;
use crate::aws::gateway::wire::encode;

/// A default retention of Object Lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub(super) mode: String,
    /// The period in days.
    pub(super) days: String,
}

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
        self.of_type("AWS::Lambda::Function")
            .filter_map(|(_, function)| {
                let properties = &function["Properties"];
                let name = self.text(&properties["FunctionName"], given, region)?;
                let memory = self.text(&properties["MemorySize"], given, region)?;
                Some((name, memory.parse().ok()?))
            })
            .collect()
    }

    /// Returns what each function that is attached to a VPC is attached to, by the function's name.
    pub(super) fn attachments(
        &self,
        given: &BTreeMap<String, String>,
        region: &str,
    ) -> BTreeMap<String, Attachment> {
        self.of_type("AWS::Lambda::Function")
            .filter_map(|(_, function)| {
                let properties = &function["Properties"];
                let name = self.text(&properties["FunctionName"], given, region)?;
                let network = &properties["VpcConfig"];
                let attachment = Attachment {
                    subnets: self.texts(&network["SubnetIds"], given, region)?,
                    groups: self.texts(&network["SecurityGroupIds"], given, region)?,
                };
                Some((name, attachment))
            })
            .collect()
    }

    /// Returns the texts of a list, or of a parameter of the type List.
    fn texts(&self, list: &Value, given: &BTreeMap<String, String>, region: &str) -> Option<Vec<String>> {
        match list {
            Value::Sequence(items) => (items.iter())
                .map(|item| self.text(item, given, region))
                .collect(),
            list => Some(
                (self.text(list, given, region)?.split(','))
                    .map(str::to_owned)
                    .collect(),
            ),
        }
    }

    /// Returns the EKS clusters.
    pub(super) fn clusters(&self, given: &BTreeMap<String, String>, region: &str) -> Vec<StackCluster> {
        self.named_clusters(given, region)
            .map(|(resource, name, properties)| StackCluster {
                resource,
                name,
                request: super::clusters::request(&properties),
                ..StackCluster::default()
            })
            .collect()
    }

    /// Returns the logical ids, names and properties of the EKS clusters.
    fn named_clusters(
        &self,
        given: &BTreeMap<String, String>,
        region: &str,
    ) -> impl Iterator<Item = (String, String, serde_json::Value)> {
        self.of_type("AWS::EKS::Cluster")
            .filter_map(move |(logical, resource)| {
                let properties = &resource["Properties"];
                let name = self.text(&properties["Name"], given, region)?;
                Some((
                    logical,
                    name,
                    serde_json::to_value(properties).unwrap_or_default(),
                ))
            })
    }

    /// Returns the calls that complete the clusters, and those that associate the access policies of the access
    /// entries.
    pub(super) fn follow_ups(&self, given: &BTreeMap<String, String>, region: &str) -> Vec<FollowUp> {
        let mut found: Vec<FollowUp> = self
            .named_clusters(given, region)
            .filter_map(|(_, name, properties)| completion(&name, &properties))
            .collect();
        for (_, entry) in self.created("AWS::EKS::AccessEntry", given, region) {
            let properties = &entry["Properties"];
            let named = properties["ClusterName"]["Ref"].as_str();
            let cluster = match named {
                Some(logical) => &self.0["Resources"][logical]["Properties"]["Name"],
                None => &properties["ClusterName"],
            };
            let (Some(cluster), Some(principal)) = (
                self.text(cluster, given, region),
                self.text(&properties["PrincipalArn"], given, region),
            ) else {
                continue;
            };
            for policy in properties["AccessPolicies"].as_sequence().into_iter().flatten() {
                let scope = &policy["AccessScope"];
                let namespaces = serde_json::to_value(&scope["Namespaces"]).unwrap_or_default();
                found.push(FollowUp {
                    path: format!(
                        "/clusters/{}/access-entries/{}/access-policies",
                        encode(&cluster),
                        encode(&principal)
                    ),
                    request: serde_json::json!({
                        "policyArn": self.text(&policy["PolicyArn"], given, region),
                        "accessScope": { "type": scope["Type"].as_str(), "namespaces": namespaces },
                    }),
                });
            }
        }
        found
    }

    /// Returns the default retention of each bucket with Object Lock, by the name of the bucket.
    pub(super) fn locks(
        &self,
        given: &BTreeMap<String, String>,
        region: &str,
    ) -> BTreeMap<String, Retention> {
        self.created("AWS::S3::Bucket", given, region)
            .filter_map(|(_, bucket)| {
                let properties = &bucket["Properties"];
                let configuration = self.chosen(&properties["ObjectLockConfiguration"], given, region);
                let retention = &configuration["Rule"]["DefaultRetention"];
                let name = self.text(&properties["BucketName"], given, region)?;
                let mode = self.text(&retention["Mode"], given, region)?;
                let days = self.text(&retention["Days"], given, region)?;
                Some((name, Retention { mode, days }))
            })
            .collect()
    }

    /// Returns the value that `Fn::If` chooses; any other value as it is.
    fn chosen<'a>(&self, value: &'a Value, given: &BTreeMap<String, String>, region: &str) -> &'a Value {
        let Some(("If", argument)) = function(value) else {
            return value;
        };
        let is_met = argument[0]
            .as_str()
            .is_some_and(|name| self.is_met(name, given, region));
        self.chosen(&argument[if is_met { 1 } else { 2 }], given, region)
    }

    /// Returns whether the condition of this name is met.
    fn is_met(&self, name: &str, given: &BTreeMap<String, String>, region: &str) -> bool {
        self.is_true(&self.0["Conditions"][name], given, region)
    }

    fn is_true(&self, value: &Value, given: &BTreeMap<String, String>, region: &str) -> bool {
        let Some((name, argument)) = function(value) else {
            return false;
        };
        let mut items = argument.as_sequence().into_iter().flatten();
        match name {
            "Condition" => argument
                .as_str()
                .is_some_and(|name| self.is_met(name, given, region)),
            "Not" => !items.any(|item| self.is_true(item, given, region)),
            "And" => items.all(|item| self.is_true(item, given, region)),
            "Or" => items.any(|item| self.is_true(item, given, region)),
            "Equals" => self.text(&argument[0], given, region) == self.text(&argument[1], given, region),
            _ => false,
        }
    }

    fn resources(&self) -> impl Iterator<Item = (String, &Value)> {
        let resources = self.0["Resources"].as_mapping().into_iter().flatten();
        resources.filter_map(|(name, resource)| Some((name.as_str()?.to_owned(), resource)))
    }

    fn of_type(&self, kind: &'static str) -> impl Iterator<Item = (String, &Value)> {
        self.resources()
            .filter(move |(_, resource)| resource["Type"] == kind)
    }

    /// Returns the resources of a type whose condition is met.
    fn created<'a>(
        &'a self,
        kind: &'static str,
        given: &BTreeMap<String, String>,
        region: &str,
    ) -> impl Iterator<Item = (String, &'a Value)> {
        self.of_type(kind).filter(move |(_, resource)| {
            let condition = resource["Condition"].as_str();
            condition.is_none_or(|name| self.is_met(name, given, region))
        })
    }

    /// Resolves a scalar, a reference to a parameter or a role, a choice, or a string with such references.
    fn text(&self, value: &Value, given: &BTreeMap<String, String>, region: &str) -> Option<String> {
        let value = self.chosen(value, given, region);
        match value {
            Value::String(text) => return Some(text.clone()),
            Value::Number(number) => return Some(number.to_string()),
            _ => {}
        }
        let (function, argument) = function(value)?;
        if function == "GetAtt" {
            return self.role_arn(argument, given, region);
        }
        match function {
            "Ref" => self.parameter(argument.as_str()?, given, region),
            "Sub" => {
                let (pattern, own) = match argument {
                    Value::Sequence(_) => (&argument[0], &argument[1]),
                    pattern => (pattern, &Value::Null),
                };
                let mut parts = pattern.as_str()?.split("${");
                let mut text = parts.next()?.to_owned();
                for part in parts {
                    let (name, rest) = part.split_once('}')?;
                    let named = match &own[name] {
                        Value::Null => self.parameter(name, given, region),
                        own => self.text(own, given, region),
                    };
                    text.push_str(&named?);
                    text.push_str(rest);
                }
                Some(text)
            }
            _ => None,
        }
    }

    /// Returns the ARN of a role of this template; of other attributes nothing is known.
    fn role_arn(&self, argument: &Value, given: &BTreeMap<String, String>, region: &str) -> Option<String> {
        let logical = match argument {
            Value::String(path) => path.strip_suffix(".Arn")?,
            parts => {
                let is_arn = parts[1].as_str() == Some("Arn");
                parts[0].as_str().filter(|_| is_arn)?
            }
        };
        let role = &self.0["Resources"][logical];
        let properties = &role["Properties"];
        if role["Type"] != "AWS::IAM::Role" {
            return None;
        }
        let path = match &properties["Path"] {
            Value::Null => "/".to_owned(),
            path => self.text(path, given, region)?,
        };
        let name = self.text(&properties["RoleName"], given, region)?;
        let account = given.get("AWS::AccountId")?;
        Some(format!("arn:aws:iam::{account}:role{path}{name}"))
    }

    fn parameter(&self, name: &str, given: &BTreeMap<String, String>, region: &str) -> Option<String> {
        match name {
            "AWS::Region" => return Some(region.to_owned()),
            "AWS::Partition" => return Some("aws".to_owned()),
            _ => {}
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

/// Returns the name of an intrinsic function without `Fn::`, and its argument; nothing for any other value.
fn function(value: &Value) -> Option<(&str, &Value)> {
    match value {
        Value::Tagged(tagged) => {
            // A tag begins with `!` when it is shown.
            let name = NAMES.iter().find(|name| tagged.tag == format!("!{name}"))?;
            Some((*name, &tagged.value))
        }
        Value::Mapping(fields) => {
            let (name, argument) = fields.iter().next()?;
            Some((name.as_str()?.trim_start_matches("Fn::"), argument))
        }
        _ => None,
    }
}

/// The functions that are read here.
const NAMES: &[&str] = &[
    "Ref",
    "GetAtt",
    "Sub",
    "If",
    "Condition",
    "Not",
    "And",
    "Or",
    "Equals",
];
