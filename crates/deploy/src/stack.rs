//! Deploys a stack by a change set and follows it to its end, using a port for CloudFormation.
//!
//! Like `aws cloudformation deploy`, and in addition it shows events as they happen, reports the reasons of the
//! resources that failed first, keeps the values of parameters that are not given, and reports the commands that repair
//! a stack that cannot be updated. If an earlier run was interrupted, it waits for the operation that the run started.
//!
//! A stack of a recovery keeps what was built when a resource fails ([`OnFailure::Keep`]), and the next deployment goes
//! on from there. One whose creation was rolled back by hand, or whose deletion failed, holds nothing that is used: it is
//! deleted and created again. A stack without the tags that it should have belongs to somebody else, and is neither
//! changed nor deleted.
//!
//! CloudFormation compares a template with the former one and not with the resources: what was changed by hand stays
//! until the template changes there
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html>).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lifeboat_model::{Code, EnvironmentId, Problem};
use lifeboat_system::sleep;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Diagnosis, diagnose};
use crate::template;

mod handle;

use handle::StackHandle;
pub use lifeboat_model::StackOutcome as Outcome;

/// The pause between two requests. A stack takes about a minute; CloudFormation throttles at about one request per
/// second.
const PAUSE: Duration = Duration::from_secs(2);

/// The number of times that a deployment is tried whose roles or grants are not effective yet.
const CONSISTENCY_TRIES: u32 = 3;

/// The pause before such a deployment is tried again. IAM says that changes take seconds
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>).
const CONSISTENCY_PAUSE: Duration = Duration::from_secs(15);

/// The number of failed resources that are reported. Later failures are consequences of the first ones.
const NAMED: usize = 5;

/// The port for CloudFormation. Its errors are shown to the user.
#[async_trait]
pub trait Stacks: Send + Sync {
    /// Returns the account and the Region of the stacks.
    fn environment(&self) -> &EnvironmentId;
    /// Reads a stack; `None` if there is no stack of this name.
    async fn describe(&self, stack: &str) -> Result<Option<Stack>, Problem>;
    /// Reads the resources that a stack holds.
    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Problem>;
    /// Reads the text of the template of a stack, as it was sent.
    async fn template(&self, stack: &str) -> Result<String, Problem>;
    /// Reads all stacks, by name.
    async fn all(&self) -> Result<BTreeMap<String, Stack>, Problem>;
    /// Starts to create a change set.
    async fn create_change_set(&self, change: &Change) -> Result<(), Problem>;
    /// Reads the status of a change set.
    async fn describe_change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, Problem>;
    /// Deletes a change set that is not executed.
    async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), Problem>;
    /// Starts to execute a change set.
    async fn execute_change_set(&self, stack: &str, name: &str, on_failure: OnFailure)
    -> Result<(), Problem>;
    /// Starts to delete a stack.
    async fn delete_stack(&self, stack: &str) -> Result<(), Problem>;
    /// Reads the latest events, newest first.
    async fn events(&self, stack: &str) -> Result<Vec<Event>, Problem>;
}

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status.
    pub reason: String,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// The values of its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether the latest detection of drift, which somebody has asked for, found changes that were made by hand.
    pub is_drifted: bool,
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StackResource {
    /// The name of the resource in the template.
    pub resource: String,
    /// Its type, such as `AWS::EC2::Subnet`.
    pub r#type: String,
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// The identifier that AWS gave to it, of some types the ARN or the name.
    pub id: String,
}

impl StackResource {
    /// Reports whether the resource exists, at least as it was before a change of it failed.
    #[must_use]
    pub fn is_built(&self) -> bool {
        !matches!(self.status.as_str(), "CREATE_FAILED" | "DELETE_COMPLETE")
    }
}

/// A change set to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name of the stack.
    pub stack: String,
    /// The name of the change set.
    pub name: String,
    /// Whether the stack is to be created.
    pub is_new: bool,
    /// The text of the template.
    pub template: Cow<'static, str>,
    /// The parameters: a value, or `None` to keep the current one.
    pub parameters: BTreeMap<String, Option<String>>,
    /// The tags of the stack, which CloudFormation gives to its resources too.
    pub tags: BTreeMap<String, String>,
}

/// The status of a change set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status.
    pub reason: String,
    /// The resources that it changes.
    pub changes: Vec<ResourceChange>,
}

/// What a change set does to a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceChange {
    /// The name of the resource in the template.
    pub resource: String,
    /// The type of the resource, such as `AWS::EC2::Subnet`.
    pub r#type: String,
    /// `Add`, `Modify`, `Remove` or `Import`.
    pub action: String,
    /// Whether the resource is replaced: `True`, `False` or `Conditional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The properties that change, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<String>,
}

/// An event of a resource or of the stack itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The id of the event, unique in the stack.
    pub id: String,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// The name of the resource in the template.
    pub resource: String,
    /// The type of the resource.
    pub kind: String,
    /// The status of the resource after the event.
    pub status: String,
    /// Why it has that status.
    pub reason: String,
}

impl Event {
    /// Returns a key that distinguishes events: each change of status is a separate event.
    fn name(self) -> (String, String) {
        (self.id, self.status)
    }
}

/// A stack to deploy.
#[derive(Debug, Clone)]
pub struct StackSpec {
    /// The name of the stack.
    pub stack: String,
    /// The text of the template.
    pub template: Cow<'static, str>,
    /// The parameters to set. Others keep their current value, or the default.
    pub parameters: BTreeMap<String, String>,
    /// The tags of the stack. A stack that exists without them is not changed.
    pub tags: BTreeMap<String, String>,
    /// The name of the change set: letters, digits and '-'.
    pub change_set: String,
    /// What becomes of the stack if a resource fails.
    pub on_failure: OnFailure,
}

/// What becomes of a stack if a resource fails
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It returns to the state before the operation.
    RollBack,
    /// The resources that were built are kept, and the next change set goes on.
    Keep,
}

/// A stack after a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The outcome.
    pub outcome: Outcome,
    /// The outputs of the stack.
    pub outputs: BTreeMap<String, String>,
}

/// Returns a name of a change set that no other of the stack has: the second, in UTC, and six hexadecimal digits.
pub fn change_set_name(now: jiff::Timestamp, random: [u8; 3]) -> String {
    let [a, b, c] = random;
    let second = now.strftime("%Y%m%d-%H%M%S");
    format!("lifeboat-{second}-{a:02x}{b:02x}{c:02x}")
}

/// Deploys a stack; calls `tell` with one line for each event.
///
/// # Errors
/// If the operation fails: the code of the [diagnosis](crate::diagnosis), or LB-1005; LB-1012 if the stack is deleted
/// meanwhile. LB-1006 or LB-1011 if the stack cannot be changed, or the code of a failed call.
pub async fn deploy(
    stacks: &dyn Stacks,
    wanted: &StackSpec,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Deployed, Problem> {
    Deployment::new(stacks, wanted, tell).run().await
}

/// Returns what a deployment would change, without changing anything.
///
/// # Errors
/// LB-1006 or LB-1011 if the stack cannot be changed, or the code of a failed call.
pub async fn preview(
    stacks: &dyn Stacks,
    wanted: &StackSpec,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Vec<ResourceChange>, Problem> {
    Deployment::new(stacks, wanted, tell).preview().await
}

/// Deletes a stack that has these tags; returns whether there was one.
///
/// # Errors
/// LB-1005 if the deletion fails, LB-1011 if the stack lacks a tag, or the code of a failed call.
pub async fn delete(
    stacks: &dyn Stacks,
    stack: &str,
    tags: &BTreeMap<String, String>,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<bool, Problem> {
    StackHandle {
        stacks,
        name: stack,
        tags,
        tell,
    }
    .delete()
    .await
}

/// Waits until no operation of a stack that has these tags is in progress, and returns it; `None` if there is none that has
/// resources.
///
/// # Errors
/// LB-1011 if the stack lacks a tag, or the code of a failed call.
pub(crate) async fn stable(
    stacks: &dyn Stacks,
    name: &str,
    tags: &BTreeMap<String, String>,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Option<Stack>, Problem> {
    StackHandle {
        stacks,
        name,
        tags,
        tell,
    }
    .wait_until_stable()
    .await
}

/// Checks that a stack that was read has these tags.
///
/// # Errors
/// LB-1011 if it lacks one.
pub(crate) fn must_be_ours(
    stacks: &dyn Stacks,
    name: &str,
    tags: &BTreeMap<String, String>,
    stack: &Stack,
) -> Result<(), Problem> {
    let tell = |_: &str| {};
    let handle = StackHandle {
        stacks,
        name,
        tags,
        tell: &tell,
    };
    handle.must_be_ours(stack)
}

struct Deployment<'a> {
    stack: StackHandle<'a>,
    wanted: &'a StackSpec,
}

impl<'a> Deployment<'a> {
    fn new(stacks: &'a dyn Stacks, wanted: &'a StackSpec, tell: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        let stack = StackHandle {
            stacks,
            name: &wanted.stack,
            tags: &wanted.tags,
            tell,
        };
        Self { stack, wanted }
    }

    async fn run(&self) -> Result<Deployed, Problem> {
        let mut tries = 1;
        loop {
            match self.once(tries).await {
                // The next change set goes on from what was built.
                Err(problem)
                    if problem.code == Code::NotYetConsistent
                        && self.wanted.on_failure == OnFailure::Keep
                        && tries < CONSISTENCY_TRIES =>
                {
                    self.stack
                        .say("a role or grant is not effective yet; trying again");
                    sleep(CONSISTENCY_PAUSE).await;
                    tries += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn once(&self, number: u32) -> Result<Deployed, Problem> {
        let stack = self.updatable(true).await?;
        if stack.as_ref().is_some_and(|stack| stack.is_drifted) {
            self.stack.say("resources were changed by hand, and stay so where the template does not change (`aws cloudformation describe-stack-resource-drifts`)");
        }
        let mut change = self.change(stack.as_ref());
        if number > 1 {
            change.name = format!("{}-{number}", change.name);
        }
        // What failed is tried again although the template is the same.
        let has_failed = stack.is_some_and(|stack| is_kept(&stack.status));
        self.stack.stacks.create_change_set(&change).await?;
        let changes = self.changes(&change, change.is_new || has_failed).await?;
        let Some(changes) = changes else {
            if has_failed {
                let command = format!("aws cloudformation rollback-stack {}", self.stack.options());
                let what = "it has failed, and CloudFormation finds nothing to change";
                return Err(self.stack.not_updatable(what, &command, Vec::new()));
            }
            self.stack.say("no changes");
            return self.stack.done(Outcome::Unchanged).await;
        };
        let on_failure = match self.wanted.on_failure {
            OnFailure::Keep if !has_failed && changes.iter().any(may_replace) => OnFailure::RollBack,
            wanted => wanted,
        };
        let mut seen = self.stack.seen().await?;
        self.stack
            .say(if change.is_new { "creating" } else { "updating" });
        let executed = (self.stack.stacks)
            .execute_change_set(&change.stack, &change.name, on_failure)
            .await;
        let stack = match executed {
            Ok(()) => self.stack.end(&mut seen).await?,
            // Refused, or failed immediately: the stack's own events have more detail than the error of the call.
            Err(problem) => {
                let stack = self.stack.now().await?;
                self.stack.report_new_events(&mut seen).await?;
                if seen.since.is_empty() || !is_failure(&stack.status) {
                    return Err(problem);
                }
                stack
            }
        };
        if is_failure(&stack.status) || stack.status.starts_with("DELETE_") {
            return Err(self.failed(&stack, &seen, change.is_new));
        }
        self.stack
            .done(if change.is_new {
                Outcome::Created
            } else {
                Outcome::Updated
            })
            .await
    }

    /// Returns what the change set of a deployment holds, and deletes it.
    async fn preview(&self) -> Result<Vec<ResourceChange>, Problem> {
        let stack = self.updatable(false).await?;
        let change = self.change(stack.as_ref());
        // Somebody may be about to execute a change set of their own for the same new stack.
        let is_in_review = change.is_new && self.stack.stacks.describe(&change.stack).await?.is_some();
        self.stack.stacks.create_change_set(&change).await?;
        let changes = self.changes(&change, change.is_new).await?;
        if changes.is_some() {
            (self.stack.stacks)
                .delete_change_set(&change.stack, &change.name)
                .await?;
        }
        if change.is_new && !is_in_review {
            // A change set of a new stack leaves an empty one (REVIEW_IN_PROGRESS).
            self.stack.stacks.delete_stack(&change.stack).await?;
        }
        Ok(changes.unwrap_or_default())
    }

    /// Returns the stack if it can be updated; `None` if it does not exist. `may_delete` allows to delete one that can only
    /// be created again.
    async fn updatable(&self, may_delete: bool) -> Result<Option<Stack>, Problem> {
        let Some(stack) = self.stack.wait_until_stable().await? else {
            return Ok(None);
        };
        match stack.status.as_str() {
            // The next change set goes on from what was built.
            status if is_kept(status) && self.wanted.on_failure == OnFailure::Keep => Ok(Some(stack)),
            status if is_remnant(status) && self.wanted.on_failure == OnFailure::Keep && may_delete => {
                self.stack
                    .say(&format!("{status}: deleting what is left, to create it again"));
                match self.stack.delete().await {
                    Ok(_) => Ok(None),
                    // Whoever deploys need not be allowed to delete.
                    Err(problem) if problem.code == Code::AwsDenied => {
                        let mut only_deletable = self.stack.creation_failed(status).await;
                        only_deletable
                            .causes
                            .extend(std::iter::once(problem.message).chain(problem.causes));
                        Err(only_deletable)
                    }
                    Err(problem) => Err(problem),
                }
            }
            status if is_remnant(status) || status == "CREATE_FAILED" => {
                Err(self.stack.creation_failed(status).await)
            }
            "UPDATE_FAILED" => Err(self.stack.not_updatable(
                "its last update failed, and what it changed was kept",
                &format!("aws cloudformation rollback-stack {}", self.stack.options()),
                Vec::new(),
            )),
            "UPDATE_ROLLBACK_FAILED" => Err(self.stack.not_updatable(
                "the rollback of its last update failed",
                &format!(
                    "aws cloudformation continue-update-rollback {}",
                    self.stack.options()
                ),
                Vec::new(),
            )),
            "IMPORT_ROLLBACK_FAILED" => Err(self.stack.problem(
                Code::StackNotUpdatable,
                "cannot be changed: the rollback of an import failed",
                &format!(
                    "resolve the failures that `aws cloudformation describe-stack-events {}` lists, then run the same command again",
                    self.stack.options()
                ),
            )),
            _ => Ok(Some(stack)),
        }
    }

    fn change(&self, stack: Option<&Stack>) -> Change {
        let given = self.wanted.parameters.iter();
        let mut parameters: BTreeMap<String, Option<String>> = given
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect();
        if let Some(stack) = stack {
            // Values that a user has set (such as the retention of logs or the topic of alarms) are kept.
            let known = template::parameters(&self.wanted.template);
            for name in stack.parameters.keys().filter(|name| known.contains(*name)) {
                parameters.entry(name.clone()).or_insert(None);
            }
        }
        Change {
            stack: self.wanted.stack.clone(),
            name: self.wanted.change_set.clone(),
            is_new: stack.is_none(),
            template: self.wanted.template.clone(),
            parameters,
            tags: self.wanted.tags.clone(),
        }
    }

    /// Waits for a change set and returns its changes; `None` if there is nothing to execute. `always` executes one
    /// without changes too.
    async fn changes(&self, change: &Change, always: bool) -> Result<Option<Vec<ResourceChange>>, Problem> {
        let set = loop {
            let set = self
                .stack
                .stacks
                .describe_change_set(&change.stack, &change.name)
                .await?;
            if !matches!(set.status.as_str(), "CREATE_PENDING" | "CREATE_IN_PROGRESS") {
                break set;
            }
            sleep(PAUSE).await;
        };
        let is_made = set.status == "CREATE_COMPLETE";
        if is_made && (always || !set.changes.is_empty()) {
            return Ok(Some(set.changes));
        }
        // An error is ignored: each deployment uses a new name, so a remaining change set has no effect.
        drop(
            self.stack
                .stacks
                .delete_change_set(&change.stack, &change.name)
                .await,
        );
        if is_made || (!change.is_new && says_nothing_to_change(&set.reason)) {
            return Ok(None);
        }
        let diagnosis = diagnose("AWS::CloudFormation::Stack", &set.reason);
        let code = diagnosis.as_ref().map_or(Code::StackFailed, |known| known.code);
        let remedy = match diagnosis {
            // The reason does not say which resource it is.
            Some(known) if set.reason.contains("EarlyValidation") => continued(&format!(
                "list the resources with `aws cloudformation describe-events {} --filters FailedEvents=true`, and {}",
                self.stack.options(),
                known.remedy
            )),
            Some(known) => continued(&known.remedy),
            None => Code::StackFailed.explanation().remedy.to_owned(),
        };
        let mut problem = self
            .stack
            .problem(code, "could not be prepared for the change", &remedy);
        problem
            .causes
            .push(format!("the change set is {}: {}", set.status, set.reason));
        Err(problem)
    }

    fn failed(&self, stack: &Stack, seen: &Seen, is_new: bool) -> Problem {
        let status = &stack.status;
        if status.starts_with("DELETE_") {
            let what = format!("was deleted while it was deployed: it is {status}");
            let remedy = Code::StackDeleted.explanation().remedy;
            return self.stack.problem(Code::StackDeleted, &what, remedy);
        }
        let what = if is_new {
            format!("was not created: it is {status}")
        } else {
            format!("was not updated: it is {status}")
        };
        let diagnosis =
            diagnosis(&seen.since).or_else(|| diagnose("AWS::CloudFormation::Stack", &stack.reason));
        let resolve = diagnosis
            .as_ref()
            .map_or("resolve the failure above", |known| known.remedy.as_str());
        let remedy = if is_kept(status) && self.wanted.on_failure == OnFailure::Keep {
            format!("{}: it goes on with what was built", continued(resolve))
        } else if is_new {
            format!(
                "{resolve}, run `aws cloudformation delete-stack {}`, then run the same command again",
                self.stack.options()
            )
        } else {
            format!("{}; the stack is unchanged", continued(resolve))
        };
        let code = diagnosis.map_or(Code::StackFailed, |known| known.code);
        let mut problem = self.stack.problem(code, &what, &remedy);
        problem.causes = reasons(&seen.since);
        if problem.causes.is_empty() && !stack.reason.is_empty() {
            problem.causes.push(stack.reason.clone());
        }
        problem
    }
}

/// Says that the same command goes on, unless the remedy says so.
fn continued(remedy: &str) -> String {
    const AGAIN: &str = "run the same command again";
    match remedy.contains(AGAIN) {
        true => remedy.to_owned(),
        false => format!("{remedy}, then {AGAIN}"),
    }
}

/// The events that were already read.
struct Seen {
    before: BTreeSet<(String, String)>,
    /// The events of this deployment, oldest first.
    since: Vec<Event>,
}

/// Returns an event as one line.
pub(crate) fn line(event: &Event) -> String {
    let at = event
        .at
        .map_or_else(String::new, |at| format!("{} ", at.strftime("%H:%M:%S")));
    let reason = match event.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!("{at}{} {} {}{reason}", event.status, event.kind, event.resource)
}

/// Reports whether an operation ended unsuccessfully.
fn is_failure(status: &str) -> bool {
    !matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE") && !status.ends_with("_IN_PROGRESS")
}

/// Reports whether a stack kept what was built when a resource failed ([`OnFailure::Keep`]).
fn is_kept(status: &str) -> bool {
    matches!(status, "CREATE_FAILED" | "UPDATE_FAILED")
}

/// Reports whether a stack can only be deleted, because its creation was rolled back or its deletion failed
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).
pub(crate) fn is_remnant(status: &str) -> bool {
    matches!(status, "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED")
}

/// Reports whether a change may replace a resource. CloudFormation replaces none while it keeps what was built: such an
/// update fails with "Replacement type updates not supported on stack with disable-rollback".
fn may_replace(change: &ResourceChange) -> bool {
    matches!(change.replacement.as_deref(), Some("True" | "Conditional"))
}

/// Reports whether a change set failed because it has no changes. CloudFormation has no code for this, only these
/// sentences (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html>).
fn says_nothing_to_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Returns the events of resources that failed, in order. Resources that were canceled because of them are skipped.
fn failures(oldest_first: &[Event]) -> impl Iterator<Item = &Event> {
    oldest_first.iter().filter(|event| {
        let of_stack = event.kind == "AWS::CloudFormation::Stack";
        let ended_badly = event.status.ends_with("_FAILED") || (of_stack && is_failure(&event.status));
        let is_consequence = event.reason.is_empty()
            || event.reason.contains("cancelled")
            || event.reason.starts_with("The following resource(s) failed");
        ended_badly && !is_consequence
    })
}

/// Returns why resources failed, in order.
fn reasons(oldest_first: &[Event]) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for event in failures(oldest_first) {
        let reason = format!("{} ({}): {}", event.resource, event.kind, event.reason);
        if !reasons.contains(&reason) && reasons.len() < NAMED {
            reasons.push(reason);
        }
    }
    reasons
}

/// Returns the diagnosis of the first failure that has one.
fn diagnosis(oldest_first: &[Event]) -> Option<Diagnosis> {
    failures(oldest_first).find_map(|event| diagnose(&event.kind, &event.reason))
}

#[cfg(test)]
mod tests;
