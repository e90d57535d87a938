//! The data keys of a recovery point for a private delegate: its half, which has a key pair for each epoch, and that of the
//! public delegate, which wraps the data keys for it ([`lifeboat_jobs::data_keys`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_format::{DataKey, Fingerprint, RecipientKey, Sha256, WrappedKey};
use lifeboat_jobs::data_keys::DATA_KEYS;
use lifeboat_jobs::folder::view;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{
    DataKeysDone, DataKeysWork, Done, Outcome, Progress, ResultValidity, Trust, WrappedDataKey, data_keys_job,
};
use lifeboat_model::{Code, Diagnostic as _, Problem};
use lifeboat_recovery_point::PointRepository;
use lifeboat_store::ports::{KeyError, KeyUnwrapper, ObjectStore};
use zeroize::Zeroizing;

use super::restore::{other_vault, signer_of};
use super::{Delegate, SidePorts, failure};

/// The pause between two looks for the data keys. The coordinator is started by an event and assigns the job at once, so
/// that they are there after a few seconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The key pair of the current epoch. It is replaced by that of the next one, and ends with the process.
#[derive(Default)]
pub struct EpochKeys(Mutex<Option<Arc<OaepPrivateDecryptingKey>>>);

impl EpochKeys {
    /// Makes a key pair; returns the public half, PEM. `None` if the cryptographic library cannot.
    pub(super) fn renew(&self) -> Option<String> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa4096).ok()?;
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).ok()?;
        let public = RecipientKey::from_der(spki.as_ref()).ok()?.to_pem();
        let key = OaepPrivateDecryptingKey::new(key).ok()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(key));
        Some(public)
    }

    fn current(&self) -> Option<Arc<OaepPrivateDecryptingKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Unwraps the data keys that the public delegate has wrapped for the key pair of this epoch.
struct WrappedAgain {
    key: Arc<OaepPrivateDecryptingKey>,
    unwrapped_by: Fingerprint,
    /// The keys by the digest of what the recovery point holds.
    keys: BTreeMap<Sha256, Vec<u8>>,
}

#[async_trait]
impl KeyUnwrapper for WrappedAgain {
    fn fingerprint(&self) -> Fingerprint {
        self.unwrapped_by.clone()
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let failed = || KeyError::Unwrap {
            held: self.unwrapped_by.clone(),
        };
        let of = Sha256::of(&wrapped.ciphertext);
        let again = self.keys.get(&of).ok_or_else(failed)?;
        // This buffer receives the data key in plaintext.
        let mut buffer = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let bytes = self
            .key
            .decrypt(&OAEP_SHA256_MGF1SHA256, again, &mut buffer, None);
        bytes
            .map_err(|_| failed())
            .and_then(|bytes| DataKey::from_bytes(bytes).map_err(|_| failed()))
    }
}

#[async_trait(?Send)]
impl Handler<DataKeysWork> for Delegate {
    async fn handle(&self, _: &Epoch<'_>, work: &DataKeysWork) -> EpochEnd {
        let SidePorts::Recovery {
            unwrapper,
            vault,
            place,
            ..
        } = &self.side
        else {
            return Self::wrong_delegate("data-keys");
        };
        if let Some(problem) = other_vault(&work.vault, place) {
            return EpochEnd::failed(problem, false);
        }
        match self.wrapped_again(work, unwrapper.as_ref(), vault).await {
            Ok(done) => EpochEnd::Result(Outcome::Done(Done::DataKeys(done)), Vec::new()),
            Err((problem, retry)) => EpochEnd::failed(problem, retry),
        }
    }
}

impl Delegate {
    async fn wrapped_again(
        &self,
        work: &DataKeysWork,
        unwrapper: &dyn KeyUnwrapper,
        vault: &Arc<dyn ObjectStore>,
    ) -> Result<DataKeysDone, (Problem, bool)> {
        let recipient = RecipientKey::from_pem(&work.recipient).map_err(|error| failure(&error))?;
        let signer = signer_of(&work.signer)?;
        let vault = PointRepository::new(Arc::clone(vault), self.application.clone());
        let signed = vault
            .open(&work.point, &signer)
            .await
            .map_err(|error| failure(&error))?;
        let mut keys = Vec::new();
        let unwrapped = signed.unwrap_keys(unwrapper).await;
        for unwrapped in unwrapped.map_err(|error| failure(&error))?.iter().take(DATA_KEYS) {
            let again = recipient.wrap(&unwrapped.key).map_err(|error| failure(&error))?;
            keys.push(WrappedDataKey {
                of: Sha256::of(&unwrapped.wrapped.ciphertext),
                ciphertext: STANDARD.encode(again.ciphertext),
            });
        }
        Ok(DataKeysDone {
            unwrapped_by: unwrapper.fingerprint(),
            keys,
        })
    }

    /// Waits for the data keys that are wrapped for the key pair of this epoch.
    pub(super) async fn data_keys(&self, epoch: &Epoch<'_>) -> Result<Arc<dyn KeyUnwrapper>, EpochEnd> {
        let key = match &self.side {
            SidePorts::PrivateRecovery { keys, .. } if epoch.claim.recipient.is_some() => keys.current(),
            _ => None,
        };
        let key = key.ok_or_else(|| {
            let problem = Problem::new(
                Code::Bug,
                "no key pair could be made for this epoch",
                "report this as a bug",
            );
            EpochEnd::failed(problem, true)
        })?;
        let mut wait = Box::pin(self.await_data_keys(epoch));
        let done = match epoch.while_owned(wait.as_mut(), lifeboat_system::sleep).await {
            Ok(done) => done?,
            Err(why) => return Err(why.end(|| before(epoch))),
        };
        let mut keys = BTreeMap::new();
        for wrapped in done.keys.into_iter().take(DATA_KEYS) {
            let ciphertext = STANDARD.decode(&wrapped.ciphertext).unwrap_or_default();
            keys.insert(wrapped.of, ciphertext);
        }
        Ok(Arc::new(WrappedAgain {
            key,
            unwrapped_by: done.unwrapped_by,
            keys,
        }))
    }

    async fn await_data_keys(&self, epoch: &Epoch<'_>) -> Result<DataKeysDone, EpochEnd> {
        let job = data_keys_job(&epoch.claim.job, epoch.claim.epoch);
        loop {
            let trust = Trust::Keys(&self.coordinators);
            let view = view(self.scratch.as_ref(), &job, trust, None).await;
            let view =
                view.map_err(|error| EpochEnd::failed(error.problem(), error.kind().is_retryable()))?;
            match view.validity() {
                ResultValidity::Counts(result) => {
                    return match &result.outcome {
                        Outcome::Done(Done::DataKeys(done)) => Ok(done.clone()),
                        // The epoch ends as that job did.
                        other => Err(EpochEnd::Result(other.clone(), Vec::new())),
                    };
                }
                _ => lifeboat_system::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// Returns the progress of the earlier epochs, which this one has not changed.
fn before(epoch: &Epoch<'_>) -> Progress {
    match epoch.checkpoint {
        Some(checkpoint) => checkpoint.progress.clone(),
        None => Progress::Nothing {},
    }
}
