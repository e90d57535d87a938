//! SHA-256 of values in canonical JSON: keys sorted, no spaces, numbers as written. `serde_json`'s maps
//! are sorted (the feature `preserve_order` is off), so its compact form is canonical.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};
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

/// The digest of a value's canonical JSON.
pub(crate) fn of_value(value: &serde_json::Value) -> [u8; 32] {
    let mut hasher = Hasher(Context::new(&SHA256));
    serde_json::to_writer(&mut hasher, value).expect("hashing cannot fail and every map has string keys");
    let mut digest = [0; 32];
    digest.copy_from_slice(hasher.0.finish().as_ref());
    digest
}

/// What stands for a value that must not be shown: `sha256:` and the first eight hexadecimal digits,
/// enough to see whether two values are the same. It has no salt: who can guess a value, such as a short
/// password, can check the guess against the digest.
pub(crate) fn short(value: &serde_json::Value) -> String {
    let digest = match value {
        serde_json::Value::String(text) => hex::encode(aws_lc_rs::digest::digest(&SHA256, text.as_bytes())),
        other => of_serialized(other),
    };
    format!("sha256:{}", &digest[..8])
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
}
