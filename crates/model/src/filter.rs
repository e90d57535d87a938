//! Filters by namespace, type and label: which objects a backup reads or a restore selects.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A type as kubectl accepts it: `deployments`, `deploy`, `Deployment`, `deployments.apps`. It is resolved against
/// the types of a cluster or a recovery point; one that resolves to no type is an error, not an empty result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TypeSelector(pub String);

impl TypeSelector {
    /// Whether the selector names this type. The comparison ignores case, as kubectl does.
    #[must_use]
    pub fn matches(&self, group: &str, resource: &str, singular: &str, kind: &str, short: &[String]) -> bool {
        let wanted = self.0.to_ascii_lowercase();
        let (name, wanted_group) = wanted
            .split_once('.')
            .map_or((wanted.as_str(), None), |(name, group)| (name, Some(group)));
        let name_fits = name == resource
            || name == singular
            || name == kind.to_ascii_lowercase()
            || short.iter().any(|s| s == name);
        name_fits && wanted_group.is_none_or(|wanted| wanted == group)
    }
}

impl fmt::Display for TypeSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One requirement of a label selector; all requirements of a selector must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    /// The key of the label.
    pub key: String,
    /// How the value is compared.
    pub operator: LabelOperator,
    /// The values; empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// The operators of Kubernetes' label selectors
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// `key=value` or `key in (a,b)`.
    In,
    /// `key!=value` or `key notin (a,b)`; also true if the object does not have the label.
    NotIn,
    /// `key`: the object has the label.
    Exists,
    /// `!key`: the object does not have the label.
    DoesNotExist,
}

/// A label selector in the syntax of `kubectl -l`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct LabelSelector {
    requirements: Vec<LabelRequirement>,
}

/// The error for a label selector that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("label selector {given:?} is not valid at {part:?}")]
pub struct InvalidSelector {
    /// The whole selector, as given.
    pub given: String,
    /// The part that is not a valid requirement.
    pub part: String,
}

impl LabelSelector {
    /// Whether `labels` satisfies every requirement. An empty selector matches every object.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match requirement.operator {
                LabelOperator::In => value.is_some_and(|v| requirement.values.contains(v)),
                LabelOperator::NotIn => value.is_none_or(|v| !requirement.values.contains(v)),
                LabelOperator::Exists => value.is_some(),
                LabelOperator::DoesNotExist => value.is_none(),
            }
        })
    }

    /// Whether the selector has no requirements and so matches every object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl FromStr for LabelSelector {
    type Err = InvalidSelector;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(given) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let requirement = parse_requirement(part).ok_or_else(|| InvalidSelector {
                given: given.to_owned(),
                part: part.to_owned(),
            })?;
            requirements.push(requirement);
        }
        Ok(Self { requirements })
    }
}

impl TryFrom<String> for LabelSelector {
    type Error = InvalidSelector;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LabelSelector> for String {
    fn from(selector: LabelSelector) -> String {
        selector.to_string()
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, requirement) in self.requirements.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            let values = requirement.values.join(",");
            match requirement.operator {
                LabelOperator::In => write!(f, "{} in ({values})", requirement.key)?,
                LabelOperator::NotIn => write!(f, "{} notin ({values})", requirement.key)?,
                LabelOperator::Exists => write!(f, "{}", requirement.key)?,
                LabelOperator::DoesNotExist => write!(f, "!{}", requirement.key)?,
            }
        }
        Ok(())
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(part: &str) -> Option<LabelRequirement> {
    let of = |key: &str, operator, values: Vec<String>| {
        let key = key.trim();
        is_label_text(key).then(|| LabelRequirement {
            key: key.to_owned(),
            operator,
            values,
        })
    };
    if let Some(key) = part.strip_prefix('!') {
        return of(key, LabelOperator::DoesNotExist, Vec::new());
    }
    if let Some((key, value)) = part.split_once("!=") {
        return of(key, LabelOperator::NotIn, vec![label_value(value)?]);
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return of(key, LabelOperator::In, vec![label_value(value)?]);
    }
    if let Some((head, list)) = part.strip_suffix(')').and_then(|p| p.split_once('(')) {
        let (key, word) = head.trim().rsplit_once(char::is_whitespace)?;
        let values = list.split(',').map(label_value).collect::<Option<Vec<_>>>()?;
        let operator = match word {
            "in" => LabelOperator::In,
            "notin" => LabelOperator::NotIn,
            _ => return None,
        };
        return of(key, operator, values);
    }
    of(part, LabelOperator::Exists, Vec::new())
}

fn label_value(text: &str) -> Option<String> {
    let text = text.trim();
    (text.is_empty() || is_label_text(text)).then(|| text.to_owned())
}

fn is_label_text(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
}

/// A filter of objects. An empty list means no restriction of that kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Filter {
    /// Only these namespaces. Cluster-scoped objects are selected only if no namespace is named, or if
    /// `clusterScoped` is true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Not these namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_namespaces: Vec<String>,
    /// Only these types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeSelector>,
    /// Not these types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_types: Vec<TypeSelector>,
    /// Only objects with these labels.
    #[serde(skip_serializing_if = "LabelSelector::is_empty")]
    pub labels: LabelSelector,
    /// Whether cluster-scoped objects are selected although namespaces are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_scoped: Option<bool>,
}

impl Filter {
    /// Whether the filter has no restrictions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether objects in `namespace` pass the filter. `None` means objects of a cluster-scoped type.
    #[must_use]
    pub fn takes_namespace(&self, namespace: Option<&str>) -> bool {
        match namespace {
            Some(namespace) => {
                (self.namespaces.is_empty() || self.namespaces.iter().any(|n| n == namespace))
                    && !self.exclude_namespaces.iter().any(|n| n == namespace)
            }
            None => self.cluster_scoped.unwrap_or(self.namespaces.is_empty()),
        }
    }

    /// Whether objects of this type pass the filter.
    #[must_use]
    pub fn takes_type(
        &self,
        group: &str,
        resource: &str,
        singular: &str,
        kind: &str,
        short: &[String],
    ) -> bool {
        let named = |list: &[TypeSelector]| {
            list.iter()
                .any(|s| s.matches(group, resource, singular, kind, short))
        };
        (self.types.is_empty() || named(&self.types)) && !named(&self.exclude_types)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn selectors_mean_what_kubectl_means() {
        let web = labels(&[("app", "web"), ("tier", "front")]);
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (web, api),tier", true),
            ("tier notin (front)", false),
            ("!canary", true),
            ("!app", false),
            ("canary!=yes", true),
        ] {
            let parsed: LabelSelector = selector.parse().unwrap();
            assert_eq!(parsed.matches(&web), expected, "{selector}");
            let again: LabelSelector = parsed.to_string().parse().unwrap();
            assert_eq!(again, parsed, "{selector} does not survive rendering");
        }
        for wrong in ["app=a b", "in (a)", "app of (a)", "=x", "a=b=c"] {
            assert!(wrong.parse::<LabelSelector>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn types_are_named_as_in_kubectl() {
        let short = vec!["deploy".to_owned()];
        for name in [
            "deployments",
            "Deployment",
            "deploy",
            "deployments.apps",
            "deploy.apps",
        ] {
            let selector = TypeSelector(name.to_owned());
            assert!(
                selector.matches("apps", "deployments", "deployment", "Deployment", &short),
                "{name}"
            );
        }
        let other = TypeSelector("deployments.extensions".to_owned());
        assert!(!other.matches("apps", "deployments", "deployment", "Deployment", &short));
    }

    #[test]
    fn naming_a_namespace_leaves_cluster_scoped_objects_out_unless_asked() {
        let filter = Filter {
            namespaces: vec!["shop".into()],
            ..Filter::default()
        };
        assert!(filter.takes_namespace(Some("shop")) && !filter.takes_namespace(Some("other")));
        assert!(!filter.takes_namespace(None));
        assert!(
            Filter {
                cluster_scoped: Some(true),
                ..filter
            }
            .takes_namespace(None)
        );
    }
}
