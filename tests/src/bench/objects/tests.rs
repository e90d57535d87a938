#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use super::*;

fn texts(samples: impl Iterator<Item = Sample>) -> Vec<String> {
    samples.map(|sample| sample.body.to_string()).collect()
}

#[test]
fn two_runs_measure_the_same_objects() {
    assert_eq!(texts(cluster(500)), texts(cluster(500)));
    assert_eq!(texts(large(400)), texts(large(400)));
}

#[test]
fn every_object_has_a_place_of_its_own() {
    let mut seen = BTreeSet::new();
    let all = prerequisites()
        .into_iter()
        .chain(cluster(2_000))
        .chain(large(2_000));
    for sample in all {
        let name = sample.body["metadata"]["name"].as_str().unwrap().to_owned();
        assert!(seen.insert((sample.path, name)), "{}", sample.body["metadata"]);
    }
}

/// Returns the text of a ConfigMap.
fn configuration(sample: &Sample) -> &str {
    sample.body["data"]["application.properties"].as_str().unwrap()
}

#[test]
fn instances_of_an_application_share_most_lines_and_not_all() {
    let mut same =
        samples(301).filter(|sample| sample.body["metadata"]["labels"]["app.kubernetes.io/name"] == "app-0");
    let (first, second) = (same.next().unwrap(), same.next().unwrap());
    let lines: BTreeSet<&str> = configuration(&first).lines().collect();
    let others: Vec<&str> = configuration(&second).lines().collect();
    let shared = others.iter().filter(|line| lines.contains(*line)).count();
    assert!(shared * 10 > others.len() * 6, "{shared} of {}", others.len());
    assert!(shared < others.len());
}

#[test]
fn sizes_are_those_that_are_promised() {
    for sample in large(4_000) {
        let bytes = sample.body.to_string().len();
        let allowed = match sample.body["kind"].as_str().unwrap() {
            "CustomResourceDefinition" => 18_000..=330_000,
            "ConfigMap" => 38_000..=105_000,
            _ => 4_000..=65_000,
        };
        assert!(
            allowed.contains(&bytes),
            "{} has {bytes}",
            sample.body["metadata"]
        );
    }
}
