//! The network of a private delegate: its VPC, read from outside, and what the function observes inside.

use lifeboat_aws::names::{private_function, private_role};
use lifeboat_aws::reads::Reads;
use lifeboat_aws::{AwsContext, AwsError, FunctionAnswer, LambdaFunction};
use lifeboat_aws_ec2::Ec2;
use lifeboat_infrastructure::private_network::{NetworkView, PrivateNetwork, diagnose};
use lifeboat_jobs::network::observations;
use lifeboat_jobs::{NetworkCheck, PrivateEndpoint};
use lifeboat_model::network::{NetworkCause, NetworkObservations};
use lifeboat_model::{ApplicationName, ClusterName, EnvironmentId, Side};

/// The function of the private delegate of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct PrivateFunction<'a> {
    /// The application.
    pub application: &'a ApplicationName,
    /// The side.
    pub side: Side,
    /// The name of the cluster in EKS.
    pub cluster: &'a ClusterName,
    /// The path of the function's role, `/` or `/…/`.
    pub role_path: &'a str,
}

/// What was seen of the network of a private delegate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NetworkLook {
    /// What the function observes; none if it is not deployed, or does not answer.
    pub inside: Option<NetworkObservations>,
    /// What is seen of the VPC; none if it may not be read.
    pub outside: Option<NetworkView>,
    /// Why a part was not seen, for a log.
    pub unseen: Vec<String>,
}

impl NetworkLook {
    /// Returns what keeps the function from what it needs. Ids that do not have the form of AWS are left out: whoever reads the
    /// causes would not take them.
    #[must_use]
    pub fn causes(&self) -> Vec<NetworkCause> {
        let mut causes = diagnose(self.inside.as_ref(), self.outside.as_ref());
        causes.retain(NetworkCause::is_valid);
        causes
    }
}

impl PrivateFunction<'_> {
    /// Asks the function what it observes, and reads its VPC. What may not be read, or does not answer, is left out: nothing
    /// else must fail by it.
    pub async fn look(
        &self,
        context: &AwsContext,
        environment: &EnvironmentId,
        endpoint: &PrivateEndpoint,
    ) -> NetworkLook {
        let mut look = NetworkLook::default();
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        match Box::pin(self.view(context, environment, endpoint)).await {
            Ok(Some(view)) => look.outside = Some(view),
            Ok(None) => look
                .unseen
                .push(format!("the VPC {} may not be read", endpoint.vpc)),
            Err(error) => look.unseen.push(error.to_string()),
        }
        match Box::pin(self.ask(context, endpoint)).await {
            Ok(inside) => look.inside = inside,
            Err(unseen) => look.unseen.push(unseen),
        }
        look
    }

    /// Reads the VPC. `None` if a part of it may not be read: then nothing can be said.
    async fn view(
        &self,
        context: &AwsContext,
        environment: &EnvironmentId,
        endpoint: &PrivateEndpoint,
    ) -> Result<Option<NetworkView>, AwsError> {
        let (ec2, reads) = (Ec2::new(context), Reads::new());
        let network = ec2.ways(&reads, &endpoint.vpc).await?;
        let free = ec2.free_addresses(&reads, &endpoint.vpc).await?;
        let Some(vpc) = network.vpcs.first().filter(|_| reads.refused().is_empty()) else {
            return Ok(None);
        };
        let role = self.role(environment);
        let private = PrivateNetwork {
            environment,
            role: Some(&role),
            vpc,
            subnets: &endpoint.subnets,
            group: &endpoint.security_group,
            all_subnets: &network.subnets,
            free_addresses: &free,
            route_tables: &network.route_tables,
            network_acls: &network.network_acls,
            security_groups: &network.security_groups,
            vpc_endpoints: &network.vpc_endpoints,
        };
        Ok(Some(private.view()))
    }

    /// Returns the ARN of the function's role.
    fn role(&self, environment: &EnvironmentId) -> String {
        let (partition, account) = (environment.region.partition(), &environment.account);
        let name = private_role(self.application, self.side, self.cluster, &environment.region);
        format!("arn:{partition}:iam::{account}:role{}{name}", self.role_path)
    }

    /// Asks the function. `None` if it is not deployed.
    async fn ask(
        &self,
        context: &AwsContext,
        endpoint: &PrivateEndpoint,
    ) -> Result<Option<NetworkObservations>, String> {
        let name = private_function(self.application, self.cluster);
        // A function would refuse an endpoint that cannot be one.
        let api_server = Some(endpoint.endpoint.clone()).filter(|endpoint| endpoint.is_valid());
        let event = NetworkCheck { api_server }.event();
        let answer = LambdaFunction::new(context, name.as_str()).ask(&event).await;
        match answer.map_err(|error| error.to_string())? {
            FunctionAnswer::Absent => Ok(None),
            FunctionAnswer::Failed => Err(format!("the function {name} failed to check its network")),
            FunctionAnswer::Answered(answer) => match observations(&answer) {
                Some(inside) => Ok(Some(inside)),
                None => Err(format!("the function {name} does not tell what it observes")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_role_of_the_function_has_the_path_of_the_stack() {
        let delegate = PrivateFunction {
            application: &ApplicationName::parse("shop").unwrap(),
            side: Side::Recovery,
            cluster: &ClusterName::parse("orders").unwrap(),
            role_path: "/lifeboat/",
        };
        let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
        let role = delegate.role(&environment);
        let named =
            role.strip_prefix("arn:aws:iam::222222222222:role/lifeboat/LifeboatRecoveryK8sDel-shop-orders-");
        assert!(
            named.is_some_and(|rest| rest.ends_with("-eu-central-1")),
            "{role}"
        );
    }
}
