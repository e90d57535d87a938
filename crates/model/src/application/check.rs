//! Parsing and checking of the application document. All problems are collected.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::schedule::Schedule;
use crate::{
    Application, ApplicationDocument, ApplicationName, ClusterName, ClusterSpec, Code, EnvironmentId, Problem,
};

use super::{ClusterDocument, FORMAT, ScheduleDocument, TargetPattern, environment};

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: &str, what: impl Display, guidance: impl Into<String>) {
        self.0.push(Problem::new(
            Code::InvalidDocument,
            format!("{path}: {what}"),
            guidance,
        ));
    }

    /// Returns the value, or records the problem under the path of the field.
    fn take<T>(&mut self, path: &str, result: Result<T, impl Display>) -> Option<T> {
        result
            .map_err(|error| {
                self.add(
                    path,
                    error,
                    format!("correct `{path}` in the application document"),
                )
            })
            .ok()
    }
}

pub(super) fn parse(document: &ApplicationDocument) -> Result<Application, Vec<Problem>> {
    let mut problems = Problems::default();
    if document.format != FORMAT {
        problems.add(
            "format",
            format_args!(
                "format {} is not supported; this version of lifeboat reads format {FORMAT}",
                document.format
            ),
            format!("write `format: {FORMAT}`, or update lifeboat"),
        );
    }
    let name = problems.take("name", ApplicationName::parse(document.name.as_str()));
    let mut place = |path: &str, account: &str, region: &str| {
        let (account, region) = environment(account, region);
        let account = problems.take(&format!("{path}.account"), account);
        let region = problems.take(&format!("{path}.region"), region);
        Some(EnvironmentId {
            account: account?,
            region: region?,
        })
    };
    let primary = place("primary", &document.primary.account, &document.primary.region);
    let recovery = place("recovery", &document.recovery.account, &document.recovery.region);
    if let (Some(primary), Some(recovery)) = (&primary, &recovery) {
        check_places(&mut problems, primary, recovery);
    }
    if let Some(key) = &document.primary.signing_key
        && !is_fingerprint(key)
    {
        problems.add(
            "primary.signingKey",
            format_args!("{key:?} is not sha256: and 64 hexadecimal digits"),
            "copy the fingerprint that `lifeboat deploy application` prints, or remove the field",
        );
    }
    for boundary in &document.infrastructure.permissions_boundaries {
        check_boundary(&mut problems, boundary, recovery.as_ref());
    }
    let clusters = clusters(&mut problems, document);
    let restore_into = match document.restore_into.as_deref() {
        Some(_) if document.cluster_tags.is_empty() => {
            problems.add(
                "restoreInto",
                "needs `clusterTags`; it applies to clusters found by tag",
                "write `restoreInto` beside the name of each cluster",
            );
            None
        }
        given => given.and_then(|text| problems.take("restoreInto", TargetPattern::parse(text))),
    };
    let schedule = schedule(&mut problems, document.schedule.as_ref());
    let kept = document.retention;
    if [kept.last, kept.hourly, kept.daily, kept.weekly, kept.monthly]
        .iter()
        .all(|n| *n == 0)
    {
        problems.add(
            "retention",
            "keeps no recovery points",
            "set at least one of its fields above zero, or remove `retention`",
        );
    }
    let infrastructure = &document.infrastructure;
    if !infrastructure.adopt_tags.is_empty() && infrastructure.adopt_existing.is_empty() {
        problems.add(
            "infrastructure.adoptTags",
            "needs `adoptExisting`; no stack uses what exists",
            "list stacks in `adoptExisting`, such as `adoptExisting: [network]`, or remove `adoptTags`",
        );
    }
    match (name, primary, recovery, schedule) {
        (Some(name), Some(primary), Some(recovery), Some(schedule)) if problems.0.is_empty() => {
            Ok(Application {
                name,
                primary,
                recovery,
                signing_key: document.primary.signing_key.clone(),
                clusters,
                cluster_tags: document.cluster_tags.clone(),
                restore_into,
                schedule,
                retention: document.retention,
                filter: document.filter.clone(),
                infrastructure: document.infrastructure.clone(),
                rules: document.rules.clone(),
            })
        }
        _ => Err(problems.0),
    }
}

/// A permissions boundary is a policy of the account of the role, or of AWS
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html>). The stack separates
/// several by commas.
fn check_boundary(problems: &mut Problems, boundary: &str, recovery: Option<&EnvironmentId>) {
    // The policies of AWS have `aws` in the place of the account, so that they are no `Arn`.
    let parts: Vec<&str> = boundary.splitn(6, ':').collect();
    let is_policy = match parts.as_slice() {
        ["arn", _, "iam", "", account, resource] => {
            let is_of_account = recovery.is_none_or(|recovery| *account == recovery.account.as_str());
            (*account == "aws" || is_of_account) && resource.starts_with("policy/") && !resource.contains(',')
        }
        _ => false,
    };
    if !is_policy {
        problems.add(
            "infrastructure.permissionsBoundaries",
            format_args!("{boundary:?} is not the ARN of an IAM policy of the recovery account or of AWS"),
            "write ARNs such as arn:aws:iam::222222222222:policy/boundary; the names have no commas",
        );
    }
}

fn check_places(problems: &mut Problems, primary: &EnvironmentId, recovery: &EnvironmentId) {
    if primary == recovery {
        problems.add(
            "recovery",
            "is the same as the primary environment",
            "use another account, or at least another Region, so that one failure does not affect both",
        );
    }
    let (here, there) = (primary.region.partition(), recovery.region.partition());
    if here != there {
        problems.add(
            "recovery.region",
            format_args!(
                "{} is in partition {there}, the primary is in {here}",
                recovery.region
            ),
            "use a Region of the same partition; buckets of one partition cannot be accessed from another",
        );
    }
}

fn clusters(problems: &mut Problems, document: &ApplicationDocument) -> Vec<ClusterSpec> {
    if document.clusters.is_empty() && document.cluster_tags.is_empty() {
        problems.add(
            "clusters",
            "no cluster is specified",
            "list at least one cluster, or set `clusterTags`",
        );
    }
    if !document.clusters.is_empty() && !document.cluster_tags.is_empty() {
        problems.add(
            "clusterTags",
            "`clusters` and `clusterTags` are mutually exclusive",
            "keep either `clusters` or `clusterTags`",
        );
    }
    let (mut names, mut sources, mut targets) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut clusters = Vec::new();
    for (position, given) in document.clusters.iter().enumerate() {
        let path = format!("clusters[{position}]");
        let Some(cluster) = cluster(problems, &path, given) else {
            continue;
        };
        let mut once = |field: &str, set: &mut BTreeSet<ClusterName>, name: &ClusterName| {
            if !set.insert(name.clone()) {
                problems.add(
                    &format!("{path}.{field}"),
                    format_args!("{name} is used for two clusters of the application"),
                    "list each cluster once",
                );
            }
        };
        once("name", &mut names, &cluster.name);
        once("cluster", &mut sources, &cluster.cluster);
        if let Some(target) = &cluster.restore_into {
            once("restoreInto", &mut targets, target);
        }
        clusters.push(cluster);
    }
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    clusters
}

fn cluster(problems: &mut Problems, path: &str, given: &ClusterDocument) -> Option<ClusterSpec> {
    let mut name =
        |field: &str, text: &str| problems.take(&format!("{path}.{field}"), ClusterName::parse(text));
    let own = name("name", &given.name);
    let source = given.cluster.as_ref().map(|text| name("cluster", text));
    let target = given.restore_into.as_ref().map(|text| name("restoreInto", text));
    let own = own?;
    Some(ClusterSpec {
        cluster: source.unwrap_or_else(|| Some(own.clone()))?,
        restore_into: match target {
            Some(target) => Some(target?),
            None => None,
        },
        name: own,
    })
}

fn schedule(problems: &mut Problems, given: Option<&ScheduleDocument>) -> Option<Schedule> {
    match given {
        None => Some(Schedule::DEFAULT),
        Some(ScheduleDocument {
            every: Some(every),
            cron: None,
        }) => problems.take("schedule.every", Schedule::every(every)),
        Some(ScheduleDocument {
            every: None,
            cron: Some(cron),
        }) => problems.take("schedule.cron", Schedule::cron(cron)),
        Some(_) => {
            problems.add(
                "schedule",
                "needs exactly one of `every` and `cron`",
                "for example: `schedule: { every: 1h }`",
            );
            None
        }
    }
}

fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}
