//! The recovery stacks of an application: generated from the descriptions of AWS resources that a recovery point holds,
//! deployed in their order, and taken down again.
//!
//! Everything that is built carries the tag [`TAG`]; a stack without it is neither changed nor deleted. A resource that
//! fails, or a process that ends, leaves what was built before, and the same deployment goes on from there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::Sha256;
use lifeboat_infrastructure::{
    Adoption, Cost, Descriptions, Finding, Generated, Mode, OwnResource, Prices, RecoveryFacts,
    ResourceDifference, Severity, Stack as RecoveryStack, TAG, Template, adoptions, cost, differences,
    generate, identity_map, reviewed, stacks, symbols,
};
use lifeboat_model::{BuiltStack, Code, Problem, StackName};
use lifeboat_translate::IdentityMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stack::{self, OnFailure, Outcome, ResourceChange, StackSpec, Stacks};

mod events;
mod teardown;
mod watched;

pub use events::SeenEvents;
pub use teardown::take_down;
pub use watched::{BuildWatch, Watched};

/// The tag that names a stack within its application, as [`RecoveryStack::symbol`] does.
pub const STACK_TAG: &str = "lifeboat.dev/stack";

/// The number of times that all stacks are generated. What needs an identifier of a later stack is built in the second
/// pass: the trust policy of a role, the issuer of a cluster; and a policy, such a role in the third.
const PASSES: usize = 3;

/// Returns a new name for a change set.
pub type ChangeSetName<'a> = &'a (dyn Fn() -> String + Send + Sync);

/// Receives the lines that say what happens.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// The recovery stacks of an application.
pub struct Recovery<'a> {
    /// CloudFormation in the recovery environment.
    pub stacks: &'a dyn Stacks,
    /// The AWS resources that the application stands on in the primary environment.
    pub descriptions: &'a Descriptions,
    /// The recovery environment. Outputs are read from the stacks.
    pub facts: RecoveryFacts,
    /// Names for change sets.
    pub change_set: ChangeSetName<'a>,
    /// Receives the lines that say what happens.
    pub tell: Tell<'a>,
    /// The hash of the only plan that may be built ([`RecoveryPlan::hash`]); `None` allows any.
    pub expected_plan: Option<Sha256>,
}

/// What a deployment would do to a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedStack {
    /// The name of the stack within the application, such as `network`.
    pub stack: String,
    /// The name of the stack in CloudFormation.
    pub name: String,
    /// Whether the stack exists.
    pub exists: bool,
    /// The resources that are created, changed or removed.
    pub changes: Vec<ResourceChange>,
    /// What is used instead of being built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoption>,
    /// What cannot be built as it was.
    pub findings: Vec<Finding>,
    /// Where resources of the stack differ from those of the primary, whether they change or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<ResourceDifference>,
}

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecoveryPlan {
    /// SHA-256 of the JSON of [`ReviewedResources`](lifeboat_infrastructure::ReviewedResources), hexadecimal: of the
    /// templates, the errors and the identity map before anything is built. It stays the same while the stacks are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Sha256>,
    /// The stacks in the order in which they are built.
    pub stacks: Vec<PlannedStack>,
    /// What takes the place of resources that no stack builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoption>,
    /// The identity map, with symbols for what the stacks build, whether it exists or not.
    pub identities: IdentityMap,
    /// What the stacks cost in both modes.
    pub cost: Cost,
}

impl RecoveryPlan {
    /// Returns the errors: with any of them nothing is built.
    #[must_use]
    pub fn errors(&self) -> Vec<&Finding> {
        let findings = self.stacks.iter().flat_map(|stack| &stack.findings);
        findings
            .filter(|finding| finding.severity == Severity::Error)
            .collect()
    }
}

/// What a deployment built.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The stacks in the order in which they were built.
    pub stacks: Vec<BuiltStack>,
    /// The identity map, by which objects are translated.
    pub identities: IdentityMap,
    /// The same with symbols for what was built, as in [`RecoveryPlan::identities`].
    pub symbols: IdentityMap,
    /// What could not be built as it was.
    pub findings: Vec<Finding>,
}

/// What a stack was last deployed with.
type LastDeployed = (String, BTreeMap<String, String>);

impl Recovery<'_> {
    /// Returns what [`Recovery::deploy`] would do, and what the stacks cost, without changing anything.
    ///
    /// # Errors
    /// LB-1006 or LB-1011 if a stack cannot be changed, or the code of a failed call.
    pub async fn plan(&mut self, mode: Mode, prices: &Prices) -> Result<RecoveryPlan, Problem> {
        self.read_outputs().await?;
        let mut planned = Vec::new();
        let mut adopted = adoptions(self.descriptions, &self.facts);
        for wanted in stacks(self.descriptions) {
            let generated = self.generate(&wanted, mode);
            let name = wanted.name(&self.facts.application);
            let exists = self.facts.outputs.contains_key(&wanted.symbol());
            let changes = match &generated.template {
                Some(template) if !generated.is_refused() => {
                    let parameters = self.parameters(template).filter(|_| exists);
                    match parameters {
                        Some(parameters) => {
                            let spec = self.spec(&wanted, template, parameters);
                            stack::preview(self.stacks, &spec, self.tell).await?
                        }
                        // Nothing is compared with: every resource is new, or needs one that is.
                        None => additions(template),
                    }
                }
                _ => Vec::new(),
            };
            planned.push(PlannedStack {
                stack: wanted.symbol(),
                name,
                exists,
                changes,
                adopted: (wanted.shared())
                    .and_then(|stack| adopted.remove(&Some(stack)))
                    .unwrap_or_default(),
                findings: generated.findings,
                differences: differences(self.descriptions, &self.facts, &wanted, mode),
            });
        }
        Ok(RecoveryPlan {
            hash: Some(self.hash()),
            stacks: planned,
            adopted: adopted.remove(&None).unwrap_or_default(),
            identities: symbols(self.descriptions, &self.facts),
            cost: cost::cost(self.descriptions, &self.facts, prices),
        })
    }

    /// Builds the stacks, or brings them to the descriptions and the mode. A cluster that exists stays in standby mode
    /// too; [`Recovery::stand_down`] deletes it.
    ///
    /// # Errors
    /// LB-1260 if another plan is expected, the code of the first error of the findings, or LB-1011 if a stack is not ours,
    /// before anything is built; the code of the [diagnosis](crate::diagnosis) or LB-1005 if a stack fails; LB-1006 if one
    /// cannot be changed; or the code of a failed call.
    pub async fn deploy(&mut self, mode: Mode) -> Result<Built, Problem> {
        self.read_outputs().await?;
        self.must_be_expected()?;
        let wanted = stacks(self.descriptions);
        refuse((wanted.iter()).flat_map(|stack| self.generate(stack, mode).findings))?;
        let mut last: BTreeMap<RecoveryStack, LastDeployed> = BTreeMap::new();
        let mut outcomes: BTreeMap<RecoveryStack, Outcome> = BTreeMap::new();
        let mut findings: BTreeMap<RecoveryStack, Vec<Finding>> = BTreeMap::new();
        for _ in 0..PASSES {
            let mut is_stable = true;
            for stack in &wanted {
                let generated = self.generate(stack, mode);
                refuse(generated.findings.iter().cloned())?;
                findings.insert(stack.clone(), generated.findings);
                let Some(template) = generated.template else {
                    continue;
                };
                let parameters = self.parameters(&template).ok_or_else(|| {
                    Problem::new(
                        Code::StackFailed,
                        format!(
                            "the stack {} needs an output that no stack has",
                            stack.name(&self.facts.application)
                        ),
                        "deploy the stacks of the application again; if it remains, report it as a bug",
                    )
                })?;
                let deployed = (template.body(), parameters);
                if last.get(stack) == Some(&deployed) {
                    continue;
                }
                is_stable = false;
                let spec = self.spec(stack, &template, deployed.1.clone());
                let done = stack::deploy(self.stacks, &spec, self.tell).await;
                let done = done.map_err(|problem| explained(problem, findings.values().flatten()))?;
                self.facts.outputs.insert(stack.symbol(), done.outputs);
                last.insert(stack.clone(), deployed);
                let outcome = outcomes.entry(stack.clone()).or_insert(done.outcome);
                if *outcome == Outcome::Unchanged {
                    *outcome = done.outcome;
                }
            }
            if is_stable {
                break;
            }
        }
        let stacks = outcomes.into_iter().map(|(stack, outcome)| BuiltStack {
            stack: StackName::parse(stack.name(&self.facts.application))
                .expect("the names of stacks are those that CloudFormation allows"),
            outcome,
        });
        Ok(Built {
            stacks: stacks.collect(),
            identities: self.identities(mode)?,
            symbols: symbols(self.descriptions, &self.facts),
            findings: findings.into_values().flatten().collect(),
        })
    }

    /// Brings the stacks to standby. Nothing is changed if a cluster exists, because the stacks are in use then.
    ///
    /// # Errors
    /// As [`Recovery::deploy`].
    pub async fn refresh(&mut self) -> Result<Option<Built>, Problem> {
        let existing = self.read_outputs().await?;
        let is_in_use = existing
            .iter()
            .any(|stack| matches!(stack, RecoveryStack::Cluster(_)));
        match is_in_use {
            true => Ok(None),
            false => self.deploy(Mode::Standby).await.map(Some),
        }
    }

    /// Deletes the clusters and brings the other stacks to standby. Returns the stacks that were deleted or changed.
    ///
    /// # Errors
    /// As [`take_down`] and [`Recovery::deploy`].
    pub async fn stand_down(&mut self) -> Result<Vec<String>, Problem> {
        let application = self.facts.application.clone();
        let is_cluster = |stack: &RecoveryStack| matches!(stack, RecoveryStack::Cluster(_));
        let mut changed =
            take_down(self.stacks, &application, self.change_set, self.tell, is_cluster).await?;
        let built = self.deploy(Mode::Standby).await?;
        let updated = built
            .stacks
            .into_iter()
            .filter(|built| built.outcome != Outcome::Unchanged);
        changed.extend(updated.map(|built| built.stack.to_string()));
        Ok(changed)
    }

    /// Reads the outputs of the stacks that exist, and what they hold where they may adopt something. Stacks of somebody else
    /// are refused before anything is changed, and one that is to be created again has no outputs. Returns the stacks that
    /// have resources.
    async fn read_outputs(&mut self) -> Result<BTreeSet<RecoveryStack>, Problem> {
        self.facts.outputs.clear();
        self.facts.own.clear();
        let mut existing = BTreeSet::new();
        for stack in stacks(self.descriptions) {
            let name = stack.name(&self.facts.application);
            let Some(found) = self.stacks.describe(&name).await? else {
                continue;
            };
            stack::must_be_ours(self.stacks, &name, &self.tags(&stack), &found)?;
            let is_empty = matches!(found.status.as_str(), "REVIEW_IN_PROGRESS" | "ROLLBACK_COMPLETE");
            if !is_empty && !stack::is_remnant(&found.status) {
                self.facts.outputs.insert(stack.symbol(), found.outputs);
            }
            if is_empty {
                continue;
            }
            // Not every type takes tags by which a resource of this stack would be known.
            if stack.shared().is_some() && !self.facts.candidates.is_empty() {
                let own = self.stacks.resources(&name).await?.into_iter();
                self.facts.own.extend(own.map(|one| OwnResource {
                    r#type: one.r#type,
                    id: one.id,
                }));
            }
            existing.insert(stack);
        }
        Ok(existing)
    }

    /// Returns [`RecoveryPlan::hash`]. The resources of our stacks must be known, which are never adopted.
    fn hash(&self) -> Sha256 {
        let reviewed = reviewed(self.descriptions, &self.facts);
        Sha256::of(&serde_json::to_vec(&reviewed).expect("templates can always be written as JSON"))
    }

    fn must_be_expected(&self) -> Result<(), Problem> {
        let Some(expected) = self.expected_plan else {
            return Ok(());
        };
        match self.hash() {
            found if found == expected => Ok(()),
            found => Err(Problem::of(
                Code::PlanChanged,
                format!("the plan of the AWS resources has the hash {found}, and {expected} is expected"),
            )),
        }
    }

    /// Returns the tags of a stack.
    fn tags(&self, stack: &RecoveryStack) -> BTreeMap<String, String> {
        BTreeMap::from([
            (TAG.to_owned(), self.facts.application.to_string()),
            (STACK_TAG.to_owned(), stack.symbol()),
        ])
    }

    fn generate(&self, stack: &RecoveryStack, mode: Mode) -> Generated {
        generate(self.descriptions, &self.facts, stack, mode)
    }

    /// Returns the identity map of what exists; in standby mode with symbols for clusters.
    fn identities(&self, mode: Mode) -> Result<IdentityMap, Problem> {
        match identity_map(self.descriptions, &self.facts, &self.facts.outputs) {
            Ok(identities) => match identities.faults().first() {
                None => Ok(identities),
                Some(fault) => Err(fault.problem()),
            },
            Err(_) if mode == Mode::Standby => Ok(symbols(self.descriptions, &self.facts)),
            Err(missing) => {
                let mut problem = Problem::new(
                    Code::StackFailed,
                    "the stacks lack outputs that the identity map needs",
                    "deploy the stacks of the application again; if it remains, report it as a bug",
                );
                problem.causes = missing.iter().map(ToString::to_string).collect();
                Err(problem)
            }
        }
    }

    /// Returns the values of the parameters; none if a stack that has one does not exist.
    fn parameters(&self, template: &Template) -> Option<BTreeMap<String, String>> {
        let values = template.parameters.iter().map(|(name, parameter)| {
            let outputs = self.facts.outputs.get(&parameter.stack.symbol())?;
            Some((name.clone(), outputs.get(&parameter.output)?.clone()))
        });
        values.collect()
    }

    fn spec(
        &self,
        stack: &RecoveryStack,
        template: &Template,
        parameters: BTreeMap<String, String>,
    ) -> StackSpec {
        StackSpec {
            stack: stack.name(&self.facts.application),
            template: Cow::Owned(template.body()),
            parameters,
            tags: self.tags(stack),
            change_set: (self.change_set)(),
            on_failure: OnFailure::Keep,
        }
    }
}

/// Adds to nodes that did not join what the descriptions say about it: EKS gives no reason.
fn explained<'a>(mut problem: Problem, findings: impl Iterator<Item = &'a Finding>) -> Problem {
    if problem.code == Code::NodesNotJoined {
        let likely = findings.filter(|finding| {
            let causes = [Code::NodesCutOff, Code::RoleIncomplete, Code::PrincipalUnknown];
            causes.contains(&finding.code)
        });
        let likely: Vec<String> = likely
            .map(|finding| format!("likely {}: {}: {}", finding.code, finding.resource, finding.what))
            .collect();
        // Behind the failure itself; the failures that follow from it matter less.
        let at = problem.causes.len().min(1);
        problem.causes.splice(at..at, likely);
    }
    problem
}

/// Returns the resources of a template as additions.
fn additions(template: &Template) -> Vec<ResourceChange> {
    let resources = template.resources.iter();
    resources
        .map(|(name, resource)| ResourceChange {
            resource: name.clone(),
            r#type: resource.r#type.to_owned(),
            action: "Add".to_owned(),
            replacement: None,
            properties: Vec::new(),
        })
        .collect()
}

/// Returns the errors among findings as one, if there are any.
fn refuse(findings: impl Iterator<Item = Finding>) -> Result<(), Problem> {
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    let errors: BTreeSet<Finding> = errors.collect();
    match Problem::combined(errors.iter().map(Finding::problem)) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
