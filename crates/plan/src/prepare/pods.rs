//! Rules for Pods that no controller recreates. Fields that admission derives from a class are left to it: a Pod that is
//! older than its class, or than a change of it, would be rejected with the values that it got then.

use lifeboat_translate::pointer;
use serde_json::Value;

use super::Editor;
use crate::rule::RuleId;
use crate::shape;

pub(super) fn pod(editor: &mut Editor<'_>) {
    editor.remove("/spec/nodeName", RuleId::PodNode);
    editor.remove("/spec/priority", RuleId::PodPriority);
    editor.remove("/spec/preemptionPolicy", RuleId::PodPriority);
    if editor.body.pointer("/spec/runtimeClassName").is_some() {
        editor.remove("/spec/overhead", RuleId::PodRuntimeClass);
    }
    editor.remove("/spec/ephemeralContainers", RuleId::PodEphemeralContainers);
    remove_token_volume(editor);
}

/// Removes the volume that the ServiceAccount admission plugin injects and its mounts.
fn remove_token_volume(editor: &mut Editor<'_>) {
    let injected = pointer::list(editor.body, "/spec/volumes").position(shape::is_token);
    let Some(index) = injected else { return };
    let removed = editor.remove(&format!("/spec/volumes/{index}"), RuleId::PodToken);
    let name = removed
        .as_ref()
        .and_then(|volume| pointer::text(volume, "/name"))
        .map(str::to_owned);
    drop_empty_list(editor.body, "/spec/volumes");
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in 0..pointer::list(editor.body, list).count() {
            let mounts = format!("{list}/{container}/volumeMounts");
            let mount = pointer::list(editor.body, &mounts)
                .position(|mount| pointer::text(mount, "/name") == name.as_deref());
            if let Some(mount) = mount {
                editor.remove(&format!("{mounts}/{mount}"), RuleId::PodToken);
                drop_empty_list(editor.body, &mounts);
            }
        }
    }
}

fn drop_empty_list(body: &mut Value, path: &str) {
    if body
        .pointer(path)
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
    {
        pointer::remove(body, path);
    }
}
