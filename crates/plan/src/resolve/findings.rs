//! Findings that need more than the finished plan: the options, the recovery point, the target.

use std::collections::BTreeSet;

use lifeboat_model::{Code, ObjectRef};
use lifeboat_translate::{glob, pointer};
use serde_json::Value;

use super::{Resolver, addresses_of};
use crate::builder::summary::{Extra, webhooks};
use crate::lint::{LintFinding, NOT_CAPTURED, Severity};
use crate::planned::{Action, Dependency, MissingDependency};
use crate::rule::RuleId;

mod eks;
mod leftovers;
mod older;
mod refused;
mod schemas;
mod uids;

/// Types whose controllers act outside the cluster: group and plural, with wildcards.
const OUTSIDE: &[(&str, &str)] = &[
    ("elbv2.k8s.aws", "targetgroupbindings"),
    ("eks.amazonaws.com", "targetgroupbindings"),
    ("externaldns.k8s.io", "dnsendpoints"),
    // AWS Controllers for Kubernetes, those of Route 53 among them.
    ("*.services.k8s.aws", "*"),
    ("services.k8s.aws", "adoptedresources"),
    // Crossplane: the providers of Upbound, with and without namespaces, and of the community.
    ("*.aws.upbound.io", "*"),
    ("*.aws.m.upbound.io", "*"),
    ("*.aws.crossplane.io", "*"),
    ("tf.upbound.io", "workspaces"),
    ("tf.m.upbound.io", "workspaces"),
    ("karpenter.sh", "nodepools"),
    ("snapshot.storage.k8s.io", "volumesnapshotcontents"),
    ("cluster.x-k8s.io", "*"),
    ("infra.contrib.fluxcd.io", "terraforms"),
];

pub(super) fn add(work: &mut Resolver<'_>, sorted: &[usize]) {
    let mut found = Vec::new();
    unused_patches(work, &mut found);
    unknown_exclusions(work, &mut found);
    not_captured(work, &mut found);
    snapshots(work, sorted, &mut found);
    for dependency in &work.decisions.missing {
        found.push(of_missing(dependency));
    }
    unserved(work, sorted, &mut found);
    too_deep(work, &mut found);
    schemas::add(work, sorted, &mut found);
    outside(work, sorted, &mut found);
    webhooks_in_target(work, sorted, &mut found);
    webhooks_in_plan(work, sorted, &mut found);
    quotas_in_target(work, sorted, &mut found);
    refused::add(work, sorted, &mut found);
    older::add(work, sorted, &mut found);
    recreated(work, sorted, &mut found);
    eks::add(work, &mut found);
    uids::references(work, &mut found);
    renamed_associations(work, &mut found);
    leftovers::add(work, sorted, &mut found);
    work.decisions.findings.extend(found);
}

fn warning(
    check: &str,
    code: Code,
    object: Option<ObjectRef>,
    message: String,
    guidance: &str,
) -> LintFinding {
    LintFinding {
        severity: Severity::Warning,
        check: check.to_owned(),
        code,
        object,
        message,
        guidance: guidance.to_owned(),
    }
}

fn unused_patches(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    let patches = &work.draft.settings.patches;
    for (index, (patch, uses)) in patches.iter().zip(&work.draft.patch_uses).enumerate() {
        if *uses == 0 {
            found.push(warning(
                "patch-selects-nothing",
                Code::UnknownSelector,
                None,
                format!("{} matches no object of the restore.", patch.title(index)),
                "correct its `when`, or remove it",
            ));
        }
    }
}

/// Warns of service accounts that keep IRSA because their namespace is renamed.
fn renamed_associations(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    let settings = &work.draft.settings;
    for association in settings.identities.pod_identities() {
        let Some(to) = settings.namespaces.get(&association.namespace) else {
            continue;
        };
        let (namespace, name) = (&association.namespace, &association.service_account);
        found.push(warning(
            "irsa-kept",
            Code::IrsaKept,
            None,
            format!(
                "The service account {name} of {namespace} keeps the annotation with its role: its namespace becomes {to}, and its association of EKS Pod Identity is for {namespace}."
            ),
            "add an association for the new namespace after the restore, or do not rename the namespace",
        ));
    }
}

/// Warns of an excluded namespace that the recovery point does not have: it may be misspelled.
fn unknown_exclusions(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    for namespace in &work.draft.settings.selection.filter.exclude_namespaces {
        if !work.draft.namespaces.contains(namespace.as_str()) {
            found.push(warning(
                "exclusion-selects-nothing",
                Code::UnknownSelector,
                None,
                format!(
                    "The recovery point has no namespace {namespace:?}, so that its exclusion has no effect."
                ),
                "correct the name if it is misspelled",
            ));
        }
    }
}

/// Warns of what the recovery point lacks because it could not be read.
fn not_captured(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    let filter = &work.draft.settings.selection.filter;
    for missing in &work.draft.completeness.missing {
        let (what, group, plural) = match (&missing.r#type, &missing.group) {
            (Some(name), _) => {
                let (plural, group) = name.as_str().split_once('.').unwrap_or((name.as_str(), ""));
                (format!("No {name}"), group, plural)
            }
            (None, group) => (
                format!("No type of the API group {}", group.as_deref().unwrap_or("?")),
                group.as_deref().unwrap_or_default(),
                "",
            ),
        };
        let names = |selectors: &[lifeboat_model::TypeSelector]| {
            selectors
                .iter()
                .any(|selector| selector.matches(group, plural, "", "", &[]))
        };
        if names(&filter.exclude_types) || !(filter.types.is_empty() || names(&filter.types)) {
            continue;
        }
        found.push(LintFinding {
            guidance: missing.remediation.clone(),
            ..warning(
                NOT_CAPTURED,
                Code::PartialPoint,
                None,
                format!(
                    "{what} is in the recovery point, which is Partial: {} failed: {}.",
                    missing.verb,
                    missing.answer.trim_end_matches('.')
                ),
                "",
            )
        });
    }
}

/// Warns of what volume snapshots are restored with: whose data a deletion in the target deletes.
fn snapshots(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    for &index in sorted.iter().filter(|index| writes(work, **index)) {
        let Some(Extra::SnapshotContent(content)) = work.item(index).extra.as_deref() else {
            continue;
        };
        let target = &work.decisions.targets[index];
        if content.deletes {
            found.push(warning(
                "snapshot-deletes-source",
                Code::PlanRefused,
                Some(target.clone()),
                format!(
                    "{target} has the deletionPolicy Delete: deleting it, or its VolumeSnapshot, in the target deletes the snapshot that the source uses too."
                ),
                "set `spec.deletionPolicy` to `Retain` with a patch (`--patches`) for as long as the source needs the snapshot",
            ));
        }
        if !content.has_handle {
            found.push(warning(
                "snapshot-without-handle",
                Code::PlanRefused,
                Some(target.clone()),
                format!(
                    "{target} has no snapshotHandle in its status, so that its driver takes a new snapshot of the volume."
                ),
                "exclude it with its VolumeSnapshot, or back up again when the snapshot is ready",
            ));
        }
    }
}

fn of_missing(dependency: &MissingDependency) -> LintFinding {
    let MissingDependency {
        needed,
        example,
        objects,
        need,
        in_point,
    } = dependency;
    let others = match objects.saturating_sub(1) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let effect = match need {
        Dependency::Exists => "cannot exist",
        Dependency::Required => "will not work",
        Dependency::Optional => "might not work",
    };
    LintFinding {
        severity: if *need == Dependency::Exists {
            Severity::Error
        } else {
            Severity::Warning
        },
        check: "missing-dependency".to_owned(),
        code: Code::MissingDependency,
        object: Some(example.clone()),
        message: format!(
            "{example}{others} {effect} without {needed}, which is not in the plan and not in the target."
        ),
        guidance: if *in_point {
            format!("select {needed} too, or create it in the target")
        } else {
            format!("create {needed} in the target")
        },
    }
}

fn unserved(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let mut seen = BTreeSet::new();
    for &index in sorted {
        let Some((rule @ (RuleId::TypeNotServed | RuleId::VersionNotServed), detail)) =
            &work.decisions.exclusions[index]
        else {
            continue;
        };
        let name = work.draft.source_type(work.item(index).r#type).resource.name();
        if seen.insert(name.clone()) {
            found.push(warning(
                "not-restorable",
                Code::TypeNotServed,
                None,
                format!(
                    "No {name} can be restored: {}.",
                    detail.as_deref().unwrap_or(rule.as_str())
                ),
                "install the operator or CustomResourceDefinition of the type in the target first, or exclude it with --exclude-type",
            ));
        }
    }
}

fn too_deep(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    for skipped in &work.draft.skipped {
        if skipped.rule == RuleId::NestedTooDeep {
            let source =
                work.draft
                    .source_ref(skipped.r#type, skipped.namespace.clone(), skipped.name.clone());
            found.push(warning(
                "not-restorable",
                Code::PlanRefused,
                Some(source.clone()),
                format!("{source} is not restored: it is nested deeper than 127 levels."),
                "export it with `lifeboat cat`, and create it by hand",
            ));
        }
    }
}

fn outside(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    for &index in sorted.iter().filter(|index| writes(work, **index)) {
        let acts = is_one_of(OUTSIDE, work, index);
        let balancer = addresses_of(work.item(index)).is_some_and(|addresses| addresses.load_balancer);
        if acts || balancer {
            let what = if balancer {
                "causes its controller to create a load balancer"
            } else {
                "causes its controller to act"
            };
            found.push(warning(
                "acts-outside",
                Code::PlanRefused,
                Some(work.decisions.targets[index].clone()),
                format!(
                    "{} {what} outside the cluster, even while the source cluster still runs.",
                    work.decisions.targets[index]
                ),
                "make sure that the source cluster no longer runs, or exclude or patch the object",
            ));
        }
    }
}

/// Returns whether the type of an item is in a table.
fn is_one_of(table: &[(&str, &str)], work: &Resolver<'_>, index: usize) -> bool {
    let r#type = &work.draft.source_type(work.item(index).r#type).resource;
    table.iter().any(|(group, resource)| {
        glob::matches(group, &r#type.group) && glob::matches(resource, &r#type.resource)
    })
}

/// Returns whether the executor writes the item.
fn writes(work: &Resolver<'_>, index: usize) -> bool {
    work.is_planned(index) && work.decisions.actions[index] != Action::Keep
}

/// Warns of webhooks of the target that reject requests while their backend does not respond.
fn webhooks_in_target(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let groups: BTreeSet<(&str, &str)> = sorted
        .iter()
        .filter(|index| writes(work, **index))
        .map(|index| {
            let r#type = &work.draft.source_type(work.item(*index).r#type).resource;
            (r#type.group.as_str(), r#type.resource.as_str())
        })
        .collect();
    for configuration in &work.facts.webhooks {
        let name = pointer::text(configuration, "/metadata/name").unwrap_or_default();
        let kind = pointer::text(configuration, "/kind").unwrap_or("webhook configuration");
        for (webhook, facts) in pointer::list(configuration, "/webhooks").zip(webhooks(configuration)) {
            if !facts.fails_closed {
                continue;
            }
            let hit = groups
                .iter()
                .find(|(group, resource)| matches_rules(webhook, group, resource));
            if let Some((group, resource)) = hit {
                let example = lifeboat_model::TypeName::new(group, resource);
                found.push(warning(
                    "webhook-in-target",
                    Code::PlanRefused,
                    None,
                    format!(
                        "The {kind} {name} ({}) of the target matches {example} and rejects them while its backend does not answer.",
                        facts.name
                    ),
                    "start its backend, or set its failurePolicy to Ignore during the restore",
                ));
            }
        }
    }
}

fn matches_rules(webhook: &Value, group: &str, resource: &str) -> bool {
    let has = |rule: &Value, path: &str, wanted: &str| {
        pointer::list(rule, path)
            .filter_map(Value::as_str)
            .any(|v| v == "*" || v == wanted || v == "*/*")
    };
    pointer::list(webhook, "/rules").any(|rule| {
        has(rule, "/apiGroups", group)
            && has(rule, "/resources", resource)
            && ["CREATE", "UPDATE"]
                .iter()
                .any(|operation| has(rule, "/operations", operation))
    })
}

/// Warns of fail-closed webhooks of the plan whose backend is neither in the plan nor in the target.
fn webhooks_in_plan(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let planned: BTreeSet<&ObjectRef> = sorted
        .iter()
        .filter(|index| work.is_planned(**index))
        .map(|index| &work.decisions.targets[*index])
        .collect();
    for &index in sorted.iter().filter(|index| writes(work, **index)) {
        let Some(Extra::Webhooks(webhooks)) = work.item(index).extra.as_deref() else {
            continue;
        };
        for webhook in webhooks.iter().filter(|webhook| webhook.fails_closed) {
            let Some((namespace, name)) = &webhook.backend else {
                continue;
            };
            let service = ObjectRef::new("services".into(), Some(namespace), name);
            if !planned.contains(&service) && !work.facts.existing.contains(&service) {
                found.push(warning(
                    "webhook-without-backend",
                    Code::MissingDependency,
                    Some(work.decisions.targets[index].clone()),
                    format!("The webhook {} has failurePolicy Fail, and its backend {service} is not in the plan and not in the target.", webhook.name),
                    "create its backend in the target; until then the webhook rejects every request it matches",
                ));
            }
        }
    }
}

fn quotas_in_target(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let namespaces: BTreeSet<&str> = sorted
        .iter()
        .filter(|index| writes(work, **index))
        .filter_map(|index| work.decisions.targets[*index].namespace.as_deref())
        .collect();
    for quota in &work.facts.quotas {
        let namespace = pointer::text(quota, "/metadata/namespace").unwrap_or_default();
        let name = pointer::text(quota, "/metadata/name").unwrap_or_default();
        let object = ObjectRef::new("resourcequotas".into(), Some(namespace), name);
        // A quota that this run restored is ignored: it was created after all objects that it counts.
        let by_this_run = work
            .facts
            .existing
            .get(&object)
            .is_some_and(|existing| existing.created_by_this_run);
        if namespaces.contains(namespace) && !by_this_run {
            found.push(warning(
                "quota-in-target",
                Code::PlanRefused,
                Some(object.clone()),
                format!("{object} exists in the target and may reject objects restored into its namespace."),
                "compare its limits with the objects of the recovery point",
            ));
        }
    }
}

/// Warns of what is deleted with an object that is recreated. A StatefulSet may own its claims, whose data is deleted
/// with them. Only its operator knows what a custom resource manages, and its finalizers run when it is deleted.
fn recreated(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let mut seen = BTreeSet::new();
    for &index in sorted {
        if !work.is_planned(index) || work.decisions.actions[index] != Action::Recreate {
            continue;
        }
        let target = &work.decisions.targets[index];
        let live = work
            .facts
            .existing
            .get(target)
            .and_then(|existing| existing.body.as_deref());
        let policy = "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted";
        if work.is_type(index, "apps", "statefulsets")
            && live.and_then(|live| pointer::text(live, policy)) == Some("Delete")
        {
            found.push(LintFinding {
                severity: Severity::Error,
                ..warning(
                    "recreate-deletes-claims",
                    Code::PlanRefused,
                    Some(target.clone()),
                    format!("{target} is recreated, and its retention policy deletes its claims when it is deleted."),
                    "use `--existing update`, or set `spec.persistentVolumeClaimRetentionPolicy.whenDeleted` to `Retain` in the target first",
                )
            });
        }
        let r#type = work.draft.source_type(work.item(index).r#type);
        if r#type.custom && seen.insert(r#type.resource.name()) {
            found.push(warning(
                "recreate-custom-resource",
                Code::PlanRefused,
                Some(target.clone()),
                format!(
                    "Objects of {} are deleted before they are recreated; their operator may delete the resources they manage, data included.",
                    r#type.resource.name()
                ),
                "use `--existing update`, or make sure that their operator keeps these resources",
            ));
        }
    }
}
