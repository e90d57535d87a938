use super::*;

#[test]
fn a_map_that_contradicts_itself_is_told_so_with_a_code() {
    let base = || IdentityMap::new(environment('1', "eu-west-1"), environment('2', "eu-central-1"));
    let (a, b, c) = (
        "subnet-0aaaaaaaaaaaaaaa1",
        "subnet-0bbbbbbbbbbbbbbb1",
        "subnet-0ccccccccccccccc1",
    );
    for (map, expected) in [
        (
            IdentityMap {
                format: "lifeboat.dev/identities/v2".to_owned(),
                ..base()
            },
            "its format is \"lifeboat.dev/identities/v2\", not lifeboat.dev/identities/v1",
        ),
        (
            IdentityMap::new(environment('1', "eu-west-1"), environment('2', "cn-north-1")),
            "eu-west-1 and cn-north-1 are Regions of different partitions",
        ),
        (
            base().with(Kind::Subnet, "sg-12345678", b),
            "\"sg-12345678\" is not valid as subnet: it must be subnet- and 8 or 17 hexadecimal digits",
        ),
        (
            base().with(Kind::Subnet, a, b).with(Kind::Subnet, a, c),
            "subnet-0aaaaaaaaaaaaaaa1 is mapped to subnet-0bbbbbbbbbbbbbbb1 and to subnet-0ccccccccccccccc1",
        ),
        (
            base().with(Kind::Subnet, a, c).with(Kind::Subnet, b, c),
            "subnet-0aaaaaaaaaaaaaaa1 and subnet-0bbbbbbbbbbbbbbb1 are both mapped to subnet-0ccccccccccccccc1",
        ),
        (
            base().with(Kind::Subnet, a, b).with(Kind::Subnet, b, c),
            "subnet-0aaaaaaaaaaaaaaa1 is mapped to subnet-0bbbbbbbbbbbbbbb1, which is mapped to subnet-0ccccccccccccccc1",
        ),
        (
            base().with(Kind::Role, "a", "b").with(Kind::Role, "b", "c"),
            "a is mapped to b, which is mapped to c",
        ),
        (
            base().with(Kind::Arn, OLD_CERTIFICATE, "arn:aws:sqs:eu-west-1:111111111111:a"),
            "arn:aws:acm:eu-west-1:111111111111:certificate/12345678-1234-1234-1234-123456789012 is mapped to arn:aws:sqs:eu-west-1:111111111111:a, which is mapped to arn:aws:sqs:eu-central-1:222222222222:a",
        ),
        (
            base().with(
                Kind::Arn,
                OLD_CERTIFICATE,
                "arn:aws:acm:us-east-1:111111111111:certificate/2",
            ),
            "arn:aws:acm:eu-west-1:111111111111:certificate/12345678-1234-1234-1234-123456789012 is mapped to arn:aws:acm:us-east-1:111111111111:certificate/2, which names the primary by 111111111111",
        ),
        (
            base().with(Kind::Zone, "eu-west-1a", "eu-west-1b"),
            "eu-west-1a is mapped to eu-west-1b, which names the primary by eu-west-1",
        ),
        (
            IdentityMap {
                same_names: Some(vec!["iam:role:x".to_owned()]),
                ..base()
            },
            "\"iam:role:x\" in sameNames is not of the form service or service:type",
        ),
        (
            IdentityMap {
                leftovers: vec![KnownLeftover {
                    token: "*".to_owned(),
                    reason: "all".to_owned(),
                    when: Condition::default(),
                }],
                ..base()
            },
            "the leftover \"*\" needs a token and a reason",
        ),
    ] {
        let faults = map.faults();
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [expected]);
        let problem = faults[0].problem();
        assert_eq!(problem.code, lifeboat_model::Code::IdentityMapInvalid);
        assert!(!problem.guidance.is_empty());
        assert!(Identities::compile(&map).is_empty());
    }
    assert_eq!(sample().faults(), []);
    assert_eq!(sample().reversed().faults(), []);
    // The same entry twice, and one that is valid on both sides.
    let map = base()
        .with(Kind::Subnet, a, b)
        .with(Kind::Subnet, a, b)
        .with(Kind::Role, "cart", "cart")
        .with(Kind::InstanceProfile, "cart", "cart");
    assert_eq!(map.faults(), []);
}

#[test]
fn every_fault_is_told_at_once() {
    let map = IdentityMap {
        format: String::new(),
        ..sample()
            .with(Kind::Vpc, "x", "y")
            .with(Kind::Role, "nodes", "workers")
    };
    assert_eq!(map.faults().len(), 4);
}
