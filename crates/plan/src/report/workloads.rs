//! The Pods of the workloads, in the source and in the target.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::ObjectRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PlannedOrdinal, PlannedWorkload, shape};

/// A workload and its Pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// The workload in the target.
    pub object: ObjectRef,
    /// Whether its Pods are what they were in the source.
    pub state: WorkloadState,
    /// The number of Pods in the source.
    pub pods: u32,
    /// The number of ready Pods that the target is to have: as many as the source had, or for a DaemonSet one on each of
    /// the nodes that it selects.
    pub wanted: u32,
    /// The number of ready Pods in the target.
    pub ready: u32,
    /// Where Pods of the target differ from those of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<PodDifference>,
}

/// Whether the Pods of a workload are what they were in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WorkloadState {
    /// As many Pods as in the source are ready, and they run the same.
    Same,
    /// Fewer Pods are ready than in the source.
    NotReady,
    /// Pods run other containers, or another revision.
    Differs,
}

/// A difference between the Pods of a workload in the source and in the target. Each is relative to the template of its
/// workload, so that a change of the template by a patch is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodDifference {
    /// The path in the shape of a Pod ([`crate::shape`]), or `/revision`.
    pub path: String,
    /// The value in the source; absent if the Pods did not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The value in the target; absent if the Pods do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Compares the Pods of a StatefulSet whose rollout is held by their ordinals. Revisions have other names in the target if
/// their templates were translated, so that Pods with one revision in the source are to have one in the target. Shapes
/// that the source did not have are no difference of revisions.
#[must_use]
pub fn other_revisions(
    planned: &PlannedWorkload,
    live: &BTreeMap<u32, PlannedOrdinal>,
) -> Option<PodDifference> {
    let (mut in_target, mut in_source) = (BTreeMap::new(), BTreeMap::new());
    let is_same = |(ordinal, source): (&u32, &PlannedOrdinal)| {
        live.get(ordinal).is_none_or(|target| {
            *in_target
                .entry(source.revision.clone())
                .or_insert_with(|| target.revision.clone())
                == target.revision
                && *in_source
                    .entry(target.revision.clone())
                    .or_insert_with(|| source.revision.clone())
                    == source.revision
                && (source.shape == target.shape
                    || planned.shapes.iter().all(|known| known.shape != target.shape))
        })
    };
    let shown = |pods: &BTreeMap<u32, PlannedOrdinal>| {
        let texts = pods
            .iter()
            .map(|(ordinal, pod)| format!("{ordinal}: {}", pod.revision));
        Some(texts.collect::<Vec<_>>().join(", "))
    };
    let differs = !planned.ordinals.iter().all(is_same);
    differs.then(|| PodDifference {
        path: "/revision".to_owned(),
        source: shown(&planned.ordinals),
        target: shown(live),
    })
}

/// Pods of one shape, with the shape where it is needed.
#[derive(Debug, Clone)]
pub struct ShapedPods {
    /// The shape.
    pub shape: Value,
    /// The number of Pods.
    pub pods: u32,
}

/// Compares the Pods of a workload. `source` and `target` are all of its Pods, and both templates are shapes
/// ([`shape::of_template`]).
#[must_use]
pub fn differences(
    (source, source_template): (&[ShapedPods], &Value),
    (target, target_template): (&[ShapedPods], &Value),
) -> Vec<PodDifference> {
    type Injected = BTreeMap<String, Option<String>>;
    let relative = |pods: &[ShapedPods], template: &Value| -> BTreeMap<Injected, u32> {
        let mut found = BTreeMap::new();
        for one in pods {
            *found.entry(shape::injected(&one.shape, template)).or_default() += one.pods;
        }
        found
    };
    let (source, target) = (
        relative(source, source_template),
        relative(target, target_template),
    );
    let count = |pods: &BTreeMap<Injected, u32>| pods.values().sum::<u32>();
    // Pods that do not exist yet may become what is missing.
    let is_whole = count(&target) >= count(&source);
    let most = |pods: &BTreeMap<Injected, u32>, other: &BTreeMap<Injected, u32>| {
        let only = pods.iter().filter(|(shape, _)| !other.contains_key(*shape));
        only.max_by_key(|(_, pods)| **pods)
            .map(|(shape, _)| shape.clone())
    };
    let missing = most(&source, &target).filter(|_| is_whole);
    let unexpected = most(&target, &source);
    if missing.is_none() && unexpected.is_none() {
        return Vec::new();
    }
    let any = |pods: &BTreeMap<Injected, u32>| pods.keys().next().cloned().unwrap_or_default();
    let (was, is) = (
        missing.unwrap_or_else(|| any(&source)),
        unexpected.unwrap_or_else(|| any(&target)),
    );
    let paths: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    // A Pod without a class is older than the default class. Pods of one workload may be older and younger, and its
    // controller would give the class to each that it creates again in the source too.
    let is_default_class = |path: &str| path == "/priorityClassName" && !was.contains_key(path);
    let differing = paths
        .into_iter()
        .filter(|path| was.get(*path) != is.get(*path) && !is_default_class(path));
    // A value that one side does not inject is that of the template.
    let value = |injected: &Injected, path: &str, template: &Value| match injected.get(path) {
        Some(value) => value.clone(),
        None => template.pointer(path).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }),
    };
    differing
        .map(|path| PodDifference {
            path: path.clone(),
            source: value(&was, path, source_template),
            target: value(&is, path, target_template),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(images: &[&str], pods: u32) -> ShapedPods {
        let containers: serde_json::Map<String, Value> = images
            .iter()
            .map(|image| {
                let name = image.rsplit(['/', ':']).nth(1).unwrap_or(image);
                (name.to_owned(), json!({"image": image}))
            })
            .collect();
        ShapedPods {
            shape: json!({"containers": containers}),
            pods,
        }
    }

    fn texts(found: &[PodDifference]) -> Vec<String> {
        found
            .iter()
            .map(|one| {
                format!(
                    "{} {:?} {:?}",
                    one.path,
                    one.source.as_deref(),
                    one.target.as_deref()
                )
            })
            .collect()
    }

    #[test]
    fn a_container_that_is_gone_is_a_difference() {
        let template = pods(&["a/web:1"], 1).shape;
        let source = [pods(&["a/web:1", "a/proxy:1"], 2)];
        let found = differences((&source, &template), (&[pods(&["a/web:1"], 2)], &template));
        assert_eq!(
            texts(&found),
            [r#"/containers/proxy Some("{\"image\":\"a/proxy:1\"}") None"#]
        );
        // Pods that do not exist yet are not different.
        assert!(differences((&source, &template), (&[], &template)).is_empty());
        assert!(differences((&source, &template), (&source, &template)).is_empty());
    }

    #[test]
    fn an_image_that_the_template_has_on_both_sides_is_none() {
        let (source, target) = (pods(&["a/web:1"], 1), pods(&["b/web:1"], 1));
        let found = differences(
            (std::slice::from_ref(&source), &source.shape),
            (std::slice::from_ref(&target), &target.shape),
        );
        assert_eq!(found, []);
    }

    #[test]
    fn a_default_class_is_no_difference_and_a_class_that_is_gone_is_one() {
        let plain = pods(&["a/web:1"], 1);
        let mut with_class = plain.clone();
        with_class.shape["priorityClassName"] = json!("standard");
        let (old, new) = ([plain.clone()], [with_class]);
        assert_eq!(differences((&old, &plain.shape), (&new, &plain.shape)), []);
        let gone = differences((&new, &plain.shape), (&old, &plain.shape));
        assert_eq!(texts(&gone), [r#"/priorityClassName Some("standard") None"#]);
    }

    #[test]
    fn pods_of_an_older_revision_are_a_difference() {
        let template = pods(&["a/web:2"], 1).shape;
        let source = [pods(&["a/web:1"], 2), pods(&["a/web:2"], 1)];
        let found = differences((&source, &template), (&[pods(&["a/web:2"], 3)], &template));
        assert_eq!(
            texts(&found),
            [r#"/containers/web/image Some("a/web:1") Some("a/web:2")"#]
        );
    }
}
