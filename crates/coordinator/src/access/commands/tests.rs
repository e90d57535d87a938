#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fmt::Write as _;

use super::*;

fn cluster() -> Arn {
    Arn::parse("arn:aws:eks:eu-west-1:111111111111:cluster/orders-prod").unwrap()
}

fn role() -> Arn {
    Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1").unwrap()
}

/// Returns the values of a flag, one for each occurrence in a command.
fn flags(command: &str) -> Vec<&str> {
    command
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .collect()
}

#[test]
fn commands_name_everything_that_a_shell_needs() {
    let application = ApplicationName::parse("shop").unwrap();
    let user = "arn:aws:sts::111111111111:assumed-role/LifeboatPrimaryK8sDel/lifeboat-shop-primary";
    let widened = |side| grant_access(&cluster(), user, &application, side);
    let mut all = String::new();
    for (what, command) in [
        ("see a cluster", describe(&role(), &cluster())),
        ("look for clusters", list(&role())),
        ("open an endpoint", open(&cluster())),
        ("read everything", widened(Side::Primary)),
        ("write everything", widened(Side::Recovery)),
    ] {
        writeln!(all, "{what}:\n{command}\n").unwrap();
        assert!(!command.contains('\n'), "{what} is one line");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_mapping_has_no_path_and_an_access_entry_has_it() {
    let with = Arn::parse("arn:aws:iam::111111111111:role/team/lifeboat/Delegate").unwrap();
    assert_eq!(without_path(&with), "arn:aws:iam::111111111111:role/Delegate");
    assert_eq!(without_path(&role()), role().as_str());
    assert!(entry(&cluster(), &with, None).contains(with.as_str()));
}

/// The flags of `eksctl create iamidentitymapping`, from the command's definition
/// (github.com/weaveworks/eksctl, pkg/ctl/create/iamidentitymapping.go) and its user guide
/// (<https://docs.aws.amazon.com/eks/latest/eksctl/iam-identity-mappings.html>).
const EKSCTL_FLAGS: &[&str] = &[
    "--account",
    "--arn",
    "--cluster",
    "--config-file",
    "--group",
    "--namespace",
    "--no-duplicate-arns",
    "--profile",
    "--region",
    "--service-name",
    "--timeout",
    "--username",
];

#[test]
fn eksctl_is_given_flags_that_it_has() {
    let command = mapping(&cluster(), role().as_str(), MASTERS);
    assert!(command.starts_with("eksctl create iamidentitymapping "));
    let given = flags(&command);
    assert!(given.iter().all(|flag| EKSCTL_FLAGS.contains(flag)), "{command}");
    for needed in [
        "--cluster",
        "--region",
        "--arn",
        "--username",
        "--group",
        "--no-duplicate-arns",
    ] {
        assert!(given.contains(&needed), "{needed}: {command}");
    }
}

#[test]
fn a_name_with_a_quote_ends_no_word() {
    assert_eq!(quoted("it's"), r"'it'\''s'");
    let application = ApplicationName::parse("shop").unwrap();
    let command = grant_access(&cluster(), "a'; rm -rf /; '", &application, Side::Recovery);
    assert!(command.contains(r"--user='a'\''; rm -rf /; '\'''"), "{command}");
}
