//! Rules for Secrets with the token of a ServiceAccount; the target's token controller populates them.

use lifeboat_translate::pointer;

use super::Editor;
use crate::rule::RuleId;

pub(super) fn secret(editor: &mut Editor<'_>) {
    if pointer::text(editor.body, "/type") != Some("kubernetes.io/service-account-token") {
        return;
    }
    // Other keys in the Secret are kept.
    for path in [
        "/data/token",
        "/data/ca.crt",
        "/data/namespace",
        // With the UID of the old account the controller deletes the Secret (`tokens_controller.go`, `syncSecret`).
        "/metadata/annotations/kubernetes.io~1service-account.uid",
        "/metadata/labels/kubernetes.io~1legacy-token-last-used",
        "/metadata/labels/kubernetes.io~1legacy-token-invalid-since",
    ] {
        editor.remove(path, RuleId::TokenData);
    }
}
