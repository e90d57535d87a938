use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::Fixture;

/// Generates objects that own each other, some in cycles, some excluded by rules.
fn objects() -> impl Strategy<Value = Vec<Value>> {
    let one = (
        0_usize..6,
        0_usize..3,
        proptest::option::of(0_usize..12),
        any::<bool>(),
    );
    proptest::collection::vec(one, 1..12).prop_map(|rows| {
        let kinds = [("v1", "ConfigMap"), ("v1", "Secret"), ("v1", "Service"), ("v1", "Pod"), ("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet")];
        let count = rows.len();
        rows.iter()
            .enumerate()
            .map(|(index, (kind, namespace, owner, controller))| {
                let (api_version, kind) = kinds[*kind];
                let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": format!("o{index}"),
                    "namespace": format!("n{namespace}"), "uid": format!("uid-{index}")}, "data": {"n": index}});
                if let Some(owner) = owner.map(|owner| owner % count) {
                    let (owner_version, owner_kind) = kinds[rows[owner].0];
                    object["metadata"]["ownerReferences"] = json!([{"apiVersion": owner_version, "kind": owner_kind,
                        "name": format!("o{owner}"), "uid": format!("uid-{owner}"), "controller": controller}]);
                }
                if kind == "Service" {
                    let ip = format!("10.96.0.{}", 10 + index % 4);
                    object["spec"] = json!({"clusterIP": ip, "clusterIPs": [ip], "ports": [{"nodePort": 30_000 + index % 3}]});
                }
                object
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_observation_does_not_show(
        (objects, shuffled) in objects().prop_flat_map(|objects| (Just(objects.clone()), Just(objects).prop_shuffle()))
    ) {
        let one = Fixture::new(objects).plan();
        let two = Fixture::new(shuffled).plan();
        prop_assert_eq!(serde_json::to_string_pretty(&one).ok(), serde_json::to_string_pretty(&two).ok());
        prop_assert_eq!(one.hash(), two.hash());
        prop_assert_eq!(one.lint(), two.lint());
        prop_assert_eq!(one.table(), two.table());
    }

    #[test]
    fn every_object_is_planned_once_or_left_out_once(objects in objects()) {
        let fixture = Fixture::new(objects);
        let plan = fixture.plan();
        let mut seen: Vec<String> = plan.objects.iter().map(|o| o.source().to_string())
            .chain(plan.not_restored.iter().map(|n| n.object.to_string())).collect();
        seen.sort();
        let mut all: Vec<String> = fixture.objects.iter().map(|o| {
            let t = crate::testing::type_of(o).resource.name();
            lifeboat_model::ObjectRef::new(t, o["metadata"]["namespace"].as_str(), o["metadata"]["name"].as_str().unwrap_or_default()).to_string()
        }).collect();
        all.sort();
        prop_assert_eq!(seen, all);
    }

    #[test]
    fn every_planned_body_can_be_made_and_is_what_it_is_compared_with(objects in objects()) {
        let fixture = Fixture::new(objects);
        let plan = fixture.plan();
        for object in &plan.objects {
            let bodies = fixture.bodies(&plan, &object.target.to_string());
            prop_assert_eq!(crate::compare(&bodies.create, &bodies.create, plan.redactor()), []);
            prop_assert_eq!(bodies.create.pointer("/metadata/uid"), None);
        }
    }
}
