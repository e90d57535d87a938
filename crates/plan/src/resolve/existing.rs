//! What exists in the target already.

use super::Resolver;
use crate::builder::crds;

/// Whether making an existing object anew loses no more than the object. A Namespace or a definition
/// takes everything in it or of it along, also what no recovery point holds; volumes, claims and
/// snapshots stand for data outside of the API server that goes with them.
pub(super) fn may_be_deleted(work: &Resolver<'_>, index: usize) -> bool {
    let r#type = &work.draft.source_type(work.item(index).r#type).resource;
    !matches!(
        (r#type.group.as_str(), r#type.resource.as_str()),
        ("", "namespaces" | "persistentvolumes" | "persistentvolumeclaims")
            | (crds::GROUP, crds::RESOURCE)
            | ("snapshot.storage.k8s.io" | "groupsnapshot.storage.k8s.io", _)
    )
}
