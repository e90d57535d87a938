//! A real cluster behind the API of EKS: its description, a connection with a token, and its access entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_eks::types::{AuthenticationMode as Mode, CreateAccessConfigRequest, VpcConfigRequest};
use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::eks::{AccessScope, AuthenticationMode, ClusterKind, ClusterStatus};
use lifeboat_aws::{AwsContext, ClusterAddress, EksClusters, EksError, EksTokenSource};
use lifeboat_model::{Code, Diagnostic as _, ErrorKind};
use lifeboat_system::SystemClock;

use crate::fixture::{ACCOUNT, context, context_of, run};

const NAME: &str = "orders-prod";

async fn create(context: &AwsContext) {
    let network = VpcConfigRequest::builder()
        .subnet_ids("subnet-1")
        .subnet_ids("subnet-2")
        .endpoint_public_access(true)
        .endpoint_private_access(false)
        .build();
    let access = CreateAccessConfigRequest::builder()
        .authentication_mode(Mode::ApiAndConfigMap)
        .bootstrap_cluster_creator_admin_permissions(true)
        .build();
    (aws_sdk_eks::Client::new(context.sdk_config()).create_cluster())
        .name(NAME)
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/eks"))
        .resources_vpc_config(network)
        .access_config(access)
        .tags("team", "shop")
        .send()
        .await
        .unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the outside world")]
async fn active(clusters: &EksClusters) -> ClusterAddress {
    for _ in 0..1200 {
        let address = clusters.describe(NAME).await.unwrap();
        if address.status.is_up() {
            return address;
        }
        assert_eq!(address.status, ClusterStatus::Creating);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the cluster did not become active");
}

fn entrance(context: &AwsContext, address: &ClusterAddress, name: &str) -> Address {
    let endpoint = address.endpoint.clone().unwrap();
    Address {
        server: endpoint.url,
        ca_pem: endpoint.ca_pem,
        token: Arc::new(EksTokenSource::new(context, name, Arc::new(SystemClock))),
    }
}

#[test]
fn a_cluster_is_found_described_and_entered() {
    run(async {
        let context = context();
        let clusters = EksClusters::new(&context);
        let error = clusters.describe(NAME).await.unwrap_err();
        assert!(matches!(error, EksError::NotFound { .. }), "{error:?}");
        assert_eq!(
            (error.code(), error.kind()),
            (Code::ClusterNotFound, ErrorKind::Gone)
        );

        let versions = clusters.versions().await.unwrap();
        assert!(versions.contains(&"1.33".to_owned()), "{versions:?}");

        create(&context).await;
        let address = active(&clusters).await;
        assert_eq!(address.name, NAME);
        assert_eq!(address.arn.resource(), format!("cluster/{NAME}"));
        assert_eq!(address.kind, ClusterKind::Eks);
        assert_eq!(address.authentication, AuthenticationMode::ApiAndConfigMap);
        assert!(address.endpoint_public && !address.endpoint_private);
        assert_eq!(address.subnets, ["subnet-1", "subnet-2"]);
        assert!(
            address.security_group.is_some() && address.oidc_issuer.is_some(),
            "{address:?}"
        );

        assert_eq!(clusters.names().await.unwrap(), [NAME]);
        for (key, value, found) in [("team", "shop", 1), ("team", "other", 0), ("owner", "shop", 0)] {
            let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            assert_eq!(
                clusters.with_tags(&tags).await.unwrap().len(),
                found,
                "{key}={value}"
            );
        }

        // The creator of a cluster is an administrator of it.
        let options = AddressOptions::default();
        let (api, _) = Api::connect_to(&entrance(&context, &address, NAME), &options)
            .await
            .unwrap();
        api.get("/api/v1/secrets", "application/json").await.unwrap();
        // A token for another cluster, and a token of another account, must be rejected.
        let stranger = context_of("222222222222");
        for wrong in [
            entrance(&context, &address, "other"),
            entrance(&stranger, &address, NAME),
        ] {
            let error = Api::connect_to(&wrong, &options).await.unwrap_err();
            assert_eq!(error.code(), Code::Unauthenticated, "{error:?}");
        }

        let creator = format!("arn:aws:iam::{ACCOUNT}:user/admin");
        let entry = clusters.access_entry(NAME, &creator).await.unwrap().unwrap();
        assert_eq!(
            (entry.principal.as_str(), entry.kind.as_str()),
            (creator.as_str(), "STANDARD")
        );
        let policies = clusters.access_policies(NAME, &creator).await.unwrap();
        assert_eq!(policies.len(), 1, "{policies:?}");
        assert!(policies[0].arn.ends_with("AmazonEKSClusterAdminPolicy"));
        assert_eq!(policies[0].scope, AccessScope::Cluster);
        let nobody = format!("arn:aws:iam::{ACCOUNT}:role/nobody");
        assert_eq!(clusters.access_entry(NAME, &nobody).await.unwrap(), None);
        assert!(clusters.access_policies(NAME, &nobody).await.unwrap().is_empty());
        let error = clusters.access_entry("none", &nobody).await.unwrap_err();
        assert!(matches!(error, EksError::NotFound { .. }), "{error:?}");

        (aws_sdk_eks::Client::new(context.sdk_config()).delete_cluster())
            .name(NAME)
            .send()
            .await
            .unwrap();
    });
}
