//! The recovery environment, as far as its stacks depend on it.

use lifeboat_aws::{AwsContext, EksClusters};
use lifeboat_aws_ec2::Ec2;
use lifeboat_infrastructure::{Descriptions, RecoveryFacts};
use lifeboat_model::Problem;

use crate::candidates;

/// Looks up what the stacks of a recovery are generated from, in the account and Region of the context: the Availability
/// Zones, the Kubernetes versions of new clusters, and the [`candidates`].
///
/// A recovery does not fail for want of the versions: if they cannot be read, none is checked, CloudFormation refuses one
/// that EKS does not offer, and the reason is returned to be shown.
///
/// # Errors
/// If a service refuses another call or does not answer.
pub async fn look_up(
    context: &AwsContext,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
) -> Result<Option<Problem>, Problem> {
    let zones = Box::pin(Ec2::new(context).zones()).await;
    facts.zones = zones.map_err(|error| context.problem("list the Availability Zones", &error))?;
    let unchecked = match Box::pin(EksClusters::new(context).versions()).await {
        Ok(versions) => {
            facts.kubernetes_versions = versions;
            None
        }
        Err(error) => {
            let doing = "list the Kubernetes versions of EKS, so that those of the clusters are not checked";
            Some(context.problem(doing, &error))
        }
    };
    let found = Box::pin(candidates(context, descriptions, facts)).await;
    let doing = "look up what exists in the recovery environment";
    found.map_err(|error| context.problem(doing, &error))?;
    Ok(unchecked)
}
