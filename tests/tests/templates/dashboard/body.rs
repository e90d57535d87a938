//! The structure of a dashboard body
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>),
//! as far as Lifeboat's dashboard uses it: an unknown field or widget type is a violation, too.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::drawn::Search;

/// A rule: returns the violations in a body.
type Rule = fn(&Value) -> Vec<String>;

/// Every rule with its name.
pub(crate) const RULES: &[(&str, Rule)] = &[
    ("the top level", top_level),
    ("the place of each widget", places),
    ("no widget lies on another", overlaps),
    ("texts and alarms", texts_and_alarms),
    ("the properties of metric widgets", metric_widgets),
    ("the metrics of metric widgets", metrics),
    ("ids and expressions", expressions),
];

/// The number of columns in the grid.
const COLUMNS: u64 = 24;

/// The maximum number of metrics and expressions in a widget.
const METRICS: usize = 500;

/// The maximum length of the query of a search expression, and the maximum number of search
/// expressions in a graph
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html>).
const QUERY: usize = 1_024;
const SEARCHES: usize = 5;

const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

fn widgets(body: &Value) -> impl Iterator<Item = &Value> {
    body["widgets"].as_array().into_iter().flatten()
}

fn metric_lists(body: &Value) -> impl Iterator<Item = (&str, &Vec<Value>)> {
    widgets(body).filter_map(|widget| {
        let properties = &widget["properties"];
        let title = properties["title"].as_str().unwrap_or_default();
        Some((title, properties["metrics"].as_array()?))
    })
}

/// Returns the fields of an object that are not in `known`; a value that is not an object is wrong as a whole.
fn unknown(value: &Value, known: &[&str]) -> Vec<String> {
    let Some(fields) = value.as_object() else {
        return vec![format!("this is no object: {value}")];
    };
    let strange = fields.keys().filter(|field| !known.contains(&field.as_str()));
    strange.map(|field| format!("unknown field {field}")).collect()
}

fn is_period(value: &Value) -> bool {
    value
        .as_u64()
        .is_some_and(|period| period >= 60 && period % 60 == 0)
}

fn is_absent_or(fields: &Map<String, Value>, name: &str, holds: impl Fn(&Value) -> bool) -> bool {
    fields.get(name).is_none_or(holds)
}

fn one_of(values: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |value| value.as_str().is_some_and(|text| values.contains(&text))
}

fn top_level(body: &Value) -> Vec<String> {
    let mut violations = unknown(body, &["widgets", "start", "periodOverride"]);
    if body["widgets"]
        .as_array()
        .is_none_or(|widgets| widgets.len() > 500)
    {
        violations.push("no list of at most 500 widgets".to_owned());
    }
    let start = &body["start"];
    if !start.is_null() && start.as_str().is_none_or(|start| !start.starts_with("-P")) {
        violations.push(format!("start is {start}"));
    }
    let period = &body["periodOverride"];
    if !period.is_null() && period != "auto" && period != "inherit" {
        violations.push(format!("periodOverride is {period}"));
    }
    for widget in widgets(body) {
        violations.extend(unknown(
            widget,
            &["type", "x", "y", "width", "height", "properties"],
        ));
        if !one_of(&["metric", "text", "alarm"])(&widget["type"]) {
            violations.push(format!("a widget of type {}", widget["type"]));
        }
    }
    violations
}

/// Returns left, top, width and height of a widget.
fn place(widget: &Value) -> Option<[u64; 4]> {
    let number = |name: &str, default| match &widget[name] {
        Value::Null => Some(default),
        value => value.as_u64(),
    };
    Some([
        number("x", 0)?,
        number("y", 0)?,
        number("width", 6)?,
        number("height", 6)?,
    ])
}

fn places(body: &Value) -> Vec<String> {
    let fits = |widget: &Value| {
        place(widget).is_some_and(|[x, _, width, height]| {
            x < COLUMNS
                && (1..=COLUMNS).contains(&width)
                && (1..=1_000).contains(&height)
                && x + width <= COLUMNS
                && widget["x"].is_null() == widget["y"].is_null()
        })
    };
    let wrong = widgets(body).filter(|widget| !fits(widget));
    wrong.map(Value::to_string).collect()
}

fn overlaps(body: &Value) -> Vec<String> {
    let placed: Vec<[u64; 4]> = (widgets(body).filter(|widget| !widget["x"].is_null()))
        .filter_map(place)
        .collect();
    let apart = |a: &[u64; 4], b: &[u64; 4]| a[0] + a[2] <= b[0] || a[1] + a[3] <= b[1];
    let mut violations = Vec::new();
    for (number, one) in placed.iter().enumerate() {
        for other in &placed[number + 1..] {
            if !apart(one, other) && !apart(other, one) {
                violations.push(format!("{one:?} and {other:?}"));
            }
        }
    }
    violations
}

fn texts_and_alarms(body: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    for widget in widgets(body) {
        let properties = &widget["properties"];
        if widget["type"] == "text" {
            violations.extend(unknown(properties, &["markdown", "background"]));
            if properties["markdown"].as_str().is_none_or(str::is_empty) {
                violations.push("a text without markdown".to_owned());
            }
        }
        if widget["type"] == "alarm" {
            violations.extend(unknown(properties, &["title", "alarms", "sortBy", "states"]));
            let alarms = properties["alarms"].as_array();
            let is_arn = |alarm: &Value| alarm.as_str().is_some_and(|arn| arn.starts_with("arn:"));
            if alarms.is_none_or(|alarms| !(1..=100).contains(&alarms.len()) || !alarms.iter().all(is_arn)) {
                violations.push(format!("no 1 to 100 ARNs of alarms: {properties}"));
            }
        }
    }
    violations
}

fn metric_widgets(body: &Value) -> Vec<String> {
    const FIELDS: &[&str] = &[
        "annotations",
        "legend",
        "liveData",
        "metrics",
        "period",
        "region",
        "sparkline",
        "stacked",
        "stat",
        "title",
        "view",
        "yAxis",
    ];
    let mut violations = Vec::new();
    for widget in widgets(body).filter(|widget| widget["type"] == "metric") {
        violations.extend(unknown(&widget["properties"], FIELDS));
        let Some(fields) = widget["properties"].as_object() else {
            continue;
        };
        let title = fields.get("title").and_then(Value::as_str).unwrap_or_default();
        let mut check = |name: &str, holds: bool| {
            if !holds {
                violations.push(format!("{name} of {title:?} is wrong"));
            }
        };
        check("the title", !title.is_empty());
        check("region", fields.get("region").is_some_and(Value::is_string));
        check("metrics", fields.get("metrics").is_some_and(Value::is_array));
        check("period", is_absent_or(fields, "period", is_period));
        check("stat", is_absent_or(fields, "stat", one_of(STATISTICS)));
        const VIEWS: &[&str] = &["timeSeries", "singleValue", "gauge", "bar", "pie", "table"];
        check("view", is_absent_or(fields, "view", one_of(VIEWS)));
        check("stacked", is_absent_or(fields, "stacked", Value::is_boolean));
        check("annotations", is_absent_or(fields, "annotations", annotated));
        check("yAxis", is_absent_or(fields, "yAxis", has_axes));
    }
    violations
}

/// Returns whether the annotations are horizontal and each has a value.
fn annotated(annotations: &Value) -> bool {
    const FIELDS: &[&str] = &["value", "label", "color", "fill", "yAxis", "visible"];
    let lines = annotations["horizontal"].as_array();
    unknown(annotations, &["horizontal"]).is_empty()
        && lines.is_some_and(|lines| {
            lines.iter().all(|line| {
                unknown(line, FIELDS).is_empty()
                    && line["value"].is_number()
                    && (line["fill"].is_null() || one_of(&["above", "below", "none"])(&line["fill"]))
            })
        })
}

fn has_axes(axes: &Value) -> bool {
    let mut each = axes.as_object().into_iter().flat_map(Map::values);
    unknown(axes, &["left", "right"]).is_empty()
        && each.all(|axis| unknown(axis, &["label", "min", "max", "showUnits"]).is_empty())
}

/// Splits an entry into its strings and the options, an object that may come last.
fn parts(entry: &Value) -> Option<(Vec<&str>, Option<&Value>)> {
    let entry = entry.as_array()?;
    let (texts, options) = match entry.split_last()? {
        (options, texts) if options.is_object() => (texts, Some(options)),
        _ => (entry.as_slice(), None),
    };
    let texts: Option<Vec<&str>> = texts.iter().map(Value::as_str).collect();
    Some((texts?, options))
}

/// `[Namespace, MetricName, DimensionName, DimensionValue, ..., {options}]` or `[{expression}]`.
fn metrics(body: &Value) -> Vec<String> {
    const OPTIONS: &[&str] = &[
        "color", "id", "label", "period", "region", "stat", "visible", "yAxis",
    ];
    const EXPRESSION: &[&str] = &["color", "expression", "id", "label", "period", "visible", "yAxis"];
    let mut violations = Vec::new();
    for (title, list) in metric_lists(body) {
        if list.len() > METRICS {
            violations.push(format!("{title:?} has {} metrics", list.len()));
        }
        let mut former = 0;
        for entry in list {
            let Some((texts, options)) = parts(entry) else {
                violations.push(format!("{title:?} has the entry {entry}"));
                continue;
            };
            let known = if texts.is_empty() { EXPRESSION } else { OPTIONS };
            let mut wrong = options.map_or_else(Vec::new, |options| unknown(options, known));
            if let Some(options) = options.and_then(Value::as_object) {
                let period = is_absent_or(options, "period", is_period);
                if !period || !is_absent_or(options, "stat", one_of(STATISTICS)) {
                    wrong.push("wrong period or statistic".to_owned());
                }
            }
            if texts.is_empty() {
                if !options.is_some_and(|options| options["expression"].is_string()) {
                    wrong.push("neither a metric nor an expression".to_owned());
                }
            } else {
                if texts.len() < 2 || texts.len() % 2 != 0 {
                    wrong.push("no pairs of names".to_owned());
                }
                let repeats = texts
                    .iter()
                    .rposition(|text| *text == ".")
                    .map_or(0, |last| last + 1);
                if repeats > former {
                    wrong.push("\".\" without a former metric".to_owned());
                }
                former = texts.len();
            }
            violations.extend(wrong.iter().map(|what| format!("{what} in {entry} of {title:?}")));
        }
    }
    violations
}

fn expressions(body: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    for (title, list) in metric_lists(body) {
        let options = || list.iter().filter_map(parts).filter_map(|(_, options)| options);
        let mut ids = BTreeSet::new();
        for id in options().filter_map(|options| options["id"].as_str()) {
            if !id.starts_with(|first: char| first.is_ascii_lowercase()) || !ids.insert(id) {
                violations.push(format!("the id {id} of {title:?} is wrong or there twice"));
            }
        }
        let mut searches = 0;
        for expression in options().filter_map(|options| options["expression"].as_str()) {
            let (found, rest) = match Search::all(expression) {
                Ok(read) => read,
                Err(error) => {
                    violations.push(format!("{error} in {title:?}"));
                    continue;
                }
            };
            searches += found.len();
            for search in found {
                if search.length > QUERY
                    || !STATISTICS.contains(&search.statistic.as_str())
                    || !is_period(&search.period.into())
                {
                    violations.push(format!("{title:?} has the search {search:?}"));
                }
            }
            let words = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase())) {
                if !ids.contains(word) {
                    violations.push(format!("nothing in {title:?} has the id {word}"));
                }
            }
        }
        if searches > SEARCHES {
            violations.push(format!("{title:?} has {searches} searches"));
        }
    }
    violations
}
