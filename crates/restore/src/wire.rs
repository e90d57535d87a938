//! The kinds of request that a restore sends.

use bytes::Bytes;
use http::{Method, Request, header};
use lifeboat_model::{Diagnostic as _, ErrorKind};
use serde_json::{Value, json};

use lifeboat_apiserver::api::{Answer, Api, ApiError};

/// The field manager for fields that had no owner in the source.
pub(crate) const MANAGER: &str = "lifeboat";

pub(crate) const JSON: &str = "application/json";
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// The health of an API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It is ready.
    Ready,
    /// It answers, and does not say whether it is ready: a restore does not require the right to read `/readyz`.
    Unknown,
    /// It answers that it is not ready, with this status.
    NotReady(u16),
}

/// Asks the API server whether it is ready.
pub(crate) async fn health(api: &Api) -> Result<Health, ApiError> {
    match api.get("/readyz", "*/*").await {
        Ok(_) => Ok(Health::Ready),
        Err(error) => match error.status() {
            // Credentials that are not accepted anywhere fail the next request.
            Some(401 | 403 | 404) => Ok(Health::Unknown),
            Some(status) => Ok(Health::NotReady(status)),
            None => Err(error),
        },
    }
}

/// Builds a request with a body.
pub(crate) fn request(
    method: Method,
    path: &str,
    content_type: &'static str,
    body: Bytes,
) -> Result<Request<Bytes>, ApiError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, JSON)
        .header(header::CONTENT_TYPE, content_type)
        .body(body)
        .map_err(|cause| ApiError::Request {
            path: path.to_owned(),
            cause,
        })
}

/// Sends a request with `value` as its JSON body.
pub(crate) async fn send(
    api: &Api,
    method: Method,
    path: &str,
    content_type: &'static str,
    value: &Value,
) -> Result<Answer, ApiError> {
    let body = serde_json::to_string(value).expect("a JSON value has string keys and can be written");
    let body = match content_type {
        APPLY_PATCH => yaml_safe(body),
        _ => body,
    };
    api.request(request(method, path, content_type, body.into())?)
        .await
}

/// Escapes JSON such that a YAML parser reads the same document. The API server parses the body of a
/// server-side apply as YAML, which treats some characters as line breaks and folds them and the white space
/// around them (YAML 1.1, 4.2), and rejects others that JSON allows in a string (YAML 1.1, 5.1).
///
/// Characters beyond the Basic Multilingual Plane stay unescaped: both formats accept them, but JSON escapes
/// them as a surrogate pair, which YAML does not support.
fn yaml_safe(json: String) -> String {
    let unsafe_in_yaml = |character: char| {
        matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    if !json.contains(unsafe_in_yaml) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 64);
    for character in json.chars() {
        // Outside of strings JSON is ASCII without DEL, so that every such character is in a string.
        if unsafe_in_yaml(character) {
            safe.push_str(&format!("\\u{:04X}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Sends a write that may be retried after any transient failure: it stores nothing, or the server reports by
/// a conflict that the first attempt took effect.
pub(crate) async fn send_again(
    api: &Api,
    method: Method,
    path: &str,
    content_type: &'static str,
    value: &Value,
) -> Result<Answer, ApiError> {
    let mut backoff = api.retry_policy().begin(api.jitter());
    loop {
        match send(api, method.clone(), path, content_type, value).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error.pause(&mut backoff).await?,
        }
    }
}

/// Reads one object; `None` if it does not exist.
pub(crate) async fn read(api: &Api, path: &str) -> Result<Option<Value>, ApiError> {
    match api.get_json(path).await {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes the object with this uid only. An object that is gone already is not an error.
pub(crate) async fn delete(
    api: &Api,
    path: &str,
    uid: &str,
    resource_version: Option<&str>,
) -> Result<(), ApiError> {
    let mut preconditions = json!({ "uid": uid });
    if let Some(version) = resource_version {
        preconditions["resourceVersion"] = version.into();
    }
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": preconditions,
    });
    match send_again(api, Method::DELETE, path, JSON, &options).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Gone => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the string at a JSON pointer, or an empty string.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::yaml_safe;

    #[test]
    fn what_yaml_folds_or_refuses_is_escaped_and_nothing_else() {
        let all = "\u{7f}\u{80}\u{85}\u{9f}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}";
        assert_eq!(
            yaml_safe(json!(all).to_string()),
            r#""\u007F\u0080\u0085\u009F\u2028\u2029\uFEFF\uFFFE\uFFFF""#
        );
        let kept = "~\u{a0}\u{2027}\u{202a}\u{fefe}\u{fffd}\u{1f6df}\u{1ffff}\u{10ffff} \n\t\\\"";
        assert_eq!(yaml_safe(json!(kept).to_string()), json!(kept).to_string());
        let document = json!({ format!("a\u{2028}b"): ["\\\u{85}", format!("{kept} \u{2029} {all}")] });
        let read: Value = serde_json::from_str(&yaml_safe(document.to_string())).expect("it is JSON still");
        assert_eq!(read, document);
    }
}
