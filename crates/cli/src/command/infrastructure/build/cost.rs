//! The table of prices of a plan, and what the stacks cost, as lines of text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lifeboat_infrastructure::cost::{InvalidPrices, ModeCost, NotPriced};
use lifeboat_infrastructure::{Cost, Prices};
use lifeboat_model::Code;

use crate::command::restore_options::without_quoted;
use crate::failure::Failure;

/// Reads a table of prices.
pub(super) fn read(file: &Path) -> Result<Prices, Failure> {
    let named = format!("failed to read the prices {}", file.display());
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::of(Code::PricesInvalid, named.as_str(), &error).remedy("check the path of --prices")
    })?;
    Prices::read(&bytes).map_err(|error| {
        let what = match &error {
            // A file that was named by mistake may hold a secret.
            InvalidPrices::Json(cause) => without_quoted(cause),
            InvalidPrices::Format(_) | InvalidPrices::Price { .. } => error.to_string(),
        };
        Failure::new(Code::PricesInvalid, format!("{named}: {what}"))
    })
}

/// The number of resources that a table names for what is not priced.
const MOST_NAMES: usize = 3;

/// Returns what the stacks cost as lines of text.
pub(in crate::command) fn table(cost: &Cost) -> String {
    let amount = |mode: &ModeCost| {
        let most = if mode.is_most { "at most " } else { "" };
        let [hour, month] = [mode.usd_per_hour, mode.usd_per_month].map(|usd| usd.rounded());
        format!("{most}{hour} USD/h ({month} USD/month)")
    };
    let mut text = format!(
        "Cost while active: {}, standby: {}\n",
        amount(&cost.active),
        amount(&cost.standby)
    );
    for stack in &cost.active.stacks {
        let [hour, month] = [stack.usd_per_hour, stack.usd_per_month].map(|usd| usd.rounded());
        text.push_str(&format!("  {}: {hour} USD/h ({month} USD/month)\n", stack.stack));
    }
    if !cost.sources.is_empty() {
        let is_compared = cost.sources.iter().all(|source| source.date.is_some());
        let oldest = cost
            .sources
            .iter()
            .filter_map(|source| source.date.as_deref())
            .min();
        let when = match oldest.filter(|_| is_compared) {
            Some(oldest) => format!("compared with their sources on {oldest} or later"),
            None => "not all of them compared with their sources".to_owned(),
        };
        text.push_str(&format!(
            "  list prices without taxes and discounts, {when}; --prices replaces them\n"
        ));
    }
    let all = cost.active.not_priced.iter().chain(&cost.standby.not_priced);
    let all: BTreeSet<&NotPriced> = all.collect();
    let mut by_what: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in all {
        let name = match &one.stack {
            Some(stack) if *stack != one.resource => format!("{stack}.{}", one.resource),
            _ => one.resource.clone(),
        };
        by_what.entry(&one.what).or_default().push(name);
    }
    if !by_what.is_empty() {
        text.push_str("  not priced:\n");
    }
    for (what, names) in by_what {
        let more = match names.len().saturating_sub(MOST_NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names: Vec<String> = names.into_iter().take(MOST_NAMES).collect();
        text.push_str(&format!("    {what}: {}{more}\n", names.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_table_of_prices_that_cannot_be_read_is_an_error_that_quotes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prices.json");
        let failed = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let problem = read(&file).unwrap_err().problem().clone();
            assert_eq!(problem.code, Code::PricesInvalid);
            assert!(
                problem.guidance.contains("lifeboat schema prices"),
                "{}",
                problem.guidance
            );
            problem.message
        };
        let row = |usd: &str, field: &str| {
            format!(
                r#"{{"format": "lifeboat.dev/prices/v1",
                     "prices": [{{"charge": "kmsKeyMonth", "regions": ["*"], "usd": {usd}{field}}}]}}"#
            )
        };
        std::fs::write(&file, row("\"1\"", "")).unwrap();
        assert!(read(&file).is_ok());
        for (text, says) in [
            ("hunter2".to_owned(), "expected value at line 1 column 1"),
            (
                row("\"hunter2\"", ""),
                "an amount is a decimal number such as 0.096",
            ),
            (row("0.5", ""), "expected a string at line 2"),
            (row("\"1\"", r#", "price": "hunter2""#), "unknown field `price`"),
            (
                row("\"1\"", r#", "item": "m5.large""#),
                "the price at position 1 (KMS key, m5.large) has no `item`",
            ),
        ] {
            let message = failed(&text);
            assert!(
                message.contains(says) && !message.contains("hunter2"),
                "{message}"
            );
        }
        let problem = read(&folder.path().join("none.json"))
            .unwrap_err()
            .problem()
            .clone();
        assert_eq!(problem.code, Code::PricesInvalid);
        assert_eq!(problem.guidance, "check the path of --prices");
    }
}
