//! Commands to the coordinator, also with `aws lambda invoke`, and waits for their results.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::program::{Output, Program};
use super::{list, text};
use crate::environment::{Reporter, pause};

const COORDINATOR: &str = "lifeboat-coordinator";

/// The pause between two polls.
const PAUSE: Duration = Duration::from_secs(2);

/// How long there must be no progress before the functions are invoked by hand: more than the
/// minute between two ticks.
const QUIET: Duration = Duration::from_secs(70);

/// Two ticks of coordinator and delegate each for a response, on a busy machine.
const WITHIN: Duration = Duration::from_secs(240);

/// Polls until there is a result.
///
/// # Errors
/// If a poll fails, or there is no result before the deadline.
pub(super) fn until<T>(within: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        ensure!(
            began.elapsed() < within,
            "the condition was not met within {} seconds",
            within.as_secs()
        );
        pause(PAUSE);
    }
}

/// The program for commands to the coordinator, and the clients of the administrators of both accounts.
pub(super) struct CoordinatorCommands {
    /// The application whose status is polled.
    application: String,
    primary: Client,
    recovery: Client,
    program: Program,
    /// When the functions were last invoked by hand, or when the current wait began.
    still_since: Cell<Instant>,
}

impl CoordinatorCommands {
    /// The coordinator is in the recovery account, and the application is that of the tour.
    pub(super) fn new(primary: Client, recovery: Client, program: Program) -> Self {
        Self {
            application: "shop".to_owned(),
            primary,
            recovery,
            program,
            still_since: Cell::new(Instant::now()),
        }
    }

    /// Returns the same commands for another application.
    pub(super) fn of(&self, application: &str) -> Self {
        let mut other = Self::new(self.primary.clone(), self.recovery.clone(), self.program.clone());
        application.clone_into(&mut other.application);
        other
    }

    /// Runs `lifeboat …`, and shows the command line and what it printed.
    ///
    /// # Errors
    /// If the exit code is not the given one.
    pub(super) fn show(&self, reporter: &Reporter, line: &str, code: i32) -> Result<Output> {
        reporter.command(&format!("lifeboat {line}"));
        let said = self.program.run(line)?;
        ensure!(
            said.code == code,
            "lifeboat {line} ended with {} instead of {code}: {}{}",
            said.code,
            said.out,
            said.err
        );
        for line in said.out.lines() {
            reporter.say(&format!("    {line}"));
        }
        Ok(said)
    }

    /// Invokes the coordinator's function without the program, as any client with permission can,
    /// and returns the response.
    ///
    /// # Errors
    /// If the coordinator refuses the request.
    pub(super) fn invoke(&self, reporter: &Reporter, request: &Value) -> Result<Value> {
        reporter.command(&format!(
            "aws lambda invoke --function-name {COORDINATOR} --payload '{request}'"
        ));
        let answer = self.recovery.invoke(COORDINATOR, request)?;
        if !answer["refused"].is_null() {
            bail!("{request} was refused: {answer}");
        }
        Ok(answer)
    }

    /// Polls the status of the application until `find` returns a result.
    fn wait<T>(&self, reporter: &Reporter, mut find: impl FnMut(&Value) -> Result<Option<T>>) -> Result<T> {
        self.still_since.set(Instant::now());
        let mut before = Value::Null;
        let mut last = Value::Null;
        let found = until(WITHIN, || {
            // Exit code 11: no recovery point yet, or an issue is open.
            let line = format!("status {} --profile recovery", self.application);
            let mut status = self.program.json(&line, &[0, 11])?;
            let status = status["status"]["applications"][0].take();
            if let Some(found) = find(&status)? {
                return Ok(Some(found));
            }
            let now = progress(&status);
            if now != before {
                reporter.say(&format!("  {now}"));
                before = now;
                self.still_since.set(Instant::now());
            }
            last = status;
            self.nudge(reporter)?;
            Ok(None)
        });
        found.map_err(|error| error.context(format!("the status is {last}")))
    }

    /// Invokes every function with a tick if there is no progress. On AWS the schedules do this.
    fn nudge(&self, reporter: &Reporter) -> Result<()> {
        if self.still_since.get().elapsed() < QUIET {
            return Ok(());
        }
        reporter.say("no progress: invoking the functions directly");
        let tick = json!({"tick": {}});
        let function = |side: &str| format!("lifeboat-{}-{side}", self.application);
        self.primary.invoke(&function("primary"), &tick)?;
        self.recovery.invoke(&function("recovery"), &tick)?;
        self.recovery.invoke(COORDINATOR, &tick)?;
        self.still_since.set(Instant::now());
        Ok(())
    }

    /// Waits until there are this many issues that have a command.
    ///
    /// # Errors
    /// If the deadline passes.
    pub(super) fn issues_with_commands(&self, reporter: &Reporter, count: usize) -> Result<Vec<Value>> {
        self.wait(reporter, |status| {
            let found: Vec<Value> = list(&status["issues"])
                .iter()
                .filter(|issue| issue["command"].is_string())
                .cloned()
                .collect();
            Ok((found.len() >= count).then_some(found))
        })
    }

    /// Waits for an issue with this code and a command.
    ///
    /// # Errors
    /// If there is none at the deadline.
    pub(super) fn issue_with_command(&self, reporter: &Reporter, code: &str) -> Result<Value> {
        self.wait(reporter, |status| {
            let mut issues = list(&status["issues"]).iter();
            let found = issues.find(|issue| issue["code"] == code && issue["command"].is_string());
            Ok(found.cloned())
        })
    }

    /// Waits until none of these issues is open.
    ///
    /// # Errors
    /// If one is still open at the deadline.
    pub(super) fn closed(&self, reporter: &Reporter, issues: &[Value]) -> Result<()> {
        self.wait(reporter, |status| {
            let is_open = |issue: &Value| {
                list(&status["issues"])
                    .iter()
                    .any(|open| open["id"] == issue["id"])
            };
            Ok((!issues.iter().any(is_open)).then_some(()))
        })?;
        for issue in issues {
            reporter.say(&format!("{} closed", text(&issue["id"])));
        }
        Ok(())
    }

    /// Waits until a delegate of the primary account is registered.
    ///
    /// # Errors
    /// If it is not at the deadline.
    pub(super) fn registered(&self, reporter: &Reporter, bucket: &str, id: &str) -> Result<()> {
        let folder = format!("s3://{bucket}/delegates/");
        self.wait(reporter, |_| {
            let listed = self.primary.text(&["s3", "ls", &folder])?;
            Ok(listed.contains(&format!(" {id}.json")).then_some(()))
        })
    }

    /// Waits for a good recovery point and returns it.
    ///
    /// # Errors
    /// If there is none before the deadline.
    pub(super) fn last_good(&self, reporter: &Reporter) -> Result<Value> {
        self.wait(reporter, |status| {
            let good = &status["lastGood"];
            Ok((!good.is_null()).then(|| good.clone()))
        })
    }
}

/// Returns the parts of a status that change when there is progress.
fn progress(status: &Value) -> Value {
    let issues: Vec<&str> = list(&status["issues"])
        .iter()
        .map(|issue| text(&issue["id"]))
        .collect();
    let restores: Vec<&str> = list(&status["restores"])
        .iter()
        .map(|restore| text(&restore["state"]))
        .collect();
    json!({"backup": status["backup"]["phase"], "restores": restores, "issues": issues})
}
