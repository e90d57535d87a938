use serde_json::json;

use crate::testing::Fixture;

#[test]
fn a_realistic_plan_reads_well() {
    let text = include_str!("golden/cluster.yaml");
    let objects: Vec<serde_json::Value> = serde_yaml_ng::Deserializer::from_str(text)
        .filter_map(|document| serde::Deserialize::deserialize(document).ok())
        .collect();
    let mut fixture = Fixture::new(objects).with(json!({
        "namespaceMap": {"shop": "shop-dr"},
        "patches": [{"name": "smaller", "when": {"types": ["deployments"]}, "merge": {"spec": {"replicas": 1}}},
            {"name": "new password", "when": {"types": ["secrets"], "names": ["db"]}, "merge": {"data": {"password": "Y2FuYXJ5"}}}]}));
    fixture.facts.service_ranges = vec!["172.20.0.0/16".to_owned()];
    let plan = fixture.plan();
    insta::assert_snapshot!("table", plan.table());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&plan).unwrap_or_default());
}
