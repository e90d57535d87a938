//! Both clusters and the documents of one restore, and the expectations that they violate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lifeboat_tests::child::Finished;
use lifeboat_tests::snapshot::{Key, Snapshot, array, text};
use serde_json::Value;

/// The violated expectations, by case.
#[derive(Default, PartialEq)]
pub(super) struct Violations(BTreeMap<&'static str, Vec<String>>);

impl Violations {
    /// Returns the expectations of one case.
    pub(super) fn of(&mut self, case: &'static str) -> Case<'_> {
        Case {
            violated: self.0.entry(case).or_default(),
        }
    }

    /// Adds violations.
    pub(super) fn extend(&mut self, more: Self) {
        for (case, violated) in more.0 {
            self.0.entry(case).or_default().extend(violated);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, violated) in &self.0 {
            if violated.is_empty() {
                writeln!(formatter, "{case}: as expected")?;
            }
            for message in violated {
                writeln!(formatter, "{case}: FAILED: {message}")?;
            }
        }
        Ok(())
    }
}

/// The expectations of one case.
pub(super) struct Case<'a> {
    violated: &'a mut Vec<String>,
}

impl Case<'_> {
    pub(super) fn expect(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.violated.push(otherwise.into());
        }
    }

    pub(super) fn equal<T: PartialEq + fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            self.violated
                .push(format!("{what} is {found:?} instead of {expected:?}"));
        }
    }

    /// Expects equal JSON.
    pub(super) fn json(&mut self, what: &str, found: &Value, expected: &Value) {
        self.expect(
            found == expected,
            format!("{what} is {found} instead of {expected}"),
        );
    }
}

/// Returns the messages of a command that failed, from the JSON on its standard error.
pub(super) fn failure(run: &Finished) -> String {
    let named = |line: &&str| {
        ["\"code\"", "\"message\"", "\"guidance\""]
            .iter()
            .any(|name| line.contains(name))
    };
    let lines: Vec<&str> = run.stderr.lines().filter(named).map(str::trim).collect();
    lines.join(" ")
}

/// One case: what its source must be, and what the restore must have done.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) source: fn(&Snapshot, &mut Case<'_>),
    pub(super) target: fn(&Outcome<'_>, &mut Case<'_>),
}

/// Both clusters after a restore, and what Lifeboat reported.
pub(super) struct Outcome<'a> {
    pub(super) source: &'a Snapshot,
    pub(super) target: &'a Snapshot,
    /// What `lifeboat show` printed.
    pub(super) shown: &'a Value,
    /// What `lifeboat plan` printed.
    pub(super) plan: &'a Value,
    /// The report that `lifeboat restore` printed; null if it printed none.
    pub(super) report: &'a Value,
    /// The exit status of `lifeboat restore`.
    pub(super) code: Option<i32>,
    /// How long `lifeboat restore` took.
    pub(super) seconds: f64,
}

impl Outcome<'_> {
    /// Returns the paths of an object's fields that the report lists as changed, without those that it cannot explain.
    pub(super) fn changed(&self, key: &Key) -> BTreeSet<&str> {
        array(self.report, "/changed")
            .filter(|entry| is(&entry["object"], key) && text(entry, "/by") != "unexplained")
            .map(|entry| text(entry, "/path"))
            .collect()
    }

    /// Returns whether the report lists a field of an object as changed: the field, a part of it, or what it is in.
    pub(super) fn lists_change(&self, key: &Key, path: &str) -> bool {
        self.changed(key)
            .iter()
            .any(|changed| inside(changed, path) || inside(path, changed))
    }

    /// Returns the findings of the plan that name an object or mention its name.
    pub(super) fn findings(&self, name: &str) -> Vec<&Value> {
        array(self.plan, "/findings")
            .filter(|finding| finding["object"]["name"] == name || text(finding, "/message").contains(name))
            .collect()
    }

    /// Returns the report's entry of a workload.
    pub(super) fn workload(&self, key: &Key) -> &Value {
        array(self.report, "/workloads")
            .find(|entry| is(&entry["object"], key))
            .unwrap_or(&Value::Null)
    }

    /// Returns the object in the target, and adds to the violations if it is missing.
    pub(super) fn restored(&self, key: &Key, case: &mut Case<'_>) -> Option<&Value> {
        let found = self.target.get(key);
        case.expect(found.is_some(), format!("{key} is missing in the target"));
        found
    }

    /// Expects a running Pod in the target.
    pub(super) fn running(&self, namespace: &str, name: &str, case: &mut Case<'_>) -> Option<&Value> {
        let pod = self.restored(&pod(namespace, name), case)?;
        case.equal(
            &format!("the phase of pod {namespace}/{name}"),
            text(pod, "/status/phase"),
            "Running",
        );
        Some(pod)
    }
}

fn inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns whether a reference of Lifeboat's documents names an object.
pub(super) fn is(reference: &Value, key: &Key) -> bool {
    text(reference, "/type") == key.type_name
        && text(reference, "/namespace") == key.namespace
        && text(reference, "/name") == key.name
}

pub(super) fn pod(namespace: &str, name: &str) -> Key {
    Key::new("pods", namespace, name)
}

/// Returns an object, or null.
pub(super) fn object<'a>(snapshot: &'a Snapshot, type_name: &str, namespace: &str, name: &str) -> &'a Value {
    snapshot
        .get(&Key::new(type_name, namespace, name))
        .unwrap_or(&Value::Null)
}

/// Returns the Pods of a namespace with the label `app`.
pub(super) fn pods_of<'a>(
    snapshot: &'a Snapshot,
    namespace: &'a str,
    app: &'a str,
) -> impl Iterator<Item = &'a Value> {
    snapshot
        .of_type("pods")
        .filter(move |(key, pod)| key.namespace == namespace && text(pod, "/metadata/labels/app") == app)
        .map(|(_, pod)| pod)
}

/// Returns how many Pods with the label `app` run.
pub(super) fn running(snapshot: &Snapshot, namespace: &str, app: &str) -> usize {
    pods_of(snapshot, namespace, app)
        .filter(|pod| text(pod, "/status/phase") == "Running")
        .count()
}

/// Returns whether a condition of an object is true.
pub(super) fn condition(object: &Value, name: &str) -> bool {
    array(object, "/status/conditions")
        .any(|entry| text(entry, "/type") == name && text(entry, "/status") == "True")
}
