//! Findings about objects that EKS manages in each cluster.

use lifeboat_model::{Code, ObjectRef};

use super::{LintFinding, Resolver, Severity, warning};
use crate::eks::{self, Principal};
use crate::rule::RuleId;

/// Rejects a selection that asks for such an object by name, and names each principal of the source that is not let
/// into the target.
pub(super) fn add(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    let names = &work.draft.settings.selection.names;
    let skipped = work.draft.skipped.iter();
    let skipped = skipped
        .filter(|skipped| skipped.rule == RuleId::EksManaged)
        .map(|skipped| (skipped.r#type, &skipped.namespace, &skipped.name));
    // Those that a target could lack, and this one has.
    let excluded = work.draft.items.iter().zip(&work.decisions.exclusions);
    let excluded = excluded
        .filter(|(_, why)| matches!(why, Some((RuleId::EksManaged, _))))
        .map(|(item, _)| (item.r#type, &item.namespace, &item.name));
    for (r#type, namespace, name) in skipped.chain(excluded) {
        if eks::is_asked_for(names, name) {
            let object = work.draft.source_ref(r#type, namespace.clone(), name.clone());
            found.push(LintFinding {
                severity: Severity::Error,
                ..warning(
                    "eks-managed-selected",
                    Code::PlanRefused,
                    Some(object.clone()),
                    format!("{object} is selected by name, but EKS manages it in each cluster, and it is not restored."),
                    "remove the name from the selection; change the object of the target instead",
                )
            });
        }
    }
    let aws_auth = ObjectRef::new("configmaps".into(), Some("kube-system"), eks::AWS_AUTH);
    for principal in &work.draft.principals {
        let (message, guidance) = match principal {
            Principal::Mapped { arn, groups } => {
                let groups = match groups.as_slice() {
                    [] => "without a group".to_owned(),
                    groups => format!("in {}", groups.join(", ")),
                };
                (
                    format!("{arn} may enter the source {groups}; it is not let into the target."),
                    "if it is needed, create an access entry for it or its counterpart with `aws eks create-access-entry`",
                )
            }
            Principal::Account(account) => (
                format!(
                    "Every principal of the account {account} may enter the source; none is let into the target."
                ),
                "create access entries for those that are needed with `aws eks create-access-entry`",
            ),
            Principal::Unreadable(key) => (
                format!(
                    "{key} in aws-auth of the source is not readable; who may enter the source is not known completely."
                ),
                "read it with `lifeboat cat`; nothing of it is restored",
            ),
        };
        let object = Some(aws_auth.clone());
        found.push(warning(
            "principal-of-source",
            Code::PlanRefused,
            object,
            message,
            guidance,
        ));
    }
}
