//! Recovery points of every released format version must still be readable.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use lifeboat_format::pack::reader::FrameOpener;
use lifeboat_format::verify::{check_file, check_place};
use lifeboat_format::{
    DataKey, IndexEntry, LineDigest, PackError, PackIdentity, PackKind, PackReader, Sha256, Statement,
    VerifyingKey, open_envelope, read_index,
};

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(version)
}

fn open(folder: &Path) -> Statement {
    let signer = std::fs::read_to_string(folder.join("signer.pem")).unwrap();
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    open_envelope(&manifest, &VerifyingKey::from_pem(&signer).unwrap()).unwrap()
}

#[test]
fn version_1_verifies_and_gives_its_objects_back() {
    gives_its_objects_back(1);
}

#[test]
fn version_2_verifies_and_gives_its_objects_back() {
    gives_its_objects_back(2);
}

#[test]
fn version_3_verifies_and_gives_its_objects_back() {
    gives_its_objects_back(3);
}

#[test]
fn version_4_verifies_and_gives_its_objects_back() {
    gives_its_objects_back(4);
    let folder = folder("v4");
    let statement = open(&folder);
    let pack = statement
        .predicate
        .infrastructure
        .as_ref()
        .unwrap()
        .pack
        .as_ref()
        .unwrap();
    let file = std::fs::read(folder.join(pack.name.as_str())).unwrap();
    let identity = PackIdentity {
        application: &statement.predicate.application,
        cluster: None,
        point: &statement.predicate.point,
        name: &pack.name,
    };
    let key = DataKey::from_random(std::array::from_fn(|i| i as u8));
    let version = statement.predicate.pack_version(pack);
    let mut reader = PackReader::new(version, PackKind::Descriptions, &key, identity).unwrap();
    let mut text = Vec::new();
    let push = |frame: lifeboat_format::Frame<'_>| {
        text.extend_from_slice(frame.plaintext);
        Ok::<_, PackError>(())
    };
    reader.push(&file, push).unwrap();
    assert_eq!(reader.finish().unwrap().sha256, pack.sha256);
    assert!(text.starts_with(br#"{"format":"lifeboat.dev/aws-descriptions/v1""#));
}

#[test]
fn the_same_objects_have_the_same_entries_in_every_version() {
    let first = gives_its_objects_back(1);
    assert_eq!(first, gives_its_objects_back(2));
    assert_eq!(first, gives_its_objects_back(3));
    assert_eq!(first, gives_its_objects_back(4));
}

/// Reads the fixture of a version and returns its index entries.
fn gives_its_objects_back(version: u32) -> Vec<IndexEntry> {
    let folder = folder(&format!("v{version}"));
    let statement = open(&folder);
    let predicate = &statement.predicate;
    assert_eq!(predicate.format_version, version);
    check_place(
        &statement,
        &"shop".parse().unwrap(),
        &"20261121T112233Z-7f3a9c".parse().unwrap(),
    )
    .unwrap();
    let key = DataKey::from_random(std::array::from_fn(|i| i as u8));
    let mut index = Vec::new();
    let mut lines = Vec::new();
    for record in &predicate.clusters[0].packs {
        let file = std::fs::read(folder.join(record.name.as_str())).unwrap();
        check_file(&statement, &record.name, Sha256::of(&file), file.len() as u64).unwrap();
        let kind = PackKind::from(record.kind);
        let identity = PackIdentity {
            application: &predicate.application,
            cluster: Some(&predicate.clusters[0].name),
            point: &predicate.point,
            name: &record.name,
        };
        let mut reader = PackReader::new(predicate.pack_version(record), kind, &key, identity).unwrap();
        reader
            .push(&file, |frame| {
                match kind {
                    PackKind::Index => {
                        index.extend(read_index(frame.plaintext, &record.name).map(Result::unwrap))
                    }
                    PackKind::Descriptions => unreachable!("a cluster has none"),
                    PackKind::Objects => {
                        lines.extend(
                            String::from_utf8(frame.plaintext.to_vec())
                                .unwrap()
                                .lines()
                                .map(str::to_owned),
                        );
                    }
                }
                Ok::<_, PackError>(())
            })
            .unwrap();
        let summary = reader.finish().unwrap();
        assert_eq!(
            (summary.sha256, summary.bytes, summary.frames),
            (record.sha256, record.bytes, record.frames)
        );
    }
    let entries: Vec<_> = index.iter().flat_map(|(_, entries)| entries).collect();
    assert_eq!(entries.len(), lines.len());
    for (entry, line) in entries.iter().zip(&lines) {
        assert_eq!(entry.digest, LineDigest::of(line.as_bytes()), "{}", entry.name);
    }
    assert!(lines[0].contains(r#""text":"Grüße, \"Welt\"\n""#));
    assert!(lines[2].contains("123456789012345678901234567890") && lines[2].contains("1.10"));

    // Read one object with one ranged read.
    let (frame, _) = &index[1];
    let file = std::fs::read(folder.join(frame.pack.as_str())).unwrap();
    let begin = frame.location.offset as usize;
    let record = &predicate.clusters[0].packs;
    let record = record.iter().find(|record| record.name == frame.pack).unwrap();
    let identity = PackIdentity {
        application: &predicate.application,
        cluster: Some(&predicate.clusters[0].name),
        point: &predicate.point,
        name: &frame.pack,
    };
    let version = predicate.pack_version(record);
    let opener = FrameOpener::new(version, PackKind::Objects, &key, identity).unwrap();
    let content = opener
        .open(
            frame.location,
            &file[begin..begin + frame.location.length as usize],
        )
        .unwrap();
    assert_eq!(content, format!("{}\n", lines[2]).into_bytes());
    index.into_iter().flat_map(|(_, entries)| entries).collect()
}
