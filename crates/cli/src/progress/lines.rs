//! Progress as lines, for the logs of pipelines: one when a phase begins, one every few seconds, one when it ends.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Phase, Renderer, Unit};
use crate::output::human;

/// The least time between two lines of a phase: short enough to show that the command is running, long enough for a
/// log.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

struct State {
    unit: Unit,
    total: Option<u64>,
    done: u64,
    at: String,
    begun: Instant,
    shown: Instant,
}

/// Writes one line per event to show.
pub(super) struct Lines {
    phases: Mutex<BTreeMap<Phase, State>>,
    out: Box<dyn Fn(&str) + Send + Sync>,
}

impl Lines {
    /// Creates a renderer that writes to standard error.
    pub(super) fn to_stderr() -> Self {
        Self::new(|line| {
            // There is no other place to report an error of standard error.
            drop(writeln!(std::io::stderr().lock(), "{line}"));
        })
    }

    fn new(out: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            phases: Mutex::new(BTreeMap::new()),
            out: Box::new(out),
        }
    }
}

impl State {
    fn amount(&self) -> String {
        let shown = |number| match self.unit {
            Unit::Bytes => human::bytes(number),
            Unit::Objects | Unit::Types => human::count(number),
        };
        let unit = match self.unit {
            Unit::Objects => " objects",
            Unit::Types => " types",
            Unit::Bytes => "",
        };
        match self.total {
            Some(total) if total != self.done => format!("{} of {}{unit}", shown(self.done), shown(total)),
            _ => format!("{}{unit}", shown(self.done)),
        }
    }
}

impl Renderer for Lines {
    fn event(&self, event: &Event) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match event {
            Event::Begun(phase, unit, total) => {
                let state = State {
                    unit: *unit,
                    total: *total,
                    done: 0,
                    at: String::new(),
                    begun: now,
                    shown: now,
                };
                phases.insert(*phase, state);
                (self.out)(&format!("{} ...", phase.title()));
            }
            Event::Total(phase, total) => {
                if let Some(state) = phases.get_mut(phase) {
                    state.total = Some(*total);
                }
            }
            Event::At(phase, text) => {
                if let Some(state) = phases.get_mut(phase) {
                    state.at.clone_from(text);
                }
            }
            Event::Advanced(phase, by) => {
                if let Some(state) = phases.get_mut(phase) {
                    state.done += by;
                    if now.duration_since(state.shown) >= BETWEEN_LINES {
                        state.shown = now;
                        let at = if state.at.is_empty() { "" } else { ", at " };
                        (self.out)(&format!("{}: {}{at}{}", phase.title(), state.amount(), state.at));
                    }
                }
            }
            Event::Ended(phase) => {
                if let Some(state) = phases.remove(phase) {
                    let took = human::seconds(now.duration_since(state.begun).as_secs_f64());
                    let amount = if state.done == 0 {
                        "done".to_owned()
                    } else {
                        state.amount()
                    };
                    (self.out)(&format!("{}: {amount} in {took}", phase.title()));
                }
            }
            Event::Note(text) | Event::Warning(text) => (self.out)(text),
        }
    }

    fn suspended(&self, write: &mut dyn FnMut()) {
        write();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_phase_is_two_lines_however_often_it_advances() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let lines = Lines::new({
            let written = Arc::clone(&written);
            move |line| written.lock().expect("no panic").push(line.to_owned())
        });
        lines.event(&Event::Begun(Phase::Apply, Unit::Objects, Some(1200)));
        for _ in 0..1000 {
            lines.event(&Event::Advanced(Phase::Apply, 1));
        }
        lines.event(&Event::Ended(Phase::Apply));
        lines.event(&Event::Advanced(Phase::Proof, 1));
        let written = written.lock().expect("no panic");
        assert_eq!(written.len(), 2, "{written:?}");
        assert_eq!(written[0], "restoring ...");
        assert!(
            written[1].starts_with("restoring: 1,000 of 1,200 objects in 0."),
            "{}",
            written[1]
        );
    }
}
