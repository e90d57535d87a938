//! The user-facing text of each error.

use lifeboat_format::verify::VerifyError;
use lifeboat_format::{ManifestError, PackError};
use lifeboat_model::{Diagnostic as _, ObjectRef, PackName, Problem};
use lifeboat_recovery_point::{PointError, SealError, WriteError};
use lifeboat_store::ports::{KeyError, StoreError, StoreOperation};

use crate::sample::*;

fn stores() -> Vec<StoreError> {
    let key = || "shop/points/x/manifest.json".to_owned();
    let cause = || "no space left on device".into();
    vec![
        StoreError::Exists {
            operation: StoreOperation::Create,
            key: key(),
        },
        StoreError::Changed { key: key() },
        StoreError::NotFound {
            operation: StoreOperation::Read,
            key: key(),
        },
        StoreError::OutOfRange {
            key: key(),
            start: 5,
            end: 9,
            size: 7,
        },
        StoreError::NoStore {
            store: "/backups".to_owned(),
            problem: "the folder does not exist",
        },
        StoreError::Denied {
            operation: StoreOperation::List,
            key: key(),
            source: "permission denied".into(),
        },
        StoreError::Full {
            operation: StoreOperation::Finish,
            key: key(),
            source: cause(),
        },
        StoreError::Unavailable {
            operation: StoreOperation::Inspect,
            key: key(),
            source: "timed out".into(),
        },
        StoreError::Failed {
            operation: StoreOperation::Upload,
            key: key(),
            source: "input/output error".into(),
        },
    ]
}

fn points() -> Vec<PointError> {
    let name = || PackName::parse("eu/p-0000.pack").unwrap();
    let fingerprint = |text: &[u8]| lifeboat_format::Fingerprint::of_spki(text);
    vec![
        PointError::NotFound {
            application: shop(),
            wanted: "2026".to_owned(),
        },
        PointError::Ambiguous {
            application: shop(),
            wanted: "2026".to_owned(),
            candidates: vec![point(OLDER), point(NEWER)],
        },
        PointError::Manifest {
            point: point(NEWER),
            source: ManifestError::BadSignature {
                expected: fingerprint(b"a"),
            },
        },
        PointError::Manifest {
            point: point(NEWER),
            source: ManifestError::NewerFormat {
                found: "version 5".to_owned(),
            },
        },
        PointError::File {
            point: point(NEWER),
            source: VerifyError::Size {
                name: name(),
                expected: 9,
                found: 7,
            },
        },
        PointError::FileMissing {
            point: point(NEWER),
            name: name(),
        },
        PointError::Key {
            point: point(NEWER),
            source: KeyError::WrongKey {
                wanted: vec![fingerprint(b"a")],
                held: fingerprint(b"b"),
            },
        },
        PointError::Pack {
            point: point(NEWER),
            name: name(),
            source: PackError::Reordered { frame: 1, found: 2 },
        },
        PointError::Contents {
            point: point(NEWER),
            name: name().to_string(),
            what: "frame 3 is not in the index".to_owned(),
        },
        PointError::NoCluster {
            point: point(NEWER),
            wanted: cluster("asia"),
            there: vec![cluster("eu"), cluster("us")],
        },
        PointError::NoObject {
            point: point(NEWER),
            object: ObjectRef::new("secrets".into(), Some("shop"), "db"),
        },
    ]
}

#[test]
fn errors_say_what_was_wrong_and_what_to_do() {
    let mut problems: Vec<Problem> = stores().iter().map(StoreError::problem).collect();
    problems.extend(points().iter().map(PointError::problem));
    problems.push(
        SealError::FileMissing {
            point: point(NEWER),
            name: PackName::parse("eu/p-0000.pack").unwrap(),
        }
        .problem(),
    );
    problems.push(
        WriteError::Store {
            name: PackName::parse("eu/p-0000.pack").unwrap(),
            source: stores().remove(6),
        }
        .problem(),
    );
    let text: Vec<String> = problems.iter().map(Problem::to_string).collect();
    insta::assert_snapshot!(text.join("\n\n"));
}
