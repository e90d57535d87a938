//! The environment variables of a function, parsed to values. All problems are reported at once.

use std::collections::BTreeMap;

/// A source of strings by name.
pub trait Strings {
    /// Returns the value of a name, if there is one and it is not empty.
    fn get(&self, name: &str) -> Option<String>;
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name).filter(|value| !value.is_empty()).cloned()
    }
}

/// All the problems of a function's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the function's configuration: {}", .problems.join("; "))]
pub struct ConfigurationError {
    /// Each problem, with the name of its variable.
    pub problems: Vec<String>,
}

/// Parses a required variable. If it is missing or cannot be parsed, adds the problem to `problems`.
pub fn wanted<T, E: std::fmt::Display>(
    strings: &dyn Strings,
    name: &str,
    problems: &mut Vec<String>,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Option<T> {
    let Some(text) = strings.get(name) else {
        problems.push(format!("{name} is not set"));
        return None;
    };
    match parse(text) {
        Ok(value) => Some(value),
        Err(problem) => {
            problems.push(format!("{name}: {problem}"));
            None
        }
    }
}
