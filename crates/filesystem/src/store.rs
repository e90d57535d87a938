//! A store in a folder: one file per key.
//!
//! A file is written under `.tmp` in the folder of the first segment of its key (one application), synced,
//! and then hard-linked to its name, which fails if the name exists; so a key appears exactly once and
//! complete. Files that a killed process left in `.tmp` are removed when the application is locked the next
//! time. Names that begin with a dot are not keys, so neither `.tmp` nor lock files are ever listed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use lifeboat_model::ObjectKey;
use lifeboat_store::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, StoreOperation, Upload};

mod error;
mod upload;
mod walk;

pub(crate) use error::failure;
use upload::{FolderUpload, TempFile};

/// The folder of unfinished files, relative to the folder of a first segment.
const TEMPORARY: &str = ".tmp";
/// The lock file that is held while a file is compared and replaced, or removed.
const REPLACE_LOCK: &str = ".replace.lock";
/// The maximum number of attempts to create a folder that another process keeps removing because it is empty.
const FOLDER_ATTEMPTS: u32 = 8;

/// A store in a folder of the local file system. Clones share the folder.
#[derive(Debug, Clone)]
pub struct FolderStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    temporaries: AtomicU64,
}

impl FolderStore {
    /// Opens the store in an existing folder.
    ///
    /// # Errors
    /// [`StoreError::NoStore`] if the path does not exist or is not a folder; [`StoreError::Denied`] if the
    /// folder cannot be entered.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = path.into();
        let no_store = |problem| StoreError::NoStore {
            store: root.display().to_string(),
            problem,
        };
        let metadata = match fs::metadata(&root) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(no_store("the folder does not exist"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(no_store("a part of the path is a file, not a folder"));
            }
            Err(error) => return Err(failure(StoreOperation::Open, &root.display(), error)),
        };
        if !metadata.is_dir() {
            return Err(no_store("it is a file, not a folder"));
        }
        fs::read_dir(&root).map_err(|e| failure(StoreOperation::Open, &root.display(), e))?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                temporaries: AtomicU64::new(0),
            }),
        })
    }

    /// Opens the store, and creates its folder if necessary.
    ///
    /// # Errors
    /// As [`FolderStore::open`], and if the folder cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = path.into();
        match create_folders(&root) {
            Err(error)
                if error.kind() != io::ErrorKind::AlreadyExists
                    && error.kind() != io::ErrorKind::NotADirectory =>
            {
                Err(failure(StoreOperation::Open, &root.display(), error))
            }
            // `open` checks what exists at the path and reports what is wrong with it.
            _ => Self::open(root),
        }
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        // A parsed key has no empty, absolute or dot-prefixed segment, so the path stays inside the folder.
        self.inner.root.join(key.as_str())
    }

    /// Returns the folder of unfinished files for a first segment.
    pub(crate) fn temporary_folder(&self, segment: Option<&str>) -> PathBuf {
        let mut folder = self.inner.root.clone();
        folder.extend(segment);
        folder.push(TEMPORARY);
        folder
    }

    /// Creates a new unfinished file for `key`.
    fn temporary(&self, key: &ObjectKey) -> io::Result<TempFile> {
        let folder = self.temporary_folder(key.as_str().split_once('/').map(|(first, _)| first));
        let mut attempts = 0;
        loop {
            let number = self.inner.temporaries.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", std::process::id()));
            match private_file().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(TempFile::new(file, path)),
                // Left by an ended process with the same id: try the next number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < FOLDER_ATTEMPTS => {
                    attempts += 1;
                    self.check_root()?;
                    create_folders(&folder)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Fails if the folder of the store was removed, so that it is not silently created again.
    fn check_root(&self) -> io::Result<()> {
        fs::metadata(&self.inner.root).map(drop)
    }

    /// Links a complete, synced file to its name, if the name does not exist.
    fn publish(&self, operation: StoreOperation, key: &ObjectKey, temp: &TempFile) -> Result<(), StoreError> {
        let path = self.path(key);
        let folder = path.parent().expect("a key lies below the root");
        let mut attempts = 0;
        loop {
            match fs::hard_link(temp.path(), &path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(StoreError::Exists {
                        operation,
                        key: key.to_string(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < FOLDER_ATTEMPTS => {
                    attempts += 1;
                    create_folders(folder).map_err(|e| failure(operation, key, e))?;
                }
                Err(error) if lacks_links(&error) => {
                    return Err(StoreError::NoStore {
                        store: self.inner.root.display().to_string(),
                        problem: "its file system does not support hard links, which atomic writes need",
                    });
                }
                Err(error) => return Err(failure(operation, key, error)),
            }
        }
        sync_folders(&self.inner.root, folder).map_err(|e| failure(operation, key, e))
    }

    fn put_new_now(&self, key: &ObjectKey, bytes: &[u8]) -> Result<ETag, StoreError> {
        let operation = StoreOperation::Create;
        if self.path(key).exists() {
            return Err(StoreError::Exists {
                operation,
                key: key.to_string(),
            });
        }
        let temp = self.written(key, bytes).map_err(|e| failure(operation, key, e))?;
        self.publish(operation, key, &temp)?;
        Ok(tag(digest::digest(&digest::SHA256, bytes)))
    }

    fn written(&self, key: &ObjectKey, bytes: &[u8]) -> io::Result<TempFile> {
        let mut temp = self.temporary(key)?;
        temp.write(bytes)?;
        temp.sync()?;
        Ok(temp)
    }

    fn replace_now(&self, key: &ObjectKey, expected: &ETag, bytes: &[u8]) -> Result<ETag, StoreError> {
        let fail = |error| failure(StoreOperation::Replace, key, error);
        let changed = || StoreError::Changed { key: key.to_string() };
        let temp = self.written(key, bytes).map_err(fail)?;
        let _held = self.exclusive().map_err(fail)?;
        let path = self.path(key);
        let held = match File::open(&path).and_then(|file| hash(&file)) {
            Ok((etag, _)) => etag,
            Err(error) if is_absence(&error) => return Err(changed()),
            Err(error) => return Err(fail(error)),
        };
        if held != *expected {
            return Err(changed());
        }
        temp.rename(&path).map_err(fail)?;
        sync_folders(
            &self.inner.root,
            path.parent().expect("a key lies below the root"),
        )
        .map_err(fail)?;
        Ok(tag(digest::digest(&digest::SHA256, bytes)))
    }

    /// Prevents other processes from replacing or removing files; released when dropped.
    fn exclusive(&self) -> io::Result<File> {
        let file = private_file()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.inner.root.join(REPLACE_LOCK))?;
        file.lock()?;
        Ok(file)
    }

    fn delete_now(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let fail = |error| failure(StoreOperation::Delete, key, error);
        let path = self.path(key);
        let _held = self.exclusive().map_err(fail)?;
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if is_absence(&error) => return Ok(()),
            Err(error) => return Err(fail(error)),
        }
        // Folders exist only for their keys. Removing a folder that is not empty fails, which ends the loop.
        for folder in path.ancestors().skip(1) {
            if folder == self.inner.root || fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Runs blocking work on one of the runtime's blocking threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down and did not start the work.
                Err(error) => Err(StoreError::Unavailable {
                    operation: StoreOperation::Open,
                    key: self.inner.root.display().to_string(),
                    source: error.into(),
                }),
            },
        }
    }
}

#[async_trait]
impl ObjectStore for FolderStore {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        let key = key.clone();
        self.blocking(move |store| store.put_new_now(&key, &bytes)).await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        let (key, expected) = (key.clone(), expected.clone());
        self.blocking(move |store| store.replace_now(&key, &expected, &bytes))
            .await
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        let key = key.clone();
        self.blocking(move |store| {
            let bytes = fs::read(store.path(&key)).map_err(|e| failure(StoreOperation::Read, &key, e))?;
            let etag = tag(digest::digest(&digest::SHA256, &bytes));
            Ok((bytes.into(), etag))
        })
        .await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let key = key.clone();
        self.blocking(move |store| {
            let fail = |error| failure(StoreOperation::Read, &key, error);
            let file = File::open(store.path(&key)).map_err(fail)?;
            let metadata = file.metadata().map_err(fail)?;
            if metadata.is_dir() {
                return Err(fail(io::ErrorKind::IsADirectory.into()));
            }
            let beyond = || StoreError::OutOfRange {
                key: key.to_string(),
                start: range.start,
                end: range.end,
                size: metadata.len(),
            };
            if range.start > range.end || range.end > metadata.len() {
                return Err(beyond());
            }
            let length = usize::try_from(range.end - range.start).map_err(|_| beyond())?;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, range.start).map_err(fail)?;
            Ok(bytes.into())
        })
        .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        let key = key.clone();
        self.blocking(move |store| {
            let (etag, size) = File::open(store.path(&key))
                .and_then(|file| hash(&file))
                .map_err(|e| failure(StoreOperation::Inspect, &key, e))?;
            Ok(ObjectInfo {
                size,
                etag,
                // A file has no place for it.
                sha256: None,
            })
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.blocking(move |store| walk::list(&store.inner.root, &prefix, after.as_deref(), limit))
            .await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let mut folders = self
            .blocking(move |store| walk::folders(&store.inner.root, &prefix))
            .await?;
        // In the order of the keys below them, as in S3.
        folders.sort_by_cached_key(|folder| format!("{folder}/"));
        if let Some(after) = after {
            let after = format!("{after}/");
            folders.retain(|folder| format!("{folder}/") > after);
        }
        folders.truncate(limit);
        Ok(folders)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.blocking(move |store| store.delete_now(&key)).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        let key = key.clone();
        let upload = self
            .blocking(move |store| FolderUpload::begin(store.clone(), key))
            .await?;
        Ok(Box::new(upload))
    }
}

/// Returns the options for files that only their owner can read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Creates a folder and its parents, accessible only to the owner.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Syncs `folder` and every folder above it up to the root, so that their entries are durable. All are synced
/// because another process may have just created some of them.
fn sync_folders(root: &Path, folder: &Path) -> io::Result<()> {
    for folder in folder.ancestors() {
        File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// Whether a link was refused because the file system does not support hard links: `EPERM` (1 on every Unix;
/// unlike `EACCES`, it is not about permissions) or "not supported" (link(2)).
fn lacks_links(error: &io::Error) -> bool {
    error.raw_os_error() == Some(1) || error.kind() == io::ErrorKind::Unsupported
}

/// Whether an error means that no file of that name exists.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

/// Returns the tag of a content, its SHA-256. Equal contents have equal tags, as a compare-and-swap requires,
/// and the tag does not depend on clocks or inode numbers.
fn tag(digest: digest::Digest) -> ETag {
    ETag::new(hex::encode(digest))
}

fn hash(mut file: &File) -> io::Result<(ETag, u64)> {
    use std::io::Read;
    let mut context = digest::Context::new(&digest::SHA256);
    let (mut size, mut buffer) = (0, vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((tag(context.finish()), size));
        }
        context.update(&buffer[..read]);
        size += read as u64;
    }
}

#[cfg(test)]
mod tests;
