//! The scan for leftovers: what still names the primary after the translation.

use std::collections::BTreeSet;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compiled::Compiled;
use super::needles::{Hit, Needle};
use super::span::{self, Form, Span};

/// The maximum number of characters of a token; longer ones are cut.
const LONGEST_TOKEN: usize = 200;

/// An identifier of the primary that stays in an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leftover {
    /// The location, as a JSON pointer. If a key contains the identifier, that of its value.
    pub path: String,
    /// The ARN, URL, host name or token; in Secrets a digest of it. User, password and query of a URL are left out.
    pub token: String,
    /// What of the primary it names.
    pub kind: LeftoverKind,
    /// Why it may stay, if the identity map declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What of the primary a leftover names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LeftoverKind {
    /// Its account.
    Account,
    /// Its Region.
    Region,
    /// A resource that the map lists, in a form that is not recognised as its identifier.
    Listed,
    /// A resource by an id that the map does not list.
    UnknownId,
}

impl Compiled {
    /// Finds what names the primary in a translated text; `found` gets each token once.
    pub(super) fn scan(&self, text: &str, found: &mut dyn FnMut(&str, LeftoverKind)) {
        let mut seen = BTreeSet::new();
        let mut from = 0;
        while let Some(hit) = self.needles.next(text, from) {
            let span = span::around(text, &hit.range);
            let end = span.range.end.max(hit.range.end);
            from = end;
            if self.is_valid(&text[span.range.clone()], span.form) {
                continue;
            }
            // A counterpart may contain the identifier: the bucket `media-dr` that of `media`.
            let token = span::token_around(text, &hit.range);
            if token != hit.range && self.is_counterpart(&text[token.clone()]) {
                from = token.end;
                continue;
            }
            let Some(kind) = self.leftover(text, &span, &hit) else {
                // Another needle may begin inside this one.
                from = hit.range.start + 1;
                continue;
            };
            let token = shown(text, &span, &hit.range);
            if seen.insert(token.clone()) {
                found(&token, kind);
            }
        }
    }

    /// Whether a text names the primary.
    pub(super) fn has_leftovers(&self, text: &str) -> bool {
        let mut has = false;
        self.scan(text, &mut |_, _| has = true);
        has
    }

    /// Whether the map says that an identifier is valid in the recovery environment.
    fn is_valid(&self, text: &str, form: Form) -> bool {
        match form {
            Form::Arn => self.is_valid_arn(text) || self.is_counterpart(text),
            Form::Url => self.is_valid_url(text),
            Form::Host | Form::Token => self.is_counterpart(text),
        }
    }

    fn leftover(&self, text: &str, span: &Span, hit: &Hit) -> Option<LeftoverKind> {
        let bytes = text.as_bytes();
        let left = hit.range.start.checked_sub(1).map(|at| bytes[at]);
        let right = bytes.get(hit.range.end).copied();
        let either = |is: fn(&u8) -> bool| left.as_ref().is_some_and(is) || right.as_ref().is_some_and(is);
        match hit.needle {
            Needle::Account => (!either(u8::is_ascii_digit) && !is_in_digest(bytes, &hit.range))
                .then_some(LeftoverKind::Account),
            Needle::Region => {
                let is_part = left.is_some_and(|b| b.is_ascii_alphabetic())
                    && !span::begins_token(text, hit.range.start);
                let is_other = right.is_some_and(|b| b.is_ascii_digit());
                (!is_part && !is_other).then_some(LeftoverKind::Region)
            }
            Needle::Known(_) => (!either(u8::is_ascii_alphanumeric)).then_some(LeftoverKind::Listed),
            // An ARN or host name with an id of somebody else names nothing of the primary.
            Needle::Prefix(_) => (span.form == Form::Token).then_some(LeftoverKind::UnknownId),
            Needle::Name => None,
        }
    }

    /// Whether a number is the account of the primary.
    pub(super) fn is_primary_account(&self, number: &serde_json::Number) -> bool {
        self.account_number.is_some() && number.as_u64() == self.account_number
    }
}

/// Whether a place is in the middle of a digest: more than twelve hexadecimal digits, letters among them.
fn is_in_digest(bytes: &[u8], range: &Range<usize>) -> bool {
    let is_hex = |b: &&u8| b.is_ascii_hexdigit();
    let left = bytes[..range.start].iter().rev().take_while(is_hex).count();
    let right = bytes[range.end..].iter().take_while(is_hex).count();
    left + right > 0 && left + right + range.len() >= 32
}

/// Returns the token as it is listed.
fn shown(text: &str, span: &Span, hit: &Range<usize>) -> String {
    let range = match span.form {
        Form::Token => span::token_around(text, hit),
        _ => span.range.clone(),
    };
    let token = &text[range];
    let token = match span.form {
        Form::Url => without_secrets(token),
        _ => token.to_owned(),
    };
    match token.char_indices().nth(LONGEST_TOKEN) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token,
    }
}

/// Removes user, password, query and fragment of a URL.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}
