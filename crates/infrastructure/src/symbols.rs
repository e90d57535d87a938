//! The identity map by which the objects of the application are translated: of symbols before the stacks exist, of
//! identifiers afterwards.

use lifeboat_translate::IdentityMap;
use lifeboat_translate::identity::symbol;

use crate::bindings::{Binding, Bindings, Target};
use crate::context;
use crate::description::Descriptions;
use crate::facts::{RecoveryFacts, StackOutputs};
use crate::finding::{Finding, Findings};
use crate::pod_identities::PodIdentities;

/// The output of a stack that is missing, so that an identity map cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("fill the identity map: {stack} has no output {output}, which takes the place of {from}")]
pub struct MissingOutput {
    /// The stack, as it stands in symbols.
    pub stack: String,
    /// The output.
    pub output: String,
    /// The identifier in the primary.
    pub from: String,
}

/// Returns the identity map before the stacks exist: what they will build is a symbol, `${network.SubnetPrivateA}`. It
/// depends on the descriptions and the facts, and not on the stacks that exist already.
#[must_use]
pub fn symbols(descriptions: &Descriptions, facts: &RecoveryFacts) -> IdentityMap {
    let bindings = bindings(descriptions, facts);
    let map = bindings.map(|binding| match &binding.target {
        Target::Known(to) => to.clone(),
        Target::Output { stack, output } => symbol(&stack.symbol(), output),
    });
    with_pod_identities(map, descriptions, facts, &bindings)
}

/// Adds the service accounts that get their role by EKS Pod Identity.
fn with_pod_identities(
    map: IdentityMap,
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    bindings: &Bindings<'_>,
) -> IdentityMap {
    IdentityMap {
        pod_identities: PodIdentities::new(descriptions, facts, bindings).all(),
        ..map
    }
}

/// Returns the identity map with the identifiers that the stacks have built.
///
/// # Errors
/// Every output that is missing, sorted.
pub fn identity_map(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    outputs: &StackOutputs,
) -> Result<IdentityMap, Vec<MissingOutput>> {
    let facts = RecoveryFacts {
        outputs: outputs.clone(),
        ..facts.clone()
    };
    let bindings = bindings(descriptions, &facts);
    let mut missing = Vec::new();
    let lookup = |binding: &Binding| match &binding.target {
        Target::Known(to) => Ok(to.clone()),
        Target::Output { stack, output } => {
            context::known(binding, stack, output, &facts).ok_or_else(|| MissingOutput {
                stack: stack.symbol(),
                output: output.clone(),
                from: binding.from.clone(),
            })
        }
    };
    for binding in bindings.all() {
        missing.extend(lookup(binding).err());
    }
    if missing.is_empty() {
        let map = bindings.map(|binding| lookup(binding).unwrap_or_default());
        return Ok(with_pod_identities(map, descriptions, &facts, &bindings));
    }
    missing.sort();
    missing.dedup();
    Err(missing)
}

/// Returns what is wrong with the mappings and zones of the facts.
#[must_use]
pub fn check(descriptions: &Descriptions, facts: &RecoveryFacts) -> Vec<Finding> {
    let mut findings = Findings::default();
    let bindings = Bindings::new(descriptions, facts, &mut findings);
    findings.extend(bindings.matches.all_findings());
    findings.into_vec()
}

fn bindings<'a>(descriptions: &'a Descriptions, facts: &'a RecoveryFacts) -> Bindings<'a> {
    Bindings::new(descriptions, facts, &mut Findings::default())
}
