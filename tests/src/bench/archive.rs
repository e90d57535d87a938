//! The archive format of Velero, as the baseline of the size: a gzip tar that contains each object
//! twice, under `resources/<type>/…` and again under `…/<version>-preferredversion/…` (Velero,
//! "Output file format", <https://velero.io/docs/main/output-file-format/>).

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

/// A writer that only counts the bytes.
#[derive(Default)]
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the current time in seconds. Velero gives each entry the time at which it is written
/// (`ModTime: time.Now()` in `pkg/backup/item_backupper.go`), which Go rounds to seconds.
fn now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the archive has to hold real times, and nothing depends on them"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A gzip tar under construction.
pub struct Archive {
    tar: tar::Builder<GzEncoder<Counter>>,
}

impl Default for Archive {
    fn default() -> Self {
        // Go's default level, which Velero uses, is 6.
        Self {
            tar: tar::Builder::new(GzEncoder::new(Counter::default(), Compression::new(6))),
        }
    }
}

impl Archive {
    /// Adds one object that was listed at `path` (`/apis/apps/v1/deployments`), and returns its size in bytes.
    ///
    /// # Errors
    /// If the entry cannot be written.
    pub fn add(&mut self, path: &str, object: &Value) -> Result<u64> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (kind, version) = match parts.as_slice() {
            ["api", version, resource] => ((*resource).to_owned(), *version),
            ["apis", group, version, resource] => (format!("{resource}.{group}"), *version),
            _ => anyhow::bail!("{path} is not a collection"),
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let scope = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => format!("namespaces/{namespace}"),
            None => "cluster".to_owned(),
        };
        let bytes = serde_json::to_vec(object)?;
        for entry in [
            format!("resources/{kind}/{scope}/{name}.json"),
            format!("resources/{kind}/{version}-preferredversion/{scope}/{name}.json"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            header.set_mtime(now());
            self.tar.append_data(&mut header, entry, bytes.as_slice())?;
        }
        Ok(bytes.len() as u64)
    }

    /// Returns the size of the archive in bytes.
    ///
    /// # Errors
    /// If the archive cannot be completed.
    pub fn finish(self) -> Result<u64> {
        Ok(self.tar.into_inner()?.finish()?.0)
    }
}
