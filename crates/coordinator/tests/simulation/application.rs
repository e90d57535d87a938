//! The applications of a simulation, and their environments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::executor::block_on;
use jiff::Timestamp;
use lifeboat_model::environment::{
    DelegateRegistration, EnvironmentRegistration, RegisteredKey, Side, delegate_key, environment_key,
};
use lifeboat_model::{ApplicationName, Arn, ClusterName, EnvironmentId};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer as _};

use crate::delegate::{RECIPIENT, SIGNER};
use crate::model::Model;
use crate::rng::Shared;
use crate::stores::Bucket;

/// An account and Region with its scratch bucket.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) id: EnvironmentId,
    pub(crate) store: MemoryStore,
    dead: Arc<AtomicBool>,
}

impl Environment {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: EnvironmentId::parse(id).unwrap(),
            store: MemoryStore::new(),
            dead: Arc::default(),
        }
    }

    /// Returns whether the Region answers no request.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(crate) fn set_dead(&self, dead: bool) {
        self.dead.store(dead, Ordering::Relaxed);
    }

    pub(crate) fn toggle(&self) {
        self.dead.fetch_xor(true, Ordering::Relaxed);
    }

    pub(crate) fn bucket(&self, shared: &Arc<Shared>) -> Arc<dyn ObjectStore> {
        Arc::new(Bucket {
            inner: self.store.clone(),
            shared: Arc::clone(shared),
            dead: Arc::clone(&self.dead),
        })
    }

    /// Registers the environment, unless another application did.
    fn register(&self, side: Side, now: Timestamp) {
        let key = |pem: String| {
            Some(RegisteredKey {
                arn: Arn::parse("arn:aws:kms:eu-west-1:111111111111:key/1").unwrap(),
                public_key: pem,
            })
        };
        let registration = EnvironmentRegistration {
            format: 1,
            environment: self.id.clone(),
            signing_key: (side == Side::Primary)
                .then(|| SIGNER.verifying_key().to_pem())
                .and_then(key),
            recovery_key: (side == Side::Recovery).then(|| RECIPIENT.to_pem()).and_then(key),
            version: "0.1.0".to_owned(),
            registered_at: now,
        };
        let bytes = Bytes::from(serde_json::to_vec(&registration).unwrap());
        self.store.overwrite(&environment_key(), bytes);
    }
}

/// An application with its primary environment. All share the recovery environment, the vault and the state bucket.
pub(crate) struct Application {
    pub(crate) name: ApplicationName,
    pub(crate) clusters: Vec<&'static str>,
    pub(crate) primary: Environment,
    /// Whether its clusters are so big that several jobs capture each.
    pub(crate) big: bool,
    /// Those of its clusters that have a private delegate, each in both environments.
    pub(crate) private: Vec<&'static str>,
    /// Seconds between two times of its schedule.
    pub(crate) every: i64,
    /// The number of recovery points that retention keeps.
    pub(crate) last: u32,
    /// Whether somebody else writes to the scratch buckets what its delegates find.
    pub(crate) hostile: bool,
    /// Whether no fault strikes its processes: then nothing but another application delays it.
    pub(crate) spared: bool,
    pub(crate) model: Model,
    /// Its objects in the vault, as they were first seen.
    pub(crate) vaulted: BTreeMap<String, Bytes>,
}

impl Application {
    pub(crate) fn new(name: &str, clusters: &[&'static str], primary: &str, every: i64) -> Self {
        Self {
            name: ApplicationName::parse(name).unwrap(),
            clusters: clusters.to_vec(),
            primary: Environment::new(primary),
            big: false,
            private: Vec::new(),
            every,
            last: 1,
            hostile: false,
            spared: false,
            model: Model::default(),
            vaulted: BTreeMap::new(),
        }
    }

    pub(crate) fn document(&self, recovery: &Environment) -> String {
        let clusters: Vec<_> = (self.clusters.iter())
            .map(|name| serde_json::json!({"name": name, "restoreInto": format!("{name}-dr")}))
            .collect();
        let place = |environment: &Environment| {
            let EnvironmentId { account, region } = &environment.id;
            serde_json::json!({"account": account, "region": region})
        };
        serde_json::json!({
            "format": 1,
            "name": self.name,
            "primary": place(&self.primary),
            "recovery": place(recovery),
            "clusters": clusters,
            "schedule": {"every": format!("{}m", self.every / 60)},
            "retention": {"last": self.last, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0},
        })
        .to_string()
    }

    /// Returns the names in EKS of the clusters of a side that have a private delegate.
    pub(crate) fn private_clusters(&self, side: Side) -> Vec<ClusterName> {
        let name = |name: &&str| match side {
            Side::Primary => (*name).to_owned(),
            Side::Recovery => format!("{name}-dr"),
        };
        let names = self.private.iter().map(name);
        names.map(|name| ClusterName::parse(name).unwrap()).collect()
    }

    /// Registers its public delegates and both environments.
    pub(crate) fn register(&self, recovery: &Environment, now: Timestamp) {
        for (environment, side) in [(&self.primary, Side::Primary), (recovery, Side::Recovery)] {
            environment.register(side, now);
            self.register_delegate(environment, side, None, now);
        }
    }

    /// Registers the private delegates, whose stacks are deployed after those of the public ones.
    pub(crate) fn register_private(&self, recovery: &Environment, now: Timestamp) {
        for (environment, side) in [(&self.primary, Side::Primary), (recovery, Side::Recovery)] {
            for cluster in self.private_clusters(side) {
                self.register_delegate(environment, side, Some(cluster), now);
            }
        }
    }

    fn register_delegate(
        &self,
        environment: &Environment,
        side: Side,
        cluster: Option<ClusterName>,
        now: Timestamp,
    ) {
        let delegate = DelegateRegistration {
            format: 1,
            application: self.name.clone(),
            function: Arn::function(&environment.id, &format!("lifeboat-{}", self.name)).unwrap(),
            role: Arn::parse("arn:aws:iam::111111111111:role/Lifeboat").unwrap(),
            key: None,
            environment: environment.id.clone(),
            side,
            cluster,
            deploys_private_delegates: false,
            version: "0.1.0".to_owned(),
            registered_at: now,
        };
        let bytes = Bytes::from(serde_json::to_vec(&delegate).unwrap());
        block_on(environment.store.put_new(&delegate_key(&delegate.id()), bytes)).unwrap();
    }
}
