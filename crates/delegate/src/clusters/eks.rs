//! Clusters of EKS.

use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_aws::eks::{ClusterKind, Endpoint};
use lifeboat_aws::{AwsContext, ClusterAddress, EksClusters, EksTokenSource};
use lifeboat_jobs::job::{AccessFinding, ClusterTarget};
use lifeboat_jobs::ports::{Clock, Ids};
use lifeboat_kubernetes::Api;
use lifeboat_kubernetes::connect::{Address, AddressError, AddressOptions};
use lifeboat_model::{Arn, ArnKind, Code, EnvironmentId, ErrorKind, Problem};

use super::{Clusters, Unreachable};

mod commands;

/// The EKS clusters of one environment, entered with the function's role.
pub struct Eks {
    context: AwsContext,
    clusters: EksClusters,
    environment: EnvironmentId,
    role: Arn,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Eks {
    /// For the environment that the function runs in.
    #[must_use]
    pub fn new(
        context: &AwsContext,
        environment: EnvironmentId,
        role: Arn,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            context: context.clone(),
            clusters: EksClusters::new(context),
            environment,
            role,
            clock,
            ids,
        }
    }

    async fn describe(&self, target: &ClusterTarget) -> Result<ClusterAddress, Unreachable> {
        let ArnKind::Cluster { name } = target.arn.kind() else {
            return Err(missing(
                Code::ClusterNotFound,
                format!("{} is no EKS cluster", target.arn),
                "name an EKS cluster in the application's document",
            ));
        };
        if target.arn.environment().as_ref() != Some(&self.environment) {
            return Err(missing(
                Code::ClusterNotFound,
                format!(
                    "{} is not in {}, where this delegate works",
                    target.arn, self.environment
                ),
                "name a cluster of the environment that the application names",
            ));
        }
        self.clusters.describe(name).await.map_err(|error| {
            let retry = error.kind() == ErrorKind::Retry;
            let command =
                (error.kind() == ErrorKind::Denied).then(|| commands::describe(&self.role, &target.arn));
            Unreachable {
                findings: vec![finding(error.problem(), command)],
                retry,
            }
        })
    }

    /// The endpoint, if the cluster is of a kind and in a state that can be worked with.
    fn endpoint<'a>(&self, address: &'a ClusterAddress) -> Result<&'a Endpoint, Unreachable> {
        let name = &address.name;
        match address.kind {
            ClusterKind::Eks => {}
            ClusterKind::Outpost => {
                return Err(missing(
                    Code::UnsupportedCluster,
                    format!("{name} is a local cluster on an Outpost, which can be reached only from there"),
                    "take the cluster out of the application, or move it into the Region",
                ));
            }
            ClusterKind::Connected => {
                return Err(missing(
                    Code::UnsupportedCluster,
                    format!("{name} runs elsewhere and is only shown in EKS (EKS Connector)"),
                    "take the cluster out of the application; `lifeboat backup` with a kubeconfig works for it",
                ));
            }
        }
        if !address.status.is_up() {
            return Err(Unreachable {
                findings: vec![finding(
                    Problem::new(
                        Code::ClusterNotActive,
                        format!("{name} is {:?}", address.status),
                        "wait until EKS says ACTIVE; if it stays so, look at the cluster's health in the EKS console",
                    ),
                    None,
                )],
                retry: true,
            });
        }
        if !address.endpoint_public {
            return Err(missing(
                Code::EndpointClosed,
                format!("{name} has no public endpoint"),
                "open the public endpoint to this Region's addresses, or deploy a delegate inside its VPC",
            ));
        }
        (address.endpoint.as_ref()).ok_or_else(|| Unreachable {
            findings: vec![finding(
                Problem::new(
                    Code::ClusterNotActive,
                    format!("{name} has no endpoint yet"),
                    "wait until EKS has made it",
                ),
                None,
            )],
            retry: true,
        })
    }

    /// What a refused connection means, with the command that mends it.
    fn refused(&self, target: &ClusterTarget, address: &ClusterAddress, error: &AddressError) -> Unreachable {
        let problem = error.problem();
        let (problem, command, retry) = match problem.code {
            // EKS says ACTIVE before an access entry takes effect, so it may also pass by itself.
            Code::Unauthenticated => (
                Problem::new(
                    Code::NoAccessEntry,
                    format!("{} does not know the role {}", address.name, self.role),
                    "run the command; it takes effect within a minute",
                ),
                Some(commands::let_in(address, &target.arn, &self.role)),
                false,
            ),
            Code::ClusterUnreachable if limited(address) => (
                Problem::new(
                    Code::EndpointClosed,
                    format!(
                        "the public endpoint of {} lets in {} only",
                        address.name,
                        address.public_cidrs.join(", ")
                    ),
                    "run the command, or deploy a delegate inside the cluster's VPC",
                )
                .caused_by(error),
                Some(commands::open(address, &target.arn)),
                false,
            ),
            _ => (problem, None, error.kind() == ErrorKind::Retry),
        };
        Unreachable {
            findings: vec![finding(problem, command)],
            retry,
        }
    }
}

#[async_trait]
impl Clusters for Eks {
    async fn connect(&self, target: &ClusterTarget) -> Result<Api, Unreachable> {
        let described = self.describe(target).await?;
        let endpoint = self.endpoint(&described)?;
        let token = EksTokenSource::new(&self.context, &described.name, Arc::clone(&self.clock));
        let mut seed = [0; 8];
        self.ids.random(&mut seed);
        let address = Address {
            server: endpoint.url.clone(),
            ca_pem: endpoint.ca_pem.clone(),
            token: Arc::new(token),
        };
        let options = AddressOptions {
            seed: u64::from_le_bytes(seed),
            ..AddressOptions::default()
        };
        match Api::connect_to(&address, &options).await {
            Ok((api, _)) => Ok(api),
            Err(error) => Err(self.refused(target, &described, &error)),
        }
    }
}

/// Whether only some addresses may reach the public endpoint.
fn limited(address: &ClusterAddress) -> bool {
    !address
        .public_cidrs
        .iter()
        .any(|cidr| cidr == "0.0.0.0/0" || cidr == "::/0")
}

fn finding(problem: Problem, command: Option<String>) -> AccessFinding {
    AccessFinding {
        problem,
        command,
        partial: false,
    }
}

fn missing(code: Code, message: String, guidance: &str) -> Unreachable {
    Unreachable::mend(finding(Problem::new(code, message, guidance), None))
}
