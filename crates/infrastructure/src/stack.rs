//! The stacks of an application and the generation of their templates.

use lifeboat_model::{ApplicationName, Code, SharedStack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builder::Builder;
use crate::context::Context;
use crate::description::Descriptions;
use crate::facts::RecoveryFacts;
use crate::finding::{Finding, Findings, Severity};
use crate::template::{self, Template};
use crate::unbuilt;
use crate::{names, selectors};

mod cluster;
mod identity;
mod network;
mod storage;

/// A stack of an application in the recovery environment. They are built in the order of this type: a stack takes the
/// outputs of earlier ones as parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stack {
    /// VPCs, subnets, route tables, gateways, security groups, network ACLs, endpoints.
    Network,
    /// Roles, policies, instance profiles, OIDC providers.
    Identity,
    /// Keys, repositories, file systems with access points and mount targets.
    Storage,
    /// A cluster, by its name in the primary, with node groups, Fargate profiles and access.
    Cluster(String),
}

/// What a stack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// What costs nothing while nobody uses it.
    Standby,
    /// Everything.
    Active,
}

/// What the symbols of the stacks of clusters begin with.
const CLUSTER: &str = "cluster-";

impl Stack {
    /// Returns the name of the stack within the application, as it stands in symbols: `network`, `cluster-orders`.
    #[must_use]
    pub fn symbol(&self) -> String {
        match self {
            Self::Network => "network".to_owned(),
            Self::Identity => "identity".to_owned(),
            Self::Storage => "storage".to_owned(),
            Self::Cluster(name) => format!("{CLUSTER}{name}"),
        }
    }

    /// Returns the stack as one that the clusters share; `None` for that of a cluster.
    #[must_use]
    pub fn shared(&self) -> Option<SharedStack> {
        match self {
            Self::Network => Some(SharedStack::Network),
            Self::Identity => Some(SharedStack::Identity),
            Self::Storage => Some(SharedStack::Storage),
            Self::Cluster(_) => None,
        }
    }

    /// Returns the stack that has this name within the application, the reverse of [`Stack::symbol`].
    #[must_use]
    pub fn of_symbol(symbol: &str) -> Option<Self> {
        match symbol {
            "network" => Some(Self::Network),
            "identity" => Some(Self::Identity),
            "storage" => Some(Self::Storage),
            _ => (symbol.strip_prefix(CLUSTER)).map(|name| Self::Cluster(name.to_owned())),
        }
    }

    /// Returns the name of the stack in CloudFormation, which has letters, digits and `-`, 128 at most
    /// (`CreateStack`, parameter `StackName`).
    #[must_use]
    pub fn name(&self, application: &ApplicationName) -> String {
        let symbol = self.symbol();
        let plain = symbol.replace('_', "-");
        let name = format!("lifeboat-{application}-{plain}");
        if plain == symbol && name.len() <= 128 {
            return name;
        }
        let kept: String = name.chars().take(119).collect();
        format!("{kept}-{}", names::digest(&symbol))
    }
}

/// A generated template with what was found on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The stack.
    pub stack: Stack,
    /// The template; none if the stack would hold nothing, or if it must not be built.
    pub template: Option<Template>,
    /// What cannot be built as it was, sorted by severity.
    pub findings: Vec<Finding>,
}

impl Generated {
    /// Whether the stack must not be built.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// Returns the stacks of an application in the order in which they are built.
#[must_use]
pub fn stacks(descriptions: &Descriptions) -> Vec<Stack> {
    let clusters = descriptions.clusters.iter();
    let mut stacks: Vec<Stack> = clusters
        .map(|cluster| Stack::Cluster(cluster.name.clone()))
        .collect();
    stacks.extend([Stack::Network, Stack::Identity, Stack::Storage]);
    stacks.sort();
    stacks.dedup();
    stacks
}

/// Generates the template of a stack.
#[must_use]
pub fn generate(descriptions: &Descriptions, facts: &RecoveryFacts, stack: &Stack, mode: Mode) -> Generated {
    let (context, mut findings) = Context::new(descriptions, facts, stack);
    let Some(context) = context else {
        return Generated {
            stack: stack.clone(),
            template: None,
            findings: findings.into_vec(),
        };
    };
    // The clusters' objects name what no stack builds.
    if let Stack::Cluster(_) = stack {
        unbuilt::find(descriptions, facts, &context.bindings, &mut findings);
        selectors::find(&context, &mut findings);
    }
    let (template, found) = build(&context, mode);
    findings.extend(found);
    for missing in &descriptions.missing {
        findings.warning(
            Code::DescriptionMissing,
            &missing.resource,
            format!("{} answered {}", missing.call, missing.code),
        );
    }
    if !template.resources.is_empty() {
        template::check(&template, &stack.symbol(), &mut findings);
        context.leftovers(&template, &mut findings);
    }
    Generated {
        stack: stack.clone(),
        template: (!template.resources.is_empty()).then_some(template),
        findings: findings.into_vec(),
    }
}

/// Builds the template of the stack of a context.
pub(crate) fn build(context: &Context<'_>, mode: Mode) -> (Template, Findings) {
    let mut builder = Builder::new(context, mode);
    match context.stack {
        Stack::Network => network::build(&mut builder),
        Stack::Identity => identity::build(&mut builder),
        Stack::Storage => storage::build(&mut builder),
        Stack::Cluster(name) => {
            let mut clusters = context.descriptions.clusters.iter();
            match clusters.find(|cluster| cluster.name == *name) {
                Some(cluster) => cluster::build(&mut builder, cluster),
                None => builder.findings.error(
                    Code::DescriptionMissing,
                    name,
                    "the cluster is not described in the recovery point",
                ),
            }
        }
    }
    builder.finish()
}

/// Returns an optional value as JSON, `null` if it is absent.
pub(crate) fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("descriptions are JSON: they have no maps with other keys than texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_names_one_stack() {
        let cluster = Stack::Cluster("orders".to_owned());
        for stack in [Stack::Network, Stack::Identity, Stack::Storage, cluster] {
            assert_eq!(Stack::of_symbol(&stack.symbol()), Some(stack));
        }
        assert_eq!(Stack::of_symbol("database"), None);
    }
}
