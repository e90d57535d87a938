//! Reads what Lifeboat says about a restore into the audit's own words.
//!
//! Everything is read from the JSON that any user gets; none of Lifeboat's types are used, so that a
//! report that cannot be read by others cannot be read here either.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::audit::{Claims, Reason, Restored};
use crate::census::{Key, array, text};
use crate::compare::Place;

/// Reads a report.
///
/// # Errors
/// If it lacks a list, or an entry of a list names no object.
pub fn read(report: &Value) -> Result<Claims> {
    let mut claims = Claims::default();
    for list in ["restored", "changed", "notRestored", "unplanned"] {
        ensure!(report[list].is_array(), "the report has no list `{list}`");
    }
    for entry in array(report, "/restored") {
        let source = object(entry, "source")?;
        let restored = Restored {
            target: object(entry, "target").ok(),
            changes: Vec::new(),
        };
        if claims.restored.insert(source.clone(), restored).is_some() {
            claims.twice.insert(source);
        }
    }
    for entry in array(report, "/changed") {
        let source = object(entry, "source")?;
        let changes = array(entry, "/changes")
            .map(|change| {
                let why = [text(change, "/rule"), text(change, "/by")].concat();
                (Place::parse(text(change, "/path")), why)
            })
            .collect();
        let restored = Restored {
            target: object(entry, "target").ok(),
            changes,
        };
        if claims.restored.insert(source.clone(), restored).is_some() {
            claims.twice.insert(source);
        }
    }
    for entry in array(report, "/notRestored") {
        let source = object(entry, "object")?;
        let reason = Reason {
            rule: text(entry, "/rule").to_owned(),
            text: [text(entry, "/reason"), text(entry, "/detail")].join(" "),
        };
        if claims.not_restored.insert(source.clone(), reason).is_some() {
            claims.twice.insert(source);
        }
    }
    for entry in array(report, "/unplanned") {
        claims.unplanned.insert(object(entry, "object")?);
    }
    Ok(claims)
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
