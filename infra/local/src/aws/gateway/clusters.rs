//! The control planes behind the clusters of EKS.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::aws::LocalAwsOptions;
use crate::cluster::{Cluster, ClusterOptions};

/// A tag on a cluster that says how many nodes kwok plays in it.
pub(crate) const NODES_TAG: &str = "lifeboat-local/nodes";
/// A tag on a cluster: `false` leaves the controllers out, so that nothing moves by itself.
pub(crate) const CONTROLLERS_TAG: &str = "lifeboat-local/controllers";

/// How far a control plane is.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// It starts.
    Creating,
    /// It answers.
    Active(Arc<Cluster>),
    /// It did not start.
    Failed(String),
}

/// A cluster of EKS and its control plane.
pub(crate) struct LocalCluster {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// The user or role that created it.
    pub(crate) creator: Option<String>,
    /// `bootstrapClusterCreatorAdminPermissions`.
    pub(crate) bootstrap: bool,
    progress: Mutex<Progress>,
}

impl LocalCluster {
    pub(crate) fn progress(&self) -> Progress {
        self.lock().clone()
    }

    pub(crate) fn creator_is_admin(&self, caller: Option<&str>) -> bool {
        self.bootstrap && caller.is_some() && self.creator.as_deref() == caller
    }

    /// The data of the ConfigMap `aws-auth`; nothing if there is none.
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

/// What is needed to start a control plane for a cluster of EKS.
pub(crate) struct Birth {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) creator: Option<String>,
    pub(crate) bootstrap: bool,
    pub(crate) tags: Value,
    pub(crate) service_cidr: Option<String>,
}

/// All clusters, by account and name: fakecloud keeps them so, without the Region.
pub(crate) struct Clusters {
    all: Mutex<BTreeMap<(String, String), Arc<LocalCluster>>>,
    folder: PathBuf,
    gateway: String,
    options: LocalAwsOptions,
}

impl Clusters {
    /// `gateway` is the address at which the webhooks are answered; `options` say what a
    /// cluster without the tag gets.
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

    /// Starts a control plane in the background. One that is already running is kept.
    pub(crate) fn start(&self, birth: Birth) -> Arc<LocalCluster> {
        let key = (birth.account.clone(), birth.name.clone());
        let cluster = {
            let mut all = self.lock();
            if let Some(known) = all.get(&key) {
                return known.clone();
            }
            let cluster = Arc::new(LocalCluster {
                account: birth.account.clone(),
                region: birth.region.clone(),
                name: birth.name.clone(),
                creator: birth.creator.clone(),
                bootstrap: birth.bootstrap,
                progress: Mutex::new(Progress::Creating),
            });
            all.insert(key, cluster.clone());
            cluster
        };
        let starting = cluster.clone();
        let options = self.options(&birth);
        std::thread::spawn(move || {
            let progress = match options
                .map_err(|error| error.to_string())
                .and_then(|options| Cluster::start(options).map_err(|error| error.to_string()))
            {
                Ok(cluster) => Progress::Active(Arc::new(cluster)),
                Err(error) => {
                    eprintln!(
                        "cluster {} of the local EKS did not start: {error}",
                        starting.name
                    );
                    Progress::Failed(error)
                }
            };
            *starting.lock() = progress;
        });
        cluster
    }

    /// Forgets a cluster; its control plane ends once nobody looks at it any more.
    pub(crate) fn remove(&self, account: &str, name: &str) {
        let removed = self.lock().remove(&(account.to_owned(), name.to_owned()));
        // Ending an API server takes a moment that no answer should wait for.
        std::thread::spawn(move || drop(removed));
    }

    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn options(&self, birth: &Birth) -> Result<ClusterOptions, std::io::Error> {
        let path = format!("/_lifeboat/eks/{}/{}", birth.account, birth.name);
        let webhook = |which: &str| -> Result<PathBuf, std::io::Error> {
            let file = self
                .folder
                .join(format!("eks-{}-{}-{which}.json", birth.account, birth.name));
            let text = webhook_config(&format!("http://{}{path}/{which}", self.gateway)).to_string();
            std::fs::write(&file, text)?;
            Ok(file)
        };
        let tag = |name: &str| birth.tags[name].as_str();
        let nodes = tag(NODES_TAG).and_then(|nodes| nodes.parse().ok()).unwrap_or(0);
        let controllers = tag(CONTROLLERS_TAG).map_or(self.options.controllers, |wanted| wanted != "false");
        let access_cache = self.options.access_cache.as_secs();
        Ok(ClusterOptions {
            controllers: controllers || nodes > 0,
            nodes,
            service_cidr: birth.service_cidr.clone(),
            api_server_args: vec![
                format!(
                    "--authentication-token-webhook-config-file={}",
                    webhook("token")?.display()
                ),
                "--authentication-token-webhook-version=v1".into(),
                format!("--authentication-token-webhook-cache-ttl={access_cache}s"),
                // It is added to those that the launcher names.
                "--authorization-mode=Webhook".into(),
                format!(
                    "--authorization-webhook-config-file={}",
                    webhook("access")?.display()
                ),
                "--authorization-webhook-version=v1".into(),
                format!("--authorization-webhook-cache-authorized-ttl={access_cache}s"),
                "--authorization-webhook-cache-unauthorized-ttl=1s".into(),
                format!("--service-account-issuer={}", birth.issuer),
            ],
            ..ClusterOptions::named(&birth.name)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Arc<LocalCluster>>> {
        self.all.lock().expect("no holder of this lock panics")
    }
}

/// The kubeconfig by which an API server finds a webhook.
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
