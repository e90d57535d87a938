#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use futures::executor::block_on;
use lifeboat_model::Epoch;

use super::*;
use crate::keys::JobFile;
use crate::testing::{assignment, signer};

const JOB: &str = "shop/20261121T112233Z-7f3a9c-check";

#[test]
fn two_signatures_of_a_document_differ_and_its_content_is_equal() {
    let (signer, document) = (signer(), assignment(JOB, Epoch::FIRST));
    let key = JobFile::Assignment(Epoch::FIRST).key(&document.job);
    let sign = || block_on(sign(&document, &signer)).unwrap();
    let (one, two) = (sign(), sign());
    assert_ne!(one, two, "ECDSA signatures are random");
    let keys = [signer.verifying_key().clone()];
    for bytes in [&one, &two] {
        for trust in [Trust::Content, Trust::Keys(&keys)] {
            assert_eq!(read_signed::<Assignment>(&key, bytes, trust).unwrap(), document);
        }
    }
}

#[test]
fn every_byte_of_a_signed_document_counts() {
    let (signer, document) = (signer(), assignment(JOB, Epoch::FIRST));
    let key = JobFile::Assignment(Epoch::FIRST).key(&document.job);
    let file: SignedFile = serde_json::from_slice(&block_on(sign(&document, &signer)).unwrap()).unwrap();
    let keys = [signer.verifying_key().clone()];
    for at in 0..file.payload.len() {
        let mut forged = file.clone();
        let other = if forged.payload.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        forged.payload.replace_range(at..=at, other);
        let bytes = serde_json::to_vec(&forged).unwrap();
        read_signed::<Assignment>(&key, &bytes, Trust::Keys(&keys)).unwrap_err();
    }
}
