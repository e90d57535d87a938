//! Connection, discovery and capture against a real API server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use lifeboat_apiserver::{Api, ConnectError, ConnectOptions, KubeconfigSource};
use lifeboat_capture::Unwatched;
use lifeboat_capture::{
    BatchSink, CancellationToken, CaptureError, CaptureEvent, CaptureOptions, CaptureProgress, Captured,
    Ended, capture, capture_part,
};
use lifeboat_format::manifest::{Completeness, TypeOutcome};
use lifeboat_format::{Batch, Decompressor};
use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_model::{Code, Diagnostic as _, Filter, TypeName, TypeSelector};
use lifeboat_recovery_point::writer::WriteError;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A CustomResourceDefinition with two versions, of which the older is the storage version; unknown fields are
/// preserved.
const GADGETS: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.shop.example }
spec:
  group: shop.example
  scope: Namespaced
  names: { kind: Gadget, listKind: GadgetList, plural: gadgets, singular: gadget, shortNames: [gd] }
  versions:
    - { name: v2, served: true, storage: false, schema: &any { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } } }
    - { name: v1, served: true, storage: true, schema: *any }
"#;

const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Secret
metadata: { name: canary, namespace: shop }
stringData: { password: "canary-5f1e" }
---
apiVersion: shop.example/v1
kind: Gadget
metadata: { name: odd, namespace: shop }
spec: { big: 9007199254740993, small: 1.50, text: "grün <&> \"quoted\" \n line" }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: cart, namespace: shop }
spec:
  selector: { matchLabels: { app: cart } }
  template:
    metadata: { labels: { app: cart } }
    spec: { containers: [{ name: cart, image: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/cart:7" }] }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: payer, namespace: shop, annotations: { eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/payer" } }
"#;

/// An aggregated API whose backend does not exist.
const DEAD: &str = r#"
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: v1beta1.dead.example }
spec: { group: dead.example, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: { name: none, namespace: shop } }
"#;

/// The cluster that all tests in this file share: one from a pool, or one of this process.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let prepare = |cluster: &Cluster| {
            cluster.apply(GADGETS).unwrap();
            let established = [
                "wait",
                "--for=condition=Established",
                "crd/gadgets.shop.example",
                "--timeout=30s",
            ];
            cluster.kubectl_output(&established).unwrap();
            cluster.apply(OBJECTS).unwrap();
            cluster.apply(DEAD).unwrap();
        };
        Cluster::shared(ClusterOptions::named("captured"), prepare).unwrap()
    })
}

async fn connect(kubeconfig: &Path) -> Result<Api, ConnectError> {
    let options = ConnectOptions::new(KubeconfigSource::File(kubeconfig.to_owned()), None);
    Ok(Api::connect(&options).await?.0)
}

/// A sink that keeps the lines of objects, by type.
#[derive(Default)]
struct Kept(BTreeMap<String, Vec<String>>);

#[async_trait]
impl BatchSink for Kept {
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        let mut lines = Vec::new();
        Decompressor::new()
            .unwrap()
            .decompress(&batch.compressed, &mut lines)
            .unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let kept = self.0.entry(batch.type_name.to_string()).or_default();
        kept.extend(lines.lines().map(str::to_owned));
        Ok(())
    }
}

impl Kept {
    fn names(&self, type_name: &str) -> Vec<String> {
        let lines = self.0.get(type_name).map(Vec::as_slice).unwrap_or_default();
        let name = |line: &String| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            object["metadata"]["name"].as_str().unwrap().to_owned()
        };
        lines.iter().map(name).collect()
    }
}

async fn take(api: &Api, filter: Filter, page_size: u32) -> (Captured, Kept) {
    let options = CaptureOptions {
        filter,
        page_size,
        ..CaptureOptions::default()
    };
    let mut kept = Kept::default();
    let captured = capture(api, &options, &mut kept, &mut Unwatched).await.unwrap();
    (captured, kept)
}

#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[tokio::test]
async fn every_object_is_captured_byte_for_byte_at_one_version() {
    let api = connect(cluster().kubeconfig()).await.unwrap();
    let (captured, kept) = take(&api, Filter::default(), 7).await;
    let version = captured.resource_version.clone().unwrap();
    let mut objects = 0;
    for known in &captured.types {
        // Computed for each request, so the list has no resourceVersion and there is nothing to compare with.
        if known.resource == "componentstatuses" {
            assert!(
                matches!(&known.outcome, TypeOutcome::Listed { pinned: false, why: Some(why), .. } if why.contains("no resourceVersion"))
            );
            objects += kept.0["componentstatuses"].len() as u64;
            continue;
        }
        match &known.outcome {
            TypeOutcome::Listed {
                resource_version,
                pinned,
                why,
                objects: count,
                ..
            } => {
                assert!(
                    *pinned && resource_version.as_ref() == Some(&version),
                    "{}: {why:?}",
                    known.name()
                );
                // The same list, unpaged, by another client.
                let root = if known.group.is_empty() {
                    "/api".into()
                } else {
                    format!("/apis/{}", known.group)
                };
                let path = format!(
                    "{root}/{}/{}?resourceVersion={version}&resourceVersionMatch=Exact",
                    known.version, known.resource
                );
                let list = cluster().kubectl_output(&["get", "--raw", &path]).unwrap();
                let list: RawList<'_> = serde_json::from_str(&list).unwrap();
                let group_version = if known.group.is_empty() {
                    known.version.clone()
                } else {
                    format!("{}/{}", known.group, known.version)
                };
                let expected: Vec<String> = list
                    .items
                    .iter()
                    .map(|item| match item.get() {
                        item if item.contains("\"apiVersion\":") && item.starts_with("{\"apiVersion\"") => {
                            item.to_owned()
                        }
                        item => format!(
                            "{{\"apiVersion\":\"{group_version}\",\"kind\":\"{}\",{}",
                            known.kind,
                            &item[1..]
                        ),
                    })
                    .collect();
                let lines = kept.0.get(known.name().as_str()).cloned().unwrap_or_default();
                assert_eq!(lines, expected, "{}", known.name());
                assert_eq!(*count, lines.len() as u64);
                objects += count;
            }
            TypeOutcome::Excluded { .. } => {
                assert!(!known.verbs.iter().any(|v| v == "list"), "{}", known.name())
            }
            TypeOutcome::SameAs { r#type } => {
                assert_eq!(
                    (known.name().as_str(), r#type.as_str()),
                    ("events.events.k8s.io", "events")
                );
            }
            TypeOutcome::Failed { .. } => panic!("{known:?}"),
        }
    }
    assert_eq!(captured.objects, objects);
    assert!(objects > 100, "a bare cluster alone has more: {objects}");

    // Custom resources are read at their storage version, and numbers keep every digit.
    let gadgets = captured.types.iter().find(|t| t.resource == "gadgets").unwrap();
    assert_eq!((gadgets.version.as_str(), gadgets.custom), ("v1", true));
    assert_eq!(gadgets.served_versions, ["v2", "v1"]);
    let odd = &kept.0["gadgets.shop.example"][0];
    assert!(
        odd.contains("\"big\":9007199254740993") && odd.contains("\"apiVersion\":\"shop.example/v1\""),
        "{odd}"
    );

    // The objects of the aggregated API are unknown, and its group is recorded as missing.
    assert_eq!(captured.completeness(), Completeness::Partial);
    assert_eq!(captured.missing.len(), 1, "{:?}", captured.missing);
    assert_eq!(captured.missing[0].group.as_deref(), Some("dead.example/v1beta1"));

    assert_eq!(
        captured.dependencies["images"],
        ["111122223333.dkr.ecr.eu-west-1.amazonaws.com/cart:7"]
    );
    assert_eq!(
        captured.dependencies["roleArns"],
        ["arn:aws:iam::111122223333:role/payer"]
    );
    assert!(captured.server.kube_system_uid.is_some());
    assert!(captured.server.version.starts_with("v1."));
    assert!(!format!("{captured:?}").contains("canary-5f1e"));
}

#[tokio::test]
async fn what_is_written_meanwhile_is_seen_up_to_one_moment() {
    let api = connect(cluster().kubeconfig()).await.unwrap();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let (writer, over) = (api.clone(), stop.clone());
    // Writes a ConfigMap, then the Secret of the same number, and so on.
    let writing = tokio::spawn(async move {
        let mut number = 0_u32;
        while !over.load(Ordering::SeqCst) {
            for resource in ["configmaps", "secrets"] {
                let body = format!(r#"{{"metadata":{{"name":"moving-{number:05}"}}}}"#);
                let request = http::Request::post(format!("/api/v1/namespaces/shop/{resource}"))
                    .header("content-type", "application/json")
                    .body(body.into())
                    .unwrap();
                writer.request(request).await.unwrap();
            }
            number += 1;
        }
        number
    });
    let mut last = 0;
    while last < 40 {
        let (captured, kept) = take(&api, Filter::default(), 5).await;
        let moving = |resource: &str| {
            kept.names(resource)
                .into_iter()
                .filter(|n| n.starts_with("moving-"))
                .count()
        };
        let (maps, secrets) = (moving("configmaps"), moving("secrets"));
        assert!(
            secrets <= maps && maps <= secrets + 1,
            "{maps} ConfigMaps beside {secrets} Secrets are no moment"
        );
        let version: u64 = captured.resource_version.unwrap().parse().unwrap();
        for line in kept.0.values().flatten() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            let own = object["metadata"]["resourceVersion"]
                .as_str()
                .and_then(|v| v.parse().ok())
                .unwrap_or(0_u64);
            assert!(
                own <= version,
                "an object is newer than the version that was read"
            );
        }
        last = maps;
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writing.await.unwrap() as usize >= last);
}

#[tokio::test]
async fn a_less_privileged_user_gets_what_is_allowed_and_the_commands_for_the_rest() {
    let jane = cluster().kubeconfig_for("jane", None).unwrap();
    let role = [
        "create",
        "clusterrole",
        "some",
        "--verb=get,list",
        "--resource=configmaps,gadgets.shop.example",
    ];
    cluster().kubectl_output(&role).unwrap();
    cluster()
        .kubectl_output(&[
            "create",
            "clusterrolebinding",
            "some",
            "--clusterrole=some",
            "--user=jane",
        ])
        .unwrap();
    let api = connect(&jane).await.unwrap();
    let (captured, kept) = take(&api, Filter::default(), 500).await;
    assert_eq!(captured.completeness(), Completeness::Partial);
    assert!(!kept.0["configmaps"].is_empty());
    assert_eq!(captured.server.kube_system_uid, None);
    let missing = |captured: &Captured, name: &str| {
        captured
            .missing
            .iter()
            .find(|m| m.r#type == Some(TypeName::from(name)))
            .cloned()
    };
    let secrets = missing(&captured, "secrets").unwrap();
    assert!(
        secrets
            .answer
            .starts_with("403 secrets is forbidden: User \"jane\" cannot list"),
        "{}",
        secrets.answer
    );
    // Without the CustomResourceDefinitions the storage version is not known.
    assert_eq!(
        captured
            .types
            .iter()
            .find(|t| t.resource == "gadgets")
            .unwrap()
            .version,
        "v2"
    );
    assert!(
        captured
            .notes
            .iter()
            .any(|note| note.contains("storage versions")),
        "{:?}",
        captured.notes
    );

    for command in secrets.remediation.split(" && ") {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[0], "kubectl");
        cluster().kubectl_output(&words[1..]).unwrap();
    }
    let (captured, kept) = take(&api, Filter::default(), 500).await;
    assert_eq!(missing(&captured, "secrets"), None);
    assert!(kept.names("secrets").contains(&"canary".to_owned()));

    // Permissions in one namespace suffice if the filter selects only that one.
    let john = cluster().kubeconfig_for("john", None).unwrap();
    let role = [
        "create",
        "role",
        "john",
        "-n",
        "shop",
        "--verb=list",
        "--resource=deployments.apps",
    ];
    cluster().kubectl_output(&role).unwrap();
    let grant = [
        "create",
        "rolebinding",
        "john",
        "-n",
        "shop",
        "--role=john",
        "--user=john",
    ];
    cluster().kubectl_output(&grant).unwrap();
    let api = connect(&john).await.unwrap();
    let filter = Filter {
        namespaces: vec!["shop".into()],
        types: vec![TypeSelector("deploy".into())],
        ..Filter::default()
    };
    let (captured, kept) = take(&api, filter, 500).await;
    assert_eq!(
        captured.completeness(),
        Completeness::Complete,
        "{:?}",
        captured.missing
    );
    assert_eq!(kept.names("deployments.apps"), ["cart"]);
}

#[tokio::test]
async fn filters_are_the_servers_and_unknown_names_are_errors() {
    let api = connect(cluster().kubeconfig()).await.unwrap();
    let filter = Filter {
        namespaces: vec!["shop".into()],
        types: vec![TypeSelector("gd".into()), TypeSelector("Namespace".into())],
        ..Filter::default()
    };
    let (captured, kept) = take(&api, filter, 500).await;
    assert_eq!(
        captured.completeness(),
        Completeness::Complete,
        "a named type does not depend on other groups"
    );
    assert_eq!(kept.names("gadgets.shop.example"), ["odd"]);
    assert_eq!(kept.names("namespaces"), ["shop"]);
    assert_eq!(kept.0.len(), 2);

    let unknown = Filter {
        namespaces: vec!["shopp".into()],
        ..Filter::default()
    };
    let options = CaptureOptions {
        filter: unknown,
        ..CaptureOptions::default()
    };
    let error = capture(&api, &options, &mut Kept::default(), &mut Unwatched)
        .await
        .unwrap_err();
    assert!(matches!(&error, CaptureError::UnknownNamespace { namespace } if namespace == "shopp"));
    assert_eq!(error.code(), Code::UnknownFilter);
}

#[tokio::test]
async fn a_certificate_of_nobody_and_wrong_credentials_are_told_apart() {
    let kubeconfig = std::fs::read_to_string(cluster().kubeconfig()).unwrap();
    let folder = cluster().dir();
    // Without the CA of the cluster, only the CAs of the machine are trusted.
    let is_ca = |line: &&str| !line.contains("certificate-authority");
    let untrusted = folder.join("untrusted.kubeconfig");
    std::fs::write(
        &untrusted,
        kubeconfig.lines().filter(is_ca).collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
    let error = connect(&untrusted).await.unwrap_err();
    assert_eq!(error.code(), Code::UntrustedCertificate, "{error:?}");

    let unknown = folder.join("unknown.kubeconfig");
    std::fs::write(
        &unknown,
        kubeconfig.replace(cluster().token(), "not-a-token-of-anybody"),
    )
    .unwrap();
    let error = connect(&unknown).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "{error:?}");
    assert!(!format!("{error:?}{}", error.problem()).contains("not-a-token"));
}

/// Cancels the capture once at least 21 objects of the type are read.
struct StopInside<'a>(&'a CancellationToken, &'static str);

impl CaptureProgress for StopInside<'_> {
    fn event(&mut self, event: &CaptureEvent) {
        if let CaptureEvent::Page { r#type, objects, .. } = event
            && r#type.as_str() == self.1
            && *objects >= 21
        {
            self.0.cancel();
        }
    }
}

/// Continue tokens of a real API server are valid in pages of every size.
#[tokio::test]
async fn a_list_continues_in_smaller_pages_at_the_same_version() {
    let api = connect(cluster().kubeconfig()).await.unwrap();
    let roles = "clusterroles.rbac.authorization.k8s.io";
    let filter = Filter {
        types: vec![TypeSelector(roles.into())],
        ..Filter::default()
    };
    let options = |page_size| CaptureOptions {
        filter: filter.clone(),
        page_size,
        ..CaptureOptions::default()
    };
    let (_, whole) = take(&api, filter.clone(), 2000).await;
    let (cancellation, mut kept) = (CancellationToken::new(), Kept::default());
    let mut watch = StopInside(&cancellation, roles);
    let first = capture_part(&api, &options(7), None, &cancellation, &mut kept, &mut watch).await;
    let Ended::Stopped(Some(listing)) = first.unwrap() else {
        panic!("the capture was not cancelled in the middle");
    };
    let position = listing.open[0].position.as_ref().unwrap();
    assert!(position.continue_token.is_some(), "{position:?}");
    let token = CancellationToken::new();
    let second = capture_part(
        &api,
        &options(2),
        Some(*listing),
        &token,
        &mut kept,
        &mut Unwatched,
    )
    .await;
    let Ended::Complete(captured) = second.unwrap() else {
        panic!("the capture was cancelled");
    };
    assert_eq!(kept.names(roles), whole.names(roles), "each once, in order");
    let record = captured
        .types
        .iter()
        .find(|t| t.resource == "clusterroles")
        .unwrap();
    assert!(
        matches!(record.outcome, TypeOutcome::Listed { pinned: true, .. }),
        "{record:?}"
    );
}

/// Real compaction, which happens every five minutes by default: the continue token and the pinned resourceVersion
/// are gone when the next run continues.
#[tokio::test]
async fn a_capture_whose_version_is_compacted_away_between_two_runs_goes_on() {
    let mut own = ClusterOptions::named("compacted");
    own.api_server_args = vec!["--etcd-compaction-interval=1s".to_owned()];
    let cluster = Cluster::start(own).unwrap();
    let mut maps = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n".to_owned();
    for number in 0..60 {
        maps.push_str(&format!(
            "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings-{number:02}, namespace: shop}}}}\n"
        ));
    }
    cluster.apply(&maps).unwrap();
    let api = connect(cluster.kubeconfig()).await.unwrap();
    let options = CaptureOptions {
        page_size: 7,
        ..CaptureOptions::default()
    };
    let (cancellation, mut kept) = (CancellationToken::new(), Kept::default());
    let mut watch = StopInside(&cancellation, "configmaps");
    let first = capture_part(&api, &options, None, &cancellation, &mut kept, &mut watch).await;
    let Ended::Stopped(Some(listing)) = first.unwrap() else {
        panic!("the capture was not cancelled in the middle");
    };
    let of_maps = (listing.open.iter()).find(|open| open.record.resource == "configmaps");
    let position = of_maps.unwrap().position.clone().unwrap();
    assert!(position.continue_token.is_some(), "{position:?}");
    let before = kept.names("configmaps").len();

    let pinned = listing.resource_version.clone().unwrap();
    let path = format!("/api/v1/secrets?limit=1&resourceVersion={pinned}&resourceVersionMatch=Exact");
    let gone = (0..200).any(|number| {
        let name = format!("later-{number}");
        cluster
            .kubectl_output(&["create", "secret", "generic", &name, "-n", "shop"])
            .unwrap();
        let answer = cluster.kubectl_output(&["get", "--raw", &path]);
        answer.is_err_and(|error| error.to_string().contains("too old"))
    });
    assert!(gone, "the version was to be compacted away");

    let second = capture_part(
        &api,
        &options,
        Some(*listing),
        &CancellationToken::new(),
        &mut kept,
        &mut Unwatched,
    )
    .await;
    let Ended::Complete(captured) = second.unwrap() else {
        panic!("the capture was cancelled");
    };
    assert!(kept.names("configmaps").len() > before);
    let own: Vec<String> = (kept.names("configmaps").into_iter())
        .filter(|name| name.starts_with("settings-"))
        .collect();
    let expected: Vec<String> = (0..60).map(|number| format!("settings-{number:02}")).collect();
    assert_eq!(own, expected, "each once, in order");
    assert_eq!(
        captured.completeness(),
        Completeness::Complete,
        "{:?}",
        captured.missing
    );
    let record = captured
        .types
        .iter()
        .find(|t| t.resource == "configmaps")
        .unwrap();
    let TypeOutcome::Listed {
        pinned: false,
        why: Some(why),
        objects,
        ..
    } = &record.outcome
    else {
        panic!("{record:?}");
    };
    assert!(why.contains("expired"), "{why}");
    assert_eq!(*objects, kept.names("configmaps").len() as u64);
}
