#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_sdk_eks::types::{
    AccessConfigResponse, AuthenticationMode, ControlPlaneEgressModeType, CrdManagementConfiguration,
    ElasticLoadBalancing as Balancing, GatewayApiConfiguration,
    HorizontalPodAutoscalerControllerConfigResponse, IpFamily, KubeApiServerConfigResponse,
    KubeControllerManagerConfigResponse, KubeSchedulerConfigResponse, KubernetesNetworkConfigResponse,
    LogSetup as Setup, LogType, Logging as Logs, NodeResourcesFitConfig, PodGcControllerConfigResponse,
    ProvisionedControlPlaneTier, ResourceWeight, ScoringStrategy, ServiceNodePortRange, SupportType,
    VpcConfigResponse,
};
use lifeboat_aws::reads::{Reads, UNKNOWN_VALUE};
use lifeboat_infrastructure::description::cluster;
use serde_json::json;

use super::*;
use crate::actions;
use crate::testing::assert_spelled;

fn from() -> types::builders::ClusterBuilder {
    types::Cluster::builder()
        .name("orders")
        .arn("arn:aws:eks:eu-west-1:111111111111:cluster/orders")
        .version("1.33")
        .role_arn("arn:aws:iam::111111111111:role/cluster")
        .resources_vpc_config(VpcConfigResponse::builder().vpc_id("vpc-1").build())
}

#[test]
fn a_cluster_without_a_role_is_not_one_of_eks() {
    let reads = Reads::new();
    let answer = reads.answer(actions::DESCRIBE_CLUSTER, "orders");
    assert!(super::cluster(&from().build(), answer).is_some());
    assert!(super::cluster(&from().set_role_arn(None).build(), answer).is_none());
}

#[test]
fn logs_are_sorted_enabled_first() {
    let setup =
        |types: Vec<LogType>, enabled: bool| Setup::builder().set_types(Some(types)).enabled(enabled).build();
    let logs = Logs::builder()
        .cluster_logging(setup(vec![LogType::Scheduler], false))
        .cluster_logging(setup(vec![LogType::Audit, LogType::Api], true));
    let reads = Reads::new();
    let found = logging(&logs.build(), reads.answer(actions::DESCRIBE_CLUSTER, "orders"));
    let [enabled, disabled] = found.cluster_logging.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(enabled.types, [cluster::LogType::Api, cluster::LogType::Audit]);
    assert_eq!((enabled.enabled, disabled.enabled), (Some(true), Some(false)));
}

#[test]
fn settings_of_the_control_plane_are_as_the_api_returns_them() {
    let ports = ServiceNodePortRange::builder()
        .min_port(30_000)
        .max_port(32_767)
        .build();
    let weight = ResourceWeight::builder().name("cpu").weight(2).build();
    let strategy = ScoringStrategy::builder().resources(weight).build();
    let fit = NodeResourcesFitConfig::builder()
        .scoring_strategy(strategy)
        .build();
    let collector = PodGcControllerConfigResponse::builder()
        .terminated_pod_gc_threshold(100)
        .build();
    let autoscaler = HorizontalPodAutoscalerControllerConfigResponse::builder()
        .horizontal_pod_autoscaler_sync_period("15s")
        .build();
    let gateway = GatewayApiConfiguration::builder()
        .crds(CrdManagementConfiguration::builder().managed(true).build())
        .build();
    let network = KubernetesNetworkConfigResponse::builder()
        .ip_family(IpFamily::Ipv6)
        .elastic_load_balancing(Balancing::builder().enabled(true).gateway_api(gateway).build());
    let from = from()
        .kube_api_server_config(
            KubeApiServerConfigResponse::builder()
                .event_ttl("2h")
                .service_node_port_range(ports)
                .build(),
        )
        .kube_scheduler_config(
            KubeSchedulerConfigResponse::builder()
                .node_resources_fit(fit)
                .build(),
        )
        .kube_controller_manager_config(
            KubeControllerManagerConfigResponse::builder()
                .pod_gc_controller_config(collector)
                .horizontal_pod_autoscaler_controller_config(autoscaler)
                .build(),
        )
        .kubernetes_network_config(network.build());
    let reads = Reads::new();
    let answer = reads.answer(actions::DESCRIBE_CLUSTER, "orders");
    let found = super::cluster(&from.build(), answer).unwrap();
    assert_eq!(
        found.kube_api_server_config,
        Some(json!({"eventTtl": "2h", "serviceNodePortRange": {"minPort": 30_000, "maxPort": 32_767}}))
    );
    assert_eq!(
        found.kube_scheduler_config,
        Some(json!({"nodeResourcesFit": {"scoringStrategy": {"resources": [{"name": "cpu", "weight": 2}]}}}))
    );
    assert_eq!(
        found.kube_controller_manager_config,
        Some(json!({"podGcControllerConfig": {"terminatedPodGcThreshold": 100},
            "horizontalPodAutoscalerControllerConfig": {"horizontalPodAutoscalerSyncPeriod": "15s"}}))
    );
    let network = found.kubernetes_network_config.unwrap();
    assert_eq!(network.ip_family, Some(cluster::IpFamily::Ipv6));
    let balancing = network.elastic_load_balancing.unwrap();
    assert_eq!(balancing.gateway_api, Some(json!({"crds": {"managed": true}})));
}

#[test]
fn a_mode_that_is_not_known_is_noted() {
    let mode = AuthenticationMode::from("NEW_MODE");
    let config = AccessConfigResponse::builder().authentication_mode(mode).build();
    let reads = Reads::new();
    let answer = reads.answer(actions::DESCRIBE_CLUSTER, "orders");
    let found = super::cluster(&from().access_config(config).build(), answer).unwrap();
    assert_eq!(found.access_config.unwrap().authentication_mode, None);
    assert_eq!(reads.refused()[0].code, UNKNOWN_VALUE);
}

/// Every value that this version of the SDK knows can be described.
#[test]
fn every_value_of_the_sdk_has_its_place() {
    assert_spelled::<cluster::AuthenticationMode>(AuthenticationMode::values());
    assert_spelled::<cluster::ControlPlaneEgressMode>(ControlPlaneEgressModeType::values());
    assert_spelled::<cluster::IpFamily>(IpFamily::values());
    assert_spelled::<cluster::LogType>(LogType::values());
    assert_spelled::<cluster::SupportType>(SupportType::values());
    assert_spelled::<cluster::ControlPlaneTier>(ProvisionedControlPlaneTier::values());
}
