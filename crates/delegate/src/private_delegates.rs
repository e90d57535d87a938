//! The private delegates of the environment: stacks that the public delegate deploys, updates and removes with a service role of
//! CloudFormation, which may change nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_aws::AwsContext;
use lifeboat_aws::names::private_stack;
use lifeboat_deploy::private_delegate::{PrivateDelegate, package_of, tags};
use lifeboat_deploy::{CloudFormation, StackSpec, Stacks, change_set_name};
use lifeboat_jobs::{ClusterTarget, PrivateEndpoint};
use lifeboat_model::environment::delegate_key;
use lifeboat_model::{
    ApplicationName, ClusterName, Code, DelegateId, Diagnostic as _, EnvironmentId, Problem, Side,
    StackOutcome,
};
use lifeboat_store::ports::{Clock, ObjectStore, Randomness};

/// Deploys and removes private delegates.
#[async_trait]
pub trait PrivateDelegates: Send + Sync {
    /// Deploys the private delegate of a cluster into its network, with the code and the settings of this function, or updates
    /// it to that. Waits for what an earlier call has started.
    ///
    /// # Errors
    /// As [`lifeboat_deploy::deploy`]; LB-1010 if the stack of this function cannot be read; LB-1011 if the stack of the
    /// private delegate is somebody else's.
    async fn deploy(
        &self,
        cluster: &ClusterTarget,
        endpoint: &PrivateEndpoint,
    ) -> Result<StackOutcome, Problem>;

    /// Deletes the private delegate of a cluster, if there is one. Waits for what an earlier call has started.
    ///
    /// # Errors
    /// As [`lifeboat_deploy::delete`]; LB-1011 if the stack is somebody else's.
    async fn remove(&self, cluster: &ClusterName) -> Result<(), Problem>;

    /// Deletes the registration of a private delegate that is gone.
    ///
    /// # Errors
    /// If the bucket refuses the request.
    async fn forget(&self, cluster: &ClusterName) -> Result<(), Problem>;
}

/// Private delegates as stacks of CloudFormation.
pub struct PrivateDelegateStacks {
    /// The client of AWS.
    pub context: AwsContext,
    /// The application.
    pub application: ApplicationName,
    /// The environment of the function.
    pub environment: EnvironmentId,
    /// The side of the function.
    pub side: Side,
    /// The id of the stack of the function.
    pub stack: String,
    /// The ARN of the service role.
    pub service_role: String,
    /// The scratch bucket.
    pub scratch: Arc<dyn ObjectStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub ids: Arc<dyn Randomness>,
}

impl PrivateDelegateStacks {
    fn stacks(&self) -> CloudFormation {
        CloudFormation::new(&self.context, &self.environment).with_service_role(self.service_role.clone())
    }

    /// Returns a name for a change set that no other has.
    fn change_set(&self) -> String {
        let mut random = [0; 3];
        self.ids.random(&mut random);
        change_set_name(self.clock.now(), random)
    }

    /// Returns the stack to deploy for a cluster.
    async fn spec(
        &self,
        stacks: &dyn Stacks,
        target: &ClusterTarget,
        endpoint: &PrivateEndpoint,
    ) -> Result<StackSpec, Problem> {
        let own = stacks.describe(&self.stack).await?.ok_or_else(|| {
            Problem::of(
                Code::RequiredStackMissing,
                format!("the stack {} of the delegate does not exist", self.stack),
            )
        })?;
        let cluster = eks_name(target)?;
        let delegate = PrivateDelegate {
            application: &self.application,
            side: self.side,
            cluster: &cluster,
            name_in_application: (self.side == Side::Primary).then_some(&target.name),
            subnets: &endpoint.subnets,
            security_group: &endpoint.security_group,
            grants_access: endpoint.endpoint.access_entries,
        };
        let existing = stacks.describe(&delegate.stack()).await?;
        let package = package_of(&self.application, &own)?;
        delegate.spec(
            &own,
            existing.as_ref(),
            package,
            &self.environment,
            self.change_set(),
        )
    }
}

/// Returns the name of a cluster in EKS.
///
/// # Errors
/// If its ARN is not that of an EKS cluster.
pub(crate) fn eks_name(target: &ClusterTarget) -> Result<ClusterName, Problem> {
    target.eks_name().ok_or_else(|| {
        Problem::of(
            Code::UnsupportedCluster,
            format!("{} is not the ARN of an EKS cluster", target.arn),
        )
    })
}

fn log(line: &str) {
    tracing::info!("{line}");
}

#[async_trait]
impl PrivateDelegates for PrivateDelegateStacks {
    async fn deploy(
        &self,
        target: &ClusterTarget,
        endpoint: &PrivateEndpoint,
    ) -> Result<StackOutcome, Problem> {
        let stacks = self.stacks();
        // Boxed, here and below: the futures of the SDK nest deeper than the compiler's limit.
        let wanted = Box::pin(self.spec(&stacks, target, endpoint)).await?;
        let deployed = Box::pin(lifeboat_deploy::deploy(&stacks, &wanted, &log)).await?;
        Ok(deployed.outcome)
    }

    async fn remove(&self, cluster: &ClusterName) -> Result<(), Problem> {
        let (stacks, name) = (self.stacks(), private_stack(&self.application, cluster));
        let existing = Box::pin(stacks.describe(&name)).await?;
        let tags: BTreeMap<String, String> =
            tags(&self.application, cluster, &self.environment, existing.as_ref())?;
        if existing.is_some() {
            tracing::info!(
                "{name}: deleted; Lambda removes the network interfaces of its function first, which takes 20 minutes or more"
            );
            Box::pin(lifeboat_deploy::delete(&stacks, &name, &tags, &log)).await?;
        }
        Ok(())
    }

    async fn forget(&self, cluster: &ClusterName) -> Result<(), Problem> {
        let key = delegate_key(&DelegateId::private(&self.application, cluster));
        let deleted = self.scratch.delete(&key).await;
        deleted.map_err(|error| error.problem())
    }
}
