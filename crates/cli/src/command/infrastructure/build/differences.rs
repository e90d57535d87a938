//! Where a resource differs from the one of the primary, as lines of a plan.

use lifeboat_infrastructure::{Difference, Reason, ResourceDifference};
use serde_json::Value;

/// The number of differences of a resource that a table shows.
const MOST_DIFFERENCES: usize = 4;

/// The number of characters of a value that a table shows.
const LONGEST_VALUE: usize = 48;

/// Returns the differences of a resource as lines of text: what is not just translated first.
pub(super) fn lines(differs: &ResourceDifference) -> String {
    let mut sorted: Vec<&Difference> = differs.differences.iter().collect();
    sorted.sort_by_key(|difference| difference.reason == Reason::Translated);
    let mut text = String::new();
    for difference in sorted.iter().take(MOST_DIFFERENCES) {
        let Difference { path, reason, .. } = difference;
        let values = if difference.is_hidden {
            "differs".to_owned()
        } else {
            let [before, after] = [&difference.primary, &difference.recovery].map(value_text);
            format!("{before} -> {after}")
        };
        text.push_str(&format!("      {path}: {values} ({reason})\n"));
    }
    let more = sorted.len().saturating_sub(MOST_DIFFERENCES);
    if more > 0 {
        text.push_str(&format!("      and {more} more in --output json\n"));
    }
    text
}

/// Returns a value as text, cut if it is long.
fn value_text(value: &Option<Value>) -> String {
    let text = match value {
        None => return "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    // A name or a tag of the primary may hold line breaks or codes of a terminal.
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_cut_and_lines_are_bounded() {
        let difference = |path: &str, primary: Value, reason| Difference {
            path: path.to_owned(),
            primary: Some(primary),
            recovery: None,
            is_hidden: false,
            reason,
        };
        let mut differences: Vec<Difference> = ["/A", "/B", "/C", "/D"]
            .map(|path| difference(path, json!("é".repeat(60)), Reason::Translated))
            .to_vec();
        differences.push(difference("/Tags/x", json!("a\n\u{1b}[2J"), Reason::NotKept));
        differences.push(Difference {
            is_hidden: true,
            primary: None,
            ..difference("/UserData", json!(null), Reason::Translated)
        });
        let lines = lines(&ResourceDifference {
            resource: "Vpc".to_owned(),
            r#type: "AWS::EC2::VPC".to_owned(),
            primary: None,
            differences,
        });
        let cut = format!("{}…", "é".repeat(48));
        assert_eq!(
            lines,
            format!(
                "      /Tags/x: a  [2J -> none (not kept)\n      /A: {cut} -> none (translated)\n      \
                 /B: {cut} -> none (translated)\n      /C: {cut} -> none (translated)\n      \
                 and 2 more in --output json\n"
            )
        );
    }
}
