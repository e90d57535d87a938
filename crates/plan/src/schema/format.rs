//! The formats that API servers check
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation>).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr as _;

use serde_json::Value;

use super::Types;

/// A format.
#[derive(Debug)]
pub(super) struct Format {
    name: Box<str>,
    check: Check,
}

#[derive(Debug)]
enum Check {
    Text(fn(&str) -> bool),
    Int32,
    Int64,
    Float,
    /// The API server checks it and the planner does not: names of hosts, addresses of mail, URIs, numbers of books and
    /// cards, colours.
    Undecided,
}

/// The formats of texts, without dashes. The API server ignores others.
const TEXTS: [(&str, Check); 24] = [
    ("byte", Check::Text(is_base64)),
    ("date", Check::Text(is_date)),
    ("datetime", Check::Text(is_date_time)),
    ("duration", Check::Text(is_duration)),
    (
        "ipv4",
        Check::Text(|text| text.contains('.') && ip(text).is_some()),
    ),
    (
        "ipv6",
        Check::Text(|text| text.contains(':') && ip(text).is_some()),
    ),
    ("cidr", Check::Text(is_cidr)),
    ("mac", Check::Text(is_mac)),
    ("uuid", Check::Text(|text| is_uuid(text, None))),
    ("uuid3", Check::Text(|text| is_uuid(text, Some(b'3')))),
    ("uuid4", Check::Text(|text| is_uuid(text, Some(b'4')))),
    ("uuid5", Check::Text(|text| is_uuid(text, Some(b'5')))),
    ("bsonobjectid", Check::Undecided),
    ("uri", Check::Undecided),
    ("email", Check::Undecided),
    ("hostname", Check::Undecided),
    ("isbn", Check::Undecided),
    ("isbn10", Check::Undecided),
    ("isbn13", Check::Undecided),
    ("creditcard", Check::Undecided),
    ("ssn", Check::Undecided),
    ("hexcolor", Check::Undecided),
    ("rgbcolor", Check::Undecided),
    ("password", Check::Undecided),
];

impl Format {
    /// Returns the format, if API servers check it for values of these types.
    pub(super) fn of(name: &str, types: Types) -> Option<Self> {
        let check = if types == Types::named("integer") {
            match name {
                "int32" => Check::Int32,
                "int64" => Check::Int64,
                _ => return None,
            }
        } else if types == Types::named("number") {
            match name {
                "float" => Check::Float,
                "double" => Check::Undecided,
                _ => return None,
            }
        } else if types.is_any() || types.has("string") {
            let plain = name.replace('-', "");
            TEXTS.into_iter().find(|(known, _)| *known == plain)?.1
        } else {
            return None;
        };
        let name = name.into();
        Some(Self { name, check })
    }

    /// Returns whether a value has the format; true if that is not decided.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        match (&self.check, value) {
            (Check::Text(check), Value::String(text)) => check(text),
            (Check::Int32, Value::Number(number)) => number
                .as_f64()
                .is_none_or(|number| (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number)),
            // Greater ones are no integers to the API server.
            (Check::Float, Value::Number(number)) => number
                .as_f64()
                .is_none_or(|number| number.abs() <= f64::from(f32::MAX)),
            _ => true,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Returns whether a text is base64 in the standard alphabet with padding, and not empty.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !digits.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(is_digit)
}

/// Returns the number that a text of so many digits is.
fn digits(text: &str, length: usize) -> Option<u32> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |length| digits(parts.next()?, length);
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else {
        return false;
    };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day) && parts.next().is_none()
}

fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['t', 'T']) else {
        return false;
    };
    let (Some(clock), Some(rest)) = (time.get(..8), time.get(8..)) else {
        return false;
    };
    let mut parts = clock.split(':');
    let mut next = |most| {
        parts
            .next()
            .and_then(|part| digits(part, 2))
            .is_some_and(|part| part <= most)
    };
    let is_clock = next(23) && next(59) && next(59) && parts.next().is_none();
    // A fraction, after any character.
    let end = rest.trim_start_matches(|c: char| !matches!(c, 'z' | 'Z' | '+' | '-'));
    let fraction = &rest[..rest.len() - end.len()];
    let mut after_point = fraction.chars();
    let is_fraction = fraction.is_empty()
        || (after_point.next().is_some()
            && !after_point.as_str().is_empty()
            && after_point.all(|digit| digit.is_ascii_digit()));
    let is_zone = matches!(end, "z" | "Z")
        || end.get(1..).is_some_and(|zone| {
            zone.split_once(':')
                .is_some_and(|(hours, minutes)| digits(hours, 2).is_some() && digits(minutes, 2).is_some())
        });
    is_date(date) && is_clock && is_fraction && is_zone
}

/// Returns whether a text has a number with a unit, as durations of Go and Scala have. The API server ignores the rest.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 15] = [
        "ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk", "nano", "micro", "milli", "sec",
    ];
    const PREFIXES: [&str; 8] = ["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
    let is_unit = |unit: &str| {
        let unit = unit.to_lowercase();
        UNITS.contains(&&*unit) || PREFIXES.iter().any(|prefix| unit.starts_with(prefix))
    };
    let has_unit = |(at, _): (usize, char)| {
        let rest = text[at + 1..].trim_start_matches(|c: char| c.is_whitespace() || c == '.');
        let end = rest.find(|c: char| !(c.is_ascii_alphabetic() || c == 'µ'));
        is_unit(&rest[..end.unwrap_or(rest.len())])
    };
    let numbers = text.char_indices().filter(|(_, c)| c.is_ascii_digit());
    text.trim_start_matches(['+', '-']) == "0" || numbers.into_iter().any(has_unit)
}

/// Parses an address. Parts of IPv4 addresses may have leading zeros, as in API servers.
fn ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return Ipv6Addr::from_str(text).ok().map(IpAddr::V6);
    }
    let part = |part: &str| {
        let stripped = part.trim_start_matches('0');
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| if stripped.is_empty() { "0" } else { stripped }.to_owned())
    };
    let parts: Option<Vec<String>> = text.split('.').map(part).collect();
    parts?.join(".").parse().ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match ip(address) {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => return false,
    };
    digits(length, length.len()).is_some_and(|length| length <= most)
}

/// Returns whether a text is an address of 6, 8 or 20 bytes as Go's `net.ParseMAC` reads it.
fn is_mac(text: &str) -> bool {
    let is_hex =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    let of = |separator: char, length: usize, counts: [usize; 3]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len()) && parts.iter().all(|part| is_hex(part, length))
    };
    of(':', 2, [6, 8, 20]) || of('-', 2, [6, 8, 20]) || of('.', 4, [3, 4, 10])
}

fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let mut hex = Vec::with_capacity(32);
    for byte in text.bytes() {
        match byte {
            // A dash may be left out.
            b'-' if matches!(hex.len(), 8 | 12 | 16 | 20) && hex.last() != Some(&b'-') => {}
            byte if byte.is_ascii_hexdigit() => hex.push(byte),
            _ => return false,
        }
    }
    let is_variant = |byte: u8| matches!(byte.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b');
    hex.len() == 32
        && !text.contains("--")
        && version.is_none_or(|version| hex[12] == version && (version == b'3' || is_variant(hex[16])))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_have_the_formats_that_an_api_server_accepts() {
        let accepts = |name: &str, text: &str| {
            Format::of(name, Types::named("string"))
                .unwrap()
                .accepts(&json!(text))
        };
        for (name, good, bad) in [
            ("byte", "aGk=", "aGk"),
            ("byte", "aGkK", ""),
            ("date", "2024-02-29", "2023-02-29"),
            ("date-time", "2024-02-29T23:59:59Z", "2024-02-29"),
            (
                "date-time",
                "2024-02-29t23:59:59.123+01:00",
                "2024-02-29T24:00:00Z",
            ),
            ("datetime", "2024-02-29T23:59:59-01:00", "2024-02-29T23:59:59"),
            ("duration", "1h30m", "soon"),
            ("duration", "22 ns", "22 parsecs"),
            ("duration", "0", "1"),
            ("ipv4", "10.0.0.01", "10.0.0.256"),
            ("ipv4", "::ffff:1.2.3.4", "::1"),
            ("ipv6", "fe80::1", "fe80::1%eth0"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("cidr", "fd00::/64", "fd00::"),
            ("mac", "00:00:5e:00:53:01", "00:00:5e:00:53"),
            ("mac", "0000.5e00.5301", "0000-5e00-5301"),
            ("uuid", "123E4567e89b-12d3-a456-426614174000", "123e4567"),
            (
                "uuid4",
                "123e4567-e89b-42d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
        ] {
            assert!(accepts(name, good), "{name} {good:?}");
            assert!(!accepts(name, bad), "{name} {bad:?}");
        }
        assert!(accepts("hostname", "not decided!"));
    }

    #[test]
    fn formats_of_numbers_are_ranges() {
        let accepts = |name: &str, r#type: &str, value: Value| {
            Format::of(name, Types::named(r#type)).unwrap().accepts(&value)
        };
        assert!(accepts("int32", "integer", json!(2_147_483_647)));
        assert!(!accepts("int32", "integer", json!(2_147_483_648_i64)));
        assert!(accepts("float", "number", json!(1.5)));
        assert!(!accepts("float", "number", json!(1e39)));
        // Unknown to the API server.
        assert!(Format::of("int32", Types::named("number")).is_none());
        assert!(Format::of("semver", Types::named("string")).is_none());
    }
}
