//! Service accounts whose role is given by EKS Pod Identity.

use lifeboat_translate::pointer;

use super::Editor;
use crate::rule::RuleId;
use crate::settings::Settings;

/// The annotation with the role of a service account
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>).
const ROLE: &str = "/metadata/annotations/eks.amazonaws.com~1role-arn";

/// Removes the annotation with the role of a service account that has an association of EKS Pod Identity. With both, the
/// webhook of EKS gives Pods the credentials of the annotation. An association is of a namespace: where that is renamed,
/// the annotation stays.
pub(super) fn account(editor: &mut Editor<'_>, settings: &Settings) {
    let associations = settings.identities.pod_identities();
    let text = |path| pointer::text(editor.body, path).unwrap_or_default();
    let (namespace, name, role) = (text("/metadata/namespace"), text("/metadata/name"), text(ROLE));
    let is_associated = associations
        .iter()
        .any(|one| one.namespace == namespace && one.service_account == name && one.role.to_string() == role);
    if is_associated && settings.namespaces.get(namespace).is_none() {
        editor.remove(ROLE, RuleId::IrsaToPodIdentity);
    }
}
