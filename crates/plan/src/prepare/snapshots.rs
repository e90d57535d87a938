//! Rules for volume snapshots of the CSI snapshot controller.
//!
//! A VolumeSnapshotContent that was made for a VolumeSnapshot names a volume as its source, and the handle of the real
//! snapshot only in its status. Created anew without the status, it tells the driver to take a snapshot of today's
//! volume. With the handle as its source, and the VolumeSnapshot with the content as its source, both are as a
//! snapshot that was imported: the controller binds them by name, and the driver takes none.

use lifeboat_translate::pointer;
use serde_json::{Value, json};

use super::Editor;
use crate::rule::RuleId;

/// The API group of both types.
pub(super) const GROUP: &str = "snapshot.storage.k8s.io";

/// What the restore of a VolumeSnapshotContent depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnapshotContent {
    /// Whether the real snapshot is deleted with it.
    pub(crate) deletes: bool,
    /// Whether it names the real snapshot.
    pub(crate) has_handle: bool,
}

impl SnapshotContent {
    /// Reads the facts from the prepared body, so that patches of the options count.
    pub(crate) fn read(body: &Value) -> Self {
        Self {
            deletes: pointer::text(body, "/spec/deletionPolicy") == Some("Delete"),
            has_handle: pointer::text(body, "/spec/source/snapshotHandle").is_some(),
        }
    }
}

pub(super) fn content(editor: &mut Editor<'_>, status: Option<&Value>) {
    // The snapshot controller never binds a content to a VolumeSnapshot of another UID.
    for path in [
        "/spec/volumeSnapshotRef/uid",
        "/spec/volumeSnapshotRef/resourceVersion",
    ] {
        editor.remove(path, RuleId::SnapshotRestored);
    }
    source(editor, status, "/snapshotHandle", "snapshotHandle");
}

pub(super) fn snapshot(editor: &mut Editor<'_>, status: Option<&Value>) {
    source(
        editor,
        status,
        "/boundVolumeSnapshotContentName",
        "volumeSnapshotContentName",
    );
}

/// Replaces the source by one with this field, whose value is in the status.
fn source(editor: &mut Editor<'_>, status: Option<&Value>, path: &str, field: &str) {
    let Some(value) = status
        .and_then(|status| pointer::text(status, path))
        .filter(|value| !value.is_empty())
    else {
        return;
    };
    let wanted = json!({ field: value });
    if editor.body.pointer("/spec/source") != Some(&wanted) {
        editor.set("/spec/source", wanted, RuleId::SnapshotRestored);
    }
}
