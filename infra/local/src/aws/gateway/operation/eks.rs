//! EKS identifies an operation by method and path.

use http::request::Parts;

use super::{Need, segments};
use crate::aws::gateway::wire::parameter;

/// An operation and, where the path contains it, the name of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) cluster: Option<String>,
    /// The principal of an access entry, if the path contains one.
    pub(crate) principal: Option<String>,
}

/// Returns the operation of a request to EKS.
pub(crate) fn operation(parts: &Parts) -> Operation {
    let segments = segments(parts.uri.path());
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let name = match (parts.method.as_str(), path.as_slice()) {
        ("POST", ["clusters"]) => "CreateCluster",
        ("GET", ["clusters"]) => "ListClusters",
        ("GET", ["clusters", _]) => "DescribeCluster",
        ("DELETE", ["clusters", _]) => "DeleteCluster",
        ("POST", ["clusters", _, "update-config"]) => "UpdateClusterConfig",
        ("POST", ["clusters", _, "updates"]) => "UpdateClusterVersion",
        ("GET", ["clusters", _, "updates"]) => "ListUpdates",
        ("GET", ["clusters", _, "updates", _]) => "DescribeUpdate",
        ("POST", ["clusters", _, "access-entries"]) => "CreateAccessEntry",
        ("GET", ["clusters", _, "access-entries"]) => "ListAccessEntries",
        ("GET", ["clusters", _, "access-entries", _]) => "DescribeAccessEntry",
        ("POST", ["clusters", _, "access-entries", _]) => "UpdateAccessEntry",
        ("DELETE", ["clusters", _, "access-entries", _]) => "DeleteAccessEntry",
        ("POST", ["clusters", _, "access-entries", _, "access-policies"]) => "AssociateAccessPolicy",
        ("GET", ["clusters", _, "access-entries", _, "access-policies"]) => "ListAssociatedAccessPolicies",
        ("DELETE", ["clusters", _, "access-entries", _, "access-policies", _]) => "DisassociateAccessPolicy",
        ("GET", ["access-policies"]) => "ListAccessPolicies",
        ("POST", ["clusters", _, "node-groups"]) => "CreateNodegroup",
        ("GET", ["clusters", _, "node-groups"]) => "ListNodegroups",
        ("GET", ["clusters", _, "node-groups", _]) => "DescribeNodegroup",
        ("DELETE", ["clusters", _, "node-groups", _]) => "DeleteNodegroup",
        ("POST", ["clusters", _, "node-groups", _, "update-config"]) => "UpdateNodegroupConfig",
        ("POST", ["clusters", _, "node-groups", _, "update-version"]) => "UpdateNodegroupVersion",
        ("POST", ["clusters", _, "fargate-profiles"]) => "CreateFargateProfile",
        ("GET", ["clusters", _, "fargate-profiles"]) => "ListFargateProfiles",
        ("GET", ["clusters", _, "fargate-profiles", _]) => "DescribeFargateProfile",
        ("DELETE", ["clusters", _, "fargate-profiles", _]) => "DeleteFargateProfile",
        ("POST", ["clusters", _, "addons"]) => "CreateAddon",
        ("GET", ["clusters", _, "addons"]) => "ListAddons",
        ("GET", ["clusters", _, "addons", _]) => "DescribeAddon",
        ("DELETE", ["clusters", _, "addons", _]) => "DeleteAddon",
        ("GET", ["cluster-versions"]) => "DescribeClusterVersions",
        ("POST", ["clusters", _, "pod-identity-associations"]) => "CreatePodIdentityAssociation",
        ("GET", ["clusters", _, "pod-identity-associations"]) => "ListPodIdentityAssociations",
        ("GET", ["clusters", _, "pod-identity-associations", _]) => "DescribePodIdentityAssociation",
        ("POST", ["clusters", _, "pod-identity-associations", _]) => "UpdatePodIdentityAssociation",
        ("DELETE", ["clusters", _, "pod-identity-associations", _]) => "DeletePodIdentityAssociation",
        ("GET", ["clusters", _, "identity-provider-configs"]) => "ListIdentityProviderConfigs",
        ("POST", ["clusters", _, "identity-provider-configs", "associate"]) => {
            "AssociateIdentityProviderConfig"
        }
        ("POST", ["clusters", _, "identity-provider-configs", "describe"]) => {
            "DescribeIdentityProviderConfig"
        }
        ("POST", ["clusters", _, "identity-provider-configs", "disassociate"]) => {
            "DisassociateIdentityProviderConfig"
        }
        ("POST", ["cluster-registrations"]) => "RegisterCluster",
        ("GET", ["tags", _]) => "ListTagsForResource",
        ("POST", ["tags", _]) => "TagResource",
        ("DELETE", ["tags", _]) => "UntagResource",
        _ => "Unknown",
    };
    let in_cluster = path.first() == Some(&"clusters");
    Operation {
        name,
        cluster: path.get(1).filter(|_| in_cluster).map(|&name| name.to_owned()),
        principal: path
            .get(3)
            .filter(|_| in_cluster && path.get(2) == Some(&"access-entries"))
            .map(|&principal| principal.to_owned()),
    }
}

pub(super) fn need(region: &str, account: &str, parts: &Parts) -> Need {
    let operation = operation(parts);
    let resource = match &operation.cluster {
        Some(name) => format!("arn:aws:eks:{region}:{account}:cluster/{name}"),
        // Operations on tags name the resource by ARN; operations that list everything have no resource.
        None => segments(parts.uri.path())
            .into_iter()
            .find(|segment| segment.starts_with("arn:"))
            .or_else(|| parameter(parts.uri.query().unwrap_or_default(), "resourceArn"))
            .unwrap_or_else(|| "*".to_owned()),
    };
    Need::new(&format!("eks:{}", operation.name), resource)
}
