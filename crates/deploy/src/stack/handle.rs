//! One stack: its state, its events and its deletion.

use std::collections::BTreeMap;

use lifeboat_model::{Code, Problem};
use lifeboat_system::sleep;

use super::{Deployed, Event, Outcome, PAUSE, Seen, Stack, Stacks, continued, diagnosis, line, reasons};

/// The status of a stack whose first change set was not executed: it has no resources.
const IN_REVIEW: &str = "REVIEW_IN_PROGRESS";

/// A stack by its name, with the tags that it must have.
pub(super) struct StackHandle<'a> {
    pub(super) stacks: &'a dyn Stacks,
    pub(super) name: &'a str,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) tell: &'a (dyn Fn(&str) + Send + Sync),
}

impl StackHandle<'_> {
    pub(super) async fn delete(&self) -> Result<bool, Problem> {
        if self.wait_until_stable().await?.is_none() {
            return self.delete_in_review().await;
        }
        let mut seen = self.seen().await?;
        self.say("deleting");
        self.stacks.delete_stack(self.name).await?;
        loop {
            let Some(stack) = self.stacks.describe(self.name).await? else {
                return Ok(true);
            };
            // The events of a stack that is gone cannot be read by its name.
            match stack.status.as_str() {
                "DELETE_COMPLETE" => return Ok(true),
                status if status.ends_with("_IN_PROGRESS") => {
                    drop(self.report_new_events(&mut seen).await);
                    sleep(PAUSE).await;
                }
                status => {
                    self.report_new_events(&mut seen).await?;
                    let what = format!("was not deleted: it is {status}");
                    let diagnosis = diagnosis(&seen.since);
                    let remedy = diagnosis
                        .as_ref()
                        .map_or("resolve the failure above", |known| known.remedy.as_str());
                    let code = diagnosis.as_ref().map_or(Code::StackFailed, |known| known.code);
                    let mut problem = self.problem(code, &what, &continued(remedy));
                    problem.causes = reasons(&seen.since);
                    return Err(problem);
                }
            }
        }
    }

    /// Deletes an empty stack that a change set of ours has left, and that has our tags.
    async fn delete_in_review(&self) -> Result<bool, Problem> {
        let is_ours = match self.stacks.describe(self.name).await? {
            Some(stack) => !stack.tags.is_empty() && stack.status == IN_REVIEW,
            None => false,
        };
        if is_ours {
            self.stacks.delete_stack(self.name).await?;
        }
        Ok(is_ours)
    }

    /// Checks that a stack has the tags that it should have. An empty one whose first change set was not executed need
    /// not have any yet, and one that is gone is nobody's.
    pub(super) fn must_be_ours(&self, stack: &Stack) -> Result<(), Problem> {
        if (stack.status == IN_REVIEW && stack.tags.is_empty()) || stack.status == "DELETE_COMPLETE" {
            return Ok(());
        }
        let mut wanted = self.tags.iter();
        match wanted.find(|(key, value)| stack.tags.get(*key) != Some(value)) {
            None => Ok(()),
            Some((key, value)) => Err(self.problem(
                Code::StackForeign,
                &format!("lacks the tag {key}={value}"),
                Code::StackForeign.explanation().remedy,
            )),
        }
    }

    /// Waits until no operation is in progress and returns the stack, which is ours; `None` if it does not exist.
    pub(super) async fn wait_until_stable(&self) -> Result<Option<Stack>, Problem> {
        let mut announced = false;
        loop {
            let Some(stack) = self.stacks.describe(self.name).await? else {
                return Ok(None);
            };
            // Nothing of somebody else is waited for.
            self.must_be_ours(&stack)?;
            match stack.status.as_str() {
                IN_REVIEW | "DELETE_COMPLETE" => return Ok(None),
                status if status.ends_with("_IN_PROGRESS") => {
                    if !announced {
                        self.say(&format!(
                            "{status}: another operation is in progress; waiting for it to end"
                        ));
                        announced = true;
                    }
                    sleep(PAUSE).await;
                }
                _ => return Ok(Some(stack)),
            }
        }
    }

    pub(super) async fn seen(&self) -> Result<Seen, Problem> {
        let events = self.stacks.events(self.name).await?;
        Ok(Seen {
            before: events.into_iter().map(Event::name).collect(),
            since: Vec::new(),
        })
    }

    /// Follows the stack until no operation is in progress, and returns it.
    pub(super) async fn end(&self, seen: &mut Seen) -> Result<Stack, Problem> {
        loop {
            // The status is read before the events, so that no event that led to it is missed.
            let stack = self.now().await?;
            let told = self.report_new_events(seen).await;
            if stack.status.starts_with("DELETE_") {
                // Somebody deletes it. The events of a stack that is gone cannot be read by its name.
                return Ok(stack);
            }
            told?;
            if !stack.status.ends_with("_IN_PROGRESS") {
                return Ok(stack);
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) async fn now(&self) -> Result<Stack, Problem> {
        let stack = self.stacks.describe(self.name).await?;
        // A stack that was deleted in the meantime counts as failed.
        Ok(stack.unwrap_or_else(|| Stack {
            status: "DELETE_COMPLETE".to_owned(),
            ..Stack::default()
        }))
    }

    pub(super) async fn report_new_events(&self, seen: &mut Seen) -> Result<(), Problem> {
        let events = self.stacks.events(self.name).await?;
        for event in events.into_iter().rev() {
            if seen.before.insert(event.clone().name()) {
                self.say(&line(&event));
                seen.since.push(event);
            }
        }
        Ok(())
    }

    pub(super) async fn done(&self, outcome: Outcome) -> Result<Deployed, Problem> {
        let stack = self.stacks.describe(self.name).await?;
        Ok(Deployed {
            outcome,
            outputs: stack.map(|stack| stack.outputs).unwrap_or_default(),
        })
    }

    pub(super) async fn creation_failed(&self, status: &str) -> Problem {
        let events = self.stacks.events(self.name).await.unwrap_or_default();
        let oldest_first: Vec<Event> = events.into_iter().rev().collect();
        let what = match status {
            "DELETE_FAILED" => "its deletion failed",
            _ => {
                "its creation failed, so it can only be deleted; the next deployment reuses the resources that it retains"
            }
        };
        let command = format!("aws cloudformation delete-stack {}", self.options());
        self.not_updatable(what, &command, reasons(&oldest_first))
    }

    pub(super) fn not_updatable(&self, what: &str, command: &str, causes: Vec<String>) -> Problem {
        let remedy = format!("run `{command}`, wait until it completes, then run the same command again");
        let mut problem = self.problem(
            Code::StackNotUpdatable,
            &format!("cannot be changed: {what}"),
            &remedy,
        );
        problem.causes = causes;
        problem
    }

    pub(super) fn options(&self) -> String {
        format!(
            "--stack-name {} --region {}",
            self.name,
            self.stacks.environment().region
        )
    }

    pub(super) fn problem(&self, code: Code, what: &str, remedy: &str) -> Problem {
        Problem::new(
            code,
            format!("the stack {} in {} {what}", self.name, self.stacks.environment()),
            remedy,
        )
    }

    pub(super) fn say(&self, text: &str) {
        (self.tell)(&format!("{}: {text}", self.name));
    }
}
