//! Volumes and claims: they find each other again by name.
//!
//! The PersistentVolume controller (`syncUnboundClaim` in `pv_controller.go`) binds a claim that names a
//! volume whose `claimRef` names the claim and has no uid. A claim that says `bind-completed` while its
//! volume is not there yet is declared Lost for ever.

use super::Editor;
use crate::rule::RuleId;

/// Set by the controller on both sides when it chose the partner itself.
const BOUND_BY_CONTROLLER: &str = "/metadata/annotations/pv.kubernetes.io~1bound-by-controller";

pub(super) fn volume(editor: &mut Editor<'_>) {
    editor.remove("/spec/claimRef/uid", RuleId::VolumeBinding);
    editor.remove("/spec/claimRef/resourceVersion", RuleId::VolumeBinding);
    editor.remove(BOUND_BY_CONTROLLER, RuleId::VolumeBinding);
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
