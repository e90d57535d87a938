//! The output that a user sees, with everything replaced that differs between runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::run::Place;

/// Runs a command line and renders the output that a user sees.
pub(crate) fn transcript(place: &Place, line: &str) -> String {
    let output = place.run(line);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    stable(
        place,
        &format!(
            "$ lifeboat {line}\nexit code: {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        ),
    )
}

/// Replaces what differs between runs.
fn stable(place: &Place, text: &str) -> String {
    let text = text.replace(&place.path().display().to_string(), "[DIR]");
    let mut stable = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("sha256:") {
        let (before, after) = rest.split_at(at + "sha256:".len());
        stable.push_str(before);
        let digits = after.chars().take_while(char::is_ascii_hexdigit).count();
        stable.push_str(if digits == 0 { "" } else { "[DIGEST]" });
        rest = &after[digits..];
    }
    stable.push_str(rest);
    stable
}
