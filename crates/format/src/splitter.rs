//! Splits the response of a list request into items as it arrives.
//!
//! The splitter parses the outer object of a `…List` and returns each element of `items` as the raw bytes
//! that the API server sent: borrowed from the input if the item is within one chunk, or assembled in a
//! reused buffer if it spans chunks. It does no I/O, and its memory is bounded by the largest item.
//!
//! Guarantees: items are complete, all their brackets and strings are closed, and [`Splitter::finish`]
//! succeeds only after exactly one complete list. Not guaranteed: that the content of an item is valid JSON
//! in every detail ([`crate::peek_metadata()`] checks the parts that a capture uses).

mod error;

use serde::Deserialize;

pub use error::SplitError;

use crate::scan::{Scan, Step, is_space};

/// The maximum size of an item in bytes. etcd refuses requests above 1.5 MiB by default and EKS does not
/// raise that; 32 MiB leaves room for aggregated APIs that use other storage.
pub const MAX_ITEM: usize = 32 << 20;

/// The maximum size in bytes of `metadata` or another field of a list besides its items. The longest known
/// one, the `continue` token, has a few hundred bytes.
pub const MAX_FIELD: usize = 1 << 20;

/// The fields of a list besides its items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListMeta {
    /// `apiVersion` of the list.
    pub api_version: String,
    /// `kind` of the list, such as `PodList`.
    pub kind: String,
    /// The resourceVersion of the list.
    pub resource_version: Option<String>,
    /// The `continue` token of the next page; absent on the last page.
    pub continue_token: Option<String>,
    /// `remainingItemCount`, an estimate by the API server; absent on the last page.
    pub remaining: Option<u64>,
    /// The number of items that were returned.
    pub items: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    FirstKey,
    Key,
    InKey,
    Colon,
    Value,
    /// Inside a string value of a field that is kept or skipped.
    InString,
    /// Inside a number, `true`, `false` or `null`.
    InScalar,
    InContainer,
    AfterValue,
    FirstItem,
    Item,
    InItem,
    AfterItem,
    End,
    Failed,
}

/// The fields of a list that are read; all others are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    ApiVersion,
    Kind,
    Metadata,
    Items,
    Code,
    Reason,
    Message,
    Other,
}

impl Field {
    fn named(name: &str) -> Self {
        match name {
            "apiVersion" => Self::ApiVersion,
            "kind" => Self::Kind,
            "metadata" => Self::Metadata,
            "items" => Self::Items,
            "code" => Self::Code,
            "reason" => Self::Reason,
            "message" => Self::Message,
            _ => Self::Other,
        }
    }
}

/// Splits one list response into items; see the module documentation.
#[derive(Debug)]
pub struct Splitter {
    state: State,
    field: Field,
    seen: u8,
    scan: Scan,
    escaped: bool,
    /// The beginning of a value that spans chunks.
    carry: Vec<u8>,
    /// The offset of the current value in the whole input.
    value_at: u64,
    consumed: u64,
    has_items: bool,
    status: (u16, String, String),
    meta: ListMeta,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    /// Creates a splitter for one response.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Start,
            field: Field::Other,
            seen: 0,
            scan: Scan::container(),
            escaped: false,
            carry: Vec::new(),
            value_at: 0,
            consumed: 0,
            has_items: false,
            status: (0, String::new(), String::new()),
            meta: ListMeta::default(),
        }
    }

    /// Returns the number of items so far.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.meta.items
    }

    /// Processes the next bytes of the response. `on_item` is called for each item that is complete.
    ///
    /// # Errors
    /// [`SplitError`] if the bytes are not part of a list, and any error of `on_item`. The splitter cannot be
    /// used after an error.
    pub fn push<E, F>(&mut self, bytes: &[u8], mut on_item: F) -> Result<(), E>
    where
        E: From<SplitError>,
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let mut at = 0;
        while at < bytes.len() {
            let step = match self.state {
                State::InItem => self.item(&bytes[at..], &mut on_item),
                _ => self.outer(&bytes[at..]).map_err(E::from),
            };
            match step {
                Ok(used) => {
                    at += used;
                    self.consumed += used as u64;
                }
                Err(error) => {
                    self.state = State::Failed;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Ends the response.
    ///
    /// # Errors
    /// [`SplitError::Truncated`] if the list is not complete; [`SplitError::Status`] and
    /// [`SplitError::NotAList`] if the response is complete but not a list.
    pub fn finish(self) -> Result<ListMeta, SplitError> {
        match self.state {
            State::End => {}
            State::Failed => return Err(SplitError::Poisoned),
            _ => return Err(SplitError::Truncated { bytes: self.consumed }),
        }
        if self.meta.kind == "Status" {
            let (code, reason, message) = self.status;
            return Err(SplitError::Status {
                code,
                reason,
                message,
            });
        }
        let lacking = |what: &str| {
            Err(SplitError::NotAList {
                what: format!("{:?} has no {what}", self.meta.kind),
            })
        };
        if !self.has_items {
            return lacking("items");
        }
        if self.meta.kind.is_empty() || self.meta.api_version.is_empty() {
            return lacking("kind and apiVersion");
        }
        Ok(self.meta)
    }

    /// Reads one item, from its opening brace or from the end of the last chunk.
    fn item<E, F>(&mut self, rest: &[u8], on_item: &mut F) -> Result<usize, E>
    where
        E: From<SplitError>,
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let (used, ended) = match self.scan.advance(rest) {
            Step::Ended(end) => (end, true),
            Step::More => (rest.len(), false),
            Step::TooDeep => return Err(SplitError::TooDeep { at: self.consumed }.into()),
        };
        if self.carry.len() + used > MAX_ITEM {
            return Err(self.too_large("item", MAX_ITEM).into());
        }
        if !ended {
            self.carry.extend_from_slice(rest);
            return Ok(used);
        }
        self.state = State::AfterItem;
        self.meta.items += 1;
        if self.carry.is_empty() {
            on_item(&rest[..used])?;
        } else {
            self.carry.extend_from_slice(&rest[..used]);
            on_item(&self.carry)?;
            self.carry.clear();
        }
        Ok(used)
    }

    /// Reads everything outside of items. Returns how many bytes were used, at least one.
    fn outer(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        let byte = rest[0];
        match self.state {
            State::InKey | State::InString => return self.string(rest),
            State::InContainer => return self.container(rest),
            State::InScalar => return self.scalar(rest),
            _ => {}
        }
        if is_space(byte) && self.state != State::Failed {
            return Ok(1);
        }
        self.state = match (self.state, byte) {
            (State::Start, b'{') => State::FirstKey,
            (State::FirstKey | State::Key, b'"') => {
                self.begin_value();
                self.carry.push(byte);
                State::InKey
            }
            (State::FirstKey | State::AfterValue, b'}') => State::End,
            (State::Colon, b':') => State::Value,
            (State::Value, _) => return self.value(byte),
            (State::AfterValue, b',') => State::Key,
            (State::FirstItem | State::AfterItem, b']') => State::AfterValue,
            (State::FirstItem | State::Item, b'{') => {
                self.begin_value();
                self.scan = Scan::container();
                self.state = State::InItem;
                // The item reads the brace itself.
                return Ok(0);
            }
            (State::AfterItem, b',') => State::Item,
            (State::Failed, _) => return Err(SplitError::Poisoned),
            (state, _) => {
                return Err(SplitError::Unexpected {
                    at: self.consumed,
                    expected: expected(state),
                });
            }
        };
        Ok(1)
    }

    fn begin_value(&mut self) {
        self.carry.clear();
        self.escaped = false;
        self.value_at = self.consumed;
    }

    fn value(&mut self, byte: u8) -> Result<usize, SplitError> {
        self.begin_value();
        match (self.field, byte) {
            (Field::Items, b'[') => {
                self.has_items = true;
                self.state = State::FirstItem;
                return Ok(1);
            }
            (Field::Items, b'n') => self.state = State::InScalar,
            (Field::Items, _) => return Err(self.unexpected("an array of items")),
            (_, b'"') => {
                self.carry.push(byte);
                self.state = State::InString;
                return Ok(1);
            }
            (_, b'{' | b'[') => {
                self.scan = Scan::container();
                self.state = State::InContainer;
            }
            (_, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => self.state = State::InScalar,
            _ => return Err(self.unexpected("a value")),
        }
        Ok(0)
    }

    fn string(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        // The opening quote is already in `carry`, so `string_end` cannot be used here.
        let mut end = None;
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    end = Some(at + 1);
                    break;
                }
                _ => {}
            }
        }
        let used = end.unwrap_or(rest.len());
        self.keep(&rest[..used])?;
        if end.is_some() {
            if self.state == State::InKey {
                self.end_key()?;
            } else {
                self.end_value()?;
            }
        }
        Ok(used)
    }

    fn container(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        let (used, ended) = match self.scan.advance(rest) {
            Step::Ended(end) => (end, true),
            Step::More => (rest.len(), false),
            Step::TooDeep => return Err(SplitError::TooDeep { at: self.consumed }),
        };
        self.keep(&rest[..used])?;
        if ended {
            self.end_value()?;
        }
        Ok(used)
    }

    fn scalar(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        let end = rest
            .iter()
            .position(|byte| is_space(*byte) || matches!(byte, b',' | b'}'));
        self.keep(&rest[..end.unwrap_or(rest.len())])?;
        if end.is_some() {
            self.end_value()?;
        }
        Ok(end.unwrap_or(rest.len()))
    }

    /// Keeps bytes of a key or of a value that will be read.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        if self.state == State::InContainer && self.field != Field::Metadata {
            return Ok(());
        }
        if self.carry.len() + bytes.len() > MAX_FIELD {
            return Err(self.too_large("field", MAX_FIELD));
        }
        self.carry.extend_from_slice(bytes);
        Ok(())
    }

    fn end_key(&mut self) -> Result<(), SplitError> {
        let name: String =
            serde_json::from_slice(&self.carry).map_err(|_| self.unexpected("the name of a field"))?;
        self.field = Field::named(&name);
        let bit = 1_u8 << (self.field as u8);
        if self.field != Field::Other && self.seen & bit != 0 {
            return Err(SplitError::Repeated { field: name });
        }
        self.seen |= bit;
        self.state = State::Colon;
        Ok(())
    }

    fn end_value(&mut self) -> Result<(), SplitError> {
        let was = std::mem::replace(&mut self.state, State::AfterValue);
        if was == State::InContainer && self.field != Field::Metadata {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.carry);
        let result = self.read_field(&raw);
        self.carry = raw;
        self.carry.clear();
        result.map_err(|expected| self.unexpected(expected))
    }

    fn read_field(&mut self, raw: &[u8]) -> Result<(), &'static str> {
        fn read<'a, T: Deserialize<'a>>(raw: &'a [u8], expected: &'static str) -> Result<T, &'static str> {
            serde_json::from_slice(raw).map_err(|_| expected)
        }
        match self.field {
            Field::ApiVersion => self.meta.api_version = read(raw, "the text of apiVersion")?,
            Field::Kind => self.meta.kind = read(raw, "the text of kind")?,
            Field::Metadata => {
                let fields: Option<MetaFields> = read(raw, "the metadata of a list")?;
                let fields = fields.unwrap_or_default();
                let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
                self.meta.resource_version = filled(fields.resource_version);
                self.meta.continue_token = filled(fields.continue_token);
                self.meta.remaining = fields.remaining_item_count;
            }
            Field::Items => {
                read::<()>(raw, "an array of items")?;
                self.has_items = true;
            }
            Field::Code => self.status.0 = read(raw, "a code")?,
            Field::Reason => self.status.1 = read(raw, "a reason")?,
            Field::Message => self.status.2 = read(raw, "a message")?,
            Field::Other => {
                read::<serde::de::IgnoredAny>(raw, "a value")?;
            }
        }
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> SplitError {
        SplitError::Unexpected {
            at: self.value_at,
            expected,
        }
    }

    fn too_large(&self, what: &'static str, limit: usize) -> SplitError {
        SplitError::TooLarge {
            what,
            at: self.value_at,
            limit,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MetaFields {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    continue_token: Option<String>,
    remaining_item_count: Option<u64>,
}

fn expected(state: State) -> &'static str {
    match state {
        State::Start => "the opening brace of a list",
        State::FirstKey => "the name of a field or a closing brace",
        State::Key => "the name of a field",
        State::Colon => "a colon",
        State::AfterValue => "a comma or a closing brace",
        State::FirstItem => "an object or the end of the items",
        State::Item => "an object",
        State::AfterItem => "a comma or the end of the items",
        State::End => "the end of the answer",
        _ => "part of a list",
    }
}

#[cfg(test)]
mod tests;
