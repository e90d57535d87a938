//! Correction: an error of a function is `Unhandled`.
//!
//! Lambda says so of every error that a runtime reports; `Handled` was left to
//! runtimes of long ago. fakecloud says `Handled` of what carries a type.

use http::HeaderMap;
use http::HeaderValue;

const HEADER: &str = "x-amz-function-error";

/// Corrects the header where there is one.
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
