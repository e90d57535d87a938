#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::{Value, json};

use super::*;
use crate::rule::Rule;

mod faults;
mod installation;
mod objects;
mod properties;
mod symbols;

/// Returns the environment of an account whose twelve digits are all the same.
fn environment(digit: char, region: &str) -> AccountAndRegion {
    AccountAndRegion {
        account: AccountId::parse(digit.to_string().repeat(12)).unwrap(),
        region: Region::parse(region).unwrap(),
    }
}

const OLD_CERTIFICATE: &str =
    "arn:aws:acm:eu-west-1:111111111111:certificate/12345678-1234-1234-1234-123456789012";
const NEW_CERTIFICATE: &str =
    "arn:aws:acm:eu-central-1:222222222222:certificate/87654321-4321-4321-4321-210987654321";
const OLD_DATABASE: &str = "orders.cluster-abc.eu-west-1.rds.amazonaws.com";
const NEW_DATABASE: &str = "orders.cluster-def.eu-central-1.rds.amazonaws.com";

/// Returns a map with an identifier of most kinds.
fn sample() -> IdentityMap {
    IdentityMap::new(environment('1', "eu-west-1"), environment('2', "eu-central-1"))
        .with(Kind::Zone, "eu-west-1a", "eu-central-1a")
        .with(Kind::Zone, "eu-west-1b", "eu-central-1b")
        .with(Kind::ZoneId, "euw1-az1", "euc1-az1")
        .with(
            Kind::Subnet,
            "subnet-0aaaaaaaaaaaaaaa1",
            "subnet-0bbbbbbbbbbbbbbb1",
        )
        .with(
            Kind::SecurityGroup,
            "sg-0aaaaaaaaaaaaaaa1",
            "sg-0bbbbbbbbbbbbbbb1",
        )
        .with(Kind::Vpc, "vpc-0aaaaaaaaaaaaaaa1", "vpc-0bbbbbbbbbbbbbbb1")
        .with(Kind::FileSystem, "fs-0aaaaaaaaaaaaaaa1", "fs-0bbbbbbbbbbbbbbb1")
        .with(
            Kind::AccessPoint,
            "fsap-0aaaaaaaaaaaaaaa1",
            "fsap-0bbbbbbbbbbbbbbb1",
        )
        .with(Kind::Volume, "vol-0aaaaaaaaaaaaaaa1", "vol-0bbbbbbbbbbbbbbb1")
        .with(
            Kind::Key,
            "11111111-aaaa-1111-aaaa-111111111111",
            "22222222-bbbb-2222-bbbb-222222222222",
        )
        .with(Kind::Arn, OLD_CERTIFICATE, NEW_CERTIFICATE)
        .with(Kind::Host, OLD_DATABASE, NEW_DATABASE)
        .with(
            Kind::Issuer,
            "oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
            "oidc.eks.eu-central-1.amazonaws.com/id/BBBB2222",
        )
        .with(Kind::Bucket, "shop-media-1", "shop-media-2")
        .with(Kind::Role, "nodes", "nodes-dr")
        .with(Kind::Cluster, "orders-prod", "orders-dr")
}

/// Returns a text as the map translates it, with the rules that did.
fn rewritten(map: &IdentityMap, text: &str) -> (String, Vec<Rule>) {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"text": text}});
    let identities = Identities::compile(map);
    let outcome = identities.apply(("", "configmaps"), &|_| false, &mut object);
    let mut rules: Vec<Rule> = outcome.rewritten.iter().map(|one| one.rule).collect();
    rules.sort();
    (object["data"]["text"].as_str().unwrap().to_owned(), rules)
}

/// Returns the tokens that are left over in a text after its translation.
fn leftovers(map: &IdentityMap, text: &str) -> Vec<(String, LeftoverKind)> {
    let mut object = json!({"data": {"text": text}});
    let outcome = Identities::compile(map).apply(("", "configmaps"), &|_| false, &mut object);
    let found = outcome.leftovers.into_iter();
    found.map(|leftover| (leftover.token, leftover.kind)).collect()
}

#[test]
fn identifiers_in_a_text_are_translated_by_the_first_rule_that_knows_them() {
    for (before, after, rules) in [
        ("eu-west-1", "eu-central-1", &[Rule::Region] as &[Rule]),
        ("111111111111", "222222222222", &[Rule::Account]),
        ("zone eu-west-1a, or b", "zone eu-central-1a, or b", &[Rule::Zone]),
        ("euw1-az1", "euc1-az1", &[Rule::Zone]),
        (
            "subnet-0aaaaaaaaaaaaaaa1,name",
            "subnet-0bbbbbbbbbbbbbbb1,name",
            &[Rule::Id],
        ),
        (
            "fs-0aaaaaaaaaaaaaaa1::fsap-0aaaaaaaaaaaaaaa1",
            "fs-0bbbbbbbbbbbbbbb1::fsap-0bbbbbbbbbbbbbbb1",
            &[Rule::Id, Rule::Id],
        ),
        (OLD_CERTIFICATE, NEW_CERTIFICATE, &[Rule::Arn]),
        (OLD_DATABASE, NEW_DATABASE, &[Rule::Host]),
        (
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:v1@sha256:11",
            "222222222222.dkr.ecr.eu-central-1.amazonaws.com/shop/cart:v1@sha256:11",
            &[Rule::Registry],
        ),
        (
            "111111111111.dkr.ecr-fips.eu-west-1.amazonaws.com/a",
            "222222222222.dkr.ecr-fips.eu-central-1.amazonaws.com/a",
            &[Rule::Registry],
        ),
        (
            "oci://111111111111.dkr-ecr.eu-west-1.on.aws/charts/cart",
            "oci://222222222222.dkr-ecr.eu-central-1.on.aws/charts/cart",
            &[Rule::Registry],
        ),
        (
            "arn:aws:iam::111111111111:role/app/cart",
            "arn:aws:iam::222222222222:role/app/cart",
            &[Rule::ArnOfResource],
        ),
        (
            "arn:aws:iam::111111111111:role/eks/nodes",
            "arn:aws:iam::222222222222:role/eks/nodes-dr",
            &[Rule::ArnOfResource],
        ),
        (
            "arn:aws:ec2:eu-west-1:111111111111:subnet/subnet-0aaaaaaaaaaaaaaa1",
            "arn:aws:ec2:eu-central-1:222222222222:subnet/subnet-0bbbbbbbbbbbbbbb1",
            &[Rule::ArnOfResource],
        ),
        (
            "arn:aws:kms:eu-west-1:111111111111:key/11111111-aaaa-1111-aaaa-111111111111",
            "arn:aws:kms:eu-central-1:222222222222:key/22222222-bbbb-2222-bbbb-222222222222",
            &[Rule::ArnOfResource],
        ),
        (
            "arn:aws:s3:::shop-media-1/a/*",
            "arn:aws:s3:::shop-media-2/a/*",
            &[Rule::ArnOfResource],
        ),
        (
            "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
            "arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/BBBB2222",
            &[Rule::ArnOfResource],
        ),
        (
            "https://oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
            "https://oidc.eks.eu-central-1.amazonaws.com/id/BBBB2222",
            &[Rule::Host],
        ),
        (
            "https://sqs.eu-west-1.amazonaws.com/111111111111/orders",
            "https://sqs.eu-central-1.amazonaws.com/222222222222/orders",
            &[Rule::Url],
        ),
        (
            "https://sts.eu-west-1.amazonaws.com",
            "https://sts.eu-central-1.amazonaws.com",
            &[Rule::Host],
        ),
        ("s3://shop-media-1/a", "s3://shop-media-2/a", &[Rule::Url]),
        (
            "https://shop-media-1.s3.eu-west-1.amazonaws.com/a?b",
            "https://shop-media-2.s3.eu-central-1.amazonaws.com/a?b",
            &[Rule::Host],
        ),
        (
            "https://s3.eu-west-1.amazonaws.com/shop-media-1/a",
            "https://s3.eu-central-1.amazonaws.com/shop-media-2/a",
            &[Rule::Url],
        ),
        (
            "jdbc:postgresql://orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432/a?region=eu-west-1",
            "jdbc:postgresql://orders.cluster-def.eu-central-1.rds.amazonaws.com:5432/a?region=eu-central-1",
            &[Rule::Host, Rule::Region],
        ),
        (
            "aws://eu-west-1a/vol-0aaaaaaaaaaaaaaa1",
            "aws://eu-central-1a/vol-0bbbbbbbbbbbbbbb1",
            &[Rule::Zone, Rule::Id],
        ),
        (
            "fs-0aaaaaaaaaaaaaaa1.efs.eu-west-1.amazonaws.com:/",
            "fs-0bbbbbbbbbbbbbbb1.efs.eu-central-1.amazonaws.com:/",
            &[Rule::Host],
        ),
        (
            "eu-west-1a.fs-0aaaaaaaaaaaaaaa1.efs.eu-west-1.amazonaws.com",
            "eu-central-1a.fs-0bbbbbbbbbbbbbbb1.efs.eu-central-1.amazonaws.com",
            &[Rule::Host],
        ),
        (
            "com.amazonaws.eu-west-1.sts, com.amazonaws.eu-west-1.s3",
            "com.amazonaws.eu-central-1.sts, com.amazonaws.eu-central-1.s3",
            &[Rule::Host, Rule::Host],
        ),
        (
            "https://states.eu-west-1.amazonaws.com/eu-west-1",
            "https://states.eu-central-1.amazonaws.com/eu-central-1",
            &[Rule::Host, Rule::Region],
        ),
        (
            "k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/orders-prod",
            "k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/orders-dr",
            &[Rule::Name],
        ),
        (
            "search eu-west-1.compute.internal",
            "search eu-central-1.compute.internal",
            &[Rule::Host],
        ),
        (
            r#"{"region":"eu-west-1","queue":"arn:aws:sqs:eu-west-1:111111111111:orders"}"#,
            r#"{"region":"eu-central-1","queue":"arn:aws:sqs:eu-central-1:222222222222:orders"}"#,
            &[Rule::ArnOfResource, Rule::Region],
        ),
        (
            "kubernetes.io/cluster/orders-prod",
            "kubernetes.io/cluster/orders-dr",
            &[Rule::Name],
        ),
        ("the orders-prod cluster", "the orders-prod cluster", &[]),
        (
            "--cluster-name=orders-prod",
            "--cluster-name=orders-dr",
            &[Rule::Name],
        ),
        (
            "--cluster-name=orders-prod-2",
            "--cluster-name=orders-prod-2",
            &[],
        ),
    ] {
        let (text, used) = rewritten(&sample(), before);
        assert_eq!(text, after, "{before}");
        assert_eq!(used, rules, "{before}");
        assert_eq!(leftovers(&sample(), before), [], "{before}");
    }
}

#[test]
fn what_is_not_a_whole_identifier_stays_and_is_left_over() {
    use LeftoverKind::{Account, Region, UnknownId};
    for (text, token, kind) in [
        ("served-from-eu-west-1", "served-from-eu-west-1", Region),
        ("logs-111111111111-x", "logs-111111111111-x", Account),
        ("zone eu-west-1c", "eu-west-1c", Region),
        ("subnet-0cccccccccccccccc", "subnet-0cccccccccccccccc", UnknownId),
        // Only the account would change.
        (
            "arn:aws:acm:us-east-1:111111111111:certificate/1",
            "arn:aws:acm:us-east-1:111111111111:certificate/1",
            Account,
        ),
        // The resource has a generated part, and the map does not list it.
        (
            "arn:aws:acm:eu-west-1:111111111111:certificate/1",
            "arn:aws:acm:eu-west-1:111111111111:certificate/1",
            Region,
        ),
        // Somebody else's, in the Region of the primary.
        (
            "333333333333.dkr.ecr.eu-west-1.amazonaws.com/pause:3.10",
            "333333333333.dkr.ecr.eu-west-1.amazonaws.com",
            Region,
        ),
        (
            "db.abc.eu-west-1.rds.amazonaws.com",
            "db.abc.eu-west-1.rds.amazonaws.com",
            Region,
        ),
        ("db.eu-west-1.example.com", "db.eu-west-1.example.com", Region),
        (
            "https://other.s3.eu-west-1.amazonaws.com/a",
            "https://other.s3.eu-west-1.amazonaws.com/a",
            Region,
        ),
        // A user pool of the Region: only the host would change.
        (
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
            Region,
        ),
        (
            "fs-0ccccccccccccccc1.efs.eu-west-1.amazonaws.com",
            "fs-0ccccccccccccccc1.efs.eu-west-1.amazonaws.com",
            Region,
        ),
        (
            "com.amazonaws.vpce.eu-west-1.vpce-svc-0ccccccccccccccc1",
            "com.amazonaws.vpce.eu-west-1.vpce-svc-0ccccccccccccccc1",
            Region,
        ),
        // Longer than an identifier that the map lists.
        (
            "xorders.cluster-abc.eu-west-1.rds.amazonaws.com",
            "xorders.cluster-abc.eu-west-1.rds.amazonaws.com",
            Region,
        ),
        (
            "https://u:p@x.example.com/eu-west-1?k=v",
            "https://x.example.com/eu-west-1",
            Region,
        ),
    ] {
        assert_eq!(rewritten(&sample(), text), (text.to_owned(), vec![]), "{text}");
        assert_eq!(leftovers(&sample(), text), [(token.to_owned(), kind)], "{text}");
    }
}

#[test]
fn what_names_nothing_of_the_primary_stays_and_is_not_left_over() {
    for text in [
        "1111111111112",
        "sha256:ab111111111111cdef0123456789abcdef0123456789abcdef0123456789abcd",
        "us-east-1",
        "arn:aws:acm:us-east-1:333333333333:certificate/1",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "333333333333.dkr.ecr.us-east-1.amazonaws.com/a",
        "public.ecr.aws/nginx/nginx:1",
        "configs-12345678",
        "sg-xyz",
        "nodes",
    ] {
        assert_eq!(rewritten(&sample(), text), (text.to_owned(), vec![]), "{text}");
        assert_eq!(leftovers(&sample(), text), [], "{text}");
    }
}

#[test]
fn in_one_account_the_names_of_roles_are_translated_and_its_number_stays() {
    let map = IdentityMap::new(environment('1', "eu-west-1"), environment('1', "eu-central-1")).with(
        Kind::Role,
        "cart",
        "cart-eu-central-1",
    );
    for (before, after) in [
        (
            "arn:aws:iam::111111111111:role/cart",
            "arn:aws:iam::111111111111:role/cart-eu-central-1",
        ),
        (
            "arn:aws:iam::111111111111:role/other",
            "arn:aws:iam::111111111111:role/other",
        ),
        ("111111111111", "111111111111"),
        (
            "arn:aws:sqs:eu-west-1:111111111111:a",
            "arn:aws:sqs:eu-central-1:111111111111:a",
        ),
    ] {
        assert_eq!(rewritten(&map, before).0, after);
        assert_eq!(leftovers(&map, before), [], "{before}");
    }
}

#[test]
fn names_that_are_not_declared_the_same_are_left_over() {
    let map = IdentityMap {
        same_names: Some(vec!["iam:role".to_owned()]),
        ..sample()
    };
    let queue = "arn:aws:sqs:eu-west-1:111111111111:orders";
    assert_eq!(rewritten(&map, queue).0, queue);
    let url = "https://sqs.eu-west-1.amazonaws.com/111111111111/orders";
    assert_eq!(rewritten(&map, url).0, url);
    assert_eq!(leftovers(&map, url).len(), 1);
}

#[test]
fn a_name_that_is_a_common_word_counts_only_beside_what_says_that_it_is_one() {
    let map = IdentityMap::new(environment('1', "eu-west-1"), environment('2', "eu-central-1"))
        .with(Kind::Cluster, "a", "b")
        .with(Kind::Bucket, "media", "pictures");
    for (before, after) in [
        ("a kubernetes.io/cluster/a", "a kubernetes.io/cluster/b"),
        ("media s3://media/media", "media s3://pictures/media"),
        ("arn:aws:s3:::media/*", "arn:aws:s3:::pictures/*"),
        ("media.s3.amazonaws.com", "pictures.s3.amazonaws.com"),
        (
            "arn:aws:eks:eu-west-1:111111111111:cluster/a",
            "arn:aws:eks:eu-central-1:222222222222:cluster/b",
        ),
    ] {
        assert_eq!(rewritten(&map, before).0, after);
    }
}

#[test]
fn a_counterpart_that_contains_the_identifier_is_not_left_over() {
    let map = IdentityMap::new(environment('1', "eu-west-1"), environment('2', "eu-central-1")).with(
        Kind::Bucket,
        "shop-media",
        "shop-media-dr",
    );
    for (before, after) in [
        ("--bucket=shop-media", "--bucket=shop-media-dr"),
        ("arn:aws:s3:::shop-media/*", "arn:aws:s3:::shop-media-dr/*"),
        ("s3://shop-media/a", "s3://shop-media-dr/a"),
        (
            "https://s3.eu-west-1.amazonaws.com/shop-media/a",
            "https://s3.eu-central-1.amazonaws.com/shop-media-dr/a",
        ),
        ("shop-media.s3.amazonaws.com", "shop-media-dr.s3.amazonaws.com"),
    ] {
        assert_eq!(rewritten(&map, before).0, after);
        assert_eq!(rewritten(&map, after).0, after);
        assert_eq!(leftovers(&map, before), [], "{before}");
    }
    assert_eq!(leftovers(&map, "shop-media-old").len(), 1);
}

#[test]
fn regions_of_china_have_registries_of_their_own() {
    let map = IdentityMap::new(environment('1', "cn-north-1"), environment('2', "cn-northwest-1"));
    for (before, after) in [
        (
            "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn/a:1",
            "222222222222.dkr.ecr.cn-northwest-1.amazonaws.com.cn/a:1",
        ),
        (
            "arn:aws-cn:iam::111111111111:role/a",
            "arn:aws-cn:iam::222222222222:role/a",
        ),
    ] {
        assert_eq!(rewritten(&map, before).0, after);
    }
}

#[test]
fn the_document_is_read_back_and_refuses_unknown_fields() {
    let text = serde_json::to_string(&sample()).unwrap();
    assert_eq!(serde_json::from_str::<IdentityMap>(&text).unwrap(), sample());
    let yaml = "
format: lifeboat.dev/identities/v1
primary: {account: '111111111111', region: eu-west-1}
recovery: {account: '222222222222', region: eu-central-1}
identities:
- {kind: security-group, from: sg-0aaaaaaaaaaaaaaa1, to: sg-0bbbbbbbbbbbbbbb1}
leftovers:
- {token: 'logs-*', reason: The archive stays in the primary., when: {namespaces: [shop]}}
";
    let map: IdentityMap = serde_yaml_ng::from_str(yaml).unwrap();
    assert_eq!(map.faults(), []);
    assert_eq!(map.counts().get(&Kind::SecurityGroup), Some(&1));
    assert!(serde_yaml_ng::from_str::<IdentityMap>(&format!("{yaml}more: 1\n")).is_err());
    let wrong = yaml.replace("'111111111111'", "'11'");
    let error = serde_yaml_ng::from_str::<IdentityMap>(&wrong).unwrap_err();
    assert!(error.to_string().contains("12 digits"), "{error}");
}

/// Returns the text at a path.
fn at<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A role of IAM Identity Center has digits of its own in each account, so that one of the same name exists nowhere.
#[test]
fn a_role_of_identity_center_is_translated_whole_or_left_over() {
    let old = "AWSReservedSSO_Operators_0123456789abcdef";
    let new = "AWSReservedSSO_Operators_fedcba9876543210";
    let path = "aws-reserved/sso.amazonaws.com/eu-west-1/";
    let known = sample().with(Kind::Role, old, new);
    for (before, after) in [
        // As aws-auth has it: without the path.
        (
            format!("arn:aws:iam::111111111111:role/{old}"),
            format!("arn:aws:iam::222222222222:role/{new}"),
        ),
        (
            format!("arn:aws:sts::111111111111:assumed-role/{old}/eve@shop.example"),
            format!("arn:aws:sts::222222222222:assumed-role/{new}/eve@shop.example"),
        ),
    ] {
        assert_eq!(rewritten(&known, &before).0, after);
        assert_eq!(rewritten(&sample(), &before).0, before);
        assert_eq!(leftovers(&sample(), &before).len(), 1, "{before}");
    }
    let listed = known.with(
        Kind::Arn,
        format!("arn:aws:iam::111111111111:role/{path}{old}"),
        format!("arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/{new}"),
    );
    assert_eq!(
        rewritten(&listed, &format!("arn:aws:iam::111111111111:role/{path}{old}")).0,
        format!("arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/{new}")
    );
    // A pattern for any role of the permission set is right in every account.
    assert_eq!(
        rewritten(
            &sample(),
            "arn:aws:iam::111111111111:role/AWSReservedSSO_Operators_*"
        )
        .0,
        "arn:aws:iam::222222222222:role/AWSReservedSSO_Operators_*"
    );
}
