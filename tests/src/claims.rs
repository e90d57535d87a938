//! Converts Lifeboat's report of a restore to the audit's own types.
//!
//! Everything is read from the JSON that every user gets. None of Lifeboat's types are used, so
//! that a report that other programs cannot read cannot be read here either.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::audit::{Change, Claims, Reason, Restored};
use crate::compare::Place;
use crate::snapshot::{Key, array, text};

/// Reads a report.
///
/// # Errors
/// If a list is missing, or an entry of a list names no object.
pub fn read(report: &Value) -> Result<Claims> {
    let mut claims = Claims::default();
    for list in ["restored", "changed", "notRestored", "unplanned"] {
        ensure!(report[list].is_array(), "the report has no list `{list}`");
    }
    let mut changes: BTreeMap<Key, Vec<Change>> = BTreeMap::new();
    for entry in array(report, "/changed") {
        // An entry that the report itself cannot explain does not count as an explanation. Another version of an entry
        // of managedFields explains no other owner.
        let explains = !matches!(text(entry, "/by"), "unexplained" | "ownership");
        if explains && text(entry, "/rule") != "ownership-version" {
            changes.entry(object(entry, "object")?).or_default().push(Change {
                place: Place::parse(text(entry, "/path")),
                planned: matches!(text(entry, "/by"), "rule" | "patch" | "existing"),
            });
        }
    }
    for entry in array(report, "/restored") {
        let target = object(entry, "object")?;
        let source = match entry["source"].is_null() {
            true => target.clone(),
            false => object(entry, "source")?,
        };
        let restored = Restored {
            changes: changes.remove(&target).unwrap_or_default(),
            target: Some(target),
        };
        if claims.restored.insert(source.clone(), restored).is_some() {
            claims.twice.insert(source);
        }
    }
    ensure!(
        changes.is_empty(),
        "the report names changes of objects that it does not call restored: {:?}",
        changes.keys().map(ToString::to_string).collect::<Vec<_>>()
    );
    for entry in array(report, "/notRestored") {
        let source = object(entry, "object")?;
        let rule = text(entry, "/rule");
        let reason = Reason {
            rule: rule.to_owned(),
            text: reason_of(report, entry),
        };
        if claims.not_restored.insert(source.clone(), reason).is_some() {
            claims.twice.insert(source);
        }
    }
    for entry in array(report, "/workloads").filter(|entry| entry["state"] != "same") {
        claims.differing.insert(object(entry, "object")?);
    }
    for entry in array(report, "/unplanned") {
        claims.unplanned.insert(object(entry, "object")?);
    }
    Ok(claims)
}

/// Returns why an object is not restored: the reason of the rule, and what the rule depended on.
#[must_use]
pub fn reason_of(report: &Value, entry: &Value) -> String {
    let rule = text(entry, "/rule");
    let reason = report["rules"][rule]["reason"].as_str().unwrap_or(rule);
    match text(entry, "/why") {
        "" => reason.to_owned(),
        why => format!("{reason} {why}").trim().to_owned(),
    }
}

fn object(entry: &Value, field: &str) -> Result<Key> {
    let named = &entry[field];
    ensure!(
        named.is_object(),
        "an entry of the report has no `{field}`: {entry}"
    );
    let type_name = named["type"].as_str().context("an object without a type")?;
    let name = named["name"].as_str().context("an object without a name")?;
    Ok(Key::new(type_name, text(named, "/namespace"), name))
}
