//! What a command used: the seconds of each phase, and memory. The benchmark reads these values.

use std::collections::BTreeMap;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::memory;

/// What a command took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// Seconds of each phase, and `total`, by the monotonic clock.
    pub seconds: BTreeMap<String, f64>,
    /// The peak of resident memory in bytes, where the system says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

/// Measures consecutive phases.
#[derive(Debug)]
pub struct Stopwatch {
    begun: Instant,
    lap: Instant,
    seconds: BTreeMap<String, f64>,
}

impl Stopwatch {
    /// Starts the first phase.
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            lap: now,
            seconds: BTreeMap::new(),
        }
    }

    /// Ends a phase and starts the next one. The times of phases with the same name are added.
    pub fn lap(&mut self, phase: &str) {
        let now = Instant::now();
        *self.seconds.entry(phase.to_owned()).or_default() += now.duration_since(self.lap).as_secs_f64();
        self.lap = now;
    }

    /// Returns what was measured so far.
    #[must_use]
    pub fn finish(&self) -> Measured {
        let mut seconds = self.seconds.clone();
        seconds.insert("total".to_owned(), self.begun.elapsed().as_secs_f64());
        Measured {
            seconds,
            peak_memory_bytes: memory::peak_bytes(),
        }
    }
}
