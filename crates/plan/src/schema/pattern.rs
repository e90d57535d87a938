//! Patterns in the syntax of RE2 (<https://github.com/google/re2/wiki/Syntax>), which API servers match with Go.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::OnceLock;

use regex::Regex;

/// A pattern, compiled when the first text is matched.
#[derive(Debug)]
pub(super) struct Pattern {
    source: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(super) fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            compiled: OnceLock::new(),
        }
    }

    /// Returns whether a text contains a match; true if that cannot be decided, because the pattern uses what only Go
    /// has.
    pub(super) fn may_match(&self, text: &str) -> bool {
        let compile = || translate(&self.source).and_then(|pattern| Regex::new(&pattern).ok());
        let compiled = self.compiled.get_or_init(compile);
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Translates a pattern to the syntax of the crate regex, which is that of RE2 except for classes: RE2 has no sets in
/// sets, and `\d`, `\s`, `\w` and `\b` know ASCII only.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '[' => class(&mut rest, &mut out)?,
            '\\' => match rest.next()? {
                'b' => out.push_str(r"(?-u:\b)"),
                // It may be inside a character, which a text in Rust cannot be split at.
                'B' => return None,
                escaped => match perl_class(escaped) {
                    Some((negated, members)) => {
                        out.push_str(if negated { "[^" } else { "[" });
                        out.push_str(members);
                        out.push(']');
                    }
                    None => out.extend(['\\', escaped]),
                },
            },
            other => out.push(other),
        }
    }
    Some(out)
}

/// Returns the members of a class such as `\d`, and whether it means all others.
fn perl_class(escaped: char) -> Option<(bool, &'static str)> {
    let members = match escaped.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((escaped.is_ascii_uppercase(), members))
}

/// Translates the rest of a bracket expression.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let (mut is_first, mut may_begin_range) = (true, false);
    loop {
        let next = rest.next()?;
        let was_first = std::mem::take(&mut is_first);
        match next {
            ']' if !was_first => {
                out.push(']');
                return Some(());
            }
            '[' if rest.peek() == Some(&':') => {
                out.push('[');
                loop {
                    let named = rest.next()?;
                    out.push(named);
                    if named == ']' {
                        break;
                    }
                }
                may_begin_range = false;
            }
            '-' if may_begin_range && rest.peek() != Some(&']') => {
                out.push('-');
                member(rest.next()?, rest, out)?;
                may_begin_range = false;
            }
            other => may_begin_range = member(other, rest, out)?,
        }
    }
}

/// Translates one member of a bracket expression. Returns whether it may begin a range.
fn member(next: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<bool> {
    if next != '\\' {
        // Sets in sets, and the operators between them, are characters in RE2.
        if matches!(next, '[' | ']' | '&' | '~' | '-' | '^') {
            out.push('\\');
        }
        out.push(next);
        return Some(true);
    }
    let escaped = rest.next()?;
    let Some((negated, members)) = perl_class(escaped) else {
        out.extend(['\\', escaped]);
        // `\pL` and `\p{Greek}` are classes.
        return Some(!matches!(escaped, 'p' | 'P'));
    };
    match negated {
        true => {
            out.push_str("[^");
            out.push_str(members);
            out.push(']');
        }
        false => out.push_str(members),
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, matching, other) in [
            (r"^\d+$", "42", "٤٢"),
            (r"^[\w.-]+$", "a.b-c", "é"),
            (r"^[a-z\d-]+$", "a-1", "A"),
            (r"^[^\s/]+$", "a\u{a0}b", "a/b"),
            (r"^[[&&~]+$", "[&~", "a"),
            (r"^[]a-]+$", "]-a", "b"),
            (r"^[[:alpha:]]+$", "abc", "1"),
            (r"^\p{Lu}[^\D5]$", "É4", "É5"),
            (r"(?i)^ab$", "AB", "abc"),
            (r"\bfoo\b", "a foo", "foobar"),
            (r"^[+--]$", ",", "/"),
            (r"^a{2,3}$", "aa", "a"),
        ] {
            let compiled = Pattern::new(pattern);
            assert!(compiled.may_match(matching), "{pattern} {matching:?}");
            assert!(!compiled.may_match(other), "{pattern} {other:?}");
        }
    }

    #[test]
    fn what_cannot_be_decided_is_no_mismatch() {
        for pattern in [r"\Bx", r"\Qa.b\E", "(", "[a", r"\"] {
            assert!(Pattern::new(pattern).may_match("zzz"), "{pattern}");
        }
    }
}
