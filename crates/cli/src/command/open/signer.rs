//! The key that must have signed recovery points. Nothing is trusted that the user has not named.

use lifeboat_filesystem::keys;
use lifeboat_format::{Fingerprint, VerifyingKey};
use lifeboat_model::Code;
use lifeboat_recovery_point::PointRepository;

use crate::arguments::source::{StoreLocation, TrustedSigner};
use crate::failure::Failure;

/// What the user trusts.
pub(super) enum Pin {
    /// The key.
    Key(Box<VerifyingKey>),
    /// The fingerprint of the key.
    Fingerprint(Fingerprint),
    /// Nothing was named.
    Nothing,
}

impl Pin {
    /// Reads the key file, if the user named one.
    pub(super) fn load(trusted: Option<&TrustedSigner>) -> Result<Self, Failure> {
        Ok(match trusted {
            Some(TrustedSigner::File(path)) => Self::Key(Box::new(keys::load_verifying(path)?)),
            Some(TrustedSigner::Fingerprint(fingerprint)) => Self::Fingerprint(fingerprint.clone()),
            None => Self::Nothing,
        })
    }

    /// Returns the key. That of a fingerprint is looked for in the recovery points.
    pub(super) async fn key(
        self,
        repository: &PointRepository,
        location: &StoreLocation,
    ) -> Result<VerifyingKey, Failure> {
        match self {
            Self::Key(key) => Ok(*key),
            Self::Fingerprint(trusted) => match repository.verifying_key(&trusted).await? {
                Some(key) => Ok(key),
                None => Err(unknown(repository, &trusted, location)),
            },
            Self::Nothing => Err(unnamed(repository).await?),
        }
    }
}

fn unknown(repository: &PointRepository, trusted: &Fingerprint, location: &StoreLocation) -> Failure {
    let application = repository.application();
    Failure::new(
        Code::SignerUnknown,
        format!("no recovery point of {application} in {location} contains the public key {trusted}"),
    )
    .remedy(
        "check --application and the fingerprint; if the points were made by an older lifeboat, which did not put the key into them, name the file of the public signing key with --verify-key",
    )
}

async fn unnamed(repository: &PointRepository) -> Result<Failure, Failure> {
    let missing = "the key that must have signed the recovery points is not named";
    let Some(claimed) = repository.claimed_signers().await? else {
        return Ok(Failure::new(Code::SignerUnknown, missing));
    };
    let names: Vec<&str> = claimed.signers.iter().map(Fingerprint::as_str).collect();
    Ok(Failure::new(
        Code::SignerUnknown,
        format!(
            "{missing}; the newest one, {}, states {}, which was not verified",
            claimed.point,
            names.join(", ")
        ),
    )
    .remedy(format!(
        "compare this with a source outside of the store, such as signingKey of the application document or the output of `lifeboat deploy primary`; if they are equal, add --verify-key {}",
        names[0]
    )))
}
