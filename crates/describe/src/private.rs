//! The network that a private delegate is attached to.

use std::collections::BTreeSet;

use lifeboat_aws::reads::Reads;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_aws_ec2::Ec2;
use lifeboat_infrastructure::private_network::PrivateNetwork;
use lifeboat_model::{EnvironmentId, Problem};

/// Reads the VPC of a cluster, and returns what keeps a function in these subnets and this security group from Amazon S3
/// ([`PrivateNetwork::obstacles`]). `None` if a part of the VPC may not be read: then nothing can be said.
///
/// # Errors
/// If EC2 throttles or does not answer.
pub async fn private_network_obstacles(
    context: &AwsContext,
    environment: &EnvironmentId,
    vpc: &str,
    subnets: &[String],
    group: &str,
) -> Result<Option<Vec<Problem>>, AwsError> {
    let reads = Reads::new();
    let vpcs = BTreeSet::from([vpc.to_owned()]);
    let network = Ec2::new(context).network(&reads, &vpcs, &BTreeSet::new()).await?;
    let Some(vpc) = network.vpcs.first().filter(|_| reads.refused().is_empty()) else {
        return Ok(None);
    };
    let private = PrivateNetwork {
        environment,
        vpc,
        subnets,
        group,
        all_subnets: &network.subnets,
        route_tables: &network.route_tables,
        network_acls: &network.network_acls,
        security_groups: &network.security_groups,
        vpc_endpoints: &network.vpc_endpoints,
    };
    Ok(Some(private.obstacles()))
}
