//! Public keys that travel from one account to the other: read from a file or an option, written to a file, and as the
//! parameter of a stack.

use std::path::Path;

use lifeboat_aws::kms::{recipient_keys, verifying_keys};
use lifeboat_format::{Fingerprint, RecipientKey, pem};
use lifeboat_model::{Code, Diagnostic as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The public half of a key, in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicKeyFile {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The key as the parameter of a stack takes it: the base64 of its DER.
    pub public_key: String,
    /// The file that it was written to.
    pub file: String,
}

/// Reads the public recovery keys, given as a file or as the keys themselves.
pub(super) fn recovery_keys(given: &str) -> Result<Vec<RecipientKey>, Failure> {
    const WHAT: &str = "the public recovery key";
    recipient_keys(&text(given, WHAT)?)
        .map_err(|error| Failure::of(error.code(), format!("failed to parse {WHAT}"), &error).remedy(REMEDY))
}

/// Reads the public key of the coordinator, given as a file or as the key itself, or two of them separated by a comma;
/// returns them as the parameter of a stack.
pub(super) fn coordinator_keys(given: &str) -> Result<String, Failure> {
    const WHAT: &str = "the public key of the coordinator";
    let keys = verifying_keys(&text(given, WHAT)?).map_err(|error| {
        Failure::of(error.code(), format!("failed to parse {WHAT}"), &error).remedy(REMEDY)
    })?;
    let keys: Vec<String> = keys.iter().map(|key| one_line(&key.to_pem())).collect();
    Ok(keys.join(","))
}

const REMEDY: &str = "use the file that `lifeboat deploy recovery` wrote, or the key itself in base64";

fn text(given: &str, what: &str) -> Result<String, Failure> {
    // The DER of a public key begins with the bytes of a sequence: MII for RSA, MFk for P-256.
    let is_itself = given.starts_with("MII") || given.starts_with("MFk") || given.contains("-----BEGIN ");
    if is_itself {
        return Ok(given.to_owned());
    }
    std::fs::read_to_string(given).map_err(|error| {
        Failure::of(
            Code::KeyUnreadable,
            format!("failed to read {what} from {given}"),
            &error,
        )
        .remedy(REMEDY)
    })
}

/// Writes a key to a file.
pub(super) fn write(pem: &str, fingerprint: &Fingerprint, file: &Path) -> Result<PublicKeyFile, Failure> {
    std::fs::write(file, pem).map_err(|error| {
        Failure::of(
            Code::StoreFailed,
            format!("failed to write a public key to {}", file.display()),
            &error,
        )
        .remedy("run the same command again in a folder that can be written, or choose another file with --public-key-out")
    })?;
    Ok(PublicKeyFile {
        fingerprint: fingerprint.to_string(),
        public_key: one_line(pem),
        file: file.display().to_string(),
    })
}

/// Formats a key as the parameter of a stack: the base64 of its DER.
pub(super) fn one_line(text: &str) -> String {
    debug_assert!(pem::decode(text).is_some(), "it was encoded as PEM");
    text.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_before_aws_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(
            &file,
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        )
        .unwrap();
        for given in [
            file.to_str().unwrap(),
            "nothing.pem",
            "MIICAAAA",
            "MFkwAAAA",
            "-----BEGIN CERTIFICATE-----",
        ] {
            let refused = [recovery_keys(given).err(), coordinator_keys(given).err()];
            for failure in refused {
                assert_eq!(failure.unwrap().exit(), lifeboat_model::Exit::Keys, "{given}");
            }
        }
    }

    #[test]
    fn the_keys_of_a_coordinator_are_one_parameter() {
        let file = "../recovery-point/tests/fixtures/point-v1/keys/signing.pub.pem";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let one = coordinator_keys(file.to_str().unwrap()).unwrap();
        assert!(one.starts_with("MFkw") && one.len() == 124, "{one}");
        let two = format!("{one},{one}");
        assert_eq!(coordinator_keys(&two).unwrap(), two);
    }
}
