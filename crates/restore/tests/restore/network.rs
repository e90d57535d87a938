//! Addresses and ports of Services.

use lifeboat_plan::RestoreOptions;
use serde_json::json;

use crate::support::{Captured, apply, fixture, live, restored, until};

#[tokio::test]
async fn addresses_are_kept_where_the_range_allows_and_ports_where_they_are_free() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: network}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: network}
spec:
  type: NodePort
  clusterIP: 10.96.7.7
  ports: [{port: 80, nodePort: 30777}]
---
apiVersion: v1
kind: Service
metadata: {name: taken, namespace: network}
spec:
  type: NodePort
  ports: [{port: 80, nodePort: 30778}]
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: network}
spec:
  clusterIP: None
  ports: [{port: 80}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: headless, namespace: network}
subsets: [{addresses: [{ip: 192.0.2.7}], ports: [{port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: selecting, namespace: network}
spec:
  selector: {app: selected}
  ports: [{port: 80}]
",
    );
    apply(
        &fixture.target,
        "
apiVersion: v1
kind: Namespace
metadata: {name: network-other}
---
apiVersion: v1
kind: Service
metadata: {name: taker, namespace: network-other}
spec:
  type: NodePort
  ports: [{port: 80, nodePort: 30778}]
",
    );
    let mut captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "network" && ["services", "endpoints"].contains(&kind)) || name == "network"
    })
    .await;
    // The source's address is changed to one in the target's range.
    captured.edit("Service", "taken", |service| {
        service["spec"]["clusterIP"] = "10.97.7.8".into();
        service["spec"]["clusterIPs"] = json!(["10.97.7.8"]);
    });
    // The target's own controller creates the Endpoints of `selecting`, which the proof does not report as
    // unplanned.
    restored(&captured, &RestoreOptions::default()).await;
    let by_hand = live("/api/v1/namespaces/network/endpoints/headless").await;
    assert_eq!(by_hand["subsets"][0]["addresses"][0]["ip"], "192.0.2.7");
    let web = live("/api/v1/namespaces/network/services/web").await;
    let address = web["spec"]["clusterIP"].as_str().expect("it has an address");
    // The target may have further ranges, from which it chooses as well.
    assert_ne!(
        address, "10.96.7.7",
        "the address of the source's range is released"
    );
    assert_eq!(web["spec"]["ports"][0]["nodePort"], 30777);
    let taken = live("/api/v1/namespaces/network/services/taken").await;
    assert_eq!(taken["spec"]["clusterIP"], "10.97.7.8");
    assert_ne!(taken["spec"]["ports"][0]["nodePort"], 30778);
    let headless = live("/api/v1/namespaces/network/services/headless").await;
    assert_eq!(headless["spec"]["clusterIP"], "None");
}

#[tokio::test]
async fn the_dns_service_keeps_its_place_in_the_range_of_the_target() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: 10.96.0.10
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        // The server's own Service shows the range of the source.
        kind == "services"
            && (namespace, name) != ("network", name)
            && ["kube-dns", "kubernetes"].contains(&name)
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let dns = live("/api/v1/namespaces/kube-system/services/kube-dns").await;
    assert_eq!(dns["spec"]["clusterIP"], "10.97.0.10");
}

#[tokio::test]
async fn a_node_port_outside_the_range_of_the_target_is_released() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: ports}
---
apiVersion: v1
kind: Service
metadata: {name: high, namespace: ports}
spec:
  type: NodePort
  ports: [{name: high, port: 80, nodePort: 32700}, {name: low, port: 81, nodePort: 30781}]
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "ports" && kind == "services") || name == "ports"
    })
    .await;
    let options = RestoreOptions {
        node_port_range: "30000-31999".parse().expect("a range"),
        ..RestoreOptions::default()
    };
    restored(&captured, &options).await;
    let high = live("/api/v1/namespaces/ports/services/high").await;
    let port = |at: usize| high["spec"]["ports"][at]["nodePort"].as_u64().unwrap_or(0);
    assert!((30_000..=31_999).contains(&port(0)), "{high}");
    assert_eq!(port(1), 30781, "what the range holds is kept");
}

#[tokio::test]
async fn a_service_keeps_its_address_in_a_range_that_is_restored_with_it() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: more-services}
spec: {cidrs: [10.231.0.0/24]}
---
apiVersion: v1
kind: Namespace
metadata: {name: ranges}
",
    );
    let path = "/apis/networking.k8s.io/v1/servicecidrs/more-services";
    until(&fixture.source, path, "ready", |range| {
        range["status"]["conditions"][0]["status"] == "True"
    })
    .await;
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: ranges}
spec: {clusterIP: 10.231.0.9, ports: [{port: 80}]}
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "ranges" && kind == "services") || ["ranges", "more-services"].contains(&name)
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let web = live("/api/v1/namespaces/ranges/services/web").await;
    assert_eq!(web["spec"]["clusterIP"], "10.231.0.9");
}
