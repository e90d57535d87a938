//! Where the resources of a recovery stack differ from those of the primary, property by property.
//!
//! The generator describes both sides: the template of the recovery stack, and one of the primary itself in which
//! nothing is translated, left out or renamed. Resources with the same logical id correspond. What may hold a secret
//! (user data, policies, the configuration of add-ons) is never shown: it differs, or it does not.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::Code;
use lifeboat_translate::identity::symbol;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::bindings::Bindings;
use crate::context::Context;
use crate::counterpart::adoptions;
use crate::description::Descriptions;
use crate::facts::{Adoption, RecoveryFacts, Zone};
use crate::finding::Finding;
use crate::stack::{self, Mode, Stack, generate};
use crate::template::{Resource, Template};

/// The properties that hold user data, policies or configuration, which may hold secrets.
const HIDDEN: [&str; 10] = [
    "AssumeRolePolicyDocument",
    "ConfigurationValues",
    "FileSystemPolicy",
    "KeyPolicy",
    "LifecyclePolicy",
    "Policies",
    "Policy",
    "PolicyDocument",
    "RepositoryPolicyText",
    "UserData",
];

/// The properties that name a resource, for resources that have no id of their own.
const NAMES: [&str; 9] = [
    "NodegroupName",
    "FargateProfileName",
    "AddonName",
    "RepositoryName",
    "LaunchTemplateName",
    "PrincipalArn",
    "IdentityProviderConfigName",
    "AliasName",
    "Url",
];

/// Where a resource of a recovery stack differs from the one of the primary that it takes the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceDifference {
    /// The logical id.
    pub resource: String,
    /// The type, such as `AWS::EC2::Subnet`.
    pub r#type: String,
    /// The id, ARN or name in the primary, if the resource has one that is described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The properties that differ, sorted by their paths.
    pub differences: Vec<Difference>,
}

/// A property that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// The path in the properties of the resource (RFC 6901), such as `/VpcConfig/SubnetIds`. Tags are an object.
    pub path: String,
    /// The value in the primary; none if it has none, or if it is hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<Value>,
    /// The value in the recovery stack, with symbols for what stacks build; none if it has none, or if it is hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Value>,
    /// Whether the values are not shown because they may hold secrets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_hidden: bool,
    /// Why they differ.
    pub reason: Reason,
}

/// Why a property differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// It is not kept: CloudFormation or EKS does not let anyone set it, or what it names has no counterpart. A finding
    /// says more.
    NotKept,
    /// EKS no longer offers the version.
    NearestVersion,
    /// The mode of the stack: in standby it holds what costs nothing.
    Mode,
    /// It needs what AWS assigns later (LB-1217).
    BuiltLater,
    /// The delegate may only create it so: roles have a permissions boundary.
    Required,
    /// It names the counterpart in the recovery environment.
    Translated,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotKept => "not kept",
            Self::NearestVersion => "nearest version",
            Self::Mode => "mode",
            Self::BuiltLater => "built later",
            Self::Required => "required",
            Self::Translated => "translated",
        })
    }
}

/// Returns where the resources of a stack differ from those of the primary, sorted by their logical ids. Tags that
/// Lifeboat adds are no difference, and neither are resources that only one side has.
#[must_use]
pub fn differences(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    stack: &Stack,
    mode: Mode,
) -> Vec<ResourceDifference> {
    let (Some(context), _) = Context::new(descriptions, facts, stack) else {
        return Vec::new();
    };
    let generated = generate(descriptions, facts, stack, mode);
    let Some(template) = generated.template else {
        return Vec::new();
    };
    let own = facts_of_primary(descriptions, facts);
    let (primary, _) = stack::build(&Context::of_primary(descriptions, &own, stack), Mode::Active);
    let active = match mode {
        Mode::Active => None,
        Mode::Standby => generate(descriptions, facts, stack, Mode::Active).template,
    };
    let comparison = Comparison {
        bindings: &context.bindings,
        stack,
        template: &template,
        primary: &primary,
        active: active.as_ref(),
        findings: &generated.findings,
        ids: ids(&context.bindings, descriptions, stack),
    };
    let resources = template.resources.iter();
    resources
        .filter_map(|(logical, resource)| comparison.resource(logical, resource))
        .collect()
}

/// Returns the facts of the primary as if it were the recovery environment. What is adopted is built on neither side.
fn facts_of_primary(descriptions: &Descriptions, facts: &RecoveryFacts) -> RecoveryFacts {
    let mut own = RecoveryFacts::new(
        descriptions.account.clone(),
        descriptions.region.clone(),
        facts.application.clone(),
    );
    own.delegate_role.clone_from(&facts.delegate_role);
    own.managed_addons = facts.managed_addons;
    let zones = descriptions.subnets.iter().map(|subnet| Zone {
        name: subnet.availability_zone.clone(),
        id: subnet.availability_zone_id.clone(),
    });
    own.zones = zones.collect::<BTreeSet<Zone>>().into_iter().collect();
    let adopted = adoptions(descriptions, facts).into_values().flatten();
    let mut kept: BTreeSet<String> = adopted.map(|adoption| adoption.from).collect();
    kept.extend(own.zones.iter().map(|zone| zone.name.clone()));
    own.adopted = kept
        .into_iter()
        .map(|id| Adoption::mapped(id.clone(), id))
        .collect();
    own
}

/// Returns the identifiers in the primary by logical id.
fn ids(bindings: &Bindings<'_>, descriptions: &Descriptions, stack: &Stack) -> BTreeMap<String, String> {
    // An output with another name is an attribute: the default security group of a VPC, the issuer of a cluster.
    let made = bindings
        .made
        .iter()
        .filter(|(_, made)| made.stack == *stack && made.output == made.logical);
    let mut ids: BTreeMap<String, String> = made
        .map(|(id, made)| (made.logical.clone(), (*id).to_owned()))
        .collect();
    if let Stack::Cluster(name) = stack {
        let cluster = descriptions.clusters.iter().find(|cluster| cluster.name == *name);
        ids.extend(cluster.map(|cluster| ("Cluster".to_owned(), cluster.arn.clone())));
    }
    ids
}

/// The two sides of a stack.
struct Comparison<'a> {
    bindings: &'a Bindings<'a>,
    stack: &'a Stack,
    template: &'a Template,
    primary: &'a Template,
    /// The template in active mode, if another is compared.
    active: Option<&'a Template>,
    findings: &'a [Finding],
    ids: BTreeMap<String, String>,
}

/// A resource of which properties are compared.
struct Compared<'a> {
    logical: &'a str,
    /// What findings call it.
    names: Vec<&'a str>,
    /// The properties in active mode.
    active: Option<Value>,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn resource(&self, logical: &str, resource: &Resource) -> Option<ResourceDifference> {
        let primary = self.primary.resources.get(logical)?;
        let before = self.properties(self.primary, primary);
        let after = self.properties(self.template, resource);
        let id = self.ids.get(logical).cloned().or_else(|| name(&before));
        let active = self.active.map(|active| match active.resources.get(logical) {
            Some(resource) => self.properties(active, resource),
            None => Value::Null,
        });
        let mut compared = Compared {
            logical,
            names: id
                .as_deref()
                .into_iter()
                .chain(before.get("Name").and_then(Value::as_str))
                .collect(),
            active,
            found: Vec::new(),
        };
        if primary.r#type != resource.r#type {
            compared.found.push(Difference {
                path: "/Type".to_owned(),
                primary: Some(json!(primary.r#type)),
                recovery: Some(json!(resource.r#type)),
                is_hidden: false,
                reason: Reason::Translated,
            });
        }
        self.compare(&mut compared, "", Some(&before), Some(&after));
        let mut differences = compared.found;
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        (!differences.is_empty()).then(|| ResourceDifference {
            resource: logical.to_owned(),
            r#type: resource.r#type.to_owned(),
            primary: id,
            differences,
        })
    }

    fn properties(&self, template: &Template, resource: &Resource) -> Value {
        let properties = resource.properties.iter();
        let rendered = properties.map(|(name, value)| (name.clone(), self.rendered(template, value)));
        Value::Object(rendered.collect())
    }

    /// Returns a value with symbols for references, and lists of keys and values as objects.
    fn rendered(&self, template: &Template, value: &Value) -> Value {
        match value {
            Value::Object(map) => match function(map) {
                Some(("Ref", Value::String(name))) => self.reference(template, name, value),
                Some(("Fn::GetAtt", Value::Array(parts))) => self.attribute(parts, value),
                Some(("Fn::Join", Value::Array(parts))) => {
                    let list = parts.get(1).and_then(Value::as_array).into_iter().flatten();
                    let list: Vec<Value> = list.map(|part| self.rendered(template, part)).collect();
                    let is_plain = parts.first() == Some(&json!("")) && list.iter().all(Value::is_string);
                    if is_plain {
                        json!(list.iter().filter_map(Value::as_str).collect::<String>())
                    } else {
                        json!({ "Fn::Join": [parts.first(), list] })
                    }
                }
                _ => {
                    let map = map
                        .iter()
                        .map(|(key, one)| (key.clone(), self.rendered(template, one)));
                    Value::Object(map.collect())
                }
            },
            Value::Array(list) => {
                let pairs: Option<Map<String, Value>> = list.iter().map(pair).collect();
                match pairs.filter(|pairs| pairs.len() == list.len() && !pairs.is_empty()) {
                    Some(pairs) => self.rendered(template, &Value::Object(pairs)),
                    None => list.iter().map(|one| self.rendered(template, one)).collect(),
                }
            }
            other => other.clone(),
        }
    }

    fn reference(&self, template: &Template, name: &str, value: &Value) -> Value {
        match template.parameters.get(name) {
            Some(parameter) => json!(symbol(&parameter.stack.symbol(), &parameter.output)),
            None => json!(symbol(
                &self.stack.symbol(),
                self.output_of(value).unwrap_or(name)
            )),
        }
    }

    fn attribute(&self, parts: &[Value], value: &Value) -> Value {
        let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
        match self.output_of(value) {
            Some(output) => json!(symbol(&self.stack.symbol(), output)),
            None => json!(symbol(&self.stack.symbol(), &parts.join("."))),
        }
    }

    /// Returns the output of this stack that has a value.
    fn output_of(&self, value: &Value) -> Option<&str> {
        let mut made = self.bindings.made.values();
        let made = made.find(|made| made.stack == *self.stack && made.value == *value)?;
        Some(&made.output)
    }

    fn compare(&self, of: &mut Compared<'_>, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        let is_hidden = HIDDEN.contains(&path.rsplit('/').next().unwrap_or_default());
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) if !is_hidden => {
                let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                for name in names {
                    let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                    self.compare(of, &path, before.get(name), after.get(name));
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after)))
                if !is_hidden
                    && before.len() == after.len()
                    && before.iter().chain(after).all(Value::is_object) =>
            {
                for (position, (before, after)) in before.iter().zip(after).enumerate() {
                    self.compare(of, &format!("{path}/{position}"), Some(before), Some(after));
                }
            }
            _ => {
                let is_hidden = is_hidden || before.into_iter().chain(after).any(holds_hidden);
                let reason = self.reason(of, path, before, after, is_hidden);
                let shown = |value: Option<&Value>| value.filter(|_| !is_hidden).cloned();
                of.found.push(Difference {
                    path: path.to_owned(),
                    primary: shown(before),
                    recovery: shown(after),
                    is_hidden,
                    reason,
                });
            }
        }
    }

    fn reason(
        &self,
        of: &Compared<'_>,
        path: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        is_hidden: bool,
    ) -> Reason {
        let is_found = |code| {
            let mut findings = self.findings.iter().filter(|finding| finding.code == code);
            findings.any(|finding| {
                let mut names = of.names.iter();
                finding.resource == of.logical || names.any(|name| is_named(&finding.resource, name))
            })
        };
        let left_out = || match is_found(Code::BuiltLater) {
            true => Reason::BuiltLater,
            false => Reason::NotKept,
        };
        if of
            .active
            .as_ref()
            .is_some_and(|active| active.pointer(path) != after)
        {
            return Reason::Mode;
        }
        let is_shorter = match (before, after) {
            (Some(Value::Array(before)), Some(Value::Array(after))) => after.len() < before.len(),
            (_, after) => after.is_none(),
        };
        if path == "/PermissionsBoundary" && before.is_none() {
            return Reason::Required;
        }
        let is_version = matches!(path, "/Version" | "/ReleaseVersion");
        if is_version && self.is_other_version() {
            Reason::NearestVersion
        } else if is_version || path == "/AccessConfig/BootstrapClusterCreatorAdminPermissions" {
            Reason::NotKept
        } else if is_shorter || is_hidden && (is_found(Code::BuiltLater) || is_found(Code::PrincipalUnknown))
        {
            left_out()
        } else {
            Reason::Translated
        }
    }

    /// Whether the cluster of the stack gets another version of Kubernetes than it has in the primary.
    fn is_other_version(&self) -> bool {
        let version = |template: &Template| {
            let cluster = template.resources.get("Cluster")?;
            cluster.properties.get("Version").cloned()
        };
        version(self.template) != version(self.primary)
    }
}

/// Whether a finding names a resource: by its id, its name, or its ARN, which ends with one of them.
fn is_named(found: &str, name: &str) -> bool {
    let ends_with = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|rest| rest.ends_with(['/', ':']))
    };
    found == name || ends_with(found, name) || ends_with(name, found)
}

/// Returns the function of CloudFormation that an object is, with its argument.
fn function(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    Some((name.as_str(), argument))
}

/// Returns an object that has a key and a value alone as the two.
fn pair(value: &Value) -> Option<(String, Value)> {
    let map = value.as_object().filter(|map| map.len() == 2)?;
    Some((map.get("Key")?.as_str()?.to_owned(), map.get("Value")?.clone()))
}

/// Whether a part of a value may hold secrets.
fn holds_hidden(value: &Value) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(name, value)| HIDDEN.contains(&name.as_str()) || holds_hidden(value)),
        Value::Array(list) => list.iter().any(holds_hidden),
        _ => false,
    }
}

/// Returns the name of a resource of the primary that has no id of its own.
fn name(properties: &Value) -> Option<String> {
    let text = |name: &str| properties.get(name).and_then(Value::as_str).map(str::to_owned);
    let account = text("Namespace").zip(text("ServiceAccount"));
    let account = account.map(|(namespace, account)| format!("{namespace}/{account}"));
    account.or_else(|| NAMES.iter().find_map(|name| text(name)))
}
