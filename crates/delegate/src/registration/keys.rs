//! Checks the key of an access stack by using it as a job does.

use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_format::{DataKey, RecipientKey};
use lifeboat_model::{Code, Diagnostic as _, Problem};
use lifeboat_store::ports::{KeyUnwrapper, Randomness, Signer};

use super::KeyCheck;

/// Signs a test message and verifies the signature.
pub struct SigningKeyCheck(pub Arc<dyn Signer>);

/// Encrypts a data key and decrypts it.
pub struct DecryptionKeyCheck {
    /// The private key.
    pub unwrapper: Arc<dyn KeyUnwrapper>,
    /// The public key.
    pub recipient: Box<RecipientKey>,
    /// The source of the data key.
    pub ids: Arc<dyn Randomness>,
}

#[async_trait]
impl KeyCheck for SigningKeyCheck {
    async fn check(&self) -> Result<String, Problem> {
        const MESSAGE: &[u8] = b"lifeboat registration";
        let signature = (self.0.sign(MESSAGE).await).map_err(|error| error.problem())?;
        let key = self.0.verifying_key();
        (key.verify(MESSAGE, &signature))
            .map_err(|_| wrong("its signature does not match its public key"))?;
        Ok(key.to_pem())
    }
}

#[async_trait]
impl KeyCheck for DecryptionKeyCheck {
    async fn check(&self) -> Result<String, Problem> {
        let mut random = [0; 32];
        self.ids.random(&mut random);
        let wrapped = (self.recipient.wrap(&DataKey::from_random(random)))
            .map_err(|_| wrong("its public key cannot encrypt"))?;
        (self.unwrapper.unwrap_key(&wrapped).await).map_err(|error| error.problem())?;
        Ok(self.recipient.to_pem())
    }
}

fn wrong(what: &str) -> Problem {
    Problem::new(
        Code::UnsupportedKeyType,
        format!("the key of the access stack does not work: {what}"),
        "deploy the access stack again",
    )
}

#[cfg(test)]
mod tests;
