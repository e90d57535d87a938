//! Values that must not leak: values of Secrets, data keys, tokens, credentials, presigned URLs.
//!
//! They are searched for in all output of the run that is readable without permission to read
//! Secrets: logs, responses, stack events, notices, and every object of every bucket.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_local::CANARY;
use lifeboat_tests::aws::client::Client;
use lifeboat_tests::canary::Canary;
use serde_json::Value;

use crate::accounts::{PRIMARY_SCRATCH, RECOVERY_SCRATCH, STATE, TestAccounts, VAULT, list, text};

/// Markers of which each appears only in a secret.
const MARKS: &[(&str, &str)] = &[
    ("a token of EKS", "k8s-aws-v1."),
    ("a signed address", "X-Amz-Signature="),
    ("a signed address", "X-Amz-Security-Token="),
    (
        "the address of an answer to CloudFormation",
        "/_lifeboat/cloudformation/",
    ),
    ("a private key", "PRIVATE KEY-----"),
    ("a token of a service account", "eyJhbGciOi"),
];

/// The values that are searched for.
pub(crate) struct Secrets {
    texts: Vec<(String, Canary)>,
    /// Data keys as raw bytes; their base64 and hex forms are in `texts`.
    keys: Vec<Vec<u8>>,
}

impl Secrets {
    /// Collects the values: the Secret's value in the clusters, the data keys of the recovery
    /// points in the vault, and the credentials of every function.
    pub(crate) fn gather(field: &TestAccounts<'_>) -> Result<Self> {
        let mut texts = vec![("the value of a Secret".to_owned(), Canary::new(CANARY))];
        texts.extend(
            MARKS
                .iter()
                .map(|(what, mark)| ((*what).to_owned(), Canary::new(mark))),
        );
        for credential in field.aws.function_secrets() {
            texts.push(("a credential of a function".to_owned(), Canary::new(&credential)));
        }
        let keys = data_keys(field)?;
        ensure!(!keys.is_empty(), "there is no data key to look for");
        for key in &keys {
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            texts.push(("a data key".to_owned(), Canary::new(&STANDARD.encode(key))));
            texts.push(("a data key".to_owned(), Canary::new(&hex)));
        }
        Ok(Self { texts, keys })
    }

    /// Returns which of the values `bytes` contain, if any.
    fn find(&self, bytes: &[u8]) -> Option<String> {
        let text = self.texts.iter().find_map(|(what, canary)| {
            let form = canary.find(bytes)?;
            Some(format!("{what} ({form})"))
        });
        let key = || {
            let mut keys = self.keys.iter();
            let is_there = keys.any(|key| memchr::memmem::find(bytes, key).is_some());
            is_there.then(|| "a data key".to_owned())
        };
        text.or_else(key)
    }

    /// Fails if a text contains one of the values.
    pub(crate) fn are_not_in(&self, place: &str, bytes: &[u8]) -> Result<()> {
        match self.find(bytes) {
            None => Ok(()),
            Some(what) => anyhow::bail!("{what} stands in {place}"),
        }
    }

    /// Fails if a file of a folder contains one of the values. Returns the number of files.
    fn are_not_below(&self, folder: &Path) -> Result<usize> {
        let mut files = 0;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                files += self.are_not_below(&path)?;
            } else {
                files += 1;
                self.are_not_in(&path.display().to_string(), &std::fs::read(&path)?)?;
            }
        }
        Ok(files)
    }
}

/// Returns the data keys of every recovery point in the vault, unwrapped by an administrator of the
/// recovery account.
fn data_keys(field: &TestAccounts<'_>) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    for name in field.keys(field.recovery, VAULT, "shop/points/")? {
        if !name.ends_with("/manifest.json") {
            continue;
        }
        let envelope = field.document(field.recovery, VAULT, &name)?;
        let payload = STANDARD
            .decode(text(&envelope["payload"]))
            .context("a payload in base64")?;
        let statement: Value = serde_json::from_slice(&payload)?;
        let keys_of_point = list(&statement["predicate"]["keys"]).iter();
        for key in keys_of_point.flat_map(|key| list(&key["recipients"])) {
            let wrapped = STANDARD.decode(text(&key["wrapped"])).context("a wrapped key")?;
            let file = field.file("wrapped");
            std::fs::write(&file, wrapped)?;
            let opened = field.recovery.json(&[
                "kms",
                "decrypt",
                "--key-id",
                "alias/lifeboat-recovery",
                "--encryption-algorithm",
                "RSAES_OAEP_SHA_256",
                "--ciphertext-blob",
                &format!("fileb://{}", file.display()),
            ])?;
            keys.push(
                STANDARD
                    .decode(text(&opened["Plaintext"]))
                    .context("a data key")?,
            );
        }
    }
    Ok(keys)
}

/// Searches all output of the run.
pub(crate) fn are_kept(
    field: &TestAccounts<'_>,
    secrets: &Secrets,
    said: &[(String, String)],
) -> Result<usize> {
    for log in field.aws.function_logs() {
        secrets.are_not_in(&format!("the log of {}", log.function), log.text.as_bytes())?;
    }
    for (place, what) in said {
        secrets.are_not_in(place, what.as_bytes())?;
    }
    for asked in field.aws.custom_resources() {
        let answer = asked.answer.unwrap_or(Value::Null).to_string();
        secrets.are_not_in("the answer of a custom resource", answer.as_bytes())?;
    }
    let mut objects = 0;
    for (who, bucket) in [
        (field.primary, PRIMARY_SCRATCH),
        (field.recovery, RECOVERY_SCRATCH),
        (field.recovery, STATE),
        (field.recovery, VAULT),
    ] {
        objects += secrets.are_not_below(&copy(field, who, bucket)?)?;
    }
    ensure!(objects > 20, "only {objects} objects were searched");
    Ok(objects)
}

fn copy(field: &TestAccounts<'_>, who: &Client, bucket: &str) -> Result<std::path::PathBuf> {
    let folder = field.file(bucket);
    let to = folder.to_string_lossy().into_owned();
    std::fs::create_dir_all(&folder)?;
    who.text(&[
        "s3",
        "cp",
        "--recursive",
        "--only-show-errors",
        &format!("s3://{bucket}/"),
        &to,
    ])?;
    Ok(folder)
}
