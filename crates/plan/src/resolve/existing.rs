//! Rules for objects that already exist in the target.

use super::Resolver;
use crate::builder::crds;

/// Returns whether recreating an existing object deletes only the object itself. The deletion of a Namespace or
/// CustomResourceDefinition also deletes everything in it, including objects that no recovery point contains. The
/// deletion of volumes, claims and snapshots may delete data outside of the API server.
pub(super) fn may_be_deleted(work: &Resolver<'_>, index: usize) -> bool {
    let r#type = &work.draft.source_type(work.item(index).r#type).resource;
    !matches!(
        (r#type.group.as_str(), r#type.resource.as_str()),
        ("", "namespaces" | "persistentvolumes" | "persistentvolumeclaims")
            | (crds::GROUP, crds::RESOURCE)
            | ("snapshot.storage.k8s.io" | "groupsnapshot.storage.k8s.io", _)
    )
}
