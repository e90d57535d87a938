//! Measures the translation and the scan for leftovers: bytes of objects per second on one core, with a map of 500
//! entries. Prints JSON: megabytes per second where one object in 400 names the primary, and where one in four does.
//!
//! `cargo run --release -p lifeboat-translate --example throughput`

use std::time::Instant;

use lifeboat_model::{AccountId, Region};
use lifeboat_translate::identity::{AccountAndRegion, Identities, IdentityMap, Kind};
use serde_json::{Value, json};

const ENTRIES: usize = 500;
const OBJECTS: usize = 4_000;
const ROUNDS: usize = 9;
/// About as many objects as the caches of a processor hold.
const BATCH: usize = 50;

fn environment(account: &str, region: &str) -> AccountAndRegion {
    AccountAndRegion {
        account: AccountId::parse(account).expect("it is an account"),
        region: Region::parse(region).expect("it is a Region"),
    }
}

fn map() -> IdentityMap {
    let map = IdentityMap::new(
        environment("111111111111", "eu-west-1"),
        environment("222222222222", "eu-central-1"),
    );
    (0..ENTRIES).fold(map, |map, index| match index % 6 {
        0 => map.with(
            Kind::Subnet,
            format!("subnet-0a{index:015x}"),
            format!("subnet-0b{index:015x}"),
        ),
        1 => map.with(
            Kind::SecurityGroup,
            format!("sg-0a{index:015x}"),
            format!("sg-0b{index:015x}"),
        ),
        2 => map.with(
            Kind::Volume,
            format!("vol-0a{index:015x}"),
            format!("vol-0b{index:015x}"),
        ),
        3 => map.with(
            Kind::Arn,
            format!("arn:aws:acm:eu-west-1:111111111111:certificate/{index:08}"),
            format!("arn:aws:acm:eu-central-1:222222222222:certificate/{index:08}"),
        ),
        4 => map.with(Kind::Role, format!("role-{index}"), format!("role-{index}-dr")),
        _ => map.with(
            Kind::Host,
            format!("db{index}.abc.eu-west-1.rds.amazonaws.com"),
            format!("db{index}.def.eu-central-1.rds.amazonaws.com"),
        ),
    })
}

/// Returns objects as a cluster has them: in one of `every` a container is from the registry of the primary.
fn objects(every: usize) -> Vec<Value> {
    let words = "the quick service answers requests of the catalogue and writes each order into the queue ";
    (0..OBJECTS)
        .map(|index| match index % 4 {
            0 => json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": format!("config-{index}"), "namespace": "shop"},
                "data": {"application.yaml": words.repeat(24)}}),
            1 => json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": format!("secret-{index}"), "namespace": "shop"}, "type": "Opaque",
                "data": {"token": "dGhlIHF1aWNrIHNlcnZpY2UgYW5zd2VycyByZXF1ZXN0cw==".trim_end_matches('=').to_owned() + "=="}}),
            _ => {
                let registry = match index % every {
                    2 => "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
                    _ => "registry.example.com",
                };
                json!({"apiVersion": "apps/v1", "kind": "Deployment",
                    "metadata": {"name": format!("cart-{index}"), "namespace": "shop", "labels": {"app": "cart"},
                        "annotations": {"deployment.kubernetes.io/revision": "3"}},
                    "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "cart"}}, "template": {
                        "metadata": {"labels": {"app": "cart"}},
                        "spec": {"serviceAccountName": "cart", "containers": [{"name": "cart",
                            "image": format!("{registry}/shop/cart:v{index}"),
                            "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "GREETING", "value": words}],
                            "args": ["--listen=:8080", "--verbose"],
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                            "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "100m"}}}]}}}})
            }
        })
        .collect()
}

/// Returns the type of an object, as the recovery point has it.
fn type_of(object: &Value) -> (&'static str, &'static str) {
    match object["kind"].as_str() {
        Some("ConfigMap") => ("", "configmaps"),
        Some("Secret") => ("", "secrets"),
        _ => ("apps", "deployments"),
    }
}

/// Returns the seconds that the translation of some objects takes.
fn run(identities: &Identities, batch: &[Value]) -> f64 {
    let mut copies = batch.to_vec();
    let begin = Instant::now();
    for object in &mut copies {
        let of = type_of(object);
        std::hint::black_box(identities.apply(of, &|_| false, object));
    }
    begin.elapsed().as_secs_f64()
}

fn measure(every: usize) -> f64 {
    let identities = Identities::compile(&map());
    let originals = objects(every);
    let bytes: usize = originals.iter().map(|object| object.to_string().len()).sum();
    // A plan translates each object right after it is parsed, so that it is in the caches. The shortest time of a batch
    // is that in which no other program had the processor.
    let shortest = |batch: &[Value]| {
        let times = (0..ROUNDS).map(|_| run(&identities, batch));
        times.fold(f64::INFINITY, f64::min)
    };
    let seconds: f64 = originals.chunks(BATCH).map(shortest).sum();
    bytes as f64 / 1e6 / seconds
}

fn main() {
    let (few, many) = (measure(400), measure(4));
    println!("{}", json!({"mb_per_s_few": few, "mb_per_s_many": many}));
}
