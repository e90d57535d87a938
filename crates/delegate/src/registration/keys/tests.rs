#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_filesystem::{PemSigner, PemUnwrapper, keys};
use lifeboat_format::VerifyingKey;
use lifeboat_format::keys::WrappedKey;
use lifeboat_store::ports::KeyError;
use lifeboat_system::SystemRandomness;

use super::*;

/// A key whose alias was moved to another key.
struct Swapped {
    shown: PemSigner,
    used: PemSigner,
}

#[async_trait]
impl Signer for Swapped {
    fn verifying_key(&self) -> &VerifyingKey {
        self.shown.verifying_key()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.used.sign(message).await
    }
}

/// A disabled key: only its public key can be read.
struct Disabled<K>(K);

fn disabled(key: lifeboat_format::Fingerprint) -> KeyError {
    KeyError::Denied {
        key,
        source: "DisabledException".into(),
    }
}

#[async_trait]
impl Signer for Disabled<PemSigner> {
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    async fn sign(&self, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(disabled(self.fingerprint()))
    }
}

#[async_trait]
impl KeyUnwrapper for Disabled<PemUnwrapper> {
    fn fingerprint(&self) -> lifeboat_format::Fingerprint {
        self.0.fingerprint()
    }

    async fn unwrap_key(&self, _: &WrappedKey) -> Result<DataKey, KeyError> {
        Err(disabled(self.fingerprint()))
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_does_not_register() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (one, other) = (keys::generate(&one).unwrap(), keys::generate(&other).unwrap());
    let signer = |files: &keys::KeyFiles| PemSigner::load(&files.signing_key).unwrap();
    let good = SigningKeyCheck(Arc::new(signer(&one))).check().await.unwrap();
    assert_eq!(good, signer(&one).verifying_key().to_pem());
    let swapped = Swapped {
        shown: signer(&one),
        used: signer(&other),
    };
    let problem = SigningKeyCheck(Arc::new(swapped)).check().await.unwrap_err();
    assert_eq!(problem.code, Code::UnsupportedKeyType);
    let problem = SigningKeyCheck(Arc::new(Disabled(signer(&one))))
        .check()
        .await
        .unwrap_err();
    assert!(
        problem.causes.join(" ").contains("DisabledException"),
        "{problem}"
    );

    let unwraps = |unwrapper: Arc<dyn KeyUnwrapper>| DecryptionKeyCheck {
        unwrapper,
        recipient: Box::new(keys::load_recipient(&one.recovery_public).unwrap()),
        ids: Arc::new(SystemRandomness),
    };
    let own = || PemUnwrapper::load(&one.recovery_key).unwrap();
    let public = unwraps(Arc::new(own())).check().await.unwrap();
    assert_eq!(
        public,
        keys::load_recipient(&one.recovery_public).unwrap().to_pem()
    );
    let stranger = PemUnwrapper::load(&other.recovery_key).unwrap();
    unwraps(Arc::new(stranger)).check().await.unwrap_err();
    let problem = unwraps(Arc::new(Disabled(own()))).check().await.unwrap_err();
    assert!(
        problem.causes.join(" ").contains("DisabledException"),
        "{problem}"
    );
}
