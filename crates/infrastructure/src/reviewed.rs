//! What a plan says about the AWS resources of an application, as it is reviewed and hashed: before any of them exists.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_translate::IdentityMap;
use serde::Serialize;
use serde_json::Value;

use crate::description::Descriptions;
use crate::facts::{RecoveryFacts, StackOutputs};
use crate::finding::{Finding, Severity};
use crate::names;
use crate::stack::{Mode, generate, stacks};
use crate::symbols::symbols;

/// The AWS resources of a plan, whose JSON is hashed.
///
/// It depends on the descriptions of the recovery point, on what the user has decided, and on what the recovery environment
/// offers: its zones, versions of Kubernetes, permissions boundaries, and what is adopted there. It depends neither on the
/// stacks that exist, nor on identifiers that AWS assigns to what they build, nor on how far a build has come.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewedResources {
    /// The template of each stack with everything that it builds, by the name of the stack within the application. What
    /// another stack builds is a parameter, and a cluster has a fixed issuer in place of its own.
    pub templates: BTreeMap<String, Value>,
    /// What must be resolved before anything is built.
    pub errors: BTreeSet<Finding>,
    /// The identity map with symbols ([`symbols`]).
    pub identities: IdentityMap,
}

/// Returns the AWS resources of a plan as they are reviewed.
#[must_use]
pub fn reviewed(descriptions: &Descriptions, facts: &RecoveryFacts) -> ReviewedResources {
    let issuers = descriptions.clusters.iter().map(|cluster| {
        // In the trust policies of roles and in OIDC providers, which are built once the issuer is known.
        let id = names::digest(&cluster.name);
        let issuer = format!("oidc.eks.{}.amazonaws.com/id/{id}", facts.region);
        (cluster.name.clone(), issuer)
    });
    let facts = RecoveryFacts {
        outputs: StackOutputs::new(),
        issuers: issuers.collect(),
        hold_nodes: false,
        ..facts.clone()
    };
    let mut templates = BTreeMap::new();
    let mut errors = BTreeSet::new();
    for stack in stacks(descriptions) {
        let generated = generate(descriptions, &facts, &stack, Mode::Active);
        let found = generated.findings.into_iter();
        errors.extend(found.filter(|finding| finding.severity == Severity::Error));
        if let Some(template) = generated.template {
            templates.insert(stack.symbol(), template.json());
        }
    }
    ReviewedResources {
        templates,
        errors,
        identities: symbols(descriptions, &facts),
    }
}
