//! The plan names exactly the custom resources that an API server refuses, and restores all but those of another
//! structure.

use std::collections::BTreeSet;

use http::{Method, Request};
use lifeboat_apiserver::Api;
use lifeboat_model::{Code, ResourceType};
use lifeboat_plan::{Plan, RestoreOptions, ServedType, Severity, SourceType, TargetFacts, VersionServed};
use serde_json::{Value, json};

use crate::support::{Captured, apply, attempted, connect, fixture, live, name};

const OBJECTS: &str = "/apis/foresee.example/v1/namespaces/foresee/probes";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/probes.foresee.example";

/// Schemas of fields, each with values of which an API server accepts some and refuses others.
fn fields() -> Vec<(Value, Vec<Value>)> {
    let text = |rest: Value| {
        let mut schema = json!({"type": "string"});
        schema
            .as_object_mut()
            .expect("it is a map")
            .extend(rest.as_object().cloned().unwrap_or_default());
        schema
    };
    let format = |format: &str, values: &[&str]| {
        let values = values.iter().map(|value| json!(value)).collect();
        (text(json!({ "format": format })), values)
    };
    let owner =
        |rest: Value| json!({"type": "object", "required": ["owner"], "properties": {"owner": text(rest)}});
    let list = |rest: Value| {
        let mut schema = json!({"type": "array", "items": {"type": "integer"}});
        schema
            .as_object_mut()
            .expect("it is a map")
            .extend(rest.as_object().cloned().unwrap_or_default());
        schema
    };
    let owners = || {
        vec![
            json!({}),
            json!({"owner": null}),
            json!({"owner": "a"}),
            json!({"owner": 1}),
        ]
    };
    vec![
        (
            text(json!({})),
            vec![json!("a"), json!(1), json!(true), json!({}), json!([])],
        ),
        (
            json!({"type": "integer"}),
            vec![json!(1), json!(1.0), json!(1.5), json!("1"), json!(1e3)],
        ),
        (
            json!({"type": "integer", "format": "int32"}),
            vec![json!(2_147_483_647), json!(2_147_483_648_i64)],
        ),
        (
            json!({"type": "number"}),
            vec![json!(1), json!(1.5), json!("1.5")],
        ),
        (
            json!({"type": "boolean"}),
            vec![json!(false), json!("false"), json!(0)],
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            vec![json!(1), json!("80%"), json!(1.5), json!(true)],
        ),
        (
            json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^[0-9]+%$"}),
            vec![json!(1), json!("80%"), json!("80"), json!(false)],
        ),
        (text(json!({"enum": ["a", "b"]})), vec![json!("a"), json!("c")]),
        (
            json!({"type": "integer", "enum": [1, 2]}),
            vec![json!(1), json!(2.0), json!(3)],
        ),
        (
            text(json!({"nullable": true, "enum": ["a"]})),
            vec![json!("a"), json!(null)],
        ),
        (text(json!({"nullable": true})), vec![json!(null), json!("a")]),
        (
            text(json!({"pattern": r"^\d[\w.-]+$"})),
            vec![json!("1a-b"), json!("٤ab"), json!("1é"), json!("ab")],
        ),
        (
            text(json!({"pattern": "[^[:space:]/]$"})),
            vec![json!("a"), json!("a/"), json!("a ")],
        ),
        (
            text(json!({"minLength": 2, "maxLength": 3})),
            vec![json!("é"), json!("éé"), json!("éééé")],
        ),
        (
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 3}),
            vec![json!(1), json!(1.5), json!(3), json!(3.5)],
        ),
        (
            json!({"type": "number", "multipleOf": 0.5}),
            vec![json!(1), json!(1.5), json!(1.25)],
        ),
        (
            json!({"type": "number", "minimum": 0.5, "maximum": 2.5}),
            vec![json!(0), json!(0.2), json!(2.2), json!(3)],
        ),
        (
            json!({"type": "integer", "minimum": 0.5}),
            vec![json!(1), json!(0)],
        ),
        (
            json!({"type": "integer", "multipleOf": 3}),
            vec![json!(9), json!(10)],
        ),
        (
            list(json!({"minItems": 1, "maxItems": 2})),
            vec![json!([]), json!([1]), json!([1, 2, 3]), json!([null])],
        ),
        (
            list(json!({"x-kubernetes-list-type": "set"})),
            vec![json!([1, 2]), json!([1, 1])],
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": text(json!({})), "size": {"type": "integer", "maximum": 2}}}}),
            vec![
                json!([{"name": "a", "size": 1}, {"name": "b"}]),
                json!([{"name": "a", "size": 3}]),
                json!([{"name": "a"}, {"name": "a"}]),
                json!([{"size": 1}]),
            ],
        ),
        (
            json!({"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": text(json!({"maxLength": 2}))}),
            vec![
                json!({}),
                json!({"a": "b"}),
                json!({"a": "long"}),
                json!({"a": 1}),
                json!({"a": "", "b": "", "c": ""}),
            ],
        ),
        (owner(json!({})), owners()),
        (owner(json!({"default": "team"})), owners()),
        (owner(json!({"nullable": true})), owners()),
        (
            json!({"type": "object", "properties": {"a": text(json!({})), "b": text(json!({}))},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            vec![
                json!({}),
                json!({"a": ""}),
                json!({"a": "", "b": ""}),
                json!({"a": null, "b": ""}),
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": text(json!({"default": "x"})), "b": text(json!({}))},
                "anyOf": [{"required": ["b"]}, {"properties": {"a": {"enum": ["y"]}}}], "not": {"properties": {"b": {"enum": ["no"]}}, "required": ["b"]}}),
            vec![
                json!({}),
                json!({"a": "y"}),
                json!({"b": "yes"}),
                json!({"b": "no"}),
            ],
        ),
        (
            json!({"type": "integer", "allOf": [{"minimum": 2}, {"not": {"enum": [4]}}]}),
            vec![json!(1), json!(2), json!(4)],
        ),
        (
            json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
            vec![
                json!({"apiVersion": "v1", "kind": "Pod"}),
                json!({"kind": "Pod"}),
                json!({"apiVersion": "v1", "kind": ""}),
            ],
        ),
        (
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": text(json!({}))}}),
            vec![json!({"b": [1, null]}), json!({"a": 1})],
        ),
        format("byte", &["aGk=", "aGk", ""]),
        format("cidr", &["10.0.0.0/8", "fd00::/129", "10.0.0.0"]),
        format("date", &["2024-02-29", "2023-02-29"]),
        format(
            "date-time",
            &[
                "2024-02-29T23:59:59Z",
                "2024-02-29T23:59:59.5+01:00",
                "2024-02-29",
            ],
        ),
        format("duration", &["1h30m", "22 ns", "soon", "0", "1"]),
        format("ipv4", &["10.0.0.01", "10.0.0.256", "::1"]),
        format("ipv6", &["fe80::1", "10.0.0.1"]),
        format("mac", &["00:00:5e:00:53:01", "00:00"]),
        format("uuid", &["123E4567e89b-12d3-a456-426614174000", "123e"]),
        format("semver", &["not checked"]),
    ]
}

fn definition() -> Value {
    let fields = fields().into_iter().enumerate();
    let properties: serde_json::Map<String, Value> = fields
        .map(|(at, (schema, _))| (format!("field{at}"), schema))
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "probes.foresee.example"},
        "spec": {"group": "foresee.example", "scope": "Namespaced",
            "names": {"plural": "probes", "singular": "probe", "kind": "Probe", "listKind": "ProbeList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}}}]}})
}

fn probes() -> Vec<Value> {
    let fields = fields().into_iter().enumerate();
    let probes = fields.flat_map(|(at, (_, values))| {
        let values = values.into_iter().enumerate();
        values.map(move |(number, value)| {
            let mut spec = serde_json::Map::new();
            spec.insert(format!("field{at}"), value);
            json!({"apiVersion": "foresee.example/v1", "kind": "Probe",
                "metadata": {"name": format!("f{at}-v{number}"), "namespace": "foresee"}, "spec": spec})
        })
    });
    probes.collect()
}

/// Returns whether an API server would create the object.
async fn is_accepted(api: &Api, probe: &Value) -> bool {
    let body = serde_json::to_vec(probe).expect("a value can be written");
    let post = Request::builder()
        .method(Method::POST)
        .uri(format!("{OBJECTS}?dryRun=All&fieldValidation=Ignore"))
        .header("content-type", "application/json");
    let answer = api
        .request(post.body(body.into()).expect("the request is one"))
        .await;
    match answer {
        Ok(_) => true,
        Err(error) if error.status() == Some(422) => false,
        Err(error) => panic!("{probe}: {error}"),
    }
}

/// Returns the names of the probes that findings of this severity could mean. A finding names a few.
fn foreseen(plan: &Plan, severity: Severity) -> (u64, String) {
    let findings = plan.lint().into_iter();
    let own =
        findings.filter(|finding| finding.code == Code::DefinitionBroken && finding.severity == severity);
    let messages: Vec<String> = own.map(|finding| finding.message).collect();
    let number = messages
        .iter()
        .filter_map(|message| message.split(' ').next()?.parse::<u64>().ok());
    (number.sum(), messages.join("\n"))
}

fn resource() -> ResourceType {
    ResourceType {
        group: "foresee.example".into(),
        version: "v1".into(),
        resource: "probes".into(),
        kind: "Probe".into(),
        namespaced: true,
    }
}

/// Returns a plan of the definition and one probe.
fn plan_of(definition: &Captured, probe: &Value) -> Plan {
    let mut captured = definition.clone();
    add(&mut captured, std::slice::from_ref(probe));
    let served = |known: &SourceType| ServedType {
        group: known.resource.group.clone(),
        resource: known.resource.resource.clone(),
        versions: vec![VersionServed {
            version: known.resource.version.clone(),
            kind: known.resource.kind.clone(),
            namespaced: known.resource.namespaced,
            verbs: known.verbs.clone(),
        }],
    };
    let built_in = captured.types.iter().filter(|known| !known.custom);
    let facts = TargetFacts {
        types: built_in.map(served).collect(),
        ..TargetFacts::default()
    };
    captured
        .draft(&RestoreOptions::default())
        .plan(&facts)
        .expect("a plan can be made")
}

fn add(captured: &mut Captured, probes: &[Value]) {
    let known = captured
        .types
        .iter()
        .position(|known| known.resource == resource());
    let at = known.unwrap_or_else(|| {
        captured.types.push(SourceType {
            resource: resource(),
            singular: "probe".into(),
            short_names: Vec::new(),
            verbs: vec!["create".into()],
            served_versions: vec!["v1".into()],
            custom: true,
        });
        captured.types.len() - 1
    });
    for probe in probes {
        let mut probe = probe.clone();
        probe["metadata"]["uid"] = format!("uid-{}", name(&probe)).into();
        captured.push(at, &probe);
    }
}

#[tokio::test]
async fn the_plan_foresees_what_an_api_server_refuses() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "{apiVersion: v1, kind: Namespace, metadata: {name: foresee}}",
    );
    apply(&fixture.source, &definition().to_string());
    fixture
        .source
        .kubectl_output(&[
            "wait",
            "--for=condition=Established",
            "crd/probes.foresee.example",
        ])
        .expect("the definition is established");
    let mut captured = Captured::from(&fixture.source, |kind, _, name| {
        name == "probes.foresee.example" || (kind == "namespaces" && name == "foresee")
    })
    .await;
    let source = connect(&fixture.source).await;
    let probes = probes();
    let (mut refused, mut structure, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for probe in &probes {
        let is_accepted = is_accepted(&source, probe).await;
        let plan = plan_of(&captured, probe);
        let (broken, text) = foreseen(&plan, Severity::Warning);
        let (never, why) = foreseen(&plan, Severity::Error);
        if is_accepted != (broken + never == 0) {
            wrong.push(format!(
                "{} is accepted: {is_accepted}; {text} {why}",
                probe["spec"]
            ));
        }
        if !is_accepted {
            refused.insert(name(probe));
        }
        if never > 0 {
            structure.insert(name(probe));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        structure.len() > 10 && refused.len() > structure.len() + 30,
        "{} {}",
        structure.len(),
        refused.len()
    );

    // All of them at once, of which only those of another structure fail.
    add(&mut captured, &probes);
    let done = attempted(&captured, &RestoreOptions::default()).await;
    let failed: BTreeSet<String> = done
        .outcome
        .failures()
        .map(|(at, _)| done.plan.objects[at].target.name.to_string())
        .collect();
    assert_eq!(
        failed, structure,
        "the errors of the plan, and what the API server refused"
    );
    let (broken, _) = foreseen(&done.plan, Severity::Warning);
    assert_eq!(broken, (refused.len() - structure.len()) as u64);
    let relaxed: Vec<usize> = done.outcome.relaxed.values().copied().collect();
    assert_eq!(
        relaxed.len(),
        1,
        "one definition was without its rules for a while"
    );
    let definition = live(DEFINITION).await;
    let captured = source.get_json::<Value>(DEFINITION).await.expect("it exists");
    assert_eq!(
        definition["spec"], captured["spec"],
        "the definition is as captured"
    );
}
