//! The resources that are described, by type and identifier.

use super::{Descriptions, Missing};

/// A resource that is described.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// The type as CloudFormation names it.
    pub r#type: &'static str,
    /// The ARN, or the id of a resource of EC2.
    pub id: String,
}

impl Descriptions {
    /// Returns the resources that are described, sorted.
    #[must_use]
    pub fn resources(&self) -> Vec<Resource> {
        let mut all = Vec::new();
        let mut add = |r#type: &'static str, ids: Vec<&String>| {
            all.extend(ids.into_iter().map(|id| Resource {
                r#type,
                id: id.clone(),
            }));
        };
        let clusters = || self.clusters.iter();
        add("AWS::EKS::Cluster", clusters().map(|one| &one.arn).collect());
        let groups = clusters().flat_map(|one| &one.nodegroups);
        add(
            "AWS::EKS::Nodegroup",
            groups.filter_map(|one| one.nodegroup_arn.as_ref()).collect(),
        );
        let profiles = clusters().flat_map(|one| &one.fargate_profiles);
        add(
            "AWS::EKS::FargateProfile",
            profiles
                .filter_map(|one| one.fargate_profile_arn.as_ref())
                .collect(),
        );
        let addons = clusters().flat_map(|one| &one.addons);
        add(
            "AWS::EKS::Addon",
            addons.filter_map(|one| one.addon_arn.as_ref()).collect(),
        );
        let associations = clusters().flat_map(|one| &one.pod_identity_associations);
        add(
            "AWS::EKS::PodIdentityAssociation",
            associations
                .filter_map(|one| one.association_arn.as_ref())
                .collect(),
        );
        let templates = self.launch_templates.iter();
        add(
            "AWS::EC2::LaunchTemplate",
            templates.map(|one| &one.launch_template_id).collect(),
        );
        add("AWS::EC2::VPC", self.vpcs.iter().map(|one| &one.vpc_id).collect());
        add(
            "AWS::EC2::Subnet",
            self.subnets.iter().map(|one| &one.subnet_id).collect(),
        );
        let tables = self.route_tables.iter();
        add(
            "AWS::EC2::RouteTable",
            tables.map(|one| &one.route_table_id).collect(),
        );
        let gateways = self.internet_gateways.iter();
        add(
            "AWS::EC2::InternetGateway",
            gateways.map(|one| &one.internet_gateway_id).collect(),
        );
        let gateways = self.egress_only_internet_gateways.iter();
        add(
            "AWS::EC2::EgressOnlyInternetGateway",
            gateways.map(|one| &one.egress_only_internet_gateway_id).collect(),
        );
        let gateways = self.nat_gateways.iter();
        add(
            "AWS::EC2::NatGateway",
            gateways.map(|one| &one.nat_gateway_id).collect(),
        );
        let acls = self.network_acls.iter();
        add(
            "AWS::EC2::NetworkAcl",
            acls.map(|one| &one.network_acl_id).collect(),
        );
        let groups = self.security_groups.iter();
        add(
            "AWS::EC2::SecurityGroup",
            groups.map(|one| &one.group_id).collect(),
        );
        let endpoints = self.vpc_endpoints.iter();
        add(
            "AWS::EC2::VPCEndpoint",
            endpoints.map(|one| &one.vpc_endpoint_id).collect(),
        );
        let lists = self.prefix_lists.iter();
        add(
            "AWS::EC2::PrefixList",
            lists.map(|one| &one.prefix_list_id).collect(),
        );
        add("AWS::IAM::Role", self.roles.iter().map(|one| &one.arn).collect());
        add(
            "AWS::IAM::ManagedPolicy",
            self.policies.iter().map(|one| &one.arn).collect(),
        );
        let profiles = self.instance_profiles.iter();
        add(
            "AWS::IAM::InstanceProfile",
            profiles.map(|one| &one.arn).collect(),
        );
        let providers = self.oidc_providers.iter();
        add("AWS::IAM::OIDCProvider", providers.map(|one| &one.arn).collect());
        let repositories = self.repositories.iter();
        add(
            "AWS::ECR::Repository",
            repositories.map(|one| &one.repository_arn).collect(),
        );
        let systems = self.file_systems.iter();
        add(
            "AWS::EFS::FileSystem",
            systems.clone().map(|one| &one.file_system_id).collect(),
        );
        let points = systems.flat_map(|one| &one.access_points);
        add(
            "AWS::EFS::AccessPoint",
            points.map(|one| &one.access_point_id).collect(),
        );
        add("AWS::KMS::Key", self.keys.iter().map(|one| &one.arn).collect());
        let certificates = self.certificates.iter();
        add(
            "AWS::CertificateManager::Certificate",
            certificates.map(|one| &one.certificate_arn).collect(),
        );
        let groups = self.target_groups.iter();
        add(
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            groups.map(|one| &one.target_group_arn).collect(),
        );
        add(
            "AWS::WAFv2::WebACL",
            self.web_acls.iter().map(|one| &one.arn).collect(),
        );
        add(
            "AWS::EC2::Volume",
            self.volumes.iter().map(|one| &one.volume_id).collect(),
        );
        all.sort();
        all
    }
}

impl Missing {
    /// Returns whether AWS has no such resource, so that nobody could have described it: the role of an annotation that
    /// was deleted.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        // `NoSuchEntity` is IAM's. Others are called `NotFound`, `ResourceNotFoundException`, `FileSystemNotFound`, or
        // `InvalidLaunchTemplateId.NotFound`.
        self.code == "NoSuchEntity" || self.code.contains("NotFound")
    }
}
