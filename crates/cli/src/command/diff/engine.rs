//! Pairs the objects of two sides and compares those whose bytes differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use lifeboat_capture::BatchSink;
use lifeboat_format::manifest::{ClusterRecord, TypeOutcome, TypeRecord};
use lifeboat_format::{Batch, Decompressor, IndexEntry, LineDigest};
use lifeboat_model::{Code, ErrorKind, ObjectRef, TypeName};
use lifeboat_plan::{FieldDifference, Redactor, compare, compare_whole};
use lifeboat_recovery_point::writer::WriteError;
use lifeboat_recovery_point::{Index, Progress, ReadablePoint};
use lifeboat_restore::execute::{CachedFrames, ObjectSource, PointFrames, SourceError};
use lifeboat_restore::recover;
use serde_json::Value;

use super::{ChangedObject, DiffDocument, NotCompared, owners};
use crate::failure::Failure;

/// Types whose objects change continuously without a change by a user.
const VOLATILE: [&str; 3] = ["leases.coordination.k8s.io", "events", "events.events.k8s.io"];

/// What is compared.
pub(super) struct Scope {
    pub(super) namespaces: Vec<String>,
    pub(super) types: Vec<TypeName>,
    pub(super) status: bool,
    pub(super) owners: bool,
    pub(super) full: bool,
    pub(super) volatile: bool,
}

impl Scope {
    fn takes_type(&self, name: &TypeName) -> bool {
        (self.types.is_empty() || self.types.contains(name))
            && (self.volatile || self.types.contains(name) || !VOLATILE.contains(&name.as_str()))
    }

    fn takes_namespace(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|wanted| wanted == namespace)
    }
}

/// The frame and the position of an object of the left side, and its digest.
type ObjectPosition = (u32, u32, LineDigest);

/// The objects of one type, by namespace (empty for cluster-scoped objects), then by name.
type Objects<'a> = HashMap<&'a str, HashMap<&'a str, ObjectPosition>>;

/// The objects of the left side, and the differences found so far.
pub(super) struct Engine<'a> {
    left: CachedFrames<PointFrames<'a>>,
    /// Objects of the left side that were not yet found on the right side.
    unmatched: BTreeMap<TypeName, Objects<'a>>,
    /// The outcome of each type on the left side.
    outcomes: BTreeMap<TypeName, TypeOutcome>,
    scope: Scope,
    /// Uses the key of the left side for both sides, so that equal values are shown as equal.
    redactor: Redactor,
    added: BTreeSet<ObjectRef>,
    changed: BTreeMap<ObjectRef, Vec<FieldDifference>>,
    unchanged: u64,
    not_compared: BTreeSet<NotCompared>,
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        point: &'a ReadablePoint,
        index: &'a Index,
        record: &ClusterRecord,
        scope: Scope,
    ) -> Self {
        let mut unmatched: BTreeMap<TypeName, Objects<'_>> = BTreeMap::new();
        for located in index.iter() {
            if scope.takes_type(located.type_name) && scope.takes_namespace(&located.entry.namespace) {
                unmatched
                    .entry(located.type_name.clone())
                    .or_default()
                    .entry(located.entry.namespace.as_str())
                    .or_default()
                    .insert(
                        located.entry.name.as_str(),
                        (located.frame, located.position, located.entry.digest),
                    );
            }
        }
        Self {
            left: CachedFrames::new(PointFrames::new(point, index.frame_refs())),
            unmatched,
            outcomes: record
                .types
                .iter()
                .map(|each| (each.name(), each.outcome.clone()))
                .collect(),
            scope,
            redactor: recover::redactor(point),
            added: BTreeSet::new(),
            changed: BTreeMap::new(),
            unchanged: 0,
            not_compared: BTreeSet::new(),
        }
    }

    /// Pairs an object of the right side with that of the left side. Returns the place of the left object if there is
    /// one and its bytes differ.
    fn pair(&mut self, r#type: &TypeName, entry: &IndexEntry) -> Option<ObjectPosition> {
        if !self.scope.takes_type(r#type) || !self.scope.takes_namespace(&entry.namespace) {
            return None;
        }
        let found = self
            .unmatched
            .get_mut(r#type)
            .and_then(|objects| objects.get_mut(entry.namespace.as_str()))
            .and_then(|objects| objects.remove(entry.name.as_str()));
        match found {
            Some((_, _, digest)) if digest == entry.digest => {
                self.unchanged += 1;
                None
            }
            Some(place) => Some(place),
            None => {
                self.add(r#type, entry);
                None
            }
        }
    }

    fn add(&mut self, r#type: &TypeName, entry: &IndexEntry) {
        let why = match self.outcomes.get(r#type) {
            Some(TypeOutcome::Listed { .. }) | None => None,
            Some(TypeOutcome::Failed { .. }) => Some("could not be read when the left side was captured"),
            Some(TypeOutcome::Excluded { .. } | TypeOutcome::SameAs { .. }) => {
                Some("is not in the left side")
            }
        };
        match why {
            Some(why) => self.not_compared(r#type, why),
            None => {
                self.added.insert(reference(r#type, entry));
            }
        }
    }

    fn not_compared(&mut self, r#type: &TypeName, why: &str) {
        self.not_compared.insert(NotCompared {
            what: r#type.to_string(),
            why: why.to_owned(),
        });
    }

    async fn compare(
        &mut self,
        r#type: &TypeName,
        entry: &IndexEntry,
        place: ObjectPosition,
        right: &[u8],
    ) -> Result<(), Failure> {
        let (frame, position, _) = place;
        let left = self
            .left
            .object(frame, position)
            .await
            .map_err(|error| unreadable(&error))?;
        let mut left = parse(&left)?;
        let right = parse(right)?;
        if !self.scope.status
            && let Some(object) = left.as_object_mut()
        {
            object.remove("status");
        }
        let mut fields = match self.scope.full {
            true => compare_whole(&left, &right, &self.redactor),
            false => compare(&left, &right, &self.redactor),
        };
        if self.scope.owners {
            fields.extend(owners::differences(&left, &right));
        }
        if fields.is_empty() {
            self.unchanged += 1;
        } else {
            self.changed.insert(reference(r#type, entry), fields);
        }
        Ok(())
    }

    /// Compares with another recovery point.
    pub(super) async fn with_point(
        &mut self,
        point: &ReadablePoint,
        record: &ClusterRecord,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        let index = point.index_with(&record.name, progress).await?;
        let right = CachedFrames::new(PointFrames::new(point, index.frame_refs()));
        for located in index.iter() {
            if let Some(place) = self.pair(located.type_name, located.entry) {
                let raw = right
                    .object(located.frame, located.position)
                    .await
                    .map_err(|error| unreadable(&error))?;
                self.compare(located.type_name, located.entry, place, &raw)
                    .await?;
            }
        }
        self.judge_types(&record.types);
        Ok(())
    }

    /// Removes types that the right side could not list or that its filters exclude: their objects are not reported as
    /// removed.
    pub(super) fn judge_types(&mut self, right: &[TypeRecord]) {
        for record in right {
            let name = record.name();
            let why = match &record.outcome {
                TypeOutcome::Listed { .. } | TypeOutcome::SameAs { .. } => continue,
                TypeOutcome::Failed { .. } => "cannot be read on the right side",
                TypeOutcome::Excluded { .. } => "is not in the right side",
            };
            if self
                .unmatched
                .remove(&name)
                .is_some_and(|objects| objects.values().any(|named| !named.is_empty()))
            {
                self.not_compared(&name, why);
            }
        }
    }

    pub(super) fn finish(self, left: String, right: String) -> DiffDocument {
        let mut removed = BTreeSet::new();
        for (name, namespaces) in &self.unmatched {
            for (namespace, objects) in namespaces {
                let named = |object: &&str| ObjectRef::new(name.clone(), Some(namespace), object);
                removed.extend(objects.keys().map(named));
            }
        }
        DiffDocument {
            format: "lifeboat.dev/diff/v1".to_owned(),
            left,
            right,
            same: self.added.is_empty() && removed.is_empty() && self.changed.is_empty(),
            added: self.added.into_iter().collect(),
            removed: removed.into_iter().collect(),
            changed: self
                .changed
                .into_iter()
                .map(|(object, fields)| ChangedObject { object, fields })
                .collect(),
            unchanged: self.unchanged,
            not_compared: self.not_compared.into_iter().collect(),
        }
    }
}

fn reference(r#type: &TypeName, entry: &IndexEntry) -> ObjectRef {
    ObjectRef::new(r#type.clone(), Some(&entry.namespace), &entry.name)
}

fn parse(raw: &[u8]) -> Result<Value, Failure> {
    // The parser's message could quote the object, so only the position is reported.
    serde_json::from_slice(raw).map_err(|error| {
        Failure::new(
            Code::PackCorrupt,
            format!("an object is not JSON at column {}", error.column()),
        )
    })
}

/// Returns the failure for objects of a recovery point that cannot be read.
pub(in crate::command) fn unreadable(error: &SourceError) -> Failure {
    let code = match error.kind() {
        ErrorKind::Corrupt | ErrorKind::Invalid => Code::PackCorrupt,
        _ => Code::StoreFailed,
    };
    Failure::new(code, format!("failed to {error}"))
}

/// A sink for the capture of a live cluster, which compares the objects and stores nothing.
pub(super) struct LiveSide<'e, 'a> {
    engine: &'e mut Engine<'a>,
    failure: Option<Failure>,
}

impl<'e, 'a> LiveSide<'e, 'a> {
    pub(super) fn new(engine: &'e mut Engine<'a>) -> Self {
        Self {
            engine,
            failure: None,
        }
    }

    /// Returns why the comparison failed, if it did.
    pub(super) fn failure(self) -> Option<Failure> {
        self.failure
    }

    async fn take(&mut self, batch: &Batch) -> Result<(), Failure> {
        // Most batches contain no changed object and need not be decompressed.
        let differing: Vec<(usize, ObjectPosition)> = batch
            .entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| Some((at, self.engine.pair(&batch.type_name, entry)?)))
            .collect();
        if differing.is_empty() {
            return Ok(());
        }
        let broken =
            |error: &dyn std::error::Error| Failure::of(Code::Bug, "failed to decompress a batch", error);
        let mut plaintext = Vec::new();
        Decompressor::new()
            .and_then(|mut decompressor| decompressor.decompress(&batch.compressed, &mut plaintext))
            .map_err(|error| broken(&error))?;
        let lines: Vec<&[u8]> = plaintext.split(|byte| *byte == b'\n').collect();
        for (at, place) in differing {
            let line = lines.get(at).copied().unwrap_or_default();
            self.engine
                .compare(&batch.type_name, &batch.entries[at], place, line)
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl BatchSink for LiveSide<'_, '_> {
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        // `WriteError` cannot carry a `Failure`; it is kept here and reported instead.
        self.take(&batch).await.map_err(|failure| {
            self.failure = Some(failure);
            WriteError::Broken
        })
    }
}
