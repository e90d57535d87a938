//! Generation of keys. Either all four files are written or none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use lifeboat_format::keys::{Fingerprint, VerifyingKey};
use lifeboat_format::pem;
use zeroize::Zeroizing;

use super::PemError;
use crate::store::{create_folders, private_file};

/// The files of a new set of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// Decrypts; needed only for restores.
    pub recovery_key: PathBuf,
    /// Encrypts; needed for backups.
    pub recovery_public: PathBuf,
    /// Signs; needed only for backups.
    pub signing_key: PathBuf,
    /// Verifies; needed for restores.
    pub signing_public: PathBuf,
    /// The fingerprint of the recovery key.
    pub recovery: Fingerprint,
    /// The fingerprint of the signing key.
    pub signing: Fingerprint,
}

/// Generates an RSA-4096 recovery key and a P-256 signing key and writes their halves to four files in
/// `folder`, which is created if necessary. Takes a few seconds of CPU time.
///
/// # Errors
/// [`PemError::Exists`] if one of the files exists; nothing is written then. After any other error, no files
/// are left.
pub fn generate(folder: &Path) -> Result<KeyFiles, PemError> {
    let path = |name: &str| folder.join(name);
    let [recovery_key, recovery_public, signing_key, signing_public] = [
        path("recovery.key.pem"),
        path("recovery.pub.pem"),
        path("signing.key.pem"),
        path("signing.pub.pem"),
    ];
    for path in [&recovery_key, &recovery_public, &signing_key, &signing_public] {
        if path.symlink_metadata().is_ok() {
            return Err(PemError::Exists { path: path.clone() });
        }
    }
    create_folders(folder).map_err(|source| unwritable(folder, source))?;

    let private = PrivateDecryptingKey::generate(KeySize::Rsa4096).map_err(|_| PemError::Generate)?;
    let recovery_pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&private).map_err(|_| PemError::Generate)?;
    let recovery_spki =
        AsDer::<PublicKeyX509Der<'_>>::as_der(&private.public_key()).map_err(|_| PemError::Generate)?;
    let signing_pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
        .map_err(|_| PemError::Generate)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, signing_pkcs8.as_ref())
        .map_err(|_| PemError::Generate)?;
    let verifying = VerifyingKey::from_point(pair.public_key().as_ref()).map_err(|_| PemError::Generate)?;

    let mut made = Made::default();
    let private_pem = |der| Zeroizing::new(pem::encode("PRIVATE KEY", der));
    made.file(&recovery_key, &private_pem(recovery_pkcs8.as_ref()))?;
    made.file(
        &recovery_public,
        &pem::encode("PUBLIC KEY", recovery_spki.as_ref()),
    )?;
    made.file(&signing_key, &private_pem(signing_pkcs8.as_ref()))?;
    made.file(&signing_public, &verifying.to_pem())?;
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| unwritable(folder, source))?;
    made.keep();
    Ok(KeyFiles {
        recovery_key,
        recovery_public,
        signing_key,
        signing_public,
        recovery: Fingerprint::of_spki(recovery_spki.as_ref()),
        signing: verifying.fingerprint().clone(),
    })
}

fn unwritable(path: &Path, source: io::Error) -> PemError {
    PemError::Unwritable {
        path: path.to_owned(),
        source,
    }
}

/// The files created so far. They are removed when this is dropped unless they are kept.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Creates a file that only its owner can read. This includes the public halves: the owner shares them
    /// deliberately.
    fn file(&mut self, path: &Path, text: &str) -> Result<(), PemError> {
        let mut file = match private_file().write(true).create_new(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(PemError::Exists {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(unwritable(path, error)),
        };
        self.0.push(path.to_owned());
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|source| unwritable(path, source))
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            // Ignored: the error that led here is the one to report.
            let _ = fs::remove_file(path);
        }
    }
}
