#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lifeboat_model::{Code, Diagnostic as _, ErrorKind};
use serde_json::{Value, json};

use super::*;
use crate::keys::{Fingerprint, VerifyingKey};

struct Signer {
    pair: EcdsaKeyPair,
    key: VerifyingKey,
}

impl Signer {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let key = VerifyingKey::from_point(pair.public_key().as_ref()).unwrap();
        Self { pair, key }
    }

    fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), &pae(payload)).unwrap();
        Envelope::new(payload, &self.key, signature.as_ref()).to_bytes()
    }

    fn open(&self, bytes: &[u8]) -> Result<Statement, ManifestError> {
        open_envelope(bytes, &self.key)
    }
}

#[test]
fn a_signed_statement_comes_back() {
    let signer = Signer::new();
    let statement = sample::statement();
    let sealed = signer.seal(&payload(&statement));
    assert_eq!(signer.open(&sealed).unwrap(), statement);
}

#[test]
fn the_same_content_gives_the_same_bytes_in_canonical_order() {
    let statement = sample::statement();
    let names: Vec<&str> = statement.subject.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "_infrastructure/d-0001.pack",
            "primary/i-0000.pack",
            "primary/p-0000.pack"
        ]
    );
    let infrastructure = statement.predicate.infrastructure.as_ref().unwrap();
    assert_eq!(infrastructure.resources[0].r#type, "AWS::EC2::VPC");
    let cluster = &statement.predicate.clusters[0];
    assert_eq!(cluster.dependencies["images"], ["a", "b"]);
    assert_eq!(cluster.types[0].resource, "events");

    let mut shuffled = sample::predicate();
    shuffled.clusters[0].types.reverse();
    shuffled.clusters[0].packs.reverse();
    shuffled.infrastructure.as_mut().unwrap().resources.reverse();
    assert_eq!(payload(&Statement::new(shuffled)), payload(&statement));
    let again: Statement = serde_json::from_slice(&payload(&statement)).unwrap();
    assert_eq!(payload(&again), payload(&statement));
}

#[test]
fn the_pre_authentication_encoding_is_that_of_dsse() {
    // The protocol's test vector, with our payload type.
    assert_eq!(
        pae(b"hello world"),
        b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
    );
}

#[test]
fn other_signers_and_changed_bytes_are_told_apart() {
    let (signer, other) = (Signer::new(), Signer::new());
    let sealed = signer.seal(&payload(&sample::statement()));
    let error = other.open(&sealed).unwrap_err();
    assert!(matches!(error, ManifestError::OtherSigner { .. }), "{error}");
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Denied, Code::SignatureInvalid)
    );

    let mut envelope: Envelope = serde_json::from_slice(&sealed).unwrap();
    envelope.payload = STANDARD.encode(payload(&Statement::new(Predicate {
        format_version: 99,
        ..sample::predicate()
    })));
    let error = signer.open(&envelope.to_bytes()).unwrap_err();
    assert!(
        matches!(error, ManifestError::BadSignature { .. }),
        "nothing of an unsigned payload is read: {error}"
    );

    let text = String::from_utf8(sealed.clone()).unwrap();
    let hostile = text.replace(signer.key.fingerprint().as_str(), "\\u001b[2Jhello");
    let error = other.open(hostile.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("signed by an unknown key, not"),
        "{error}"
    );

    let mut forged = other.seal(&payload(&sample::statement()));
    let text = String::from_utf8(forged).unwrap();
    forged = text
        .replace(
            other.key.fingerprint().as_str(),
            signer.key.fingerprint().as_str(),
        )
        .into_bytes();
    assert!(matches!(
        signer.open(&forged),
        Err(ManifestError::BadSignature { .. })
    ));
}

#[test]
fn any_flipped_bit_of_the_manifest_changes_nothing_or_is_refused() {
    let signer = Signer::new();
    let statement = sample::statement();
    let sealed = signer.seal(&payload(&statement));
    // Flips one bit of every byte: a signature check is too slow for all eight bits in a debug build.
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1 << (at % 8);
        if let Ok(opened) = signer.open(&changed) {
            // Only changes of unsigned hints are accepted: the key id, and white space at the end.
            assert_eq!(opened, statement, "byte {at}");
        }
    }
}

#[test]
fn dsse_in_other_clothes_is_accepted() {
    let (signer, other) = (Signer::new(), Signer::new());
    let body = payload(&sample::statement());
    let envelope: Value = serde_json::from_slice(&signer.seal(&body)).unwrap();
    let stranger: Value = serde_json::from_slice(&other.seal(&body)).unwrap();
    let dressed = json!({
        "signatures": [stranger["signatures"][0], {"sig": envelope["signatures"][0]["sig"], "extra": 1}, {"sig": "!"}],
        "payload": URL_SAFE.encode(&body),
        "payloadType": PAYLOAD_TYPE,
        "extension": {},
    });
    signer.open(&serde_json::to_vec(&dressed).unwrap()).unwrap();
}

#[test]
fn what_is_no_envelope_is_refused() {
    let signer = Signer::new();
    for wrong in [
        "",
        "{}",
        "null",
        r#"{"payloadType":"application/vnd.in-toto+json","payload":"!","signatures":[]}"#,
    ] {
        let error = signer.open(wrong.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ManifestError::NotAnEnvelope { .. }),
            "{wrong}: {error}"
        );
    }
    let unsigned = r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}"#;
    assert!(matches!(
        signer.open(unsigned.as_bytes()),
        Err(ManifestError::BadSignature { .. })
    ));
    let other = unsigned.replace("in-toto+json", "cyclonedx");
    assert!(matches!(
        signer.open(other.as_bytes()),
        Err(ManifestError::PayloadType { .. })
    ));
}

/// Signs the sample after `change`, as a faulty or newer writer would.
fn opened_after(change: impl FnOnce(&mut Value)) -> Result<Statement, ManifestError> {
    let signer = Signer::new();
    let mut value = serde_json::to_value(sample::statement()).unwrap();
    change(&mut value);
    signer.open(&signer.seal(&serde_json::to_vec(&value).unwrap()))
}

#[test]
fn newer_formats_are_refused_as_such_and_additions_are_not() {
    for change in [
        (|v: &mut Value| v["predicateType"] = "https://lifeboat.dev/recovery-point/v2".into())
            as fn(&mut Value),
        |v| v["_type"] = "https://in-toto.io/Statement/v2".into(),
        |v| v["predicate"]["formatVersion"] = (FORMAT_VERSION + 1).into(),
        |v| v["predicate"] = json!({"formatVersion": 7, "everything": "else"}),
    ] {
        let error = opened_after(change).unwrap_err();
        assert!(matches!(error, ManifestError::NewerFormat { .. }), "{error}");
        assert_eq!(error.code(), Code::NewerFormat);
    }
    opened_after(|v| {
        v["predicate"]["added"] = json!({"later": 1});
        v["predicate"]["clusters"][0]["packs"][0]["added"] = 1.into();
        v["predicate"]["clusters"][0]["types"][0]["added"] = 1.into();
    })
    .unwrap();
}

#[test]
fn each_broken_rule_is_named() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 32] = [
        (
            |v| v["predicate"]["formatVersion"] = 0.into(),
            "formatVersion 0 is unknown",
        ),
        (|v| v["predicate"]["formatVersion"] = "1".into(), "invalid type"),
        (
            |v| drop(v["predicate"].as_object_mut().unwrap().remove("point")),
            "missing field `point`",
        ),
        (|v| v["predicate"]["point"] = "latest".into(), "recovery point id"),
        (
            |v| v["predicate"]["completeness"] = "Complete".into(),
            "its completeness is Complete",
        ),
        (
            |v| v["predicate"]["clusters"] = json!([]),
            "it contains no cluster",
        ),
        (
            |v| twice(&mut v["predicate"]["clusters"]),
            "the cluster \"primary\" appears twice",
        ),
        (
            |v| twice(&mut v["predicate"]["keys"]),
            "the key \"k-0\" appears twice",
        ),
        (
            |v| v["predicate"]["keys"] = json!([]),
            "the key \"k-0\" of the pack",
        ),
        (
            |v| v["predicate"]["keys"][0]["recipients"][0]["algorithm"] = "RSA-PKCS1".into(),
            "unknown variant",
        ),
        (
            |v| v["predicate"]["keys"][0]["recipients"] = json!([]),
            "the key \"k-0\" has no recipient",
        ),
        (
            |v| twice(&mut v["predicate"]["keys"][0]["recipients"]),
            "has the recipient sha256:",
        ),
        (
            |v| v["predicate"]["keys"][0]["application"] = "other".into(),
            "the key \"k-0\" is not one of the application \"shop\"",
        ),
        (
            |v| v["predicate"]["keys"][0]["cluster"] = "secondary".into(),
            "the key \"k-0\" of the pack \"primary/i-0000.pack\" is not one of its cluster",
        ),
        (
            |v| v["predicate"]["clusters"][0]["packs"][0]["version"] = 1.into(),
            "is not of this version of the format",
        ),
        (
            |v| v["predicate"]["formatVersion"] = 2.into(),
            "the key \"k-0\" is not of this version of the format",
        ),
        (
            |v| twice(&mut v["subject"]),
            "the subject \"_infrastructure/d-0001.pack\" appears twice",
        ),
        (
            |v| v["subject"][0]["digest"]["sha256"] = "0".repeat(64).into(),
            "differs from that of the pack",
        ),
        (
            |v| v["subject"][0]["digest"]["sha256"] = "xyz".into(),
            "64 lower-case hexadecimal digits",
        ),
        (
            |v| v["subject"][1]["name"] = "primary/x.pack".into(),
            "the pack \"primary/i-0000.pack\" is not a subject",
        ),
        (
            |v| {
                drop(
                    v["predicate"]["clusters"][0]["packs"]
                        .as_array_mut()
                        .unwrap()
                        .remove(0),
                )
            },
            "is not a pack",
        ),
        (
            |v| twice(&mut v["predicate"]["clusters"][0]["packs"]),
            "appears twice",
        ),
        (
            |v| v["predicate"]["clusters"][0]["packs"][0]["name"] = "other/i.pack".into(),
            "folder of its cluster",
        ),
        (
            |v| v["predicate"]["clusters"][0]["packs"][0]["point"] = "20261121T112233Z-7f3a9c".into(),
            "not an earlier one",
        ),
        (
            |v| v["predicate"]["clusters"][0]["missing"][0]["group"] = "apps".into(),
            "needs exactly one of type and group",
        ),
        (
            |v| v["predicate"]["formatVersion"] = 3.into(),
            "descriptions are not of this version of the format",
        ),
        (
            |v| v["predicate"]["infrastructure"]["pack"] = Value::Null,
            "it names AWS resources without a pack of their descriptions",
        ),
        (
            |v| v["predicate"]["infrastructure"]["pack"]["name"] = "primary/d-0001.pack".into(),
            "the pack \"primary/d-0001.pack\" is not one of descriptions",
        ),
        (
            |v| v["predicate"]["infrastructure"]["pack"]["kind"] = "objects".into(),
            "is not one of descriptions",
        ),
        (
            |v| v["predicate"]["infrastructure"]["pack"]["key"] = "k-0".into(),
            "the key \"k-0\" of the pack \"_infrastructure/d-0001.pack\" is one of a cluster",
        ),
        (
            |v| v["predicate"]["infrastructure"]["pack"]["point"] = "20261121T112233Z-7f3a9c".into(),
            "not an earlier one",
        ),
        (
            |v| v["predicate"]["clusters"][0]["packs"][0]["kind"] = "descriptions".into(),
            "of a cluster contains descriptions",
        ),
    ];
    for (change, expected) in cases {
        let error = opened_after(change).unwrap_err();
        assert!(matches!(error, ManifestError::Malformed { .. }), "{error}");
        assert!(
            error.to_string().contains(expected),
            "{error} does not say {expected:?}"
        );
        assert_eq!(error.code(), Code::ManifestMalformed);
    }
    let without = |failed: bool, unread: bool| {
        opened_after(|v| {
            v["predicate"]["completeness"] = "Complete".into();
            v["predicate"]["clusters"][0]["missing"] = json!([]);
            if failed {
                v["predicate"]["clusters"][0]["types"] = json!([]);
            }
            if unread {
                v["predicate"]["infrastructure"]["missing"] = json!([]);
            }
        })
    };
    without(true, true).unwrap();
    assert!(
        without(false, true).is_err(),
        "a failed type alone makes a point partial"
    );
    assert!(
        without(true, false).is_err(),
        "an AWS resource that was not read alone makes a point partial"
    );
}

fn twice(list: &mut Value) {
    let list = list.as_array_mut().unwrap();
    list.insert(0, list[0].clone());
}

#[test]
fn the_json_schema_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/recovery-point-v4.json");
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == current,
        "{} is not current: run `cargo run -p lifeboat-format --example schema > crates/format/schema/recovery-point-v4.json`",
        path.display()
    );
}

#[test]
fn a_wrapped_key_is_found_by_the_fingerprint_of_its_recipient_and_records_of_before_are_read() {
    let record = sample::predicate().keys.remove(0);
    let recipient = record.recipients[0].recipient.clone();
    let found = record.for_recipient(&recipient).unwrap();
    assert_eq!(
        (found.recipient, found.ciphertext),
        (recipient.clone(), vec![1, 2, 3])
    );
    assert!(record.for_recipient(&Fingerprint::of_spki(b"another")).is_none());
    let again: WrappedKeyRecord = serde_json::from_value(serde_json::to_value(&record).unwrap()).unwrap();
    assert_eq!(again, record);

    let before = json!({
        "id": "k-0", "algorithm": "RSA-OAEP-SHA-256", "recipient": recipient, "wrapped": "AQID",
    });
    let before: WrappedKeyRecord = serde_json::from_value(before).unwrap();
    assert_eq!(before.recipients, record.recipients);
    assert_eq!((before.application, before.cluster), (None, None));
    serde_json::from_value::<WrappedKeyRecord>(json!({"id": "k-0", "wrapped": "AQID"})).unwrap_err();
}

#[test]
fn the_signers_of_an_envelope_are_named_and_a_key_under_another_fingerprint_is_not_taken() {
    let (signer, other) = (Signer::new(), Signer::new());
    let sealed = signer.seal(&payload(&sample::statement()));
    let named = named_signers(&sealed).unwrap();
    assert_eq!(named.len(), 1);
    assert_eq!(&named[0].fingerprint, signer.key.fingerprint());
    assert_eq!(named[0].key.as_ref().unwrap().to_pem(), signer.key.to_pem());

    let mut envelope: Value = serde_json::from_slice(&sealed).unwrap();
    let mut changed = |field: &str, value: Value| {
        let before = std::mem::replace(&mut envelope["signatures"][0][field], value);
        let named = named_signers(&serde_json::to_vec(&envelope).unwrap()).unwrap();
        envelope["signatures"][0][field] = before;
        named
    };
    assert!(
        changed("keyid", other.key.fingerprint().as_str().into())[0]
            .key
            .is_none()
    );
    assert!(
        changed("publicKey", STANDARD.encode(other.key.to_der()).into())[0]
            .key
            .is_none()
    );
    assert!(changed("publicKey", "!".into())[0].key.is_none());
    assert!(changed("keyid", "nobody".into()).is_empty());
    named_signers(b"{}").unwrap_err();
}

/// Each `""` takes three bytes in JSON and 24 in memory.
#[test]
fn a_manifest_that_would_unfold_to_many_times_its_size_is_refused_before_it_is_parsed() {
    let signer = Signer::new();
    let body = String::from_utf8(payload(&sample::statement())).unwrap();
    let flood = format!("\"images\":[\"\"{}", ",\"\"".repeat(crate::limits::MAX_VALUES));
    let body = body.replace("\"images\":[", &format!("{flood},"));
    assert!(body.len() < crate::limits::MAX_MANIFEST / 2);
    let error = signer.open(&signer.seal(body.as_bytes())).unwrap_err();
    assert!(matches!(error, ManifestError::OverLimit(_)), "{error}");
    assert_eq!(error.code(), Code::OverLimit);

    let spaces = vec![b' '; crate::limits::MAX_MANIFEST + 1];
    for error in [
        signer.open(&spaces).unwrap_err(),
        named_signers(&spaces).unwrap_err(),
    ] {
        assert!(matches!(error, ManifestError::OverLimit(_)), "{error}");
    }
    let wide = opened_after(|v| {
        let mut cluster = v["predicate"]["clusters"][0].clone();
        cluster["packs"] = json!([]);
        let clusters = (0..300).map(|number| {
            cluster["name"] = format!("c-{number}").into();
            cluster.clone()
        });
        v["predicate"]["clusters"] = clusters.collect();
    });
    assert_eq!(wide.unwrap_err().code(), Code::OverLimit);
}

/// Anybody who can write the file can add signatures, which nothing signs.
#[test]
fn only_the_first_signatures_are_looked_at() {
    let signer = Signer::new();
    let sealed = signer.seal(&payload(&sample::statement()));
    let mut envelope: Value = serde_json::from_slice(&sealed).unwrap();
    let signatures = envelope["signatures"].as_array_mut().unwrap();
    let true_one = signatures[0].clone();
    signatures.extend(std::iter::repeat_n(json!({"keyid": "", "sig": ""}), 100_000));
    signer.open(&serde_json::to_vec(&envelope).unwrap()).unwrap();
    let signatures = envelope["signatures"].as_array_mut().unwrap();
    signatures.rotate_left(1);
    assert_eq!(signatures.last(), Some(&true_one));
    let error = signer.open(&serde_json::to_vec(&envelope).unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::SignatureInvalid);
}
