//! Correction: the error of a function is `Unhandled`.
//!
//! Lambda reports every error from a runtime as `Unhandled`; only long outdated runtimes reported
//! `Handled`. fakecloud reports `Handled` for errors that have a type.

use http::HeaderMap;
use http::HeaderValue;

const HEADER: &str = "x-amz-function-error";

/// Corrects the header if it is present.
pub(crate) fn correct(headers: &mut HeaderMap) {
    if headers.contains_key(HEADER) {
        headers.insert(HEADER, HeaderValue::from_static("Unhandled"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_is_marked() {
        let mut headers = HeaderMap::new();
        correct(&mut headers);
        assert!(headers.is_empty());
        headers.insert(HEADER, HeaderValue::from_static("Handled"));
        correct(&mut headers);
        assert_eq!(headers[HEADER], "Unhandled");
    }
}
