//! What can be wrong with an identity map.

use std::collections::BTreeMap;

use lifeboat_model::{Code, Problem};

use super::compiled::Compiled;
use super::kind::{Kind, Reach};
use super::{Identity, IdentityMap, symbol};
use crate::pointer;

/// One fault of an identity map. Its text is a full clause: what is wrong with which entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum IdentityFault {
    /// The document has another format.
    #[error("its format is {given:?}, not {}", IdentityMap::FORMAT)]
    Format {
        /// The format that it states.
        given: String,
    },
    /// The environments are in different partitions, between which no resource has a counterpart.
    #[error("{primary} and {recovery} are Regions of different partitions")]
    Partitions {
        /// The Region of the primary.
        primary: String,
        /// The Region of the recovery environment.
        recovery: String,
    },
    /// An identifier does not have the form of its kind.
    #[error("{text:?} is not valid as {}: it must be {}", name_of(*kind), kind.form())]
    Form {
        /// The kind.
        kind: Kind,
        /// The identifier.
        text: String,
    },
    /// One identifier has two counterparts.
    #[error("{from} is mapped to {first} and to {second}")]
    MappedTwice {
        /// The identifier in the primary environment.
        from: String,
        /// One counterpart.
        first: String,
        /// The other.
        second: String,
    },
    /// Two identifiers have one counterpart, so that the way back is not known.
    #[error("{first} and {second} are both mapped to {to}")]
    SameCounterpart {
        /// The counterpart.
        to: String,
        /// One identifier.
        first: String,
        /// The other.
        second: String,
    },
    /// A counterpart is itself mapped: a second translation would change it again.
    #[error("{from} is mapped to {to}, which is mapped to {then}")]
    Chained {
        /// The identifier in the primary environment.
        from: String,
        /// Its counterpart.
        to: String,
        /// What a second translation would make of the counterpart.
        then: String,
    },
    /// A counterpart names the primary.
    #[error("{from} is mapped to {to}, which names the primary by {token}")]
    CounterpartOfPrimary {
        /// The identifier in the primary environment.
        from: String,
        /// Its counterpart.
        to: String,
        /// What names the primary.
        token: String,
    },
    /// A service in `sameNames` is not of the form `service` or `service:type`.
    #[error("{given:?} in sameNames is not of the form service or service:type")]
    SameName {
        /// The text.
        given: String,
    },
    /// The path of a field is not a JSON pointer.
    #[error("{path:?} in fields is not a JSON pointer such as /spec/roleName")]
    FieldPath {
        /// The text.
        path: String,
    },
    /// A known leftover has no token or no reason.
    #[error("the leftover {token:?} needs a token and a reason")]
    Leftover {
        /// The token.
        token: String,
    },
    /// The map is larger than the search supports.
    #[error("it has too many identifiers to search for ({count})")]
    TooLarge {
        /// The number of identifiers.
        count: usize,
    },
}

impl IdentityFault {
    /// Returns the fault as it is reported.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(
            Code::IdentityMapInvalid,
            format!("the identity map is not valid: {self}"),
            self.guidance(),
        )
    }

    fn guidance(&self) -> &'static str {
        match self {
            Self::Format { .. } => "set `format` to lifeboat.dev/identities/v1",
            Self::Partitions { .. } => "use two Regions of one partition",
            Self::Form { .. } => "correct the identifier, or give it the kind that it has",
            Self::MappedTwice { .. } => "keep one of the two entries",
            Self::SameCounterpart { .. } => "give each identifier a counterpart of its own",
            Self::Chained { .. } => "map the identifier to the one that is valid in the recovery environment",
            Self::CounterpartOfPrimary { .. } => {
                "give the identifier of the resource in the recovery environment"
            }
            Self::SameName { .. } => "name services as ARNs do, such as iam:role or sqs",
            Self::FieldPath { .. } => "write the path as a JSON pointer, with * for any element or key",
            Self::Leftover { .. } => "say which identifier may stay, and why",
            Self::TooLarge { .. } => "leave out what the recovery point does not name",
        }
    }
}

fn name_of(kind: Kind) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Compiles a map.
///
/// # Errors
/// Everything that is wrong with it, sorted.
pub(super) fn compile(map: &IdentityMap) -> Result<Compiled, Vec<IdentityFault>> {
    let mut faults = of_document(map);
    faults.extend(of_entries(map));
    if faults.is_empty() {
        let Some(compiled) = Compiled::new(map) else {
            return Err(vec![IdentityFault::TooLarge {
                count: map.identities.len(),
            }]);
        };
        faults = of_results(map, &compiled);
        if faults.is_empty() {
            return Ok(compiled);
        }
    }
    faults.sort();
    faults.dedup();
    Err(faults)
}

fn of_document(map: &IdentityMap) -> Vec<IdentityFault> {
    let mut faults = Vec::new();
    if map.format != IdentityMap::FORMAT {
        faults.push(IdentityFault::Format {
            given: map.format.clone(),
        });
    }
    let (primary, recovery) = (&map.primary.region, &map.recovery.region);
    if primary.partition() != recovery.partition() {
        faults.push(IdentityFault::Partitions {
            primary: primary.to_string(),
            recovery: recovery.to_string(),
        });
    }
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let names = map.same_names.iter().flatten();
    faults.extend(
        names
            .filter(|name| name.split(':').count() > 2 || !name.split(':').all(is_word))
            .map(|name| IdentityFault::SameName { given: name.clone() }),
    );
    let paths = map.fields.iter().map(|field| &field.path);
    faults.extend(
        paths
            .filter(|path| path.is_empty() || !pointer::is_pointer(path))
            .map(|path| IdentityFault::FieldPath { path: path.clone() }),
    );
    let leftovers = map.leftovers.iter();
    faults.extend(
        leftovers
            .filter(|known| known.token.trim_matches('*').is_empty() || known.reason.trim().is_empty())
            .map(|known| IdentityFault::Leftover {
                token: known.token.clone(),
            }),
    );
    faults
}

/// The name space of an identifier: one that is recognised in every text must be unique among all of them.
fn space(kind: Kind, text: &str) -> Option<Kind> {
    (kind.reach(text) == Reach::Fields).then_some(kind)
}

fn of_entries(map: &IdentityMap) -> Vec<IdentityFault> {
    let mut faults = Vec::new();
    let mut by_old: BTreeMap<(Option<Kind>, &str), &str> = BTreeMap::new();
    let mut by_new: BTreeMap<(Kind, &str), &str> = BTreeMap::new();
    for Identity { kind, from, to } in &map.identities {
        let is_valid = |text: &&String| kind.is_form_of(text);
        let from_or_to = [from]
            .into_iter()
            .chain(Some(to).filter(|to| !symbol::is_symbol(to)));
        faults.extend(
            from_or_to
                .filter(|text| !is_valid(text))
                .map(|text| IdentityFault::Form {
                    kind: *kind,
                    text: text.clone(),
                }),
        );
        let old = by_old.insert((space(*kind, from), from), to);
        if let Some(other) = old.filter(|other| other != to) {
            faults.push(IdentityFault::MappedTwice {
                from: from.clone(),
                first: other.to_owned(),
                second: to.clone(),
            });
        }
        let new = by_new.insert((*kind, to), from);
        if let Some(other) = new.filter(|other| other != from) {
            faults.push(IdentityFault::SameCounterpart {
                to: to.clone(),
                first: other.to_owned(),
                second: from.clone(),
            });
        }
    }
    for Identity { kind, from, to } in &map.identities {
        let then = by_old.get(&(space(*kind, to), to.as_str()));
        if let Some(then) = then.filter(|then| from != to && *then != to) {
            faults.push(IdentityFault::Chained {
                from: from.clone(),
                to: to.clone(),
                then: (*then).to_owned(),
            });
        }
    }
    faults
}

/// Translates each counterpart: it must stay as it is, and must not name the primary.
fn of_results(map: &IdentityMap, compiled: &Compiled) -> Vec<IdentityFault> {
    let mut faults = Vec::new();
    for Identity { from, to, .. } in map.identities.iter().filter(|entry| entry.from != entry.to) {
        if let Some(then) = compiled.rewrite(to, &mut Vec::new()) {
            faults.push(IdentityFault::Chained {
                from: from.clone(),
                to: to.clone(),
                then,
            });
            continue;
        }
        if let Some(token) = compiled.names_primary(to) {
            faults.push(IdentityFault::CounterpartOfPrimary {
                from: from.clone(),
                to: to.clone(),
                token,
            });
        }
    }
    faults
}
