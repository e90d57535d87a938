//! The dashboard of the stack `control`: its body is valid for CloudWatch, and it shows every
//! metric that the functions emit and no other.

use std::collections::BTreeSet;

use lifeboat_aws::metrics::{APPLICATION, Metric, NAMESPACE};
use serde_json::{Value, json};

use crate::template::Template;
use crate::templates;

mod body;
mod drawn;

use body::RULES;
use drawn::{Drawn, drawn};

/// Iterates over every metric that the functions emit. Other tests compare these tables with what
/// the functions write.
fn emitted() -> impl Iterator<Item = &'static Metric> {
    lifeboat_coordinator::lambda::metrics::METRICS
        .iter()
        .chain(lifeboat_delegate::metrics::METRICS)
}

fn dimensions(metric: &Metric) -> Vec<&'static str> {
    if metric.per_application {
        vec![APPLICATION]
    } else {
        Vec::new()
    }
}

/// Metrics of AWS services that the dashboard may show
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html>).
const OF_SERVICES: &[(&str, &str, &[&str])] = &[
    ("AWS/Lambda", "Duration", &["FunctionName"]),
    ("AWS/Lambda", "Errors", &["FunctionName"]),
    ("AWS/Lambda", "Invocations", &["FunctionName"]),
    ("AWS/S3", "BucketSizeBytes", &["BucketName", "StorageType"]),
];

/// Returns the body of a template's dashboard, with references replaced by values as CloudFormation does.
fn dashboard(template: &Template) -> Value {
    let mut dashboards = template.of_type("AWS::CloudWatch::Dashboard");
    let (_, dashboard) = dashboards.next().unwrap();
    let text = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
        .as_str()
        .unwrap();
    serde_json::from_str(&substituted(template, text)).unwrap()
}

/// Substitutes a string of `Fn::Sub`: `${!Name}` becomes `${Name}`; every other reference must be a
/// resource or a pseudo parameter.
fn substituted(template: &Template, text: &str) -> String {
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let value = match name {
            literal if literal.starts_with('!') => format!("${{{}}}", &literal[1..]),
            "AWS::Region" => "eu-central-1".to_owned(),
            "AWS::AccountId" => "222222222222".to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            other => {
                let resource = other.split('.').next().unwrap();
                assert!(
                    template.resources().any(|(name, _)| name == resource),
                    "{other} is no resource of {}",
                    template.name
                );
                match other.ends_with(".Arn") {
                    true => format!("arn:aws:cloudwatch:eu-central-1:222222222222:alarm:{resource}"),
                    false => resource.to_owned(),
                }
            }
        };
        result.push_str(&value);
        result.push_str(rest);
    }
    result
}

fn control() -> Template {
    let mut templates = templates().into_iter();
    templates.find(|template| template.name == "control").unwrap()
}

#[test]
fn the_body_is_one_that_cloudwatch_accepts() {
    let body = dashboard(&control());
    assert!(body["widgets"].as_array().unwrap().len() > 10, "{body}");
    let violations: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| rule(&body).into_iter().map(move |what| format!("{name}: {what}")))
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_rule_finds_what_breaks_it() {
    let widget = |properties: Value| json!({"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6, "properties": properties});
    let metrics = |metrics: Value| widget(json!({"title": "t", "region": "r", "metrics": metrics}));
    let search = |text: &str| metrics(json!([[{"expression": text}]]));
    let many = "SEARCH('{A,B} MetricName=\"M\"', 'Sum', 60) + ".repeat(6);
    let long = format!(
        "SEARCH('{{A,B}} MetricName=\"{}\"', 'Sum', 60)",
        "M".repeat(1_024)
    );
    let broken = [
        json!({}),
        json!({"widgets": [], "title": "t"}),
        json!({"widgets": [], "periodOverride": "never"}),
        json!({"widgets": [], "start": "yesterday"}),
        json!({"widgets": [{"type": "picture", "properties": {}}]}),
        json!({"widgets": [{"type": "text", "x": 0, "properties": {"markdown": "m"}}]}),
        json!({"widgets": [{"type": "text", "x": 20, "y": 0, "width": 5, "properties": {"markdown": "m"}}]}),
        json!({"widgets": [{"type": "text", "height": 1_001, "properties": {"markdown": "m"}}]}),
        json!({"widgets": [{"type": "text", "properties": {}}]}),
        json!({"widgets": [{"type": "alarm", "properties": {"title": "t", "alarms": ["name"]}}]}),
        json!({"widgets": [metrics(json!([["N", "M"]])), metrics(json!([["N", "M"]]))]}),
        json!({"widgets": [widget(json!({"title": "t", "metrics": [["N", "M"]]}))]}),
        json!({"widgets": [widget(json!({"title": "t", "region": "r", "metrics": [["N", "M"]], "period": 90}))]}),
        json!({"widgets": [widget(json!({"title": "t", "region": "r", "metrics": [["N", "M"]], "stat": "Most"}))]}),
        json!({"widgets": [widget(json!({"title": "t", "region": "r", "metrics": [["N", "M"]], "view": "cake"}))]}),
        json!({"widgets": [widget(json!({"title": "t", "region": "r", "metrics": [["N", "M"]], "unit": "s"}))]}),
        json!({"widgets": [widget(json!({"title": "t", "region": "r", "metrics": [["N", "M"]],
            "annotations": {"horizontal": [{"label": "l"}]}}))]}),
        json!({"widgets": [metrics(json!([[".", "M"]]))]}),
        json!({"widgets": [metrics(json!([["N"]]))]}),
        json!({"widgets": [metrics(json!([["N", "M", "D"]]))]}),
        json!({"widgets": [metrics(json!([["N", "M", {"colour": "red"}]]))]}),
        json!({"widgets": [metrics(json!([["N", "M", {"id": "M1"}]]))]}),
        json!({"widgets": [metrics(json!([["N", "M", {"id": "m1"}], ["N", "O", {"id": "m1"}]]))]}),
        json!({"widgets": [metrics(Value::Array(vec![json!(["N", "M"]); 501]))]}),
        json!({"widgets": [search("m1 * 2")]}),
        json!({"widgets": [search("SEARCH('MetricName=\"M\"', 'Sum', 60)")]}),
        json!({"widgets": [search("SEARCH('{A,B} MetricName=\"M\"', 'Most', 60)")]}),
        json!({"widgets": [search("SEARCH('{A,B} MetricName=\"M\"', 'Sum', 90)")]}),
        json!({"widgets": [search("SEARCH('{A,B} Duration', 'Sum', 60)")]}),
        json!({"widgets": [search("SEARCH('{A,B} MetricName=\"M\"', 'Sum'")]}),
        json!({"widgets": [search(&many)]}),
        json!({"widgets": [search(&long)]}),
    ];
    let mut found = BTreeSet::new();
    for body in broken {
        let rules = RULES.iter().filter(|(_, rule)| !rule(&body).is_empty());
        let names: Vec<&str> = rules.map(|(name, _)| *name).collect();
        assert!(!names.is_empty(), "no rule finds what is wrong in {body}");
        found.extend(names);
    }
    assert_eq!(found.len(), RULES.len(), "rules that find nothing: {found:?}");
}

#[test]
fn every_metric_shown_exists_and_every_metric_emitted_is_shown() {
    let shown: BTreeSet<Drawn> = drawn(&dashboard(&control()));
    for metric in &shown {
        let dimensions: Vec<&str> = metric.dimensions.iter().map(String::as_str).collect();
        let exists = if metric.namespace == NAMESPACE {
            emitted().any(|one| one.name == metric.name && self::dimensions(one) == dimensions)
        } else {
            OF_SERVICES.contains(&(metric.namespace.as_str(), metric.name.as_str(), &dimensions))
        };
        assert!(exists, "nothing emits {metric:?}");
    }
    for metric in emitted() {
        assert!(
            shown
                .iter()
                .any(|one| one.namespace == NAMESPACE && one.name == metric.name),
            "the dashboard does not show {}",
            metric.name
        );
    }
}

/// The price of a second of Lambda depends on the memory size of the function, which no metric contains.
#[test]
fn costs_are_those_of_the_memory_that_the_functions_have() {
    let (body, control) = (dashboard(&control()).to_string(), control());
    let (_, coordinator) = control.of_type("AWS::Lambda::Function").next().unwrap();
    let gibibytes = coordinator["Properties"]["MemorySize"].as_f64().unwrap() / 1_024.0;
    assert!(body.contains(&format!("m4 / 1000 * {gibibytes} * ")), "{body}");
    let mut templates = templates().into_iter();
    let application = templates.find(|template| template.name == "application").unwrap();
    let memory = &application.root["Parameters"]["MemoryMiB"]["Default"];
    assert_eq!(
        *memory, 1_024.0,
        "the dashboard counts with this memory of delegates"
    );
    assert!(body.contains("delegates with 1,024 MiB"), "{body}");
}

#[test]
fn every_metric_of_an_alarm_is_emitted() {
    let mut watched = 0;
    for template in templates() {
        for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
            let alarm = &alarm["Properties"];
            if alarm["Namespace"] != NAMESPACE {
                continue;
            }
            watched += 1;
            let dimensions: Vec<&str> = (alarm["Dimensions"].as_array().into_iter().flatten())
                .map(|dimension| dimension["Name"].as_str().unwrap())
                .collect();
            assert!(
                emitted().any(|one| alarm["MetricName"] == one.name && self::dimensions(one) == dimensions),
                "nothing emits what {name} of {} watches: {alarm}",
                template.name
            );
        }
    }
    assert!(watched > 0, "no alarm watches a metric of the functions");
}
