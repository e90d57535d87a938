//! The coordinator, asked by `aws lambda invoke`, and waiting for what it says.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::program::{Output, Program};
use super::{list, text};
use crate::environment::{Reporter, pause};

const COORDINATOR: &str = "lifeboat-coordinator";

/// How the story's application stands.
const STATUS: &str = "status shop --profile recovery";

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);

/// How long nothing may happen before the functions are invoked by hand: a minute's tick, and some.
const QUIET: Duration = Duration::from_secs(70);

/// Two ticks of coordinator and delegate each for an answer, with a machine that is busy.
const WITHIN: Duration = Duration::from_secs(240);

/// Asks until there is an answer.
///
/// # Errors
/// If a question fails, or there is none in time.
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

/// Who asks the coordinator, and the administrators of both accounts.
pub(super) struct CoordinatorCommands {
    primary: Client,
    recovery: Client,
    program: Program,
    /// When the functions were last invoked by hand, or a wait began.
    still_since: Cell<Instant>,
}

impl CoordinatorCommands {
    /// The coordinator is in the recovery account.
    pub(super) fn new(primary: Client, recovery: Client, program: Program) -> Self {
        Self {
            primary,
            recovery,
            program,
            still_since: Cell::new(Instant::now()),
        }
    }

    /// Runs `lifeboat …`, shows the line and what it printed.
    ///
    /// # Errors
    /// If it does not end with this exit code.
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

    /// Asks without the program, as everything that can invoke a function can, and gives the answer.
    ///
    /// # Errors
    /// If it is refused.
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

    /// Waits until the status of the application says what is looked for.
    fn wait<T>(&self, reporter: &Reporter, mut find: impl FnMut(&Value) -> Result<Option<T>>) -> Result<T> {
        self.still_since.set(Instant::now());
        let mut before = Value::Null;
        let mut last = Value::Null;
        let found = until(WITHIN, || {
            // 11: nothing is protected yet, or an issue is open.
            let mut status = self.program.json(STATUS, &[0, 11])?;
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

    /// Plays the tick of every function where nothing moves: on AWS the schedules do.
    fn nudge(&self, reporter: &Reporter) -> Result<()> {
        if self.still_since.get().elapsed() < QUIET {
            return Ok(());
        }
        reporter.say("no progress: invoking the functions directly");
        let tick = json!({"tick": {}});
        self.primary.invoke("lifeboat-shop-primary", &tick)?;
        self.recovery.invoke("lifeboat-shop-recovery", &tick)?;
        self.recovery.invoke(COORDINATOR, &tick)?;
        self.still_since.set(Instant::now());
        Ok(())
    }

    /// Waits for this number of issues that have a command.
    ///
    /// # Errors
    /// If they do not come.
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

    /// Waits until none of these issues is open.
    ///
    /// # Errors
    /// If one stays.
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

    /// Waits for a good recovery point.
    ///
    /// # Errors
    /// If there is none in time.
    pub(super) fn last_good(&self, reporter: &Reporter) -> Result<Value> {
        self.wait(reporter, |status| {
            let good = &status["lastGood"];
            Ok((!good.is_null()).then(|| good.clone()))
        })
    }
}

/// The parts of a status in which something can be seen to move.
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
