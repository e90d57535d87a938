//! The plan: a value that can be printed, hashed and linted, and that leaves no choice to whoever
//! carries it out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use lifeboat_model::{ObjectRef, ResourceType, TypeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rule::RuleId;
use crate::settings::Settings;
use crate::source::{Locator, SourceType};
use crate::wave::Wave;

/// The version of the plan's JSON form.
pub const PLAN_FORMAT_VERSION: u32 = 1;

/// What a restore does. Objects stand in the order of execution: by wave, depth and target.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The version of this form.
    pub format_version: u32,
    /// The recovery point.
    pub point: String,
    /// The cluster of the recovery point.
    pub cluster: String,
    /// A keyed digest ([`crate::Redactor`]) of the options, in hexadecimal: patches may hold Secret values.
    pub options_digest: String,
    /// What is written, kept or replaced.
    pub objects: Vec<PlannedObject>,
    /// What is not restored, with the rule; sorted by object.
    pub not_restored: Vec<NotRestored>,
    /// How many objects of the recovery point the selection did not take.
    pub unselected: u64,
    /// Every rule that did something, with its reason and the number of objects it touched.
    pub rules: BTreeMap<RuleId, RuleUse>,
    /// What a reader should know and no other list says.
    pub notes: Vec<Note>,
    /// What is needed and neither in the plan nor in the target.
    pub missing: Vec<MissingDependency>,
    /// Findings that only the planner could make; [`Plan::lint`] adds its own.
    #[serde(skip)]
    pub(crate) findings: Vec<crate::lint::LintFinding>,
    /// The compiled options; patches may hold Secret values, so they are never part of the text.
    #[serde(skip)]
    pub(crate) settings: Arc<Settings>,
    /// The captured types.
    #[serde(skip)]
    pub(crate) sources: Arc<BTreeMap<TypeName, SourceType>>,
}

/// One object of the plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedObject {
    /// The object in the recovery point.
    pub source: ObjectRef,
    /// The object in the target.
    pub target: ObjectRef,
    /// The type and version that the target is asked for.
    #[serde(serialize_with = "crate::planned::serialize_shared")]
    #[schemars(with = "ResourceType")]
    pub resource: Arc<ResourceType>,
    /// The wave.
    pub wave: Wave,
    /// The place inside the wave: everything of a lower depth is there before.
    pub depth: u16,
    /// What is done.
    pub action: Action,
    /// Whether the server must accept a strict dry run (`fieldValidation=Strict`) of it before
    /// anything is written, because it is sent in another version than it was captured in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preflight: bool,
    /// What differs from the captured object, beyond what [`RuleId::ServerMetadata`] and
    /// [`RuleId::StatusDropped`] say about every object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PlannedChange>,
    /// Edits that [`crate::body()`] applies after the object-local rules and patches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The owners, which get their new uids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<PlannedOwner>,
    /// The uid in the source; `uids` of [`crate::body()`] is asked by it.
    pub source_uid: String,
    /// Where the bytes are.
    #[serde(skip)]
    pub locator: Locator,
    /// Who owns the fields.
    pub ownership: Ownership,
    /// What becomes of the captured status.
    pub status: StatusPlan,
    /// Requests that follow the first one, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Step>,
    /// A keyed digest ([`crate::Redactor`], hexadecimal) of the body after the object-local rules and patches, in canonical JSON,
    /// before edits and owners; [`crate::body()`] refuses bytes that do not lead to it.
    pub digest: String,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is created. That it exists can only mean that this run made it: then it is completed.
    Create,
    /// It is created, or brought to the planned state where the target's own controllers were faster
    /// (the `default` ServiceAccount, the namespaces that every cluster has).
    CreateOrUpdate,
    /// It exists and stays as it is.
    Keep,
    /// It exists and is changed to the planned state.
    Update,
    /// It exists, is deleted and created anew. In the plan's hash this is the same as `Create`.
    Recreate,
}

/// Who owns the fields of the object after the restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "owner")]
pub enum Ownership {
    /// One manager owns everything: one request in its name gives the same ownership. What nobody owned
    /// beside it (finalizers that admission added) belongs to an Update's manager afterwards too.
    Single {
        /// The `fieldManager` of the request.
        manager: String,
        /// How it owns.
        operation: Operation,
    },
    /// The captured entries are written back: the object is created as `first` (an Update), and
    /// [`Step::SetManagedFields`] follows with [`crate::Bodies::managed_fields`].
    Several {
        /// The `fieldManager` of the creating request.
        first: String,
    },
    /// The captured object names no owner. The server makes the creator one, so that fields which
    /// nobody owned belong to `lifeboat` (an Update) afterwards; who applies other values to them meets a
    /// conflict that the source did not have.
    None,
}

/// The operations of `managedFields`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operation {
    /// Create, update or patch.
    Update,
    /// Server-side apply.
    Apply,
}

/// A request that follows the one that creates the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Wait until the CustomResourceDefinition is established and its types are served.
    WaitEstablished,
    /// The created Job is suspended: write its captured status, then set `spec.suspend` to what
    /// [`crate::Bodies::suspend`] says.
    FinishJob,
    /// Write [`crate::Bodies::status`] to the status subresource.
    SetStatus,
    /// Merge-patch `metadata.managedFields` with [`crate::Bodies::managed_fields`].
    SetManagedFields,
    /// The same, after the last wave, because the patch may need a conversion webhook.
    SetManagedFieldsLast,
}

/// What becomes of the captured status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StatusPlan {
    /// It is left to the controllers of the target (or there is none).
    Drop,
    /// The type has no status subresource: it is an ordinary field of the object.
    Field,
    /// It is written by [`Step::SetStatus`] or [`Step::FinishJob`].
    Restore,
}

/// A difference between the captured and the planned object. Values of Secrets are digests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedChange {
    /// A JSON pointer (RFC 6901).
    pub path: String,
    /// The rule; its reason stands in [`Plan::rules`] and behind [`RuleId::reason`].
    pub rule: RuleId,
    /// The number of the patch, from 0, where the rule is [`RuleId::Patch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<u32>,
    /// The captured value; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The planned value; absent where the field is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// An edit that depended on more than the object itself. No edit carries a Secret value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// A JSON pointer.
    pub path: String,
    /// The value to set; absent to remove the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// An owner that is restored too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedOwner {
    /// The owner in the target.
    pub owner: ObjectRef,
    /// Its uid in the source.
    pub source_uid: String,
    /// The `apiVersion` of the reference.
    pub api_version: String,
    /// The kind of the owner.
    pub kind: String,
    /// `controller` of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// `blockOwnerDeletion` of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// An object of the recovery point that is not restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotRestored {
    /// The object in the recovery point.
    pub object: ObjectRef,
    /// The rule; its reason stands in [`Plan::rules`].
    pub rule: RuleId,
    /// What the rule depended on, such as the owner's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How often a rule was used, and why it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleUse {
    /// The reason, a full sentence.
    pub reason: String,
    /// The number of objects.
    pub objects: u64,
}

/// Something that a reader should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Note {
    /// The object in the target, where the note is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// A full sentence.
    pub text: String,
}

/// Something that planned objects need and that will not be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MissingDependency {
    /// What is needed, as it is called in the target.
    pub needed: ObjectRef,
    /// Whether the recovery point holds it, so that a wider selection would bring it.
    pub in_point: bool,
    /// One object that needs it.
    pub example: ObjectRef,
    /// How many objects need it.
    pub objects: u64,
    /// How much depends on it.
    pub need: Dependency,
}

/// How much depends on a missing dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dependency {
    /// The object cannot be created without it (its namespace, its CustomResourceDefinition).
    Exists,
    /// The object is created but does not work (its class, account, volume).
    Required,
    /// It may be made by something else, or is optional (a ConfigMap, a Secret).
    Optional,
}

impl Plan {
    /// The hash of the plan: SHA-256 of its JSON, in hexadecimal. `Recreate` counts as `Create`, so that
    /// an interrupted run which already created an object anew plans the same.
    #[must_use]
    pub fn hash(&self) -> String {
        crate::digest::of_serialized(&Hashed(self))
    }

    /// What makes the digests that stand for values in this plan; the report of its restore uses it too.
    #[must_use]
    pub fn redactor(&self) -> &crate::Redactor {
        &self.settings.redactor
    }

    /// The JSON schema of the plan.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

/// The plan as it is hashed.
struct Hashed<'a>(&'a Plan);

impl Serialize for Hashed<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let plan = self.0;
        let rules: BTreeMap<&RuleId, &RuleUse> = plan
            .rules
            .iter()
            .filter(|(rule, _)| **rule != RuleId::ExistingRecreated)
            .collect();
        let mut hashed = serializer.serialize_struct("Plan", 10)?;
        hashed.serialize_field("formatVersion", &plan.format_version)?;
        hashed.serialize_field("point", &plan.point)?;
        hashed.serialize_field("cluster", &plan.cluster)?;
        hashed.serialize_field("optionsDigest", &plan.options_digest)?;
        hashed.serialize_field("objects", &HashedObjects(&plan.objects))?;
        hashed.serialize_field("notRestored", &plan.not_restored)?;
        hashed.serialize_field("unselected", &plan.unselected)?;
        hashed.serialize_field("rules", &rules)?;
        hashed.serialize_field("notes", &plan.notes)?;
        hashed.serialize_field("missing", &plan.missing)?;
        hashed.end()
    }
}

struct HashedObjects<'a>(&'a [PlannedObject]);

impl Serialize for HashedObjects<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|object| match object.action {
            Action::Recreate => Cow::Owned(PlannedObject {
                action: Action::Create,
                ..object.clone()
            }),
            _ => Cow::Borrowed(object),
        }))
    }
}

pub(crate) fn serialize_shared<S: serde::Serializer>(
    shared: &Arc<ResourceType>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    shared.serialize(serializer)
}
