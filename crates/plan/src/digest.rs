//! Digests of values in canonical JSON: keys sorted, no spaces, numbers as written. `serde_json`'s maps
//! are sorted (the feature `preserve_order` is off), so its compact form is canonical.

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

/// The digest of a value's JSON, in hexadecimal; nothing but the hash state is held in memory.
pub(crate) fn of_serialized(value: &impl Serialize) -> String {
    let mut hasher = Hasher(Context::new(&SHA256));
    serde_json::to_writer(&mut hasher, value).expect("hashing cannot fail and every map has string keys");
    hex::encode(hasher.0.finish())
}

/// Makes the digests that stand for what a plan, a difference or a report must not show.
///
/// They are HMAC-SHA-256 under a key of the recovery point, so that nobody without the point's data key
/// can check a guess, however few values there are to guess from; and the same value has the same
/// digest wherever the same point is read.
#[derive(Clone)]
pub struct Redactor(hmac::Key);

// The key is as secret as what it hides.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor([redacted])")
    }
}

impl Redactor {
    /// Digests under this key, which must belong to one recovery point and be known to no reader of the
    /// digests.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The digest of a value's JSON, in hexadecimal; nothing but the hash state is held in memory.
    #[must_use]
    pub fn digest(&self, value: &impl Serialize) -> String {
        hex::encode(self.bytes(value))
    }

    /// As [`Redactor::digest`], not as text.
    pub(crate) fn bytes(&self, value: &impl Serialize) -> [u8; 32] {
        let mut tagger = DigestWriter(hmac::Context::with_key(&self.0));
        serde_json::to_writer(&mut tagger, value).expect("hashing cannot fail and every map has string keys");
        let mut digest = [0; 32];
        digest.copy_from_slice(tagger.0.sign().as_ref());
        digest
    }

    /// What stands for a value that must not be shown: `hmac-sha256:` and the first eight hexadecimal
    /// digits, enough to see whether two values are the same.
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
        // Made with another implementation (Python's hmac): the key is filled up with zeros, as HMAC does.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            super::Redactor::new(&key).digest(&"what do ya want for nothing?"),
            "6e5c2a18febccaca669ac5f4415342714850e76ba86824a3371270e6dd69956f"
        );
    }
}
