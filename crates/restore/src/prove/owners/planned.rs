//! Compares the owners of fields with those of the plan.
//!
//! A difference is a field that a manager is to own and does not, and a field that the restore's own requests made
//! their manager own without a plan. What the target's controllers write is none: they own the fields that they
//! change, and the former owner loses them, as in the source.

use lifeboat_plan::{Action, Bodies, Difference, OwnerDifference, Ownership, PlannedObject, StatusPlan};
use serde_json::{Map, Value};

use super::names_element;
use crate::wire::{MANAGER, text};

/// Returns the differences of an object that this restore wrote.
pub(in crate::prove) fn differences(
    object: &PlannedObject,
    bodies: &Bodies,
    live: &Value,
) -> Vec<OwnerDifference> {
    if matches!(object.action, Action::Keep | Action::Merge) {
        return Vec::new();
    }
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut comparison = Comparison {
        creator: match &object.ownership {
            Ownership::Single { manager, .. } => manager,
            Ownership::Several { first } => first,
            Ownership::None => MANAGER,
        },
        planned: bodies.expected_entries().collect(),
        entries: entries.into_iter().flatten().collect(),
        path: Vec::new(),
        found: Vec::new(),
    };
    let values = Values {
        live: Some(live),
        planned: Some(&bodies.create),
        status: bodies.status.as_ref(),
    };
    comparison.lost(values);
    comparison.gained(values, object.status == StatusPlan::Restore);
    comparison.found
}

/// The live and the planned value of one field.
#[derive(Clone, Copy)]
struct Values<'a> {
    live: Option<&'a Value>,
    planned: Option<&'a Value>,
    /// At the root: the planned status.
    status: Option<&'a Value>,
}

impl<'a> Values<'a> {
    fn child(self, key: &str) -> Self {
        let of = |value: Option<&'a Value>| value.and_then(|value| child(value, key));
        Self {
            live: of(self.live),
            planned: of(self.planned).or(self.status.filter(|_| key == "f:status")),
            status: None,
        }
    }

    /// Returns whether the live object has the field with the planned value. Other fields cannot be owned, or have
    /// been changed since, which the comparison of the fields reports.
    fn is_as_planned(self) -> bool {
        self.live.is_some() && self.live == self.planned
    }
}

/// Returns the value that a key of a field set names.
fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match key.strip_prefix("f:") {
        Some(name) => value.get(name).filter(|value| !value.is_null()),
        None => value
            .as_array()?
            .iter()
            .find(|element| names_element(key, element)),
    }
}

type Fields = Map<String, Value>;

fn fields(entry: &Value) -> Option<&Fields> {
    entry.get("fieldsV1")?.as_object()
}

/// Returns whether a set owns a field without naming its parts. Next to parts the field itself is spelled `.`.
fn is_leaf(fields: &Fields) -> bool {
    fields.keys().all(|key| key == ".")
}

fn parts(fields: &Fields) -> impl Iterator<Item = (&String, &Fields)> {
    fields
        .iter()
        .filter(|(key, _)| *key != ".")
        .filter_map(|(key, inner)| Some((key, inner.as_object()?)))
}

fn part<'a>(fields: &'a Fields, key: &str) -> Option<&'a Fields> {
    fields.get(key)?.as_object()
}

fn is_same_manager(a: &Value, b: &Value) -> bool {
    ["/manager", "/operation", "/subresource"]
        .iter()
        .all(|key| text(a, key) == text(b, key))
}

struct Comparison<'a> {
    /// The manager of the request that created the object.
    creator: &'a str,
    planned: Vec<&'a Value>,
    entries: Vec<&'a Value>,
    /// The keys of the field that is compared.
    path: Vec<&'a str>,
    found: Vec<OwnerDifference>,
}

impl<'a> Comparison<'a> {
    /// Finds planned fields that their managers do not own.
    fn lost(&mut self, values: Values<'a>) {
        for entry in self.planned.clone() {
            let Some(wanted) = fields(entry) else { continue };
            let live = || self.entries.iter().filter(|live| is_same_manager(live, entry));
            let same_version = live().find(|live| live.get("apiVersion") == entry.get("apiVersion"));
            let owned = same_version.or(live().next()).and_then(|live| fields(live));
            if owned == Some(wanted) {
                continue;
            }
            for (key, inner) in parts(wanted) {
                self.lost_below(entry, key, inner, owned, values);
            }
        }
    }

    fn lost_below(
        &mut self,
        entry: &'a Value,
        key: &'a str,
        wanted: &'a Fields,
        owned: Option<&'a Fields>,
        values: Values<'a>,
    ) {
        let values = values.child(key);
        self.path.push(key);
        match owned.and_then(|owned| part(owned, key)) {
            None => {
                if self.any_lost(wanted, values) {
                    self.report(entry, Difference::Missing);
                }
            }
            // A list that the schema of this version treats as a whole is owned as a whole.
            Some(owned) if owned == wanted || is_leaf(owned) || is_leaf(wanted) => {}
            Some(owned) => {
                for (key, inner) in parts(wanted) {
                    self.lost_below(entry, key, inner, Some(owned), values);
                }
            }
        }
        self.path.pop();
    }

    /// Returns whether a field of a set that is not owned should be.
    fn any_lost(&mut self, wanted: &'a Fields, values: Values<'a>) -> bool {
        if is_leaf(wanted) {
            return values.is_as_planned() && !self.belongs_to_another();
        }
        parts(wanted).any(|(key, inner)| {
            self.path.push(key);
            let lost = self.any_lost(inner, values.child(key));
            self.path.pop();
            lost
        })
    }

    /// Returns whether a manager that is not to own the field has taken it, which the restore itself does not do.
    fn belongs_to_another(&self) -> bool {
        self.entries.iter().any(|live| {
            let manager = text(live, "/manager");
            let planned = self
                .planned
                .iter()
                .filter(|planned| is_same_manager(planned, live));
            manager != self.creator
                && manager != MANAGER
                && self.owns(live)
                && !planned.into_iter().any(|planned| self.owns(planned))
        })
    }

    fn owns(&self, entry: &Value) -> bool {
        let Some(mut owned) = fields(entry) else {
            return false;
        };
        for (depth, key) in self.path.iter().enumerate() {
            if depth > 0 && is_leaf(owned) {
                return true;
            }
            match part(owned, key) {
                Some(inner) => owned = inner,
                None => return false,
            }
        }
        true
    }

    /// Finds fields that the manager of the restore's requests owns without a plan. A field that the plan does not
    /// contain comes from the target: a default, or what a controller of this name wrote.
    fn gained(&mut self, values: Values<'a>, with_status: bool) {
        for entry in self.entries.clone() {
            let manager = text(entry, "/manager");
            let is_status = text(entry, "/subresource") == "status" && !with_status;
            if is_status || (manager != self.creator && manager != MANAGER) {
                continue;
            }
            let Some(owned) = fields(entry) else { continue };
            let planned = self
                .planned
                .iter()
                .filter(|planned| is_same_manager(planned, entry));
            let planned: Vec<&Fields> = planned.filter_map(|planned| fields(planned)).collect();
            if planned.contains(&owned) {
                continue;
            }
            for (key, inner) in parts(owned).filter(|(key, _)| with_status || *key != "f:status") {
                self.gained_below(entry, key, inner, &planned, values);
            }
        }
    }

    fn gained_below(
        &mut self,
        entry: &'a Value,
        key: &'a str,
        owned: &'a Fields,
        planned: &[&'a Fields],
        values: Values<'a>,
    ) {
        let values = values.child(key);
        let planned: Vec<&Fields> = planned.iter().filter_map(|planned| part(planned, key)).collect();
        self.path.push(key);
        if planned.is_empty() {
            if any_as_planned(owned, values) {
                self.report(entry, Difference::Added);
            }
        } else if !is_leaf(owned) && !planned.iter().any(|planned| is_leaf(planned)) {
            for (key, inner) in parts(owned) {
                self.gained_below(entry, key, inner, &planned, values);
            }
        }
        self.path.pop();
    }

    fn report(&mut self, entry: &Value, difference: Difference) {
        let mut path = String::new();
        for key in &self.path {
            let name = key.strip_prefix("f:").unwrap_or(key);
            path.push('/');
            path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        let mut manager = format!("{} ({}", text(entry, "/manager"), text(entry, "/operation"));
        let subresource = text(entry, "/subresource");
        if !subresource.is_empty() {
            manager.push_str(" of ");
            manager.push_str(subresource);
        }
        manager.push(')');
        self.found.push(OwnerDifference {
            path,
            manager,
            difference,
        });
    }
}

fn any_as_planned(owned: &Fields, values: Values<'_>) -> bool {
    if is_leaf(owned) {
        return values.is_as_planned();
    }
    parts(owned).any(|(key, inner)| any_as_planned(inner, values.child(key)))
}

#[cfg(test)]
mod tests;
