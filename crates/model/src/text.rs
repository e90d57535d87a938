//! Text of others: what another account, an API server or a parser of their documents says.

/// The maximum number of characters of a text of others. The sentences of API servers and of AWS are shorter; what is
/// longer is in the log of the function that received it.
pub const LONGEST: usize = 512;

/// Returns a text of others as it may be shown: on one line, without control characters and without the characters that
/// change the direction or the visibility of text (Unicode Standard Annex 9, "Explicit Directional Formatting
/// Characters", and the zero-width characters), and with at most [`LONGEST`] characters.
#[must_use]
pub fn bounded(text: &str) -> String {
    bounded_to(text, LONGEST)
}

/// Returns a text as [`bounded`] does, with at most `longest` characters.
#[must_use]
pub fn bounded_to(text: &str, longest: usize) -> String {
    let shown: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_hidden(*c))
        .take(longest + 1)
        .collect();
    match shown.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Whether a character is not seen itself, and changes how others are seen.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_others_cannot_change_the_screen_or_fill_it() {
        assert_eq!(bounded("connection refused"), "connection refused");
        assert_eq!(bounded("a\u{1b}[2J\r\n\tb\u{7f}\u{9b}"), "a[2J   b");
        assert_eq!(bounded("safe\u{202e}txt.exe\u{2066}\u{200b}"), "safetxt.exe");
        let long = bounded(&"é".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }
}
