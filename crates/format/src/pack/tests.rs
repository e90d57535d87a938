#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::reader::{FrameOpener, PackReader};
use super::writer::PackWriter;
use super::*;
use crate::compress::Compressor;

const POINT: &str = "20261121T112233Z-7f3a9c";
const NAME: &str = "primary/p-0000.pack";

fn key(byte: u8) -> DataKey {
    DataKey::from_random([byte; 32])
}

fn point(text: &str) -> RecoveryPointId {
    RecoveryPointId::parse(text).unwrap()
}

fn name(text: &str) -> PackName {
    PackName::parse(text).unwrap()
}

/// The identity of the pack of these tests at another point or under another name.
fn identified<T>(at: &str, called: &str, with: impl FnOnce(PackIdentity<'_>) -> T) -> T {
    let (application, cluster) = ("shop".parse().unwrap(), "primary".parse().unwrap());
    with(PackIdentity {
        application: &application,
        cluster: Some(&cluster),
        point: &point(at),
        name: &name(called),
    })
}

fn new_writer(key: &DataKey) -> PackWriter {
    identified(POINT, NAME, |identity| {
        PackWriter::new(PackKind::Objects, key, identity)
    })
    .unwrap()
}

/// Returns a pack with these frames, and their locations.
fn pack(contents: &[&[u8]]) -> (Vec<u8>, Vec<FrameLocation>, PackSummary) {
    let mut out = Vec::new();
    let mut compressor = Compressor::new().unwrap();
    let mut writer = new_writer(&key(1));
    let places = contents
        .iter()
        .map(|content| {
            let compressed = compressor.compress(content).unwrap();
            writer.append(&compressed, &mut out).unwrap()
        })
        .collect();
    assert_eq!(writer.bytes(), out.len() as u64);
    let summary = writer.finish(&mut out).unwrap();
    (out, places, summary)
}

fn read_as(
    chunks: &[&[u8]],
    kind: PackKind,
    key: &DataKey,
    at: &str,
    called: &str,
) -> Result<(Vec<Vec<u8>>, PackSummary), PackError> {
    let mut reader = identified(at, called, |identity| {
        PackReader::new(PackVersion::V2, kind, key, identity)
    })?;
    let mut frames = Vec::new();
    for chunk in chunks {
        reader.push(chunk, |frame| {
            frames.push(frame.plaintext.to_vec());
            Ok::<_, PackError>(())
        })?;
    }
    Ok((frames, reader.finish()?))
}

fn read(pack: &[u8]) -> Result<(Vec<Vec<u8>>, PackSummary), PackError> {
    read_as(&[pack], PackKind::Objects, &key(1), POINT, NAME)
}

const CONTENTS: [&[u8]; 3] = [b"{\"a\":1}\n", b"{\"b\":2}\n{\"c\":3}\n", b"{\"d\":4}\n"];

#[test]
fn a_pack_comes_back_in_any_chunks_and_frame_by_frame() {
    let (file, places, summary) = pack(&CONTENTS);
    assert_eq!(
        summary,
        PackSummary {
            sha256: Sha256::of(&file),
            bytes: file.len() as u64,
            frames: 4
        }
    );
    let expected: Vec<Vec<u8>> = CONTENTS
        .iter()
        .map(|content| content.to_vec())
        .chain([Vec::new()])
        .collect();
    for size in 1..=file.len() {
        let chunks: Vec<&[u8]> = file.chunks(size).collect();
        let (frames, read_summary) = read_as(&chunks, PackKind::Objects, &key(1), POINT, NAME).unwrap();
        assert_eq!((&frames, read_summary), (&expected, summary));
    }
    let opener = identified(POINT, NAME, |identity| {
        FrameOpener::new(PackVersion::V2, PackKind::Objects, &key(1), identity)
    })
    .unwrap();
    for (place, content) in places.iter().zip(CONTENTS) {
        let begin = place.offset as usize;
        let bytes = &file[begin..begin + place.length as usize];
        assert_eq!(opener.open(*place, bytes).unwrap(), content);
        assert!(matches!(
            opener.open(*place, &bytes[1..]),
            Err(PackError::Truncated { .. })
        ));
        let elsewhere = FrameLocation {
            frame: place.frame + 1,
            ..*place
        };
        assert_eq!(
            opener.open(elsewhere, bytes),
            Err(PackError::Reordered {
                frame: place.frame + 1,
                found: place.frame
            })
        );
    }
}

#[test]
fn an_empty_pack_is_a_header_and_a_last_frame() {
    let (file, _, summary) = pack(&[]);
    assert_eq!(
        (file.len(), summary.frames),
        (HEADER_LEN + FRAME_HEAD_LEN + TAG_LEN, 1)
    );
    assert_eq!(read(&file).unwrap().0, [Vec::<u8>::new()]);
}

#[test]
fn any_flipped_bit_is_refused() {
    let (file, ..) = pack(&CONTENTS);
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = read(&changed).unwrap_err();
        assert!(!matches!(error.code(), Code::Bug), "bit {bit}: {error}");
    }
}

#[test]
fn any_cut_is_truncation() {
    let (file, places, _) = pack(&CONTENTS);
    for cut in 0..file.len() {
        let error = read(&file[..cut]).unwrap_err();
        assert!(
            matches!(error, PackError::Truncated { bytes, .. } if bytes == cut as u64),
            "{cut}: {error}"
        );
    }
    // Also truncates between two frames, so that the last frame is missing.
    let end = places[2].offset as usize + places[2].length as usize;
    assert_eq!(
        read(&file[..end]).unwrap_err(),
        PackError::Truncated {
            bytes: end as u64,
            frame: 3
        }
    );
}

#[test]
fn frames_open_at_their_own_place_only() {
    let (file, places, _) = pack(&CONTENTS);
    let frame = |index: usize| {
        let begin = places[index].offset as usize;
        &file[begin..begin + places[index].length as usize]
    };
    let last = &file[places[2].offset as usize + places[2].length as usize..];
    let header = &file[..HEADER_LEN];
    let with = |frames: &[&[u8]]| read(&[header, frames.concat().as_slice()].concat()).unwrap_err();

    assert_eq!(
        with(&[frame(1), frame(0), frame(2), last]),
        PackError::Reordered { frame: 0, found: 1 }
    );
    assert_eq!(
        with(&[frame(0), frame(2), last]),
        PackError::Reordered { frame: 1, found: 2 },
        "a frame is missing"
    );
    assert_eq!(
        with(&[frame(0), frame(0), frame(1), frame(2), last]),
        PackError::Reordered { frame: 1, found: 0 },
        "a frame appears twice"
    );
    assert_eq!(
        with(&[frame(0), last]),
        PackError::Reordered { frame: 1, found: 3 },
        "the end marker comes too early"
    );
    let mut marked = frame(1).to_vec();
    marked[3] |= 0x80;
    assert_eq!(with(&[frame(0), &marked]), PackError::EndMoved { frame: 1 });
    assert_eq!(
        with(&[frame(0), frame(1), frame(2), last, b"x"]),
        PackError::Trailing {
            offset: file.len() as u64
        }
    );
    let mut changed = frame(1).to_vec();
    changed[9] ^= 1;
    assert_eq!(
        with(&[frame(0), &changed, frame(2), last]),
        PackError::Changed {
            frame: 1,
            offset: places[1].offset
        }
    );
}

#[test]
fn a_pack_of_another_name_point_key_or_kind_is_refused() {
    let (file, ..) = pack(&CONTENTS);
    let objects = PackKind::Objects;
    for (key, at, called) in [
        (key(2), POINT, NAME),
        (key(1), "20261121T112233Z-7f3a9d", NAME),
        (key(1), POINT, "primary/p-0001.pack"),
        (key(1), POINT, "standby/p-0000.pack"),
    ] {
        let error = read_as(&[&file], objects, &key, at, called).unwrap_err();
        assert_eq!(error, PackError::Foreign, "{at} {called}");
        assert_eq!(error.code(), Code::PackCorrupt);
    }
    let error = read_as(&[&file], PackKind::Index, &key(1), POINT, NAME).unwrap_err();
    assert_eq!(error.to_string(), "the pack does not contain an index");
    // The header is authenticated, so a changed kind must be detected.
    let mut relabelled = file.clone();
    relabelled[7] = 2;
    let error = read_as(&[&relabelled], PackKind::Index, &key(1), POINT, NAME).unwrap_err();
    assert_eq!(error, PackError::Foreign);
}

#[test]
fn headers_tell_newer_packs_from_other_files() {
    assert_eq!(read(b"PK\x03\x04 no pack").unwrap_err(), PackError::NotAPack);
    let error = read(b"LBPACK\x03\x01....").unwrap_err();
    assert_eq!(
        (error.clone(), error.code()),
        (PackError::Newer { found: 3 }, Code::NewerFormat)
    );
    let huge = [b"LBPACK\x02\x01".as_slice(), &0x7fff_ffff_u32.to_le_bytes()].concat();
    assert!(matches!(
        read(&huge).unwrap_err(),
        PackError::FrameSize {
            frame: 0,
            offset: 8,
            ..
        }
    ));
}

#[test]
fn authentic_content_that_does_not_unpack_is_still_refused() {
    let mut out = Vec::new();
    let mut writer = new_writer(&key(1));
    writer.append(b"not zstd", &mut out).unwrap();
    writer.finish(&mut out).unwrap();
    assert_eq!(
        read(&out).unwrap_err(),
        PackError::Content {
            frame: 0,
            source: CompressionError::NotOneFrame
        }
    );
}

#[test]
fn a_reader_that_failed_stays_failed() {
    let (file, ..) = pack(&CONTENTS);
    let mut reader = identified(POINT, NAME, |identity| {
        PackReader::new(PackVersion::V2, PackKind::Objects, &key(2), identity)
    })
    .unwrap();
    let ignore = |_: super::reader::Frame<'_>| Ok::<_, PackError>(());
    assert_eq!(reader.push(&file, ignore), Err(PackError::Foreign));
    assert_eq!(reader.push(&file, ignore), Err(PackError::Poisoned));
    assert_eq!(reader.finish().unwrap_err(), PackError::Poisoned);
}

#[test]
fn the_same_content_gives_the_same_file_and_keys_stay_out_of_sight() {
    assert_eq!(pack(&CONTENTS).0, pack(&CONTENTS).0);
    let writer = new_writer(&key(0xab));
    let shown = format!("{writer:?} {:?}", key(0xab));
    assert!(shown.contains("[redacted]"));
    assert!(!shown.contains("171") && !shown.contains("ab, ab"), "{shown}");
}

/// The attack: a data key that was wrapped for one application is planted into the manifest of another one, together with
/// the packs. Whoever holds the recovery key would decrypt them for that application.
#[test]
fn a_pack_opens_only_for_its_own_application_and_cluster() {
    let (file, places, _) = pack(&CONTENTS);
    let at = (point(POINT), name(NAME));
    for (application, cluster, opens) in [
        ("shop", "primary", true),
        ("payments", "primary", false),
        ("shop", "secondary", false),
        // The parts of the identity do not run into each other.
        ("shopp", "rimary", false),
    ] {
        let (application, cluster) = (application.parse().unwrap(), cluster.parse().unwrap());
        let identity = PackIdentity {
            application: &application,
            cluster: Some(&cluster),
            point: &at.0,
            name: &at.1,
        };
        let mut reader = PackReader::new(PackVersion::V2, PackKind::Objects, &key(1), identity).unwrap();
        let read = reader.push(&file, |_| Ok::<_, PackError>(()));
        assert_eq!(read, if opens { Ok(()) } else { Err(PackError::Foreign) });
        let opener = FrameOpener::new(PackVersion::V2, PackKind::Objects, &key(1), identity).unwrap();
        let begin = places[1].offset as usize;
        let bytes = &file[begin..begin + places[1].length as usize];
        assert_eq!(
            opener.open(places[1], bytes).is_ok(),
            opens,
            "{application} {cluster}"
        );
    }
}

#[test]
fn a_pack_of_another_version_than_was_signed_is_refused() {
    let mut older = Vec::new();
    identified(POINT, NAME, |identity| {
        let mut writer =
            PackWriter::of_version(PackVersion::V1, PackKind::Objects, &key(1), identity).unwrap();
        let compressed = Compressor::new().unwrap().compress(CONTENTS[0]).unwrap();
        writer.append(&compressed, &mut older).unwrap();
        writer.finish(&mut older).unwrap();
        for (file, version, expected) in [
            (&older, PackVersion::V1, Ok(())),
            (
                &older,
                PackVersion::V2,
                Err(PackError::OtherVersion {
                    found: 1,
                    expected: 2,
                }),
            ),
            (
                &pack(&CONTENTS).0,
                PackVersion::V1,
                Err(PackError::OtherVersion {
                    found: 2,
                    expected: 1,
                }),
            ),
        ] {
            let mut reader = PackReader::new(version, PackKind::Objects, &key(1), identity).unwrap();
            assert_eq!(reader.push(file, |_| Ok::<_, PackError>(())), expected);
        }
        // A version in the header that does not fit the key does not open either.
        let mut changed = older.clone();
        changed[6] = 2;
        let mut reader = PackReader::new(PackVersion::V2, PackKind::Objects, &key(1), identity).unwrap();
        let read = reader.push(&changed, |_| Ok::<_, PackError>(()));
        assert_eq!(read, Err(PackError::Foreign));
    });
}
