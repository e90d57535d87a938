//! Finds the identifier around a place in a text: an ARN, a URL, a host name, or a single token.

use std::ops::Range;

use super::host::ENDPOINT_SERVICES;

/// Whether a byte is part of a token: the neighbours of a whole token are none of these.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The form of an identifier in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `arn:…`
    Arn,
    /// `scheme://…`
    Url,
    /// Labels with dots between them.
    Host,
    /// Anything else.
    Token,
}

/// An identifier in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) form: Form,
}

/// Returns the identifier around `hit`. It depends on the structure of the text alone and not on what was found before,
/// so that a translated text is taken apart as it was before.
pub(super) fn around(text: &str, hit: &Range<usize>) -> Span {
    let word = word(text, hit);
    let (plain, structure) = part_of(text, word, hit);
    if let Some(span) = structure {
        return span;
    }
    let host = run(text, &plain, hit, |byte| is_token_byte(byte) || byte == b'.');
    let host = trim(text, host);
    if host.start <= hit.start && hit.end <= host.end && is_host_like(&text[host.clone()]) {
        return Span {
            range: host,
            form: Form::Host,
        };
    }
    Span {
        range: hit.clone(),
        form: Form::Token,
    }
}

/// Returns the ARN or URL of a word that `hit` is in, or else the part of the word between them.
fn part_of(text: &str, word: Range<usize>, hit: &Range<usize>) -> (Range<usize>, Option<Span>) {
    let mut begin = word.start;
    loop {
        let rest = begin..word.end;
        let first = [arn(text, &rest), url(text, &rest)].into_iter().flatten();
        let Some(next) = first.min_by_key(|span| span.range.start) else {
            return (rest, None);
        };
        if hit.start < next.range.start {
            return (begin..next.range.start, None);
        }
        if hit.start < next.range.end {
            return (rest, Some(next));
        }
        begin = next.range.end;
    }
}

/// Returns the run of token bytes around a place, for a list of what stays.
pub(super) fn token_around(text: &str, hit: &Range<usize>) -> Range<usize> {
    let word = word(text, hit);
    run(text, &word, hit, is_token_byte)
}

/// Whether no neighbour of a range is part of a token.
pub(super) fn is_whole(text: &str, range: &Range<usize>) -> bool {
    let left = begins_token(text, range.start);
    let right = text[range.end..].chars().next();
    left && !right.is_some_and(is_token_char)
}

/// Whether a token can begin at `at`: the character before it is not part of one, or it is the end of an escape
/// sequence of a JSON text inside the text.
pub(super) fn begins_token(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    !before.is_some_and(is_token_char) || is_escaped(text.as_bytes(), at)
}

fn is_token_char(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_')
}

/// Whether an escape sequence of JSON ends at `at`: `\n`, `\t`, `\u003c`.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let short =
        at >= 2 && bytes[at - 2] == b'\\' && matches!(bytes[at - 1], b'n' | b'r' | b't' | b'b' | b'f');
    let long =
        at >= 6 && &bytes[at - 6..at - 4] == b"\\u" && bytes[at - 4..at].iter().all(u8::is_ascii_hexdigit);
    short || long
}

/// Whether a character separates words: space, quotes, brackets and what separates elements of lists.
fn separates(character: char) -> bool {
    match character {
        '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '{' | '}' | '[' | ']' | ',' | ';' | '|' | '\\' => true,
        other if other.is_ascii() => other.is_ascii_whitespace() || other.is_ascii_control(),
        other => !other.is_alphanumeric(),
    }
}

fn word(text: &str, hit: &Range<usize>) -> Range<usize> {
    let mut start = hit.start;
    for (at, character) in text[..hit.start].char_indices().rev() {
        if separates(character) || is_escaped(text.as_bytes(), at + character.len_utf8()) {
            break;
        }
        start = at;
    }
    let rest = text[hit.end..].char_indices();
    let end = rest
        .map(|(at, character)| (hit.end + at, character))
        .find(|(_, character)| separates(*character))
        .map_or(text.len(), |(at, _)| at);
    start..end
}

/// Extends a hit inside a word over the bytes that `is_part` accepts.
fn run(text: &str, word: &Range<usize>, hit: &Range<usize>, is_part: fn(u8) -> bool) -> Range<usize> {
    let bytes = text.as_bytes();
    let left = bytes[word.start..hit.start]
        .iter()
        .rev()
        .take_while(|b| is_part(**b))
        .count();
    // The structure behind the part may begin inside the hit.
    let end = word.end.max(hit.end);
    let right = bytes[hit.end..end].iter().take_while(|b| is_part(**b)).count();
    hit.start - left..hit.end + right
}

/// Removes punctuation that ends a sentence, not an identifier.
fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inner = text[range.clone()].trim_end_matches(['.', ':', '!', '?']);
    let end = range.start + inner.len();
    let begin = end - inner.trim_start_matches('.').len();
    begin..end
}

/// Returns the first ARN in a part of a text.
fn arn(text: &str, part: &Range<usize>) -> Option<Span> {
    let starts = text[part.clone()]
        .match_indices("arn:")
        .map(|(at, _)| part.start + at);
    let mut spans = starts.filter(|start| begins_token(text, *start)).map(|start| {
        let end = text[start..part.end]
            .find(['&', '#'])
            .map_or(part.end, |at| start + at);
        trim(text, start..end)
    });
    let range = spans.find(|range| text[range.clone()].splitn(6, ':').count() == 6)?;
    Some(Span {
        range,
        form: Form::Arn,
    })
}

/// Returns the first URL in a part of a text; it ends with the part.
fn url(text: &str, part: &Range<usize>) -> Option<Span> {
    let colons = text[part.clone()]
        .match_indices("://")
        .map(|(at, _)| part.start + at);
    let mut starts = colons.filter_map(|colon| {
        let is_scheme = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'+' | b'.' | b'-' | b':');
        let scheme = text.as_bytes()[part.start..colon]
            .iter()
            .rev()
            .take_while(is_scheme)
            .count();
        (scheme > 0).then_some(colon - scheme)
    });
    let start = starts.next()?;
    Some(Span {
        range: trim(text, start..part.end),
        form: Form::Url,
    })
}

/// Whether a text is the name of an endpoint service, whose last label is that of a service, such as `s3`.
pub(super) fn is_endpoint_service(text: &str) -> bool {
    text.strip_prefix("cn.")
        .unwrap_or(text)
        .starts_with(ENDPOINT_SERVICES)
}

/// Whether labels with dots between them end as the name of a domain does.
fn is_host_like(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_domain = (2..=24).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_alphabetic());
    text.contains('.')
        && (is_domain || is_endpoint_service(text))
        && text.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(text: &'a str, hit: &str) -> (&'a str, Form) {
        let start = text.find(hit).expect("the text has the hit");
        let span = around(text, &(start..start + hit.len()));
        (&text[span.range], span.form)
    }

    #[test]
    fn an_identifier_is_taken_whole_out_of_its_text() {
        let region = "eu-west-1";
        for (text, expected, form) in [
            ("eu-west-1", "eu-west-1", Form::Token),
            ("region=eu-west-1, x", "eu-west-1", Form::Token),
            ("/a/eu-west-1/b", "eu-west-1", Form::Token),
            (
                "see arn:aws:sqs:eu-west-1:111111111111:orders.",
                "arn:aws:sqs:eu-west-1:111111111111:orders",
                Form::Arn,
            ),
            (
                r#"{"a":"arn:aws:sqs:eu-west-1:1:a","b":1}"#,
                "arn:aws:sqs:eu-west-1:1:a",
                Form::Arn,
            ),
            (
                "x=https://sqs.eu-west-1.amazonaws.com/1/a?b=c",
                "https://sqs.eu-west-1.amazonaws.com/1/a?b=c",
                Form::Url,
            ),
            (
                "db.eu-west-1.rds.amazonaws.com:5432/x",
                "db.eu-west-1.rds.amazonaws.com",
                Form::Host,
            ),
            (r"a\neu-west-1.example.com\n", "eu-west-1.example.com", Form::Host),
        ] {
            assert_eq!(found(text, region), (expected, form), "{text}");
        }
    }

    #[test]
    fn tokens_end_at_letters_digits_hyphens_and_underscores_of_any_script() {
        for (text, whole) in [
            ("eu-west-1", true),
            ("\"eu-west-1\"", true),
            (r"x\neu-west-1", true),
            (r"x\u003ceu-west-1\u003e", true),
            ("\u{201c}eu-west-1\u{201d}", true),
            ("from-eu-west-1", false),
            ("eu-west-1a", false),
            ("_eu-west-1", false),
            ("éeu-west-1", false),
            ("eu-west-1é", false),
        ] {
            let start = text.find("eu-west-1").expect("it is there");
            assert_eq!(is_whole(text, &(start..start + 9)), whole, "{text}");
        }
    }
}
