#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;
use crate::compress::Decompressor;

fn entry(namespace: &str, name: &str) -> IndexEntry {
    IndexEntry {
        namespace: namespace.into(),
        name: name.into(),
        digest: LineDigest::of(name.as_bytes()),
        bytes: 42,
    }
}

fn batch(type_name: &str, entries: Vec<IndexEntry>) -> Batch {
    Batch {
        type_name: TypeName::from(type_name),
        compressed: Vec::new(),
        entries,
        raw_bytes: 0,
    }
}

fn place(frame: u32) -> FrameLocation {
    FrameLocation {
        frame,
        offset: 8 + u64::from(frame) * 100,
        length: 100,
    }
}

fn index_pack() -> PackName {
    PackName::parse("primary/i-0000.pack").unwrap()
}

fn read(text: &[u8]) -> Result<Vec<(FrameRef, Vec<IndexEntry>)>, IndexError> {
    read_index(text, &index_pack()).collect()
}

fn lines(builder: &mut IndexBuilder) -> Vec<u8> {
    let frame = builder.finish(&mut Compressor::new().unwrap()).unwrap();
    let mut lines = Vec::new();
    Decompressor::new()
        .unwrap()
        .decompress(&frame, &mut lines)
        .unwrap();
    lines
}

#[test]
fn the_lines_are_those_of_the_format() {
    let mut builder = IndexBuilder::new();
    assert!(builder.is_empty());
    let objects = PackName::parse("primary/p-0000.pack").unwrap();
    builder.add(
        &objects,
        place(3),
        &batch("deployments.apps", vec![entry("shop", "a\"b")]),
    );
    let text = lines(&mut builder);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        concat!(
            r#"{"pack":"p-0000.pack","frame":3,"offset":308,"length":100,"type":"deployments.apps"}"#,
            "\n",
            r#"["shop","a\"b","<digest>",42]"#,
            "\n"
        )
        .replace("<digest>", &URL_SAFE_NO_PAD.encode(&Sha256::of(b"a\"b").0[..16]))
    );
    assert!(builder.is_empty(), "ready for the next frame");
}

#[test]
fn damaged_lines_are_named() {
    let head = r#"{"pack":"p-0000.pack","frame":3,"offset":308,"length":100,"type":"pods"}"#;
    let digest = URL_SAFE_NO_PAD.encode([7; 16]);
    let good = format!("{head}\n[\"\",\"a\",\"{digest}\",1]\n");
    assert_eq!(read(good.as_bytes()).unwrap()[0].1.len(), 1);
    let newer = good.replace("\"frame\":3", "\"frame\":3,\"added\":true");
    assert!(read(newer.as_bytes()).is_ok(), "a later writer may add fields");
    for (wrong, line) in [
        ("\n".to_owned(), 1),
        ("[]\n".to_owned(), 1),
        (head.to_owned(), 1),
        (good.trim_end().to_owned(), 2),
        (good.replace(&digest, "short"), 2),
        (good.replace(&digest, &URL_SAFE_NO_PAD.encode([7; 15])), 2),
        (good.replace(&digest, &URL_SAFE_NO_PAD.encode([7; 17])), 2),
        (good.replace(&digest, &URL_SAFE_NO_PAD.encode([7; 32])), 2),
        (good.replace(",1]", ",-1]"), 2),
        (good.replace(",1]", "]"), 2),
        (good.replace(",1]", ",1,\"\"]"), 2),
        (good.replace(",1]", ",1,2]"), 2),
        (good.replace("p-0000.pack", "../p.pack"), 1),
        (good.replace("p-0000.pack", "other/p-0000.pack"), 1),
        (format!("{good}{{}}\n"), 3),
    ] {
        match read(wrong.as_bytes()) {
            Err(IndexError::Line { line: found, .. }) => assert_eq!(found, line, "{wrong}"),
            other => panic!("{wrong}: {other:?}"),
        }
    }
}

#[test]
fn lines_of_version_1_are_read_and_compare_with_those_of_version_2() {
    let head = r#"{"pack":"p-0000.pack","frame":3,"offset":308,"length":100,"type":"pods"}"#;
    let whole = Sha256::of(b"a line");
    let line = |digest: &[u8]| {
        let digest = URL_SAFE_NO_PAD.encode(digest);
        format!("{head}\n[\"shop\",\"a\",\"{digest}\",6,\"u-1\"]\n")
    };
    let first = line(&whole.0);
    let second = line(&whole.0[..16]).replace(",\"u-1\"]", "]");
    assert_eq!(read(first.as_bytes()).unwrap(), read(second.as_bytes()).unwrap());
    for wrong in [
        line(&whole.0[..16]),
        line(&whole.0[..31]),
        first.replace(",\"u-1\"]", ",7]"),
        first.replace(",\"u-1\"]", ",\"u-1\",7]"),
    ] {
        assert!(
            matches!(read(wrong.as_bytes()), Err(IndexError::Line { line: 2, .. })),
            "{wrong}"
        );
    }
}

#[test]
fn a_reader_ends_after_its_first_error() {
    let name = index_pack();
    let mut reader = read_index(b"x\ny\n", &name);
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn groups_come_back_as_they_were(groups in proptest::collection::vec(
        (any::<u16>(), "[a-z]{1,9}(\\.[a-z]{1,9})?", proptest::collection::vec((".{0,9}", ".{0,20}"), 0..9)), 0..9)
    ) {
        let objects = PackName::parse("primary/p-0000.pack").unwrap();
        let mut builder = IndexBuilder::new();
        let mut expected = Vec::new();
        for (frame, type_name, names) in groups {
            let entries: Vec<_> = names.iter().map(|(namespace, name)| entry(namespace, name)).collect();
            builder.add(&objects, place(frame.into()), &batch(&type_name, entries.clone()));
            let frame = FrameRef { pack: objects.clone(), location: place(frame.into()), type_name: TypeName::from(type_name.as_str()) };
            expected.push((frame, entries));
        }
        prop_assert_eq!(read(&lines(&mut builder)).unwrap(), expected);
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
    }
}
