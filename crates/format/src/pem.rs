//! PEM text (RFC 7468), to the extent that keys need it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Returns the first PEM block of a text: its label, such as `PUBLIC KEY`, and its bytes.
///
/// Text before and after the block is ignored, as RFC 7468 (section 2) allows. Returns `None` if there is no
/// complete block.
#[must_use]
pub fn decode(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(body).ok()?;
    Some((label, bytes))
}

/// Returns the PEM blocks of a text, one after another. Text between them is left out, and so is a block without an end.
pub fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = rest.find("-----BEGIN ")?;
        let end = begin + rest[begin..].find("-----END ")?;
        let label = end + "-----END ".len();
        let end = label + rest[label..].find("-----")? + "-----".len();
        let block = &rest[begin..end];
        rest = &rest[end..];
        Some(block)
    })
}

/// Encodes bytes as a PEM block with lines of 64 characters.
#[must_use]
pub fn encode(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
