use lifeboat_model::ObjectRef;
use serde_json::{Value, json};

use crate::testing::{Fixture, find, options, rules};
use crate::{PortRange, RuleId, ServiceAllocation, Step};

fn service(namespace: &str, name: &str, ips: &[&str]) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{name}")},
        "spec": {"clusterIP": ips.first(), "clusterIPs": ips, "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
            "ports": [{"port": 80}]}, "status": {"loadBalancer": {}}})
}

fn holds(name: &str, ips: &[&str], ports: &[u16]) -> ServiceAllocation {
    ServiceAllocation {
        service: ObjectRef::new("services".into(), Some("target"), name),
        cluster_ips: ips.iter().map(|ip| (*ip).to_owned()).collect(),
        node_ports: ports.to_vec(),
    }
}

#[test]
fn an_address_that_is_free_in_the_range_is_kept() {
    let fixture = Fixture::new([service("shop", "cart", &["10.96.3.7"])]);
    let plan = fixture.plan();
    assert_eq!(rules(find(&plan, "services shop/cart")), []);
    assert_eq!(plan.rules[&RuleId::ClusterIpKept].objects, 1);
    assert_eq!(
        fixture.bodies(&plan, "services shop/cart").create["spec"]["clusterIPs"],
        json!(["10.96.3.7"])
    );
}

#[test]
fn an_address_outside_the_range_or_taken_is_released_and_its_service_comes_later() {
    let mut fixture = Fixture::new([
        service("shop", "outside", &["172.20.0.7"]),
        service("shop", "taken", &["10.96.0.7"]),
        service("shop", "free", &["10.96.0.8"]),
        service("shop", "headless", &["None"]),
    ]);
    fixture.facts.allocations = vec![holds("x", &["10.96.0.7"], &[])];
    let plan = fixture.plan();
    for name in ["outside", "taken"] {
        let target = format!("services shop/{name}");
        let object = find(&plan, &target);
        assert_eq!(rules(object), [RuleId::ClusterIpReleased], "{name}");
        assert!(object.depth > find(&plan, "services shop/free").depth, "{name}");
        let spec = fixture.bodies(&plan, &target).create["spec"].clone();
        assert!(
            spec.get("clusterIP").is_none() && spec.get("clusterIPs").is_none(),
            "{name}"
        );
    }
    assert_eq!(
        fixture.bodies(&plan, "services shop/headless").create["spec"]["clusterIP"],
        "None"
    );
}

#[test]
fn without_knowledge_of_the_range_addresses_are_released() {
    let mut fixture = Fixture::new([service("shop", "cart", &["10.96.3.7"])]);
    fixture.facts.service_ranges = Vec::new();
    assert_eq!(
        rules(find(&fixture.plan(), "services shop/cart")),
        [RuleId::ClusterIpReleased]
    );
}

#[test]
fn the_dns_service_keeps_its_place_in_another_range() {
    let mut fixture = Fixture::new([
        service("default", "kubernetes", &["10.96.0.1"]),
        service("kube-system", "kube-dns", &["10.96.0.10"]),
        service("shop", "cart", &["10.96.0.11"]),
    ]);
    fixture.facts.service_ranges = vec!["172.20.0.0/16".to_owned()];
    fixture.facts.allocations = vec![holds("kubernetes", &["172.20.0.1"], &[])];
    let plan = fixture.plan();
    let dns = find(&plan, "services kube-system/kube-dns");
    assert_eq!(rules(dns), [RuleId::ClusterIpMoved]);
    let spec = fixture.bodies(&plan, "services kube-system/kube-dns").create["spec"].clone();
    assert_eq!(
        (&spec["clusterIP"], &spec["clusterIPs"]),
        (&json!("172.20.0.10"), &json!(["172.20.0.10"]))
    );
    assert_eq!(
        rules(find(&plan, "services shop/cart")),
        [RuleId::ClusterIpReleased]
    );
}

#[test]
fn families_that_the_target_lacks_are_released_with_the_addresses() {
    let mut dual = service("shop", "dual", &["10.96.0.9", "fd00::9"]);
    dual["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
    dual["spec"]["ipFamilyPolicy"] = json!("RequireDualStack");
    let mut fixture = Fixture::new([dual]);
    let plan = fixture.plan();
    assert_eq!(
        rules(find(&plan, "services shop/dual")),
        [RuleId::ClusterIpReleased, RuleId::IpFamilyReleased]
    );
    let spec = fixture.bodies(&plan, "services shop/dual").create["spec"].clone();
    assert_eq!(spec["ipFamilyPolicy"], "PreferDualStack");
    assert!(spec.get("ipFamilies").is_none());

    fixture.facts.service_ranges.push("fd00::/108".to_owned());
    let plan = fixture.plan();
    assert_eq!(rules(find(&plan, "services shop/dual")), []);
}

#[test]
fn node_ports_are_kept_when_free_and_released_one_by_one() {
    let mut object = service("shop", "np", &["10.96.0.9"]);
    object["spec"]["type"] = json!("LoadBalancer");
    object["spec"]["ports"] = json!([
        {"port": 53, "protocol": "TCP", "nodePort": 30053}, {"port": 53, "protocol": "UDP", "nodePort": 30053},
        {"port": 80, "nodePort": 30080}, {"port": 81, "nodePort": 20000}]);
    object["spec"]["healthCheckNodePort"] = json!(31000);
    let mut fixture = Fixture::new([object]);
    fixture.facts.allocations = vec![holds("x", &[], &[30080, 31000])];
    let plan = fixture.plan();
    let released: Vec<&str> = find(&plan, "services shop/np")
        .changes
        .iter()
        .map(|c| c.path.as_str())
        .collect();
    assert_eq!(
        released,
        [
            "/spec/healthCheckNodePort",
            "/spec/ports/2/nodePort",
            "/spec/ports/3/nodePort"
        ]
    );
    let spec = fixture.bodies(&plan, "services shop/np").create["spec"].clone();
    assert_eq!(
        spec["ports"],
        json!([
        {"port": 53, "protocol": "TCP", "nodePort": 30053}, {"port": 53, "protocol": "UDP", "nodePort": 30053},
        {"port": 80}, {"port": 81}])
    );
    assert!(spec.get("healthCheckNodePort").is_none());
}

#[test]
fn endpoints_follow_from_a_selector_and_stay_without_one() {
    let mut selecting = service("shop", "selecting", &["10.96.0.9"]);
    selecting["spec"]["selector"] = json!({"app": "x"});
    let endpoints = |name: &str| json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-e-{name}")}});
    let plan = Fixture::new([
        endpoints("selecting"),
        endpoints("manual"),
        selecting,
        service("shop", "manual", &["10.96.0.8"]),
    ])
    .plan();
    assert_eq!(
        crate::testing::left_out(&plan, "endpoints shop/selecting").rule,
        RuleId::EndpointsOfSelector
    );
    find(&plan, "endpoints shop/manual");
}

#[test]
fn the_range_of_node_ports_is_the_one_that_the_user_says() {
    let mut object = service("shop", "np", &["10.96.0.9"]);
    object["spec"]["type"] = json!("NodePort");
    object["spec"]["ports"] = json!([{"port": 80, "nodePort": 20080}, {"port": 81, "nodePort": 30081}]);
    let mut fixture = Fixture::new([object]);
    fixture.options = options(json!({"nodePortRange": "20000-22767"}));
    let plan = fixture.plan();
    let changes = &find(&plan, "services shop/np").changes;
    let released: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(released, ["/spec/ports/1/nodePort"]);
    for wrong in ["", "30000", "30000-", "2-1", "0-9", "1-65536"] {
        assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
    }
}

fn service_cidr(name: &str, cidrs: &[&str]) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
        "metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {"cidrs": cidrs},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

#[test]
fn an_address_in_a_range_that_the_plan_restores_is_kept() {
    let mut fixture = Fixture::new([
        service("shop", "cart", &["10.200.0.7"]),
        service("shop", "taken", &["10.200.0.8"]),
        service("shop", "elsewhere", &["10.201.0.7"]),
        service_cidr("more", &["10.200.0.0/24"]),
    ]);
    fixture.facts.allocations = vec![holds("x", &["10.200.0.8"], &[])];
    let plan = fixture.plan();
    assert_eq!(rules(find(&plan, "services shop/cart")), []);
    let released = [RuleId::ClusterIpReleased];
    assert_eq!(rules(find(&plan, "services shop/taken")), released);
    assert_eq!(rules(find(&plan, "services shop/elsewhere")), released);
    let range = find(&plan, "servicecidrs.networking.k8s.io more");
    assert_eq!(*range.after, [Step::WaitReady, Step::SetManagedFields]);
    assert!(range.wave < find(&plan, "services shop/cart").wave);
}

#[test]
fn a_range_that_is_not_restored_keeps_no_address() {
    let objects = [
        service("shop", "cart", &["10.200.0.7"]),
        service_cidr("more", &["10.200.0.0/24"]),
    ];
    let released = [RuleId::ClusterIpReleased];
    let deselected = Fixture::new(objects.clone())
        .with(json!({"selection": {"filter": {"excludeTypes": ["servicecidrs"]}}}));
    assert_eq!(rules(find(&deselected.plan(), "services shop/cart")), released);
    let mut unserved = Fixture::new(objects);
    unserved
        .facts
        .types
        .retain(|served| served.resource != "servicecidrs");
    assert_eq!(rules(find(&unserved.plan(), "services shop/cart")), released);
}

#[test]
fn a_range_of_a_family_that_the_target_lacks_keeps_no_address() {
    let mut dual = service("shop", "six", &["fd00:2::9"]);
    dual["spec"]["ipFamilies"] = json!(["IPv6"]);
    let fixture = Fixture::new([dual, service_cidr("six", &["fd00:2::/112"])]);
    let plan = fixture.plan();
    let changed = rules(find(&plan, "services shop/six"));
    assert!(changed.contains(&RuleId::ClusterIpReleased), "{changed:?}");
}
