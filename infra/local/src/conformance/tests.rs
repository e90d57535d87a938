use std::collections::BTreeSet;

use super::*;

const DIFFERENCE: Difference = Difference {
    of: Implementation::Moto,
    call: "eks:ListAddons",
    property: ANSWER,
    does: "does not have the call",
    document: "https://docs.aws.amazon.com/eks/latest/APIReference/API_ListAddons.html",
};

#[test]
fn each_difference_is_listed_once_with_a_document_of_aws() {
    use differences::{APPLICATION, COUNTERPARTS, LAUNCH_TEMPLATES, NETWORK, NETWORK_CANDIDATES, VOLUMES};
    for list in [
        APPLICATION,
        COUNTERPARTS,
        LAUNCH_TEMPLATES,
        NETWORK,
        NETWORK_CANDIDATES,
        VOLUMES,
    ] {
        let mut seen = BTreeSet::new();
        for one in list {
            assert!(seen.insert((one.of, one.call, one.property)), "twice: {one:?}");
            assert!(
                one.document.starts_with("https://docs.aws.amazon.com/"),
                "{one:?}"
            );
        }
    }
}

/// Returns what a panic says.
fn panic_of(check: impl FnOnce(&Conformance)) -> String {
    let aws = Conformance::new(Implementation::Moto, &[DIFFERENCE]);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&aws)));
    let payload = caught.expect_err("the check does not hold");
    *payload
        .downcast::<String>()
        .expect("assertions panic with a text")
}

#[test]
fn an_entry_that_no_longer_holds_fails_the_test() {
    let text = panic_of(|aws| {
        let _ = aws.answered("eks:ListAddons", Ok::<_, ()>(()));
    });
    assert!(text.contains("remove the entry"), "{text}");
    let text = panic_of(|aws| {
        let _ = aws.same("eks:ListAddons", ANSWER, 1, 1);
    });
    assert!(text.contains("remove the entry"), "{text}");
    let text = panic_of(Conformance::assert_all_met);
    assert!(text.contains("does not look at this difference"), "{text}");
}

#[test]
fn a_difference_without_an_entry_fails_the_test() {
    let text = panic_of(|aws| {
        let _ = aws.answered("eks:DescribeAddon", Err::<(), _>("404"));
    });
    assert!(text.contains("does not answer eks:DescribeAddon"), "{text}");
    let text = panic_of(|aws| {
        let _ = aws.same("eks:DescribeCluster", "vpcId", None, Some("vpc-1"));
    });
    assert!(text.contains("differs from AWS"), "{text}");
}

#[test]
fn a_difference_that_is_listed_is_met() {
    let aws = Conformance::new(Implementation::Moto, &[DIFFERENCE]);
    assert!(!aws.has("eks:ListAddons") && aws.has("eks:DescribeAddon"));
    assert_eq!(aws.answered("eks:ListAddons", Err::<(), _>("404")), None);
    assert_eq!(aws.answered("eks:DescribeAddon", Ok::<_, ()>(1)), Some(1));
    aws.assert_all_met();
    // Those of another implementation are not met by this one.
    Conformance::new(Implementation::LocalAws, &[DIFFERENCE]).assert_all_met();
}
