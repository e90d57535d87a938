//! What the tests of conversions share.

use lifeboat_aws::reads::spelled;
use serde::de::DeserializeOwned;

/// Asserts that every value that this version of the SDK knows can be described.
pub(crate) fn assert_spelled<T: DeserializeOwned>(values: &[&'static str]) {
    for value in values {
        assert!(
            spelled::<T>(value).is_some(),
            "{} {value}",
            std::any::type_name::<T>()
        );
    }
}
