//! The metrics that a dashboard shows: those of its widgets, and those that its search expressions find.

use std::collections::BTreeSet;

use serde_json::Value;

/// A metric and its dimensions, without their values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Drawn {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Vec<String>,
}

/// A call of `SEARCH` in an expression
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Search {
    /// The metrics that the call finds.
    pub(crate) finds: Drawn,
    /// The length of the query, in characters.
    pub(crate) length: usize,
    /// The statistic.
    pub(crate) statistic: String,
    /// The period, in seconds.
    pub(crate) period: u64,
}

impl Search {
    /// Parses every call in an expression, and returns the rest of the expression without them.
    pub(crate) fn all(expression: &str) -> Result<(Vec<Self>, String), String> {
        let mut parts = expression.split("SEARCH(");
        let mut rest = parts.next().unwrap_or_default().to_owned();
        let mut found = Vec::new();
        for part in parts {
            let (search, behind) =
                Self::read(part).ok_or_else(|| format!("this is no search expression: SEARCH({part}"))?;
            found.push(search);
            rest.push_str(behind);
        }
        Ok((found, rest))
    }

    /// Parses one call after its parenthesis: `'{Namespace,Dimension} Terms', 'Statistic', Period)`.
    fn read(text: &str) -> Option<(Self, &str)> {
        let (query, rest) = text.strip_prefix('\'')?.split_once('\'')?;
        let (statistic, rest) = rest.strip_prefix(", '")?.split_once('\'')?;
        let (period, rest) = rest.strip_prefix(", ")?.split_once(')')?;
        let (schema, terms) = query.strip_prefix('{')?.split_once('}')?;
        let mut schema = schema.split(',').map(str::to_owned);
        // With quotes the match is exact; without them it would find every metric that has the word in its name.
        let (name, _) = terms.split_once("MetricName=\"")?.1.split_once('"')?;
        let search = Self {
            finds: Drawn {
                namespace: schema.next()?,
                name: name.to_owned(),
                dimensions: schema.collect(),
            },
            length: query.chars().count(),
            statistic: statistic.to_owned(),
            period: period.parse().ok()?,
        };
        Some((search, rest))
    }
}

/// Iterates over the lists of metrics of the metric widgets.
fn lists(body: &Value) -> impl Iterator<Item = &Vec<Value>> {
    let widgets = body["widgets"].as_array().into_iter().flatten();
    widgets.filter_map(|widget| widget["properties"]["metrics"].as_array())
}

/// Returns every metric that a dashboard shows. What violates a rule of [`super::body`] is left out.
pub(crate) fn drawn(body: &Value) -> BTreeSet<Drawn> {
    let mut all = BTreeSet::new();
    for list in lists(body) {
        let mut former: Vec<String> = Vec::new();
        for entry in list.iter().filter_map(Value::as_array) {
            let texts: Vec<String> = (entry.iter().filter_map(Value::as_str).enumerate())
                .map(|(at, text)| match former.get(at) {
                    Some(former) if text == "." => former.clone(),
                    _ => text.to_owned(),
                })
                .collect();
            if let [namespace, name, dimensions @ ..] = texts.as_slice() {
                all.insert(Drawn {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    dimensions: dimensions.iter().step_by(2).cloned().collect(),
                });
                former = texts;
            }
            let expressions = entry.iter().filter_map(|part| part["expression"].as_str());
            for (searches, _) in expressions.filter_map(|text| Search::all(text).ok()) {
                all.extend(searches.into_iter().map(|search| search.finds));
            }
        }
    }
    all
}
