//! Findings about what still names the primary after the translation.

use std::collections::BTreeMap;

use lifeboat_model::{Code, ObjectRef};
use lifeboat_translate::identity::{Leftover, LeftoverKind};

use super::{LintFinding, OUTSIDE, Resolver, Severity, is_one_of, warning, writes};
use crate::planned::StatusPlan;

/// Types whose controllers use what their objects name outside the cluster, beside those of [`OUTSIDE`]: group and
/// plural, with wildcards.
const USE_OUTSIDE: &[(&str, &str)] = &[
    ("elbv2.k8s.aws", "*"),
    ("gateway.k8s.aws", "*"),
    ("karpenter.k8s.aws", "*"),
    ("eks.amazonaws.com", "nodeclasses"),
    ("eks.amazonaws.com", "ingressclassparams"),
    ("application-networking.k8s.aws", "*"),
    // ACK: the account and the role of each resource.
    ("services.k8s.aws", "*"),
    // Crossplane: the account and the role, and templates of resources.
    ("aws.upbound.io", "*"),
    ("aws.m.upbound.io", "*"),
    ("aws.crossplane.io", "*"),
    ("apiextensions.crossplane.io", "composition*"),
    // External stores.
    ("external-secrets.io", "*"),
    ("generators.external-secrets.io", "*"),
    ("secrets-store.csi.x-k8s.io", "secretproviderclasses"),
];

/// Annotations by which controllers act outside the cluster: the beginning of their JSON pointer.
const ANNOTATIONS: [&str; 6] = [
    "/metadata/annotations/alb.ingress.kubernetes.io~1",
    "/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-",
    "/metadata/annotations/external-dns.alpha.kubernetes.io~1",
    "/metadata/annotations/services.k8s.aws~1",
    "/metadata/annotations/crossplane.io~1external-name",
    "/metadata/annotations/application-networking.k8s.aws~1",
];

/// The number of identifiers that get a finding of their own.
const MOST_TOKENS: usize = 25;

const GUIDANCE: &str =
    "add it to `identities` of the identity map, or declare it in `leftovers` with a reason";

/// The objects that contain one identifier.
struct Group<'a> {
    example: &'a ObjectRef,
    path: &'a str,
    objects: u64,
}

pub(super) fn add(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let mut groups: BTreeMap<(LeftoverKind, &str), Group<'_>> = BTreeMap::new();
    for &index in sorted.iter().filter(|index| writes(work, **index)) {
        let unknown: Vec<&Leftover> = leftovers(work, index)
            .filter(|leftover| leftover.reason.is_none())
            .collect();
        let target = &work.decisions.targets[index];
        let acts = is_one_of(OUTSIDE, work, index) || is_one_of(USE_OUTSIDE, work, index);
        let (outside, inside): (Vec<&Leftover>, Vec<&Leftover>) = unknown
            .into_iter()
            .partition(|leftover| acts || is_of_controller(leftover));
        if let [first, rest @ ..] = outside.as_slice() {
            found.push(in_outside(target, first, rest.len()));
        }
        let mut last = None;
        for leftover in inside {
            let key = (leftover.kind, leftover.token.as_str());
            let group = groups.entry(key).or_insert(Group {
                example: target,
                path: &leftover.path,
                objects: 0,
            });
            // An object is counted once, although it may contain the identifier several times.
            if last != Some(key) {
                group.objects += 1;
            }
            last = Some(key);
        }
    }
    let severity = match work.draft.settings.no_leftovers {
        true => Severity::Error,
        false => Severity::Warning,
    };
    let (count, mut kinds) = (groups.len(), BTreeMap::<LeftoverKind, (usize, u64)>::new());
    for (index, ((kind, token), group)) in groups.into_iter().enumerate() {
        if count > MOST_TOKENS && index >= MOST_TOKENS - 1 {
            let (tokens, objects) = kinds.entry(kind).or_default();
            *tokens += 1;
            *objects += group.objects;
            continue;
        }
        found.push(LintFinding {
            severity,
            ..of_token(kind, token, &group)
        });
    }
    for (kind, (tokens, objects)) in kinds {
        let message = format!(
            "{tokens} more identifiers name {} of the primary, in {objects} places; the plan as JSON lists each as `leftovers` of its object.",
            what(kind)
        );
        found.push(LintFinding {
            severity,
            ..warning("leftover", Code::Leftover, None, message, GUIDANCE)
        });
    }
}

/// Returns what names the primary in what is written of an item.
fn leftovers<'a>(work: &'a Resolver<'_>, index: usize) -> impl Iterator<Item = &'a Leftover> {
    let item = work.item(index);
    let has_status = super::super::assemble::status_of(work.draft, item) != StatusPlan::Drop;
    let of_status = item.of_status().into_iter().filter(move |_| has_status);
    let of_revision = work.decisions.held_leftovers.get(&index);
    item.leftovers()
        .iter()
        .chain(of_revision.into_iter().flatten())
        .chain(of_status.flat_map(|of_status| &of_status.leftovers))
}

fn is_of_controller(leftover: &Leftover) -> bool {
    ANNOTATIONS.iter().any(|begin| leftover.path.starts_with(begin))
}

fn in_outside(target: &ObjectRef, first: &Leftover, more: usize) -> LintFinding {
    let others = match more {
        0 => String::new(),
        1 => " and 1 more identifier".to_owned(),
        more => format!(" and {more} more identifiers"),
    };
    let Leftover { path, token, .. } = first;
    LintFinding {
        severity: Severity::Error,
        ..warning(
            "leftover-outside",
            Code::Leftover,
            Some(target.clone()),
            format!(
                "{target} names the primary by {token} at {path}{others}, and its controller acts outside the cluster."
            ),
            GUIDANCE,
        )
    }
}

fn of_token(kind: LeftoverKind, token: &str, group: &Group<'_>) -> LintFinding {
    let others = match group.objects.saturating_sub(1) {
        0 => String::new(),
        1 => " and 1 more object".to_owned(),
        more => format!(" and {more} more objects"),
    };
    let Group { example, path, .. } = group;
    warning(
        "leftover",
        Code::Leftover,
        Some((*example).clone()),
        format!(
            "{token} names {} of the primary, in {example} at {path}{others}.",
            what(kind)
        ),
        GUIDANCE,
    )
}

fn what(kind: LeftoverKind) -> &'static str {
    match kind {
        LeftoverKind::Account => "the account",
        LeftoverKind::Region => "the Region",
        LeftoverKind::Listed => "a listed resource",
        LeftoverKind::UnknownId => "an unlisted resource",
    }
}
