//! Measures a plan of 100,000 objects with an identity map of 500 entries, and counts the leftovers of the installation
//! with every kind of place (`crates/translate/fixtures/installation`). Prints JSON.
//!
//! `cargo run --release -p lifeboat-plan --example plan [OBJECTS]`

use std::time::Instant;

use lifeboat_model::ResourceType;
use lifeboat_plan::{
    Locator, Plan, PlanBuilder, Redactor, RestoreOptions, ServedType, SourceType, TargetFacts, VersionServed,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

const OBJECTS: usize = 100_000;
const ENTRIES: usize = 500;
const NAMESPACES: usize = 50;
const KEY: [u8; 32] = [7; 32];

/// Returns the type of an object. The plural of its kind is regular.
fn type_of(object: &Value) -> SourceType {
    let api_version = object["apiVersion"].as_str().expect("it has a version");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = object["kind"].as_str().expect("it has a kind");
    let singular = kind.to_ascii_lowercase();
    let plural = match singular.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if singular.ends_with("ss") => format!("{singular}es"),
        None if singular.ends_with('s') => singular.clone(),
        None => format!("{singular}s"),
    };
    SourceType {
        resource: ResourceType {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: plural,
            kind: kind.to_owned(),
            namespaced: object.pointer("/metadata/namespace").is_some(),
        },
        singular,
        short_names: Vec::new(),
        verbs: ["create", "get", "list"].map(str::to_owned).to_vec(),
        served_versions: vec![version.to_owned()],
        custom: !matches!(group, "" | "apps" | "batch") && !group.ends_with(".k8s.io"),
    }
}

fn served(r#type: &SourceType) -> ServedType {
    let resource = r#type.resource.clone();
    ServedType {
        group: resource.group,
        resource: resource.resource,
        versions: vec![VersionServed {
            version: resource.version,
            kind: resource.kind,
            namespaced: resource.namespaced,
            verbs: r#type.verbs.clone(),
        }],
    }
}

/// Plans a restore into an empty target that serves the types. Each object exists only while it is read, as in a
/// restore.
fn planned(options: &Value, types: &[SourceType], objects: &mut dyn Iterator<Item = Value>) -> Plan {
    let options: RestoreOptions = serde_json::from_value(options.clone()).expect("the options are valid");
    let mut draft = PlanBuilder::new(
        options,
        types,
        "20261121T112233Z-7f3a9c",
        "shop",
        Redactor::new(&KEY),
    );
    for (position, object) in (0..).zip(objects) {
        let of = type_of(&object);
        let r#type = types.iter().find(|known| known.resource == of.resource);
        let raw = serde_json::to_vec(&object).expect("a value is JSON");
        let locator = Locator { frame: 0, position };
        draft
            .add(r#type.expect("the type is listed"), locator, &raw)
            .expect("the object can be read");
    }
    let facts = TargetFacts {
        server_version: "v1.36.3".to_owned(),
        types: types.iter().map(served).collect(),
        service_ranges: vec!["10.96.0.0/16".to_owned()],
        ..TargetFacts::default()
    };
    draft.plan(&facts).expect("the plan can be made")
}

/// Returns options with an identity map of 500 entries.
fn options() -> Value {
    let identities: Vec<Value> = (0..ENTRIES)
        .map(|index| {
            let (kind, from, to) = match index % 3 {
                0 => ("subnet", "subnet-0a", "subnet-0b"),
                1 => ("security-group", "sg-0a", "sg-0b"),
                _ => ("role", "role-a", "role-b"),
            };
            json!({"kind": kind, "from": format!("{from}{index:015x}"), "to": format!("{to}{index:015x}")})
        })
        .collect();
    json!({"identities": {
        "format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "identities": identities}})
}

/// Returns the metadata of an object as a cluster has it.
fn metadata(name: &str, namespace: &str) -> Value {
    json!({"name": name, "namespace": namespace, "uid": format!("uid-{namespace}-{name}"), "resourceVersion": "1",
        "creationTimestamp": "2026-11-21T10:00:00Z", "labels": {"app": name},
        "managedFields": [{"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:data": {}, "f:spec": {}}}]})
}

/// Returns the object with this number: configuration, Secrets, service accounts, and workloads of the primary's
/// registry.
fn object(index: usize) -> Value {
    let name = format!("cart-{index}");
    let mut metadata = metadata(&name, &format!("team-{}", index % NAMESPACES));
    let words = "the quick service answers requests of the catalogue and writes each order into the queue ";
    match index % 5 {
        0 | 1 => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": {"application.yaml": words.repeat(8), "region": "eu-west-1"}}),
        2 => json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque",
            "data": {"token": "dGhlIHF1aWNrIHNlcnZpY2UgYW5zd2VycyByZXF1ZXN0cw=="}}),
        3 => {
            let role = format!("arn:aws:iam::111111111111:role/role-a{:015x}", index % ENTRIES);
            metadata["annotations"] = json!({"eks.amazonaws.com/role-arn": role});
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        }
        _ => json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "cart", "env": [{"name": "AWS_REGION", "value": "eu-west-1"}],
                    "image": format!("111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:v{index}")}]}}}}),
    }
}

fn namespaces() -> impl Iterator<Item = Value> {
    (0..NAMESPACES).map(|index| {
        let name = format!("team-{index}");
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": format!("uid-{name}")}})
    })
}

fn types_of<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<SourceType> {
    let mut types: Vec<SourceType> = objects.map(type_of).collect();
    types.sort();
    types.dedup();
    types
}

/// Returns the number of leftovers of the installation that its identity map does not declare.
fn undeclared() -> usize {
    let text = include_str!("../../translate/fixtures/installation/objects.yaml");
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let objects: Vec<Value> = documents
        .zip(0..)
        .map(|(document, index)| {
            let mut object = Value::deserialize(document).expect("the fixture is YAML");
            object["metadata"]["uid"] = json!(format!("uid-{index}"));
            object
        })
        .collect();
    let map = include_str!("../../translate/fixtures/installation/identities.yaml");
    let map: Value = serde_yaml_ng::from_str(map).expect("the map is YAML");
    let types = types_of(objects.iter());
    let plan = planned(&json!({ "identities": map }), &types, &mut objects.into_iter());
    let leftovers = plan.objects.iter().flat_map(|object| object.leftovers());
    leftovers.filter(|leftover| leftover.reason.is_none()).count()
}

/// Returns the largest resident memory of this process in MiB. Linux alone tells it.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

fn main() {
    let wanted = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let count = wanted.unwrap_or(OBJECTS);
    let one_of_each: Vec<Value> = namespaces().take(1).chain((0..5).map(object)).collect();
    let (types, options) = (types_of(one_of_each.iter()), options());
    let begin = Instant::now();
    let plan = planned(&options, &types, &mut namespaces().chain((0..count).map(object)));
    let (findings, hash) = (plan.lint().len(), plan.hash());
    let seconds = begin.elapsed().as_secs_f64();
    let peak = peak_mib();
    println!(
        "{}",
        json!({"plan_s": seconds, "peak_mib": peak, "objects": plan.objects.len(), "findings": findings,
            "hash": hash, "undeclared_leftovers": undeclared()})
    );
}
