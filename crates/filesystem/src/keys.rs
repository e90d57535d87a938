//! Keys in PEM files.
//!
//! A set of keys has four files. A backup needs `recovery.pub.pem`, which encrypts, and `signing.key.pem`,
//! which signs. A restore needs `recovery.key.pem`, which decrypts, and `signing.pub.pem`, which verifies;
//! `recovery.key.pem` should not exist where backups are made.
//!
//! Public keys are SubjectPublicKeyInfo (`BEGIN PUBLIC KEY`) and private keys are PKCS#8 without a password
//! (`BEGIN PRIVATE KEY`), as written by `openssl pkey -pubout` and `openssl genpkey`.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use lifeboat_format::keys::{DataKey, Fingerprint, RecipientKey, VerifyingKey, WrappedKey};
use lifeboat_format::pem;
use lifeboat_store::ports::{KeyError, KeyUnwrapper, Signer};
use zeroize::Zeroizing;

mod error;
mod generate;

pub use error::{KeyPart, PemError};
pub use generate::{KeyFiles, generate};

/// The maximum size of a key file in bytes. Larger files are not keys; a wrong path must not exhaust the
/// memory.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// Reads the public half of the recovery key.
///
/// # Errors
/// [`PemError::WrongHalf`] for the private half, which should not be present where backups are made.
pub fn load_recipient(path: &Path) -> Result<RecipientKey, PemError> {
    let text = public_text(path)?;
    RecipientKey::from_pem(&text).map_err(|e| PemError::from_public(path, e))
}

/// Reads the public halves of one or more recovery keys from one file, in which they follow one another.
///
/// # Errors
/// As [`load_recipient`], for each of them.
pub fn load_recipients(path: &Path) -> Result<Vec<RecipientKey>, PemError> {
    let text = public_text(path)?;
    RecipientKey::list_from_pem(&text).map_err(|e| PemError::from_public(path, e))
}

/// Reads the public half of a signing key.
///
/// # Errors
/// [`PemError`], by what is wrong with the file.
pub fn load_verifying(path: &Path) -> Result<VerifyingKey, PemError> {
    let text = public_text(path)?;
    VerifyingKey::from_pem(&text).map_err(|e| PemError::from_public(path, e))
}

/// The private half of a recovery key, read from a file.
pub struct PemUnwrapper {
    key: OaepPrivateDecryptingKey,
    fingerprint: Fingerprint,
}

impl std::fmt::Debug for PemUnwrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemUnwrapper({}, [redacted])", self.fingerprint)
    }
}

impl PemUnwrapper {
    /// Reads the private half of the recovery key.
    ///
    /// # Errors
    /// [`PemError::WrongHalf`] for the public half.
    pub fn load(path: &Path) -> Result<Self, PemError> {
        let wrong = || PemError::WrongKind {
            path: path.to_owned(),
            expected: "an RSA key with 4096 bits",
        };
        let der = private_block(path)?;
        let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|_| wrong())?;
        if key.key_size_bits() != RecipientKey::BITS {
            return Err(wrong());
        }
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).map_err(|_| wrong())?;
        Ok(Self {
            fingerprint: Fingerprint::of_spki(spki.as_ref()),
            key: OaepPrivateDecryptingKey::new(key).map_err(|_| wrong())?,
        })
    }
}

#[async_trait]
impl KeyUnwrapper for PemUnwrapper {
    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.clone()
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        if wrapped.recipient != self.fingerprint {
            return Err(KeyError::WrongKey {
                wanted: vec![wrapped.recipient.clone()],
                held: self.fingerprint.clone(),
            });
        }
        let damaged = || KeyError::Unwrap {
            held: self.fingerprint.clone(),
        };
        // This buffer receives the data key in plaintext.
        let mut buffer = Zeroizing::new(vec![0; self.key.min_output_size()]);
        self.key
            .decrypt(&OAEP_SHA256_MGF1SHA256, &wrapped.ciphertext, &mut buffer, None)
            .map_err(|_| damaged())
            .and_then(|bytes| DataKey::from_bytes(bytes).map_err(|_| damaged()))
    }
}

/// A private signing key, read from a file.
pub struct PemSigner {
    key: EcdsaKeyPair,
    verifying: VerifyingKey,
}

impl std::fmt::Debug for PemSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemSigner({}, [redacted])", self.verifying.fingerprint())
    }
}

impl PemSigner {
    /// Reads a private signing key.
    ///
    /// # Errors
    /// [`PemError::WrongHalf`] for the public half.
    pub fn load(path: &Path) -> Result<Self, PemError> {
        let wrong = || PemError::WrongKind {
            path: path.to_owned(),
            expected: "an ECDSA key on the curve P-256",
        };
        let der = private_block(path)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).map_err(|_| wrong())?;
        let verifying = VerifyingKey::from_point(key.public_key().as_ref()).map_err(|_| wrong())?;
        Ok(Self { key, verifying })
    }
}

#[async_trait]
impl Signer for PemSigner {
    fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self.key.sign(&SystemRandom::new(), message) {
            Ok(signature) => Ok(signature.as_ref().to_vec()),
            Err(error) => Err(KeyError::Sign {
                signer: self.fingerprint(),
                source: error.into(),
            }),
        }
    }
}

fn read(path: &Path) -> Result<String, PemError> {
    use std::io::Read;
    let unreadable = |source| PemError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| PemError::NotPem {
        path: path.to_owned(),
    })
}

/// Returns the label and content of the first block that is a key: `openssl ecparam -genkey` writes
/// parameters before it.
fn key_block(text: &str) -> Option<(&str, Vec<u8>)> {
    let mut rest = text;
    loop {
        let (label, der) = pem::decode(rest)?;
        if label != "EC PARAMETERS" {
            return Some((label, der));
        }
        rest = rest.split_once("-----END EC PARAMETERS-----")?.1;
    }
}

fn public_text(path: &Path) -> Result<String, PemError> {
    let text = read(path)?;
    let path = path.to_owned();
    match key_block(&text).map(|(label, _)| label) {
        Some("PUBLIC KEY") => Ok(text),
        Some("RSA PUBLIC KEY") => Err(PemError::Legacy {
            command: format!(
                "openssl rsa -RSAPublicKey_in -in {0} -pubout -out {0}.new",
                path.display()
            ),
            label: "RSA PUBLIC KEY".to_owned(),
            path,
        }),
        Some(label) if label.ends_with("PRIVATE KEY") => Err(PemError::WrongHalf {
            path,
            wanted: KeyPart::Public,
        }),
        _ => Err(PemError::NotPem { path }),
    }
}

fn private_block(path: &Path) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let text = Zeroizing::new(read(path)?);
    let path = path.to_owned();
    match key_block(&text) {
        Some(("PRIVATE KEY", der)) => Ok(Zeroizing::new(der)),
        Some(("ENCRYPTED PRIVATE KEY", _)) => Err(PemError::Encrypted { path }),
        Some((label @ ("RSA PRIVATE KEY" | "EC PRIVATE KEY"), _)) => Err(PemError::Legacy {
            command: format!(
                "openssl pkcs8 -topk8 -nocrypt -in {0} -out {0}.new",
                path.display()
            ),
            label: label.to_owned(),
            path,
        }),
        Some(("PUBLIC KEY" | "RSA PUBLIC KEY", _)) => Err(PemError::WrongHalf {
            path,
            wanted: KeyPart::Private,
        }),
        _ if text.contains("-----BEGIN RSA PRIVATE KEY-----") && text.contains("Proc-Type: 4,ENCRYPTED") => {
            Err(PemError::Encrypted { path })
        }
        _ => Err(PemError::NotPem { path }),
    }
}

#[cfg(test)]
mod tests;
