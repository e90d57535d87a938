//! The installation with every kind of place, `fixtures/installation`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde::Deserialize as _;

use super::*;
use crate::diff::diff;
use crate::glob;

fn map() -> IdentityMap {
    serde_yaml_ng::from_str(include_str!("../../../fixtures/installation/identities.yaml")).unwrap()
}

/// Returns the objects of the installation with their types.
fn objects() -> Vec<((String, String), Value)> {
    let text = include_str!("../../../fixtures/installation/objects.yaml");
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let objects = documents.map(|document| Value::deserialize(document).unwrap());
    objects.map(|object| (type_of(&object), object)).collect()
}

fn type_of(object: &Value) -> (String, String) {
    let version = object["apiVersion"].as_str().unwrap();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let kind = object["kind"].as_str().unwrap().to_ascii_lowercase();
    let plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with("ss") => format!("{kind}es"),
        None if kind.ends_with('s') => kind,
        None => format!("{kind}s"),
    };
    (group.to_owned(), plural)
}

fn translated(identities: &Identities, of: &(String, String), object: &Value) -> (Value, Outcome) {
    let mut new = object.clone();
    let outcome = identities.apply((&of.0, &of.1), &|_| false, &mut new);
    (new, outcome)
}

#[test]
fn every_kind_of_place_of_an_installation_is_translated_by_its_rule() {
    let (map, mut lines) = (map(), String::new());
    assert_eq!(map.faults(), []);
    let identities = Identities::compile(&map);
    let mut declared = BTreeSet::new();
    for (of, object) in objects() {
        let (_, outcome) = translated(&identities, &of, &object);
        let name = object["metadata"]["name"].as_str().unwrap();
        writeln!(lines, "{} {name}", of.1).unwrap();
        for one in &outcome.rewritten {
            writeln!(
                lines,
                "  {:?} {}\n    - {}\n    + {}",
                one.rule, one.path, one.from, one.to
            )
            .unwrap();
        }
        for leftover in outcome.leftovers {
            let known = map
                .leftovers
                .iter()
                .find(|known| glob::matches(&known.token, &leftover.token));
            // The NodeClaim is not restored.
            assert!(
                known.is_some() || of.1 == "nodeclaims",
                "{of:?} {name}: {leftover:?}"
            );
            declared.extend(known.map(|known| known.token.clone()));
        }
    }
    assert_eq!(
        declared.len(),
        map.leftovers.len(),
        "each declared leftover is there"
    );
    insta::assert_snapshot!(lines);
}

#[test]
fn what_no_rule_matches_in_an_installation_keeps_its_bytes() {
    let identities = Identities::compile(&map());
    for (of, object) in objects() {
        let (new, outcome) = translated(&identities, &of, &object);
        let rewritten: BTreeSet<&str> = outcome.rewritten.iter().map(|one| one.path.as_str()).collect();
        diff(&object, &new, &mut |path, change| {
            // The key of a tag changes as a field that is removed and one that is added.
            let is_key = change.left.is_none() && path.contains("kubernetes.io~1cluster~1orders-dr");
            assert!(is_key || rewritten.contains(path.as_str()), "{of:?} {path}");
        });
    }
}

#[test]
fn an_installation_is_translated_once_and_comes_back() {
    let (there, back) = (
        Identities::compile(&map()),
        Identities::compile(&map().reversed()),
    );
    for (of, object) in objects() {
        let (new, _) = translated(&there, &of, &object);
        let (again, outcome) = translated(&there, &of, &new);
        assert_eq!((&again, outcome.rewritten), (&new, vec![]), "{of:?}");
        assert_eq!(translated(&back, &of, &new).0, object, "{of:?}");
    }
}

/// Replaces each `every`th text of a value.
fn replace(value: &mut Value, every: usize, texts: &[String], seen: &mut usize) {
    match value {
        Value::String(text) => {
            *seen += 1;
            if seen.is_multiple_of(every)
                && let Some(new) = texts.get(*seen / every % texts.len().max(1))
            {
                text.clone_from(new);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| replace(one, every, texts, seen)),
        Value::Object(map) => map.values_mut().for_each(|one| replace(one, every, texts, seen)),
        _ => {}
    }
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let known: Vec<String> = map().identities.into_iter().map(|one| one.from).collect();
    let between = [
        "",
        ",",
        ", ",
        " ",
        "-",
        "=",
        "--cluster-name=",
        "access_logs.s3.bucket=",
        "x",
        "eu-west-1",
    ];
    let piece = prop_oneof![
        proptest::sample::select(known),
        proptest::sample::select(between.to_vec()).prop_map(str::to_owned),
    ];
    let text = proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat());
    proptest::collection::vec(text, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn objects_with_any_texts_are_translated_once_and_come_back(
        index in any::<prop::sample::Index>(), every in 2_usize..6, texts in texts(),
    ) {
        let (there, back) = (Identities::compile(&map()), Identities::compile(&map().reversed()));
        let all = objects();
        let (of, mut object) = all[index.index(all.len())].clone();
        let spec = object.as_object_mut().unwrap().iter_mut();
        let mut seen = 0;
        for (_, field) in spec.filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind")) {
            replace(field, every, &texts, &mut seen);
        }
        let (new, _) = translated(&there, &of, &object);
        let (again, outcome) = translated(&there, &of, &new);
        prop_assert_eq!((&again, outcome.rewritten), (&new, vec![]));
        prop_assert_eq!(translated(&back, &of, &new).0, object);
    }
}
