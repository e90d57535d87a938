//! The plan: a value that can be printed, hashed and linted, and that leaves no decision to the code that executes
//! it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use lifeboat_model::{ObjectRef, ResourceType, TypeName, Uid};
use lifeboat_translate::identity::{Leftover, symbols_in};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rule::RuleId;
use crate::settings::Settings;
use crate::source::{Locator, SourceType};
use crate::wave::Wave;

mod document;

pub use document::ObjectDocument;

/// The version of the plan's JSON format.
pub const PLAN_FORMAT_VERSION: u32 = 1;

/// The plan of a restore. Objects are sorted in the order of execution: by wave, depth and target.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The version of the JSON format.
    pub format_version: u32,
    /// The recovery point.
    pub point: String,
    /// The cluster of the recovery point.
    pub cluster: String,
    /// The keyed digest ([`crate::Redactor`]) of the options in hexadecimal. It is keyed because patches may contain
    /// Secret values.
    pub options_digest: String,
    /// The objects that are written, kept or replaced.
    pub objects: Vec<PlannedObject>,
    /// The objects that are not restored, each with the rule; sorted by object.
    pub not_restored: Vec<NotRestored>,
    /// The number of objects of the recovery point that are not selected.
    pub unselected: u64,
    /// Every rule that had an effect, with its reason and the number of objects that it affected.
    pub rules: BTreeMap<RuleId, RuleUse>,
    /// Notes for the user that no other list contains.
    pub notes: Vec<Note>,
    /// Objects that are needed and are neither in the plan nor in the target.
    pub missing: Vec<MissingDependency>,
    /// The Pods that ran in the source, by workload. Controllers create them again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<PlannedWorkload>,
    /// Findings that only the planner can make; [`Plan::lint`] adds its own.
    #[serde(skip)]
    pub(crate) findings: Vec<crate::lint::LintFinding>,
    /// The compiled options. Patches may contain Secret values, so the options are never serialized.
    #[serde(skip)]
    pub(crate) settings: Arc<Settings>,
    /// The captured types.
    #[serde(skip)]
    pub(crate) sources: Arc<BTreeMap<TypeName, SourceType>>,
}

/// One object of the plan. Its JSON is [`ObjectDocument`].
#[derive(Debug, Clone)]
pub struct PlannedObject {
    /// The object in the target.
    pub target: ObjectRef,
    /// The object in the recovery point, if it is another one.
    pub(crate) source: Option<Box<ObjectRef>>,
    /// [`ObjectDocument::resource`].
    pub resource: Arc<ResourceType>,
    /// [`ObjectDocument::wave`].
    pub wave: Wave,
    /// [`ObjectDocument::depth`].
    pub depth: u16,
    /// [`ObjectDocument::action`].
    pub action: Action,
    /// [`ObjectDocument::preflight`].
    pub preflight: bool,
    /// [`ObjectDocument::changes`].
    pub changes: Box<[PlannedChange]>,
    /// [`ObjectDocument::owners`].
    pub owners: Box<[PlannedOwner]>,
    /// [`ObjectDocument::source_uid`].
    pub source_uid: Uid,
    /// The location of the captured bytes.
    pub locator: Locator,
    /// [`ObjectDocument::ownership`].
    pub ownership: Ownership,
    /// [`ObjectDocument::status`].
    pub status: StatusPlan,
    /// [`ObjectDocument::after`].
    pub after: Box<[Step]>,
    /// [`ObjectDocument::digest`], as bytes.
    pub digest: [u8; 32],
    /// What only few of 300,000 objects have.
    pub(crate) uncommon: Option<Box<Uncommon>>,
}

/// What only few objects of a plan have; see the methods of [`PlannedObject`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Uncommon {
    pub(crate) leftovers: Vec<Leftover>,
    pub(crate) edits: Vec<Edit>,
    pub(crate) entry_versions: Vec<EntryVersion>,
    pub(crate) awaits: Vec<ObjectRef>,
    pub(crate) deferred: Option<Deferred>,
    pub(crate) held: Option<HeldRevision>,
}

impl Uncommon {
    /// Returns the parts, if there are any.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        let is_empty = self.leftovers.is_empty()
            && self.edits.is_empty()
            && self.entry_versions.is_empty()
            && self.awaits.is_empty()
            && self.deferred.is_none()
            && self.held.is_none();
        (!is_empty).then(|| Box::new(self))
    }
}

impl PlannedObject {
    /// Returns the object in the recovery point.
    #[must_use]
    pub fn source(&self) -> &ObjectRef {
        self.source.as_deref().unwrap_or(&self.target)
    }

    /// Returns [`ObjectDocument::leftovers`].
    #[must_use]
    pub fn leftovers(&self) -> &[Leftover] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.leftovers)
    }

    /// Returns [`ObjectDocument::edits`].
    #[must_use]
    pub fn edits(&self) -> &[Edit] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.edits)
    }

    /// Returns [`ObjectDocument::entry_versions`].
    #[must_use]
    pub fn entry_versions(&self) -> &[EntryVersion] {
        self.uncommon
            .as_ref()
            .map_or(&[], |uncommon| &uncommon.entry_versions)
    }

    /// Returns [`ObjectDocument::awaits`].
    #[must_use]
    pub fn awaits(&self) -> &[ObjectRef] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.awaits)
    }

    /// Returns [`ObjectDocument::deferred`].
    #[must_use]
    pub fn deferred(&self) -> Option<&Deferred> {
        self.uncommon.as_ref()?.deferred.as_ref()
    }

    /// Returns [`ObjectDocument::held`].
    #[must_use]
    pub fn held(&self) -> Option<&HeldRevision> {
        self.uncommon.as_ref()?.held.as_ref()
    }
}

/// The former revision of a StatefulSet that its Pods below the partition run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldRevision {
    /// The ControllerRevision in the recovery point that holds the template of the revision.
    pub revision: ObjectRef,
    /// The keyed digest ([`crate::Redactor`], hexadecimal) of its data.
    pub digest: String,
    /// The location of its captured bytes.
    #[serde(skip)]
    pub locator: Locator,
}

/// Fields that are set by [`Step::SetDeferredFields`] and not when the object is created.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deferred {
    /// When they are set.
    pub until: DeferredUntil,
    /// The fields as they are in the create request.
    pub fields: Vec<Edit>,
}

/// When deferred fields are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeferredUntil {
    /// After bare Pods, claims and Ingresses, before controllers create Pods: the default among classes.
    Workloads,
    /// After the Pods of the workloads exist: the Pod Security Standard of a namespace, and a default PriorityClass that
    /// is younger than they are.
    PodsExist,
}

/// The Pods that a workload ran in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWorkload {
    /// The workload in the target.
    pub workload: ObjectRef,
    /// The number of its Pods that had not finished.
    pub pods: u32,
    /// The number of those that were ready.
    pub ready: u32,
    /// The number of its Pods of another revision than the current one.
    #[serde(skip_serializing_if = "is_zero")]
    pub older: u32,
    /// The number of Pods of each revision, if some are older than the current one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, u32>,
    /// The Pods by their shape ([`crate::shape`]).
    pub shapes: Vec<PlannedPods>,
    /// The Pods by their ordinal, of a StatefulSet whose rollout is held ([`ObjectDocument::held`]).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ordinals: BTreeMap<u32, PlannedOrdinal>,
}

/// Pods of one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedPods {
    /// The keyed digest ([`crate::Redactor`]) of the shape, in hexadecimal.
    pub shape: String,
    /// The number of Pods.
    pub pods: u32,
    /// The number of ready Pods.
    pub ready: u32,
    /// The location of one of them.
    #[serde(skip)]
    pub example: Locator,
}

/// A Pod of a StatefulSet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedOrdinal {
    /// The label of its revision.
    pub revision: String,
    /// Its shape, as in [`PlannedPods::shape`].
    pub shape: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What becomes of captured entries of `managedFields` that have a version in which they cannot be written back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryVersion {
    /// The captured `apiVersion` of the entries.
    pub from: String,
    /// The `apiVersion` in which they are written; absent if they are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The action on an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The object is created. If it exists, an earlier attempt of this run created it, and it is completed.
    Create,
    /// The object is created, or updated to the planned state if the target's own controllers created it first (the
    /// `default` ServiceAccount, the namespaces that every cluster has).
    CreateOrUpdate,
    /// The object exists and is not changed.
    Keep,
    /// The object exists and is updated to the planned state.
    Update,
    /// The object exists because the API server of the target makes it, and what the captured object adds to it is
    /// added to it. In the plan's hash the additions do not count, because an interrupted run may have made them.
    Merge,
    /// The object exists, is deleted and created again. In the plan's hash this equals `Create`.
    Recreate,
}

/// The ownership of the object's fields after the restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "owner")]
pub enum Ownership {
    /// One manager owns exactly the fields of the object, so one request with its name restores the ownership.
    Single {
        /// The `fieldManager` of the request.
        manager: Arc<str>,
        /// The operation of the manager's entry.
        operation: Operation,
    },
    /// Several managers own fields, or one owns more or fewer than those of the object. The object is created with
    /// `first` as field manager (an Update), and [`Step::SetManagedFields`] then writes
    /// [`crate::Bodies::managed_fields`].
    Several {
        /// The `fieldManager` of the create request.
        first: Arc<str>,
    },
    /// The captured object has no manager. The API server makes the creator (`lifeboat`) the owner of all fields, so
    /// that [`Step::SetManagedFields`] then removes it: a user who applies other values would get a conflict that did
    /// not exist in the source.
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
    /// Wait until the ServiceCIDR is ready, so that Services can have addresses in its ranges.
    WaitReady,
    /// Wait until the next second, because age decides between this object and one that is created after it.
    WaitSecond,
    /// The Job is created suspended: write its captured status, or the part of it that says which work is done, then
    /// set `spec.suspend` to [`crate::Bodies::suspend`].
    FinishJob,
    /// Write [`crate::Bodies::status`] to the status subresource.
    SetStatus,
    /// Merge-patch `metadata.managedFields` with [`crate::Bodies::managed_fields`]. The list `[{}]` removes all
    /// owners.
    SetManagedFields,
    /// The StatefulSet is created without Pods and with the template of a former revision ([`PlannedObject::held`]): wait
    /// until its controller has recorded that revision, then set the planned template and number of Pods.
    SetTemplate,
    /// Set the fields of [`PlannedObject::deferred`], at its time.
    SetDeferredFields,
    /// As [`Step::SetManagedFields`], but after the last wave, because the patch may need a conversion webhook, or fields
    /// are set later.
    SetManagedFieldsLast,
}

/// How the captured status is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StatusPlan {
    /// There is none, or the controllers of the target write it.
    Drop,
    /// The type has no status subresource, so the status is an ordinary field of the object.
    Field,
    /// It is written by [`Step::SetStatus`] or [`Step::FinishJob`].
    Restore,
}

/// A difference between the captured and the planned object. Values of Secrets are replaced by digests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedChange {
    /// A JSON pointer (RFC 6901).
    pub path: String,
    /// The rule; its reason is in [`Plan::rules`] and [`RuleId::reason`].
    pub rule: RuleId,
    /// The index of the patch, starting at 0, if the rule is [`RuleId::Patch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<u32>,
    /// The captured value; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The planned value; absent if the field is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// An edit that depends on more than the object itself. No edit contains a Secret value.
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
    /// Its UID in the source.
    pub source_uid: Uid,
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
    /// The rule; its reason is in [`Plan::rules`].
    pub rule: RuleId,
    /// The fact that the rule depended on, such as the owner's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The use of a rule, and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleUse {
    /// The reason, a full sentence.
    pub reason: String,
    /// The number of objects that it affected.
    pub objects: u64,
}

/// A note for the user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Note {
    /// The object in the target, if the note is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// A full sentence.
    pub text: String,
}

/// An object that planned objects need and that will not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MissingDependency {
    /// The needed object, by its name in the target.
    pub needed: ObjectRef,
    /// Whether the recovery point contains it, so that a wider selection would include it.
    pub in_point: bool,
    /// One object that needs it.
    pub example: ObjectRef,
    /// The number of objects that need it.
    pub objects: u64,
    /// How strongly they depend on it.
    pub need: Dependency,
}

/// How strongly an object depends on a missing object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dependency {
    /// The object cannot be created without it (its namespace, its CustomResourceDefinition).
    Exists,
    /// The object is created but does not work (its class, account, volume).
    Required,
    /// Something else may create it, or it is optional (a ConfigMap, a Secret).
    Optional,
}

impl Plan {
    /// Returns the hash of the plan: SHA-256 of its JSON, in hexadecimal. `Recreate` counts as `Create`, so that an
    /// interrupted run that already recreated an object produces the same hash. For the same reason the additions of
    /// [`Action::Merge`] do not count: an interrupted run that already made them finds fewer.
    #[must_use]
    pub fn hash(&self) -> String {
        crate::digest::of_serialized(&Hashed(self))
    }

    /// Returns whether the options ask for a dry run of every object ([`crate::RestoreOptions::validate`]).
    #[must_use]
    pub fn validates(&self) -> bool {
        self.settings.validate
    }

    /// Returns whether objects are translated to symbols, `${network.SubnetPrivateA}`, for what does not exist yet. Such a
    /// plan can be compared and hashed, and not be carried out.
    #[must_use]
    pub fn is_symbolic(&self) -> bool {
        self.settings.is_symbolic
    }

    /// Returns whether an object of this plan has symbols in it.
    #[must_use]
    pub fn has_symbols(&self, object: &Value) -> bool {
        self.is_symbolic() && symbols_in(&object.to_string()).next().is_some()
    }

    /// Returns the redactor of the values in this plan; the report of its restore uses it too.
    #[must_use]
    pub fn redactor(&self) -> &crate::Redactor {
        &self.settings.redactor
    }

    /// Returns the shape of Pods of the source ([`crate::shape`]) as it is in the target.
    #[must_use]
    pub fn shape_in_target(&self, shape: Value) -> Value {
        self.settings.shape_in_target(shape)
    }

    /// Returns the JSON schema of the plan.
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
        let mut hashed = serializer.serialize_struct("Plan", 11)?;
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
        hashed.serialize_field("workloads", &plan.workloads)?;
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
            Action::Merge => Cow::Owned(PlannedObject {
                changes: Box::default(),
                uncommon: object.uncommon.as_deref().cloned().and_then(|uncommon| {
                    let edits = Vec::new();
                    Uncommon { edits, ..uncommon }.boxed()
                }),
                ..object.clone()
            }),
            _ => Cow::Borrowed(object),
        }))
    }
}
