//! The folder of a cluster, and who removes it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// A folder that is removed when this value is dropped, or by a sweeper when this
/// process ends without having come to that.
pub(crate) struct Folder {
    path: PathBuf,
    /// None where another process removes it.
    sweeper: Option<Child>,
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
            sweeper: Some(sweeper),
        })
    }

    /// The folder of a cluster of another process.
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
            // Nothing is left to sweep, and its patience would only cost time.
            let _ = sweeper.kill();
        } else {
            drop(sweeper.stdin.take());
        }
        let _ = sweeper.wait();
    }
}
