//! The folder of a cluster, and who removes it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// A folder that is removed when this value is dropped, or by a sweeper when this
/// process ends without having come to that.
pub(crate) struct Folder {
    path: PathBuf,
    sweeper: Child,
}

impl Folder {
    /// A new folder that only the owner can read, since it holds keys and tokens.
    pub(crate) fn create(programs: &Path, cluster: &str) -> Result<Self, std::io::Error> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("lifeboat-{cluster}-"))
            .tempdir()?;
        let sweeper = Command::new(programs)
            .arg("sweep")
            .arg(folder.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            path: folder.keep(),
            sweeper,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn sweeper_id(&self) -> u32 {
        self.sweeper.id()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::fs::remove_dir_all(&self.path).is_ok() {
            // Nothing is left to sweep, and its patience would only cost time.
            let _ = self.sweeper.kill();
        } else {
            drop(self.sweeper.stdin.take());
        }
        let _ = self.sweeper.wait();
    }
}
