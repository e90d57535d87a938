//! Digests of values in canonical JSON: sorted keys, no spaces, numbers as written. Maps of `serde_json` are sorted
//! (its feature `preserve_order` is off), so its compact form is canonical.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use serde::Serialize;

struct Hasher(Context);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the SHA-256 digest of a value's JSON in hexadecimal. The JSON is streamed into the hash and not held in
/// memory.
pub(crate) fn of_serialized(value: &impl Serialize) -> String {
    let mut hasher = Hasher(Context::new(&SHA256));
    serde_json::to_writer(&mut hasher, value).expect("hashing cannot fail and every map has string keys");
    hex::encode(hasher.0.finish())
}

/// Computes the digests that replace values which a plan, a difference or a report must not show.
///
/// The digests are HMAC-SHA-256 under a key of the recovery point. Without the data key of the recovery point a guess
/// cannot be verified, however few values there are to guess from. The same value has the same digest wherever the
/// same recovery point is read.
#[derive(Clone)]
pub struct Redactor(hmac::Key);

// The key is as secret as the values.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor([redacted])")
    }
}

impl Redactor {
    /// Creates a redactor with this key, which must belong to one recovery point and be unknown to readers of the
    /// digests.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Returns the HMAC of a value's JSON in hexadecimal. The JSON is streamed into the hash and not held in memory.
    #[must_use]
    pub fn digest(&self, value: &impl Serialize) -> String {
        hex::encode(self.bytes(value))
    }

    /// As [`Redactor::digest`], but returns the raw bytes.
    pub(crate) fn bytes(&self, value: &impl Serialize) -> [u8; 32] {
        let mut tagger = DigestWriter(hmac::Context::with_key(&self.0));
        serde_json::to_writer(&mut tagger, value).expect("hashing cannot fail and every map has string keys");
        let mut digest = [0; 32];
        digest.copy_from_slice(tagger.0.sign().as_ref());
        digest
    }

    /// Returns the replacement of a value that must not be shown: `hmac-sha256:` and the first eight hexadecimal
    /// digits, enough to see whether two values are equal.
    pub(crate) fn short(&self, value: &serde_json::Value) -> String {
        format!("hmac-sha256:{}", &self.digest(value)[..8])
    }
}

struct DigestWriter(hmac::Context);

impl Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one: serde_json::Value = serde_json::from_str(r#"{"a":1,"b":{"d":1.50,"c":2}}"#).expect("JSON");
        let two: serde_json::Value = serde_json::from_str(r#"{"b":{"c":2,"d":1.50},"a":1}"#).expect("JSON");
        assert_eq!(super::of_serialized(&one), super::of_serialized(&two));
        assert_ne!(super::of_serialized(&one), super::of_serialized(&json!({"a": 1})));
    }

    #[test]
    fn a_digest_can_be_compared_under_its_key_and_guessed_without_it_by_nobody() {
        let (one, other) = (super::Redactor::new(&[1; 32]), super::Redactor::new(&[2; 32]));
        let pin = json!("1234");
        assert_eq!(one.short(&pin), one.clone().short(&pin));
        assert_ne!(one.short(&pin), one.short(&json!("1235")));
        assert_ne!(one.short(&pin), other.short(&pin));
        assert_ne!(one.digest(&pin), super::of_serialized(&pin));
        assert_eq!(format!("{one:?}"), "Redactor([redacted])");
        // Computed with another implementation (Python's `hmac`): the key is padded with zeros, as HMAC requires.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            super::Redactor::new(&key).digest(&"what do ya want for nothing?"),
            "6e5c2a18febccaca669ac5f4415342714850e76ba86824a3371270e6dd69956f"
        );
    }
}
