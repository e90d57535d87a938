//! The AWS resources that the clusters of the primary side stand on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lifeboat_aws::AwsContext;
use lifeboat_capture::infrastructure::DescribeResources;
use lifeboat_describe::{Wanted, describe};
use lifeboat_infrastructure::description::Missing;
use lifeboat_infrastructure::{Descriptions, Mentions};
use lifeboat_model::{Diagnostic as _, EnvironmentId};

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
