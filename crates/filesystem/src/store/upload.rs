//! Files that are being written to the store.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use lifeboat_model::ObjectKey;
use lifeboat_store::ports::{ETag, StoreError, StoreOperation, Upload};

use super::{FolderStore, failure, tag};

/// An unfinished file, removed when dropped.
#[derive(Debug)]
pub(super) struct TempFile {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl TempFile {
    pub(super) fn new(file: File, path: PathBuf) -> Self {
        Self {
            file,
            path,
            renamed: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Renames the file over an existing one.
    pub(super) fn rename(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.renamed {
            // If it cannot be removed now, it is removed when the application is locked the next time.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An upload to a folder.
pub(super) struct FolderUpload {
    store: FolderStore,
    key: ObjectKey,
    /// Absent while a piece is being written, and permanently if that call failed or was cancelled.
    state: Option<Writing>,
}

struct Writing {
    temp: TempFile,
    digest: digest::Context,
}

impl FolderUpload {
    pub(super) fn begin(store: FolderStore, key: ObjectKey) -> Result<Self, StoreError> {
        if store.path(&key).exists() {
            return Err(StoreError::Exists {
                operation: StoreOperation::Upload,
                key: key.to_string(),
            });
        }
        let temp = store
            .temporary(&key)
            .map_err(|e| failure(StoreOperation::Upload, &key, e))?;
        Ok(Self {
            store,
            key,
            state: Some(Writing {
                temp,
                digest: digest::Context::new(&digest::SHA256),
            }),
        })
    }

    fn take(&mut self, operation: StoreOperation) -> Result<Writing, StoreError> {
        self.state.take().ok_or_else(|| {
            let broken = io::Error::other("an earlier part of the upload was not written");
            failure(operation, &self.key, broken)
        })
    }
}

#[async_trait]
impl Upload for FolderUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut writing = self.take(StoreOperation::Upload)?;
        let key = self.key.clone();
        let writing = self
            .store
            .blocking(move |_| {
                writing.digest.update(&bytes);
                writing
                    .temp
                    .write(&bytes)
                    .map_err(|e| failure(StoreOperation::Upload, &key, e))?;
                Ok(writing)
            })
            .await?;
        self.state = Some(writing);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag, StoreError> {
        let writing = self.take(StoreOperation::Finish)?;
        let key = self.key.clone();
        self.store
            .blocking(move |store| {
                writing
                    .temp
                    .sync()
                    .map_err(|e| failure(StoreOperation::Finish, &key, e))?;
                store.publish(StoreOperation::Finish, &key, &writing.temp)?;
                Ok(tag(writing.digest.finish()))
            })
            .await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        self.state = None;
        Ok(())
    }
}
