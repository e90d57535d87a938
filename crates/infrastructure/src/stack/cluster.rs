//! The stack of a cluster. Clusters and nodes cost by the hour: a stack that stands by does not exist.

use lifeboat_model::Code;
use serde_json::{Map, Value, json};

use super::network;
use crate::builder::Builder;
use crate::checks;
use crate::description::cluster::{AuthenticationMode, Cluster, IpFamily};
use crate::names;
use crate::stack::json;
use crate::template::{Resource, attribute, pascal_keys, reference};

mod access;
mod launch_template;
mod nodes;

/// The logical id of the cluster.
const CLUSTER: &str = "Cluster";

pub(super) fn build(builder: &mut Builder<'_, '_>, cluster: &Cluster) {
    if !builder.is_active() {
        return;
    }
    if cluster.outpost_config.is_some() {
        let what = "its control plane is on an Outpost";
        return builder
            .findings
            .error(Code::ClusterOnOutposts, &cluster.name, what);
    }
    checks::cluster(builder, cluster);
    let Some(version) = version(builder, cluster) else {
        return;
    };
    let Some(mut resource) = self::cluster(builder, cluster, &version) else {
        return;
    };
    if builder.context.is_primary {
        let without = without_property(cluster).into_iter();
        resource = without.fold(resource, |resource, (name, value)| {
            resource.with(&names::pascal(name), value)
        });
    }
    builder.add(CLUSTER, resource);
    outputs(builder);
    if let Some(group) = &cluster.resources_vpc_config.cluster_security_group_id {
        network::of_cluster(builder, group);
    }
    access::build(builder, cluster);
    if !builder.context.facts.hold_nodes {
        nodes::build(builder, cluster, &version);
    }
    not_kept(builder, cluster);
}

fn outputs(builder: &mut Builder<'_, '_>) {
    let without_scheme =
        |name| json!({ "Fn::Select": [1, { "Fn::Split": ["https://", attribute(CLUSTER, name)] }] });
    for (name, value) in [
        ("ClusterName", reference(CLUSTER)),
        ("ClusterArn", attribute(CLUSTER, "Arn")),
        (
            "ClusterSecurityGroup",
            attribute(CLUSTER, "ClusterSecurityGroupId"),
        ),
        (
            "CertificateAuthority",
            attribute(CLUSTER, "CertificateAuthorityData"),
        ),
        ("EndpointHost", without_scheme("Endpoint")),
        ("Issuer", without_scheme("OpenIdConnectIssuerUrl")),
    ] {
        builder.output(name, value);
    }
}

/// Returns the Kubernetes version that the cluster gets: its own, or the nearest that is offered if that is allowed.
fn version(builder: &mut Builder<'_, '_>, cluster: &Cluster) -> Option<String> {
    let facts = builder.context.facts;
    let own = cluster.version.as_str();
    let offered = &facts.kubernetes_versions;
    if offered.is_empty() || offered.iter().any(|version| version == own) {
        return Some(own.to_owned());
    }
    let number = |version: &str| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let mut known: Vec<_> = offered
        .iter()
        .filter_map(|version| Some((number(version)?, version)))
        .collect();
    known.sort();
    let wanted = number(own)?;
    // Upwards first: objects of an older version are served by a newer one more often than the other way round.
    let nearest = known
        .iter()
        .find(|(number, _)| *number > wanted)
        .or(known.last())?
        .1;
    let what = format!("EKS does not offer {own}; the nearest version is {nearest}");
    if facts.allow_nearest_version {
        builder
            .findings
            .warning(Code::VersionNotOffered, &cluster.name, what);
        return Some(nearest.clone());
    }
    builder
        .findings
        .error(Code::VersionNotOffered, &cluster.name, what);
    None
}

/// Returns how principals are let in. `CONFIG_MAP` was the only way before there was a choice.
///
/// A cluster with a private endpoint only is restored into by the delegate in its VPC. That delegate is not the creator of the
/// cluster, and nobody outside the VPC can add it to `aws-auth`, so it needs an access entry. EKS allows this change of the
/// mode, and `aws-auth` keeps its effect
/// (<https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html>).
fn authentication_mode(cluster: &Cluster) -> AuthenticationMode {
    match own_authentication_mode(cluster) {
        AuthenticationMode::ConfigMap if !cluster.resources_vpc_config.endpoint_public_access => {
            AuthenticationMode::ApiAndConfigMap
        }
        own => own,
    }
}

fn own_authentication_mode(cluster: &Cluster) -> AuthenticationMode {
    let mode = cluster
        .access_config
        .as_ref()
        .and_then(|config| config.authentication_mode);
    mode.unwrap_or(AuthenticationMode::ConfigMap)
}

fn cluster(builder: &mut Builder<'_, '_>, cluster: &Cluster, version: &str) -> Option<Resource> {
    let name = cluster.name.as_str();
    let role = builder.role(name, &cluster.role_arn);
    let Some(role) = role else {
        let what = format!("its role {} has no counterpart", cluster.role_arn);
        builder.findings.error(Code::DescriptionMissing, name, what);
        return None;
    };
    let network = &cluster.resources_vpc_config;
    let mut vpc = Map::new();
    vpc.insert(
        "SubnetIds".to_owned(),
        builder.all(name, &network.subnet_ids).into(),
    );
    let chosen = checks::choosable(builder, name, &network.security_group_ids);
    let groups = builder.all(name, &chosen);
    if !groups.is_empty() {
        vpc.insert("SecurityGroupIds".to_owned(), groups.into());
    }
    vpc.insert(
        "EndpointPublicAccess".to_owned(),
        network.endpoint_public_access.into(),
    );
    vpc.insert(
        "EndpointPrivateAccess".to_owned(),
        network.endpoint_private_access.into(),
    );
    if network.endpoint_public_access && !network.public_access_cidrs.is_empty() {
        vpc.insert("PublicAccessCidrs".to_owned(), json!(network.public_access_cidrs));
    }
    let mode = authentication_mode(cluster);
    if mode != own_authentication_mode(cluster) {
        let what = "its authentication mode becomes API_AND_CONFIG_MAP: without an access entry, the delegate in the VPC of a private cluster could not restore into it";
        let remedy = "nothing: principals in aws-auth keep their access";
        builder
            .findings
            .warning_with(Code::PropertyNotKept, name, what, remedy);
    }
    // In the other modes the stack holds the entry of its creator, which EKS would make a second time.
    let by_creator = cluster
        .access_config
        .as_ref()
        .filter(|_| builder.context.is_primary);
    let by_creator = by_creator.and_then(|config| config.bootstrap_cluster_creator_admin_permissions);
    let by_creator = by_creator.unwrap_or(mode == AuthenticationMode::ConfigMap);
    let access = json!({"AuthenticationMode": mode, "BootstrapClusterCreatorAdminPermissions": by_creator});
    let resource = Resource::new("AWS::EKS::Cluster")
        .with(
            "Name",
            json!(
                builder
                    .context
                    .facts
                    .cluster_names
                    .get(name)
                    .map_or(name, |name| name)
            ),
        )
        .with("Version", json!(version))
        .with("RoleArn", role)
        .with("ResourcesVpcConfig", vpc)
        .with("AccessConfig", access)
        // The objects of the add-ons come from the recovery point, or from add-ons of EKS.
        .with("BootstrapSelfManagedAddons", false)
        .with("KubernetesNetworkConfig", addresses(cluster))
        .with("Logging", logging(cluster))
        .with("EncryptionConfig", encryption(builder, cluster))
        .with("UpgradePolicy", pascal_keys(json(&cluster.upgrade_policy)))
        .with("ZonalShiftConfig", pascal_keys(json(&cluster.zonal_shift_config)))
        .with("DeletionProtection", json(&cluster.deletion_protection))
        .with(
            "ControlPlaneScalingConfig",
            pascal_keys(json(&cluster.control_plane_scaling_config)),
        )
        .with(
            "RemoteNetworkConfig",
            pascal_keys(json(&cluster.remote_network_config)),
        )
        .with("ComputeConfig", compute(builder, cluster))
        .with("StorageConfig", pascal_keys(json(&cluster.storage_config)))
        .with("Tags", builder.tag_list(&cluster.tags));
    Some(resource)
}

fn addresses(cluster: &Cluster) -> Value {
    let Some(config) = &cluster.kubernetes_network_config else {
        return Value::Null;
    };
    let mut out = Map::new();
    // EKS assigns the range of a cluster with IPv6.
    if config.ip_family != Some(IpFamily::Ipv6)
        && let Some(range) = &config.service_ipv4_cidr
    {
        out.insert("ServiceIpv4Cidr".to_owned(), json!(range));
    }
    if let Some(family) = &config.ip_family {
        out.insert("IpFamily".to_owned(), json!(family));
    }
    if let Some(enabled) = config
        .elastic_load_balancing
        .as_ref()
        .and_then(|balancing| balancing.enabled)
    {
        out.insert("ElasticLoadBalancing".to_owned(), json!({ "Enabled": enabled }));
    }
    Value::Object(out)
}

fn logging(cluster: &Cluster) -> Value {
    let setups = cluster
        .logging
        .iter()
        .flat_map(|logging| &logging.cluster_logging);
    let enabled = setups
        .filter(|setup| setup.enabled == Some(true))
        .flat_map(|setup| &setup.types);
    let types: Vec<Value> = enabled.map(|log| json!({ "Type": log })).collect();
    if types.is_empty() {
        return Value::Null;
    }
    json!({"ClusterLogging": {"EnabledTypes": types}})
}

fn encryption(builder: &mut Builder<'_, '_>, cluster: &Cluster) -> Vec<Value> {
    let mut out = Vec::new();
    for config in &cluster.encryption_config {
        let key = config
            .provider
            .as_ref()
            .and_then(|provider| provider.key_arn.as_deref());
        if let Some(key) = key.and_then(|key| builder.key(&cluster.name, key)) {
            out.push(json!({"Resources": config.resources, "Provider": {"KeyArn": key}}));
        } else {
            let what = "the key that encrypts its Secrets has no counterpart";
            builder
                .findings
                .error(Code::CounterpartUnknown, &cluster.name, what);
        }
    }
    out
}

fn compute(builder: &mut Builder<'_, '_>, cluster: &Cluster) -> Value {
    let Some(config) = &cluster.compute_config else {
        return Value::Null;
    };
    let mut out = Map::new();
    if let Some(enabled) = config.enabled {
        out.insert("Enabled".to_owned(), json!(enabled));
    }
    if config.enabled == Some(true) {
        out.insert("NodePools".to_owned(), json!(config.node_pools));
        let role = config.node_role_arn.as_deref();
        if let Some(role) = role.and_then(|role| builder.role(&cluster.name, role)) {
            out.insert("NodeRoleArn".to_owned(), role);
        }
    }
    Value::Object(out)
}

/// Finds properties that CloudFormation does not have.
fn not_kept(builder: &mut Builder<'_, '_>, cluster: &Cluster) {
    for (name, _) in without_property(cluster) {
        let what = format!("{name} is not kept: CloudFormation has no such property");
        builder
            .findings
            .warning(Code::PropertyNotKept, &cluster.name, what);
    }
}

/// Returns what CloudFormation has no property for, as far as it is not what AWS chooses.
fn without_property(cluster: &Cluster) -> Vec<(&'static str, Value)> {
    let gateway = cluster.kubernetes_network_config.as_ref();
    let gateway = gateway.and_then(|config| config.elastic_load_balancing.as_ref());
    let gateway = gateway.and_then(|balancing| balancing.gateway_api.as_ref());
    let all = [
        ("kubeApiServerConfig", json(&cluster.kube_api_server_config)),
        ("kubeSchedulerConfig", json(&cluster.kube_scheduler_config)),
        (
            "kubeControllerManagerConfig",
            json(&cluster.kube_controller_manager_config),
        ),
        ("elasticLoadBalancing.gatewayApi", json(&gateway)),
        (
            "controlPlaneEgressMode",
            json(&cluster.resources_vpc_config.control_plane_egress_mode),
        ),
    ];
    let present = all
        .into_iter()
        .filter(|(_, value)| !value.is_null() && *value != json!("AWS_MANAGED"));
    present.collect()
}
