//! Rules for volumes and claims, which are bound again by name.
//!
//! The PersistentVolume controller (`syncUnboundClaim` in `pv_controller.go`) binds a claim to the volume that it
//! names if the volume's `claimRef` names the claim and has no UID. A volume whose claim is gone must keep its UID:
//! without it the volume would be `Available`, and the next claim of that name would get the old data; with a UID
//! that no claim has, `syncVolume` sets it to `Released` again. A claim with `bind-completed` whose volume does not
//! exist yet is set to `Lost` permanently.

use lifeboat_model::Uid;
use lifeboat_translate::pointer;
use serde_json::Value;

use super::Editor;
use crate::rule::RuleId;

/// Set by the controller on the volume and the claim if it chose the binding itself.
const BOUND_BY_CONTROLLER: &str = "/metadata/annotations/pv.kubernetes.io~1bound-by-controller";

/// The fields that bind a volume to the claim of one cluster.
const BINDING: [&str; 3] = [
    "/spec/claimRef/uid",
    "/spec/claimRef/resourceVersion",
    BOUND_BY_CONTROLLER,
];

/// A volume that was bound to a claim when it was captured.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// The UID of the claim.
    pub(crate) claim: Uid,
    /// Whether the phase of the volume stated that its claim was deleted.
    pub(crate) released: bool,
    /// Whether a controller of the target would delete or scrub the data of the volume once the claim is gone.
    pub(crate) deletes: bool,
    /// The fields that bind it to the claim, with their values.
    pub(crate) binding: Vec<(&'static str, String)>,
}

impl Bound {
    /// Reads the binding from the prepared body, so that a patch of the options can keep the data of a volume without
    /// a claim (with another reclaim policy) or make the volume available to other claims (by removing the
    /// reference).
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
                .into(),
            // `Failed` is a volume that was `Released` and whose deletion failed.
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
