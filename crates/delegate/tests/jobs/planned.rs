//! Plans of restores, with and without a target and stacks.

use std::sync::Arc;

use lifeboat_apiserver::Api;
use lifeboat_delegate::{Clusters, Unreachable};
use lifeboat_deploy::recovery::RecoveryPlan;
use lifeboat_jobs::keys::plan_part_key;
use lifeboat_jobs::{
    AccessFinding, Assignment, ClusterEndpoint, ClusterTarget, Done, Outcome, PlanDone, PlanWork,
    PrivateEndpoint, Work,
};
use lifeboat_model::{ClusterName, Code, Problem};
use lifeboat_plan::{Action, ClusterPlan, ComparedWith};
use serde::de::DeserializeOwned;

use crate::built::{ScriptedStacks, build, captured, code_of, delegate, run, symbols};
use crate::described::OBJECTS;
use crate::fixture::{Fixture, RECOVERY, target};

/// A Secret with an identifier of the primary, beside a value that must not be shown.
const SECRET: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: database, namespace: shop}
stringData: {volume: fs-0123456789abcdef0, password: canary}
"#;

/// Clusters that have a private endpoint only.
struct PrivateOnly;

#[async_trait::async_trait]
impl Clusters for PrivateOnly {
    async fn connect(&self, _: &ClusterTarget) -> Result<Api, Unreachable> {
        let private = PrivateEndpoint {
            endpoint: ClusterEndpoint {
                url: "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com".to_owned(),
                ca: "-----BEGIN CERTIFICATE-----".to_owned(),
                access_entries: true,
            },
            vpc: "vpc-0123456789abcdef0".to_owned(),
            subnets: vec!["subnet-0123456789abcdef0".to_owned()],
            security_group: "sg-0123456789abcdef0".to_owned(),
        };
        Err(Unreachable {
            private: Some(Box::new(private)),
            ..Unreachable::unavailable(AccessFinding::PrivateEndpoint {})
        })
    }
}

/// Returns a plan of a point for this cluster, with or without the build of what it stands on.
pub(crate) fn plan(fixture: &Fixture, number: u32, of: u32, into: ClusterTarget, builds: bool) -> Assignment {
    let Work::Build(mut build) = build(fixture, number, of).work else {
        unreachable!("it is a build");
    };
    build.hold_nodes = false;
    let work = Work::Plan(PlanWork {
        point: build.point.clone(),
        vault: build.vault.clone(),
        signer: build.signer.clone(),
        clusters: vec![into],
        options: serde_json::Map::new(),
        build: builds.then(|| Box::new(build)),
    });
    fixture.assignment(&format!("20261121T10300{number}Z-dddddd-plan"), work)
}

/// Reads a part of a plan.
pub(crate) async fn part<T: DeserializeOwned>(
    fixture: &Fixture,
    job: &Assignment,
    cluster: Option<&str>,
) -> T {
    let cluster = cluster.map(|name| ClusterName::parse(name).unwrap());
    let key = plan_part_key(&job.job, job.epoch, cluster.as_ref());
    let (bytes, _) = fixture.recovery_scratch.get(&key).await.unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn done(outcome: Outcome) -> PlanDone {
    match outcome {
        Outcome::Done(Done::Plan(done)) => done,
        other => panic!("no plan was made: {other:?}"),
    }
}

/// Returns the translations of the file system.
fn file_systems(plan: &ClusterPlan) -> Vec<&str> {
    let changes = plan.translations.iter().flat_map(|group| &group.changes);
    let of_volume = changes.filter(|change| &*change.object.name == "carts");
    of_volume.filter_map(|change| change.to.as_deref()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_complete_before_anything_is_built_and_stays_the_same() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    fixture.source().apply(SECRET).unwrap();
    captured(&fixture, 1, true).await;
    captured(&fixture, 2, false).await;
    fixture.move_to_vault().await;
    let stacks = ScriptedStacks::new(Ok(symbols()));
    let recovery = delegate(&fixture, Some(&stacks));

    // Nothing is there yet.
    let absent = plan(&fixture, 1, 1, target("orders", RECOVERY, "orders-none"), true);
    let made = done(run(&fixture, &recovery, &absent).await);
    assert!(!made.is_rejected(), "{made:?}");
    let infrastructure: RecoveryPlan = part(&fixture, &absent, None).await;
    assert_eq!(infrastructure.adopted[0].to, "vpc-2");
    let before: ClusterPlan = part(&fixture, &absent, Some("orders")).await;
    assert_eq!(before.compared_with, ComparedWith::EmptyCluster);
    assert_eq!(before.into.as_str(), "orders-none");
    assert_eq!((&before.first, before.rejected), (&Vec::new(), false));
    assert_eq!(file_systems(&before), ["${storage.FileSystemCarts}"]);
    let mut changes = before.translations.iter().flat_map(|group| &group.changes);
    let secret = changes.find(|change| &*change.object.name == "database").unwrap();
    assert!(
        secret.to.as_deref().unwrap().starts_with("hmac-sha256:"),
        "{secret:?}"
    );

    // The cluster is built, and empty.
    let empty = plan(&fixture, 2, 1, target("orders", RECOVERY, "orders-dr"), true);
    let made = done(run(&fixture, &recovery, &empty).await);
    assert!(!made.is_rejected(), "{made:?}");
    let after: ClusterPlan = part(&fixture, &empty, Some("orders")).await;
    assert_eq!(after.compared_with, ComparedWith::Target);
    assert_eq!(file_systems(&after), file_systems(&before));
    let names = |plan: &ClusterPlan| -> Vec<String> {
        let groups = plan.objects.iter().filter(|group| group.action != Action::Keep);
        groups
            .flat_map(|group| &group.objects)
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(names(&after), names(&before), "the same objects are written");
    let found = fixture
        .target()
        .kubectl_output(&["get", "namespaces", "-o", "name"])
        .unwrap();
    assert!(!found.contains("shop"), "a plan writes nothing: {found}");

    // Nothing of the target is part of the hash.
    assert!(before.hash.is_some());
    assert_eq!(after.hash, before.hash);
    assert_eq!(infrastructure.hash, Some(stacks.hash()));
    assert_eq!(made.infrastructure.unwrap().hash, infrastructure.hash);
    assert_eq!(
        made.clusters.values().next().unwrap().hash.unwrap().to_string(),
        after.hash.unwrap()
    );

    // Without a build, a target that does not exist must be created first.
    let alone = plan(&fixture, 4, 1, target("orders", RECOVERY, "orders-none"), false);
    let made = done(run(&fixture, &recovery, &alone).await);
    assert_eq!(made.infrastructure, None);
    assert!(made.is_rejected());
    let alone: ClusterPlan = part(&fixture, &alone, Some("orders")).await;
    assert_eq!(alone.first[0].code, Code::ClusterNotFound);
    assert!(!alone.objects.is_empty(), "the rest is planned nevertheless");

    // Only a delegate in its VPC reaches the target, and compares when it restores.
    let mut public = delegate(&fixture, None);
    public.clusters = Arc::new(PrivateOnly);
    let private = plan(&fixture, 8, 1, target("orders", RECOVERY, "orders-dr"), false);
    let made = done(run(&fixture, &public, &private).await);
    assert!(!made.is_rejected());
    let private: ClusterPlan = part(&fixture, &private, Some("orders")).await;
    assert_eq!(private.compared_with, ComparedWith::EmptyCluster);
    assert_eq!(private.warnings[0].code, Code::EndpointPrivate);

    // Why no plan is made.
    let into = || target("orders", RECOVERY, "orders-dr");
    let failed = run(&fixture, &recovery, &plan(&fixture, 5, 2, into(), true)).await;
    assert_eq!(code_of(&failed), (Code::NoDescriptions, false));
    let failed = run(
        &fixture,
        &delegate(&fixture, None),
        &plan(&fixture, 6, 1, into(), true),
    )
    .await;
    assert_eq!(code_of(&failed), (Code::AwsDenied, false));
    let failing = ScriptedStacks::new(Err(Problem::of(Code::AwsFailed, "it was throttled")));
    let failing = delegate(&fixture, Some(&failing));
    let failed = run(&fixture, &failing, &plan(&fixture, 7, 1, into(), true)).await;
    assert_eq!(code_of(&failed), (Code::AwsFailed, true));
}
