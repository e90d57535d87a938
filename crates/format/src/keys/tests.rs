#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
};

use super::*;

fn spki(key: &PrivateDecryptingKey) -> Vec<u8> {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    der.as_ref().to_vec()
}

#[test]
fn a_data_key_is_wrapped_so_that_only_the_private_half_reads_it() {
    let private = PrivateDecryptingKey::generate(KeySize::Rsa4096).unwrap();
    let der = spki(&private);
    let recipient = RecipientKey::from_pem(&pem::encode("PUBLIC KEY", &der)).unwrap();
    assert_eq!(
        RecipientKey::from_pem(&recipient.to_pem()).unwrap().fingerprint(),
        recipient.fingerprint()
    );
    assert_eq!(
        recipient.fingerprint().as_str(),
        format!("sha256:{}", Sha256::of(&der))
    );

    let data_key = DataKey::from_random([9; 32]);
    let wrapped = recipient.wrap(&data_key).unwrap();
    assert_eq!(wrapped.ciphertext.len(), 512);
    assert_eq!(&wrapped.recipient, recipient.fingerprint());
    assert_ne!(recipient.wrap(&data_key).unwrap(), wrapped, "OAEP is randomised");

    let private = OaepPrivateDecryptingKey::new(private).unwrap();
    let mut out = vec![0; private.min_output_size()];
    let bytes = private
        .decrypt(&OAEP_SHA256_MGF1SHA256, &wrapped.ciphertext, &mut out, None)
        .unwrap();
    assert_eq!(DataKey::from_bytes(bytes).unwrap().expose(), data_key.expose());
}

#[test]
fn wrong_keys_are_told_apart() {
    let small = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let public = pem::encode("PUBLIC KEY", &spki(&small));
    let der: Pkcs8V1Der<'_> = small.as_der().unwrap();
    let private = pem::encode("PRIVATE KEY", der.as_ref());

    let too_small = RecipientKey::from_pem(&public).unwrap_err();
    assert_eq!(too_small.to_string(), "the key is not an RSA key with 4096 bits");
    assert_eq!(too_small.code(), Code::UnsupportedKeyType);
    assert_eq!(
        VerifyingKey::from_pem(&public).unwrap_err().code(),
        Code::UnsupportedKeyType
    );
    for half in [
        RecipientKey::from_pem(&private).unwrap_err(),
        VerifyingKey::from_pem(&private).unwrap_err(),
    ] {
        assert_eq!(half.code(), Code::PublicPrivateKeyMismatch);
        assert_eq!(
            half.to_string(),
            "this is a private key (PRIVATE KEY); a public key is required"
        );
    }
    for text in [
        "",
        "hello",
        "-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----",
    ] {
        assert_eq!(RecipientKey::from_pem(text).unwrap_err(), KeyError::Unreadable);
    }
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
    let p384 = p384.public_key().as_der().unwrap();
    assert_eq!(
        VerifyingKey::from_der(p384.as_ref()).unwrap_err().code(),
        Code::UnsupportedKeyType
    );
    assert!(VerifyingKey::from_point(&[4; 65]).is_err(), "not on the curve");
    assert_eq!(
        DataKey::from_bytes(&[1; 16]).unwrap_err(),
        KeyError::DataKeyLength { found: 16 }
    );
}

#[test]
fn signatures_fit_their_message_and_key_only() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let key = VerifyingKey::from_point(pair.public_key().as_ref()).unwrap();
    let der = pair.public_key().as_der().unwrap();
    assert_eq!(
        VerifyingKey::from_der(der.as_ref()).unwrap().fingerprint(),
        key.fingerprint(),
        "the fingerprint is that of the library's own encoding"
    );
    let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
    key.verify(b"message", signature.as_ref()).unwrap();
    assert_eq!(
        key.verify(b"massage", signature.as_ref()),
        Err(KeyError::Signature)
    );
    assert_eq!(key.verify(b"message", b""), Err(KeyError::Signature));
    let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let other = VerifyingKey::from_point(other.public_key().as_ref()).unwrap();
    assert!(other.verify(b"message", signature.as_ref()).is_err());
    assert_eq!(
        VerifyingKey::from_pem(&key.to_pem()).unwrap().fingerprint(),
        key.fingerprint()
    );
}

#[test]
fn fingerprints_are_parsed_strictly() {
    let good = format!("sha256:{}", "0a".repeat(32));
    assert_eq!(good.parse::<Fingerprint>().unwrap().as_str(), good);
    for wrong in [
        "",
        "sha256:",
        "md5:00",
        &good[..70],
        &format!("{good}0"),
        &good.replace('a', "A"),
    ] {
        assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
    }
}

#[test]
fn the_redaction_key_is_neither_the_data_key_nor_that_of_another() {
    let key = DataKey::from_random([7; 32]);
    let redaction = key.redaction_key();
    assert_ne!(redaction.as_ref(), key.expose());
    assert_ne!(redaction, DataKey::from_random([8; 32]).redaction_key());
    // Computed from RFC 5869 with an independent implementation of HMAC.
    assert_eq!(
        hex::encode(redaction.as_ref()),
        "fb8cce481f23d03cc75911e538374be70a96b00d366879b379f96b64af4835b3"
    );
}

#[test]
fn several_keys_follow_one_another_and_a_data_key_is_wrapped_for_each_once() {
    let pem_of = || {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa4096).unwrap();
        pem::encode("PUBLIC KEY", &spki(&private))
    };
    let (one, other) = (pem_of(), pem_of());
    let text = format!("the key of the account\n{one}and of the second\n{other}{one}");
    let keys = RecipientKey::list_from_pem(&text).unwrap();
    assert_eq!(keys.len(), 3);

    let (application, cluster) = ("shop".parse().unwrap(), "primary".parse().unwrap());
    let data_key = DataKey::from_random([9; 32]);
    let wrap = |keys: &[RecipientKey]| {
        crate::manifest::WrappedKeyRecord::wrap("k-0", &application, Some(&cluster), &data_key, keys)
    };
    let record = wrap(&keys).unwrap();
    let mut expected = [keys[0].fingerprint(), keys[1].fingerprint()];
    expected.sort();
    assert_eq!(record.fingerprints().collect::<Vec<_>>(), expected);
    assert_eq!(
        (record.application, record.cluster),
        (Some(application.clone()), Some(cluster.clone()))
    );
    assert_eq!(wrap(&[]).unwrap_err(), KeyError::NoRecipient);

    assert_eq!(
        RecipientKey::list_from_pem("nothing").unwrap_err(),
        KeyError::Unreadable
    );
    let broken = format!("{one}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    assert_eq!(
        RecipientKey::list_from_pem(&broken).unwrap_err().code(),
        Code::UnsupportedKeyType
    );
}
