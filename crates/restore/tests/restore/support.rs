//! Two real clusters that all tests of this program share, and helpers that restore objects from the first
//! into the second.

use std::sync::{Arc, OnceLock};

use lifeboat_apiserver::{Api, ConnectOptions, Discovery, KubeconfigSource};
use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_plan::report::Report;
use lifeboat_plan::{Locator, Plan, PlanBuilder, Redactor, RestoreOptions, SourceType, TargetFacts};
use lifeboat_restore::execute::restore;
use lifeboat_restore::execute::{
    LeaseHolder, LeaseRequest, MemorySource, RestoreOutcome, RestoreSettings, Unwatched,
};
use lifeboat_restore::lease::Lease;
use lifeboat_restore::preflight::preflight;
use lifeboat_restore::prove::{ProveSettings, prove};
use lifeboat_restore::survey::survey;
use lifeboat_store::ports::Clock;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

/// The clusters, from a pool or started by this process.
pub(crate) struct Fixture {
    /// The source of objects. It has no controllers.
    pub(crate) source: Cluster,
    /// The target: with controllers, a scheduler, and a node.
    pub(crate) target: Cluster,
}

pub(crate) fn fixture() -> &'static Fixture {
    // After a failure the other tests must not try to start the clusters again.
    static WORLD: OnceLock<Option<Fixture>> = OnceLock::new();
    let start = || {
        let mut source = ClusterOptions::named("source");
        source.service_cidr = Some("10.96.0.0/16".into());
        source.controllers = true;
        let mut target = ClusterOptions::named("target").with_nodes(1);
        target.service_cidr = Some("10.97.0.0/16".into());
        target.api_server_args = vec!["--service-node-port-range=30000-31999".into()];
        let shared = |options| {
            let shared = Cluster::shared(options, |_| ());
            shared.inspect_err(|error| eprintln!("{error}")).ok()
        };
        let (source, target) = std::thread::scope(|scope| {
            let target = scope.spawn(|| shared(target));
            (shared(source), target.join().ok().flatten())
        });
        Some(Fixture {
            source: source?,
            target: target?,
        })
    };
    WORLD.get_or_init(start).as_ref().expect("the clusters started")
}

/// Serializes restores: the Lease of the target allows one at a time. Between processes a nextest group
/// ensures this.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

pub(crate) async fn connect(cluster: &Cluster) -> Api {
    let file = KubeconfigSource::File(cluster.kubeconfig().to_path_buf());
    let options = ConnectOptions::new(file, None);
    Api::connect(&options).await.expect("the cluster answers").0
}

pub(crate) struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> jiff::Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock of the tests")]
        jiff::Timestamp::now()
    }
}

/// Objects as in a recovery point.
#[derive(Clone, Default)]
pub(crate) struct Captured {
    pub(crate) types: Vec<SourceType>,
    /// The index of the type in `types`, and the object's bytes.
    pub(crate) objects: Vec<(usize, Vec<u8>)>,
}

impl Captured {
    /// Reads every object of the cluster for which `takes` returns `true` given type, namespace and name.
    pub(crate) async fn from(cluster: &Cluster, takes: impl Fn(&str, &str, &str) -> bool) -> Self {
        let api = connect(cluster).await;
        let discovery = api.discover().await.expect("discovery works");
        let crds: Value = api
            .get_json("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            .await
            .expect("definitions can be listed");
        let custom: Vec<String> = items(&crds).iter().map(name).collect();
        let mut captured = Self::default();
        for found in &discovery.types {
            if !found.is_listable() || found.same_as.is_some() {
                continue;
            }
            captured.types.push(SourceType {
                resource: found.resource.clone(),
                singular: found.singular.clone(),
                short_names: found.short_names.clone(),
                verbs: found.preferred().verbs.clone(),
                served_versions: found.versions.iter().map(|v| v.version.clone()).collect(),
                custom: custom.contains(&found.name().to_string()),
            });
            let Ok(list) = api.get_json::<Value>(&found.resource.collection_path()).await else {
                continue;
            };
            for mut item in items(&list) {
                let namespace = item["metadata"]["namespace"].as_str().unwrap_or_default();
                if takes(found.name().as_str(), namespace, &name(&item)) {
                    item["apiVersion"] = found.resource.api_version().into();
                    item["kind"] = found.resource.kind.clone().into();
                    captured.push(captured.types.len() - 1, &item);
                }
            }
        }
        captured
    }

    pub(crate) fn push(&mut self, r#type: usize, object: &Value) {
        self.objects.push((
            r#type,
            serde_json::to_vec(object).expect("a value can be written"),
        ));
    }

    /// Changes the captured bytes of one object.
    pub(crate) fn edit(&mut self, kind: &str, name_of: &str, edit: impl Fn(&mut Value)) {
        let mut found = false;
        for (_, raw) in &mut self.objects {
            let mut object: Value = serde_json::from_slice(raw).expect("captured objects are JSON");
            if object["kind"] == kind && name(&object) == name_of {
                edit(&mut object);
                *raw = serde_json::to_vec(&object).expect("a value can be written");
                found = true;
            }
        }
        assert!(found, "{kind} {name_of} was not captured");
    }

    pub(crate) fn source(&self) -> MemorySource {
        MemorySource::new(self.objects.iter().map(|(_, raw)| raw.clone()))
    }

    pub(crate) fn draft(&self, options: &RestoreOptions) -> PlanBuilder {
        let mut draft = PlanBuilder::new(
            options.clone(),
            &self.types,
            "20261121T100000Z-000000",
            "source",
            Redactor::new(&[7; 32]),
        );
        let mut objects: Vec<_> = self.objects.iter().enumerate().collect();
        objects.sort_by_key(|(_, (at, _))| !PlanBuilder::comes_first(&self.types[*at].resource.name()));
        for (position, (at, raw)) in objects {
            let locator = Locator {
                frame: 0,
                position: u32::try_from(position).expect("tests are small"),
            };
            draft
                .add(&self.types[*at], locator, raw)
                .expect("captured objects can be read");
        }
        draft
    }
}

/// Everything that a restore returns.
pub(crate) struct Restored {
    pub(crate) plan: Plan,
    pub(crate) facts: TargetFacts,
    pub(crate) outcome: RestoreOutcome,
    pub(crate) report: Report,
}

/// Runs a complete restore, as the command line does.
pub(crate) async fn run(
    api: &Api,
    captured: &Captured,
    options: &RestoreOptions,
    holder: LeaseHolder,
) -> anyhow::Result<Restored> {
    let lease = LeaseRequest {
        holder,
        ended: None,
        inputs: format!("{options:?}"),
        clock: Arc::new(RealClock),
    };
    let lease = Lease::acquire(api, lease).await?;
    let discovery: Discovery = api.discover().await?;
    let draft = captured.draft(options);
    let facts = survey(api, &discovery, draft.wanted(), Some(lease.run())).await?;
    let plan = draft.plan(&facts)?;
    let source = captured.source();
    let problems = preflight(api, &plan, &facts, &source).await?;
    anyhow::ensure!(problems.is_empty(), "preflight: {problems:?}");
    let settings = RestoreSettings {
        existing: options.existing,
        ..RestoreSettings::default()
    };
    let outcome = restore(api, &plan, &facts, &source, &lease, &settings, &Unwatched).await?;
    let settings = ProveSettings::default();
    let proven = prove(
        api,
        &plan,
        &facts,
        &source,
        (&outcome, lease.run()),
        &settings,
        &Unwatched,
    )
    .await?;
    lease.release().await?;
    Ok(Restored {
        plan,
        facts,
        outcome,
        report: proven.report,
    })
}

/// Reads the target back again and compares it with the plan of a restore that is done.
pub(crate) async fn proven_again(captured: &Captured, done: &Restored) -> Report {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    let lease = LeaseRequest {
        holder: LeaseHolder::this_process(),
        ended: None,
        inputs: "proof".to_owned(),
        clock: Arc::new(RealClock),
    };
    let lease = Lease::acquire(&api, lease).await.expect("nobody holds the Lease");
    let (source, settings) = (captured.source(), ProveSettings::default());
    let (plan, facts) = (&done.plan, &done.facts);
    let proven = prove(
        &api,
        plan,
        facts,
        &source,
        (&done.outcome, lease.run()),
        &settings,
        &Unwatched,
    );
    let report = proven.await.expect("the target can be read").report;
    lease.release().await.expect("the Lease can be released");
    report
}

/// Restores into the shared target; the result must match the plan.
pub(crate) async fn restored(captured: &Captured, options: &RestoreOptions) -> Restored {
    let done = attempted(captured, options).await;
    assert!(done.outcome.is_complete(), "{:?}", done.outcome.results);
    assert!(
        done.report.matches_plan(),
        "{}",
        serde_json::to_string_pretty(&done.report).unwrap_or_default()
    );
    // Other tests write to their own namespaces at the same time.
    let namespaces: Vec<_> = done
        .plan
        .objects
        .iter()
        .map(|object| &object.target.namespace)
        .collect();
    let mut unplanned = done.report.unplanned.iter();
    let here = unplanned.find(|unplanned| {
        unplanned.object.namespace.is_some() && namespaces.contains(&&unplanned.object.namespace)
    });
    assert!(here.is_none(), "{here:?}");
    done
}

/// Restores into the shared target, with any result.
pub(crate) async fn attempted(captured: &Captured, options: &RestoreOptions) -> Restored {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    run(&api, captured, options, LeaseHolder::this_process())
        .await
        .unwrap_or_else(|error| panic!("{error:?}"))
}

pub(crate) fn items(list: &Value) -> Vec<Value> {
    list["items"].as_array().cloned().unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Returns an object of the target by its path.
pub(crate) async fn live(path: &str) -> Value {
    let api = connect(&fixture().target).await;
    api.get_json(path)
        .await
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Waits until `check` returns `true` for an object of the cluster, for 30 seconds at most.
pub(crate) async fn until(
    cluster: &Cluster,
    path: &str,
    what: &str,
    check: impl Fn(&Value) -> bool,
) -> Value {
    let api = connect(cluster).await;
    for _ in 0..300 {
        if let Ok(object) = api.get_json::<Value>(path).await
            && check(&object)
        {
            return object;
        }
        lifeboat_system::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{path} never became {what}");
}

/// Applies manifests to a cluster.
pub(crate) fn apply(cluster: &Cluster, manifests: &str) {
    cluster.apply(manifests).unwrap_or_else(|error| panic!("{error}"));
}
