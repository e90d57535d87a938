//! The few large objects that every cluster has: CustomResourceDefinitions, dashboards, and Helm's releases.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

use super::rng::Rng;
use super::text::{APPLICATIONS, TextGenerator, configuration, word};
use super::{NAMESPACES, Sample, namespace};

/// The number of CustomResourceDefinitions: kube-prometheus alone brings 10, and a certificate
/// manager, a policy engine, a mesh and a GitOps tool each bring as many.
pub const DEFINITIONS: usize = 40;

/// The number of dashboards: about as many as kube-prometheus brings (1 MB in total).
const DASHBOARDS: usize = 30;

/// One release of Helm is kept per this many objects. A chart creates some ten to thirty objects,
/// and Helm keeps ten revisions of each release (`--history-max`), so real clusters tend to have
/// more.
const OBJECTS_PER_RELEASE: usize = 200;

/// Returns CustomResourceDefinitions, dashboards and Helm's releases of a cluster with `count` objects.
pub fn large(count: usize) -> impl Iterator<Item = Sample> {
    let sentences = TextGenerator::new();
    (0..DEFINITIONS)
        .map(move |number| definition(number, &sentences))
        .chain((0..DASHBOARDS).map(dashboard))
        .chain((0..count / OBJECTS_PER_RELEASE).map(release))
}

/// Returns the ConfigMap with the same certificate that a controller keeps in each namespace.
pub(super) fn root_certificates() -> impl Iterator<Item = Sample> {
    let body = Rng::new(0x0ca).secret(810);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    let certificate = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    );
    (0..NAMESPACES).map(move |number| {
        Sample::new(
            format!("/api/v1/namespaces/{}/configmaps", namespace(number)),
            "kube-controller-manager",
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "kube-root-ca.crt", "namespace": namespace(number), "annotations": {"kubernetes.io/description":
                    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."}},
                "data": {"ca.crt": certificate}}),
        )
    })
}

/// Returns a CustomResourceDefinition of 20 to 300 kB; most of them are small. Those of
/// kube-prometheus have 69 to 809 kB as YAML, which is about twice as long as JSON.
fn definition(number: usize, sentences: &TextGenerator) -> Sample {
    let mut rng = Rng::new(0xdef0 + number as u64);
    let mut left = rng.pick(&[
        20_000,
        25_000,
        30_000,
        40_000,
        60_000,
        90_000,
        150_000,
        300_000_i64,
    ]);
    let mut properties = Map::new();
    while left > 0 {
        let name = format!("{}{}", word(&mut rng), properties.len());
        properties.insert(name, field(&mut rng, sentences, 4, &mut left));
    }
    let group = format!("group{}.platform.example.com", number % 8);
    let plural = format!("kinds{number}");
    Sample::new(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".into(),
        "helm",
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"), "annotations": {"controller-gen.kubebuilder.io/version": "v0.17.2"}},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"plural": plural, "singular": format!("kind{number}"), "kind": format!("Kind{number}"), "listKind": format!("Kind{number}List")},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "description": sentences.some(&mut rng), "properties": {
                        "spec": {"type": "object", "description": sentences.some(&mut rng), "properties": properties}}}}}]
            }
        }),
    )
}

/// Returns the schema of a field with its description, and subtracts its size from `left`.
fn field(rng: &mut Rng, sentences: &TextGenerator, depth: usize, left: &mut i64) -> Value {
    let description = sentences.some(rng);
    *left -= i64::try_from(description.len()).expect("a description is short") + 50;
    match rng.below(if depth == 0 { 5 } else { 9 }) {
        0..=2 => json!({"description": description, "type": "string"}),
        3 => json!({"description": description, "type": "integer", "format": "int32"}),
        4 => json!({"description": description, "type": "boolean"}),
        5 => {
            json!({"description": description, "type": "array", "items": field(rng, sentences, depth - 1, left)})
        }
        _ => {
            let mut properties = Map::new();
            for _ in 0..2 + rng.below(6) {
                properties.insert(word(rng).to_owned(), field(rng, sentences, depth - 1, left));
            }
            json!({"description": description, "type": "object", "properties": properties})
        }
    }
}

/// Returns a Grafana dashboard of 40 to 90 kB, as a sidecar loads it from a ConfigMap.
fn dashboard(number: usize) -> Sample {
    let mut rng = Rng::new(0xda50 + number as u64);
    // Indentation and escaped quotes add a quarter.
    let bytes = 32_000 + rng.below(38_000);
    let (mut panels, mut written) = (Vec::new(), 0);
    while written < bytes {
        let id = panels.len();
        let metric = format!("{}_{}_{}_total", word(&mut rng), word(&mut rng), word(&mut rng));
        let targets: Vec<Value> = (0..1 + rng.below(3)).map(|target| {
            let label = word(&mut rng);
            json!({"datasource": {"type": "prometheus", "uid": "${datasource}"}, "refId": format!("{target}"), "legendFormat": format!("{{{{{label}}}}}"),
                "expr": format!("sum by ({label}) (rate({metric}{{cluster=\"$cluster\", namespace=\"$namespace\", job=~\"{}\"}}[$__rate_interval])) / {}", word(&mut rng), 1 + rng.below(1000))})
        }).collect();
        let panel = json!({
            "id": id, "type": rng.pick(&["timeseries", "stat", "table", "gauge"]), "title": format!("{} {} by {}", word(&mut rng), word(&mut rng), word(&mut rng)),
            "gridPos": {"h": 7, "w": rng.pick(&[6, 8, 12, 24]), "x": 0, "y": 7 * id}, "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "fieldConfig": {"defaults": {"color": {"mode": "palette-classic"}, "custom": {"axisBorderShow": false, "axisCenteredZero": false, "axisColorMode": "text", "axisLabel": "", "axisPlacement": "auto", "barAlignment": 0, "drawStyle": "line", "fillOpacity": rng.pick(&[0, 10, 100]), "gradientMode": "none", "lineInterpolation": "linear", "lineWidth": 1, "pointSize": 5, "scaleDistribution": {"type": "linear"}, "showPoints": "never", "spanNulls": false, "stacking": {"group": "A", "mode": "none"}, "thresholdsStyle": {"mode": "off"}}, "mappings": [], "thresholds": {"mode": "absolute", "steps": [{"color": "green"}, {"color": "red", "value": rng.below(100)}]}, "unit": rng.pick(&["short", "percentunit", "bytes", "s"])}, "overrides": []},
            "options": {"legend": {"calcs": [], "displayMode": "table", "placement": "right", "showLegend": true}, "tooltip": {"mode": "multi", "sort": "none"}},
            "targets": targets
        });
        written += serde_json::to_string_pretty(&panel).map_or(0, |text| text.len());
        panels.push(panel);
    }
    let dashboard = json!({"title": format!("Dashboard {number}"), "uid": rng.hex(32), "schemaVersion": 39, "panels": panels, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "templating": {"list": []}});
    Sample::new(
        format!("/api/v1/namespaces/{}/configmaps", namespace(0)),
        "helm",
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("grafana-dashboard-{number}"), "namespace": namespace(0), "labels": {"grafana_dashboard": "1"}},
            "data": {format!("dashboard-{number}.json"): format!("{dashboard:#}")}}),
    )
}

/// Returns Helm's record of a revision: base64, in base64, of the gzipped JSON of chart, values and
/// manifest. Ten revisions of a release differ in a few values, but their compressed forms have
/// nothing in common.
fn release(number: usize) -> Sample {
    let (release, revision) = (number / 10, 1 + number % 10);
    let mut chart = Rng::new(0x4e17 + release as u64);
    let mut own = Rng::new(0x4e17_0000 + number as u64);
    // Compressed, this text has about a fifth of its size, and base64 twice adds a third each time.
    let mut left = chart.pick(&[12_000_usize, 20_000, 35_000, 60_000, 100_000]);
    let name = format!("app-{:06}", release * 20);
    let (mut templates, mut manifest) = (Vec::new(), String::new());
    while left > 0 {
        let bytes = left.min(4_000);
        let text = configuration(chart.below(APPLICATIONS), bytes, &name, &mut own);
        if templates.len() % 2 == 0 {
            templates.push(json!({"name": format!("templates/{}.yaml", word(&mut chart)), "data": STANDARD.encode(&text)}));
        } else {
            templates.push(json!({"name": format!("templates/{}.yaml", word(&mut chart)), "data": ""}));
            manifest.push_str(&format!(
                "---\n# Source: chart/templates/{}.yaml\n{text}",
                templates.len()
            ));
        }
        left -= bytes;
    }
    let document = json!({"name": name, "version": revision, "namespace": namespace(release),
        "info": {"first_deployed": chart.time(), "last_deployed": own.time(), "deleted": "", "description": "Upgrade complete", "status": if revision == 10 { "deployed" } else { "superseded" }},
        "chart": {"metadata": {"name": format!("app-{}", release % APPLICATIONS), "version": format!("1.{revision}.0"), "apiVersion": "v2"}, "templates": templates},
        "config": {"image": {"tag": own.hex(8)}}, "manifest": manifest});
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(document.to_string().as_bytes())
        .expect("memory takes every write");
    let gzip = gzip.finish().expect("memory takes every write");
    let namespace = namespace(release);
    Sample::new(
        format!("/api/v1/namespaces/{namespace}/secrets"),
        "helm",
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": format!("sh.helm.release.v1.{name}.v{revision}"), "namespace": namespace,
                "labels": {"name": name, "owner": "helm", "status": if revision == 10 { "deployed" } else { "superseded" }, "version": revision.to_string()}},
            "data": {"release": STANDARD.encode(STANDARD.encode(gzip))}}),
    )
}
