//! Reads the identity of an object without parsing the whole object.
//!
//! Only the top level and `metadata` are parsed; the scanner skips other values. Usually nothing after
//! `metadata` has to be parsed: `"kind"` and `"apiVersion"` do not occur there, which a substring search
//! detects faster than parsing. Strings are borrowed unless they contain escapes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use lifeboat_model::{Code, Diagnostic, ErrorKind};
use memchr::memmem::Finder;

use crate::scan::{Scan, Step, is_space, string_end};

static API_VERSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"apiVersion\""));
static KIND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"kind\""));

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMetadata<'a> {
    /// `metadata.namespace`; absent for cluster-scoped types.
    pub namespace: Option<Cow<'a, str>>,
    /// `metadata.name`.
    pub name: Cow<'a, str>,
    /// `metadata.uid`; empty if an aggregated API does not set it.
    pub uid: Cow<'a, str>,
    /// `metadata.resourceVersion`; empty if an aggregated API does not set it.
    pub resource_version: Cow<'a, str>,
    /// Whether the object is being deleted (`metadata.deletionTimestamp`).
    pub deletion: bool,
    /// Whether the object contains its `apiVersion`.
    pub has_api_version: bool,
    /// Whether the object contains its `kind`.
    pub has_kind: bool,
    labels: Option<&'a [u8]>,
}

/// The error for bytes that are not an object of the Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The bytes are not a JSON object, as far as they were parsed.
    #[error("byte {at} of the object is not {expected}")]
    NotAnObject {
        /// The offset in the object, in bytes.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// The object has no `metadata.name`.
    #[error("the object has no metadata.name")]
    NoName,
    /// `metadata.labels` is not a map of strings.
    #[error("metadata.labels is not a map of strings")]
    Labels,
}

impl Diagnostic for MetadataError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn code(&self) -> Code {
        Code::InvalidList
    }
}

impl ObjectMetadata<'_> {
    /// Returns the labels of the object. They are parsed only here because most captures do not filter by
    /// label.
    ///
    /// # Errors
    /// [`MetadataError::Labels`] if they are not a map of strings.
    pub fn labels(&self) -> Result<BTreeMap<String, String>, MetadataError> {
        let Some(raw) = self.labels else {
            return Ok(BTreeMap::new());
        };
        let labels: Option<BTreeMap<String, String>> =
            serde_json::from_slice(raw).map_err(|_| MetadataError::Labels)?;
        Ok(labels.unwrap_or_default())
    }
}

/// Reads the metadata of one complete object, as returned by [`crate::Splitter`]. The splitter has already
/// checked that brackets are closed; this is not always checked again.
///
/// # Errors
/// [`MetadataError`] if the bytes are not an object with a name.
pub fn peek_metadata(raw: &[u8]) -> Result<ObjectMetadata<'_>, MetadataError> {
    let mut found = ObjectMetadata {
        namespace: None,
        name: Cow::Borrowed(""),
        uid: Cow::Borrowed(""),
        resource_version: Cow::Borrowed(""),
        deletion: false,
        has_api_version: false,
        has_kind: false,
        labels: None,
    };
    let mut cursor = Cursor { raw, at: 0 };
    let whole = cursor.members(|key, cursor| {
        match key {
            b"\"apiVersion\"" => found.has_api_version = is_string(cursor.value()?),
            b"\"kind\"" => found.has_kind = is_string(cursor.value()?),
            b"\"metadata\"" => {
                cursor.members(|key, cursor| metadata(&mut found, key, cursor).map(|()| Continue))?;
                let rest = &raw[cursor.at..];
                let settled = (found.has_api_version || API_VERSION.find(rest).is_none())
                    && (found.has_kind || KIND.find(rest).is_none());
                return Ok(if settled { Stop } else { Continue });
            }
            _ => drop(cursor.value()?),
        }
        Ok(Continue)
    })?;
    match whole {
        Continue => {
            cursor.skip_space();
            if cursor.at != raw.len() {
                return Err(cursor.error("the end of the object"));
            }
        }
        Stop if raw.trim_ascii_end().ends_with(b"}") => {}
        Stop => return Err(cursor.error("an object with an end")),
    }
    if found.name.is_empty() {
        return Err(MetadataError::NoName);
    }
    Ok(found)
}

fn metadata<'a>(
    found: &mut ObjectMetadata<'a>,
    key: &[u8],
    cursor: &mut Cursor<'a>,
) -> Result<(), MetadataError> {
    let at = cursor.at;
    let value = cursor.value()?;
    match key {
        b"\"namespace\"" => found.namespace = text(value, at)?.filter(|n| !n.is_empty()),
        b"\"name\"" => found.name = text(value, at)?.unwrap_or_default(),
        b"\"uid\"" => found.uid = text(value, at)?.unwrap_or_default(),
        b"\"resourceVersion\"" => found.resource_version = text(value, at)?.unwrap_or_default(),
        b"\"deletionTimestamp\"" => found.deletion = value != b"null",
        b"\"labels\"" => found.labels = Some(value),
        _ => {}
    }
    Ok(())
}

fn is_string(value: &[u8]) -> bool {
    value.first() == Some(&b'"')
}

/// Returns the text of a string value; `None` for `null`.
fn text(value: &[u8], at: usize) -> Result<Option<Cow<'_, str>>, MetadataError> {
    let wrong = MetadataError::NotAnObject {
        at,
        expected: "a string",
    };
    if value == b"null" {
        return Ok(None);
    }
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
        .ok_or(wrong)?;
    if memchr::memchr(b'\\', inner).is_some() {
        let owned: String = serde_json::from_slice(value).map_err(|_| wrong)?;
        return Ok(Some(Cow::Owned(owned)));
    }
    let borrowed = std::str::from_utf8(inner).map_err(|_| wrong)?;
    Ok(Some(Cow::Borrowed(borrowed)))
}

/// Whether a walk over members continues.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Continue,
    Stop,
}

use Walk::{Continue, Stop};

struct Cursor<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Walks the members of the object that begins here. `on_member` receives each key with its quotes and
    /// the cursor at the value. It must read the value, and may stop the walk.
    fn members(
        &mut self,
        mut on_member: impl FnMut(&'a [u8], &mut Self) -> Result<Walk, MetadataError>,
    ) -> Result<Walk, MetadataError> {
        self.expect(b'{', "an object")?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Continue);
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.expect(b':', "a colon")?;
            self.skip_space();
            if on_member(key, self)? == Stop {
                return Ok(Stop);
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Continue);
                }
                _ => return Err(self.error("a comma or a closing brace")),
            }
        }
    }

    fn value(&mut self) -> Result<&'a [u8], MetadataError> {
        let begin = self.at;
        match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => match Scan::container().advance(&self.raw[begin..]) {
                Step::Ended(length) => self.at += length,
                Step::More => return Err(self.error("a closed value")),
                Step::TooDeep => return Err(self.error("nested no deeper than 10,000 levels")),
            },
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let length = self.raw[begin..]
                    .iter()
                    .position(|b| is_space(*b) || matches!(b, b',' | b'}' | b']'))
                    .unwrap_or(self.raw.len() - begin);
                self.at += length;
            }
            _ => return Err(self.error("a value")),
        }
        Ok(&self.raw[begin..self.at])
    }

    fn string(&mut self) -> Result<&'a [u8], MetadataError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("a string"));
        }
        let begin = self.at;
        let length = string_end(&self.raw[begin..]).ok_or_else(|| self.error("a closed string"))?;
        self.at += length;
        Ok(&self.raw[begin..self.at])
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), MetadataError> {
        self.skip_space();
        if self.peek() != Some(byte) {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    fn error(&self, expected: &'static str) -> MetadataError {
        MetadataError::NotAnObject {
            at: self.at,
            expected,
        }
    }
}

#[cfg(test)]
mod tests;
