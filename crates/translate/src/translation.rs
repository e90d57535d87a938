//! What a translation is: a function from an identifier of a known kind to its new text.

use serde_json::Value;

use crate::place::{self, Family, IdentifierKind, Location};
use crate::rule::Rule;

/// Translates identifiers at known places.
pub trait Translation {
    /// Which identifiers it knows.
    fn family(&self) -> Family;

    /// Returns the new text of an identifier; `None` if it stays.
    fn translate(&self, kind: IdentifierKind, text: &str) -> Option<Translated>;
}

/// The new text of an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The text in the target.
    pub to: String,
    /// The rule that knows it.
    pub rule: Rule,
}

/// An identifier that was rewritten.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rewritten {
    /// The location, as a JSON pointer.
    pub path: String,
    /// The text before the change.
    pub from: String,
    /// The text after the change.
    pub to: String,
    /// The rule.
    pub rule: Rule,
}

/// Rewrites the identifiers at the known places of an object of the given type.
pub fn at_places(
    translation: &dyn Translation,
    group: &str,
    resource: &str,
    object: &mut Value,
) -> Vec<Rewritten> {
    let mut rewritten = Vec::new();
    place::visit(
        translation.family(),
        (group, resource),
        object,
        &mut |at, kind, value| {
            replace(translation, at, kind, value, &mut rewritten);
        },
    );
    rewritten
}

/// Rewrites the identifier that a value holds.
pub(crate) fn replace(
    translation: &dyn Translation,
    at: &Location<'_>,
    kind: IdentifierKind,
    value: &mut Value,
    rewritten: &mut Vec<Rewritten>,
) {
    let Some(Translated { to, rule }) = value.as_str().and_then(|text| translation.translate(kind, text))
    else {
        return;
    };
    if let Value::String(from) = std::mem::replace(value, Value::String(to.clone())) {
        rewritten.push(Rewritten {
            path: at.pointer(),
            from,
            to,
            rule,
        });
    }
}
