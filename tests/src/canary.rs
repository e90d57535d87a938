//! Searches for a secret text, in every form in which it could leak.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

/// A text in all its encodings.
pub struct Canary {
    needles: Vec<(String, Finder<'static>)>,
}

impl Canary {
    /// Creates the search for the text itself and for its base64 at each of the three alignments
    /// within a longer text, in both alphabets.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut needles = vec![("plain".to_owned(), text.as_bytes().to_vec())];
        for offset in 0..3_usize {
            let mut padded = vec![0; offset];
            padded.extend_from_slice(text.as_bytes());
            // The first base64 characters also contain bits of the preceding bytes, the last ones
            // of the following bytes.
            let first = (offset * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            for (alphabet, name) in [(&STANDARD_NO_PAD, "base64"), (&URL_SAFE_NO_PAD, "base64url")] {
                let encoded = alphabet.encode(&padded);
                needles.push((
                    format!("{name} at offset {offset}"),
                    encoded.as_bytes()[first..last].to_vec(),
                ));
            }
        }
        Self {
            needles: needles
                .into_iter()
                .map(|(name, needle)| (name, Finder::new(&needle).into_owned()))
                .collect(),
        }
    }

    /// Returns the form in which `bytes` contain the text, if they do.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<&str> {
        self.needles
            .iter()
            .find(|(_, needle)| needle.find(bytes).is_some())
            .map(|(name, _)| name.as_str())
    }

    /// Returns the files below `folder` that contain the text, with the form, and the number of files searched.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn search(&self, folder: &Path) -> Result<(Vec<String>, usize)> {
        let (mut found, mut files) = (Vec::new(), 0);
        for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                let (inner, count) = self.search(&path)?;
                found.extend(inner);
                files += count;
                continue;
            }
            files += 1;
            if let Some(form) = self.find(&std::fs::read(&path)?) {
                found.push(format!("{} ({form})", path.display()));
            }
        }
        Ok((found, files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disguise_is_seen() {
        let canary = Canary::new("yellow-bird-in-the-mine");
        for before in ["", "a", "ab", "abc"] {
            let hidden = format!("{before}yellow-bird-in-the-mine and more");
            assert!(canary.find(hidden.as_bytes()).is_some());
            assert!(
                canary.find(STANDARD_NO_PAD.encode(&hidden).as_bytes()).is_some(),
                "{before:?}"
            );
            assert!(
                canary.find(URL_SAFE_NO_PAD.encode(&hidden).as_bytes()).is_some(),
                "{before:?}"
            );
        }
        assert_eq!(canary.find(b"yellow-bird"), None);
    }
}
