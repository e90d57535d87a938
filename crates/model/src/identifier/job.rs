//! Identifiers of jobs, their epochs, and the requests that start them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delegate::DelegateId;
use super::{ApplicationName, InvalidIdentifier, is_clean_path};

identifier!(
    /// The id of a job: `<delegate>/<name>`, the delegate that does it and a name. The name begins with the recovery
    /// point or the second that the job is for, so that the jobs of a delegate sort by time.
    JobId,
    "job id",
    "of the form <delegate>/<name>, the name of at most 160 letters, digits, '.', '-' and '_'",
    |text| text.split_once('/').is_some_and(|(delegate, name)| {
        DelegateId::parse(delegate).is_ok() && name.len() <= 160 && !name.contains('/') && is_clean_path(name)
    })
);

identifier!(
    /// The idempotency token of a user's request: a repeated request with the same token has no further
    /// effect.
    RequestToken,
    "request token",
    "1 to 64 letters, digits, '-' and '_'",
    |text| (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);

impl JobId {
    /// Returns the id of a delegate's job with this name.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] if the name is not valid.
    pub fn new(delegate: &DelegateId, name: &str) -> Result<Self, InvalidIdentifier> {
        Self::parse(format!("{delegate}/{name}"))
    }

    /// Returns the delegate that does the job.
    #[must_use]
    pub fn delegate(&self) -> DelegateId {
        DelegateId::parse(self.split().0).expect("a job id was parsed with its delegate")
    }

    /// Returns the application that the job belongs to.
    #[must_use]
    pub fn application(&self) -> ApplicationName {
        self.delegate().application()
    }

    /// Returns the name, which is unique among the jobs of the delegate.
    #[must_use]
    pub fn name(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.as_str()
            .split_once('/')
            .expect("a job id was parsed with its '/'")
    }
}

/// The number of an attempt at a job, from 1. A higher epoch fences a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Epoch(NonZeroU32);

impl Epoch {
    /// The first epoch.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// Returns the epoch with this number; `None` for 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// Returns the number, at least 1.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// Returns the next epoch.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Four digits, as in keys, so that epochs sort as text.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = InvalidIdentifier;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidIdentifier {
            what: "epoch",
            given: text.to_owned(),
            rule: "four digits, from 0001",
        };
        let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        Self::new(number).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn job_ids_are_two_clean_segments() {
        let id = JobId::parse("shop/20261121T112233Z-7f3a9c-capture-orders").unwrap();
        assert_eq!(id.application().as_str(), "shop");
        assert_eq!(id.name(), "20261121T112233Z-7f3a9c-capture-orders");
        let private = JobId::parse("shop.orders/20261121T112233Z-7f3a9c-capture-orders").unwrap();
        assert_eq!(private.delegate().as_str(), "shop.orders");
        assert_eq!(private.application(), id.application());
        for wrong in [
            "", "shop", "shop/", "/x", "Shop/x", "shop/a/b", "shop/..", "shop/.a", "shop/a b",
        ] {
            assert!(JobId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn epochs_count_from_one_and_sort_as_text() {
        assert_eq!(Epoch::FIRST.next().to_string(), "0002");
        assert_eq!("0017".parse::<Epoch>().unwrap().get(), 17);
        assert!(Epoch::new(0).is_none());
        for wrong in ["", "0", "0000", "1", "00001", "-001", "+001", "000a"] {
            assert!(wrong.parse::<Epoch>().is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&Epoch::FIRST).unwrap(), "1");
        assert!(serde_json::from_str::<Epoch>("0").is_err());
    }

    #[test]
    fn tokens_are_words() {
        assert!(RequestToken::parse("b3a1-_Z").is_ok());
        for wrong in ["", "a b", "a/b", &"x".repeat(65)] {
            assert!(RequestToken::parse(wrong).is_err(), "{wrong}");
        }
    }
}
