//! The cluster with what belongs to it.

use std::collections::BTreeMap;

use aws_sdk_eks::types::{
    AccessScope, AccessScopeType, AuthenticationMode, ClusterStatus, CreateAccessConfigRequest,
    EncryptionConfig, FargateProfileSelector, NodegroupScalingConfig, OidcIdentityProviderConfigRequest,
    Provider, VpcConfigRequest,
};
use lifeboat_aws::AwsContext;
use lifeboat_local::conformance::Conformance;

use super::{Made, pause};

/// Creates the cluster with what belongs to it; returns its issuer.
pub(crate) async fn cluster(aws: &Conformance, context: &AwsContext, account: &str, made: &Made) -> String {
    let network = &made.network;
    let client = aws_sdk_eks::Client::new(context.sdk_config());
    let role = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let vpc = VpcConfigRequest::builder()
        .subnet_ids(&network["A"])
        .subnet_ids(&network["B"])
        .security_group_ids(&network["Group"])
        .endpoint_public_access(true)
        .endpoint_private_access(false);
    let access = CreateAccessConfigRequest::builder()
        .authentication_mode(AuthenticationMode::ApiAndConfigMap)
        .bootstrap_cluster_creator_admin_permissions(true);
    #[expect(deprecated, reason = "CreateCluster requires it")]
    let encryption = EncryptionConfig::builder()
        .resources("secrets")
        .provider(Provider::builder().key_arn(&made.key).build());
    (client.create_cluster())
        .name("orders")
        .role_arn(role("cluster"))
        .resources_vpc_config(vpc.build())
        .access_config(access.build())
        .encryption_config(encryption.build())
        .tags("team", "shop")
        .send()
        .await
        .unwrap();
    let issuer = active(&client).await;
    nodes(&client, network, &role).await;
    let addon = client.create_addon().cluster_name("orders").addon_name("vpc-cni");
    let answer = addon.configuration_values("{}").send().await;
    aws.answered("eks:CreateAddon", answer);
    access_of(aws, &client, &role).await;
    provider(context, &issuer).await;
    issuer
}

async fn active(client: &aws_sdk_eks::Client) -> String {
    for _ in 0..1200 {
        let answer = client.describe_cluster().name("orders").send().await.unwrap();
        let cluster = answer.cluster().unwrap();
        if cluster.status() == Some(&ClusterStatus::Active) {
            let oidc = cluster.identity().unwrap().oidc().unwrap();
            return oidc.issuer().unwrap().to_owned();
        }
        pause().await;
    }
    panic!("the cluster did not become active");
}

async fn nodes(
    client: &aws_sdk_eks::Client,
    network: &BTreeMap<String, String>,
    role: &impl Fn(&str) -> String,
) {
    let scaling = NodegroupScalingConfig::builder()
        .min_size(1)
        .max_size(3)
        .desired_size(2);
    let template = aws_sdk_eks::types::LaunchTemplateSpecification::builder()
        .id(&network["Template"])
        .version("1");
    (client.create_nodegroup())
        .cluster_name("orders")
        .nodegroup_name("general")
        .node_role(role("nodes"))
        .subnets(&network["A"])
        .scaling_config(scaling.build())
        .launch_template(template.build())
        .labels("pool", "general")
        .send()
        .await
        .unwrap();
    let selector = FargateProfileSelector::builder().namespace("batch");
    (client.create_fargate_profile())
        .cluster_name("orders")
        .fargate_profile_name("batch")
        .pod_execution_role_arn(role("fargate"))
        .subnets(&network["B"])
        .selectors(selector.build())
        .send()
        .await
        .unwrap();
}

async fn access_of(aws: &Conformance, client: &aws_sdk_eks::Client, role: &impl Fn(&str) -> String) {
    let answer = (client.create_access_entry())
        .cluster_name("orders")
        .principal_arn(role("operators"))
        .kubernetes_groups("operators")
        .send()
        .await;
    aws.answered("eks:CreateAccessEntry", answer);
    let scope = AccessScope::builder()
        .r#type(AccessScopeType::Namespace)
        .namespaces("shop");
    let answer = (client.associate_access_policy())
        .cluster_name("orders")
        .principal_arn(role("operators"))
        .policy_arn("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")
        .access_scope(scope.build())
        .send()
        .await;
    aws.answered("eks:AssociateAccessPolicy", answer);
    let answer = (client.create_pod_identity_association())
        .cluster_name("orders")
        .namespace("shop")
        .service_account("mail")
        .role_arn(role("mail"))
        .send()
        .await;
    aws.answered("eks:CreatePodIdentityAssociation", answer);
    let login = OidcIdentityProviderConfigRequest::builder()
        .identity_provider_config_name("login")
        .issuer_url("https://login.example")
        .client_id("kubernetes");
    let answer = (client.associate_identity_provider_config())
        .cluster_name("orders")
        .oidc(login.build().unwrap())
        .send()
        .await;
    aws.answered("eks:AssociateIdentityProviderConfig", answer);
}

async fn provider(context: &AwsContext, issuer: &str) {
    let client = aws_sdk_iam::Client::new(context.sdk_config());
    (client.create_open_id_connect_provider())
        .url(issuer)
        .client_id_list("sts.amazonaws.com")
        .thumbprint_list("9e99a48a9960b14926bb7f3b02e22da2b0ab7280")
        .send()
        .await
        .unwrap();
}
