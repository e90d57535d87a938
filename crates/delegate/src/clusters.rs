//! The interface to clusters: from the cluster's name in a job to a connection, or to the missing access.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressError, AddressOptions};
use lifeboat_aws::{AwsContext, EksTokenSource};
use lifeboat_describe::NetworkLook;
use lifeboat_jobs::{AccessFinding, ClusterTarget, Failure, Outcome, PrivateEndpoint};
use lifeboat_model::{Code, Problem};
use lifeboat_store::ports::{Clock, Randomness};

mod eks;
mod network;
mod private;
mod settling;

pub use eks::{Eks, PrivateNetworks};
pub use private::PrivateCluster;
pub use settling::Settling;

pub(crate) use network::add_network;

/// Connects to API servers with the identity of the function's role.
pub struct Caller {
    /// The credentials of the role.
    pub context: AwsContext,
    /// The clock of the tokens.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness for the pauses of retries.
    pub ids: Arc<dyn Randomness>,
}

impl Caller {
    /// Connects to the API server of a cluster, by its name in EKS.
    async fn connect(&self, cluster: &str, server: &str, ca_pem: &str) -> Result<Api, AddressError> {
        let mut seed = [0; 8];
        self.ids.random(&mut seed);
        let address = Address {
            server: server.to_owned(),
            ca_pem: ca_pem.to_owned(),
            token: Arc::new(EksTokenSource::new(
                &self.context,
                cluster,
                Arc::clone(&self.clock),
            )),
        };
        let options = AddressOptions {
            seed: u64::from_le_bytes(seed),
            ..AddressOptions::default()
        };
        Ok(Api::connect_to(&address, &options).await?.0)
    }
}

/// Connects to the clusters of an environment.
#[async_trait]
pub trait Clusters: Send + Sync {
    /// Returns a connection to a cluster that has responded, with the identity of this delegate's role.
    ///
    /// # Errors
    /// [`Unreachable`] with all missing access, each with its fix.
    async fn connect(&self, target: &ClusterTarget) -> Result<Api, Unreachable>;

    /// Lists every cluster of the environment that has all of these tags, under its own name.
    ///
    /// # Errors
    /// [`Unreachable`] if the search fails, and in implementations without search (the default).
    async fn tagged(&self, _tags: &BTreeMap<String, String>) -> Result<Vec<ClusterTarget>, Unreachable> {
        Err(Unreachable::unavailable(AccessFinding::from(&Problem::of(
            Code::NoTaggedCluster,
            "finding clusters by tag is not supported here",
        ))))
    }

    /// Looks at the network of the private delegate of a cluster: from inside, if the delegate is deployed, and from outside, as
    /// far as this delegate may read it. Returns nothing in implementations without private delegates (the default).
    async fn network(&self, _target: &ClusterTarget, _private: &PrivateEndpoint) -> NetworkLook {
        NetworkLook::default()
    }
}

/// A failed connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The missing access; never empty.
    pub findings: Vec<AccessFinding>,
    /// Whether a retry can succeed without a change by the user.
    pub retry: bool,
    /// The private endpoint of the cluster, if that is the one to use instead.
    pub private: Option<Box<PrivateEndpoint>>,
}

impl Unreachable {
    /// Returns the failure of a job that needs the cluster.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::Failed {
            failures: self.failures(),
            retry: self.retry,
        }
    }

    /// Returns the findings as failures.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        self.findings.iter().map(AccessFinding::failure).collect()
    }

    /// Creates an error with a finding that the user has to fix.
    #[must_use]
    pub fn unavailable(finding: AccessFinding) -> Self {
        Self {
            findings: vec![finding],
            retry: false,
            private: None,
        }
    }
}
