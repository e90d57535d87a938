//! The folder of a cluster and its removal.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// A folder that is removed when this value is dropped, or by a sweeper process if this process
/// ends without dropping it.
pub(crate) struct Folder {
    path: PathBuf,
    /// `None` where another process removes the folder.
    sweeper: Option<Child>,
}

impl Folder {
    /// Creates a new folder that only its owner can read, because it contains keys and tokens.
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
            sweeper: Some(sweeper),
        })
    }

    /// Refers to the folder of a cluster of another process.
    pub(crate) fn of_another_process(path: PathBuf) -> Self {
        Self { path, sweeper: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn sweeper_id(&self) -> Option<u32> {
        self.sweeper.as_ref().map(Child::id)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let Some(sweeper) = &mut self.sweeper else {
            return;
        };
        if std::fs::remove_dir_all(&self.path).is_ok() {
            // Nothing is left to remove, and waiting for the sweeper's delay would only take time.
            let _ = sweeper.kill();
        } else {
            drop(sweeper.stdin.take());
        }
        let _ = sweeper.wait();
    }
}
