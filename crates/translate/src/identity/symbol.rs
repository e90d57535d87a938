//! Symbols: what stands for an identifier of the recovery environment until the resource exists.
//!
//! A symbol names an output of a stack: `${network.PrivateA}`. A map of symbols translates as one of identifiers does, so
//! that a plan is complete before anything is built.

/// Returns the symbol of an output of a stack.
#[must_use]
pub fn symbol(stack: &str, output: &str) -> String {
    format!("${{{stack}.{output}}}")
}

/// Whether a text is a symbol: the name of a stack, which has letters, digits, `-` and `_`, and that of an output, which
/// has letters and digits.
#[must_use]
pub fn is_symbol(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<(&str, &str)> {
    let (stack, output) = text.strip_prefix("${")?.strip_suffix('}')?.split_once('.')?;
    let is_stack = !stack.is_empty() && stack.bytes().all(super::span::is_token_byte);
    let is_output = !output.is_empty() && output.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_stack && is_output).then_some((stack, output))
}

/// Returns the symbols in a text in the order in which they stand: where each begins, its stack and its output.
pub fn symbols_in(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.match_indices("${").filter_map(|(at, _)| {
        let end = at + text[at..].find('}')? + 1;
        let (stack, output) = parse(&text[at..end])?;
        Some((at, stack, output))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_name_an_output_of_a_stack() {
        assert!(is_symbol(&symbol("network", "PrivateA")));
        for wrong in [
            "",
            "${}",
            "${a}",
            "${a.}",
            "${.A}",
            "${a.B-c}",
            "${aws:username}",
            "$a.B",
            "${a.B}c",
        ] {
            assert!(!is_symbol(wrong), "{wrong}");
        }
        let found: Vec<_> =
            symbols_in("https://${cluster-a_1.Issuer}/${aws:username}${storage.Fs}").collect();
        assert_eq!(found, [(8, "cluster-a_1", "Issuer"), (45, "storage", "Fs")]);
    }
}
