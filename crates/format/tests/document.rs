//! Checks `FORMAT.md`: the fixture is decoded by the rules in the document with cryptographic primitives
//! only, without this crate's reader, and the numbers in its examples must be those of the fixture.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

const POINT: &str = "20261121T112233Z-7f3a9c";

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/v4")
            .join(name),
    )
    .unwrap()
}

/// Asserts that `FORMAT.md` contains a value.
fn documented(value: &str) {
    let page = include_str!("../FORMAT.md");
    assert!(page.contains(value), "FORMAT.md does not show {value}");
}

/// HKDF (RFC 5869) without a library: one block of output is sufficient.
fn pack_key(name: &str) -> Vec<u8> {
    let data_key: Vec<u8> = (0..32).collect();
    let cluster = match name.split('/').next().unwrap() {
        "_infrastructure" => "",
        cluster => cluster,
    };
    let length = |text: &str| (text.len() as u16).to_be_bytes();
    let info = [
        b"lifeboat pack v2".as_slice(),
        &length("shop"),
        b"shop",
        &length(cluster),
        cluster.as_bytes(),
        &length(POINT),
        POINT.as_bytes(),
        &length(name),
        name.as_bytes(),
    ]
    .concat();
    let prk = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]), &data_key);
    let okm = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, prk.as_ref()),
        &[info.as_slice(), &[1]].concat(),
    );
    documented(&hex::encode(&data_key));
    documented(&hex::encode(prk.as_ref()));
    if !cluster.is_empty() {
        documented(&hex::encode(okm.as_ref()));
    }
    if name.ends_with("p-0000.pack") {
        documented(&hex::encode(info));
    }
    okm.as_ref().to_vec()
}

struct Frame {
    offset: usize,
    length: usize,
    plaintext: Vec<u8>,
}

fn frames(name: &str, content: u8) -> Vec<Frame> {
    let file = fixture(name);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &pack_key(name)).unwrap());
    let header: [u8; 8] = file[..8].try_into().unwrap();
    assert_eq!(&header[..6], b"LBPACK");
    assert_eq!(header[6..], [2, content]);
    let mut at = 8;
    let mut frames = Vec::new();
    loop {
        let head = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let (last, length) = (head >> 31 == 1, (head & 0x7fff_ffff) as usize);
        let mut nonce = [0; 12];
        nonce[7..11].copy_from_slice(&(frames.len() as u32).to_be_bytes());
        nonce[11] = u8::from(last);
        let mut sealed = file[at + 4..at + 4 + length].to_vec();
        if content == 1 {
            documented(&format!(
                "| {} | {at} | `{}` | `{}` | `{}` |",
                frames.len(),
                hex::encode(&file[at..at + 4]),
                hex::encode(nonce),
                hex::encode(&sealed[length - 16..])
            ));
        }
        let plaintext = key
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(header),
                &mut sealed,
            )
            .unwrap();
        let plaintext = if plaintext.is_empty() {
            Vec::new()
        } else {
            zstd::bulk::decompress(plaintext, 64 << 20).unwrap()
        };
        frames.push(Frame {
            offset: at,
            length: length + 4,
            plaintext,
        });
        at += 4 + length;
        if last {
            assert_eq!(at, file.len());
            return frames;
        }
    }
}

#[test]
fn the_fixture_is_what_the_page_says() {
    let objects = frames("primary/p-0000.pack", 1);
    let index = frames("primary/i-0000.pack", 2);
    assert_eq!((objects.len(), index.len()), (3, 2));
    let descriptions = frames("_infrastructure/d-0001.pack", 3);
    assert_eq!(descriptions.len(), 2);
    let document = descriptions[0].plaintext.strip_suffix(b"\n").unwrap();
    let document: Value = serde_json::from_slice(document).unwrap();
    assert_eq!(document["format"], "lifeboat.dev/aws-descriptions/v1");
    assert!(objects[2].plaintext.is_empty() && index[1].plaintext.is_empty());

    let text = String::from_utf8(index[0].plaintext.clone()).unwrap();
    documented(text.lines().next().unwrap());
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .peekable();
    let mut named = 0;
    while let Some(head) = lines.next() {
        assert_eq!(head["pack"], "p-0000.pack");
        let frame = &objects[head["frame"].as_u64().unwrap() as usize];
        assert_eq!(head["offset"].as_u64().unwrap() as usize, frame.offset);
        assert_eq!(head["length"].as_u64().unwrap() as usize, frame.length);
        let content = String::from_utf8(frame.plaintext.clone()).unwrap();
        assert!(content.ends_with('\n'));
        for line in content.lines() {
            let entry = lines.next().unwrap();
            let object: Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry.as_array().unwrap().len(), 4);
            assert_eq!(
                entry[0].as_str(),
                Some(object["metadata"]["namespace"].as_str().unwrap_or_default())
            );
            assert_eq!(entry[1], object["metadata"]["name"]);
            assert_eq!(
                entry[2].as_str().unwrap(),
                URL_SAFE_NO_PAD.encode(&digest(&SHA256, line.as_bytes()).as_ref()[..16])
            );
            assert_eq!(entry[2].as_str().unwrap().len(), 22);
            assert_eq!(entry[3].as_u64().unwrap(), line.len() as u64);
            assert!(line.starts_with("{\"apiVersion\":\"") && line.contains(",\"kind\":\""));
            named += 1;
        }
        assert!(lines.peek().is_none_or(Value::is_object));
    }
    assert_eq!(named, 3);
    let first = String::from_utf8(objects[0].plaintext.clone()).unwrap();
    documented(&format!(
        "[\"shop\",\"greeting\",\"<digest>\",{}]",
        first.lines().next().unwrap().len()
    ));
}

#[test]
fn the_manifest_can_be_checked_with_nothing_but_the_page() {
    let envelope: Value = serde_json::from_slice(&fixture("manifest.json")).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let signature = STANDARD
        .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
        .unwrap();
    let pem = String::from_utf8(fixture("signer.pem")).unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(der).unwrap();
    let message = [
        format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(),
        &payload,
    ]
    .concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der[26..])
        .verify(&message, &signature)
        .unwrap();
    assert_eq!(
        envelope["signatures"][0]["keyid"],
        format!("sha256:{}", hex::encode(digest(&SHA256, &der)))
    );

    let statement: Value = serde_json::from_slice(&payload).unwrap();
    for subject in statement["subject"].as_array().unwrap() {
        let file = fixture(subject["name"].as_str().unwrap());
        assert_eq!(subject["digest"]["sha256"], hex::encode(digest(&SHA256, &file)));
    }
    assert_eq!(envelope["signatures"][0]["publicKey"], STANDARD.encode(&der));
    // Every field of the predicate, of a key and of a cluster must be documented.
    let predicate = &statement["predicate"];
    for object in [
        predicate,
        &predicate["keys"][0],
        &predicate["keys"][0]["recipients"][0],
        &predicate["clusters"][0],
        &predicate["infrastructure"],
    ] {
        for field in object.as_object().unwrap().keys() {
            documented(field);
        }
    }
}
