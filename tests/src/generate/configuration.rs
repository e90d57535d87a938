//! ConfigMaps and Secrets with several owners, and references among objects.

use serde_json::{Value, json};

use super::{Draft, Phase, uid_of};

fn config(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}})
}

/// A ConfigMap or a Secret of several owners.
pub(super) fn shared(draft: &mut Draft) {
    let (name, namespace, first) = (draft.name("config"), draft.namespace(), draft.manager());
    let mut object = config(&name, namespace);
    if draft.once_in(3) {
        object["kind"] = json!("Secret");
        object["stringData"] = json!({"password": "not-a-secret"});
    } else {
        object["data"] = json!({"a.b/c~d": "1", "empty": ""});
        if draft.once_in(3) {
            object["binaryData"] = json!({"bytes": "AAEC"});
        }
    }
    let phase = draft.age();
    draft.create(phase, first, object.clone());
    let mut second = config(&name, namespace);
    second["kind"] = object["kind"].clone();
    second["metadata"]["labels"] = json!({"team": "b"});
    draft.apply(Phase::Changes, "argocd-controller", second);
    if draft.once_in(3) {
        draft.merge(
            Phase::End,
            &object,
            "",
            json!({"metadata": {"annotations": {"touched": "yes"}}, "immutable": true}),
        );
    }
}

/// Objects that name others by their UIDs: as owners, in labels, in annotations and in fields.
pub(super) fn references(draft: &mut Draft) {
    let (owner, owned, namespace) = (draft.name("owner"), draft.name("owned"), draft.namespace());
    draft.apply(Phase::Old, "kubectl", config(&owner, namespace));
    let uid = uid_of(&format!("/api/v1/namespaces/{namespace}/configmaps/{owner}"));
    let mut object = config(&owned, namespace);
    match draft.rng.u32(0..4) {
        0 => {
            object["metadata"]["ownerReferences"] = json!([
                {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": true}
            ]);
        }
        1 => object["metadata"]["labels"] = json!({"example.com/parent-uid": uid}),
        2 => {
            object["metadata"]["annotations"] =
                json!({"example.com/parent": format!("configmaps/{owner}/{uid}")})
        }
        _ => object["data"] = json!({"parent": uid}),
    }
    if draft.once_in(3) {
        object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    }
    draft.apply(Phase::Young, "operator", object.clone());
    if draft.once_in(6) {
        object["metadata"]["finalizers"] = json!(["example.com/hold"]);
        draft.merge(
            Phase::Changes,
            &object,
            "",
            json!({"metadata": {"finalizers": ["example.com/hold"]}}),
        );
        draft.delete(Phase::End, &object);
    }
}
