#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::manifest::sample;

fn name(text: &str) -> PackName {
    PackName::parse(text).unwrap()
}

#[test]
fn a_file_is_itself_or_the_difference_is_named() {
    let statement = sample::statement();
    let (objects, index) = (name("primary/p-0000.pack"), name("primary/i-0000.pack"));
    let own = Sha256::of(b"primary/p-0000.pack");
    check_file(&statement, &objects, own, 1000).unwrap();

    let swapped = check_file(&statement, &index, own, 1000).unwrap_err();
    assert_eq!(
        swapped.to_string(),
        "the file primary/i-0000.pack contains the data that was signed as primary/p-0000.pack"
    );
    let other = Sha256::of(b"other");
    assert!(matches!(
        check_file(&statement, &objects, other, 1000),
        Err(VerifyError::Digest { found, .. }) if found == other
    ));
    assert!(matches!(
        check_file(&statement, &objects, other, 999),
        Err(VerifyError::Size {
            expected: 1000,
            found: 999,
            ..
        })
    ));
    let unknown = check_file(&statement, &name("primary/p-0001.pack"), own, 1000).unwrap_err();
    assert!(matches!(unknown, VerifyError::NotInManifest { .. }));
    assert_eq!(unknown.code(), Code::DigestMismatch);
}

#[test]
fn a_point_under_another_name_is_refused() {
    let statement = sample::statement();
    let shop = ApplicationName::parse("shop").unwrap();
    let point = statement.predicate.point.clone();
    check_place(&statement, &shop, &point).unwrap();

    let later = RecoveryPointId::parse("20261122T000000Z-000000").unwrap();
    let error = check_place(&statement, &shop, &later).unwrap_err();
    assert_eq!(error.code(), Code::PointIdentityMismatch);
    assert_eq!(
        error.to_string(),
        "the manifest is stored in shop/20261122T000000Z-000000 but was signed for shop/20261121T112233Z-7f3a9c"
    );
    let other = ApplicationName::parse("bank").unwrap();
    assert!(check_place(&statement, &other, &point).is_err());
}
