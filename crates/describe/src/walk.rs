//! The walk from clusters to all that they stand on.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use lifeboat_aws::reads::Reads;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_aws_ec2::{Ec2, LaunchTemplateVersion};
use lifeboat_infrastructure::Descriptions;
use lifeboat_infrastructure::description::Missing;
use lifeboat_infrastructure::description::cluster::Cluster;
use lifeboat_infrastructure::description::data::{Bucket, Secret, Snapshot};
use lifeboat_infrastructure::description::iam::permission_set;
use lifeboat_infrastructure::description::load_balancing::WebAcl;
use lifeboat_infrastructure::description::storage::Image;
use serde_json::Value;

use crate::acm::Acm;
use crate::ecr::Ecr;
use crate::efs::Efs;
use crate::eks::Eks;
use crate::elb::Elb;
use crate::iam::{Iam, federated};
use crate::kms::Kms;
use crate::parallel::each;
use crate::place::Place;
use crate::{DescribeError, Wanted};

/// The version of a launch template that a node group names without a version.
const DEFAULT_VERSION: &str = "$Default";

/// Reads the AWS resources that clusters stand on, in the account and Region of the context.
///
/// What may not be read, or does not exist, is in [`Descriptions::missing`].
///
/// # Errors
/// [`DescribeError`] if a service throttles or does not answer, after the retries of the SDK, or if the credentials are
/// missing or not valid.
pub async fn describe(context: &AwsContext, wanted: &Wanted) -> Result<Descriptions, DescribeError> {
    let reads = Reads::new();
    let place = Place {
        account: wanted.account.clone(),
        region: context.region().clone(),
    };
    let walk = Walk {
        context,
        wanted,
        reads: &reads,
        place: &place,
    };
    let mut out = walk.all().await?;
    let missing = reads.refused().into_iter().map(|refusal| Missing {
        resource: refusal.resource,
        call: refusal.call.to_owned(),
        code: refusal.code,
    });
    out.missing = missing.collect();
    Ok(out)
}

struct Walk<'a> {
    context: &'a AwsContext,
    wanted: &'a Wanted,
    reads: &'a Reads,
    place: &'a Place,
}

impl Walk<'_> {
    async fn all(&self) -> Result<Descriptions, AwsError> {
        let mut out = Descriptions::new(self.place.account.clone(), self.place.region.clone());
        self.clusters(&mut out).await?;
        self.network(&mut out).await?;
        self.identities(&mut out).await?;
        self.load_balancing(&mut out).await?;
        self.storage(&mut out).await?;
        self.permission_sets(&mut out).await?;
        Ok(out)
    }

    async fn clusters(&self, out: &mut Descriptions) -> Result<(), AwsError> {
        let eks = Eks::new(self.context, self.reads, self.place);
        let names = self.wanted.clusters.iter();
        out.clusters = each(names, |name| eks.cluster(name).boxed()).await?;
        Ok(())
    }

    async fn network(&self, out: &mut Descriptions) -> Result<(), AwsError> {
        let ec2 = Ec2::new(self.context);
        out.launch_templates = ec2
            .launch_templates(self.reads, &launch_templates(&out.clusters))
            .await?;
        let vpcs = out.clusters.iter();
        let vpcs = vpcs.filter_map(|cluster| cluster.resources_vpc_config.vpc_id.clone());
        let network = ec2
            .network(self.reads, &vpcs.collect(), &self.subnets(&out.clusters))
            .await?;
        out.vpcs = network.vpcs;
        out.subnets = network.subnets;
        out.route_tables = network.route_tables;
        out.internet_gateways = network.internet_gateways;
        out.egress_only_internet_gateways = network.egress_only_internet_gateways;
        out.nat_gateways = network.nat_gateways;
        out.network_acls = network.network_acls;
        out.security_groups = network.security_groups;
        out.vpc_endpoints = network.vpc_endpoints;
        out.prefix_lists = network.prefix_lists;
        // What they select is in the VPC of the cluster, of which all is described.
        let mentions = &self.wanted.mentions;
        out.subnet_filters = mentions.subnet_filters.iter().cloned().collect();
        out.security_group_filters = mentions.security_group_filters.iter().cloned().collect();
        Ok(())
    }

    /// Returns the subnets that clusters, node groups, Fargate profiles and load balancers name.
    fn subnets(&self, clusters: &[Cluster]) -> BTreeSet<String> {
        let mut all = subnets(clusters);
        all.extend(self.wanted.mentions.subnets.iter().cloned());
        all
    }

    /// What load balancers use. Web ACLs are known by their ARNs: no stack builds them.
    async fn load_balancing(&self, out: &mut Descriptions) -> Result<(), AwsError> {
        let mentions = &self.wanted.mentions;
        let acm = Acm::new(self.context, self.reads, self.place);
        out.certificates = acm.certificates(&mentions.certificates).await?;
        let elb = Elb::new(self.context, self.reads, self.place);
        out.target_groups = elb.target_groups(&mentions.target_groups).await?;
        let acls = mentions.web_acls.iter();
        let acls = acls.filter(|arn| self.place.has("wafv2", arn));
        out.web_acls = acls.filter_map(|arn| WebAcl::of_arn(arn)).collect();
        Ok(())
    }

    async fn identities(&self, out: &mut Descriptions) -> Result<(), AwsError> {
        let iam = Iam::new(self.context, self.reads, self.place);
        let mentions = &self.wanted.mentions;
        let arns = out.clusters.iter().flat_map(roles);
        let arns = arns.chain(mentions.role_arns.iter().map(String::as_str));
        let names = arns.filter_map(|arn| self.place.role_name(arn));
        let mut names: BTreeSet<String> = names.map(str::to_owned).collect();
        names.extend(mentions.role_names.iter().cloned());
        let found = iam.roles(names).await?;
        let mut profiles = BTreeSet::new();
        for one in found {
            profiles.extend(one.instance_profiles);
            out.roles.push(one.role);
        }
        out.instance_profiles = iam.instance_profiles(profiles).await?;
        // The policies of a role that AWS makes come with it.
        let made = out.roles.iter().filter(|role| !role.is_reserved());
        let policies = made.flat_map(|role| {
            let boundary = role.permissions_boundary.iter();
            role.attached_policies.iter().chain(boundary).cloned()
        });
        out.policies = iam.policies(policies.collect()).await?;
        let issuers = out.clusters.iter().filter_map(issuer);
        let mut providers: BTreeSet<String> = issuers
            .map(|issuer| self.place.iam(&format!("oidc-provider/{issuer}")))
            .collect();
        let trusts = out.roles.iter().map(|role| &role.assume_role_policy_document.0);
        let named = trusts.flat_map(federated);
        providers.extend(named.filter(|arn| self.place.iam_resource(arn).is_some()));
        out.oidc_providers = iam.oidc_providers(providers).await?;
        Ok(())
    }

    /// Reads the roles of IAM Identity Center that policies name: trust policies, those of keys, repositories, file systems.
    async fn permission_sets(&self, out: &mut Descriptions) -> Result<(), AwsError> {
        let known: BTreeSet<&str> = out.roles.iter().map(|role| role.role_name.as_str()).collect();
        let mut names = BTreeSet::new();
        each_text(&serde_json::json!(out), &mut |text| {
            for word in text.split(|c: char| c.is_whitespace() || "\"',;()[]{}".contains(c)) {
                let name = self
                    .place
                    .role_name(word)
                    .filter(|name| permission_set(name).is_some());
                names.extend(name.filter(|name| !known.contains(name)).map(str::to_owned));
            }
        });
        let iam = Iam::new(self.context, self.reads, self.place);
        out.roles
            .extend(iam.roles(names).await?.into_iter().map(|found| found.role));
        out.roles.sort_by(|a, b| a.arn.cmp(&b.arn));
        Ok(())
    }

    async fn storage(&self, out: &mut Descriptions) -> Result<(), AwsError> {
        let mentions = &self.wanted.mentions;
        let images = mentions
            .ecr_images()
            .filter(|image| image.account == self.place.account && image.region == self.place.region);
        let images: BTreeSet<Image> = images.map(Image::from).collect();
        let ecr = Ecr::new(self.context, self.reads, self.place);
        let repositories = images.iter().map(|image| image.repository_name.clone());
        out.repositories = ecr.repositories(repositories.collect()).await?;
        if !images.is_empty() {
            out.registry = ecr.registry().await?;
        }
        out.images = images.into_iter().collect();
        let efs = Efs::new(self.context, self.reads, self.place);
        out.file_systems = efs
            .file_systems(&mentions.file_systems, &mentions.access_points)
            .await?;
        let ec2 = Ec2::new(self.context);
        out.volumes = ec2.volumes(self.reads, &mentions.volumes).await?;
        let snapshots = mentions.snapshots.iter().cloned();
        out.snapshots = snapshots.map(|snapshot_id| Snapshot { snapshot_id }).collect();
        out.buckets = (mentions.buckets.iter().cloned())
            .map(|name| Bucket { name })
            .collect();
        let is_own = |arn: &&String| self.place.has("secretsmanager", arn) || self.place.has("ssm", arn);
        let secrets = mentions.secrets.iter().filter(is_own).cloned();
        out.secrets = secrets.map(|arn| Secret { arn }).collect();
        let kms = Kms::new(self.context, self.reads, self.place);
        out.keys = kms.keys(keys(out)).await?;
        Ok(())
    }
}

/// Calls `visit` for each text in a value.
fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(fields) => fields.values().for_each(|value| each_text(value, visit)),
        _ => {}
    }
}

/// Returns the versions of launch templates that node groups use.
fn launch_templates(clusters: &[Cluster]) -> BTreeSet<LaunchTemplateVersion> {
    let groups = clusters.iter().flat_map(|cluster| &cluster.nodegroups);
    let named = groups.filter_map(|group| group.launch_template.as_ref());
    let versions = named.filter_map(|named| {
        let version = named.version.as_deref().unwrap_or(DEFAULT_VERSION);
        Some(LaunchTemplateVersion {
            id: named.id.clone()?,
            version: version.to_owned(),
        })
    });
    versions.collect()
}

/// Returns the subnets that clusters, node groups and Fargate profiles name.
fn subnets(clusters: &[Cluster]) -> BTreeSet<String> {
    let of = |cluster: &Cluster| {
        let own = cluster.resources_vpc_config.subnet_ids.iter();
        let groups = cluster.nodegroups.iter().flat_map(|group| &group.subnets);
        let profiles = cluster.fargate_profiles.iter();
        let profiles = profiles.flat_map(|profile| &profile.subnets);
        let all: Vec<String> = own.chain(groups).chain(profiles).cloned().collect();
        all
    };
    clusters.iter().flat_map(of).collect()
}

/// Returns the ARNs of the roles that a cluster and what belongs to it name. Access entries may also name users.
fn roles(cluster: &Cluster) -> Vec<&str> {
    let auto = cluster.compute_config.as_ref();
    let auto = auto.and_then(|config| config.node_role_arn.as_deref());
    let groups = cluster.nodegroups.iter();
    let profiles = cluster.fargate_profiles.iter();
    let addons = cluster.addons.iter();
    let entries = cluster.access_entries.iter();
    let associations = cluster.pod_identity_associations.iter();
    let associated = associations.clone();
    std::iter::once(cluster.role_arn.as_str())
        .chain(auto)
        .chain(groups.map(|group| group.node_role.as_str()))
        .chain(profiles.map(|profile| profile.pod_execution_role_arn.as_str()))
        .chain(addons.filter_map(|addon| addon.service_account_role_arn.as_deref()))
        .chain(entries.map(|entry| entry.principal_arn.as_str()))
        .chain(associations.map(|association| association.role_arn.as_str()))
        .chain(associated.filter_map(|association| association.target_role_arn.as_deref()))
        .collect()
}

/// Returns the issuer of a cluster as the ARN of its provider has it, without scheme.
fn issuer(cluster: &Cluster) -> Option<&str> {
    let oidc = cluster.identity.as_ref()?.oidc.as_ref()?;
    oidc.issuer.as_deref()?.strip_prefix("https://")
}

/// Returns the keys that clusters, volumes, repositories and file systems are encrypted with.
fn keys(all: &Descriptions) -> BTreeSet<String> {
    let clusters = all.clusters.iter();
    let clusters = clusters.flat_map(|cluster| &cluster.encryption_config);
    let clusters = clusters.filter_map(|config| config.provider.as_ref()?.key_arn.as_ref());
    let templates = all.launch_templates.iter();
    let volumes = templates.flat_map(|template| &template.launch_template_data.block_device_mappings);
    let volumes = volumes.filter_map(|volume| volume.ebs.as_ref()?.kms_key_id.as_ref());
    let repositories = all.repositories.iter();
    let repositories =
        repositories.filter_map(|repository| repository.encryption_configuration.as_ref()?.kms_key.as_ref());
    let systems = all.file_systems.iter();
    let systems = systems.filter_map(|system| system.kms_key_id.as_ref());
    let data = all.volumes.iter();
    let data = data.filter_map(|volume| volume.kms_key_id.as_ref());
    clusters
        .chain(volumes)
        .chain(repositories)
        .chain(systems)
        .chain(data)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
