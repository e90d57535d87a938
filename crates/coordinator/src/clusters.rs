//! The clusters of an application on each side.

use lifeboat_jobs::ClusterTarget;
use lifeboat_model::{Application, Arn, ClusterName};

/// Returns the clusters of the application in the primary environment.
pub(crate) fn sources(application: &Application, found: &[ClusterTarget]) -> Vec<ClusterTarget> {
    let named = application.clusters.iter().filter_map(|spec| {
        let arn = Arn::cluster(&application.primary, spec.cluster.as_str()).ok()?;
        Some(ClusterTarget::new(spec.name.clone(), arn))
    });
    if application.cluster_tags.is_empty() {
        named.collect()
    } else {
        found.to_vec()
    }
}

/// Returns the clusters of the application that restores write into and that must exist before. There are none if
/// restores build them.
pub(crate) fn targets(application: &Application, found: &[ClusterTarget]) -> Vec<ClusterTarget> {
    if application.infrastructure.rebuild {
        return Vec::new();
    }
    sources(application, found)
        .into_iter()
        .filter_map(|source| {
            let name = target_of(application, &source.name)?;
            let arn = Arn::cluster(&application.recovery, name.as_str()).ok()?;
            Some(ClusterTarget::new(source.name, arn))
        })
        .collect()
}

/// Returns the cluster that a cluster of the application is restored into. A cluster that was once found by
/// tag, and no longer is, can still be in recovery points.
pub(crate) fn target_of(application: &Application, cluster: &ClusterName) -> Option<ClusterName> {
    if let Some(pattern) = &application.restore_into {
        return pattern.target(cluster);
    }
    let mut named = application.clusters.iter();
    named.find(|spec| spec.name == *cluster)?.restore_into.clone()
}
