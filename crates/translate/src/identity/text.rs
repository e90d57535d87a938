//! Translates the identifiers in a text.

use std::ops::Range;

use super::compiled::Compiled;
use super::kind::Kind;
use super::needles::{BEFORE_CLUSTERS, Needle};
use super::span::{self, Form};
use crate::rule::Rule;

/// One identifier of a text that was translated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) rule: Rule,
}

impl Edit {
    pub(super) fn new(from: impl Into<String>, to: impl Into<String>, rule: Rule) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            rule,
        }
    }
}

impl Compiled {
    /// Translates the identifiers in a text and records each. `None` if the text stays as it is.
    pub(super) fn rewrite(&self, text: &str, edits: &mut Vec<Edit>) -> Option<String> {
        let mut new: Option<String> = None;
        // Everything before `done` is in `new`; the search goes on at `from`.
        let (mut done, mut from) = (0, 0);
        while let Some(hit) = self.needles.next(text, from) {
            let span = span::around(text, &hit.range);
            if span.range.start < done {
                from = span.range.end.max(hit.range.end);
                continue;
            }
            let old = &text[span.range.clone()];
            let count = edits.len();
            let translated = match span.form {
                Form::Arn => self.arn(old),
                Form::Host => self.host_or_bucket(old),
                Form::Url => self.url(old, edits).map(|to| (to, Rule::Url)),
                Form::Token => self.whole_token(text, &span.range, hit.needle),
            };
            let Some((to, rule)) = translated else {
                // A single token may be the beginning of another one that is known.
                from = if span.form == Form::Token {
                    hit.range.start + 1
                } else {
                    span.range.end
                };
                continue;
            };
            if edits.len() == count {
                edits.push(Edit::new(old, to.as_str(), rule));
            }
            let new = new.get_or_insert_with(|| String::with_capacity(text.len() + 32));
            new.push_str(&text[done..span.range.start]);
            new.push_str(&to);
            (done, from) = (span.range.end, span.range.end);
        }
        let mut new = new?;
        new.push_str(&text[done..]);
        Some(new)
    }

    /// Translates a host name, or a bucket with dots in its name.
    fn host_or_bucket(&self, text: &str) -> Option<(String, Rule)> {
        self.host(text).or_else(|| {
            let (kind, to) = self.token(text)?;
            (kind != Kind::Host && to != text).then(|| (to.to_owned(), Rule::Id))
        })
    }

    fn whole_token(&self, text: &str, range: &Range<usize>, needle: Needle) -> Option<(String, Rule)> {
        if needle == Needle::Name {
            return self.cluster_behind(text, range);
        }
        if !span::is_whole(text, range) {
            return None;
        }
        let old = &text[range.clone()];
        if let Some((kind, to)) = self.token(old) {
            let rule = match kind {
                Kind::Zone | Kind::ZoneId => Rule::Zone,
                Kind::Host | Kind::Issuer => Rule::Host,
                Kind::Arn => Rule::Arn,
                _ => Rule::Id,
            };
            return (to != old).then(|| (to.to_owned(), rule));
        }
        match needle {
            Needle::Region => Some((self.recovery.region.to_string(), Rule::Region)),
            Needle::Account => Some((self.recovery.account.to_string(), Rule::Account)),
            Needle::Name | Needle::Known(_) | Needle::Prefix(_) => None,
        }
    }

    /// Translates the name of a cluster behind a text that says that it is one.
    fn cluster_behind(&self, text: &str, range: &Range<usize>) -> Option<(String, Rule)> {
        let old = &text[range.clone()];
        let (before, name, to) = BEFORE_CLUSTERS.iter().find_map(|before| {
            let name = old.strip_prefix(before)?;
            Some((*before, name, self.named(Kind::Cluster, name)?))
        })?;
        let is_whole = span::is_whole(text, &(range.start + before.len()..range.end));
        if !is_whole || to == name {
            return None;
        }
        Some((format!("{before}{to}"), Rule::Name))
    }
}
