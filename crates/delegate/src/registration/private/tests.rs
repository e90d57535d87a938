#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_model::environment::{FORMAT, Side};
use lifeboat_model::{ApplicationName, Arn, ClusterName, EnvironmentId};
use lifeboat_store::memory::MemoryStore;

use super::*;

#[tokio::test]
async fn a_private_delegate_registers_once_and_again_when_it_changes() {
    let scratch: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let arn = |text: &str| Arn::parse(text).unwrap();
    let registration = DelegateRegistration {
        format: FORMAT,
        application: ApplicationName::parse("shop").unwrap(),
        environment: EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
        side: Side::Primary,
        cluster: Some(ClusterName::parse("orders").unwrap()),
        function: arn("arn:aws:lambda:eu-west-1:111111111111:function:lifeboat-shop-orders-0a-private"),
        role: arn("arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-orders-0a-eu-west-1"),
        key: None,
        deploys_private_delegates: false,
        version: "0.1.0".to_owned(),
        registered_at: Timestamp::UNIX_EPOCH,
    };
    let mut registrar = PrivateRegistrar {
        registration,
        scratch: Arc::clone(&scratch),
    };
    let at = |text: &str| format!("2026-11-21T{text}Z").parse::<Timestamp>().unwrap();
    let key = delegate_key(&registrar.registration.id());
    assert_eq!(key.as_str(), "delegates/shop.orders.json");
    let mut held = Vec::new();
    for (now, version) in [
        ("10:00:00", "0.1.0"),
        ("10:01:00", "0.1.0"),
        ("10:02:00", "0.2.0"),
    ] {
        version.clone_into(&mut registrar.registration.version);
        registrar.renew(at(now)).await.unwrap();
        let (bytes, _) = scratch.get(&key).await.unwrap();
        let read: DelegateRegistration = serde_json::from_slice(&bytes).unwrap();
        held.push((read.registered_at, read.version));
    }
    let first = (at("10:00:00"), "0.1.0".to_owned());
    assert_eq!(held, [first.clone(), first, (at("10:02:00"), "0.2.0".to_owned())]);
}
