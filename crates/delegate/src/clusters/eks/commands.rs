//! The commands that mend what is missing, with real names filled in, ready to be pasted into a shell.

use lifeboat_aws::ClusterAddress;
use lifeboat_model::Arn;

/// The access policy that lets read everything, Secrets included, and write everything
/// (<https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html>). Of the policies of
/// EKS it alone covers custom resources and RBAC.
const ADMIN_POLICY: &str = "cluster-access-policy/AmazonEKSClusterAdminPolicy";

fn region(cluster: &Arn) -> String {
    cluster
        .region()
        .map_or_else(String::new, |region| region.to_string())
}

/// Lets the role into the cluster, in whichever way the cluster's authentication mode takes.
pub(super) fn let_in(address: &ClusterAddress, cluster: &Arn, role: &Arn) -> String {
    let (name, region, partition) = (&address.name, region(cluster), cluster.partition());
    if address.authentication.has_access_entries() {
        return format!(
            "aws eks create-access-entry --region {region} --cluster-name {name} --principal-arn {role} && \
             aws eks associate-access-policy --region {region} --cluster-name {name} --principal-arn {role} \
             --policy-arn arn:{partition}:eks::aws:{ADMIN_POLICY} --access-scope type=cluster"
        );
    }
    format!(
        "eksctl create iamidentitymapping --region {region} --cluster {name} --arn {role} \
         --username lifeboat --group system:masters --no-duplicate-arns"
    )
}

/// Opens the public endpoint to every address; who may enter is still the cluster's decision.
pub(super) fn open(address: &ClusterAddress, cluster: &Arn) -> String {
    format!(
        "aws eks update-cluster-config --region {} --name {} \
         --resources-vpc-config endpointPublicAccess=true,publicAccessCidrs=0.0.0.0/0",
        region(cluster),
        address.name
    )
}

/// Lets the role look at the cluster in EKS.
pub(super) fn describe(role: &Arn, cluster: &Arn) -> String {
    let role = role.resource().rsplit('/').next().unwrap_or_default();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"eks:DescribeCluster","Resource":"{cluster}"}}]}}"#
    );
    format!(
        "aws iam put-role-policy --role-name {role} --policy-name lifeboat-describe-cluster --policy-document '{policy}'"
    )
}
