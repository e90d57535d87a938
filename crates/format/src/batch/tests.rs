#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::compress::Decompressor;

fn unpack(batch: &Batch) -> Vec<u8> {
    let mut plaintext = Vec::new();
    Decompressor::new()
        .unwrap()
        .decompress(&batch.compressed, &mut plaintext)
        .unwrap();
    plaintext
}

fn deployments() -> BatchBuilder {
    BatchBuilder::new("apps/v1", "Deployment", TypeName::from("deployments.apps"))
}

#[test]
fn items_become_lines_with_their_type_and_an_entry_each() {
    let mut compressor = Compressor::new().unwrap();
    let mut builder = deployments();
    builder
        .push(br#"{"metadata":{"name":"a","namespace":"shop","uid":"u"},"spec":{"n":1.50}}"#)
        .unwrap();
    builder
        .push(br#"{"kind":"Deployment","metadata":{"name":"b"}}"#)
        .unwrap();
    builder
        .push(br#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"c"}}"#)
        .unwrap();
    assert_eq!(builder.len(), 3);
    let batch = builder.finish(&mut compressor).unwrap();
    let lines = unpack(&batch);
    let expected = concat!(
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a","namespace":"shop","uid":"u"},"spec":{"n":1.50}}"#,
        "\n",
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"b"}}"#,
        "\n",
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"c"}}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(lines).unwrap(), expected);
    assert_eq!(batch.raw_bytes, expected.len() as u64);
    let first = expected.lines().next().unwrap();
    assert_eq!(
        batch.entries[0],
        IndexEntry {
            namespace: "shop".into(),
            name: "a".into(),
            digest: LineDigest::of(first.as_bytes()),
            bytes: first.len() as u64,
        }
    );
    assert!(builder.is_empty() && builder.raw_len() == 0, "ready for the next");
    assert_eq!(
        builder.finish(&mut compressor).unwrap().entries,
        Vec::new(),
        "nothing is left over"
    );
}

#[test]
fn line_breaks_between_tokens_become_spaces_and_in_strings_are_refused() {
    let mut builder = deployments();
    builder
        .push(b"{\n  \"metadata\": {\n\"name\": \"a\\n\\\"\"\n}}\n")
        .unwrap();
    let batch = builder.finish(&mut Compressor::new().unwrap()).unwrap();
    assert_eq!(
        String::from_utf8(unpack(&batch)).unwrap(),
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",   \"metadata\": { \"name\": \"a\\n\\\"\" }}\n"
    );
    let before = builder.raw_len();
    for wrong in [
        b"{\"metadata\":{\"name\":\"a\"},\"x\":\"\n\"}".as_slice(),
        b"{\"metadata\":{\"name\":\"a\"},\"x\":\"\xff\"}",
    ] {
        let error = builder.push(wrong).unwrap_err();
        assert!(matches!(error, BatchError::NotJson { .. }), "{error}");
        assert_eq!((builder.raw_len(), builder.len()), (before, 0));
    }
    assert!(matches!(
        builder.push(b"{}"),
        Err(BatchError::NotAnObject(MetadataError::NoName))
    ));
}

#[test]
fn a_batch_never_outgrows_a_frame() {
    let mut builder = deployments();
    let item = format!(r#"{{"metadata":{{"name":"a"}},"x":"{}"}}"#, "x".repeat(24 << 20));
    assert!(!builder.is_full());
    builder.push(item.as_bytes()).unwrap();
    assert!(builder.is_full());
    builder.push(item.as_bytes()).unwrap();
    assert_eq!(builder.push(item.as_bytes()), Err(BatchError::Full));
    assert_eq!(builder.len(), 2);
}
