//! A store in memory: the fake of the store port.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::Sha256;
use lifeboat_model::{ApplicationName, ObjectKey};

use crate::ports::{ETag, Listed, ObjectInfo, ObjectStore, RunLock, StoreError, StoreOperation, Upload};
use crate::verified::VerifiedUpload;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (Bytes, u64)>,
    /// The digests that were recorded with objects.
    digests: BTreeMap<String, Sha256>,
    /// Counts contents, so that each gets its own tag.
    contents: u64,
}

impl State {
    fn insert(&mut self, key: &ObjectKey, bytes: Bytes) -> ETag {
        self.contents += 1;
        self.digests.remove(key.as_str());
        self.objects
            .insert(key.as_str().to_owned(), (bytes, self.contents));
        tag(self.contents)
    }

    fn find(&self, operation: StoreOperation, key: &ObjectKey) -> Result<(&Bytes, ETag), StoreError> {
        self.objects
            .get(key.as_str())
            .map(|(bytes, content)| (bytes, tag(*content)))
            .ok_or_else(|| StoreError::NotFound {
                operation,
                key: key.to_string(),
            })
    }

    fn create(
        &mut self,
        operation: StoreOperation,
        key: &ObjectKey,
        bytes: Bytes,
    ) -> Result<ETag, StoreError> {
        if self.objects.contains_key(key.as_str()) {
            return Err(StoreError::Exists {
                operation,
                key: key.to_string(),
            });
        }
        Ok(self.insert(key, bytes))
    }
}

fn tag(content: u64) -> ETag {
    ETag::new(format!("m-{content}"))
}

/// A store in memory. Clones share their content.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all keys with their bytes, for tests that compare whole stores.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<String, Bytes> {
        self.lock()
            .objects
            .iter()
            .map(|(key, (bytes, _))| (key.clone(), bytes.clone()))
            .collect()
    }

    /// Overwrites the content of a key unconditionally, to simulate tampering or a broken disk.
    pub fn overwrite(&self, key: &ObjectKey, bytes: Bytes) {
        self.lock().insert(key, bytes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics between related changes, so a poisoned lock still protects consistent state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        self.lock().create(StoreOperation::Create, key, bytes)
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        let mut state = self.lock();
        match state.find(StoreOperation::Replace, key) {
            Ok((_, held)) if held == *expected => Ok(state.insert(key, bytes)),
            _ => Err(StoreError::Changed { key: key.to_string() }),
        }
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        let state = self.lock();
        let (bytes, etag) = state.find(StoreOperation::Read, key)?;
        Ok((bytes.clone(), etag))
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let state = self.lock();
        let (bytes, _) = state.find(StoreOperation::Read, key)?;
        let size = bytes.len() as u64;
        if range.start > range.end || range.end > size {
            return Err(StoreError::OutOfRange {
                key: key.to_string(),
                start: range.start,
                end: range.end,
                size,
            });
        }
        let index = |at: u64| usize::try_from(at).expect("not beyond the length of a buffer in memory");
        Ok(bytes.slice(index(range.start)..index(range.end)))
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        let state = self.lock();
        let (bytes, etag) = state.find(StoreOperation::Inspect, key)?;
        Ok(ObjectInfo {
            size: bytes.len() as u64,
            etag,
            sha256: state.digests.get(key.as_str()).copied(),
        })
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        Ok(self
            .lock()
            .objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, (bytes, _))| Listed {
                key: ObjectKey::parse(key.clone()).expect("only parsed keys are ever inserted"),
                size: bytes.len() as u64,
            })
            .collect())
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let state = self.lock();
        let start = match after {
            // The character after `/`: the keys of the folder itself sort before it.
            Some(after) => format!("{prefix}{after}0"),
            None => prefix.to_owned(),
        };
        let mut folders: Vec<&str> = Vec::new();
        let keys = (state
            .objects
            .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded)))
        .map_while(|(key, _)| key.strip_prefix(prefix));
        for (folder, _) in keys.filter_map(|rest| rest.split_once('/')) {
            if folders.last() != Some(&folder) {
                if folders.len() == limit {
                    break;
                }
                folders.push(folder);
            }
        }
        Ok(folders.into_iter().map(str::to_owned).collect())
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.lock().objects.remove(key.as_str());
        Ok(())
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(MemoryUpload {
            store: self.clone(),
            key: key.clone(),
            bytes: Vec::new(),
            sha256: None,
        }))
    }

    async fn upload_verified(&self, key: &ObjectKey, sha256: Sha256) -> Result<Box<dyn Upload>, StoreError> {
        let upload = MemoryUpload {
            store: self.clone(),
            key: key.clone(),
            bytes: Vec::new(),
            sha256: Some(sha256),
        };
        Ok(Box::new(VerifiedUpload::new(Box::new(upload), key, sha256)))
    }
}

struct MemoryUpload {
    store: MemoryStore,
    key: ObjectKey,
    bytes: Vec<u8>,
    sha256: Option<Sha256>,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ETag, StoreError> {
        let Self {
            store,
            key,
            bytes,
            sha256,
        } = *self;
        let mut state = store.lock();
        let etag = state.create(StoreOperation::Finish, &key, bytes.into())?;
        if let Some(sha256) = sha256 {
            state.digests.insert(key.to_string(), sha256);
        }
        Ok(etag)
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The lock of an application in a store that no other process uses.
#[derive(Debug, Clone)]
pub struct MemoryLock {
    application: ApplicationName,
}

impl MemoryLock {
    /// Creates a held lock of `application`.
    #[must_use]
    pub fn new(application: ApplicationName) -> Self {
        Self { application }
    }
}

impl RunLock for MemoryLock {
    fn application(&self) -> &ApplicationName {
        &self.application
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryStore;
    use crate::conformance;

    #[test]
    fn the_memory_store_conforms() {
        futures::executor::block_on(conformance::all(&|| Box::new(MemoryStore::new())));
    }
}
