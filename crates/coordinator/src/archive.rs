//! The archive of the catalogue: the entries of older recovery points, in segments outside of the state document.
//!
//! The state holds the entries of the latest recovery points and one [`SegmentRecord`] for each segment, so that the
//! cost of a tick does not grow with the number of recovery points. A segment is an object of the state bucket that is
//! named by its digest and never changed: a decision that changes entries makes a new segment, which is written before
//! the state names it.
//!
//! [`wanted`] chooses the segments that a tick opens: one every [`SWEEP_EVERY`] in turn, the one that receives entries
//! of the state, and those that a request is about. A decision joins the entries of the state and of the opened segments
//! at its beginning, and separates them again at its end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::Sha256;
use lifeboat_model::request::{PlanRequest, Request, RestoreRequest};
use lifeboat_model::{ApplicationName, ObjectKey, RecoveryPointId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Action;
use super::decision::DecisionBuilder;
use super::state::{PointEntry, State};
use crate::retention::{PointFacts, Represented};

/// The format version of segments.
pub const SEGMENT_FORMAT: u32 = 1;

/// The maximum number of entries in the state. More are moved to the archive.
const HEAD: usize = 300;

/// The number of the latest entries that stay in the state.
const LATEST: usize = 100;

/// The number of entries in the state above which they are archived although no good recovery point would stay there.
const HEAD_WITHOUT_GOOD: usize = 2000;

/// The number of entries of a segment, about 1 MB.
const SEGMENT: usize = 2000;

/// The interval in which the next segment is opened, compared with the vault, and subjected to retention. Such a tick
/// takes five times as long as others.
pub const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(20);

/// The maximum number of segments that are opened for the beginning of an ID.
const COVERING: usize = 3;

/// A segment of the archive, as the state names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SegmentRecord {
    /// The digest of its document, from which its key follows.
    pub id: Sha256,
    /// The ID of its first recovery point.
    pub first: RecoveryPointId,
    /// The ID of its last recovery point, which is less than that of the first one of the next segment.
    pub last: RecoveryPointId,
    /// The number of its recovery points.
    pub points: u64,
    /// What they represent for retention.
    pub represented: Represented,
    /// When it was last compared with the vault.
    #[schemars(with = "String")]
    pub swept_at: Timestamp,
}

/// The document of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Segment {
    /// Always [`SEGMENT_FORMAT`].
    pub format: u32,
    /// The application.
    pub application: ApplicationName,
    /// The entries of its recovery points.
    pub points: BTreeMap<RecoveryPointId, PointEntry>,
}

/// A segment that was read for a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedSegment {
    /// Its digest.
    pub id: Sha256,
    /// Its entries; `None` if its document is missing or not the one that was written. Its recovery points are found
    /// in the vault again.
    pub points: Option<BTreeMap<RecoveryPointId, PointEntry>>,
}

/// Returns the key of a segment in the state bucket.
#[must_use]
pub fn segment_key(application: &ApplicationName, id: &Sha256) -> ObjectKey {
    ObjectKey::parse(format!("catalogue/{application}/{id}.json"))
        .expect("a name and a digest are clean segments")
}

/// Returns the segments that a tick opens.
#[must_use]
pub fn wanted(state: &State, requests: &[Request], now: Timestamp) -> BTreeSet<Sha256> {
    let mut wanted = BTreeSet::new();
    if sweeps(state, now)
        && let Some(next) = state.archive.iter().min_by_key(|record| record.swept_at)
    {
        wanted.insert(next.id);
    }
    if state.points.len() > HEAD
        && let Some(last) = state.archive.last()
        && last.points < SEGMENT as u64
    {
        wanted.insert(last.id);
    }
    for request in requests {
        match request {
            Request::Restore(RestoreRequest { point, .. }) | Request::Plan(PlanRequest { point, .. }) => {
                wanted.extend(covering(state, point).take(COVERING).map(|record| record.id));
            }
            Request::Points(points) => {
                let record = points.from.as_ref().and_then(|from| page(state, from));
                wanted.extend(record.map(|record| record.id));
            }
            _ => {}
        }
    }
    wanted
}

fn sweeps(state: &State, now: Timestamp) -> bool {
    (state.swept_at).is_none_or(|swept| now.duration_since(swept) >= SWEEP_EVERY)
}

/// Returns the segments that can contain an ID that begins with this text.
fn covering<'a>(state: &'a State, beginning: &'a str) -> impl Iterator<Item = &'a SegmentRecord> {
    let cut = move |point: &RecoveryPointId| point.as_str().get(..beginning.len()).map(str::to_owned);
    (state.archive.iter()).filter(move |record| {
        !beginning.is_empty()
            && cut(&record.first).is_some_and(|first| first.as_str() <= beginning)
            && cut(&record.last).is_some_and(|last| last.as_str() >= beginning)
    })
}

/// Returns whether so many segments can contain an ID that begins with this text that it cannot name one.
pub(super) fn is_ambiguous(state: &State, beginning: &str) -> bool {
    covering(state, beginning).count() > COVERING
}

/// Returns the segment with the page of a listing that begins with this recovery point and goes back.
fn page<'a>(state: &'a State, from: &RecoveryPointId) -> Option<&'a SegmentRecord> {
    state.archive.iter().rev().find(|record| record.first <= *from)
}

/// The segments that a decision has opened.
#[derive(Default)]
pub(super) struct OpenArchive {
    /// By the former digest: the entries as they were.
    segments: BTreeMap<Sha256, BTreeMap<RecoveryPointId, PointEntry>>,
    /// The documents to write before the state.
    pub(super) written: Vec<(ObjectKey, Vec<u8>)>,
}

impl OpenArchive {
    /// Returns whether an entry belongs to an opened segment.
    pub(super) fn contains(&self, point: &RecoveryPointId) -> bool {
        self.segments.values().any(|points| points.contains_key(point))
    }
}

impl DecisionBuilder<'_> {
    /// Adds the entries of the opened segments to those of the state. A segment that cannot be read leaves the archive.
    pub(super) fn open_archive(&mut self) {
        for opened in &self.inventory.archive {
            let Some(at) = self
                .state
                .archive
                .iter()
                .position(|record| record.id == opened.id)
            else {
                continue;
            };
            match &opened.points {
                Some(points) => {
                    // An entry of the state is newer: it was found damaged, or its segment was lost.
                    for (point, entry) in points {
                        let held = self.state.points.entry(point.clone());
                        held.or_insert_with(|| entry.clone());
                    }
                    self.archive.segments.insert(opened.id, points.clone());
                }
                None => drop(self.state.archive.remove(at)),
            }
        }
    }

    /// Moves the entries of the opened segments back, and the oldest ones of the state if there are many.
    pub(super) fn close_archive(&mut self) {
        let opened = std::mem::take(&mut self.archive.segments);
        let surplus = self.surplus(&opened);
        let swept = sweeps(&self.state, self.now);
        let next = self
            .state
            .archive
            .iter()
            .min_by_key(|record| record.swept_at)
            .map(|record| record.id);
        let last = self.state.archive.last().map(|record| record.id);
        let mut archive = Vec::new();
        let mut moved = surplus;
        for mut record in std::mem::take(&mut self.state.archive) {
            let Some(before) = opened.get(&record.id) else {
                archive.push(record);
                continue;
            };
            if swept && Some(record.id) == next {
                record.swept_at = self.now;
                self.state.swept_at = Some(self.now);
            }
            let mut points = self.take_points(&record.first, &record.last);
            if Some(record.id) == last && points.len() + moved.len() <= SEGMENT + HEAD {
                points.append(&mut moved);
            }
            if points == *before {
                archive.push(record);
                continue;
            }
            self.actions.push(Action::DeleteSegment { id: record.id });
            archive.extend(self.segment(points, record.swept_at));
        }
        while !moved.is_empty() {
            let rest = match moved.keys().nth(SEGMENT) {
                Some(next) => moved.split_off(&next.clone()),
                None => BTreeMap::new(),
            };
            archive.extend(self.segment(std::mem::replace(&mut moved, rest), self.now));
        }
        self.state.archive = archive;
    }

    /// Takes the undamaged entries of a range out of the state. Damaged ones stay, so that every decision sees them.
    fn take_points(
        &mut self,
        first: &RecoveryPointId,
        last: &RecoveryPointId,
    ) -> BTreeMap<RecoveryPointId, PointEntry> {
        let range = self.state.points.range(first.clone()..=last.clone());
        let usable = range.filter(|(_, entry)| entry.damaged.is_none());
        let ids: Vec<RecoveryPointId> = usable.map(|(point, _)| point.clone()).collect();
        ids.into_iter()
            .filter_map(|id| self.state.points.remove_entry(&id))
            .collect()
    }

    /// Takes the oldest entries out of the state if there are too many.
    fn surplus(
        &mut self,
        opened: &BTreeMap<Sha256, BTreeMap<RecoveryPointId, PointEntry>>,
    ) -> BTreeMap<RecoveryPointId, PointEntry> {
        let boundary = self.state.archive.last().map(|record| record.last.clone());
        let head: Vec<&RecoveryPointId> = (self.state.points.iter())
            .filter(|(point, entry)| {
                entry.damaged.is_none()
                    && boundary.as_ref().is_none_or(|boundary| *point > boundary)
                    && !opened.values().any(|points| points.contains_key(*point))
            })
            .map(|(point, _)| point)
            .collect();
        if head.len() <= HEAD {
            return BTreeMap::new();
        }
        let (older, latest) = head.split_at(head.len() - LATEST);
        let is_good = |point: &&RecoveryPointId| {
            self.state.points[*point].completeness == lifeboat_format::manifest::Completeness::Complete
        };
        if !latest.iter().any(is_good) && head.len() <= HEAD_WITHOUT_GOOD {
            return BTreeMap::new();
        }
        let older: Vec<RecoveryPointId> = older.iter().map(|point| (*point).clone()).collect();
        older
            .into_iter()
            .filter_map(|id| self.state.points.remove_entry(&id))
            .collect()
    }

    /// Makes a segment, to be written before the state; `None` without entries.
    fn segment(
        &mut self,
        points: BTreeMap<RecoveryPointId, PointEntry>,
        swept_at: Timestamp,
    ) -> Option<SegmentRecord> {
        let (first, last) = (points.keys().next()?.clone(), points.keys().next_back()?.clone());
        let facts: Vec<PointFacts> = points
            .iter()
            .map(|(point, entry)| entry.facts(point, false))
            .collect();
        let (count, represented) = (points.len() as u64, Represented::by(&facts));
        let segment = Segment {
            format: SEGMENT_FORMAT,
            application: self.state.application.clone(),
            points,
        };
        let bytes =
            serde_json::to_vec(&segment).expect("a segment has string keys and no other cause to fail");
        let id = Sha256::of(&bytes);
        self.archive
            .written
            .push((segment_key(&self.state.application, &id), bytes));
        Some(SegmentRecord {
            id,
            first,
            last,
            points: count,
            represented,
            swept_at,
        })
    }

    /// Returns the entries of the state and of the opened segments in groups, each with what the recovery points that
    /// are later than the group represent for retention.
    pub(super) fn groups(&self) -> Vec<(Vec<PointFacts>, Represented)> {
        let facts = self.facts();
        let (archived, head): (Vec<PointFacts>, Vec<PointFacts>) = facts
            .into_iter()
            .partition(|facts| self.archive.contains(&facts.point));
        // Nothing is later than the entries of the state.
        if self.archive.segments.is_empty() {
            return vec![(head, Represented::default())];
        }
        let mut later = Represented::by(&head);
        let mut groups = vec![(head, Represented::default())];
        for record in self.state.archive.iter().rev() {
            if let Some(points) = self.archive.segments.get(&record.id) {
                let group = archived.iter().filter(|facts| points.contains_key(&facts.point));
                groups.push((group.cloned().collect(), later));
            }
            later = later.and(&record.represented);
        }
        groups
    }

    /// Returns the number of recovery points in the catalogue.
    pub(super) fn count(&self) -> u64 {
        let closed = self
            .state
            .archive
            .iter()
            .filter(|record| !self.archive.segments.contains_key(&record.id));
        self.state.points.len() as u64 + closed.map(|record| record.points).sum::<u64>()
    }

    /// Returns the entries of a page of the listing, and where the next page begins. The first page is the state.
    pub(super) fn page(
        &self,
        from: Option<&RecoveryPointId>,
    ) -> (BTreeMap<&RecoveryPointId, &PointEntry>, Option<RecoveryPointId>) {
        let Some(from) = from else {
            let head = self
                .state
                .points
                .iter()
                .filter(|(point, _)| !self.archive.contains(point));
            return (
                head.collect(),
                self.state.archive.last().map(|record| record.last.clone()),
            );
        };
        let Some(record) = page(&self.state, from) else {
            return (BTreeMap::new(), None);
        };
        let points = self.archive.segments.get(&record.id);
        let entries = points.into_iter().flatten().filter(|(point, _)| *point <= from);
        let before = self
            .state
            .archive
            .iter()
            .rev()
            .find(|other| other.last < record.first);
        (entries.collect(), before.map(|record| record.last.clone()))
    }
}
