//! Amounts of US dollars. They are counted in millionths; no floating point number is involved.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of digits after the point.
const DIGITS: usize = 6;

/// The number of millionths in a dollar.
const MILLION: u128 = 1_000_000;

/// The number of hours that AWS takes for a month (<https://aws.amazon.com/ec2/pricing/on-demand/>: 730).
pub(crate) const HOURS: u64 = 730;

/// An amount of US dollars, in millionths. As text it is a decimal number: `0.096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Usd(u128);

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsd {
    /// It is not a decimal number without a sign.
    #[error("an amount is a decimal number such as 0.096, with 6 digits after the point at most")]
    Form,
    /// It is more than [`Usd::MOST`].
    #[error("a price is 1000000 US dollars at most")]
    TooMuch,
}

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The highest price. Sums stay far from the limit of the type with it.
    pub const MOST: Self = Self(1_000_000 * MILLION);

    /// Returns the amount of so many millionths of a dollar.
    #[must_use]
    pub const fn of_millionths(millionths: u64) -> Self {
        Self(millionths as u128)
    }

    /// Returns the amount in millionths of a dollar.
    #[must_use]
    pub const fn millionths(self) -> u128 {
        self.0
    }

    /// Returns the amount for a number of units.
    #[must_use]
    pub(crate) const fn times(self, units: u64) -> Self {
        Self(self.0.saturating_mul(units as u128))
    }

    /// Returns what an amount for a month of 730 hours is for one hour, rounded to a millionth.
    #[must_use]
    pub(crate) const fn of_an_hour(self) -> Self {
        let hours = HOURS as u128;
        Self((self.0.saturating_add(hours / 2)) / hours)
    }

    /// Returns the amount for people: rounded to cents, or to hundredths of a cent if it is less than one.
    #[must_use]
    pub fn rounded(self) -> String {
        let cent = MILLION / 100;
        let unit = match self.0 {
            0 => cent,
            less if less < cent => cent / 100,
            _ => cent,
        };
        let digits = if unit == cent { 2 } else { 4 };
        let units = self.0.saturating_add(unit / 2) / unit;
        let whole = MILLION / unit;
        format!("{}.{:0digits$}", units / whole, units % whole)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, one| Self(sum.0.saturating_add(one.0)))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / MILLION, self.0 % MILLION);
        if rest == 0 {
            return write!(f, "{dollars}");
        }
        let rest = format!("{rest:0DIGITS$}");
        write!(f, "{dollars}.{}", rest.trim_end_matches('0'))
    }
}

impl FromStr for Usd {
    type Err = InvalidUsd;

    fn from_str(text: &str) -> Result<Self, InvalidUsd> {
        let (dollars, rest) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(dollars) || !is_number(rest) || rest.len() > DIGITS {
            return Err(InvalidUsd::Form);
        }
        // A number of more digits than the type holds is too much as well.
        let dollars: u128 = dollars.parse().map_err(|_| InvalidUsd::TooMuch)?;
        let rest: u128 = format!("{rest:0<DIGITS$}")
            .parse()
            .map_err(|_| InvalidUsd::Form)?;
        let amount = dollars
            .checked_mul(MILLION)
            .and_then(|millionths| millionths.checked_add(rest));
        amount.map(Self).ok_or(InvalidUsd::TooMuch)
    }
}

impl Serialize for Usd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Usd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,6})?$" })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn amounts_are_decimal_numbers_in_millionths() {
        for (text, millionths) in [
            ("0", 0),
            ("1", 1_000_000),
            ("0.096", 96_000),
            ("0.004445", 4_445),
            ("1000000", 1_000_000_000_000),
        ] {
            let amount: Usd = text.parse().unwrap();
            assert_eq!(amount, Usd::of_millionths(millionths));
            assert_eq!(amount.to_string(), text);
        }
        assert_eq!("0.10".parse::<Usd>().unwrap().to_string(), "0.1");
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "0,1",
            "0.0000001",
            "NaN",
            " 1",
            "١",
        ] {
            assert_eq!(text.parse::<Usd>(), Err(InvalidUsd::Form), "{text:?}");
        }
        let long = "9".repeat(60);
        assert_eq!(long.parse::<Usd>(), Err(InvalidUsd::TooMuch));
    }

    #[test]
    fn a_month_has_730_hours_and_rounding_is_to_the_nearest() {
        let month = |millionths| Usd::of_millionths(millionths).of_an_hour().millionths();
        assert_eq!(month(730_000), 1_000);
        assert_eq!(month(1_000_000), 1_370);
        assert_eq!((month(364), month(365)), (0, 1));
    }

    #[test]
    fn amounts_for_people_never_show_nothing_for_something_that_counts() {
        for (millionths, shown) in [
            (0, "0.00"),
            (1_370, "0.0014"),
            (10_000, "0.01"),
            (744_999, "0.74"),
            (745_000, "0.75"),
            (543_210_000, "543.21"),
            (999_999, "1.00"),
            (9_999, "0.0100"),
        ] {
            assert_eq!(Usd::of_millionths(millionths).rounded(), shown);
        }
    }

    #[test]
    fn sums_do_not_overflow() {
        let most = Usd::MOST.times(u64::MAX).times(u64::MAX);
        assert_eq!([most, most].into_iter().sum::<Usd>(), Usd(u128::MAX));
    }
}
