//! Sizes, counts and times as text for people.

use jiff::Timestamp;

/// Formats a size in binary units: `512 B`, `1.5 KiB`, `64 MiB`.
#[must_use]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    // At most three digits are shown, for which the 52 bits of the mantissa suffice.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut shown = size as f64 / 1024.0;
    let mut unit = 0;
    while shown >= 1023.95 && unit + 1 < UNITS.len() {
        shown /= 1024.0;
        unit += 1;
    }
    if shown < 10.0 {
        format!("{shown:.1} {}", UNITS[unit])
    } else {
        format!("{shown:.0} {}", UNITS[unit])
    }
}

/// Formats a number with thousands separators: `300,000`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number with its noun: `1 object`, `2 objects`. The caller gives both forms, as in `policy` and `policies`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Formats the time since `then` as kubectl prints ages: `42s`, `17m`, `5h`, `12d`.
#[must_use]
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs();
    match seconds {
        ..0 => "in the future".to_owned(),
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Formats a duration in seconds: `0.4 s`, `12 s`, `3 min 5 s`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        let whole = std::time::Duration::from_secs_f64(seconds).as_secs();
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_short_and_exact_enough() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (67_108_864, "64 MiB"),
            (5_368_709_120, "5.0 GiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
        assert_eq!(
            [count(0), count(999), count(1000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(counted(1, "object", "objects"), "1 object");
    }

    #[test]
    fn ages_read_as_kubectl_prints_them() {
        let now = Timestamp::from_second(1_000_000).expect("a time in 1970");
        let before = |s: i64| Timestamp::from_second(1_000_000 - s).expect("a time in 1970");
        for (seconds, text) in [
            (5, "5s"),
            (300, "5m"),
            (10_800, "3h"),
            (864_000, "10d"),
            (-5, "in the future"),
        ] {
            assert_eq!(age(before(seconds), now), text);
        }
        assert_eq!(
            [seconds(0.42), seconds(61.2), seconds(185.0)],
            ["0.4 s", "61 s", "3 min 5 s"]
        );
    }
}
