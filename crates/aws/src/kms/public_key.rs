//! Public keys as parameters: PEM, or the base64 of either DER or PEM.
//!
//! `aws kms get-public-key --query PublicKey --output text` prints the base64 of DER. The value of a CloudFormation
//! parameter is copied most reliably on one line, which is the case for PEM only if encoded as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_format::keys::{KeyError, RecipientKey, VerifyingKey};

/// Parses the public halves of the recovery keys, for each of which data keys are wrapped: PEM, in which they follow one
/// another, or one key or several with commas between them in one of the other forms.
///
/// # Errors
/// [`KeyError`] if one is not an RSA key with 4096 bits in one of the forms, or there is none.
pub fn recipient_keys(text: &str) -> Result<Vec<RecipientKey>, KeyError> {
    let mut keys = Vec::new();
    for part in text.split(',') {
        match decoded(part) {
            Form::Pem(pem) => keys.extend(RecipientKey::list_from_pem(&pem)?),
            Form::Der(der) => keys.push(RecipientKey::from_der(&der)?),
        }
    }
    Ok(keys)
}

/// Parses the public half of a signing key.
///
/// # Errors
/// [`KeyError`] if the text is not a P-256 key in one of the forms.
pub fn verifying_key(text: &str) -> Result<VerifyingKey, KeyError> {
    match decoded(text) {
        Form::Pem(pem) => VerifyingKey::from_pem(&pem),
        Form::Der(der) => VerifyingKey::from_der(&der),
    }
}

/// Parses the public halves of the coordinator's signing key: one, or several separated by commas while the key is
/// changed.
///
/// # Errors
/// [`KeyError`] if one of the texts is not a P-256 key in one of the forms.
pub fn verifying_keys(text: &str) -> Result<Vec<VerifyingKey>, KeyError> {
    text.split(',').map(verifying_key).collect()
}

enum Form {
    Pem(String),
    Der(Vec<u8>),
}

/// Detects the form of a key. Text of any other form is treated as PEM, whose parser reports what is expected.
fn decoded(text: &str) -> Form {
    let as_text = || Form::Pem(text.to_owned());
    if text.contains("-----BEGIN ") {
        return as_text();
    }
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match STANDARD.decode(packed) {
        Ok(bytes) if bytes.starts_with(b"-----BEGIN ") => {
            Form::Pem(String::from_utf8_lossy(&bytes).into_owned())
        }
        Ok(bytes) if !bytes.is_empty() => Form::Der(bytes),
        _ => as_text(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use lifeboat_format::pem;

    use super::*;

    #[test]
    fn every_form_of_a_key_is_the_same_key() {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.unwrap().as_ref());
        let key = VerifyingKey::from_point(pair.unwrap().public_key().as_ref()).unwrap();
        let text = key.to_pem();
        let (_, der) = pem::decode(&text).unwrap();
        let der = STANDARD.encode(der);
        let wrapped = format!("{}\n{}\n", &der[..76], &der[76..]);
        for form in [text.clone(), STANDARD.encode(&text), der, wrapped] {
            assert_eq!(
                verifying_key(&form).unwrap().fingerprint(),
                key.fingerprint(),
                "{form}"
            );
            recipient_keys(&form).unwrap_err();
            let two = format!("{form},{text}");
            assert_eq!(verifying_keys(&two).unwrap().len(), 2, "{two}");
        }
        for wrong in ["", "hunter2", "arn:aws:kms:eu-west-1:1:key/x", "AAAA"] {
            verifying_key(wrong).unwrap_err();
            verifying_keys(&format!("{wrong},")).unwrap_err();
        }
    }

    #[test]
    fn several_recovery_keys_are_read_in_every_form() {
        let pem_of = || {
            let pair = PrivateDecryptingKey::generate(KeySize::Rsa4096).unwrap();
            let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&pair.public_key()).unwrap();
            pem::encode("PUBLIC KEY", spki.as_ref())
        };
        let (one, other) = (pem_of(), pem_of());
        let der = |text: &str| STANDARD.encode(pem::decode(text).unwrap().1);
        for form in [
            format!("{one}{other}"),
            STANDARD.encode(format!("{one}{other}")),
            format!("{},{}", der(&one), der(&other)),
            format!("{},\n{}", STANDARD.encode(&one), der(&other)),
        ] {
            let keys = recipient_keys(&form).unwrap();
            let found: Vec<String> = keys.iter().map(RecipientKey::to_pem).collect();
            assert_eq!(found, [one.clone(), other.clone()], "{form}");
        }
        assert_eq!(recipient_keys(&der(&one)).unwrap().len(), 1);
        for wrong in [
            String::new(),
            format!("{},", der(&one)),
            format!("{},AAAA", der(&one)),
        ] {
            recipient_keys(&wrong).unwrap_err();
        }
    }
}
