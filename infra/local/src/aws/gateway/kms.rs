//! Correction: KMS decrypts ciphertexts that were encrypted with an RSA key's public key outside KMS.
//!
//! fakecloud decrypts only ciphertexts in its own envelope, which contains the key id. Lifeboat
//! encrypts with the public key alone, as AWS allows. So the gateway first forwards the caller's
//! request: fakecloud verifies the signature, checks IAM, and then rejects the ciphertext. Only
//! after exactly that error the gateway sends a second request with the envelope around the
//! ciphertext, as an administrator, because it cannot sign for the caller.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::upstream::{Answer, Upstream, UpstreamError, json_target};
use crate::aws::arn::Arn;

pub(crate) const TARGET: &str = "TrentService.Decrypt";
const ENVELOPE: &str = "fakecloud-rsa:";

/// Returns the key, the algorithm and the ciphertext in base64 of a request whose ciphertext
/// fakecloud will reject.
fn raw_rsa(body: &Value) -> Option<(&str, &str, &str)> {
    let algorithm = body["EncryptionAlgorithm"].as_str()?;
    let key = body["KeyId"].as_str()?;
    let ciphertext = body["CiphertextBlob"].as_str()?;
    let bytes = STANDARD.decode(ciphertext).ok()?;
    let is_raw = algorithm.starts_with("RSAES_OAEP_") && !bytes.starts_with(ENVELOPE.as_bytes());
    is_raw.then_some((key, algorithm, ciphertext))
}

/// Returns the ciphertext in fakecloud's envelope.
fn wrap(key_id: &str, algorithm: &str, ciphertext: &str) -> String {
    STANDARD.encode(format!("{ENVELOPE}{key_id}:{algorithm}:{ciphertext}"))
}

/// Returns the correct response to a Decrypt that fakecloud rejected because of its ciphertext.
pub(crate) async fn correct(
    upstream: &Upstream,
    caller_account: &str,
    region: &str,
    request: &[u8],
    answer: Answer,
) -> Result<Answer, UpstreamError> {
    let request: Value = serde_json::from_slice(request).unwrap_or(Value::Null);
    let Some((key, algorithm, ciphertext)) = raw_rsa(&request) else {
        return Ok(answer);
    };
    if answer.is_success() || !answer.text().contains("InvalidCiphertextException") {
        return Ok(answer);
    }
    let account = Arn::parse(key).map_or(caller_account, |arn| arn.account);
    let describe = json!({ "KeyId": key }).to_string();
    let described = upstream
        .ask_as_administrator(
            account,
            "kms",
            region,
            json_target("TrentService.DescribeKey"),
            describe,
        )
        .await?;
    let described = described.json();
    let Some(key_id) = described["KeyMetadata"]["KeyId"].as_str() else {
        return Ok(answer);
    };
    let mut wrapped = request.clone();
    wrapped["CiphertextBlob"] = wrap(key_id, algorithm, ciphertext).into();
    upstream
        .ask_as_administrator(account, "kms", region, json_target(TARGET), wrapped.to_string())
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_raw_rsa_ciphertext_is_wrapped() {
        let raw = STANDARD.encode([7; 512]);
        let request = |algorithm: &str, ciphertext: &str| json!({ "KeyId": "k-1", "EncryptionAlgorithm": algorithm, "CiphertextBlob": ciphertext });
        let rsa = request("RSAES_OAEP_SHA_256", &raw);
        assert_eq!(raw_rsa(&rsa), Some(("k-1", "RSAES_OAEP_SHA_256", raw.as_str())));
        let wrapped = wrap("k-1", "RSAES_OAEP_SHA_256", &raw);
        assert_eq!(raw_rsa(&request("RSAES_OAEP_SHA_256", &wrapped)), None);
        assert_eq!(raw_rsa(&request("SYMMETRIC_DEFAULT", &raw)), None);
        assert_eq!(raw_rsa(&request("RSAES_OAEP_SHA_256", "?")), None);
    }
}
