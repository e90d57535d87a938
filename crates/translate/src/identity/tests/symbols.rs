use super::*;

/// Returns a map whose counterparts do not exist yet.
fn symbolic() -> IdentityMap {
    IdentityMap::new(environment('1', "eu-west-1"), environment('2', "eu-central-1"))
        .with(Kind::Subnet, "subnet-0aaaaaaaaaaaaaaa1", "${network.PrivateA}")
        .with(
            Kind::Issuer,
            "oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
            "${cluster-orders.Issuer}",
        )
        .with(
            Kind::Key,
            "11111111-aaaa-1111-aaaa-111111111111",
            "${storage.KeySecrets}",
        )
        .with(Kind::Cluster, "orders", "orders")
}

#[test]
fn symbols_stand_for_what_does_not_exist_yet() {
    let map = symbolic();
    assert_eq!(map.faults(), []);
    for (before, after) in [
        ("subnet-0aaaaaaaaaaaaaaa1,x", "${network.PrivateA},x"),
        (
            "https://oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
            "https://${cluster-orders.Issuer}",
        ),
        (
            "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
            "arn:aws:iam::222222222222:oidc-provider/${cluster-orders.Issuer}",
        ),
        (
            "arn:aws:kms:eu-west-1:111111111111:key/11111111-aaaa-1111-aaaa-111111111111",
            "arn:aws:kms:eu-central-1:222222222222:key/${storage.KeySecrets}",
        ),
    ] {
        assert_eq!(rewritten(&map, before).0, after);
        assert_eq!(rewritten(&map, after).0, after);
        assert_eq!(leftovers(&map, before), [], "{before}");
    }
    let twice = symbolic().with(Kind::Subnet, "subnet-0aaaaaaaaaaaaaaa2", "${network.PrivateA}");
    assert_eq!(twice.faults().len(), 1);
    let from = symbolic().with(Kind::Subnet, "${network.PrivateA}", "subnet-0bbbbbbbbbbbbbbb1");
    assert!(!from.faults().is_empty());
}

#[test]
fn what_belongs_to_a_cluster_is_translated_unless_its_id_is_generated() {
    let map = symbolic().with(Kind::Cluster, "prod", "prod-dr");
    for (before, after) in [
        (
            "arn:aws:eks:eu-west-1:111111111111:fargateprofile/orders/*",
            "arn:aws:eks:eu-central-1:222222222222:fargateprofile/orders/*",
        ),
        (
            "arn:aws:eks:eu-west-1:111111111111:fargateprofile/prod/default/*",
            "arn:aws:eks:eu-central-1:222222222222:fargateprofile/prod-dr/default/*",
        ),
        (
            "arn:aws:eks:eu-west-1:111111111111:podidentityassociation/orders/*",
            "arn:aws:eks:eu-central-1:222222222222:podidentityassociation/orders/*",
        ),
    ] {
        assert_eq!(rewritten(&map, before).0, after);
    }
    for stays in [
        "arn:aws:eks:eu-west-1:111111111111:fargateprofile/other/*",
        "arn:aws:eks:eu-west-1:111111111111:nodegroup/orders/a/0cc5a1b2-1234-1234-1234-123456789012",
        "arn:aws:eks:eu-west-1:111111111111:podidentityassociation/orders/a-12345678901234567",
    ] {
        assert_eq!(rewritten(&map, stays).0, stays);
        assert_eq!(leftovers(&map, stays).len(), 1);
    }
}
