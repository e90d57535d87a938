//! What names the primary in the target after a restore: in restored objects, and in all others.

use std::collections::BTreeSet;

use lifeboat_model::{ObjectRef, ResourceType};
use lifeboat_translate::identity::{Leftover, LeftoverKind};
use lifeboat_translate::pointer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::prepare::identities::Translator;
use crate::{Action, Plan, PlannedObject, SourceType};

/// The number of leftovers that a report lists, of restored objects and of others. All are counted.
const MOST_LISTED: usize = 1_000;

/// An identifier of the primary in an object of the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetLeftover {
    /// The object in the target.
    pub object: ObjectRef,
    /// Whether the restore wrote the object. Others were there before, or controllers of the target made them.
    pub restored: bool,
    /// The location, as a JSON pointer. If a key contains the identifier, that of its value.
    pub path: String,
    /// The ARN, URL, host name or token; in Secrets a digest of it.
    pub token: String,
    /// What of the primary it names.
    pub kind: LeftoverKind,
    /// Why it may stay, if the identity map declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The leftovers of objects of the target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetLeftovers {
    restored: Listed,
    others: Listed,
}

/// The leftovers of one sort of objects. The first in the order of the report are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Listed {
    list: BTreeSet<TargetLeftover>,
    /// Those that the identity map does not declare.
    undeclared: u64,
}

impl Listed {
    fn add(&mut self, one: TargetLeftover) {
        self.undeclared += u64::from(one.reason.is_none());
        self.list.insert(one);
        while self.list.len() > MOST_LISTED {
            self.list.pop_last();
        }
    }

    fn merge(&mut self, other: Self) {
        let undeclared = self.undeclared + other.undeclared;
        other.list.into_iter().for_each(|one| self.add(one));
        self.undeclared = undeclared;
    }
}

impl TargetLeftovers {
    /// Adds what others have found.
    pub fn merge(&mut self, other: Self) {
        self.restored.merge(other.restored);
        self.others.merge(other.others);
    }

    /// Returns the number of leftovers in restored objects that the identity map does not declare.
    #[must_use]
    pub fn in_restored(&self) -> u64 {
        self.restored.undeclared
    }

    /// Returns the number of leftovers in other objects that the identity map does not declare.
    #[must_use]
    pub fn in_others(&self) -> u64 {
        self.others.undeclared
    }

    /// Returns those that are listed, sorted.
    #[must_use]
    pub fn into_list(self) -> Vec<TargetLeftover> {
        let mut list: Vec<TargetLeftover> = self.restored.list.into_iter().chain(self.others.list).collect();
        list.sort();
        list
    }
}

impl Plan {
    /// Whether the plan has an identity map, so that something can name the primary.
    #[must_use]
    pub fn has_identities(&self) -> bool {
        !self.settings.identities.is_empty()
    }

    /// Whether an object of the target can name the primary, by its bytes. If not, [`Plan::find_leftovers`] finds
    /// nothing.
    #[must_use]
    pub fn may_name_primary(&self, resource: &ResourceType, raw: &[u8]) -> bool {
        let names = (resource.group.as_str(), resource.resource.as_str());
        self.settings.identities.may_be_named_in(names, raw)
    }

    /// Finds what names the primary in an object of the target, by the identity map of the plan. `planned` is the object
    /// of the plan that it is, if it is one.
    ///
    /// Ids that the map does not list are those of the target, unless the plan lists them as leftovers at the same
    /// place: controllers write ids of what they make.
    pub fn find_leftovers(
        &self,
        resource: &ResourceType,
        planned: Option<&PlannedObject>,
        mut live: Value,
        found: &mut TargetLeftovers,
    ) {
        pointer::remove(&mut live, "/metadata/managedFields");
        let name = resource.name();
        let derived;
        let r#type = match self.sources.get(&name) {
            Some(known) => known,
            None => {
                derived = type_of(resource);
                &derived
            }
        };
        // The conditions of declared leftovers name the source.
        let mut subject = live.clone();
        if let Some(source) = planned.map(PlannedObject::source) {
            pointer::set(&mut subject, "/metadata/name", source.name.to_string().into());
            if let Some(namespace) = &source.namespace {
                pointer::set(&mut subject, "/metadata/namespace", namespace.to_string().into());
            }
        }
        let leftovers = Translator::new(&self.settings, r#type, &subject).leftovers(&live);
        let restored = planned.is_some_and(|planned| planned.action != Action::Keep);
        let is_planned = |leftover: &Leftover| {
            planned.is_some_and(|planned| planned.leftovers().iter().any(|one| one.path == leftover.path))
        };
        let object = ObjectRef::new(
            name,
            pointer::text(&live, "/metadata/namespace"),
            pointer::text(&live, "/metadata/name").unwrap_or_default(),
        );
        let list = match restored {
            true => &mut found.restored,
            false => &mut found.others,
        };
        for leftover in leftovers {
            if leftover.kind == LeftoverKind::UnknownId && !is_planned(&leftover) {
                continue;
            }
            let Leftover {
                path,
                token,
                kind,
                reason,
            } = leftover;
            list.add(TargetLeftover {
                object: object.clone(),
                restored,
                path,
                token,
                kind,
                reason,
            });
        }
    }
}

/// Returns a type that the recovery point does not have.
fn type_of(resource: &ResourceType) -> SourceType {
    SourceType {
        resource: resource.clone(),
        singular: resource.kind.to_ascii_lowercase(),
        short_names: Vec::new(),
        verbs: Vec::new(),
        served_versions: vec![resource.version.clone()],
        custom: false,
    }
}
