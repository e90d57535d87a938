//! Replaces the values of Secrets.

use serde_json::Value;

/// Replaces every value of a Secret by its length. Annotations are treated as values: `kubectl apply` copies the whole
/// object into one.
pub(super) fn secret(mut object: Value) -> Value {
    for pointer in ["/data", "/stringData", "/metadata/annotations"] {
        if let Some(values) = object.pointer_mut(pointer) {
            hide(values);
        }
    }
    object
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(hide),
        Value::Null => {}
        Value::String(text) => *text = format!("[masked, {} characters]", text.chars().count()),
        other => *other = Value::String("[masked]".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::secret;

    #[test]
    fn no_value_of_a_secret_is_left() {
        let masked = secret(json!({
            "kind": "Secret",
            "metadata": { "name": "db", "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{\"canary\"}" } },
            "data": { "password": "Y2FuYXJ5", "odd": 7, "nested": ["canary"] },
            "stringData": { "x": "canary" },
        }))
        .to_string();
        assert!(
            !masked.contains("canary") && !masked.contains("Y2FuYXJ5"),
            "{masked}"
        );
        assert!(
            masked.contains("password") && masked.contains("\"db\""),
            "{masked}"
        );
    }
}
