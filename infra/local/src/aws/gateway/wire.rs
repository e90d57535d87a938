//! Bodies, query strings and responses of the AWS protocols.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = BoxBody<Bytes, BoxError>;

/// Returns a body that is in memory.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// Returns the decoded value of a parameter in a query string or a form.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    parameters(query)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// Iterates over the decoded parameters of a query string or a form.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
    })
}

/// Decodes percent encoding; invalid sequences stay as they are.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The set of characters to encode: all but `unreserved` (RFC 3986).
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes all characters but the unreserved ones of RFC 3986.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, &UNRESERVED).to_string()
}

/// Encodes a form, as the AWS query protocol sends it.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Returns the text of the first element of this name. The XML responses of AWS are flat enough for
/// that, and the texts that are read here contain no markup.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let open = format!("<{name}>");
    let start = xml.find(&open)? + open.len();
    let length = xml[start..].find(&format!("</{name}>"))?;
    Some(&xml[start..start + length])
}

/// Returns a JSON response.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    answer(status, "application/json", body.to_string())
}

/// Returns an error of a service with a JSON protocol: EKS names the error in a header, the older
/// services in `__type`.
pub(crate) fn json_error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let mut response = json_answer(status, &json!({ "__type": code, "message": message }));
    if let Ok(code) = HeaderValue::from_str(code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// Returns a response with any content type.
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_out_as_they_went_in() {
        let text = form(&[("A.1", "a b/ä"), ("B", "x=y&z")]);
        assert_eq!(parameter(&text, "A.1").as_deref(), Some("a b/ä"));
        assert_eq!(parameter(&text, "B").as_deref(), Some("x=y&z"));
        assert_eq!(parameter(&text, "C"), None);
        assert_eq!(parameter("versioning", "versioning").as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_encoding_stays() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%41"), "%zzA");
    }

    #[test]
    fn the_first_element_of_a_name_counts() {
        let xml = "<R><Arn>one</Arn><B><Arn>two</Arn></B></R>";
        assert_eq!(element(xml, "Arn"), Some("one"));
        assert_eq!(element(xml, "C"), None);
    }
}
