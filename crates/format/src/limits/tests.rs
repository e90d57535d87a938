#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_model::PackName;

use super::*;
use crate::manifest::{PackRecordKind, ResourceRecord, TypeOutcome, sample};

#[test]
fn values_are_counted_outside_of_strings() {
    let limit = MAX_VALUES;
    for (json, fits) in [
        (format!("[{}0]", "0,".repeat(limit - 1)), true),
        (format!("[{}0]", "0,".repeat(limit)), false),
        (format!("[{}]", "[]".repeat(limit)), false),
        (format!("[\"{}\"]", ",[{".repeat(limit)), true),
        (format!("[\"{}\\\"\"]", "\\\",\\\\".repeat(limit)), true),
        (format!("[\"\\\\\",{}0]", "0,".repeat(limit)), false),
        (String::new(), true),
    ] {
        let checked = check_values(json.as_bytes());
        assert_eq!(checked.is_ok(), fits, "{}", &json[..json.len().min(40)]);
    }
}

#[test]
fn every_count_beyond_its_limit_is_named() {
    type Change = fn(&mut Predicate);
    let cases: [(&str, Change); 12] = [
        ("257 clusters", |p| {
            p.clusters = vec![p.clusters[0].clone(); MAX_CLUSTERS + 1]
        }),
        ("4097 data keys", |p| {
            p.keys = vec![p.keys[0].clone(); MAX_KEYS + 1]
        }),
        ("9 recipients", |p| {
            p.keys[0].recipients = vec![p.keys[0].recipients[0].clone(); MAX_RECIPIENTS + 1];
        }),
        ("10001 types", |p| {
            let record = p.clusters[0].types[0].clone();
            p.clusters[0].types = vec![record; MAX_TYPES + 1];
        }),
        ("16385 subjects", |p| p.clusters[0].packs = packs(MAX_PACKS)),
        ("16385 packs", |p| {
            p.clusters[0].packs = packs(MAX_PACKS);
            for pack in &mut p.clusters[0].packs {
                pack.point = Some("20261120T000000Z-000000".parse().unwrap());
            }
        }),
        ("8000001 objects", |p| p.clusters[0].objects = MAX_OBJECTS + 1),
        ("bytes of objects", |p| p.clusters[0].bytes = u64::MAX),
        ("objects of a type", |p| {
            p.clusters[0].types[0].outcome = TypeOutcome::Listed {
                resource_version: None,
                pinned: false,
                why: None,
                objects: u64::MAX,
                bytes: 0,
            };
        }),
        ("bytes of a pack", |p| {
            p.clusters[0].packs[0].bytes = MAX_PACK_BYTES + 1
        }),
        ("50 frames of a pack", |p| p.clusters[0].packs[0].frames = 50),
        ("128001 AWS resources", |p| {
            let numbered = |number| ResourceRecord {
                r#type: "AWS::EC2::VPC".to_owned(),
                id: format!("vpc-{number:08x}"),
            };
            let all = (0..=MAX_RESOURCES).map(numbered);
            p.infrastructure.as_mut().unwrap().resources = all.collect();
        }),
    ];
    check_limits(&sample::statement()).unwrap();
    for (named, change) in cases {
        let mut predicate = sample::predicate();
        change(&mut predicate);
        let error = check_limits(&Statement::new(predicate)).unwrap_err();
        assert!(error.to_string().contains(named), "{error} does not name {named}");
        assert_eq!(error.code(), Code::OverLimit);
    }
    let mut largest = sample::predicate();
    // And the pack of the descriptions.
    largest.clusters[0].packs = packs(MAX_PACKS - 1);
    largest.clusters[0].objects = MAX_OBJECTS;
    check_limits(&Statement::new(largest)).unwrap();
}

fn packs(number: usize) -> Vec<PackRecord> {
    let first = sample::pack("primary/p-0000.pack", PackRecordKind::Objects);
    let numbered = |number| PackRecord {
        name: PackName::parse(format!("primary/p-{number}.pack")).unwrap(),
        ..first.clone()
    };
    (0..number).map(numbered).collect()
}

/// Readers must not refuse what writers of this version make: the largest pack is far below the limit.
#[test]
fn the_limits_leave_room_for_what_is_written() {
    let written = (64 << 20) + crate::pack::MAX_CIPHERTEXT as u64;
    assert!(written * 4 < MAX_PACK_BYTES);
    let (types, packs) = (10 * 1_000, 10_000);
    assert!(types * 500 + packs * 650 < MAX_MANIFEST);
}
