//! A cluster with deletion protection, which EKS refuses to delete.

use std::collections::BTreeMap;

use lifeboat_aws::EksError;
use lifeboat_deploy::recovery::take_down;
use lifeboat_deploy::{Stacks as _, delete};
use lifeboat_infrastructure::{Descriptions, Mode};
use lifeboat_model::Code;
use serde_json::Value;

use crate::account::{Account, DOCUMENT, change_set, facts, recovery, shop, tell};

/// Returns the sample with one cluster, which is protected.
fn protected() -> Descriptions {
    let mut document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    let clusters = document["clusters"].as_array_mut().unwrap();
    clusters.retain(|cluster| cluster["name"] == "web");
    clusters[0]["deletionProtection"] = true.into();
    serde_json::from_value(document).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_cluster_is_deleted_by_a_teardown_and_by_nothing_else() {
    let account = Account::start();
    let (stacks, descriptions) = (&account.stacks, protected());
    let name = "lifeboat-shop-cluster-web";
    let eks = aws_sdk_eks::Client::new(account.context.sdk_config());
    let recovery = || recovery(stacks, &descriptions, facts());
    Box::pin(recovery().deploy(Mode::Active)).await.unwrap();

    let refused = eks.delete_cluster().name("web").send().await.unwrap_err();
    assert!(
        refused.as_service_error().unwrap().is_invalid_request_exception(),
        "{refused:?}"
    );
    let changed = Box::pin(recovery().stand_down()).await.unwrap();
    assert!(changed.contains(&name.to_owned()), "{changed:?}");
    assert!(matches!(
        account.clusters.describe("web").await,
        Err(EksError::NotFound { .. })
    ));

    // A deletion of the stack alone fails, and leaves one that can only be deleted.
    Box::pin(recovery().deploy(Mode::Active)).await.unwrap();
    let problem = delete(stacks, name, &BTreeMap::new(), &tell).await.unwrap_err();
    assert_eq!(problem.code, Code::ClusterProtected, "{problem}");
    let stack = stacks.describe(name).await.unwrap().unwrap();
    assert_eq!(stack.status, "DELETE_FAILED");
    let application = shop();
    let tear_down = || take_down(stacks, &application, &change_set, &tell, |_| true);
    let problem = tear_down().await.unwrap_err();
    assert_eq!(problem.code, Code::ClusterProtected, "{problem}");
    assert!(problem.guidance.contains("--no-deletion-protection"), "{problem}");
    account.clusters.describe("web").await.unwrap();
    // As the problem says.
    let unprotect = eks.update_cluster_config().name("web").deletion_protection(false);
    unprotect.send().await.unwrap();
    let deleted = tear_down().await.unwrap();
    assert_eq!(deleted[0], name);
    assert_eq!(account.clusters.names().await.unwrap(), Vec::<String>::new());
}
