//! Kubeconfig files, for kubectl and for the servers of the cluster.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::certificates::Signed;

/// The credential of a user in a kubeconfig.
pub(super) enum Credential<'a> {
    Token(&'a str),
    Certificate(&'a Signed),
}

/// Returns a kubeconfig with one context, as JSON. JSON is valid YAML, so no YAML writer is needed.
pub(super) fn render(
    name: &str,
    user: &str,
    server: &str,
    ca_pem: &str,
    credential: &Credential<'_>,
) -> String {
    let secret: Value = match credential {
        Credential::Token(token) => json!({ "token": token }),
        Credential::Certificate(signed) => json!({
            "client-certificate-data": STANDARD.encode(&signed.certificate),
            "client-key-data": STANDARD.encode(&signed.key),
        }),
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": name,
            "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) },
        }],
        "users": [{ "name": user, "user": secret }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": user } }],
        "current-context": name,
    });
    format!("{config:#}\n")
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), std::io::Error> {
    let mut file = std::fs::File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
