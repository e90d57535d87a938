//! Runs the program as an operator does, in a shell whose environment names the store and the keys.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::run::Place;
use crate::schema;

/// A folder, and an environment that names the store and the keys, as an operator's shell would.
pub(crate) struct Operator(Place);

impl Operator {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        assert!(place.run("keys generate --out keys").status.success());
        Self(place)
    }

    pub(crate) fn lifeboat(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = self.0.command(&words);
        command
            .env("LIFEBOAT_STORE", "points")
            .env("LIFEBOAT_APPLICATION", "shop")
            .env("LIFEBOAT_VERIFY_KEY", "keys/signing.pub.pem")
            .env("LIFEBOAT_SIGNING_KEY", "keys/signing.key.pem")
            .env("LIFEBOAT_RECOVERY_KEY", "keys/recovery.key.pem")
            .env("LIFEBOAT_RECOVERY_PUBLIC_KEY", "keys/recovery.pub.pem");
        command
    }

    /// Runs a command line and returns its exit code, standard output and standard error.
    pub(crate) fn run(&self, line: &str) -> (i32, String, String) {
        let output = self.lifeboat(line).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(!err.contains("canary"), "{line} shows a Secret: {err}");
        (output.status.code().unwrap(), out, err)
    }

    /// Runs a command line with `-o json` and returns its document, which must match its schema. The exit code must be
    /// `code`.
    pub(crate) fn json(&self, line: &str, code: i32) -> Value {
        let (found, out, err) = self.run(&format!("{line} -o json"));
        assert_eq!(found, code, "{line}: {out}{err}");
        let document = serde_json::from_str(&out).unwrap();
        let name = match line.split_whitespace().next().unwrap() {
            "cat" => return document,
            "restore" => "report",
            name => name,
        };
        let (_, schema, _) = self.run(&format!("schema {name}"));
        let schema = serde_json::from_str(&schema).unwrap();
        if let Err(fault) = schema::check(&schema, &document) {
            panic!("{line}: not as `lifeboat schema {name}` says: {fault}");
        }
        document
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
