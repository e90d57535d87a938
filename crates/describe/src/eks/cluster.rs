//! The cluster itself.

use aws_sdk_eks::types;
use lifeboat_aws::reads::{Answer, fields};
use lifeboat_infrastructure::description::cluster::{
    AccessConfig, Certificate, Cluster, ClusterIdentity, ComputeConfig, ControlPlaneScalingConfig,
    ElasticLoadBalancing, Enabled, EncryptionConfig, KubernetesNetworkConfig, LogSetup, Logging, Oidc,
    OutpostConfig, Provider, RemoteNetwork, RemoteNetworkConfig, StorageConfig, UpgradePolicy, VpcConfig,
};
use serde_json::Value;

use super::convert::{in_order, owned, sorted};

/// Converts a cluster. `None` if it has no version, role or network: a cluster of another platform that is only
/// registered in EKS.
pub(super) fn cluster(from: &types::Cluster, answer: Answer<'_>) -> Option<Cluster> {
    Some(Cluster {
        name: from.name()?.to_owned(),
        arn: from.arn()?.to_owned(),
        version: from.version()?.to_owned(),
        role_arn: from.role_arn()?.to_owned(),
        endpoint: owned(from.endpoint()),
        certificate_authority: from
            .certificate_authority()
            .and_then(|authority| authority.data())
            .map(|data| Certificate {
                data: data.to_owned(),
            }),
        resources_vpc_config: vpc_config(from.resources_vpc_config()?, answer),
        kubernetes_network_config: from
            .kubernetes_network_config()
            .map(|config| network_config(config, answer)),
        logging: from.logging().map(|logging| self::logging(logging, answer)),
        identity: from.identity().map(|identity| ClusterIdentity {
            oidc: identity.oidc().map(|oidc| Oidc {
                issuer: owned(oidc.issuer()),
            }),
        }),
        encryption_config: from.encryption_config().iter().map(encryption).collect(),
        outpost_config: from.outpost_config().map(outpost),
        access_config: from.access_config().map(|config| AccessConfig {
            authentication_mode: config
                .authentication_mode()
                .and_then(|mode| answer.spelled(mode.as_str())),
            bootstrap_cluster_creator_admin_permissions: config.bootstrap_cluster_creator_admin_permissions(),
        }),
        upgrade_policy: from.upgrade_policy().map(|policy| UpgradePolicy {
            support_type: policy
                .support_type()
                .and_then(|kind| answer.spelled(kind.as_str())),
        }),
        zonal_shift_config: from.zonal_shift_config().map(|config| Enabled {
            enabled: config.enabled(),
        }),
        remote_network_config: from.remote_network_config().map(remote_networks),
        compute_config: from.compute_config().map(|config| ComputeConfig {
            enabled: config.enabled(),
            node_pools: in_order(config.node_pools()),
            node_role_arn: owned(config.node_role_arn()),
        }),
        storage_config: from.storage_config().map(|config| StorageConfig {
            block_storage: config.block_storage().map(|storage| Enabled {
                enabled: storage.enabled(),
            }),
        }),
        deletion_protection: from.deletion_protection(),
        control_plane_scaling_config: from.control_plane_scaling_config().map(|config| {
            ControlPlaneScalingConfig {
                tier: config.tier().and_then(|tier| answer.spelled(tier.as_str())),
            }
        }),
        kube_api_server_config: from.kube_api_server_config().and_then(api_server),
        kube_scheduler_config: from.kube_scheduler_config().and_then(scheduler),
        kube_controller_manager_config: from.kube_controller_manager_config().and_then(controller_manager),
        tags: sorted(from.tags()),
        nodegroups: Vec::new(),
        fargate_profiles: Vec::new(),
        addons: Vec::new(),
        access_entries: Vec::new(),
        pod_identity_associations: Vec::new(),
        identity_provider_configs: Vec::new(),
    })
}

fn vpc_config(from: &types::VpcConfigResponse, answer: Answer<'_>) -> VpcConfig {
    VpcConfig {
        subnet_ids: in_order(from.subnet_ids()),
        security_group_ids: in_order(from.security_group_ids()),
        cluster_security_group_id: owned(from.cluster_security_group_id()),
        vpc_id: owned(from.vpc_id()),
        endpoint_public_access: from.endpoint_public_access(),
        endpoint_private_access: from.endpoint_private_access(),
        public_access_cidrs: in_order(from.public_access_cidrs()),
        control_plane_egress_mode: from
            .control_plane_egress_mode()
            .and_then(|mode| answer.spelled(mode.as_str())),
    }
}

fn network_config(
    from: &types::KubernetesNetworkConfigResponse,
    answer: Answer<'_>,
) -> KubernetesNetworkConfig {
    KubernetesNetworkConfig {
        service_ipv4_cidr: owned(from.service_ipv4_cidr()),
        service_ipv6_cidr: owned(from.service_ipv6_cidr()),
        ip_family: from
            .ip_family()
            .and_then(|family| answer.spelled(family.as_str())),
        elastic_load_balancing: from
            .elastic_load_balancing()
            .map(|balancing| ElasticLoadBalancing {
                enabled: balancing.enabled(),
                gateway_api: balancing.gateway_api().and_then(gateway_api),
            }),
    }
}

/// Converts the logs, enabled and disabled, in the order of their types.
fn logging(from: &types::Logging, answer: Answer<'_>) -> Logging {
    let setups = from.cluster_logging().iter().map(|setup| {
        let types = setup.types().iter();
        let mut types: Vec<_> = types.filter_map(|kind| answer.spelled(kind.as_str())).collect();
        types.sort();
        LogSetup {
            types,
            enabled: setup.enabled(),
        }
    });
    let mut cluster_logging: Vec<LogSetup> = setups.collect();
    cluster_logging.sort_by(|a, b| (b.enabled, &a.types).cmp(&(a.enabled, &b.types)));
    Logging { cluster_logging }
}

#[expect(
    deprecated,
    reason = "CreateCluster still requires it, and the cluster may be older than the change"
)]
fn encryption(from: &types::EncryptionConfig) -> EncryptionConfig {
    EncryptionConfig {
        resources: in_order(from.resources()),
        provider: from.provider().map(|provider| Provider {
            key_arn: owned(provider.key_arn()),
        }),
    }
}

fn outpost(from: &types::OutpostConfigResponse) -> OutpostConfig {
    let control_plane = from.control_plane_placement().and_then(|placement| {
        let spread = placement.spread_level();
        fields([
            ("groupName", placement.group_name().map(Value::from)),
            ("spreadLevel", spread.map(|level| Value::from(level.as_str()))),
        ])
    });
    let etcd = from.etcd_placement().and_then(|placement| {
        let spread = placement.spread_level();
        fields([("spreadLevel", spread.map(|level| Value::from(level.as_str())))])
    });
    OutpostConfig {
        outpost_arns: in_order(from.outpost_arns()),
        control_plane_instance_type: Some(from.control_plane_instance_type().to_owned()),
        control_plane_placement: control_plane,
        etcd_instance_type: owned(from.etcd_instance_type()),
        etcd_placement: etcd,
    }
}

fn remote_networks(from: &types::RemoteNetworkConfigResponse) -> RemoteNetworkConfig {
    let nodes = from.remote_node_networks().iter();
    let pods = from.remote_pod_networks().iter();
    RemoteNetworkConfig {
        remote_node_networks: nodes
            .map(|network| RemoteNetwork {
                cidrs: in_order(network.cidrs()),
            })
            .collect(),
        remote_pod_networks: pods
            .map(|network| RemoteNetwork {
                cidrs: in_order(network.cidrs()),
            })
            .collect(),
    }
}

fn gateway_api(from: &types::GatewayApiConfiguration) -> Option<Value> {
    let managed = from.crds().and_then(|crds| crds.managed());
    let crds = fields([("managed", managed.map(Value::from))]);
    fields([("crds", crds)])
}

fn api_server(from: &types::KubeApiServerConfigResponse) -> Option<Value> {
    let ports = from.service_node_port_range().and_then(|ports| {
        fields([
            ("minPort", Some(Value::from(ports.min_port()))),
            ("maxPort", Some(Value::from(ports.max_port()))),
        ])
    });
    fields([
        ("eventTtl", from.event_ttl().map(Value::from)),
        ("serviceNodePortRange", ports),
    ])
}

fn scheduler(from: &types::KubeSchedulerConfigResponse) -> Option<Value> {
    let strategy = from.node_resources_fit()?.scoring_strategy()?;
    let resources = strategy.resources().iter().filter_map(|weight| {
        fields([
            ("name", weight.name().map(Value::from)),
            ("weight", weight.weight().map(Value::from)),
        ])
    });
    let resources: Vec<Value> = resources.collect();
    let strategy = fields([
        ("type", strategy.r#type().map(|kind| Value::from(kind.as_str()))),
        (
            "resources",
            (!resources.is_empty()).then_some(Value::Array(resources)),
        ),
    ]);
    let fit = fields([("scoringStrategy", strategy)]);
    fields([("nodeResourcesFit", fit)])
}

fn controller_manager(from: &types::KubeControllerManagerConfigResponse) -> Option<Value> {
    let collector = from.pod_gc_controller_config().and_then(|config| {
        let threshold = config.terminated_pod_gc_threshold();
        fields([("terminatedPodGcThreshold", threshold.map(Value::from))])
    });
    let autoscaler = from
        .horizontal_pod_autoscaler_controller_config()
        .and_then(|config| {
            let period = config.horizontal_pod_autoscaler_sync_period();
            fields([("horizontalPodAutoscalerSyncPeriod", period.map(Value::from))])
        });
    fields([
        ("podGcControllerConfig", collector),
        ("horizontalPodAutoscalerControllerConfig", autoscaler),
    ])
}

#[cfg(test)]
mod tests;
