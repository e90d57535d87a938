//! The JSON of a planned object.

use std::borrow::Cow;

use lifeboat_model::{ObjectRef, ResourceType, Uid};
use lifeboat_translate::identity::Leftover;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::{Action, Deferred, Edit, EntryVersion, HeldRevision, Ownership, PlannedChange};
use super::{PlannedObject, PlannedOwner};
use super::{StatusPlan, Step};
use crate::wave::Wave;

/// One object of the plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PlannedObject")]
pub struct ObjectDocument<'a> {
    /// The object in the recovery point.
    pub source: &'a ObjectRef,
    /// The object in the target.
    pub target: &'a ObjectRef,
    /// The type and version in which the object is written to the target.
    pub resource: &'a ResourceType,
    /// The wave.
    pub wave: Wave,
    /// The depth in the wave: objects of a lower depth are created first.
    pub depth: u16,
    /// The action.
    pub action: Action,
    /// Whether the API server must accept a strict dry run (`fieldValidation=Strict`) of the object before anything
    /// is written, because it is sent in another version than it was captured in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preflight: bool,
    /// The differences from the captured object, except those of [`RuleId::ServerMetadata`] and
    /// [`RuleId::StatusDropped`], which apply to every object.
    ///
    /// [`RuleId::ServerMetadata`]: crate::RuleId::ServerMetadata
    /// [`RuleId::StatusDropped`]: crate::RuleId::StatusDropped
    #[serde(skip_serializing_if = "<[PlannedChange]>::is_empty")]
    pub changes: &'a [PlannedChange],
    /// What still names the primary after the translation; values of Secrets are digests.
    #[serde(skip_serializing_if = "<[Leftover]>::is_empty")]
    pub leftovers: &'a [Leftover],
    /// Edits that [`crate::body()`] applies after the object-local rules and patches.
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    pub edits: &'a [Edit],
    /// The owners; their references get the UIDs in the target.
    #[serde(skip_serializing_if = "<[PlannedOwner]>::is_empty")]
    pub owners: &'a [PlannedOwner],
    /// The UID in the source, by which `uids` of [`crate::body()`] looks up owners.
    pub source_uid: &'a Uid,
    /// How field ownership is restored.
    pub ownership: &'a Ownership,
    /// The versions of captured entries of `managedFields` that are not written back in the version that they have.
    #[serde(skip_serializing_if = "<[EntryVersion]>::is_empty")]
    pub entry_versions: &'a [EntryVersion],
    /// How the captured status is handled.
    pub status: StatusPlan,
    /// Workloads that must be available before the object is created: the backends of a mutating webhook. If they are
    /// not in time, the object is created in the last wave.
    #[serde(skip_serializing_if = "<[ObjectRef]>::is_empty")]
    pub awaits: &'a [ObjectRef],
    /// Fields that are set later, because they would reject or change objects that are older than they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred: Option<&'a Deferred>,
    /// The former revision that Pods of a StatefulSet run, because the rollout of the current one is held by its
    /// partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<&'a HeldRevision>,
    /// Requests that follow the create request, in order.
    #[serde(skip_serializing_if = "<[Step]>::is_empty")]
    pub after: &'a [Step],
    /// The keyed digest ([`crate::Redactor`], hexadecimal) of the body in canonical JSON, after the object-local
    /// rules and patches and before edits and owners. [`crate::body()`] rejects bytes that do not produce it.
    pub digest: String,
}

impl PlannedObject {
    /// Returns the object as it is in the JSON of the plan.
    #[must_use]
    pub fn document(&self) -> ObjectDocument<'_> {
        ObjectDocument {
            source: self.source(),
            target: &self.target,
            resource: &self.resource,
            wave: self.wave,
            depth: self.depth,
            action: self.action,
            preflight: self.preflight,
            changes: &self.changes,
            leftovers: self.leftovers(),
            edits: self.edits(),
            owners: &self.owners,
            source_uid: &self.source_uid,
            ownership: &self.ownership,
            entry_versions: self.entry_versions(),
            status: self.status,
            awaits: self.awaits(),
            deferred: self.deferred(),
            held: self.held(),
            after: &self.after,
            digest: hex::encode(self.digest),
        }
    }
}

impl Serialize for PlannedObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document().serialize(serializer)
    }
}

impl JsonSchema for PlannedObject {
    fn schema_name() -> Cow<'static, str> {
        ObjectDocument::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ObjectDocument::json_schema(generator)
    }
}
