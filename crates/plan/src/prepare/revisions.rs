//! The template of a former revision of a StatefulSet, which is translated and patched like the current one.

use lifeboat_model::ResourceType;
use lifeboat_translate::identity::Leftover;
use lifeboat_translate::pointer;
use serde_json::{Value, json};

use crate::settings::Settings;
use crate::source::SourceType;

/// Returns the template that a ControllerRevision of a StatefulSet has. Its data is a patch that replaces the template.
pub(crate) fn template(revision: &Value) -> Option<Value> {
    let mut template = revision.pointer("/data/spec/template").cloned()?;
    template.as_object_mut()?.remove("$patch");
    Some(template)
}

/// Returns what names the primary in the template of a revision after its translation.
pub(crate) fn leftovers(settings: &Settings, set: &str, revision: &Value) -> Vec<Leftover> {
    if settings.identities.is_empty() {
        return Vec::new();
    }
    let resource = ResourceType {
        group: "apps".to_owned(),
        version: "v1".to_owned(),
        resource: "statefulsets".to_owned(),
        kind: "StatefulSet".to_owned(),
        namespaced: true,
    };
    let r#type = SourceType {
        singular: "statefulset".to_owned(),
        short_names: vec!["sts".to_owned()],
        verbs: Vec::new(),
        served_versions: Vec::new(),
        custom: false,
        resource,
    };
    let body = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": { "name": set, "namespace": pointer::text(revision, "/metadata/namespace") },
        "spec": { "template": template(revision) },
    });
    // A patch that does not fit is a fault of the StatefulSet itself.
    super::prepare(settings, &r#type, body).map_or_else(|_| Vec::new(), |prepared| prepared.leftovers)
}
