//! Volumes and claims: they find each other again by name.
//!
//! The PersistentVolume controller (`syncUnboundClaim` in `pv_controller.go`) binds a claim that names a
//! volume whose `claimRef` names the claim and has no uid. A volume whose claim is gone must stay as it is:
//! without the uid it would be Available, and the next claim of that name would get the old data; with a
//! uid that no claim has, `syncVolume` calls it Released again. A claim that says `bind-completed` while its
//! volume is not there yet is declared Lost for ever.

use lifeboat_translate::pointer;
use serde_json::Value;

use super::Editor;
use crate::rule::RuleId;

/// Set by the controller on both sides when it chose the partner itself.
const BOUND_BY_CONTROLLER: &str = "/metadata/annotations/pv.kubernetes.io~1bound-by-controller";

/// What ties a volume to the claim of one cluster.
const BINDING: [&str; 3] = [
    "/spec/claimRef/uid",
    "/spec/claimRef/resourceVersion",
    BOUND_BY_CONTROLLER,
];

/// A volume that was tied to a claim when it was captured.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// The uid of the claim.
    pub(crate) claim: String,
    /// Whether the volume said that its claim was gone.
    pub(crate) released: bool,
    /// Whether a controller of the target would delete or scrub what the volume holds once the claim is
    /// gone.
    pub(crate) deletes: bool,
    /// What ties it to the claim, with the values.
    pub(crate) binding: Vec<(&'static str, String)>,
}

impl Bound {
    /// Reads it from the object as it is sent, so that a patch of the options may keep the data of a
    /// volume without a claim (by another reclaim policy) or offer it to others (without the reference).
    pub(crate) fn read(body: &Value, status: Option<&Value>) -> Option<Self> {
        let binding: Vec<_> = BINDING
            .into_iter()
            .filter_map(|path| Some((path, pointer::text(body, path)?.to_owned())))
            .collect();
        let policy = pointer::text(body, "/spec/persistentVolumeReclaimPolicy");
        let phase = status.and_then(|status| pointer::text(status, "/phase"));
        (!binding.is_empty()).then(|| Self {
            claim: pointer::text(body, "/spec/claimRef/uid")
                .unwrap_or_default()
                .to_owned(),
            // Failed is a volume that was Released and whose deletion failed.
            released: matches!(phase, Some("Released" | "Failed")),
            deletes: matches!(policy, Some("Delete" | "Recycle")),
            binding,
        })
    }
}

pub(super) fn claim(editor: &mut Editor<'_>) {
    editor.remove(
        "/metadata/annotations/pv.kubernetes.io~1bind-completed",
        RuleId::ClaimBinding,
    );
    editor.remove(BOUND_BY_CONTROLLER, RuleId::ClaimBinding);
    editor.remove(
        "/metadata/annotations/volume.kubernetes.io~1selected-node",
        RuleId::SelectedNode,
    );
}
