//! Keys in KMS.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use lifeboat_aws::{KmsSigner, KmsUnwrapper};
use lifeboat_format::keys::{DataKey, Fingerprint};
use lifeboat_model::{Arn, Code, Diagnostic as _, ErrorKind, KmsKeyId, Region};
use lifeboat_store::ports::{KeyUnwrapper as _, Signer as _};

use crate::fixture::{context, run};

fn kms() -> aws_sdk_kms::Client {
    // The local AWS takes seconds to create an RSA key of 4096 bits, and longer on a busy machine.
    let patient = TimeoutConfig::builder()
        .read_timeout(Duration::from_secs(300))
        .build();
    let config = (context().sdk_config().clone().into_builder())
        .timeout_config(patient)
        .build();
    aws_sdk_kms::Client::new(&config)
}

pub(crate) async fn key(spec: KeySpec, usage: KeyUsageType) -> Arn {
    let made = kms().create_key().key_spec(spec).key_usage(usage).send().await;
    Arn::parse(made.unwrap().key_metadata.unwrap().arn.unwrap()).unwrap()
}

#[test]
fn a_signature_of_kms_verifies_offline() {
    run(async {
        let arn = key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
        let signer = KmsSigner::open(&context(), &arn).await.unwrap();
        // Longer than a message that KMS accepts.
        let message = vec![b'x'; 10_000];
        let signature = signer.sign(&message).await.unwrap();
        signer.verifying_key().verify(&message, &signature).unwrap();
        signer
            .verifying_key()
            .verify(&message[1..], &signature)
            .unwrap_err();

        kms().disable_key().key_id(arn.as_str()).send().await.unwrap();
        let error = signer.sign(&message).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    });
}

#[test]
fn a_signing_key_of_another_kind_is_named_with_what_it_is() {
    run(async {
        let signing = key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
        let error = KmsUnwrapper::open(&context(), &signing).await.unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedKeyType);
        assert!(
            error.to_string().contains("ECC_NIST_P256 for SIGN_VERIFY"),
            "{error}"
        );
        let agreement = key(KeySpec::EccNistP256, KeyUsageType::KeyAgreement).await;
        let error = KmsSigner::open(&context(), &agreement).await.unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedKeyType);
        let symmetric = key(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await;
        KmsSigner::open(&context(), &symmetric).await.unwrap_err();
        let nowhere = format!("{}0", signing.as_str());
        let error = KmsSigner::open(&context(), &Arn::parse(nowhere).unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}");
    });
}

#[test]
fn a_recovery_key_is_named_by_alias_or_arn_and_stays_the_same_when_the_alias_moves() {
    run(async {
        let arn = key(KeySpec::Rsa4096, KeyUsageType::EncryptDecrypt).await;
        let alias = "alias/lifeboat-recovery";
        let made = kms().create_alias().alias_name(alias).target_key_id(arn.as_str());
        made.send().await.unwrap();
        let named = KmsKeyId::parse(alias).unwrap();
        let unwrapper = KmsUnwrapper::open_named(&context(), &named).await.unwrap();
        let wrapped = unwrapper
            .recipient()
            .wrap(&DataKey::from_random([7; 32]))
            .unwrap();
        kms().delete_alias().alias_name(alias).send().await.unwrap();
        let key = unwrapper.unwrap_key(&wrapped).await.unwrap();
        assert_eq!(key.expose(), &[7; 32]);
        // The Region of an ARN counts, not that of the context.
        let elsewhere = context().in_region(&Region::parse("us-east-1").unwrap());
        let named = KmsKeyId::parse(arn.as_str()).unwrap();
        let same = KmsUnwrapper::open_named(&elsewhere, &named).await.unwrap();
        assert_eq!(same.fingerprint(), unwrapper.fingerprint());
        let nobody = KmsKeyId::parse("alias/nobody").unwrap();
        let error = KmsUnwrapper::open_named(&context(), &nobody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}");
    });
}

#[test]
fn a_data_key_is_unwrapped_by_the_key_that_it_was_wrapped_for_and_no_other() {
    run(async {
        let arn = key(KeySpec::Rsa4096, KeyUsageType::EncryptDecrypt).await;
        let error = KmsSigner::open(&context(), &arn).await.unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedKeyType);
        let unwrapper = KmsUnwrapper::open(&context(), &arn).await.unwrap();
        let mut wrapped = unwrapper
            .recipient()
            .wrap(&DataKey::from_random([7; 32]))
            .unwrap();
        assert_eq!(wrapped.recipient, unwrapper.fingerprint());
        let key = unwrapper.unwrap_key(&wrapped).await.unwrap();
        assert_eq!(key.expose(), &[7; 32]);
        let mut damaged = wrapped.clone();
        damaged.ciphertext[100] ^= 1;
        let error = unwrapper.unwrap_key(&damaged).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        wrapped.recipient = Fingerprint::of_spki(b"another");
        let error = unwrapper.unwrap_key(&wrapped).await.unwrap_err();
        assert_eq!(error.code(), Code::RecoveryKeyMismatch);
    });
}
