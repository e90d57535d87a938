//! A shallow look at one object: who it is, without parsing what it is.
//!
//! Only the top level and `metadata` are walked; other values are passed over by the scanner. Behind
//! `metadata` usually nothing needs a look at all: the words `"kind"` and `"apiVersion"` do not occur
//! there, which a plain search shows faster than any walk. Strings are borrowed unless they hold
//! escapes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use lifeboat_model::{Code, Diagnostic, ErrorKind};
use memchr::memmem::Finder;

use crate::scan::{Scan, Step, is_space, string_end};

static API_VERSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"apiVersion\""));
static KIND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"kind\""));

/// What a shallow look at an object found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMetadata<'a> {
    /// `metadata.namespace`; absent for types without namespaces.
    pub namespace: Option<Cow<'a, str>>,
    /// `metadata.name`.
    pub name: Cow<'a, str>,
    /// `metadata.uid`; empty where an aggregated API gives none.
    pub uid: Cow<'a, str>,
    /// `metadata.resourceVersion`; empty where an aggregated API gives none.
    pub resource_version: Cow<'a, str>,
    /// Whether the object is being deleted (`metadata.deletionTimestamp`).
    pub deletion: bool,
    /// Whether the object names its own `apiVersion`.
    pub has_api_version: bool,
    /// Whether the object names its own `kind`.
    pub has_kind: bool,
    labels: Option<&'a [u8]>,
}

/// Bytes that are not an object of the Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The bytes are not a JSON object, as far as the look goes.
    #[error("byte {at} of the object is not {expected}")]
    NotAnObject {
        /// The offset in the object.
        at: usize,
        /// What would have been right.
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
    /// The object's labels. They are parsed only here, because most captures select by none.
    ///
    /// # Errors
    /// [`MetadataError::Labels`] where they are not a map of strings.
    pub fn labels(&self) -> Result<BTreeMap<String, String>, MetadataError> {
        let Some(raw) = self.labels else {
            return Ok(BTreeMap::new());
        };
        let labels: Option<BTreeMap<String, String>> =
            serde_json::from_slice(raw).map_err(|_| MetadataError::Labels)?;
        Ok(labels.unwrap_or_default())
    }
}

/// Looks at one whole object, as [`crate::Splitter`] hands it out. That its brackets are closed is the
/// splitter's business and is not checked again in every case.
///
/// # Errors
/// [`MetadataError`] where the bytes are not an object with a name.
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

/// The text of a string value; none for `null`.
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

/// Whether a walk over members goes on.
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
    /// Walks the members of the object that begins here. `on_member` gets each key with its quotes,
    /// and the cursor at the value, which it must read, and may stop the walk there.
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
