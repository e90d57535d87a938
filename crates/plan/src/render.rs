//! Renders values in plans, differences and reports: long values are truncated, values in Secrets are digests.

use serde_json::Value;

use crate::digest::Redactor;

/// The maximum length of a value in characters. Longer text is truncated to keep lines readable; `--output json` of
/// the objects has the rest.
const SHOWN_CHARACTERS: usize = 120;

/// Renders values of objects of one type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueRenderer<'a> {
    secret: bool,
    whole: bool,
    redactor: &'a Redactor,
}

impl<'a> ValueRenderer<'a> {
    pub(crate) fn of_type(group: &str, resource: &str, redactor: &'a Redactor) -> Self {
        Self {
            secret: group.is_empty() && resource == "secrets",
            whole: false,
            redactor,
        }
    }

    /// Creates a renderer for an object whose type is known only from its `kind` and `apiVersion`.
    pub(crate) fn of_object(object: &Value, redactor: &'a Redactor) -> Self {
        let word = |name| object.get(name).and_then(Value::as_str);
        Self {
            secret: word("kind") == Some("Secret") && word("apiVersion") == Some("v1"),
            whole: false,
            redactor,
        }
    }

    /// Returns a renderer that does not truncate values.
    pub(crate) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// Returns the value at `path` as text. In a Secret, everything is a digest except the object's name, namespace,
    /// labels, owner references, finalizers and type. Annotations are digests too, because kubectl copies the whole
    /// object into one.
    pub(crate) fn render(self, path: &str, value: &Value) -> String {
        if self.secret && !is_plain_in_secret(path) {
            return self.redactor.short(value);
        }
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match text.char_indices().nth(SHOWN_CHARACTERS) {
            None => text,
            Some(_) if self.whole => text,
            Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        }
    }
}

fn is_plain_in_secret(path: &str) -> bool {
    [
        "/metadata/name",
        "/metadata/namespace",
        "/type",
        "/immutable",
        "/kind",
        "/apiVersion",
    ]
    .contains(&path)
        || [
            "/metadata/labels/",
            "/metadata/ownerReferences",
            "/metadata/finalizers",
        ]
        .iter()
        .any(|plain| path.starts_with(plain))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_a_secret_is_shown_but_what_names_it() {
        let redactor = Redactor::new(&[7; 32]);
        let secret = ValueRenderer::of_type("", "secrets", &redactor);
        for path in [
            "",
            "/data",
            "/data/password",
            "/stringData/x",
            "/metadata",
            "/metadata/annotations/a",
            "/unknown",
        ] {
            let shown = secret.render(path, &json!({"x": "canary"}));
            assert!(
                shown.starts_with("hmac-sha256:") && !shown.contains("canary"),
                "{path}: {shown}"
            );
        }
        assert_eq!(secret.render("/metadata/labels/app", &json!("cart")), "cart");
        assert!(ValueRenderer::of_object(&json!({"kind": "Secret", "apiVersion": "v1"}), &redactor).secret);
        assert!(
            !ValueRenderer::of_object(&json!({"kind": "Secret", "apiVersion": "x.io/v1"}), &redactor).secret
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let redactor = Redactor::new(&[7; 32]);
        let shown =
            ValueRenderer::of_type("", "configmaps", &redactor).render("/data/x", &json!("ä".repeat(500)));
        assert_eq!(shown, format!("{}… (1000 bytes)", "ä".repeat(120)));
        let whole = ValueRenderer::of_type("", "configmaps", &redactor).whole();
        assert_eq!(whole.render("/data/x", &json!("ä".repeat(500))), "ä".repeat(500));
    }
}
