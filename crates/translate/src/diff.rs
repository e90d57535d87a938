//! Finds the fields in which two values differ.

use serde_json::{Number, Value};

use crate::pointer;

/// A field that differs. At most one side is absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'a> {
    /// The value on the left side.
    pub left: Option<&'a Value>,
    /// The value on the right side.
    pub right: Option<&'a Value>,
}

/// Calls `found` for each field that differs, in the order of the keys. Maps are compared key by key. Lists
/// are compared element by element if they have the same length, otherwise as a whole. A `null` equals an
/// absent field. Numbers are equal if they have the same value.
pub fn diff<'a>(left: &'a Value, right: &'a Value, found: &mut dyn FnMut(String, Change<'a>)) {
    walk("", left, right, found);
}

fn walk<'a>(at: &str, left: &'a Value, right: &'a Value, found: &mut dyn FnMut(String, Change<'a>)) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let here = pointer::join(at, key);
                match b.get(key) {
                    Some(other) => walk(&here, value, other, found),
                    None if value.is_null() => {}
                    None => found(
                        here,
                        Change {
                            left: Some(value),
                            right: None,
                        },
                    ),
                }
            }
            for (key, value) in b {
                if !a.contains_key(key) && !value.is_null() {
                    found(
                        pointer::join(at, key),
                        Change {
                            left: None,
                            right: Some(value),
                        },
                    );
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (value, other)) in a.iter().zip(b).enumerate() {
                walk(&pointer::join(at, &index.to_string()), value, other, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if same_number(a, b) => {}
        _ if left == right => {}
        _ => {
            let side = |value: &'a Value| (!value.is_null()).then_some(value);
            found(
                at.to_owned(),
                Change {
                    left: side(left),
                    right: side(right),
                },
            );
        }
    }
}

/// Whether two values are equal by the rules of [`diff`].
#[must_use]
pub fn same(left: &Value, right: &Value) -> bool {
    let mut equal = true;
    diff(left, right, &mut |_, _| equal = false);
    equal
}

/// Whether two numbers have the same value, whatever their text: `1`, `1.0` and `10e-1` are equal. Decimal
/// digits are compared, not floating point values, so that large integers keep their last digits.
#[must_use]
pub fn same_number(a: &Number, b: &Number) -> bool {
    let (a, b) = (a.to_string(), b.to_string());
    a == b || matches!((normal(&a), normal(&b)), (Some(a), Some(b)) if a == b)
}

/// Returns the sign, the significant digits, and the power of ten of the last digit.
fn normal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some((false, String::new(), 0));
    }
    let dropped = i64::try_from(significant.len() - trimmed.len()).ok()?;
    let power = exponent
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(dropped)?;
    Some((negative, trimmed.to_owned(), power))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn paths(left: &Value, right: &Value) -> Vec<String> {
        let mut paths = Vec::new();
        diff(left, right, &mut |path, _| paths.push(path));
        paths
    }

    #[test]
    fn numbers_are_compared_by_value_and_never_rounded() {
        let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
        for (a, b, expected) in [
            ("1", "1.0", true),
            ("10", "1e1", true),
            ("-0", "0", true),
            ("0.10", "1E-1", true),
            ("9007199254740993", "9007199254740992", false),
            ("1", "-1", false),
            ("1e400", "1e401", false),
        ] {
            assert_eq!(same(&number(a), &number(b)), expected, "{a} and {b}");
        }
    }

    #[test]
    fn lists_keep_their_order_and_maps_do_not() {
        assert_eq!(
            paths(&json!({"a": [1, 2]}), &json!({"a": [2, 1]})),
            ["/a/0", "/a/1"]
        );
        assert_eq!(paths(&json!({"a": [1, 2]}), &json!({"a": [1]})), ["/a"]);
        assert_eq!(
            paths(&json!({"a": null, "b": 1}), &json!({"b": 1})),
            Vec::<String>::new()
        );
        assert_eq!(
            paths(&json!({"a": {"x/y": 1}}), &json!({"a": {"z": 1}})),
            ["/a/x~1y", "/a/z"]
        );
    }
}
