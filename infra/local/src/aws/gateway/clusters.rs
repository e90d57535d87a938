//! The control planes of EKS clusters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::eks::nodes::{Applied, Wanted};
use super::eks::objects;
use crate::aws::LocalAwsOptions;
use crate::cluster::{Cluster, ClusterOptions};

/// The tag of a cluster with the number of nodes that kwok simulates in it.
pub(crate) const NODES_TAG: &str = "lifeboat-local/nodes";
/// The tag of a cluster that disables its controllers if it is `false`, so that no object changes by itself.
pub(crate) const CONTROLLERS_TAG: &str = "lifeboat-local/controllers";

/// The state of a control plane.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// The control plane starts.
    Creating,
    /// The control plane is ready.
    Active(Arc<Cluster>),
    /// The control plane did not start, with the reason.
    Failed(String),
}

/// An EKS cluster and its control plane.
pub(crate) struct LocalCluster {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// The ARN of the user or role that created the cluster.
    pub(crate) creator: Option<String>,
    /// The value of `bootstrapClusterCreatorAdminPermissions`.
    pub(crate) bootstrap: bool,
    progress: Mutex<Progress>,
    /// What its node groups and Fargate profiles want.
    wanted: Mutex<Wanted>,
    /// What of it the control plane has.
    applied: Mutex<Applied>,
}

impl LocalCluster {
    pub(crate) fn progress(&self) -> Progress {
        self.lock().clone()
    }

    /// Gives the cluster the nodes that its node groups and Fargate profiles want, as soon as it is active.
    pub(crate) fn want(self: &Arc<Self>, wanted: Wanted) {
        *self.wanted.lock().expect("no holder of this lock panics") = wanted;
        let cluster = Arc::clone(self);
        if let Progress::Active(running) = self.progress() {
            std::thread::spawn(move || cluster.settle(&running));
        }
    }

    /// Returns whether the cluster has the nodes that it wants, or why it does not get them.
    pub(crate) fn is_settled(&self) -> Result<bool, String> {
        let wanted = self.wanted.lock().expect("no holder of this lock panics");
        // A thread that applies holds the other lock for a while.
        match self.applied.try_lock() {
            Ok(applied) => applied.holds(&wanted),
            Err(_) => Ok(false),
        }
    }

    fn settle(&self, running: &Cluster) {
        let mut applied = self.applied.lock().expect("no holder of this lock panics");
        let wanted = self.wanted.lock().expect("no holder of this lock panics").clone();
        applied.apply(running, wanted);
    }

    pub(crate) fn creator_is_admin(&self, caller: Option<&str>) -> bool {
        self.bootstrap && caller.is_some() && self.creator.as_deref() == caller
    }

    /// Returns the data of the ConfigMap `aws-auth`; null if it does not exist.
    pub(crate) async fn aws_auth(&self) -> Value {
        let Progress::Active(cluster) = self.progress() else {
            return Value::Null;
        };
        let client = cluster.client().clone();
        let read = tokio::task::spawn_blocking(move || {
            let path = "/api/v1/namespaces/kube-system/configmaps/aws-auth";
            client
                .get(path, "application/json")
                .and_then(|answer| answer.json())
        });
        match read.await {
            Ok(Ok(config_map)) => config_map["data"].clone(),
            _ => Value::Null,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().expect("no holder of this lock panics")
    }
}

/// The parameters for starting the control plane of an EKS cluster.
pub(crate) struct NewCluster {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) creator: Option<String>,
    pub(crate) bootstrap: bool,
    /// The value of `bootstrapSelfManagedAddons`.
    pub(crate) addons: bool,
    /// The id of its VPC.
    pub(crate) vpc: String,
    pub(crate) tags: Value,
    pub(crate) service_cidr: Option<String>,
}

/// All clusters, by account and name: fakecloud's key, which does not include the Region.
pub(crate) struct Clusters {
    all: Mutex<BTreeMap<(String, String), Arc<LocalCluster>>>,
    folder: PathBuf,
    gateway: String,
    options: LocalAwsOptions,
}

impl Clusters {
    /// `gateway` is the address of the webhooks; `options` apply to clusters without the tags.
    pub(crate) fn new(folder: &Path, gateway: &str, options: &LocalAwsOptions) -> Self {
        Self {
            all: Mutex::default(),
            folder: folder.to_owned(),
            gateway: gateway.to_owned(),
            options: options.clone(),
        }
    }

    pub(crate) fn get(&self, account: &str, name: &str) -> Option<Arc<LocalCluster>> {
        self.lock().get(&(account.to_owned(), name.to_owned())).cloned()
    }

    /// Returns the names and the endpoints of the running clusters of a Region.
    pub(crate) fn servers(&self, account: &str, region: &str) -> Vec<(String, String)> {
        let all = self.lock();
        let here = all
            .values()
            .filter(|cluster| cluster.account == account && cluster.region == region);
        here.filter_map(|cluster| match cluster.progress() {
            Progress::Active(running) => Some((cluster.name.clone(), running.server().to_owned())),
            _ => None,
        })
        .collect()
    }

    /// Starts a control plane in the background. Returns the existing one if it already runs.
    pub(crate) fn start(&self, new: NewCluster) -> Arc<LocalCluster> {
        let key = (new.account.clone(), new.name.clone());
        let cluster = {
            let mut all = self.lock();
            if let Some(known) = all.get(&key) {
                return known.clone();
            }
            let cluster = Arc::new(LocalCluster {
                account: new.account.clone(),
                region: new.region.clone(),
                name: new.name.clone(),
                creator: new.creator.clone(),
                bootstrap: new.bootstrap,
                progress: Mutex::new(Progress::Creating),
                wanted: Mutex::default(),
                applied: Mutex::default(),
            });
            all.insert(key, cluster.clone());
            cluster
        };
        let starting = cluster.clone();
        let options = self.options(&new);
        std::thread::spawn(move || {
            let started = options
                .map_err(|error| error.to_string())
                .and_then(|options| Cluster::start(options).map_err(|error| error.to_string()));
            let ready = started.and_then(|running| {
                objects::install(&running, &new)
                    .map_err(|error| format!("failed to create the objects of EKS: {error}"))?;
                Ok(Arc::new(running))
            });
            match ready {
                Ok(running) => {
                    *starting.lock() = Progress::Active(Arc::clone(&running));
                    starting.settle(&running);
                }
                Err(error) => {
                    eprintln!(
                        "cluster {} of the local EKS did not start: {error}",
                        starting.name
                    );
                    *starting.lock() = Progress::Failed(error);
                }
            }
        });
        cluster
    }

    /// Removes a cluster. Its control plane ends with its last user.
    pub(crate) fn remove(&self, account: &str, name: &str) {
        let removed = self.lock().remove(&(account.to_owned(), name.to_owned()));
        // Stopping an API server takes a moment; the response does not wait for it.
        std::thread::spawn(move || drop(removed));
    }

    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn options(&self, new: &NewCluster) -> Result<ClusterOptions, std::io::Error> {
        let path = format!("/_lifeboat/eks/{}/{}", new.account, new.name);
        let webhook = |which: &str| -> Result<PathBuf, std::io::Error> {
            let file = self
                .folder
                .join(format!("eks-{}-{}-{which}.json", new.account, new.name));
            let text = webhook_config(&format!("http://{}{path}/{which}", self.gateway)).to_string();
            std::fs::write(&file, text)?;
            Ok(file)
        };
        let tag = |name: &str| new.tags[name].as_str();
        let nodes = tag(NODES_TAG).and_then(|nodes| nodes.parse().ok()).unwrap_or(0);
        let controllers = tag(CONTROLLERS_TAG).map_or(self.options.controllers, |wanted| wanted != "false");
        let access_cache = self.options.access_cache.as_secs();
        Ok(ClusterOptions {
            controllers: controllers || nodes > 0,
            nodes,
            service_cidr: new.service_cidr.clone(),
            api_server_args: vec![
                format!(
                    "--authentication-token-webhook-config-file={}",
                    webhook("token")?.display()
                ),
                "--authentication-token-webhook-version=v1".into(),
                format!("--authentication-token-webhook-cache-ttl={access_cache}s"),
                // This mode is added to the modes set by the launcher.
                "--authorization-mode=Webhook".into(),
                format!(
                    "--authorization-webhook-config-file={}",
                    webhook("access")?.display()
                ),
                "--authorization-webhook-version=v1".into(),
                format!("--authorization-webhook-cache-authorized-ttl={access_cache}s"),
                "--authorization-webhook-cache-unauthorized-ttl=1s".into(),
                format!("--service-account-issuer={}", new.issuer),
            ],
            ..ClusterOptions::named(&new.name)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Arc<LocalCluster>>> {
        self.all.lock().expect("no holder of this lock panics")
    }
}

/// Returns the kubeconfig with the URL of a webhook, for an API server.
fn webhook_config(url: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "gateway", "cluster": { "server": url } }],
        "users": [{ "name": "api-server", "user": {} }],
        "contexts": [{ "name": "webhook", "context": { "cluster": "gateway", "user": "api-server" } }],
        "current-context": "webhook",
    })
}
