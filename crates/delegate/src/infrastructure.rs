//! The AWS resources that clusters stand on: described on the primary side, built on the recovery side.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_aws::AwsContext;
use lifeboat_capture::infrastructure::DescribeResources;
use lifeboat_deploy::recovery::{BuildWatch, Built, ChangeSetName, Recovery, RecoveryPlan, Watched};
use lifeboat_deploy::{CloudFormation, Stacks, change_set_name, replication};
use lifeboat_describe::{Wanted, describe, look_up};
use lifeboat_format::Sha256;
use lifeboat_infrastructure::description::Missing;
use lifeboat_infrastructure::{Descriptions, Mentions, Mode, Prices, RecoveryFacts};
use lifeboat_jobs::BuildMode;
use lifeboat_model::{Diagnostic as _, EnvironmentId, Problem};
use lifeboat_store::ports::{Clock, Randomness};

/// Describes the AWS resources of the environment with the role of the function.
pub struct AwsResources {
    context: AwsContext,
    environment: EnvironmentId,
}

impl AwsResources {
    /// Creates a description of the environment of the context.
    #[must_use]
    pub fn new(context: AwsContext, environment: EnvironmentId) -> Self {
        Self { context, environment }
    }
}

#[async_trait]
impl DescribeResources for AwsResources {
    fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    async fn describe(
        &self,
        clusters: BTreeSet<String>,
        mentions: Mentions,
    ) -> Result<Descriptions, Missing> {
        let wanted = Wanted {
            account: self.environment.account.clone(),
            clusters,
            mentions,
        };
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        let found = Box::pin(describe(&self.context, &wanted)).await;
        found.map_err(|error| {
            tracing::warn!(error = %error.problem(), "the AWS resources are not described");
            error.missing()
        })
    }
}

/// Builds the recovery stacks of an application.
#[async_trait]
pub trait BuildStacks: Send + Sync {
    /// Builds the stacks, or goes on where an earlier build ended. Looks up the Availability Zones and Kubernetes versions of
    /// `facts`, and what exists for the stacks that adopt. `None` if stacks in use were to be brought to standby, and were not
    /// changed. If the hash of a plan is expected ([`RecoveryPlan::hash`]), nothing is changed by another plan. `watch` is told
    /// what the build is at.
    ///
    /// # Errors
    /// As [`Recovery::deploy`], or if AWS refuses a request.
    async fn build(
        &self,
        descriptions: &Descriptions,
        facts: RecoveryFacts,
        mode: BuildMode,
        expected_plan: Option<Sha256>,
        watch: &BuildWatch,
    ) -> Result<Option<Built>, Problem>;

    /// Ends the replication from these file systems of the primary, so that their replicas can be written to. What was ended
    /// before is left alone.
    ///
    /// # Errors
    /// If EFS refuses a request.
    async fn fail_over(&self, sources: Vec<String>) -> Result<(), Problem>;

    /// Returns what [`BuildStacks::build`] would do, without changing anything but change sets, which are deleted.
    ///
    /// # Errors
    /// As [`Recovery::plan`], or if AWS refuses a request.
    async fn plan(&self, descriptions: &Descriptions, facts: RecoveryFacts) -> Result<RecoveryPlan, Problem>;
}

/// Builds stacks with the role of the function.
pub struct AwsStacks {
    context: AwsContext,
    environment: EnvironmentId,
    boundaries: Vec<String>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Randomness>,
}

impl AwsStacks {
    /// Creates a builder for the environment of the context. Roles get one of `boundaries`, the only ones that the role of
    /// the function may set.
    #[must_use]
    pub fn new(
        context: AwsContext,
        environment: EnvironmentId,
        boundaries: Vec<String>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            context,
            environment,
            boundaries,
            clock,
            ids,
        }
    }

    /// Returns a name for a change set that no other has.
    fn change_set(&self) -> String {
        let mut random = [0; 3];
        self.ids.random(&mut random);
        change_set_name(self.clock.now(), random)
    }

    fn stacks(&self) -> CloudFormation {
        CloudFormation::new(&self.context, &self.environment).with_bucket()
    }

    /// Returns the recovery of the environment, with what is looked up there.
    async fn recovery<'a>(
        &self,
        stacks: &'a dyn Stacks,
        change_set: ChangeSetName<'a>,
        descriptions: &'a Descriptions,
        mut facts: RecoveryFacts,
    ) -> Result<Recovery<'a>, Problem> {
        facts.permissions_boundaries.clone_from(&self.boundaries);
        let unchecked = Box::pin(look_up(&self.context, descriptions, &mut facts)).await?;
        if let Some(problem) = unchecked {
            tracing::warn!(error = %problem, "the versions of clusters are not checked");
        }
        Ok(Recovery {
            stacks,
            descriptions,
            facts,
            change_set,
            tell: &log,
            expected_plan: None,
        })
    }
}

fn log(line: &str) {
    tracing::info!("{line}");
}

#[async_trait]
impl BuildStacks for AwsStacks {
    async fn build(
        &self,
        descriptions: &Descriptions,
        facts: RecoveryFacts,
        mode: BuildMode,
        expected_plan: Option<Sha256>,
        watch: &BuildWatch,
    ) -> Result<Option<Built>, Problem> {
        let (stacks, change_set) = (self.stacks(), || self.change_set());
        let watched = Watched {
            stacks: &stacks,
            watch,
        };
        let mut recovery = self.recovery(&watched, &change_set, descriptions, facts).await?;
        recovery.expected_plan = expected_plan;
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        match mode {
            BuildMode::Active => Box::pin(recovery.deploy(Mode::Active)).await.map(Some),
            BuildMode::Standby => Box::pin(recovery.refresh()).await,
        }
    }

    async fn fail_over(&self, sources: Vec<String>) -> Result<(), Problem> {
        for source in &sources {
            if Box::pin(replication::end(&self.context, source)).await? {
                tracing::info!(file_system = source, "the replication is ended");
            }
        }
        Ok(())
    }

    async fn plan(&self, descriptions: &Descriptions, facts: RecoveryFacts) -> Result<RecoveryPlan, Problem> {
        let (stacks, change_set) = (self.stacks(), || self.change_set());
        let mut recovery = self.recovery(&stacks, &change_set, descriptions, facts).await?;
        Box::pin(recovery.plan(Mode::Active, &Prices::built_in())).await
    }
}
